"""Where a radiograph's pixels lie in the patient: pixel spacing, magnification, and the order in which rows and columns run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from scripts.radiograph.elements import cited, number, numbers, stated, term, value

ASSUMED_MAGNIFICATION: Final = 1.15
"""Of the hip on a radiograph without a recorded geometry: the middle of the usual 1.1 to 1.2 (SID 100-120 cm, supine)."""

MAGNIFICATIONS: Final = (1.0, 2.0)
"""Lowest and highest recorded magnification that is believed."""

PIXEL_SPACINGS_MM: Final = (0.03, 2.0)
"""Lowest and highest pixel spacing that is believed: finer than any detector, coarser than any useful thumbnail."""

REPEATED: Final = 0.02
"""Relative difference below which two spacings are the same but for rounding. A hip is magnified by more."""

LARGEST_RADIOGRAPH_MM: Final = (500.0, 1500.0)
"""Shorter and longer side of the largest radiograph: a 43 cm detector, and a stitched long-leg radiograph. A spacing that makes
a radiograph larger than this is none."""


SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
"""Elements that give the size of a pixel."""

PLACEHOLDER_MM: Final = (1.0, 1.0)
"""A spacing that software writes where it knows none; no detector and no useful export has pixels of just this size."""

_DIRECTIONS: Final = {
    "RIGHT": "R", "LEFT": "L", "ANTERIOR": "A", "POSTERIOR": "P", "HEAD": "H", "SUPERIOR": "H", "CRANIAL": "H", "FOOT": "F",
    "FEET": "F", "INFERIOR": "F", "CAUDAL": "F",
}  # fmt: skip
_CODE: Final = re.compile(r"[RLAPHF]{1,3}")
_UNPARTED: Final = re.compile(r"([RLAP])([HF])|([HF])([RLAP])")
"""Patient Orientation as one value instead of two."""


@dataclass(frozen=True)
class Spacing:
    """Size of a pixel, as (row, column) in mm.

    detector_mm: at the detector, or None if unknown.
    patient_mm: at the plane of the hips, or None if unknown.
    source: "PixelSpacing" (as recorded), "calibration" (corrected by the vendor or against a ruler, as recorded),
        "ImagerPixelSpacing/magnification", "NominalScannedPixelSpacing/magnification" or "none".
    aspect: a pixel's height over its width, also where its size is unknown.

    Example:
        >>> Spacing(None, (0.15, 0.2), "PixelSpacing", 0.75).transposed().patient_mm
        (0.2, 0.15)
    """

    detector_mm: tuple[float, float] | None = None
    patient_mm: tuple[float, float] | None = None
    source: str = "none"
    aspect: float = 1.0

    def transposed(self) -> Spacing:
        """Return the spacing of the transposed radiograph."""
        return Spacing(_swapped(self.detector_mm), _swapped(self.patient_mm), self.source, 1.0 / self.aspect)


def _swapped(pair: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if pair is None else (pair[1], pair[0])


def parse_spacing(pair: Any, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Return a (row, column) spacing in mm, or None where it is missing, zero or physically absurd.

    Args:
        pair: two numbers in mm, as read from a header.
        shape: rows and columns of the radiograph.
    """
    try:
        row, col = (float(part) for part in pair)
    except (TypeError, ValueError):
        return None
    low, high = PIXEL_SPACINGS_MM
    if not (low <= row <= high and low <= col <= high and 0.5 <= row / col <= 2.0):  # also False for NaN
        return None
    short, long = sorted((row * shape[0], col * shape[1]))
    return (row, col) if short <= LARGEST_RADIOGRAPH_MM[0] and long <= LARGEST_RADIOGRAPH_MM[1] else None


