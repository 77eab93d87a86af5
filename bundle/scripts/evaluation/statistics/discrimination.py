"""How well a score tells patients with osteoporosis from those without."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, rankdata

Interval = tuple[float, float]


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve and its 95% confidence interval (NaN where it cannot be told)."""

    value: float
    interval: Interval


def auc_delong(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> Auc:
    """AUC with DeLong's variance; the interval is symmetric on the logit scale, so that it stays between 0 and 1.

    Sources: DeLong et al., Biometrics 1988;44:837; midranks after Sun and Xu, IEEE Signal Process Lett 2014;21:1389;
    logit interval after Pepe, The Statistical Evaluation of Medical Tests, 2003, ch. 5.

    Args:
        score: (N,), larger = more likely to have the disease.
        positive: (N,) truth.

    Returns:
        NaN where one class is empty; an interval of NaN where the variance is not estimable (fewer than two of a class, or
        perfect separation).
    """
    m, n = np.count_nonzero(positive), np.count_nonzero(~positive)
    if m == 0 or n == 0:
        return Auc(math.nan, (math.nan, math.nan))
    of_cases, of_controls = placements(score, positive)
    area = float(of_cases.mean())
    if m < 2 or n < 2:
        return Auc(area, (math.nan, math.nan))
    variance = float(of_cases.var(ddof=1) / m + of_controls.var(ddof=1) / n)
    if not (0.0 < area < 1.0 and variance > 0.0):
        return Auc(area, (math.nan, math.nan))
    logit = math.log(area / (1.0 - area))
    half = norm.ppf(0.975) * math.sqrt(variance) / (area * (1.0 - area))
    low, high = (1.0 / (1.0 + math.exp(-(logit + step))) for step in (-half, half))
    return Auc(area, (low, high))


def placements(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """DeLong's placement values; the mean of either is the area under the ROC curve.

    Args:
        score: (N,), larger = more likely to have the disease.
        positive: (N,) truth, some of each class.

    Returns:
        of each case the share of controls below it, of each control the share of cases above it; ties count half.
    """
    cases, controls = score[positive], score[~positive]
    m, n = len(cases), len(controls)
    ranks = rankdata(np.concatenate((cases, controls)))
    return (ranks[:m] - rankdata(cases)) / n, 1.0 - (ranks[m:] - rankdata(controls)) / m


def wilson_interval(count: int, of: int) -> Interval:
    """95% interval of a proportion (Wilson, J Am Stat Assoc 1927;22:209); NaN where `of` is 0."""
    if of == 0:
        return (math.nan, math.nan)
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return (float(interval.low), float(interval.high))


def operating_point(flagged: NDArray[np.bool_], positive: NDArray[np.bool_]) -> dict[str, float | int | Interval]:
    """Sensitivity and specificity with Wilson intervals, and the four counts.

    Args:
        flagged: (N,) what the test says.
        positive: (N,) truth.
    """
    counts = {
        "true_positives": int(np.count_nonzero(flagged & positive)),
        "false_negatives": int(np.count_nonzero(~flagged & positive)),
        "true_negatives": int(np.count_nonzero(~flagged & ~positive)),
        "false_positives": int(np.count_nonzero(flagged & ~positive)),
    }
    with_disease = counts["true_positives"] + counts["false_negatives"]
    without = counts["true_negatives"] + counts["false_positives"]
    return {
        "sensitivity": counts["true_positives"] / with_disease if with_disease else math.nan,
        "sensitivity_ci95": wilson_interval(counts["true_positives"], with_disease),
        "specificity": counts["true_negatives"] / without if without else math.nan,
        "specificity_ci95": wilson_interval(counts["true_negatives"], without),
        **counts,
    }


def brier_score(probability: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Mean square of probability - truth (Brier, Mon Weather Rev 1950;78:1); 0 is best; NaN where there is nobody.

    Args:
        probability: (N,) of the disease, 0..1.
        positive: (N,) truth.
    """
    return float(np.mean((probability - positive) ** 2)) if len(positive) else math.nan


def reliability(
    probability: NDArray[np.float64], positive: NDArray[np.bool_], parts: int = 5
) -> dict[str, dict[str, float | int]]:
    """How many were expected to have the disease and how many have it, in equal parts of the patients by their probability.

    Args:
        probability: (N,) of the disease, 0..1.
        positive: (N,) truth.
        parts: how many.

    Returns:
        by "part_1" (the least probable) and so on: "patients", "expected" (mean probability) and "observed" (share with the
        disease); parts without anybody are left out.
    """
    order = np.argsort(probability, kind="stable")
    return {
        f"part_{number}": {
            "patients": len(chosen),
            "expected": float(probability[chosen].mean()),
            "observed": float(positive[chosen].mean()),
        }
        for number, chosen in enumerate(np.array_split(order, parts), start=1)
        if len(chosen)
    }
