"""How a hospital's radiographs and hips differ from the reference by the networks' deepest features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scripts.evaluation.domain_gap.observations import HipObservation, Observation
from scripts.evaluation.domain_gap.quantities import UNTOLD, tell_apart
from scripts.evaluation.statistics.baseline import covariate_probability
from scripts.evaluation.statistics.discrimination import Interval

Floats = NDArray[np.float64]

NEIGHBOURS: Final = 3
_MOST_COMPONENTS: Final = 16
_PATIENTS_A_COMPONENT: Final = 5
_FEWEST_PATIENTS: Final = 4
_DRAWS: Final = 100
_RANGE: Final = (5, 50, 95)  # percentiles over the draws


@dataclass(frozen=True)
class FeatureSet:
    """Features (N, F) of one set's radiographs or hips, and whose they are, (N,)."""

    features: Floats
    patients: tuple[str, ...]

    def of(self, patients: set[str]) -> Floats:
        """The features of these patients."""
        return self.features[[patient in patients for patient in self.patients]]


@dataclass(frozen=True)
class FeatureGap:
    """How far apart two sets are by features of one network.

    level: "radiograph" or "hip". hospital, reference: how many were compared. components, explained: principal components of
    both sets together, how many count and what share of the variance they hold. patients: drawn from each set for one distance.
    distance: of the hospital's patients from the reference's, median and 5th to 95th percentile over the draws; yardstick: the
    same of two disjoint halves of the reference. auc: of a linear classifier that tells both sets apart, cross-validated. All
    NaN where there are too few.
    """

    level: str
    hospital: int
    reference: int
    components: int
    explained: float
    patients: int
    distance: float
    distance_range: Interval
    yardstick: float
    yardstick_range: Interval
    auc: float
    auc_ci95: Interval

    @property
    def ratio(self) -> float:
        """The distance in yardsticks."""
        return self.distance / self.yardstick if self.yardstick > 0 else math.nan


def of_radiographs(observations: Sequence[Observation]) -> FeatureSet:
    """The features of the radiographs that the networks saw."""
    seen = [one for one in observations if one.seen]
    return FeatureSet(_stacked([one.features for one in seen]), tuple(one.patient for one in seen))


def of_hips(observations: Sequence[Observation]) -> FeatureSet:
    """The features of the hips that were found, in the order of `list_hips`."""
    hips = list_hips(observations)
    return FeatureSet(_stacked([hip.features for _, hip in hips]), tuple(one.patient for one, _ in hips))


def list_hips(observations: Sequence[Observation]) -> list[tuple[Observation, HipObservation]]:
    """Every hip that was found, with its radiograph."""
    return [(one, hip) for one in observations for hip in one.hips]


