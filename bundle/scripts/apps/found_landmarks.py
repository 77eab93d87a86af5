"""The landmarks that the networks find, as a manifest's landmark files hold them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.clinical import load_gate
from scripts.clinical.anatomy import HIP
from scripts.radiograph import Orientation, to_displayed_points
from scripts.screening import Seen

_FEWEST: Final = 3  # that place a hip


def found_landmarks(seen: Seen, stored: bool = True) -> dict[str, Any] | None:
    """The landmarks of a radiograph, as `scripts.dataset.labels.read_landmarks` reads them.

    Args:
        seen: the radiograph as the screen gives it.
        stored: in pixels (row, col) of the radiograph as its file stores it, else as it is displayed.

    Returns:
        by side and name, null for one that is not surely seen, as are all of a hip with fewer than three; None where no hip is
        left.
    """
    meta = seen.image.meta
    points = to_displayed_points(seen.prediction["landmarks"].numpy(), meta["resample_scale"])
    sure = seen.prediction["landmark_confidence"].numpy() >= load_gate().limits.complete_at_least
    sure &= (sure.sum(axis=1) >= _FEWEST)[:, None]
    if not sure.any():
        return None
    if stored:
        points = _to_stored(points, meta["orientation"], meta["displayed_shape"])
    return {
        side: {name: points[i, j].tolist() if sure[i, j] else None for j, name in enumerate(HIP.landmarks)}
        for i, side in enumerate(HIP.sides)
    }


def _to_stored(points: NDArray[np.float64], orientation: Orientation, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Points (..., 2) of the displayed radiograph, of this shape, in pixels of the stored one."""
    stored = points.copy()
    for axis, flipped in enumerate((orientation.flip_rows, orientation.flip_cols)):
        if flipped:
            stored[..., axis] = shape[axis] - 1 - stored[..., axis]
    return stored[..., ::-1] if orientation.transpose else stored
