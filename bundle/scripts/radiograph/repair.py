"""Numbers of a DICOM header that a person can read and a program cannot: decimal commas, units, odd separators."""

from __future__ import annotations

import math
import re
from typing import Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from scripts.radiograph.elements import cited, number, stated
from scripts.radiograph.geometry import SPACINGS

# fmt: off
_SINGLE: Final = (
    "SamplesPerPixel", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "NumberOfFrames", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept",
    "PixelIntensityRelationshipSign", "EstimatedRadiographicMagnificationFactor", "DistanceSourceToDetector",
    "DistanceSourceToPatient", "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge", "RadiusOfCircularShutter", "CollimatorUpperHorizontalEdge", "CollimatorLowerHorizontalEdge",
    "CollimatorLeftVerticalEdge", "CollimatorRightVerticalEdge", "RadiusOfCircularCollimator",
)
_PAIRS: Final = (*SPACINGS, "PixelAspectRatio", "CenterOfCircularShutter", "CenterOfCircularCollimator")
_LISTS: Final = ("WindowCenter", "WindowWidth", "VerticesOfThePolygonalShutter", "VerticesOfThePolygonalCollimator")
# fmt: on
NUMERIC: Final = (*_SINGLE, *_PAIRS, *_LISTS)
"""Elements that alter pixels or scale by a number."""

_PACKING: Final = " \0\t\r\n\"'[](){}"
_MM: Final = re.compile(r"(?<=[\d\s])mm\b", re.ASCII | re.IGNORECASE)
_BETWEEN: Final = re.compile(r"\s*[\\;|/x*]\s*|,\s+|\s+", re.IGNORECASE)


def repair_numbers(dataset: Dataset) -> list[str]:
    """Bring the elements `NUMERIC` of a header into the form that DICOM wants, and take out those that say no number.

    A decimal comma is a point. One pixel size is that of square pixels. Brackets, millimetres, and whatever parts two values
    instead of a backslash are passed over. Of several values where there should be one, the first number counts. An empty element
    stays: it says that the value is unknown.

    Args:
        dataset: changed in place.

    Returns:
        A sentence on each element that was changed, with the value that was there.
    """
    notes = []
    for keyword in NUMERIC:
        said = stated(dataset, keyword) if keyword in dataset else ""
        if not said.strip("\\" + _PACKING) or _is_usual(said, keyword):
            continue
        read, quote = _read(said, keyword), cited(dataset, keyword)
        del dataset[keyword]
        if not read:
            wanted = "pair of numbers" if keyword in _PAIRS else "number"
            notes.append(f"{quote} is no {wanted} that can be used, so it counts as missing.")
            continue
        whole = all(part % 1 == 0 and abs(part) < 2**31 for part in read)
        values = [int(part) for part in read] if whole else read
        tag = tag_for_keyword(keyword) or 0
        dataset.add(DataElement(tag, "SL" if whole else "FD", values if len(values) > 1 else values[0]))
        told = " and ".join("unknown" if math.isnan(part) else f"{part:g}" for part in read)
        notes.append(f"{quote} was read as {told}.")
    return notes


def _is_usual(said: str, keyword: str) -> bool:
    parts = said.split("\\")
    count = 1 if keyword in _SINGLE else 2 if keyword in _PAIRS else len(parts)
    return len(parts) == count and "," not in said and all(number(part) is not None for part in parts)


def _read(said: str, keyword: str) -> list[float]:
    """Return what an element means, as many numbers as it should have, or an empty list.

    Windows are paired by their places, so one that is no number stays as NaN beside others.
    """
    plain = _MM.sub(" ", said).strip(_PACKING)
    if keyword in _SINGLE:
        found = [number(part.strip(_PACKING)) for part in plain.split("\\")]
        return [part for part in found if part is not None][:1]
    if keyword in ("WindowCenter", "WindowWidth"):
        found = [number(part.strip(_PACKING)) for part in plain.split("\\")]
        return [math.nan if part is None else part for part in found] if any(part is not None for part in found) else []
    parted = [plain.split("\\"), _BETWEEN.split(plain)]
    if "." in plain:
        parted.append(plain.split(","))
    elif plain.count(",") == 3:
        row, row_rest, col, col_rest = plain.split(",")
        parted.append([f"{row}.{row_rest}", f"{col}.{col_rest}"])
    for parts in parted:
        found = [number(part.strip(_PACKING)) for part in parts]
        known = [part for part in found if part is not None]
        if len(known) == len(found) and (keyword not in _PAIRS or len(known) == 2):
            return known
    alone = number(plain.strip("\\ ")) if keyword in SPACINGS else None
    return [] if alone is None else [alone, alone]
