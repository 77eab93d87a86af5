import math

import numpy as np
import pytest
from scripts.evaluation.statistics.discrimination import auc_delong, operating_point, wilson_interval
from sklearn.metrics import roc_auc_score


def test_auc_counts_the_pairs_in_the_right_order():
    score = np.array([0.9, 0.4, 0.5, 0.1, 0.4])
    positive = np.array([True, True, False, False, False])
    # 0.9 beats three controls; 0.4 beats 0.1, ties with 0.4, loses to 0.5: 4.5 of 6 pairs.
    assert auc_delong(score, positive).value == pytest.approx(0.75)


def test_delongs_interval_agrees_with_a_bootstrap():
    random = np.random.default_rng(1)
    positive = np.arange(300) < 90
    score = random.normal(size=300) + 1.2 * positive
    auc = auc_delong(score, positive)
    assert auc.value == pytest.approx(roc_auc_score(positive, score))
    draws = [random.integers(0, 300, 300) for _ in range(1000)]
    expected = np.percentile([roc_auc_score(positive[draw], score[draw]) for draw in draws], [2.5, 97.5])
    assert auc.interval == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("positive", [[True, True, False, False], [True, False, False, False], [False] * 4])
def test_an_interval_that_cannot_be_told_is_unknown(positive):
    auc = auc_delong(np.array([0.9, 0.8, 0.2, 0.1]), np.array(positive))
    assert all(math.isnan(bound) for bound in auc.interval)


def test_wilson_interval_of_a_published_example():
    # 81 of 263: Newcombe, Stat Med 1998;17:857, table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(10, 10)[1] == 1.0
    assert math.isnan(wilson_interval(0, 0)[0])


def test_operating_point_of_six_patients():
    point = operating_point(np.array([True, True, False, True, False, False]), np.array([True, True, True, False, False, False]))
    assert (point["true_positives"], point["false_negatives"]) == (2, 1)
    assert point["sensitivity"] == pytest.approx(2 / 3)
    assert point["specificity"] == pytest.approx(2 / 3)
