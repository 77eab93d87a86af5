"""Classifiers of groups of features: a selection by the lasso, then a linear layer or a random forest.

So Kim et al. (Radiology: AI 2022, ryai.210212) join clinical, texture and deep features.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LassoCV, LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

Floats = NDArray[np.float64]

MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    "C": ("clinical",),
    "T": ("radiomics",),
    "D": ("deep",),
    "DC": ("deep", "clinical"),
    "DTC": ("deep", "radiomics", "clinical"),
}
"""The published models, by the groups of features that each is told."""
LAYERS: Final = ("linear", "forest")

_FOLDS: Final = 5
_HIDDEN: Final = 0.15
"""Share of the patients of whom a group is hidden, so that a model does well without."""
_BOUND: Final = 5.0
"""Standard deviations, beyond which a feature tells no more: an outlier decides nothing alone."""
_FEWEST: Final = 10
"""Features that are kept, where the lasso would keep none."""


@dataclass(frozen=True)
class FeatureModel:
    """A fitted model.

    groups: what it is told, in order. chosen: by group, indices of the features that were selected. mean, sd: by group, of each
    feature, in the patients that it was fitted on. classifier: of the chosen features, standardised, and of each group whether it
    is unknown.
    """

    groups: tuple[str, ...]
    chosen: Mapping[str, NDArray[np.intp]]
    mean: Mapping[str, Floats]
    sd: Mapping[str, Floats]
    classifier: Any

    def probability(self, features: Mapping[str, Floats]) -> Floats:
        """Of osteoporosis, (N,), from (N, F) of each group; NaN = unknown, which counts as the mean."""
        standard = {group: _standardised(features[group], self.mean[group], self.sd[group]) for group in self.groups}
        unknown = {group: _unknown(features[group]) for group in self.groups}
        return np.asarray(self.classifier.predict_proba(_told(standard, unknown, self.chosen))[:, 1])


def fit_models(
    features: Mapping[str, Floats],
    positive: NDArray[np.bool_],
    patients: Sequence[Hashable],
    groups: Sequence[str],
    seed: int = 0,
) -> dict[str, FeatureModel]:
    """Select features and fit, on the patients given alone: by name, one model of each of `LAYERS`.

    Args:
        features: by group, (N, F); NaN = unknown.
        positive: (N,) truth.
        patients: (N,), never split between the folds of the selection.
        groups: that the models are told.
        seed: of the random numbers.

    Raises:
        ValueError: where fewer than two patients are of a class.
    """
    random = np.random.default_rng(seed)
    mean = {group: _over_known(np.nanmean, features[group], 0.0) for group in groups}
    sd = {group: _over_known(np.nanstd, features[group], 1.0) for group in groups}
    standard = {group: _standardised(features[group], mean[group], sd[group]) for group in groups}
    unknown = {group: _unknown(features[group]) for group in groups}
    chosen = _select({group: standard[group] for group in groups}, positive, patients, seed)
    hidden = {group: unknown[group] | (random.random(len(positive)) < _HIDDEN) for group in groups}
    without = {group: np.where(hidden[group][:, None], 0.0, standard[group]) for group in groups}
    told = np.vstack((_told(standard, unknown, chosen), _told(without, hidden, chosen)))
    classifiers: dict[str, Any] = {
        "linear": LogisticRegression(max_iter=5000),
        "forest": RandomForestClassifier(500, min_samples_leaf=5, random_state=seed, n_jobs=1),
    }
    for classifier in classifiers.values():
        classifier.fit(told, np.concatenate((positive, positive)))
    return {layer: FeatureModel(tuple(groups), chosen, mean, sd, classifiers[layer]) for layer in LAYERS}


def _select(
    standard: Mapping[str, Floats], positive: NDArray[np.bool_], patients: Sequence[Hashable], seed: int
) -> dict[str, NDArray[np.intp]]:
    """By group, the features that the lasso keeps at the penalty that predicts unseen patients best."""
    together = np.hstack(list(standard.values()))
    classes = {kind: {patient for patient, one in zip(patients, positive, strict=True) if one == kind} for kind in (True, False)}
    count = min(_FOLDS, *(len(of) for of in classes.values()))
    if count < 2:
        raise ValueError(
            f"{len(classes[True])} patients to learn from with osteoporosis, {len(classes[False])} without; expected two of each "
            f"at least, and rather {_FOLDS}, one for each fold of the selection. No model was fitted."
        )
    folds = list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(together, positive, patients))
    lasso = LassoCV(cv=folds, alphas=30, max_iter=5000, random_state=seed, selection="random")
    lasso.fit(together, positive.astype(float))
    kept = np.flatnonzero(lasso.coef_)
    if not len(kept):
        tells = np.abs(together.T @ (positive - positive.mean()))
        kept = np.sort(np.argsort(tells)[::-1][:_FEWEST])
    ends = np.cumsum([0, *(values.shape[1] for values in standard.values())])
    return {
        group: kept[(kept >= begin) & (kept < end)] - begin
        for group, begin, end in zip(standard, ends[:-1], ends[1:], strict=True)
    }


def _told(standard: Mapping[str, Floats], unknown: Mapping[str, NDArray[np.bool_]], chosen: Mapping[str, Any]) -> Floats:
    parts = [np.column_stack((standard[group][:, kept], unknown[group])) for group, kept in chosen.items()]
    return np.hstack(parts)


def _unknown(values: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(values).all(axis=1))


def _standardised(values: Floats, mean: Floats, sd: Floats) -> Floats:
    return np.nan_to_num(np.clip((values - mean) / sd, -_BOUND, _BOUND))


def _over_known(of: Any, values: Floats, otherwise: float) -> Floats:
    """A statistic of each feature over the patients in whom it is known; ``otherwise`` where there are none, or all are alike."""
    known = np.isfinite(values)
    found = np.array([of(column[good]) if good.any() else otherwise for column, good in zip(values.T, known.T, strict=True)])
    return np.where(found == 0, otherwise, found) if otherwise else found
