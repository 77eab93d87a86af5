"""Morphometry beside its truth: what the manifest tells, and how well it agrees."""

import math
from types import SimpleNamespace

import pytest
from scripts.dataset.truth import MEASURES, read_truth
from scripts.evaluation.accuracy.measures import grade_agreement, measure_agreement

ROW = {
    "right_neck_shaft_deg": "125.0",
    "right_neck_axis_length_mm": "95.0",
    "right_neck_width_mm": "34.0",
    "right_canal_20_above_mm": "45.0",
    "right_shaft_40_below_mm": "30.0",
    "right_shaft_100_below_mm": "28.0",
    "right_canal_40_below_mm": "18.0",
    "right_canal_100_below_mm": "14.0",
    "right_singh_grade": "4.25",
}


def test_the_truth_is_at_the_level_that_the_film_shows():
    high, middle, low = (read_truth(ROW).hips["right"].measures(level) for level in (40.0, 70.0, 100.0))
    assert high["cortical_thickness_index"] == pytest.approx(12 / 30)
    assert middle["cortical_thickness_index"] == pytest.approx(13 / 29)
    assert low["canal_flare_index"] == pytest.approx(45 / 14)
    assert low["neck_shaft_deg"] == 125.0 and low["singh_grade"] == 4.25


@pytest.mark.parametrize("row", [{}, dict.fromkeys(ROW, ""), {**ROW, "right_neck_width_mm": "wide"}])
def test_what_the_manifest_does_not_tell_is_unknown(row):
    found = read_truth(row).hips["right"].measures(70.0)
    assert tuple(found) == MEASURES and math.isnan(found["neck_width_mm"])
    assert all(math.isnan(value) for value in read_truth(ROW).hips["left"].measures(70.0).values())
    assert math.isnan(read_truth(ROW).hips["right"].measures(math.nan)["cortical_thickness_index"])


def test_a_cohort_from_before_there_was_a_grade_has_the_other_measures():
    old = {name: value for name, value in ROW.items() if name != "right_singh_grade"}
    found = read_truth(old).hips["right"].measures(70.0)
    assert math.isnan(found["singh_grade"]) and found["neck_width_mm"] == 34.0
    assert grade_agreement([SimpleNamespace(measures={"singh_grade": 4.0}, true_measures=found)])["hips"] == 0


def hip(found, true, name="neck_width_mm"):
    return SimpleNamespace(measures={name: found}, true_measures={name: true})


def test_agreement_is_over_the_hips_that_have_both():
    hips = [hip(33.0, 32.0), hip(36.0, 34.0), hip(39.0, 36.0), hip(math.nan, 30.0), hip(30.0, math.nan)]
    found = measure_agreement(hips)
    assert tuple(found) == MEASURES
    width = found["neck_width_mm"]
    assert (width["hips"], width["bias"]) == (3, pytest.approx(2.0))
    assert width["sd"] == pytest.approx(1.0) and width["pearson_r"] == pytest.approx(1.0)
    assert found["neck_shaft_deg"]["hips"] == 0 and math.isnan(found["neck_shaft_deg"]["bias"])
    assert measure_agreement([])["neck_width_mm"]["hips"] == 0


def test_grades_agree_by_rank_and_as_they_are_rounded():
    pairs = [(1.4, 1.0), (2.4, 2.0), (3.9, 3.0), (5.0, 6.0), (5.4, 5.8), (math.nan, 4.0)]
    found = grade_agreement([hip(*pair, "singh_grade") for pair in pairs])
    assert found["hips"] == 5
    assert found["rank_correlation"] == pytest.approx(0.9)
    assert (found["exact"], found["within_one"]) == (0.4, 1.0)
    assert found["weighted_kappa"] == pytest.approx(1 - 0.6 / expected_square(([1, 2, 4, 5, 5], [1, 2, 3, 6, 6])))


def expected_square(grades):
    one, other = grades
    return sum((a - b) ** 2 for a in one for b in other) / (len(one) * len(other))


@pytest.mark.parametrize("pairs", [[], [(3.0, 4.0), (4.0, 4.0)], [(6.0, 6.0)] * 4])
def test_without_hips_or_where_all_are_alike_there_is_no_rank_correlation(pairs):
    found = grade_agreement([hip(*pair, "singh_grade") for pair in pairs])
    assert math.isnan(found["rank_correlation"]) and math.isnan(found["weighted_kappa"])
