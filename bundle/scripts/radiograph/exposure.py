"""Which part of a radiograph was exposed, and the range of densities in it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scripts.clinical import Code
from scripts.radiograph.admission import refused
from scripts.radiograph.background import thin
from scripts.radiograph.sampling import resample_nearest

PERCENTILES: Final = (1.0, 99.0)

_EXTREME: Final = 0.02  # of the range: how near to black or white a frame is
_WHITE: Final = 0.9  # of the exposed field's range: as white as a frame from which no border was cut
_KINDS: Final = ((_WHITE, 0.05, 2), (0.75, 0.15, 0))
"""What is white down to a level, ends by so large a drop, both of the range, and goes on so many pixels further: an even frame,
and one that the radiograph's processing lets fade towards the field."""
_ALONG_PX: Final = 401  # 120 mm of a radiograph's edge
_BLUR_PX: Final = 2
_FRAME: Final = 0.98  # of a row or column that must be so
_LEAST_FIELD: Final = 0.05  # of the radiograph; with less, nothing is left out


def find_display_limits(image: NDArray[Any], background: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Return the 1st and 99th percentile of the exposed field, estimated on a subsample.

    Args:
        image: (rows, cols), larger = denser.
        background: None, or booleans on any grid over the radiograph, true where nothing was exposed. It is ignored if it
            leaves less than 5% of the radiograph.

    Raises:
        RefusedError: NOT_A_RADIOGRAPH, if the two are equal.
    """
    sample = thin(image)
    field = find_exposed_field(sample)
    if background is not None:
        rest = field & ~resample_nearest(background, sample.shape)
        field = rest if rest.mean() >= _LEAST_FIELD else field
    low, high = (float(limit) for limit in np.percentile(sample[field], PERCENTILES, overwrite_input=True))
    if not high - low > 1e-6:
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            "The exposed part of the image has no contrast, so it shows nothing; it was not analysed. Export it again.",
        )
    return low, high


def find_exposed_field(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the exposed part of a radiograph: without uniform black or white frames, and without white collimation.

    Rows and columns at the radiograph's edges that are wholly black or wholly white are a frame. White that is connected to the
    edge is collimation, at any angle. Black inside the remaining field is air beside the patient, which belongs to it.

    Args:
        image: (rows, cols), larger = denser.

    Returns:
        (rows, cols) bool, true in the exposed part; true everywhere if less than 5% would be left.
    """
    low, high = float(image.min()), float(image.max())
    margin = _EXTREME * (high - low)
    black, white = image <= low + margin, image >= high - margin

    field = ~_from_edges(white)

    def is_frame(line: tuple[slice | int, slice | int]) -> bool:
        return bool(max(np.count_nonzero(black[line]), np.count_nonzero(white[line])) >= _FRAME * black[line].size)

    top, bottom, left, right = 0, image.shape[0], 0, image.shape[1]
    before = None
    while before != (top, bottom, left, right):
        before = (top, bottom, left, right)
        while top < bottom and is_frame(np.s_[top, left:right]):
            top += 1
        while top < bottom and is_frame(np.s_[bottom - 1, left:right]):
            bottom -= 1
        while left < right and is_frame(np.s_[top:bottom, left]):
            left += 1
        while left < right and is_frame(np.s_[top:bottom, right - 1]):
            right -= 1
    inside = np.zeros_like(field)
    inside[top:bottom, left:right] = True
    field &= inside
    return field if np.count_nonzero(field) >= _LEAST_FIELD * field.size else np.ones_like(field)


def _from_edges(white: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what of a mask is connected to the radiograph's edges."""
    if not (white[0].any() or white[-1].any() or white[:, 0].any() or white[:, -1].any()):
        return np.zeros_like(white)
    regions, count = ndimage.label(white)
    connected = np.zeros(count + 1, bool)
    connected[np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])] = True
    connected[0] = False  # what is not white
    return connected[regions]


def find_white_frames(image: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Find the white frames of a collimated radiograph, also noisy, uneven or oblique ones, which `find_exposed_field` misses.

    A frame begins at the radiograph's edge, is as deep along most of 120 mm of that edge, covers up to a quarter of the
    radiograph, and ends abruptly, as no tissue does.

    Args:
        image: (rows, cols), normalised radiograph at 0.3 mm.

    Returns:
        (rows, cols) bool, true on a frame.
    """
    frames = np.zeros(image.shape, bool)
    smooth = ndimage.uniform_filter(image, 2 * _BLUR_PX + 1)  # one dark pixel of noise is no end
    for turns in range(4):
        turned = np.rot90(smooth, turns)
        for level, least_drop, further in _KINDS:
            white = (turned > level) & (turned[0] > _WHITE)
            depth = np.where(white.all(axis=0), len(white), np.argmin(white, axis=0))
            depth = ndimage.median_filter(depth, _ALONG_PX, mode="nearest")
            beyond, before = (np.clip(depth + step, 0, len(white) - 1)[None] for step in (3 * _BLUR_PX, -3 * _BLUR_PX))
            drop = np.take_along_axis(turned, before, axis=0)[0] - np.take_along_axis(turned, beyond, axis=0)[0]
            edge = ndimage.median_filter(drop, _ALONG_PX, mode="nearest") >= least_drop
            depth = np.where((depth > 0) & (depth <= len(white) // 4) & edge, depth + further, 0)
            frames |= np.rot90(np.arange(len(white))[:, None] < depth, -turns)
    return frames
