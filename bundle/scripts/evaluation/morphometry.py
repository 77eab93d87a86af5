"""How well the morphometry of a hip agrees with that of the phantom which a simulated film shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from scripts.evaluation.agreement import Floats, pearson_r

MEASURES: Final = (
    "neck_shaft_deg",
    "neck_axis_length_mm",
    "neck_width_mm",
    "cortical_thickness_index",
    "canal_flare_index",
    "singh_grade",
)
"""What is compared, of the fields of `scripts.radiograph.morphometry.Morphometry`."""

_LEVELS_MM: Final = (40.0, 100.0)  # for which the manifest tells the widths of shaft and canal
_FEWEST: Final = 3


class Measured(Protocol):
    """A hip with both its `measures` and its `true_measures`, by name; NaN = none."""

    @property
    def measures(self) -> Mapping[str, float]:
        """As found on the film."""

    @property
    def true_measures(self) -> Mapping[str, float]:
        """As the phantom has them."""


def true_measures(item: Mapping[str, Any], side: str, level_mm: float) -> dict[str, float]:
    """The true `MEASURES` of one hip, by name, from the columns of a simulated cohort's manifest; NaN where they are not there.

    Args:
        item: of `held_out_radiographs`.
        side: "right" or "left".
        level_mm: where the film's shaft was measured, below the lesser trochanter; between 40 and 100 mm the bone's widths are
            interpolated, since films end at different levels.
    """

    def column(name: str) -> float:
        return true_measure(item, side, name)

    def at_level(name: str) -> float:
        weight = (level_mm - _LEVELS_MM[0]) / (_LEVELS_MM[1] - _LEVELS_MM[0])
        high, low = (column(f"{name}_{level:.0f}_below_mm") for level in _LEVELS_MM)
        return high + weight * (low - high)

    shaft, canal = at_level("shaft"), at_level("canal")
    return {
        **{name: column(name) for name in MEASURES[:3]},
        "cortical_thickness_index": (shaft - canal) / shaft,
        "canal_flare_index": column("canal_20_above_mm") / canal,
        "singh_grade": column("singh_grade"),
    }


def true_measure(item: Mapping[str, Any], side: str, name: str) -> float:
    """What a simulated cohort's manifest tells of one hip's ``name``, such as "singh_grade"; NaN where it does not."""
    try:
        return float(item.get(f"{side}_{name}") or math.nan)
    except ValueError:  # a column of the user's own
        return math.nan


def measure_agreement(hips: Sequence[Measured]) -> dict[str, dict[str, Any]]:
    """Compare each of `MEASURES` with its truth, over the hips that have both.

    Returns:
        by name: hips; bias (measured - true), sd (of that difference) and pearson_r, NaN where fewer than three have both.
    """
    return {name: _agreement(hips, name) for name in MEASURES}


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
