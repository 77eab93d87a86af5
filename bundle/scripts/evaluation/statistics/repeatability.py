"""How far repeated measurements of the same bone lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scripts.clinical import LEAST_SIGNIFICANT


def measure_repeats(groups: Sequence[NDArray[np.float64]]) -> dict[str, float]:
    """The precision error of repeated measurements, pooled over the groups by their degrees of freedom.

    Glüer CC et al. Accurate assessment of precision errors: how to measure the reproducibility of bone densitometry techniques.
    Osteoporos Int 1995;5(4):262-270.

    Args:
        groups: (N,) values above 0 each, of one bone; those of fewer than two are left out.

    Returns:
        hips, the number of groups; degrees_of_freedom (N - 1 of each); rms_sd in the unit of the values; rms_cv, of SD over
        mean, a share; least_significant_change, `scripts.clinical.LEAST_SIGNIFICANT` times rms_sd. NaN where no group has two
        values.

    Example:
        >>> found = measure_repeats([np.array([0.80, 0.82]), np.array([0.70, 0.70])])
        >>> found["hips"], round(found["rms_sd"], 3), round(found["least_significant_change"], 3)
        (2, 0.01, 0.028)
    """
    repeated = [group for group in groups if len(group) > 1]
    freedom = np.array([len(group) - 1 for group in repeated], dtype=float)
    sds = np.array([group.std(ddof=1) for group in repeated])
    means = np.array([group.mean() for group in repeated])

    def pooled(spread: NDArray[np.float64]) -> float:
        return math.sqrt(float((freedom * spread**2).sum() / freedom.sum())) if repeated else math.nan

    rms_sd = pooled(sds)
    return {
        "hips": len(repeated),
        "degrees_of_freedom": int(freedom.sum()),
        "rms_sd": rms_sd,
        "rms_cv": pooled(sds / means) if repeated else math.nan,
        "least_significant_change": LEAST_SIGNIFICANT * rms_sd,
    }
