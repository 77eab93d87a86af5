import math

import numpy as np
import pytest
from scripts.evaluation.statistics.agreement import measure_bmd_agreement

ESTIMATE = np.array([0.60, 0.70, 0.80, 0.90])
DXA = np.array([0.62, 0.70, 0.76, 0.92])


def test_agreement_of_four_hips():
    result = measure_bmd_agreement(ESTIMATE, DXA, ESTIMATE - 0.03, ESTIMATE + 0.03, ["a", "a", "b", "c"], seed=0, resamples=50)
    assert (result["hips"], result["patients"]) == (4, 3)
    assert result["mae"] == pytest.approx(0.02)
    assert result["rmse"] == pytest.approx(math.sqrt((0.02**2 + 0.04**2 + 0.02**2) / 4))
    assert result["bias"] == pytest.approx(0.0, abs=1e-12)
    half = 1.96 * math.sqrt((0.02**2 + 0.04**2 + 0.02**2) / 3)
    assert result["limits_of_agreement"] == pytest.approx((-half, half))
    assert result["coverage"] == pytest.approx(0.75)
    assert result["pearson_r"] == pytest.approx(np.corrcoef(ESTIMATE, DXA)[0, 1])


def test_the_bootstrap_draws_patients_not_hips():
    # Two hips that are copies of each other tell nothing new: the interval must not become narrower.
    random = np.random.default_rng(0)
    dxa = random.normal(0.8, 0.1, 40)
    estimate = dxa + random.normal(0, 0.05, 40)
    once = measure_bmd_agreement(estimate, dxa, estimate, estimate, range(40), seed=3, resamples=300)
    twice = measure_bmd_agreement(
        *(np.repeat(x, 2) for x in (estimate, dxa, estimate, estimate)), list(np.repeat(range(40), 2)), seed=3, resamples=300
    )
    assert twice["mae_ci95"] == pytest.approx(once["mae_ci95"])


def test_too_few_hips_give_no_numbers():
    result = measure_bmd_agreement(*[np.array([0.8, 0.9])] * 4, ["a", "b"], seed=0)
    assert result["hips"] == 2
    assert math.isnan(result["pearson_r"])
    assert math.isnan(result["limits_of_agreement"][0])
