"""Writing a simulated radiograph as a DX image of DICOM PS3.3 A.26 (Digital X-Ray Image - For Presentation)."""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    generate_uid,
)

from scripts.simulation.imaging import View
from scripts.simulation.population import Person


@dataclass(frozen=True)
class Study:
    """Who and when: ``patient_id`` and ``site`` of a simulated patient, ``date`` of the study; ``seed`` makes the UIDs."""

    patient_id: str
    site: str
    date: datetime.date
    seed: str


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def write_radiograph(path: Path, image: np.ndarray, view: View, person: Person, study: Study) -> None:
    """Write display values as a DX DICOM file, JPEG-LS lossless, first under a temporary name.

    Args:
        path: the file to make.
        image: (rows, columns) in 0..1, bone bright.
        view: the exposure, for geometry and technique in the header.
        person: the patient's age, sex, height and weight.
        study: identifiers and date.
    """
    style = view.style
    top = 2**style.bits - 1
    stored = np.round((1 - image if style.monochrome1 else image) * top).astype("<u2")

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
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
    d.Modality, d.PresentationIntentType = "DX", "FOR PRESENTATION"
    d.Manufacturer, d.InstitutionName = f"OsteoXR simulator {style.name}", study.site
    d.StudyDescription, d.SeriesDescription = "Simulated pelvis", "Pelvis"
    d.PatientName, d.PatientID = f"Simulated^{study.patient_id}", study.patient_id
    d.PatientBirthDate, d.PatientSex = "", person.sex
    d.PatientAge = f"{int(person.age):03d}Y"
    d.PatientSize, d.PatientWeight = f"{person.height / 100:.2f}", f"{person.weight:.1f}"
    d.SeriesNumber, d.InstanceNumber = 1, 1

    d.BodyPartExamined, d.ImageLaterality = "PELVIS", "U"
    d.ViewPosition = "" if view.frog_leg else "AP"
    d.PatientOrientation = ["L", "F"]
    d.AnatomicRegionSequence = [_coded(codes.SCT.Pelvis)]
    projection = _coded(Code("399348003", "SCT", "antero-posterior"))
    projection.ViewModifierCodeSequence = []
    d.ViewCodeSequence = [projection]
    d.AcquisitionContextSequence = []

    d.KVP, d.DistanceSourceToDetector = f"{view.exposure.kvp:.0f}", f"{view.source_detector:.0f}"
    d.DistanceSourceToPatient = f"{view.film.focus_distance:.0f}"
    d.EstimatedRadiographicMagnificationFactor = f"{view.source_detector / view.film.focus_distance:.4f}"
    d.DetectorType, d.DetectorConfiguration = "SCINTILLATOR", "AREA"
    d.ImagerPixelSpacing = [f"{view.detector_spacing:.4f}"] * 2
    d.PositionerType = "NONE"
    d.BurnedInAnnotation = "YES" if view.marker else "NO"
    d.ImageType = ["DERIVED", "PRIMARY"]
    d.DerivationDescription = "Simulated radiograph of a phantom; not a patient"
    d.LossyImageCompression = "00"

    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME1" if style.monochrome1 else "MONOCHROME2"
    d.Rows, d.Columns = stored.shape
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, style.bits, style.bits - 1, 0
    d.PixelIntensityRelationship, d.PixelIntensityRelationshipSign = "LOG", -1 if style.monochrome1 else 1
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = "0", "1", "US"
    d.PresentationLUTShape = "INVERSE" if style.monochrome1 else "IDENTITY"
    d.WindowCenter, d.WindowWidth = f"{(top + 1) / 2:.1f}", f"{top + 1}"
    d.compress(JPEGLSLossless, stored, generate_instance_uid=False)

    partial = path.with_name(path.name + ".partial")
    d.save_as(partial, enforce_file_format=True)
    os.replace(partial, path)
