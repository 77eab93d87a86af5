import math

import numpy as np
import pytest
from scripts.evaluation.statistics.agreement import measure_bmd_agreement
from scripts.evaluation.statistics.baseline import beyond

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


def test_an_uncertain_estimate_leans_to_the_mean_and_the_fifths_show_it():
    random = np.random.default_rng(0)
    dxa = random.normal(0.8, 0.12, 400)
    estimate = 0.8 + 0.64 * (dxa - 0.8) + random.normal(0, 0.12 * 0.8 * 0.6, 400)  # as well as r 0.8 allows
    result = measure_bmd_agreement(estimate, dxa, estimate - 0.1, estimate + 0.1, range(400), seed=0, resamples=20)
    assert result["slope"] == pytest.approx(1, abs=0.1) and result["slope_on_dxa"] == pytest.approx(0.64, abs=0.06)
    fifths = result["fifths"]
    assert list(fifths) == ["lowest", "second", "third", "fourth", "highest"]
    assert [one["hips"] for one in fifths.values()] == [80] * 5
    assert fifths["lowest"]["bias"] > 0.03 and fifths["highest"]["bias"] < -0.03 and abs(fifths["third"]["bias"]) < 0.02
    assert fifths["third"]["coverage"] > fifths["lowest"]["coverage"]
    assert measure_bmd_agreement(*[dxa[:19]] * 4, range(19), seed=0, resamples=5)["fifths"] == {}


def test_a_ruler_tells_nothing_beyond_shape():
    random = np.random.default_rng(1)
    shape, mineral = random.normal(size=(2, 300))
    bmd = 0.8 + 0.08 * shape + 0.08 * mineral
    known = np.column_stack([shape, np.where(random.random(300) < 0.1, np.nan, random.normal(size=300))])
    ruler = beyond(0.8 + 0.08 * shape + random.normal(0, 0.01, 300), bmd, known, range(300))
    scale = beyond(0.8 + 0.08 * mineral + random.normal(0, 0.01, 300), bmd, known, range(300))
    assert ruler is not None and scale is not None
    assert abs(ruler["partial_r"]) < 0.2 and ruler["with_estimate_r"] == pytest.approx(ruler["known_r"], abs=0.02)
    assert scale["partial_r"] > 0.95 and scale["with_estimate_r"] > 0.95 and scale["known_r"] == pytest.approx(0.7, abs=0.08)
    assert beyond(bmd[:29], bmd[:29], known[:29], range(29)) is None
