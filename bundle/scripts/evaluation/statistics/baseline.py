"""What age, sex, weight, height and the shape of a bone tell without its brightness: the bar that a network has to clear."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scripts.evaluation.statistics.agreement import pearson_r

_FOLDS = 5
_FEWEST_OF_A_CLASS = 10
_FEWEST = 30

Floats = NDArray[np.float64]


def covariate_probability(
    covariates: Floats, positive: NDArray[np.bool_], patients: Sequence[Hashable], model: BaseEstimator | None = None
) -> Floats | None:
    """Probability of osteoporosis by logistic regression on covariates, cross-validated in five folds of patients.

    It is fitted on the evaluated patients themselves (each predicted by a model that did not see them), which favours it.

    Args:
        covariates: (N, K), such as age, sex, weight, height; NaN = unknown, replaced by the median.
        positive: (N,) truth.
        patients: (N,) groups that are never split between folds.
        model: a classifier of scikit-learn in place of plain logistic regression.

    Returns:
        (N,) 0..1, or None where there are fewer than ten patients of a class.
    """
    if min(np.count_nonzero(positive), np.count_nonzero(~positive)) < _FEWEST_OF_A_CLASS:
        return None
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    predicted = cross_val_predict(
        _pipeline(model or LogisticRegression()), covariates, positive, groups=patients, cv=folds, method="predict_proba"
    )
    return np.asarray(predicted[:, 1])


def covariate_bmd(
    covariates: Floats, bmd: Floats, patients: Sequence[Hashable], model: BaseEstimator | None = None
) -> Floats | None:
    """BMD, g/cm², (N,), by ridge regression (or another ``model``) on covariates, cross-validated as above; None for fewer than
    30 hips."""
    if len(bmd) < _FEWEST or len(set(patients)) < _FOLDS:
        return None
    predicted = cross_val_predict(_pipeline(model or Ridge()), covariates, bmd, groups=patients, cv=GroupKFold(_FOLDS))
    return np.asarray(predicted)


def beyond(estimate: Floats, bmd: Floats, known: Floats, patients: Sequence[Hashable]) -> dict[str, float] | None:
    """What an estimate tells of BMD beyond what is known without it, all by ridge regression, cross-validated as above.

    Args:
        estimate, bmd: (N,) g/cm².
        known: (N, K), such as covariates and measures of a bone's shape; NaN = unknown.
        patients: (N,) groups that are never split between folds.

    Returns:
        known_r: Pearson's r of BMD with what is known; with_estimate_r: with the estimate added to that; partial_r: of BMD with
        the estimate, each less what is known tells of it. None for fewer than 30 hips.
    """
    by_known, of_estimate = covariate_bmd(known, bmd, patients), covariate_bmd(known, estimate, patients)
    by_all = covariate_bmd(np.column_stack([known, estimate]), bmd, patients)
    if by_known is None or of_estimate is None or by_all is None:
        return None
    return {
        "known_r": pearson_r(by_known, bmd),
        "with_estimate_r": pearson_r(by_all, bmd),
        "partial_r": pearson_r(estimate - of_estimate, bmd - by_known),
    }


def _pipeline(model: BaseEstimator) -> BaseEstimator:
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), model)
