"""Picture quality at the measured femur: whether it is exposed well, and whether its head has a believable size."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scripts.clinical.anatomy import HIP

_REACH_MM: Final = 75.0  # of the measured femur from the base of its neck: head, neck, trochanters and the first of the shaft
_FLAT: Final = 0.002  # range within 3 x 3 pixels, of the field's: less than the noise of any radiograph, more than rounding
_MIDDLE: Final = 0.5  # of the field's range: a flat tone below it is black, above it white
_PERCENTILES: Final = (5.0, 95.0)
_LEAST_PIXELS: Final = 200
_RIM_PX: Final = (3, 13)  # 1 to 4 mm from the outline, to either side
_SEARCH_MM: Final = 10.0  # round the landmark of the head's centre
_LARGEST_RADIUS_MM: Final = 60.0
_CORE: Final = 0.7  # of the head's radius, and of the distance of the trochanters from the middle between them: well inside both
_NOTCH_MM: Final = 12.0  # of a mask: narrower ones, where a contour follows the acetabulum's rim, are no part of a head's outline

_NOISE_KERNEL: Final = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
"""Blind to planes and to edges along an axis; noise of SD 1 becomes SD 6 (Immerkaer, Comput Vis Image Underst 1996;64:300)."""


def measure_exposure(image: NDArray[Any], femur: NDArray[np.bool_]) -> dict[str, float]:
    """Measure how well a femur is exposed.

    Where the detector, the processing or the window has lost all detail, neighbouring pixels are alike. Elsewhere no real
    radiograph is as flat, because of its noise.

    Args:
        image: (rows, cols), normalised radiograph at 0.3 mm, larger = denser.
        femur: (rows, cols), true in the femur to be measured.

    Returns:
        the quantities "exposure_..." by name; nothing where there is no femur to speak of (under 200 pixels).
    """
    if np.count_nonzero(femur) < _LEAST_PIXELS:
        return {}
    rows, cols = (np.flatnonzero(femur.any(axis=axis)) for axis in (1, 0))
    around = _RIM_PX[1] + 1
    box = (slice(max(rows[0] - around, 0), rows[-1] + around + 1), slice(max(cols[0] - around, 0), cols[-1] + around + 1))
    part, inside = np.asarray(image[box], dtype=np.float64), femur[box]
    flat = ndimage.maximum_filter(part, 3) - ndimage.minimum_filter(part, 3) < _FLAT
    low, high = np.percentile(part[inside], _PERCENTILES)
    # The median keeps edges and trabeculae, which are few, out of the noise.
    noise = np.median(np.abs(ndimage.convolve(part, _NOISE_KERNEL)[inside])) / 0.6745 / 6
    return {
        "exposure_black": float((flat & (part < _MIDDLE))[inside].mean()),
        "exposure_white": float((flat & (part >= _MIDDLE))[inside].mean()),
        "exposure_contrast": float(high - low),
        "exposure_noise": float(noise / max(high - low, 1e-6)),
        "exposure_edge": float((_rim(part, inside) - _rim(part, ~inside)) / max(high - low, 1e-6)),
    }


def _rim(image: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """The median of what lies inside, near the outline; that of all of it where nothing does."""
    depth = ndimage.distance_transform_edt(inside)
    rim = (depth > _RIM_PX[0]) & (depth <= _RIM_PX[1])
    return float(np.median(image[rim if rim.any() else inside]))


def select_measured_femur(femur: NDArray[np.bool_], landmarks: NDArray[Any], spacing_mm: float) -> NDArray[np.bool_]:
    """Keep the part of a femur mask (rows, cols) that is measured: what lies within 75 mm of the base of one hip's neck.

    Args:
        femur: of both hips.
        landmarks: (5, 2) of one hip, (row, col) in pixels, in the order of `LANDMARKS`.
        spacing_mm: size of a pixel in the patient.
    """
    return _within(femur, landmarks[HIP.landmark("neck_base")], _REACH_MM / spacing_mm)


def measure_head_diameter(femur: NDArray[np.bool_], landmarks: NDArray[Any], spacing_mm: float) -> float | None:
    """Measure a femoral head: the diameter of the largest circle inside the femur, its centre within 10 mm of the landmark.

    Args:
        femur: as for `select_measured_femur`.
        landmarks: as for `select_measured_femur`.
        spacing_mm: as for `select_measured_femur`.

    Returns:
        mm in the patient, at most 120; None where the landmark does not lie in the femur.
    """
    row, col = (round(float(value)) for value in landmarks[HIP.landmark("head_centre")])
    if not (0 <= row < femur.shape[0] and 0 <= col < femur.shape[1] and femur[row, col]):
        return None
    # Beyond the radiograph nothing is known of the head: its edge bounds the circle.
    around, search = round(_LARGEST_RADIUS_MM / spacing_mm), round(_SEARCH_MM / spacing_mm)
    top, left = max(row - around, 0), max(col - around, 0)
    notch = round(_NOTCH_MM / 2 / spacing_mm)
    window = np.pad(femur[top : row + around + 1, left : col + around + 1], notch + 1)
    apart = ndimage.distance_transform_edt(~window) > notch
    radius = ndimage.distance_transform_edt(ndimage.distance_transform_edt(~apart) > notch)
    row, col = row - top + notch + 1, col - left + notch + 1
    near = radius[max(row - search, 0) : row + search + 1, max(col - search, 0) : col + search + 1]
    return 2.0 * float(near.max()) * spacing_mm


def measure_head_density(
    image: NDArray[Any], femur: NDArray[np.bool_], landmarks: NDArray[Any], radius: float, contrast: float
) -> float | None:
    """Measure by how much a femoral head is denser than the bone between the trochanters.

    An adult's head is, since the acetabulum lies before and behind it. A small child's is of cartilage, which hardly shows.

    Args:
        image: (rows, cols), normalised radiograph, larger = denser.
        femur: as for `select_measured_femur`.
        landmarks: as for `select_measured_femur`.
        radius: of the head, in pixels.
        contrast: of the femur, see `measure_exposure`.

    Returns:
        difference of the medians, as a share of the contrast; None where either place lies outside the femur.
    """
    head, greater, lesser = (landmarks[HIP.landmark(name)] for name in ("head_centre", "greater_trochanter", "lesser_trochanter"))
    between, apart = (greater + lesser) / 2, float(np.linalg.norm(greater - lesser)) / 2
    core, bone = (image[_within(femur, centre, _CORE * reach)] for centre, reach in ((head, radius), (between, apart)))
    if min(len(core), len(bone)) < _LEAST_PIXELS:
        return None
    return float(np.median(core) - np.median(bone)) / max(contrast, 1e-6)


def _within(femur: NDArray[np.bool_], centre: NDArray[Any], radius: float) -> NDArray[np.bool_]:
    """The part of a mask (rows, cols) within a circle, in pixels."""
    rows = np.arange(femur.shape[0])[:, None] - centre[0]
    cols = np.arange(femur.shape[1])[None, :] - centre[1]
    near: NDArray[np.bool_] = femur & (rows**2 + cols**2 <= radius**2)
    return near
