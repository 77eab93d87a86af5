"""Fitting what uncertainty.json holds: the quantiles of a site's errors, and the distribution of the true lowest T-score."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy.optimize import lsq_linear

from scripts.clinical import LowestT, load_criteria
from scripts.clinical.lowest_t import logit
from scripts.evaluation.local.fit import split_by_patient
from scripts.evaluation.local.pairs import Pairs
from scripts.evaluation.statistics.agreement import Floats
from scripts.evaluation.statistics.conformal import conformal_quantile
from scripts.evaluation.uncertainty.patients import Patients

_LEAST_VARIATION: Final = 1e-6
"""Of the classifier's logits; where they vary less it tells nothing, and is not asked."""


def fit_quantiles(pairs: Pairs) -> tuple[float, float]:
    """The (low, high) between which (DXA - estimate) / SD of new patients lies as often as `Criteria.coverage` says.

    They lie as far below as above: a bias of the hospitals measured would shift them, and the next hospital's may be the reverse.

    Args:
        pairs: of one site.

    Raises:
        ValueError: where there are too few patients.
    """
    score = np.abs(pairs.dxa - pairs.estimate) / pairs.sd
    quantile = conformal_quantile(score, pairs.patients, load_criteria().coverage)
    return -quantile, quantile


def apply_unseen(pairs: Pairs, folds: int, seed: int) -> Pairs:
    """Give each patient's hips the intervals of quantiles that were fitted to others, in so many folds.

    Args:
        pairs: of one site.
        folds: parts that the patients are split into.
        seed: of the split.

    Raises:
        ValueError: where there are too few patients.
    """
    low, high = np.empty_like(pairs.low), np.empty_like(pairs.high)
    for seen, unseen in split_by_patient(pairs.patients, folds, seed):
        low[unseen], high[unseen] = fit_quantiles(pairs.take(seen))
    return replace(pairs, low=low, high=high)


def fit_lowest_t(patients: Patients) -> LowestT:
    """The distribution of the true lowest T-score under which DXA's are the likeliest (maximum likelihood).

    Of a normal distribution whose SD goes along with that of the estimate, the likeliest mean is the least squares of
    (DXA - offset - slope x t - logit_slope x logit(p)) / SD, here with slope >= 0 and logit_slope <= 0, and the likeliest factor
    of the SD the root mean square of what is left.

    Args:
        patients: at least four, whose t_sd are above 0.
    """
    logits = np.array([logit(float(probability)) for probability in patients.classifier])
    columns = np.column_stack((np.ones(len(patients)), patients.t_score, logits))
    lower, upper = np.array([-np.inf, 0.0, -np.inf]), np.array([np.inf, np.inf, 0.0])
    asked = np.array([True, True, bool(np.ptp(logits) > _LEAST_VARIATION)])
    found = np.zeros(3)
    weighted = (columns / patients.t_sd[:, None])[:, asked]
    wanted = patients.dxa_t / patients.t_sd
    found[asked] = lsq_linear(weighted, wanted, (lower[asked], upper[asked]), method="bvls").x
    left = wanted - weighted @ found[asked]
    offset, slope, logit_slope = map(float, found)
    return LowestT(offset, max(slope, 0.0), min(logit_slope, 0.0), float(np.sqrt(np.mean(left**2))))


def predict_osteoporosis(patients: Patients, folds: int, seed: int) -> Floats:
    """The probability of osteoporosis of each patient, (N,), 0..1, by a distribution that was fitted to others.

    Args:
        patients: of whom there are as many as folds, and more.
        folds: parts that they are split into.
        seed: of the split.
    """
    probability = np.empty(len(patients))
    for seen, unseen in split_by_patient(np.arange(len(patients)), folds, seed):
        probability[unseen] = patients.take(unseen).probabilities(fit_lowest_t(patients.take(seen)))
    return probability
