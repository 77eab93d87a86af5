"""Conformal quantiles hold in new patients, whatever the distribution, and are refused where patients are too few."""

from dataclasses import replace

import numpy as np
import pytest
from scripts.evaluation.local.pairs import Pairs
from scripts.evaluation.statistics.conformal import conformal_quantile, share_by_patient
from scripts.evaluation.uncertainty.fit import apply_unseen, fit_quantiles


def residuals_of(patients, seed):
    """Skewed, heavy in the tails, and of the two hips of a patient alike: (DXA - estimate) / SD."""
    random = np.random.default_rng(seed)
    shared = np.repeat(random.standard_t(3, patients) + random.exponential(2.0, patients), 2)
    return shared + 0.3 * random.normal(0, 1, 2 * patients)


def pairs_of(patients, seed):
    residual = residuals_of(patients, seed)
    count, sd = len(residual), 0.04
    ends = np.full(count, -1.645), np.full(count, 1.645)
    people = np.repeat(np.arange(patients), 2)
    return Pairs(np.full(count, 0.8), np.full(count, sd), 0.8 + sd * residual, *ends, people, np.full(count, "simulated-1"))


@pytest.mark.parametrize("patients", [25, 60, 150])
def test_new_patients_are_as_often_left_out_as_said(patients):
    left_out = []
    for seed in range(150):
        low, high = fit_quantiles(pairs_of(patients, seed))
        new = residuals_of(300, 10_000 + seed)
        left_out.append(((new < low) | (new > high)).mean())
    assert 0.1 - 1 / (patients + 1) - 0.012 <= np.mean(left_out) <= 0.108


def test_unseen_intervals_hold_as_often_and_normal_ones_do_not():
    pairs = pairs_of(400, 1)
    unseen = apply_unseen(pairs, 5, 0)
    assert pairs.inside.mean() < 0.6 and unseen.inside.mean() == pytest.approx(0.9, abs=0.03)
    assert len(np.unique(unseen.low)) == 5 and (unseen.estimate == pairs.estimate).all()


def test_a_bias_of_these_hospitals_widens_the_intervals_and_does_not_shift_them():
    pairs = pairs_of(40, 2)
    shifted = replace(pairs, estimate=pairs.estimate - 0.2)
    (low, high), (low_shifted, high_shifted) = fit_quantiles(pairs), fit_quantiles(shifted)
    assert (low, low_shifted) == (-high, -high_shifted) and high_shifted > high + 3


def test_a_patient_of_many_radiographs_counts_once():
    patients = np.array([0] * 100 + list(range(1, 30)))
    score = np.array([50.0] * 100 + list(np.arange(29.0)))
    assert conformal_quantile(score, patients, 0.5) == 15.0
    assert share_by_patient(np.array([0, 1, 1])).tolist() == [1.0, 0.5, 0.5]


def test_too_few_patients_are_told_how_many_it_takes():
    with pytest.raises(ValueError, match="8 patients do not tell a quantile of 90%; expected 9 or more"):
        fit_quantiles(pairs_of(8, 0))
    assert fit_quantiles(pairs_of(9, 0))
