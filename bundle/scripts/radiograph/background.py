"""Which parts of a radiograph were not exposed, as far as its header says: padding, shutters and collimators."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from skimage.draw import polygon2mask

from scripts.radiograph.elements import number, numbers, value

SAMPLES: Final = 384
"""Along the longer side of the coarse grid on which a radiograph's field is judged: plenty for percentiles."""


def thin(pixels: NDArray[Any], samples: int = SAMPLES) -> NDArray[Any]:
    """Return every n-th row and column of (rows, cols), at least `samples` along the longer side where it has as many."""
    step = max(1, max(pixels.shape[:2]) // samples)
    return pixels[::step, ::step]


def find_closed_off(header: Dataset, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels lie outside the shutters and collimators of the header (DICOM PS3.3 C.7.6.11, C.8.7.3).

    Args:
        header: a DICOM data set.
        shape: rows and columns of the stored radiograph.

    Returns:
        The stored radiograph's grid, thinned by `thin`; all false where the header describes none that leaves a field.
    """
    step = max(1, max(shape) // SAMPLES)
    rows, cols = np.ogrid[0 : shape[0] : step, 0 : shape[1] : step]
    outside = np.zeros((rows.size, cols.size), bool)
    for device in ("Shutter", "Collimator"):
        found = value(header, f"{device}Shape")
        shapes = [found] if isinstance(found, str) else list(found or ())
        closed = np.zeros_like(outside)
        if "RECTANGULAR" in shapes:
            edges = ("UpperHorizontalEdge", "LowerHorizontalEdge", "LeftVerticalEdge", "RightVerticalEdge")
            top, bottom, left, right = (number(value(header, f"{device}{edge}")) for edge in edges)
            if top is not None and bottom is not None and left is not None and right is not None:
                closed |= (rows < top - 1) | (rows > bottom - 1) | (cols < left - 1) | (cols > right - 1)
        if "CIRCULAR" in shapes:
            centre, radius = numbers(header, f"CenterOfCircular{device}"), number(value(header, f"RadiusOfCircular{device}"))
            if len(centre) == 2 and radius:
                closed |= np.hypot(rows - (centre[0] - 1), cols - (centre[1] - 1)) > radius
        if "POLYGONAL" in shapes:
            corners = np.array(numbers(header, f"VerticesOfThePolygonal{device}"))
            if 6 <= corners.size <= 2000 and corners.size % 2 == 0:
                closed |= ~polygon2mask(outside.shape, (corners.reshape(-1, 2) - 1) / step)
        if not closed.all():
            outside |= closed
    return outside
