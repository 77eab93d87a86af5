"""Burned-in side markers: the R or L, of lead or written by the device, that tells the patient's right from left.

Only the single letters R and L are read: no words, and no letters of other languages. A wrong marker is worse than none, so a
letter that is faint, cut off, part of a word, or touches bone of equal brightness is passed over.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from monai.transforms import MapTransform
from numpy.typing import NDArray
from scipy import ndimage

from scripts.clinical.laterality import SideMarker
from scripts.radiograph.letters import Reading, read_letter
from scripts.radiograph.sampling import resample, to_displayed_points

_ASSUMED_SIDE_MM: Final = 400.0
_SPACING_MM: Final = 0.45
_STROKE_MM: Final = 7.0
"""Structures wider than this are no strokes of a letter."""
_LETTER_MM: Final = (6.5, 36.0)
"""Longer side of a letter."""
_CONTRASTS: Final = (0.05, 0.1, 0.2, 0.4)
"""Of a stroke against its surroundings, in units of the normalised radiograph."""
_FILL: Final = (0.12, 0.75)
"""Of a letter's bounding box."""
_MARGIN: Final = 0.15
"""Of the radiograph's width, at its left and right: where an L is looked for; an acetabular roof's corner lies further in."""
_WORD_GAP: Final = 0.3
"""Of its height: letters nearer to each other make a word."""


@dataclass(frozen=True)
class FoundMarker:
    """A marker and where it lies.

    Args:
        row: of its centre, pixels of the image searched.
        col: as `row`.
        height: longer side of its bounding box, pixels of the image searched.
        reading: what it reads as.
    """

    row: float
    col: float
    height: float
    reading: Reading


@dataclass(frozen=True)
class _Piece:
    """A bright piece, on black (rows, cols), where it lies, and its index among the boxes (n, 4) of its neighbours."""

    bright: NDArray[np.float32]
    centre: tuple[float, float]
    index: int
    extents: NDArray[np.intp]


class FindSideMarkersd(MapTransform):
    """Finds the side markers of a normalised radiograph and sets meta["side_markers"], a list of `SideMarker`.

    Args:
        keys: of images (1, H, W) of `NormaliseRadiographd`.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Search the image of each key."""
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[key]
            # Letters differ in size by more than radiographs of unknown scale do.
            guess = _ASSUMED_SIDE_MM / max(image.shape)
            found = find_markers(image[0].numpy(), image.meta["spacing_mm"] or (guess, guess))
            image.meta["side_markers"] = [locate_marker(marker, image.shape[-1]) for marker in found]
        return item


def locate_marker(marker: FoundMarker, cols: int) -> SideMarker:
    """Say in which third of a radiograph of ``cols`` columns a marker lies."""
    letter: Literal["R", "L"] = "R" if marker.reading.letter == "R" else "L"
    return SideMarker(letter, _third(marker.col, cols), marker.reading.mirrored)


def _third(col: float, cols: int) -> Literal["left", "middle", "right"]:
    if col < cols / 3:
        return "left"
    return "right" if col > 2 * cols / 3 else "middle"


def find_markers(image: NDArray[Any], spacing_mm: tuple[float, float]) -> list[FoundMarker]:
    """Find the side markers of a radiograph.

    Args:
        image: (rows, cols), normalised so that 0 and 1 are the 1st and 99th percentile; larger = denser.
        spacing_mm: (row, col) size of a pixel; may be off by a third, letters differ by more.

    Returns:
        The markers that are certain, the likeliest first.
    """
    shape = tuple(max(1, round(length * mm / _SPACING_MM)) for length, mm in zip(image.shape, spacing_mm, strict=True))
    resized = resample(image, (shape[0], shape[1]))
    scale = (image.shape[0] / shape[0], image.shape[1] / shape[1])
    found: list[FoundMarker] = []
    for piece in _pieces(resized):
        reading = read_letter(piece.bright)
        if reading is not None and reading.certain and not _in_a_word(piece.index, piece.extents):
            row, col = to_displayed_points(np.array(piece.centre), scale).tolist()
            # Corners that look like an L lie among bones and bowel; nobody puts a marker there.
            if reading.letter == "L" and min(col, image.shape[1] - col) > _MARGIN * image.shape[1]:
                continue
            found.append(FoundMarker(row, col, max(piece.bright.shape) * scale[0], reading))
    found.sort(key=lambda marker: -marker.reading.correlation)
    kept: list[FoundMarker] = []
    for marker in found:
        if all(np.hypot(marker.row - other.row, marker.col - other.col) > other.height / 2 for other in kept):
            kept.append(marker)
    return kept


def _pieces(resized: NDArray[np.float32]) -> Iterator[_Piece]:
    """Every piece of a radiograph that might be a letter."""
    size = round(_STROKE_MM / _SPACING_MM)
    strokes = resized - ndimage.maximum_filter(ndimage.minimum_filter(resized, size), size)
    seen = set()
    for contrast in _CONTRASTS:
        regions, _ = ndimage.label(strokes > contrast, structure=np.ones((3, 3)))
        boxes = ndimage.find_objects(regions)
        extents = np.array([(rows.start, rows.stop, cols.start, cols.stop) for rows, cols in boxes]).reshape(-1, 4)
        for index in np.flatnonzero(_sized(extents, resized.shape)):
            box = boxes[index]
            inside = regions[box] == index + 1
            if not _FILL[0] <= inside.mean() <= _FILL[1]:
                continue
            # Half of its own contrast cuts a letter at its true edge, whatever level found it.
            values = strokes[box]
            level = 0.5 * float(np.quantile(values[inside], 0.8))
            mask = inside & (values > level)
            rows, cols = np.nonzero(mask)
            tight = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
            top, left = box[0].start + int(rows.min()), box[1].start + int(cols.min())
            height, width = mask[tight].shape
            if (key := (top, left, height, width)) in seen:
                continue
            seen.add(key)
            bright = np.clip(values[tight] / (2 * level), 0, 1) * ndimage.binary_dilation(mask)[tight]
            yield _Piece(bright, (top + (height - 1) / 2, left + (width - 1) / 2), int(index), extents)


def _sized(extents: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which boxes (n, 4), first and last row and column, are of a letter's size, and not cut by the radiograph's edge."""
    sides = extents[:, 1::2] - extents[:, ::2]
    longer, shorter = sides.max(axis=1), sides.min(axis=1)
    whole = (extents[:, ::2] > 0).all(axis=1) & (extents[:, 1::2] < np.array(shape)).all(axis=1)
    low, high = (length / _SPACING_MM for length in _LETTER_MM)
    sized: NDArray[np.bool_] = whole & (longer >= low) & (longer <= high) & (shorter >= 0.35 * longer)
    return sized


def _in_a_word(index: int, extents: NDArray[np.intp]) -> bool:
    """Whether a piece of about the same height stands close beside this one, in a row or in a column."""
    for along, across in ((slice(2, 4), slice(0, 2)), (slice(0, 2), slice(2, 4))):
        begin, end = extents[:, along].T
        low, high = extents[:, across].T
        height = high - low
        gap = np.maximum(begin - end[index], begin[index] - end)
        overlap = np.minimum(high, high[index]) - np.maximum(low, low[index])
        near = (gap >= 0) & (gap <= _WORD_GAP * height[index])
        if (near & (overlap > 0.7 * height[index]) & (height < 1.4 * height[index])).any():
            return True
    return False
