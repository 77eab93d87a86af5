"""Writing a simulated radiograph as a DX image of DICOM PS3.3 A.26 (Digital X-Ray Image), for presentation or for processing."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    generate_uid,
)

from scripts.files import replacing
from scripts.simulation.physics.processing import Curve, Rendering, Style, Tone
from scripts.simulation.physics.xray import Exposure
from scripts.simulation.population import Person

_LOOKUP_BITS = 16


@dataclass(frozen=True)
class Study:
    """Who and when: ``patient_id`` and ``site`` of a simulated patient, ``date`` of the study; ``seed`` makes the UIDs."""

    patient_id: str
    site: str
    date: datetime.date
    seed: str


@dataclass(frozen=True)
class Acquisition:
    """What a header tells of how the radiograph was taken.

    The tube and its ``charge`` (mAs, of ``xray.tube_charge``: behind soft tissue alone, so that it tells nothing of the bone);
    distances from the focal spot to detector and hips, and the detector's pixel ``spacing`` (mm); ``only``: the one hip shown
    ("right", "left", "" for both). ``silent``: the header says nothing of body part, side and view.
    """

    exposure: Exposure
    charge: float
    source_detector: float
    source_patient: float
    spacing: float
    frog_leg: bool = False
    only: str = ""
    marked: bool = False
    silent: bool = False


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def write_radiograph(
    path: Path, rendering: Rendering, style: Style, acquisition: Acquisition, person: Person, study: Study
) -> None:
    """Write a processed radiograph as a DX DICOM file, JPEG-LS lossless; on an error nothing of it is left behind.

    Args:
        path: the file to make or to replace.
        rendering: values to store and the tone curve for the viewer, if any.
        style: the vendor's, for bits and photometric interpretation.
        acquisition: for geometry and technique in the header.
        person: the patient's age, sex, height and weight.
        study: identifiers and date.

    Raises:
        OSError: the file cannot be written, as on a full disk.
    """
    top = 2**style.bits - 1
    values = rendering.values.cpu().numpy()
    stored = np.round((1 - values if style.monochrome1 else values) * top).astype("<u2")

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForProcessing if style.raw else DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[study.seed, "instance"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    d = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)

    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.StudyInstanceUID = generate_uid(entropy_srcs=[study.seed, "study"])
    d.SeriesInstanceUID = generate_uid(entropy_srcs=[study.seed, "series"])
    d.SpecificCharacterSet = "ISO_IR 192"
    day = study.date.strftime("%Y%m%d")
    d.StudyDate = d.SeriesDate = d.AcquisitionDate = d.ContentDate = day
    d.StudyTime = d.SeriesTime = d.AcquisitionTime = d.ContentTime = "120000"
    d.AccessionNumber, d.StudyID, d.ReferringPhysicianName = "", "1", ""
    d.Modality, d.PresentationIntentType = "DX", "FOR PROCESSING" if style.raw else "FOR PRESENTATION"
    d.Manufacturer, d.ManufacturerModelName = "OsteoXR", f"OsteoXR simulator {style.name}"
    d.InstitutionName, d.DeviceSerialNumber, d.SoftwareVersions = study.site, f"{study.site}-{style.name}", "1.0"
    d.PatientName, d.PatientID = f"Simulated^{study.patient_id}", study.patient_id
    d.PatientBirthDate, d.PatientSex = "", person.sex
    d.PatientAge = f"{int(person.age):03d}Y"
    d.PatientSize, d.PatientWeight = f"{person.height / 100:.2f}", f"{person.weight:.1f}"
    d.SeriesNumber, d.InstanceNumber = 1, 1

    _write_anatomy(d, acquisition)
    d.AcquisitionContextSequence = []

    _write_technique(d, acquisition)
    d.BurnedInAnnotation = "YES" if acquisition.marked else "NO"
    d.ImageType = ["ORIGINAL" if style.raw else "DERIVED", "PRIMARY"]
    if not style.raw:
        d.DerivationDescription = "Simulated radiograph of a phantom; not a patient"
    d.LossyImageCompression = "00"

    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME1" if style.monochrome1 else "MONOCHROME2"
    d.Rows, d.Columns = stored.shape
    allocated = 8 if style.bits <= 8 else 16
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = allocated, style.bits, style.bits - 1, 0
    # 1: larger values mean more exposure.
    d.PixelIntensityRelationship, d.PixelIntensityRelationshipSign = style.raw or "LOG", 1 if style.monochrome1 else -1
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = "0", "1", "US"
    d.PresentationLUTShape = "INVERSE" if style.monochrome1 else "IDENTITY"
    if not style.raw:
        _write_tone(d, rendering.tone, style)
    d.compress(JPEGLSLossless, stored.astype(f"uint{allocated}"), generate_instance_uid=False)

    with replacing(path) as partial:
        d.save_as(partial, enforce_file_format=True)


def _write_anatomy(d: Dataset, acquisition: Acquisition) -> None:
    d.PatientOrientation = ["L", "F"]
    if acquisition.silent:
        d.StudyDescription, d.SeriesDescription = "Simulated", ""
        d.ImageLaterality, d.ViewPosition = "U", ""
        d.AnatomicRegionSequence, d.ViewCodeSequence = [], []
        return
    d.StudyDescription, d.SeriesDescription = "Simulated pelvis", "Pelvis"
    d.BodyPartExamined = "HIP" if acquisition.only else "PELVIS"
    d.ImageLaterality = {"right": "R", "left": "L", "": "U"}[acquisition.only]
    d.ViewPosition = "" if acquisition.frog_leg else "AP"
    d.AnatomicRegionSequence = [_coded(codes.SCT.Hip if acquisition.only else codes.SCT.Pelvis)]
    projection = _coded(Code("399348003", "SCT", "antero-posterior"))
    projection.ViewModifierCodeSequence = []
    d.ViewCodeSequence = [projection]


def _write_technique(d: Dataset, acquisition: Acquisition) -> None:
    exposure = acquisition.exposure
    d.KVP, d.DistanceSourceToDetector = f"{exposure.kvp:.0f}", f"{acquisition.source_detector:.0f}"
    d.DistanceSourceToPatient = f"{acquisition.source_patient:.0f}"
    d.EstimatedRadiographicMagnificationFactor = f"{acquisition.source_detector / acquisition.source_patient:.4f}"
    d.Exposure, d.ExposureInuAs = max(1, round(acquisition.charge)), round(acquisition.charge * 1000)
    d.ExposureControlMode = "AUTOMATIC"
    filters = {"ALUMINUM": exposure.filtration, "COPPER": exposure.copper}
    filters = {material: thickness for material, thickness in filters.items() if thickness > 0}
    if filters:
        d.FilterType, d.FilterMaterial = "FLAT", list(filters)
        d.FilterThicknessMinimum = d.FilterThicknessMaximum = [f"{thickness:.2f}" for thickness in filters.values()]
    d.AnodeTargetMaterial, d.FocalSpots = "TUNGSTEN", f"{exposure.focal_spot:.1f}"
    d.Grid = "FOCUSED" if exposure.grid_scatter < exposure.grid_primary else "NONE"
    d.DetectorType, d.DetectorConfiguration = "SCINTILLATOR", "AREA"
    d.ImagerPixelSpacing = [f"{acquisition.spacing:.4f}"] * 2
    d.PositionerType = "NONE"


def _write_tone(d: Dataset, tone: Tone | None, style: Style) -> None:
    """The VOI transformation: none but the full range, a sigmoid (DICOM PS3.3 C.11.2.1.3.1), or a look-up table."""
    top = 2**style.bits - 1
    if tone is None or tone.curve is Curve.STRAIGHT:
        d.WindowCenter, d.WindowWidth = f"{(top + 1) / 2:.1f}", f"{top + 1}"
    elif tone.curve is Curve.SIGMOID:
        centre = 1 - tone.centre if style.monochrome1 else tone.centre
        d.WindowCenter, d.WindowWidth = f"{centre * top:.2f}", f"{tone.width * top:.2f}"
        d.VOILUTFunction = "SIGMOID"
    else:
        grey = torch.linspace(0, 1, top + 1)
        shown = 1 - tone(1 - grey) if style.monochrome1 else tone(grey)
        table = Dataset()
        table.LUTDescriptor = [top + 1, 0, _LOOKUP_BITS]
        table.LUTExplanation = "Characteristic curve"
        table.add_new("LUTData", "OW", np.round(shown.numpy() * (2**_LOOKUP_BITS - 1)).astype("<u2").tobytes())
        d.VOILUTSequence = [table]
