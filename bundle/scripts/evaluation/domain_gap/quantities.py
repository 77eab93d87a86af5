"""How a hospital's values of each quantity that the gate asks for differ from those of the reference."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from scripts.clinical import Of
from scripts.evaluation.domain_gap.asked import Asked
from scripts.evaluation.domain_gap.observations import Observation
from scripts.evaluation.statistics.agreement import bootstrap_ci95
from scripts.evaluation.statistics.discrimination import Interval, auc_delong

Floats = NDArray[np.float64]

UNTOLD: Interval = (math.nan, math.nan)


@dataclass(frozen=True)
class Sample:
    """Values (N,) of one quantity in one set of radiographs, and whose they are, (N,)."""

    values: Floats
    patients: tuple[str, ...]

    @classmethod
    def of(cls, asked: Asked, observations: Sequence[Observation]) -> Sample:
        """Those that are known: of each hip found, or of each radiograph that the networks saw."""
        name, of_bone = asked.quantity.name, asked.quantity.of is Of.BONE
        known = [
            (part.values[name], one.patient)
            for one in observations
            for part in (one.hips if of_bone else (one,))
            if name in part.values
        ]
        return cls(np.array([value for value, _ in known], dtype=np.float64), tuple(patient for _, patient in known))


@dataclass(frozen=True)
class Distribution:
    """Percentiles of one quantity in one set, and the share of values beyond the gate's limits; NaN where there is none."""

    count: int
    p5: float
    median: float
    p95: float
    beyond: float

    @classmethod
    def of(cls, asked: Asked, sample: Sample) -> Distribution:
        """Summarise a sample."""
        if not sample.values.size:
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        p5, median, p95 = (float(value) for value in np.percentile(sample.values, [5, 50, 95]))
        return cls(sample.values.size, p5, median, p95, float(np.mean([asked.beyond(value) for value in sample.values])))


@dataclass(frozen=True)
class QuantityGap:
    """How one quantity differs.

    ks: Kolmogorov-Smirnov statistic, the largest distance between both cumulative distributions, 0..1. auc: the probability that
    a value of the hospital is higher than one of the reference, ties counting half; 0.5 where both are alike. auc_ci95: by a
    bootstrap of patients. All NaN where a set has no value.
    """

    asked: Asked
    hospital: Distribution
    reference: Distribution
    ks: float
    auc: float
    auc_ci95: Interval

    @property
    def strength(self) -> float:
        """By how much the AUC is off 0.5, 0..0.5; 0 where there is none."""
        return abs(self.auc - 0.5) if math.isfinite(self.auc) else 0.0


def compare_quantity(
    asked: Asked, hospital: Sequence[Observation], reference: Sequence[Observation], seed: int, resamples: int
) -> QuantityGap:
    """Compare one quantity in both sets.

    Args:
        asked: the quantity.
        hospital, reference: the radiographs of both sets.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    theirs, known = Sample.of(asked, hospital), Sample.of(asked, reference)
    both = Distribution.of(asked, theirs), Distribution.of(asked, known)
    if not (theirs.values.size and known.values.size):
        return QuantityGap(asked, *both, ks=math.nan, auc=math.nan, auc_ci95=UNTOLD)
    auc, interval = tell_apart(theirs.values, known.values, theirs.patients, known.patients, seed, resamples)
    return QuantityGap(asked, *both, ks=float(ks_2samp(theirs.values, known.values).statistic), auc=auc, auc_ci95=interval)


def tell_apart(
    hospital: Floats,
    reference: Floats,
    patients: Sequence[Hashable],
    reference_patients: Sequence[Hashable],
    seed: int,
    resamples: int,
) -> tuple[float, Interval]:
    """AUC of a score, higher for the hospital, with its 95% interval by a bootstrap of patients.

    Args:
        hospital, reference: (N,) and (M,) scores, at least one each.
        patients, reference_patients: (N,) and (M,), whose they are.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    score = np.concatenate((hospital, reference))
    ours = np.concatenate((np.ones(len(hospital)), np.zeros(len(reference))))
    groups = [*(("hospital", patient) for patient in patients), *(("reference", patient) for patient in reference_patients)]
    interval = bootstrap_ci95(_auc, score, ours, groups, seed, resamples)
    return _auc(score, ours), interval


def _auc(score: Floats, ours: Floats) -> float:
    return auc_delong(score, ours > 0).value
