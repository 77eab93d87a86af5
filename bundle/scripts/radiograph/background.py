"""Which parts of a radiograph were not exposed, as far as its header says: padding, shutters and collimators."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from skimage.draw import polygon2mask

from scripts.radiograph.elements import number, numbers, quoted, stated, value

SAMPLES: Final = 384
"""Along the longer side of the coarse grid on which a radiograph's field is judged: plenty for percentiles."""

_EDGES: Final = ("UpperHorizontalEdge", "LowerHorizontalEdge", "LeftVerticalEdge", "RightVerticalEdge")


def thin(pixels: NDArray[Any], samples: int = SAMPLES) -> NDArray[Any]:
    """Return every n-th row and column of (rows, cols), at least `samples` along the longer side where it has as many."""
    step = max(1, max(pixels.shape[:2]) // samples)
    return pixels[::step, ::step]


def find_closed_off(header: Dataset, shape: tuple[int, int]) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which pixels lie outside the shutters and collimators of the header (DICOM PS3.3 C.7.6.11, C.8.7.3).

    Args:
        header: a DICOM data set.
        shape: rows and columns of the stored radiograph.

    Returns:
        The stored radiograph's grid, thinned by `thin`; all false where the header describes none that leaves a field. And a
        sentence on each shutter or collimator that could not be used.
    """
    notes = []
    step = max(1, max(shape) // SAMPLES)
    rows, cols = np.ogrid[0 : shape[0] : step, 0 : shape[1] : step]
    outside = np.zeros((rows.size, cols.size), bool)
    for device in ("Shutter", "Collimator"):
        named = stated(header, f"{device}Shape").upper()
        shapes = [shape for shape in map(str.strip, named.split("\\")) if shape]
        if not shapes and any(stated(header, f"{device}{edge}") for edge in _EDGES):
            notes.append(f"The {device.lower()} in the header has edges but no {device}Shape, so it was not used.")
        for kind in shapes:
            closed = _outside(header, device, kind, rows, cols, step)
            if closed is None or closed.all():
                described = ", ".join(
                    f"{keyword} {quoted(header, keyword)}" for keyword in _described_by(device, kind) if stated(header, keyword)
                )
                notes.append(
                    f"The {device.lower()} in the header ({device}Shape {quoted(header, f'{device}Shape')}"
                    f"{'; ' if described else ''}{described}) encloses no field that can be told, so it was not used."
                )
            else:
                outside |= closed
    return outside, notes


def _described_by(device: str, kind: str) -> tuple[str, ...]:
    """Return the keywords of the elements that describe a shutter or collimator of a shape, () of an unknown one."""
    if kind == "RECTANGULAR":
        return tuple(f"{device}{edge}" for edge in _EDGES)
    if kind == "CIRCULAR":
        return (f"CenterOfCircular{device}", f"RadiusOfCircular{device}")
    return (f"VerticesOfThePolygonal{device}",) if kind == "POLYGONAL" else ()


def _outside(
    header: Dataset, device: str, kind: str, rows: NDArray[np.int64], cols: NDArray[np.int64], step: int
) -> NDArray[np.bool_] | None:
    """Return what lies outside one shutter or collimator, or None where it is not described."""
    keywords = _described_by(device, kind)
    if kind == "RECTANGULAR":
        top, bottom, left, right = (number(value(header, keyword)) for keyword in keywords)
        if top is not None and bottom is not None and left is not None and right is not None:
            return (rows < top - 1) | (rows > bottom - 1) | (cols < left - 1) | (cols > right - 1)
    elif kind == "CIRCULAR":
        centre, radius = numbers(header, keywords[0]), number(value(header, keywords[1]))
        if len(centre) == 2 and radius:
            return np.asarray(np.hypot(rows - (centre[0] - 1), cols - (centre[1] - 1)) > radius)
    elif kind == "POLYGONAL":
        corners = np.array(numbers(header, keywords[0]))
        if 6 <= corners.size <= 2000 and corners.size % 2 == 0:
            return np.asarray(~polygon2mask((rows.size, cols.size), (corners.reshape(-1, 2) - 1) / step))
    return None
