"""The outline of a femur, measured along lines: how far the bone's edge is from a point, and what an image shows in between.

Points are (row, col) in mm of the patient plane, from the upper left corner of the displayed radiograph. Nothing here knows
which way is up, so a turned or mirrored radiograph gives the same answers, turned or mirrored.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Floats = NDArray[np.float64]

_STEP_MM: Final = 0.3
_EDGE: Final = 0.5


class Outline:
    """The outline of a femur mask on the grid of a radiograph.

    Args:
        femur: (rows, cols), a mask, or the probability of being femur, 0..1. The edge lies where it falls to 0.5.
        spacing_mm: size of a pixel in the patient, along (rows, cols).
    """

    def __init__(self, femur: NDArray[Any], spacing_mm: tuple[float, float]) -> None:
        self.femur = np.asarray(femur, dtype=np.float32)
        self.spacing_mm: Floats = np.asarray(spacing_mm, dtype=np.float64)

    def to_mm(self, pixels: NDArray[Any]) -> Floats:
        """Take points (..., 2), (row, col) in pixels, to mm."""
        return (np.asarray(pixels, dtype=np.float64) + 0.5) * self.spacing_mm

    def to_pixels(self, points: Floats) -> Floats:
        """Take points (..., 2) in mm to (row, col) in pixels."""
        pixels: Floats = points / self.spacing_mm - 0.5
        return pixels

    def sample(self, image: NDArray[Any], points: Floats) -> Floats:
        """Interpolate an image of this grid at points (..., 2) in mm: values (...), bilinear; NaN beyond the radiograph."""
        pixels = np.moveaxis(self.to_pixels(points), -1, 0)
        values: Floats = map_coordinates(image, pixels, output=np.float64, order=1, mode="constant", cval=np.nan)
        return values

    def reach(self, starts: Floats, directions: Floats, limit_mm: float) -> Floats:
        """Measure how far the bone goes from each start in a direction.

        Args:
            starts: (N, 2) in mm.
            directions: (2,) or (N, 2), unit vectors (row, col).
            limit_mm: how far to look.

        Returns:
            (N,) mm to the edge; NaN where the start is not in the bone, or the bone has no edge there: it goes on to the edge
            of the radiograph or beyond the limit.
        """
        steps = np.arange(0.0, limit_mm + _STEP_MM, _STEP_MM)
        lines = starts[:, None, :] + steps[:, None] * np.broadcast_to(directions, starts.shape)[:, None, :]
        values = self.sample(self.femur, lines)
        # Beyond the radiograph nothing is known: NaN is not inside, and makes the interpolated edge NaN too.
        ended = ~(values >= _EDGE)
        end = ended.argmax(axis=1)
        index = np.arange(len(starts))
        inner, outer = values[index, np.maximum(end - 1, 0)], values[index, end]
        with np.errstate(invalid="ignore", divide="ignore"):
            reach = (end - 1 + (inner - _EDGE) / (inner - outer)) * _STEP_MM
        return np.where(ended.any(axis=1) & (end > 0), reach, np.nan)
