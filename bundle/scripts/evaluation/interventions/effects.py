"""What each change did over all hips: how far the estimates follow the truth where it moves, and how far they stray where not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scripts.clinical.anatomy import HIP
from scripts.evaluation.interventions.changes import Kind
from scripts.evaluation.interventions.observations import REFERENCE, Observation
from scripts.evaluation.statistics.agreement import bootstrap_ci95

_RESAMPLES: Final = 1000
_FEWEST: Final = 2
"""Patients; with fewer there is neither an SD nor an interval."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """Of one change at one DXA site, over the hips that were measured on both radiographs; NaN where nothing is known.

    measured: hips of the reference radiographs with a measurement; ``refused`` of them have none after the change, for the
    reasons ``codes``; ``doubted`` of the others have a caution that they did not have. truth_mean: by how much the truth
    changed, g/cm². error: by how much estimate - truth changed, g/cm², with the SD between hips. response: change of the estimate
    over that of the truth, hip by hip; NaN where not ``moves_truth``. low, high: 95% interval of the mean by a bootstrap of
    patients. grade_mean: by how much the Singh-like grade changed.
    """

    change: str
    group: str
    level: str
    site: str
    moves_truth: bool
    measured: int
    refused: int
    codes: str
    doubted: int
    truth_mean: float
    error_mean: float
    error_sd: float
    error_low: float
    error_high: float
    response_mean: float
    response_median: float
    response_low: float
    response_high: float
    grade_mean: float


@dataclass(frozen=True)
class Baseline:
    """The reference radiographs at one site: ``measured`` of their ``hips``, and estimate - truth of these, g/cm²."""

    site: str
    hips: int
    measured: int
    bias: float
    sd: float


def summarise_reference(observations: Sequence[Observation]) -> list[Baseline]:
    """How good the estimates of the reference radiographs are, by site."""
    hips = [one for one in observations if one.change == REFERENCE]
    baselines = []
    for site in HIP.sites:
        error = np.array([one.bmd[site] - one.truth[site] for one in hips if not one.code])
        baselines.append(Baseline(site, len(hips), len(error), _mean(error), _sd(error)))
    return baselines


def summarise_effects(observations: Sequence[Observation], kinds: Sequence[Kind], seed: int) -> list[Effect]:
    """The effect of each change, in the order of the kinds and their levels, at each site.

    Args:
        observations: of all patients.
        kinds: that were applied.
        seed: of the bootstrap.
    """
    before = {(one.patient, one.side): one for one in observations if one.change == REFERENCE and not one.code}
    effects = []
    for kind in kinds:
        for level in map(kind.told, kind.levels):
            after = [one for one in observations if (one.change, one.level) == (kind.name, level)]
            pairs = [(before[one.patient, one.side], one) for one in after if (one.patient, one.side) in before]
            effects += [_effect(kind, level, site, pairs, seed) for site in HIP.sites]
    return effects


def _effect(kind: Kind, level: str, site: str, pairs: Sequence[tuple[Observation, Observation]], seed: int) -> Effect:
    both = [(old, new) for old, new in pairs if not new.code]
    patients = [old.patient for old, _ in both]
    change, truth = (
        np.array([getattr(new, name)[site] - getattr(old, name)[site] for old, new in both], dtype=np.float64)
        for name in ("bmd", "truth")
    )
    response = change / truth if kind.moves_truth else np.full(len(both), math.nan)
    grade = np.array([new.singh_grade - old.singh_grade for old, new in both], dtype=np.float64)
    error_low, error_high = _interval(lambda found, true: float((found - true).mean()), change, truth, patients, seed)
    low, high = math.nan, math.nan
    if kind.moves_truth:
        low, high = _interval(lambda found, true: float((found / true).mean()), change, truth, patients, seed)
    codes = Counter(new.code for _, new in pairs if new.code)
    return Effect(
        change=kind.name,
        group=kind.group,
        level=level,
        site=site,
        moves_truth=kind.moves_truth,
        measured=len(pairs),
        refused=codes.total(),
        codes=", ".join(f"{code} {count}" for code, count in codes.most_common()),
        doubted=sum(bool(set(new.cautions) - set(old.cautions)) for old, new in both),
        truth_mean=_mean(truth),
        error_mean=_mean(change - truth),
        error_sd=_sd(change - truth),
        error_low=error_low,
        error_high=error_high,
        response_mean=_mean(response),
        response_median=float(np.median(response)) if len(response) else math.nan,
        response_low=low,
        response_high=high,
        grade_mean=_mean(grade[np.isfinite(grade)]),
    )


def _interval(
    statistic: Callable[[Floats, Floats], float], change: Floats, truth: Floats, patients: Sequence[str], seed: int
) -> tuple[float, float]:
    if len(set(patients)) < _FEWEST:
        return math.nan, math.nan
    return bootstrap_ci95(statistic, change, truth, patients, seed, _RESAMPLES)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _sd(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) >= _FEWEST else math.nan
