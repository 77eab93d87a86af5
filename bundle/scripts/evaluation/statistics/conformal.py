"""Conformal quantiles: what new patients keep as often as promised, whatever the distribution of the errors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scripts.evaluation.statistics.agreement import Floats


def conformal_quantile(score: Floats, patients: NDArray[np.int64], share: float) -> float:
    """The least value that the score of a new patient's hip does not exceed with the probability ``share``.

    Each patient counts once, shared by the hips, and one more patient counts as a score without bounds (Lee, Barber and Willett,
    arXiv 2306.06342: hierarchical conformal prediction).

    Args:
        score: (N,) one a hip, of any distribution.
        patients: (N,) whose hip it is, numbered from 0.
        share: above 0 and below 1.

    Raises:
        ValueError: where there are too few patients for that.

    Example:
        >>> conformal_quantile(np.arange(1.0, 20.0), np.arange(19), 0.95)
        19.0
    """
    count = len(np.unique(patients))
    order = np.argsort(score)
    # The place is where the patients up to it, of one more than there are, reach the share.
    place = int(np.searchsorted(np.cumsum(share_by_patient(patients)[order]), share * (count + 1) - 1e-9))
    if place >= len(order):
        raise ValueError(
            f"{count} patients do not tell a quantile of {100 * share:.3g}%; expected {fewest_patients(share)} or more."
        )
    return float(score[order][place])


def fewest_patients(share: float) -> int:
    """How many it takes for a `conformal_quantile` of a share, above 0 and below 1, to be told."""
    return math.ceil(share / (1 - share) - 1e-9)


def share_by_patient(patients: NDArray[np.int64]) -> Floats:
    """The weight of each hip, (N,): one over the number of hips of its patient, numbered from 0."""
    return 1.0 / np.bincount(patients)[patients]
