"""How well the morphometry of a hip agrees with that of the phantom which a simulated radiograph shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from scripts.dataset.truth import MEASURES
from scripts.evaluation.statistics.agreement import Floats, pearson_r

_FEWEST: Final = 3


class Measured(Protocol):
    """A hip with both its `measures` and its `true_measures`, by name; NaN = none."""

    @property
    def measures(self) -> Mapping[str, float]:
        """As found on the radiograph."""

    @property
    def true_measures(self) -> Mapping[str, float]:
        """As the phantom has them."""


def measure_agreement(hips: Sequence[Measured]) -> dict[str, dict[str, Any]]:
    """Compare each of `MEASURES`, and whatever else has one, with its truth, over the hips that have both.

    Returns:
        by name: hips; bias (measured - true), sd (of that difference) and pearson_r, NaN where fewer than three have both.
    """
    others = [name for hip in hips for name, true in hip.true_measures.items() if math.isfinite(true)]
    return {name: _agreement(hips, name) for name in dict.fromkeys((*MEASURES, *others))}


def grade_agreement(hips: Sequence[Measured]) -> dict[str, Any]:
    """Compare "singh_grade" with its truth, over the hips that have both.

    Returns:
        hips; rank_correlation (Spearman's, of the continuous grades); of the grades rounded to I..VI: exact and within_one,
        shares of the hips, and weighted_kappa (quadratic weights; Cohen, Psychol Bull 1968;70:213). NaN where fewer than three
        hips have both, or nothing varies.
    """
    found, true = _pairs(hips, "singh_grade")
    if len(found) < _FEWEST:
        return {"hips": len(found), **dict.fromkeys(("rank_correlation", "exact", "within_one", "weighted_kappa"), math.nan)}
    grades, true_grades = np.rint(found).astype(int), np.rint(true).astype(int)
    apart = np.abs(grades - true_grades)
    vary = len(set(found)) > 1 and len(set(true)) > 1
    kappa = cohen_kappa_score(true_grades, grades, weights="quadratic") if len({*grades, *true_grades}) > 1 else math.nan
    return {
        "hips": len(found),
        "rank_correlation": float(spearmanr(found, true)[0]) if vary else math.nan,
        "exact": float((apart == 0).mean()),
        "within_one": float((apart <= 1).mean()),
        "weighted_kappa": float(kappa),
    }


def _pairs(hips: Sequence[Measured], name: str) -> tuple[Floats, Floats]:
    """A measure as found and its truth, of the hips that have both."""
    pairs = np.array([(hip.measures.get(name, math.nan), hip.true_measures.get(name, math.nan)) for hip in hips], dtype=float)
    found, true = pairs[np.isfinite(pairs).all(axis=1)].T if len(pairs) else np.empty((2, 0))
    return found, true


def _agreement(hips: Sequence[Measured], name: str) -> dict[str, Any]:
    found, true = _pairs(hips, name)
    if len(found) < _FEWEST:
        return {"hips": len(found), "bias": math.nan, "sd": math.nan, "pearson_r": math.nan}
    difference = found - true
    return {
        "hips": len(found),
        "bias": float(difference.mean()),
        "sd": float(difference.std(ddof=1)),
        "pearson_r": pearson_r(found, true),
    }
