"""DeLong's covariance is that of repeated samples; differences are found as often as promised, of scores and of readers."""

import math

import numpy as np
import pytest
from scripts.evaluation.statistics.discrimination import auc_delong
from scripts.evaluation.statistics.paired import areas_with_covariance, compare_areas, compare_readings


def patients(random, scores=2, count=120, shared=0.7):
    """Scores of patients of whom a third is ill, alike to a degree; their areas are equal."""
    positive = np.arange(count) < count // 3
    common = random.normal(size=count)
    return np.sqrt(shared) * common + np.sqrt(1 - shared) * random.normal(size=(scores, count)) + positive, positive


def test_the_covariance_is_that_of_repeated_samples():
    random = np.random.default_rng(0)
    found = [areas_with_covariance(*patients(random)) for _ in range(1500)]
    areas, told = np.array([one for one, _ in found]), np.mean([other for _, other in found], axis=0)
    assert np.cov(areas.T) == pytest.approx(told, rel=0.12)
    scores, positive = patients(random)
    areas, covariance = areas_with_covariance(scores, positive)
    alone = auc_delong(scores[0], positive)
    assert areas[0] == pytest.approx(alone.value)
    half = math.sqrt(covariance[0, 0]) * 1.959964 / (areas[0] * (1 - areas[0]))
    assert 1 / (1 + math.exp(-(math.log(areas[0] / (1 - areas[0])) - half))) == pytest.approx(alone.interval[0], rel=1e-6)


def test_equal_scores_differ_in_one_sample_of_twenty():
    random = np.random.default_rng(1)
    p = np.array([compare_areas(*scores, positive).p for scores, positive in (patients(random) for _ in range(1500))])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)


def test_a_better_score_is_found_better():
    random = np.random.default_rng(2)
    scores, positive = patients(random, count=600)
    found = compare_areas(scores[0] + positive, scores[1], positive)
    assert found.value > 0.1 and found.interval[0] > 0 and found.p < 1e-6
    assert compare_areas(scores[1], scores[0] + positive, positive).value == -found.value
    same = compare_areas(scores[0], scores[0], positive)
    assert same.value == 0 and math.isnan(same.p) and math.isnan(same.interval[0])


def readings(random, gain=0.0, readers=5):
    """Two ways of reading, (2, R, N): readers differ in skill, and one reads a patient much alike both times."""
    positive = np.arange(100) < 40
    skill = 1 + random.normal(0, 0.2, (1, readers, 1)) + random.normal(0, 0.1, (2, readers, 1))
    seen = (
        random.normal(size=(1, 1, 100))
        + 0.7 * random.normal(size=(1, readers, 100))
        + 0.7 * random.normal(size=(2, readers, 100))
    )
    return seen + positive * (skill + np.array([0, gain])[:, None, None]), positive


def test_ways_of_reading_that_are_alike_differ_in_one_study_of_twenty():
    random = np.random.default_rng(3)
    found = [compare_readings(*readings(random)) for _ in range(600)]
    assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.03)
    assert np.mean([one.interval[0] <= 0 <= one.interval[1] for one in found]) == pytest.approx(0.95, abs=0.03)


def test_help_that_helps_is_found_to():
    found = compare_readings(*readings(np.random.default_rng(4), gain=1.0))
    assert found.value > 0.05 and found.p < 0.01 and found.interval[0] > 0
