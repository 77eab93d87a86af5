"""Conformal quantiles hold in new patients, whatever the distribution, and are refused where patients are too few."""

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
def test_each_tail_of_new_patients_is_as_often_left_out_as_said(patients):
    below, above = [], []
    for seed in range(150):
        low, high = fit_quantiles(pairs_of(patients, seed))
        new = residuals_of(300, 10_000 + seed)
        below.append((new < low).mean())
        above.append((new > high).mean())
    for left_out in (np.mean(below), np.mean(above)):
        assert 0.05 - 1 / (patients + 1) - 0.008 <= left_out <= 0.058
    assert low < -0.3 and high > 3 * abs(low) / 2, "not symmetric, as the errors are not"


def test_unseen_intervals_hold_as_often_and_normal_ones_do_not():
    pairs = pairs_of(400, 1)
    unseen = apply_unseen(pairs, 5, 0)
    assert pairs.inside.mean() < 0.6 and unseen.inside.mean() == pytest.approx(0.9, abs=0.03)
    assert len(np.unique(unseen.low)) == 5 and (unseen.estimate == pairs.estimate).all()


def test_an_interval_holds_its_estimate_even_where_all_errors_are_of_one_sign():
    pairs = pairs_of(40, 2)
    shifted = Pairs(
        pairs.estimate - 1.0, *(getattr(pairs, name) for name in ("sd", "dxa", "low", "high", "patients", "hospitals"))
    )
    low, high = fit_quantiles(shifted)
    assert low == 0.0 < high


def test_a_patient_of_many_radiographs_counts_once():
    patients = np.array([0] * 100 + list(range(1, 30)))
    score = np.array([50.0] * 100 + list(np.arange(29.0)))
    assert conformal_quantile(score, patients, 0.5) == 15.0
    assert share_by_patient(np.array([0, 1, 1])).tolist() == [1.0, 0.5, 0.5]


def test_too_few_patients_are_told_how_many_it_takes():
    with pytest.raises(ValueError, match="18 patients do not tell a quantile of 95%; expected 19 or more"):
        fit_quantiles(pairs_of(18, 0))
    assert fit_quantiles(pairs_of(19, 0))
