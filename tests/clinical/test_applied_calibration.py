"""A hospital's calibration changes BMD and its standard deviation before anything is told of them, and fits its weights alone."""

import json
from dataclasses import replace
from statistics import NormalDist

import pytest
from scripts.clinical import (
    Calibration,
    Category,
    LowestT,
    RadiographFacts,
    Thresholds,
    interpret,
    load_calibration,
    load_reference,
    load_uncertainty,
)
from scripts.clinical.calibration import LEAST_BMD, SiteCalibration
from values import found

ADULT = RadiographFacts(age_years=70, sex="F", view="AP", laterality="B")
WEIGHTS, INTERVALS = "a" * 64, "b" * 64
LOCAL = Calibration({"neck": SiteCalibration(-0.1, 0.9, 2.0), "total": SiteCalibration()}, 120, "b" * 64)


def content(**changes):
    site = {"offset_g_cm2": -0.1, "slope": 0.9, "sd_factor": 2.0, "kept": "estimates and intervals"}
    told = {"version": 2, "weights_sha256": WEIGHTS, "uncertainty_sha256": INTERVALS, "patients": 120, "sites": {"neck": site}}
    return {**told, **changes}


def test_scores_intervals_and_category_are_of_the_calibrated_bmd():
    plain = interpret(found(left={"neck_bmd": 0.66, "neck_bmd_sd": 0.015}), ADULT)
    local = interpret(found(left={"neck_bmd": 0.66, "neck_bmd_sd": 0.015}), ADULT, calibration=LOCAL)
    before, after = plain.hips[1].estimates["neck"], local.hips[1].estimates["neck"]
    assert after.bmd == pytest.approx(0.9 * 0.66 - 0.1) and after.bmd_sd == pytest.approx(2 * before.bmd_sd)
    assert after.t_score == pytest.approx(load_reference().t_score(after.bmd, "neck"))
    assert after.z_score == pytest.approx(load_reference().z_score(after.bmd, "neck", "F", 70))
    widths = [high - low for low, high in (before.bmd_interval, after.bmd_interval)]
    assert widths[1] == pytest.approx(2 * widths[0])
    assert local.hips[1].estimates["total"] == plain.hips[1].estimates["total"]
    assert (local.category, local.lowest.t_score) == (Category.OSTEOPOROSIS, after.t_score)
    assert plain.category is Category.LOW_BONE_MASS
    assert plain.osteoporosis_probability < 0.01 and local.osteoporosis_probability > 0.95


def test_the_intervals_beside_the_weights_are_those_of_the_calibrated_sd():
    measured = replace(load_uncertainty(), quantiles={"neck": (-1.0, 3.0), "total": (-2.0, 2.0)})
    neck = interpret(found(), ADULT, calibration=LOCAL, uncertainty=measured).hips[0].estimates["neck"]
    assert neck.bmd_sd == pytest.approx(0.1)
    assert neck.bmd_interval == (pytest.approx(neck.bmd - 0.1), pytest.approx(neck.bmd + 0.3))


def test_every_result_that_was_calibrated_says_so_and_no_other():
    assert not any("calibration" in note for note in interpret(found(), ADULT).notes)
    (note,) = (note for note in interpret(found(), ADULT, calibration=LOCAL).notes if "calibration" in note)
    assert "120 patients" in note and "femoral neck: -0.100 g/cm² + 0.900 x estimate, SD x 2.00" in note
    assert "total hip" not in note


def test_a_line_is_not_followed_below_any_bone():
    assert SiteCalibration(-0.8, 2.0, 1.0).apply(0.35, 0.05) == (LEAST_BMD, 0.05)


def test_a_calibration_is_read_for_its_weights(tmp_path):
    (file := tmp_path / "calibration.json").write_text(json.dumps(content()))
    read = load_calibration(file, WEIGHTS, INTERVALS)
    assert read.sites == {"neck": SiteCalibration(-0.1, 0.9, 2.0)} and read.patients == 120 and len(read.sha256) == 64
    assert read.apply("total", 0.8, 0.05) == (0.8, 0.05)
    assert load_calibration(None, WEIGHTS, None) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps(content(weights_sha256="c" * 64)), r"of the weights c{12}\.\.\., but those in use are a{12}\.\.\."),
        ("{", "cannot be read"),
        ("[]", "is no calibration of version 2"),
        (json.dumps({"version": 2, "weights_sha256": WEIGHTS, "limits": {}}), "does not say of which weights"),
        (
            json.dumps(content(uncertainty_sha256="d" * 64)),
            r"other intervals \(those of d{12}\.\.\.\) than those in use \(those of b{12}",
        ),
        (json.dumps(content(uncertainty_sha256=None)), r"other intervals \(normal ones\) than"),
        (json.dumps(content(uncertainty_sha256=3)), "does not say which intervals"),
        (json.dumps(content(sites={"spine": {}})), "'sites' are not neck and total"),
        (json.dumps(content(sites={"neck": {"offset_g_cm2": 0, "sd_factor": 1}})), "slope of neck is None"),
        (json.dumps(content(sites={"neck": {"offset_g_cm2": 0, "slope": 3, "sd_factor": 1}})), "are 3 and 1"),
        (json.dumps(content(sites={"neck": {"offset_g_cm2": 0, "slope": 1, "sd_factor": 0}})), "are 1 and 0"),
    ],
)
def test_what_is_no_calibration_of_these_weights_is_refused(text, said, tmp_path):
    (file := tmp_path / "calibration.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        load_calibration(file, WEIGHTS, INTERVALS)


@pytest.mark.parametrize("asked", [{"calibration": LOCAL}, {"sex_specific": True}], ids=["calibrated", "by young men"])
def test_other_t_scores_than_those_measured_have_the_probability_of_their_own_interval(asked):
    """The shift of the weights' own distribution would correct a second time what the calibration has corrected."""
    measured = replace(
        load_uncertainty(),
        quantiles={"neck": (-2.0, 2.0), "total": (-2.0, 2.0)},
        lowest_t=LowestT(offset=-3.0),
        thresholds=Thresholds(0.5, 0.19),
        prevalence=0.2,
        notes=(),
    )
    man = replace(ADULT, sex="M")
    plain, other = interpret(found(), man, uncertainty=measured), interpret(found(), man, uncertainty=measured, **asked)
    low, high = other.lowest.t_interval
    normal = NormalDist(other.lowest.t_score, (high - low) / (2 * NormalDist().inv_cdf(0.95)))
    assert plain.osteoporosis_probability > 0.9 and not any("normal distribution" in note for note in plain.notes)
    assert other.osteoporosis_probability == pytest.approx(normal.cdf(-2.5), abs=1e-9)
    assert sum("measured without these" in note for note in other.notes) == 1
