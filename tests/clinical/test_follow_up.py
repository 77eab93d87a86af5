"""A change is told from error by the least significant change of the weights' own repeats, or not at all."""

import json
from dataclasses import replace

import pytest
from scripts.clinical import Precision, judge_change, load_precision

SHA = "a" * 64
PRECISION = Precision({"neck": 0.03, "total": 0.02}, {"neck": 40, "total": 40}, "patients")


@pytest.mark.parametrize(
    ("site", "after", "significant", "told"),
    [
        ("total", 0.755, False, "-0.045 g/cm²; least significant change 0.055: no change that can be told from error."),
        ("total", 0.740, True, "-0.060 g/cm²; least significant change 0.055: a loss beyond the error of two radiographs."),
        ("total", 0.860, True, "+0.060 g/cm²; least significant change 0.055: a gain beyond the error"),
        ("neck", 0.740, False, "least significant change 0.083: no change"),
    ],
)
def test_a_change_counts_from_277_times_the_rms_sd_on(site, after, significant, told):
    change = judge_change(0.800, after, "left", site, 2.04, PRECISION)
    assert change.significant is significant and told in change.sentence
    assert change.change == pytest.approx(after - 0.8)
    assert change.least_significant == pytest.approx(2.77 * PRECISION.rms_sd[site])
    assert change.sentence.startswith({"total": "Left total hip over 2.0 years", "neck": "Left femoral neck over 2.0"}[site])


def test_a_precision_that_is_not_of_patients_is_called_so():
    change = judge_change(0.8, 0.7, "right", "total", 1.0, replace(PRECISION, data="simulated"))
    assert "least significant change of simulated radiographs 0.055: a loss" in change.sentence


def test_without_a_precision_nothing_is_told_of_significance():
    change = judge_change(0.8, 0.4, "right", "total", 1.0, None)
    assert change.significant is change.least_significant is None
    assert "-0.400 g/cm²" in change.sentence and "cannot be told from error" in change.sentence


def written(folder, **changed):
    sites = {site: {"rms_sd": 0.02, "degrees_of_freedom": 30} for site in ("neck", "total")}
    content = {
        "data": "simulated",
        "provenance": {"weights": {"sha256": SHA}},
        "overall": {"repeatability": sites},
        **changed,
    }
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder / "metrics.json"


def test_the_precision_is_that_of_an_evaluation(tmp_path):
    found = load_precision(written(tmp_path), SHA)
    assert (found.rms_sd["total"], found.degrees_of_freedom["neck"], found.data) == (0.02, 30, "simulated")


@pytest.mark.parametrize(
    ("changed", "sha", "told"),
    [
        ({}, "b" * 64, "is of other weights"),
        ({"overall": {}}, SHA, "holds no precision of repeated radiographs"),
        (
            {"overall": {"repeatability": {site: {"rms_sd": None, "degrees_of_freedom": 0} for site in ("neck", "total")}}},
            SHA,
            "had no repeated radiographs",
        ),
    ],
)
def test_a_precision_that_does_not_hold_is_refused_with_the_file(tmp_path, changed, sha, told):
    with pytest.raises(ValueError, match=rf"metrics\.json.*{told}"):
        load_precision(written(tmp_path, **changed), sha)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json: holds no precision"):
        load_precision(tmp_path / "none.json", SHA)
