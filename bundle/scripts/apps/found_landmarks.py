"""The landmarks that the networks find, and landmarks as a manifest's files hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.clinical import load_gate
from scripts.clinical.anatomy import HIP
from scripts.radiograph import to_displayed_points
from scripts.screening import Seen

FEWEST_LANDMARKS: Final = 3
"""So many place a hip."""


def found_landmarks(seen: Seen) -> NDArray[np.float64]:
    """The landmarks that the networks are sure of: (2, 5, 2) in pixels of the radiograph as its file stores it; NaN = none.

    A hip of which fewer than `FEWEST_LANDMARKS` are sure has none.

    Args:
        seen: the radiograph as the screen gives it.
    """
    meta, points = seen.image.meta, seen.prediction["landmarks"].double().numpy()
    sure = seen.prediction["landmark_confidence"].numpy() >= load_gate().limits.complete_at_least
    sure &= (sure.sum(axis=1) >= FEWEST_LANDMARKS)[:, None]
    displayed = to_displayed_points(np.where(sure[..., None], points, np.nan), meta["resample_scale"])
    stored: NDArray[np.float64] = meta["orientation"].points_to_stored(displayed, seen.mask.shape)
    return stored


def to_manifest(landmarks: NDArray[np.float64]) -> Mapping[str, Any]:
    """Landmarks (2, 5, 2) as a manifest's file has them, see `scripts.dataset.labels.read_landmarks`; NaN becomes null."""
    return {
        side: {
            name: [round(float(value), 2) for value in landmarks[i, j]] if np.isfinite(landmarks[i, j]).all() else None
            for j, name in enumerate(HIP.landmarks)
        }
        for i, side in enumerate(HIP.sides)
    }