def read_spacing(header: Dataset, shape: tuple[int, int]) -> tuple[Spacing, list[str]]:
    """Find the pixel spacing of a projection radiograph at the detector and in the patient.

    Follows DICOM PS3.3 10.7.1. Imager Pixel Spacing is at the detector; so is Nominal Scanned Pixel Spacing, of a digitised
    film. Pixel Spacing is in the patient, unless it merely repeats the detector's. Where it stands alone without a
    calibration type, nothing tells which of the two it is: it is taken as the patient's, and that is recorded.

    Args:
        header: a DICOM data set.
        shape: rows and columns of the radiograph.

    Returns:
        The spacing, and what had to be assumed.
    """
    calibrated, note = term(header, "PixelSpacingCalibrationType", ("FIDUCIAL", "GEOMETRY"))
    notes = [note] if note else []
    pairs: dict[str, tuple[float, float] | None] = {}
    for keyword in SPACINGS:
        pairs[keyword] = parse_spacing(numbers(header, keyword), shape)
        if pairs[keyword] == PLACEHOLDER_MM and not calibrated:
            pairs[keyword] = None
            notes.append(f"{keyword} in the header is 1.0 mm, which stands for an unknown size, so it was not used.")
        elif stated(header, keyword) and pairs[keyword] is None:
            notes.append(f"{cited(header, keyword)} is zero or impossible for a radiograph of this size, so it was not used.")
    patient = pairs["PixelSpacing"]
    at_detector = "ImagerPixelSpacing" if pairs["ImagerPixelSpacing"] else "NominalScannedPixelSpacing"
    detector = pairs[at_detector]

    if patient is not None and detector is not None:
        patient, note = _reconciled(patient, detector)
        notes += [note] if note else []
    if patient is not None and calibrated:
        return _known(detector, patient, "calibration"), notes
    if patient is not None and detector is not None and not np.allclose(patient, detector, rtol=REPEATED):
        return _known(detector, patient, "PixelSpacing"), notes
    if detector is not None:
        magnification, magnification_notes = read_magnification(header)
        notes += magnification_notes
        scaled = (detector[0] / magnification, detector[1] / magnification)
        return _known(detector, scaled, f"{at_detector}/magnification"), notes
    if patient is not None:
        notes.append(
            "The header gives PixelSpacing alone: it was taken as measured in the patient. "
            "If it is the detector's, all lengths are 10-20% too large."
        )
        return _known(None, patient, "PixelSpacing"), notes
    notes.append("The header gives no usable pixel spacing.")
    aspect = numbers(header, "PixelAspectRatio")
    if len(aspect) == 2 and min(aspect) > 0 and 0.5 <= aspect[0] / aspect[1] <= 2.0:
        return Spacing(aspect=aspect[0] / aspect[1]), notes
    if stated(header, "PixelAspectRatio"):
        notes.append(f"{cited(header, 'PixelAspectRatio')} is impossible: the pixels were taken as square.")
    return Spacing(), notes


def _known(detector: tuple[float, float] | None, patient: tuple[float, float], source: str) -> Spacing:
    return Spacing(detector, patient, source, patient[0] / patient[1])


def _reconciled(patient: tuple[float, float], detector: tuple[float, float]) -> tuple[tuple[float, float] | None, str]:
    """Return the spacing in the patient that can be true beside the detector's, and what had to be assumed.

    Magnification is the same in both directions, so one of the two pairs may be in the wrong order; and it is no less than 1.
    """
    ratios = detector[0] / patient[0], detector[1] / patient[1]
    swapped = detector[0] / patient[1], detector[1] / patient[0]
    note = ""
    if abs(ratios[0] / ratios[1] - 1) > REPEATED and abs(swapped[0] / swapped[1] - 1) <= REPEATED:
        patient, ratios = (patient[1], patient[0]), swapped
        note = "PixelSpacing contradicts the detector's spacing unless its two values are swapped: they were swapped."
    low, high = MAGNIFICATIONS
    if not all(low - REPEATED <= ratio <= high for ratio in ratios):
        return None, "PixelSpacing is impossible beside the detector's spacing, which is magnified 1 to 2 times: it was not used."
    return patient, note


def read_magnification(header: Dataset) -> tuple[float, list[str]]:
    """Return the magnification of the hips on the detector (1 or more), and what had to be assumed.

    In this order: Estimated Radiographic Magnification Factor; Distance Source to Detector / Distance Source to Patient;
    `ASSUMED_MAGNIFICATION`.
    """
    low, high = MAGNIFICATIONS
    factor = number(value(header, "EstimatedRadiographicMagnificationFactor"))
    if factor is not None and low <= factor <= high:
        return factor, []
    notes = []
    if factor is not None:
        notes.append(
            f"{cited(header, 'EstimatedRadiographicMagnificationFactor')} is not {low:g} to {high:g}, so it was not used."
        )
    detector = number(value(header, "DistanceSourceToDetector"))
    patient = number(value(header, "DistanceSourceToPatient"))
    # Equal distances are what a device writes that does not know the second one.
    if detector and patient and low < detector / patient <= high:
        return detector / patient, notes
    if detector is not None and patient is not None:
        notes.append(
            f"{cited(header, 'DistanceSourceToDetector')} and {cited(header, 'DistanceSourceToPatient')} mean no magnification "
            f"of {low:g} to {high:g}, so they were not used."
        )
    return ASSUMED_MAGNIFICATION, [
        *notes,
        f"Magnification {ASSUMED_MAGNIFICATION} was assumed, because the header does not give it in a form that can be used.",
    ]


