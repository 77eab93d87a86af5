"""What age, sex, weight and height tell without a radiograph: the bar that a network has to clear."""

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


def _pipeline(model: BaseEstimator) -> BaseEstimator:
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), model)
