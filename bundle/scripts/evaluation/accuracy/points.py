"""How far found landmarks lie from the true ones, and whether the hips were taken for each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_SAME_PLACE_MM = 30.0
"""A hip found this near to the other side's head was taken for it, where its own side has no truth to compare with."""


def distances_mm(points: NDArray[np.float64], true: NDArray[np.float64], spacing_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Distances, mm, (N,), of points (N, 2) in (row, col) pixels of the given spacing; NaN where the true one is unknown."""
    offset = (points - true) * np.asarray(spacing_mm)
    return np.asarray(np.hypot(offset[:, 0], offset[:, 1]))


def is_swapped(
    points: NDArray[np.float64],
    true: NDArray[np.float64],
    other: NDArray[np.float64],
    spacing_mm: tuple[float, float],
) -> bool:
    """Whether a hip was found where the patient's other hip is, by the centre of the femoral head (row 0).

    Args:
        points: (5, 2) landmarks found for this side, (row, col) in pixels.
        true: (5, 2) true landmarks of this side; NaN = unknown.
        other: (5, 2) those of the other side.
        spacing_mm: of the pixels.
    """
    own, across = (distances_mm(points[:1], side[:1], spacing_mm)[0] for side in (true, other))
    if np.isnan(across):
        return False
    return bool(across < (_SAME_PLACE_MM if np.isnan(own) else own))


def median_and_p95(errors_mm: NDArray[np.float64]) -> tuple[float, float]:
    """Median and 95th percentile of errors (N,); NaN where there is none."""
    if not len(errors_mm):
        return math.nan, math.nan
    return float(np.median(errors_mm)), float(np.percentile(errors_mm, 95))
