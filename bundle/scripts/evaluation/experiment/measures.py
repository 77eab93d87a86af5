"""How good a probability of osteoporosis is on patients: discrimination, operating points, calibration, net benefit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from scripts.evaluation.statistics.discrimination import auc_delong, brier_score, operating_point
from scripts.evaluation.statistics.net_benefit import net_benefit as benefit_by_threshold
from scripts.evaluation.statistics.net_benefit import net_benefit_of_all

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

THRESHOLDS: Final = tuple(np.round(np.arange(0.02, 0.61, 0.02), 2))
"""Probabilities from which DXA would be asked for, of the decision curve."""
_RULED: Final = 0.95
"""Specificity from which a patient is ruled in, and sensitivity down to which the others are ruled out, on the validation set."""
_RESAMPLES: Final = 500
_LEAST: Final = 1e-4
"""Of a probability, whose logit must be finite."""


@dataclass(frozen=True)
class OperatingPoints:
    """Probabilities from which a patient is ruled in, and below which one is ruled out; chosen on the validation set."""

    rule_in: float
    rule_out: float


@dataclass(frozen=True)
class Scaling:
    """A logistic recalibration: logit = offset + slope x logit (Platt; Cox, Biometrika 1958;45:562); of a slope NaN, none."""

    offset: float
    slope: float

    def __call__(self, probability: Floats) -> Floats:
        """Recalibrate (N,)."""
        if math.isnan(self.slope):
            return probability
        return np.asarray(expit(self.offset + self.slope * logit(probability)))


def logit(probability: Floats) -> Floats:
    """Of probabilities, held off 0 and 1."""
    kept = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(kept / (1 - kept)))


def fit_scaling(probability: Floats, positive: Truth) -> Scaling:
    """Fit on patients of both classes; NaN where one is empty, or a probability tells them wholly apart: any slope fits then."""
    if not 0 < positive.sum() < len(positive) or probability[positive].min() > probability[~positive].max():
        return Scaling(math.nan, math.nan)
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(logit(probability)[:, None], positive)
    return Scaling(float(fitted.intercept_[0]), float(fitted.coef_[0, 0]))


def choose_operating_points(probability: Floats, positive: Truth) -> OperatingPoints:
    """The lowest probability from which at most 5% of those without osteoporosis are ruled in, and the highest below which at
    most 5% of those with it are ruled out.

    Raises:
        ValueError: where a class is empty.
    """
    if not 0 < positive.sum() < len(positive):
        raise ValueError(
            f"{positive.sum()} of the {len(positive)} patients to validate on have osteoporosis; expected some with and some "
            "without. No operating point was chosen."
        )
    well, ill = np.sort(probability[~positive]), np.sort(probability[positive])
    above = well[min(math.ceil(_RULED * len(well)), len(well)) - 1]
    rule_in = float(np.nextafter(above, np.inf))
    rule_out = float(ill[math.floor((1 - _RULED) * len(ill))])
    return OperatingPoints(rule_in, rule_out)


def measure(probability: Floats, positive: Truth, points: OperatingPoints, scaling: Scaling, seed: int = 0) -> dict[str, Any]:
    """Every figure of one model on one set of patients, as plain data.

    Args:
        probability: (N,) as the model gives it.
        positive: (N,) truth.
        points, scaling: as they were chosen on the validation set.
        seed: of the bootstrap.
    """
    auc = auc_delong(probability, positive)
    precision, interval = _average_precision(probability, positive, seed)
    scaled = scaling(probability)
    before, after = fit_scaling(probability, positive), fit_scaling(scaled, positive)
    return {
        "patients": len(positive),
        "with_osteoporosis": int(positive.sum()),
        "auc": auc.value,
        "auc_ci95": auc.interval,
        "auprc": precision,
        "auprc_ci95": interval,
        "rule_in": operating_point(probability >= points.rule_in, positive),
        "rule_out": operating_point(probability >= points.rule_out, positive),
        "brier": brier_score(probability, positive),
        "brier_scaled": brier_score(scaled, positive),
        "calibration_slope": before.slope,
        "calibration_offset": before.offset,
        "calibration_slope_scaled": after.slope,
        "calibration_offset_scaled": after.offset,
    }


def net_benefit(probability: Floats, positive: Truth) -> Mapping[str, list[float]]:
    """Decision curve: net benefit by `THRESHOLDS` of the model, and of sending everybody to DXA; nobody's is 0."""
    thresholds = np.array(THRESHOLDS)
    return {
        "model": benefit_by_threshold(probability, positive, thresholds).tolist(),
        "all": net_benefit_of_all(positive, thresholds).tolist(),
    }


def _average_precision(probability: Floats, positive: Truth, seed: int) -> tuple[float, tuple[float, float]]:
    """Area under the precision-recall curve, with percentiles of a bootstrap of the patients, class by class."""
    if not 0 < positive.sum() < len(positive):
        return math.nan, (math.nan, math.nan)
    random = np.random.default_rng(seed)
    classes = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    drawn = []
    for _ in range(_RESAMPLES):
        chosen = np.concatenate([random.choice(of, len(of)) for of in classes])
        drawn.append(average_precision_score(positive[chosen], probability[chosen]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(average_precision_score(positive, probability)), (float(low), float(high))