@dataclass(frozen=True)
class Orientation:
    """How the stored rows and columns become the displayed ones: first transpose, then flip.

    Displayed, rows run toward the patient's feet and columns toward the patient's left.

    Example:
        >>> Orientation(transpose=True, flip_cols=True).to_display(np.array([[1, 2, 3], [4, 5, 6]]))
        array([[4, 1],
               [5, 2],
               [6, 3]])
    """

    transpose: bool = False
    flip_rows: bool = False
    flip_cols: bool = False

    def to_display(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array (..., rows, cols) of the stored radiograph as displayed."""
        shown = array.swapaxes(-1, -2) if self.transpose else array
        return self._flipped(shown)

    def to_stored(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array (..., rows, cols) of the displayed radiograph on the stored radiograph's grid."""
        kept = self._flipped(array)
        return kept.swapaxes(-1, -2) if self.transpose else kept

    def points_to_display(self, points: NDArray[Any], stored_shape: tuple[int, int]) -> NDArray[Any]:
        """Return points (..., 2), (row, col) in stored pixels, in displayed pixels. NaN stays NaN.

        Args:
            points: (row, col) positions; a pixel's centre is a whole number.
            stored_shape: rows and columns of the stored radiograph.
        """
        shown = np.array(points[..., ::-1] if self.transpose else points, dtype=np.float64)
        rows, cols = stored_shape[::-1] if self.transpose else stored_shape
        if self.flip_rows:
            shown[..., 0] = rows - 1 - shown[..., 0]
        if self.flip_cols:
            shown[..., 1] = cols - 1 - shown[..., 1]
        return shown

    def points_to_stored(self, points: NDArray[Any], stored_shape: tuple[int, int]) -> NDArray[Any]:
        """Return points (..., 2), (row, col) in displayed pixels, in stored pixels; arguments as for `points_to_display`."""
        rows, cols = stored_shape[::-1] if self.transpose else stored_shape
        kept = np.array(points, dtype=np.float64)
        if self.flip_rows:
            kept[..., 0] = rows - 1 - kept[..., 0]
        if self.flip_cols:
            kept[..., 1] = cols - 1 - kept[..., 1]
        return kept[..., ::-1] if self.transpose else kept

    def _flipped(self, array: NDArray[Any]) -> NDArray[Any]:
        rows = slice(None, None, -1 if self.flip_rows else 1)
        cols = slice(None, None, -1 if self.flip_cols else 1)
        return array[..., rows, cols]


def orient(across: str, down: str) -> Orientation | None:
    """Return the orientation of a radiograph by where its columns and rows run to, or None if they cannot run so.

    Args:
        across: where columns run to, of R, L, A, P, H and F.
        down: where rows run to.
    """
    transpose = across in tuple("HF") and down in tuple("RLAP")
    if transpose:
        across, down = down, across
    if across not in tuple("RLAP") or down not in tuple("HF"):
        return None
    return Orientation(transpose, flip_rows=down == "H", flip_cols=across == "R")


def _direction(said: str) -> str:
    """Return the first letter of where an axis runs to, "" where a word names no direction."""
    return said[0] if _CODE.fullmatch(said) else _DIRECTIONS.get(said, "")


def read_orientation(header: Dataset) -> tuple[Orientation, bool, str]:
    """Read Patient Orientation (0020,0020): where the columns, then the rows, run to (DICOM PS3.3 C.7.6.1.1.1).

    It describes the pixels as they are stored. Field of View Rotation and Horizontal Flip, which tell what the device did to
    the detector's image before, are therefore not applied again.

    Args:
        header: a DICOM data set.

    Returns:
        The orientation; whether the radiograph is a lateral projection (one axis runs front to back); and what had to be
        assumed ("" if nothing).
    """
    said = stated(header, "PatientOrientation").upper()
    parts = [part for part in re.split(r"[^A-Z]+", said) if part]
    if unparted := _UNPARTED.fullmatch(said):
        parts = [part for part in unparted.groups() if part]
    usual = stated(header, "PatientOrientation") == "\\".join(parts) and all(_CODE.fullmatch(part) for part in parts)
    across, down = map(_direction, parts) if len(parts) == 2 else ("", "")
    found = orient(across, down)
    if found is not None:
        note = f"{cited(header, 'PatientOrientation')} was read as {across} and {down}." if not usual else ""
        return found, bool({across, down} & {"A", "P"}), note
    unusable = f"{cited(header, 'PatientOrientation')} is unusable" if said.strip("\\") else ""
    return (
        Orientation(),
        False,
        f"{unusable or 'PatientOrientation is missing'}: the patient's right was taken to be on the left of the radiograph.",
    )
