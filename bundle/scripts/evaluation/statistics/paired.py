"""Scores of the same patients compared: the difference of two areas under the ROC curve, of readers with and without help."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution
from scipy.stats import norm
from scipy.stats import t as t_distribution

from scripts.evaluation.statistics.discrimination import Interval, placements

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Of two areas, with its 95% interval and two-sided p; NaN where these cannot be told."""

    value: float
    interval: Interval
    p: float


def areas_of(scores: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Areas under the ROC curves of several scores (K, N) of the same patients, (K,)."""
    return np.array([placements(score, positive)[0].mean() for score in scores])


def areas_with_covariance(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Areas under the ROC curves of several scores of the same patients, and their covariance (DeLong et al., Biometrics
    1988;44:837).

    Args:
        scores: (K, N), larger = more likely to have the disease.
        positive: (N,) truth, two or more of each class.

    Returns:
        (K,) and (K, K).
    """
    of_cases, of_controls = (np.array(part) for part in zip(*(placements(score, positive) for score in scores), strict=True))
    covariance = np.atleast_2d(np.cov(of_cases)) / of_cases.shape[1] + np.atleast_2d(np.cov(of_controls)) / of_controls.shape[1]
    return of_cases.mean(axis=1), covariance


def compare_areas(one: Floats, other: Floats, positive: NDArray[np.bool_]) -> Difference:
    """The area of one score less that of another, on the same patients, by DeLong's test.

    Args:
        one, other: (N,).
        positive: (N,) truth, two or more of each class.
    """
    areas, covariance = areas_with_covariance(np.stack((one, other)), positive)
    value, variance = float(areas[0] - areas[1]), float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if not variance > 0:
        return Difference(value, (math.nan, math.nan), math.nan)
    half = float(norm.ppf(0.975)) * math.sqrt(variance)
    return Difference(value, (value - half, value + half), float(2 * norm.sf(abs(value) / math.sqrt(variance))))


def compare_readings(scores: Floats, positive: NDArray[np.bool_]) -> Difference:
    """The mean area of readers in the second of two ways of reading less that in the first, of other readers and patients too.

    Obuchowski and Rockette's analysis (Commun Stat Simul Comput 1995;24:285) with the degrees of freedom of Hillis (Stat Med
    2007;26:596) and DeLong's covariances.

    Args:
        scores: (2, R, N): way, reader, patient; R is 2 or more.
        positive: (N,) truth, two or more of each class.
    """
    ways, readers = scores.shape[:2]
    areas, covariance = areas_with_covariance(scores.reshape(ways * readers, -1), positive)
    theta, blocks = areas.reshape(ways, readers), covariance.reshape(ways, readers, ways, readers)
    same_way = np.mean([blocks[i, j, i, k] for i in range(ways) for j in range(readers) for k in range(readers) if j != k])
    neither = np.mean([
        blocks[i, j, h, k] for i in range(ways) for h in range(ways) for j in range(readers) for k in range(readers)
        if i != h and j != k
    ])  # fmt: skip
    means = theta.mean(axis=1)
    left = theta - means[:, None] - theta.mean(axis=0) + theta.mean()
    freedom = (ways - 1) * (readers - 1)
    interaction = float((left**2).sum()) / freedom
    error = interaction + max(readers * float(same_way - neither), 0.0)
    value = float(means[1] - means[0])
    if not error > 0:
        return Difference(value, (math.nan, math.nan), math.nan)
    between = readers * float(((means - means.mean()) ** 2).sum()) / (ways - 1)
    df = error**2 / (interaction**2 / freedom) if interaction > 0 else math.inf
    half = float(t_distribution.ppf(0.975, df)) * math.sqrt(2 / readers * error)
    return Difference(value, (value - half, value + half), float(f_distribution.sf(between / error, ways - 1, df)))
