"""Whether a probability of the disease is as large as the share of patients who have it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from scripts.evaluation.statistics.agreement import Floats
from scripts.evaluation.statistics.discrimination import Interval

_LEAST: Final = 1e-6  # a probability of 0 or 1 has no logit
_FARTHEST: Final = 40.0  # of an intercept, on the logit scale


def observed_over_expected(probability: Floats, positive: Floats) -> float:
    """How many have the disease over how many were expected to, by (N,) probabilities and truth, 1 or 0; 1 is right."""
    expected = float(probability.sum())
    return float(positive.sum()) / expected if expected > 0 else math.nan


def calibration_intercept(probability: Floats, positive: Floats) -> float:
    """Calibration in the large: what is to be added to the logits, whose slope stays 1, such that as many have the disease as are
    expected to; 0 is right, below 0 probabilities are too high. NaN where all patients are of one class.

    Cox DR, Biometrika 1958;45:562; Van Calster B et al., BMC Med 2019;17:230.

    Args:
        probability: (N,) 0..1.
        positive: (N,) truth, 1 or 0.
    """
    if not 0 < positive.sum() < len(positive):
        return math.nan
    logits = _logits(probability)
    return float(brentq(lambda shift: float((expit(logits + shift) - positive).sum()), -_FARTHEST, _FARTHEST))


def calibration_slope(probability: Floats, positive: Floats) -> tuple[float, Interval]:
    """Slope of the truth on the logits, by logistic regression, and its 95% interval (Wald).

    1 is right; below 1 probabilities are too extreme. NaN where a class is empty, where the probability does not vary, and where
    it separates the classes wholly.

    Args:
        probability: (N,) 0..1.
        positive: (N,) truth, 1 or 0.
    """
    has = positive > 0
    if not has.any() or has.all() or np.ptp(probability) == 0 or probability[has].min() > probability[~has].max():
        return math.nan, (math.nan, math.nan)
    known = np.column_stack([np.ones(len(has)), _logits(probability)])
    fitted = LogisticRegression(C=np.inf, fit_intercept=False).fit(known, has)
    told = fitted.predict_proba(known)[:, 1]
    slope, information = float(fitted.coef_[0, 1]), (known.T * (told * (1 - told))) @ known
    half = float(norm.ppf(0.975)) * math.sqrt(float(np.linalg.pinv(information)[1, 1]))
    return slope, (slope - half, slope + half)


def _logits(probability: Floats) -> Floats:
    return np.asarray(logit(np.clip(probability, _LEAST, 1 - _LEAST)))
