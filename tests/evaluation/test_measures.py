"""Morphometry beside its truth: what the manifest tells, and how well it agrees."""

import math
from types import SimpleNamespace

import pytest
from scripts.evaluation.morphometry import MEASURES, measure_agreement, true_measures

ROW = {
    "right_neck_shaft_deg": "125.0",
    "right_neck_axis_length_mm": "95.0",
    "right_neck_width_mm": "34.0",
    "right_canal_20_above_mm": "45.0",
    "right_shaft_40_below_mm": "30.0",
    "right_shaft_100_below_mm": "28.0",
    "right_canal_40_below_mm": "18.0",
    "right_canal_100_below_mm": "14.0",
}


def test_the_truth_is_at_the_level_that_the_film_shows():
    high, middle, low = (true_measures(ROW, "right", level) for level in (40.0, 70.0, 100.0))
    assert high["cortical_thickness_index"] == pytest.approx(12 / 30)
    assert middle["cortical_thickness_index"] == pytest.approx(13 / 29)
    assert low["canal_flare_index"] == pytest.approx(45 / 14)
    assert low["neck_shaft_deg"] == 125.0


@pytest.mark.parametrize("row", [{}, dict.fromkeys(ROW, ""), {**ROW, "right_neck_width_mm": "wide"}])
def test_what_the_manifest_does_not_tell_is_unknown(row):
    found = true_measures(row, "right", 70.0)
    assert tuple(found) == MEASURES and math.isnan(found["neck_width_mm"])
    assert all(math.isnan(value) for value in true_measures(ROW, "left", 70.0).values())
    assert math.isnan(true_measures(ROW, "right", math.nan)["cortical_thickness_index"])


def hip(found, true):
    return SimpleNamespace(measures={"neck_width_mm": found}, true_measures={"neck_width_mm": true})


def test_agreement_is_over_the_hips_that_have_both():
    hips = [hip(33.0, 32.0), hip(36.0, 34.0), hip(39.0, 36.0), hip(math.nan, 30.0), hip(30.0, math.nan)]
    found = measure_agreement(hips)
    assert tuple(found) == MEASURES
    width = found["neck_width_mm"]
    assert (width["hips"], width["bias"]) == (3, pytest.approx(2.0))
    assert width["sd"] == pytest.approx(1.0) and width["pearson_r"] == pytest.approx(1.0)
    assert found["neck_shaft_deg"]["hips"] == 0 and math.isnan(found["neck_shaft_deg"]["bias"])
    assert measure_agreement([])["neck_width_mm"]["hips"] == 0