def compare_features(level: str, hospital: FeatureSet, reference: FeatureSet, seed: int, resamples: int) -> FeatureGap:
    """Compare two sets.

    Args:
        level: "radiograph" or "hip".
        hospital, reference: compared where there are four patients of the hospital and eight of the reference.
        seed: of what is drawn.
        resamples: of the bootstrap of the classifier's AUC.
    """
    drawn = min(len(set(hospital.patients)), len(set(reference.patients)) // 2)
    components = max(1, min(_MOST_COMPONENTS, drawn // _PATIENTS_A_COMPONENT))
    sizes = (level, len(hospital.patients), len(reference.patients), components)
    if drawn < _FEWEST_PATIENTS:
        return FeatureGap(*sizes, math.nan, drawn, math.nan, UNTOLD, math.nan, UNTOLD, math.nan, UNTOLD)
    auc, interval = _classify(hospital, reference, min(_MOST_COMPONENTS, drawn // 2), seed, resamples)
    # Of both: the reference's own components leave out what is new about the hospital's.
    space = make_pipeline(StandardScaler(), PCA(components, svd_solver="full"))
    space.fit(np.concatenate((hospital.features, reference.features)))
    explained = float(space[-1].explained_variance_ratio_.sum())
    ours = FeatureSet(space.transform(hospital.features), hospital.patients)
    known = FeatureSet(space.transform(reference.features), reference.patients)
    distance, yardstick = _distances(ours, known, drawn, np.random.default_rng(seed))
    of_ours, of_known = (np.percentile(values, _RANGE).tolist() for values in (distance, yardstick))
    return FeatureGap(
        *sizes,
        explained,
        drawn,
        distance=of_ours[1],
        distance_range=(of_ours[0], of_ours[2]),
        yardstick=of_known[1],
        yardstick_range=(of_known[0], of_known[2]),
        auc=auc,
        auc_ci95=interval,
    )


def frechet_distance(one: Floats, other: Floats) -> float:
    """Distance between the normal distributions with the means and covariances of two sets, in the units of their columns.

    Its square is |m1 - m2|² + Tr(C1 + C2 - 2 (C1 C2)^(1/2)): Dowson and Landau, J Multivar Anal 1982;12:450; as a measure between
    networks' features Heusel et al., NeurIPS 2017.

    Args:
        one, other: (N, K) and (M, K), at least two rows each.

    Example:
        >>> here = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
        >>> round(frechet_distance(here, here), 6), round(frechet_distance(here, here + [3.0, 4.0]), 6)
        (0.0, 5.0)
    """
    first, second = (np.atleast_2d(np.cov(values, rowvar=False)) for values in (one, other))
    # The eigenvalues of a product of two covariances are real and not negative, but for rounding.
    root = np.sqrt(np.linalg.eigvals(first @ second).real.clip(0)).sum()
    shift = one.mean(axis=0) - other.mean(axis=0)
    squared = float(shift @ shift + np.trace(first) + np.trace(second) - 2 * root)
    return math.sqrt(max(squared, 0.0))


def _distances(ours: FeatureSet, known: FeatureSet, drawn: int, random: np.random.Generator) -> tuple[list[float], list[float]]:
    """Of each draw, the hospital's distance from one half of the reference, and the other half's: equal numbers of patients in
    all three, since a distance grows as they become fewer."""
    theirs, patients = list(dict.fromkeys(ours.patients)), list(dict.fromkeys(known.patients))
    distance, yardstick = [], []
    for _ in range(_DRAWS):
        order = random.permutation(len(patients))
        half, rest = (known.of({patients[index] for index in part}) for part in (order[:drawn], order[drawn : 2 * drawn]))
        chosen = ours.of({theirs[index] for index in random.permutation(len(theirs))[:drawn]})
        distance.append(frechet_distance(chosen, half))
        yardstick.append(frechet_distance(rest, half))
    return distance, yardstick


def _classify(hospital: FeatureSet, reference: FeatureSet, components: int, seed: int, resamples: int) -> tuple[float, Interval]:
    """AUC, cross-validated in folds of patients, of logistic regression on principal components of both sets' training folds."""
    features = np.concatenate((hospital.features, reference.features))
    ours = np.arange(len(features)) < len(hospital.patients)
    model = make_pipeline(PCA(components, whiten=True, svd_solver="full"), LogisticRegression())
    patients = (*hospital.patients, *reference.patients)
    # Pseudonyms are drawn anew in each output folder; by their numbers the folds stay the same.
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    probability = covariate_probability(features, ours, [numbers[patient] for patient in patients], model)
    if probability is None:
        return math.nan, UNTOLD
    return tell_apart(probability[ours], probability[~ours], hospital.patients, reference.patients, seed, resamples)


def draw_map(hospital: FeatureSet, reference: FeatureSet) -> tuple[Floats, Floats, tuple[float, float]]:
    """Both sets in the plane of their first two principal components.

    Returns:
        (N, 2) of the hospital, (M, 2) of the reference, and the share of the variance along either axis.
    """
    scaled = StandardScaler().fit_transform(np.concatenate((hospital.features, reference.features)))
    plane = PCA(2, svd_solver="full").fit(scaled)
    placed, (first, second) = plane.transform(scaled), plane.explained_variance_ratio_
    return placed[: len(hospital.patients)], placed[len(hospital.patients) :], (float(first), float(second))


def find_neighbours(hospital: FeatureSet, reference: FeatureSet) -> tuple[Floats, NDArray[np.intp]]:
    """The reference's rows that are nearest to each of the hospital's, one of a patient.

    Args:
        hospital, reference: (N, G) and (M, G), of four patients or more the reference.

    Returns:
        (N,) mean distance to the nearest, where 1 is the median of such distances within the reference; and (N, 3) indices of
        them, the nearest first.
    """
    scale = StandardScaler().fit(reference.features)
    known, theirs = scale.transform(reference.features), scale.transform(hospital.features)
    search = NearestNeighbors(n_neighbors=len(known)).fit(known)
    distances, chosen = _nearest(search, theirs, reference.patients, [""] * len(theirs))
    usual, _ = _nearest(search, known, reference.patients, reference.patients)
    return distances.mean(axis=1) / np.median(usual.mean(axis=1)), chosen


def _nearest(
    search: NearestNeighbors, points: Floats, patients: Sequence[str], own: Sequence[str]
) -> tuple[Floats, NDArray[np.intp]]:
    """Distances and indices, (N, 3) each, of the rows nearest to each point: one of a patient, and none of the point's own."""
    ordered = zip(*search.kneighbors(points), own, strict=True)
    found = []
    for distances, indices, mine in ordered:
        first: dict[str, int] = {}
        for place, index in enumerate(indices):
            first.setdefault(patients[index], place)
        places = sorted(place for patient, place in first.items() if patient != mine)[:NEIGHBOURS]
        found.append((distances[places], indices[places]))
    return np.stack([pair[0] for pair in found]), np.stack([pair[1] for pair in found])


def _stacked(rows: Sequence[NDArray[np.float32]]) -> Floats:
    return np.stack(rows).astype(np.float64) if rows else np.empty((0, 0))
