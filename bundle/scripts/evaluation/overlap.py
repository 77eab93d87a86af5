"""How well a drawn region covers the true one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FALSE_ALARM_MM2 = 100.0
"""From this area on, a region drawn where the truth has none is counted; a smaller one is a speck."""


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Dice coefficient 2 |A and B| / (|A| + |B|) of two masks of one shape; NaN where the true one is empty."""
    size = int(np.count_nonzero(true))
    if size == 0:
        return math.nan
    return 2.0 * int(np.count_nonzero(found & true)) / (int(np.count_nonzero(found)) + size)


def false_alarm(found: NDArray[np.bool_], true: NDArray[np.bool_], pixel_mm2: float) -> bool:
    """Whether something of at least `FALSE_ALARM_MM2` was drawn although the truth is empty; `pixel_mm2` is a pixel's area."""
    return not true.any() and int(np.count_nonzero(found)) * pixel_mm2 >= FALSE_ALARM_MM2
