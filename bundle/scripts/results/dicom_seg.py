"""Masks as DICOM Segmentation objects that belong to their radiograph, and back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from scripts.clinical.anatomy import HIP

_PHYSICAL_OBJECT: Final = Code("260787004", "SCT", "Physical object")

_PROPERTIES: Final[Mapping[str, tuple[Code, Code]]] = {
    "femur": (codes.SCT.AnatomicalStructure, Code("71341001", "SCT", "Femur")),
    "prosthesis": (_PHYSICAL_OBJECT, Code("304120007", "SCT", "Total hip replacement prosthesis")),
    "fixation": (_PHYSICAL_OBJECT, Code("31031000", "SCT", "Orthopedic internal fixation system")),
}
"""Category and type of each class (DICOM PS3.3 C.8.20.2; SNOMED CT)."""


def make_segmentation(
    radiograph: Dataset,
    mask: NDArray[np.uint8],
    description: str,
    corrected: bool,
    uids: tuple[str, str] | None = None,
    number: int = 1,
) -> Dataset:
    """Make the Segmentation of a radiograph's mask, one segment a class that occurs.

    Args:
        radiograph: of modality CR or DX, with pixels or without.
        mask: (rows, cols), 0 to 3 (`CLASSES`), on the radiograph's grid.
        description: of the series.
        corrected: whether a person drew or corrected it.
        uids: of the series and of the object; new ones if None.
        number: of the object in its series.

    Raises:
        ValueError: if the mask has another size than the radiograph, or shows nothing.
    """
    expected = (int(radiograph.Rows), int(radiograph.Columns))
    if mask.shape != expected:
        raise ValueError(f"The mask has the size {mask.shape}, expected the radiograph's {expected}; no object was made.")
    present = [value for value in range(1, len(HIP.classes)) if np.any(mask == value)]
    if not present:
        raise ValueError(f"The mask is empty, expected one of {', '.join(HIP.classes[1:])}; DICOM knows no empty segmentation.")
    algorithm = hd.AlgorithmIdentificationSequence(
        name="OsteoXR", version=version("osteoxr"), family=codes.DCM.ArtificialIntelligence
    )
    kind = hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC if corrected else hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=HIP.classes[value],
            segmented_property_category=_PROPERTIES[HIP.classes[value]][0],
            segmented_property_type=_PROPERTIES[HIP.classes[value]][1],
            algorithm_type=kind,
            algorithm_identification=algorithm,
        )
        for number, value in enumerate(present, start=1)
    ]
    numbered = np.zeros_like(mask)
    for number, value in enumerate(present, start=1):
        numbered[mask == value] = number
    segmentation = hd.seg.Segmentation(
        source_images=[_in_the_plane(radiograph)],
        pixel_array=numbered[None],
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=uids[0] if uids else hd.UID(),
        series_number=900,
        sop_instance_uid=uids[1] if uids else hd.UID(),
        instance_number=number,
        manufacturer="OsteoXR",
        manufacturer_model_name="OsteoXR",
        software_versions=version("osteoxr"),
        device_serial_number="0",
        content_label="OSTEOXR",
        content_description="Femurs and implants; research use only",
        series_description=description,
        omit_empty_frames=False,
    )
    # Required of an image without a place in space (DICOM PS3.3 C.7.6.1), and the same as the radiograph's, whose grid it has.
    segmentation.PatientOrientation = radiograph.get("PatientOrientation", "")
    return segmentation


def extract_mask(segmentation: Dataset) -> NDArray[np.uint8]:
    """Take the mask out of a Segmentation of one radiograph.

    Args:
        segmentation: with pixels; of this bundle, or with segments of the same labels.

    Returns:
        (rows, cols) uint8, 0 to 3 (`CLASSES`).

    Raises:
        ValueError: if it has a segment of another label, or a frame of none.
    """
    mask = np.zeros((segmentation.Rows, segmentation.Columns), np.uint8)
    labels = {int(segment.SegmentNumber): str(segment.SegmentLabel).lower() for segment in segmentation.SegmentSequence}
    if unknown := sorted(set(labels.values()) - set(HIP.classes[1:])):
        raise ValueError(
            f"Segmentation {segmentation.SOPInstanceUID}: has a segment {unknown[0]!r}, expected only "
            f"{', '.join(HIP.classes[1:])}; it was not read."
        )
    frames: Any = segmentation.pixel_array
    for frame, groups in zip(frames.reshape(-1, *mask.shape), segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        mask[frame > 0] = HIP.classes.index(labels[_segment_number(segmentation, groups)])
    return mask


def _segment_number(segmentation: Dataset, groups: Dataset) -> int:
    """Of a frame: it stands among the groups that all frames share where these are of one segment (DICOM PS3.3 C.7.6.16)."""
    for place in (groups, *segmentation.get("SharedFunctionalGroupsSequence", [])):
        if "SegmentIdentificationSequence" in place:
            return int(place.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    raise ValueError(f"Segmentation {segmentation.SOPInstanceUID}: a frame does not say of which segment it is; it was not read.")


def source_radiograph(segmentation: Dataset) -> str:
    """The SOP Instance UID of the radiograph that a Segmentation is of, "" where it names none or several."""
    named = {
        str(instance.ReferencedSOPInstanceUID)
        for series in segmentation.get("ReferencedSeriesSequence", [])
        for instance in series.get("ReferencedInstanceSequence", [])
    }
    return named.pop() if len(named) == 1 else ""


def _in_the_plane(radiograph: Dataset) -> Dataset:
    """The radiograph as highdicom takes it: a frame of reference stands for a place in space, which a projection has not."""
    if "FrameOfReferenceUID" not in radiograph or "ImageOrientationPatient" in radiograph:
        return radiograph
    flat = copy.copy(radiograph)
    del flat.FrameOfReferenceUID
    return flat
