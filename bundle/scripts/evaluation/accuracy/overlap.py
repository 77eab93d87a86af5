"""How well a drawn region covers the true one."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", float, NDArray[np.float64])

FALSE_ALARM_MM2 = 100.0
"""From this area on, a region drawn where the truth has none is counted; a smaller one is a speck."""


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Dice coefficient 2 |A and B| / (|A| + |B|) of two masks of one shape; NaN where the true one is empty."""
    size = int(np.count_nonzero(true))
    if size == 0:
        return math.nan
    return 2.0 * int(np.count_nonzero(found & true)) / (int(np.count_nonzero(found)) + size)


def iou(dice_coefficient: Value) -> Value:
    """Intersection over union |A and B| / |A or B| (the Jaccard index) of two masks, by their Dice coefficient D: D / (2 - D)."""
    return dice_coefficient / (2.0 - dice_coefficient)


def count_confusion_by_hip(
    found: NDArray[np.uint8], true: NDArray[np.uint8], centres: NDArray[np.float64], classes: int
) -> NDArray[np.int64]:
    """Count the pixels of every pair of classes, in the part of the radiograph that is nearer to one hip than to the other.

    Args:
        found: (rows, cols) classes, from 0 on, as displayed.
        true: (rows, cols) the same.
        centres: (2, 2) (row, col) of each hip in pixels; NaN = not on the radiograph, which leaves all of it to the other hip.
        classes: how many.

    Returns:
        (2, classes, classes): hip, class found, true class; zeros for a hip that is not on the radiograph.
    """
    pairs = found * classes + true
    counts = [np.bincount(pairs[part], minlength=classes * classes) for part in nearer_parts(true.shape, centres)]
    return np.stack(counts).reshape(2, classes, classes)


def nearer_parts(shape: tuple[int, ...], centres: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The part of a radiograph that is nearer to each of two points than to the other: (2, rows, cols).

    Args:
        shape: (rows, cols).
        centres: (2, 2) (row, col) in pixels; NaN = there is none, and its part is empty.
    """
    there = np.asarray(np.isfinite(centres).all(axis=1))
    if not there.all():
        return np.broadcast_to(there[:, None, None], (2, shape[0], shape[1]))
    across, middle = centres[1] - centres[0], centres.mean(axis=0)
    first = (np.arange(shape[0]) - middle[0])[:, None] * across[0] < (middle[1] - np.arange(shape[1])) * across[1]
    return np.stack([first, ~first])


def dice_of(confusion: NDArray[np.int64], value: int) -> float:
    """Dice coefficient of one class by its counts (class found, true class); NaN where the truth has none of it."""
    size = int(confusion[:, value].sum())
    return 2.0 * int(confusion[value, value]) / (int(confusion[value].sum()) + size) if size else math.nan


def false_alarm(found: NDArray[np.bool_], true: NDArray[np.bool_], pixel_mm2: float) -> bool:
    """Whether something of at least `FALSE_ALARM_MM2` was drawn although the truth is empty; `pixel_mm2` is a pixel's area."""
    return not true.any() and int(np.count_nonzero(found)) * pixel_mm2 >= FALSE_ALARM_MM2
