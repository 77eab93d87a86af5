import math
import pickle

import pytest
from scripts.clinical import (
    CHANNELS,
    Category,
    Code,
    RadiographFacts,
    Reason,
    RefusedError,
    Triage,
    interpret,
    load_gate,
)

HIP = {
    "present": 0.9,
    "implant": 0.0,
    "shaft_angle": 5.0,
    "neck_bmd": 0.75,
    "neck_bmd_sd": 0.05,
    "total_bmd": 0.85,
    "total_bmd_sd": 0.06,
}
ADULT = RadiographFacts(age_years=70, sex="F", view="AP", laterality="B")


def channels(right=None, left=None, probability=0.2):
    values = {"osteoporosis_probability": probability}
    for side, changes in (("right", right or {}), ("left", left or {})):
        values |= {f"{side}_{name}": value for name, value in {**HIP, **changes}.items()}
    return values


def test_channels_are_fifteen_right_first():
    assert len(CHANNELS) == 15
    assert CHANNELS[0] == "right_present" and CHANNELS[7] == "left_present"
    assert set(channels()) == set(CHANNELS)


def test_both_hips_are_measured_and_the_lowest_t_score_decides():
    screening = interpret(channels(left={"neck_bmd": 0.498}), ADULT)
    assert screening.reason is None
    assert [set(hip.estimates) for hip in screening.hips] == [{"neck", "total"}] * 2
    assert (screening.lowest.side, screening.lowest.site) == ("left", "neck")
    assert screening.lowest.t_score == pytest.approx(-3.0)
    assert screening.lowest.t_interval == (pytest.approx(-3.685, abs=1e-3), pytest.approx(-2.315, abs=1e-3))
    assert screening.category == Category.OSTEOPOROSIS
    assert screening.triage == Triage.LIKELY
    assert screening.osteoporosis_probability == 0.2


def test_an_implanted_hip_is_refused_and_the_other_decides():
    screening = interpret(channels(right={"implant": 0.4, "neck_bmd": 0, "total_bmd": 0}), ADULT)
    right, left = screening.hips
    assert right.reason.code == Code.IMPLANT and not right.estimates
    assert left.reason is None and screening.reason is None
    assert screening.lowest.side == "left"


@pytest.mark.parametrize(
    ("hip", "code", "words"),
    [
        ({"present": 0.01}, Code.NO_FEMUR, "No proximal femur found"),
        ({"shaft_angle": 47.0}, Code.NOT_AP, "abducted by 47 degrees as in a frog-leg view"),
        ({"shaft_angle": 47.0, "present": 0.2}, Code.NOT_AP, "only measured on an AP"),
        ({"shaft_angle": -40.0}, Code.NOT_AP, "adducted by 40 degrees"),
        ({"implant": 0.3, "present": 0.2}, Code.IMPLANT, "30%"),
        ({"present": 0.2}, Code.CUT_OFF, "0.20"),
        ({"neck_bmd": 0.0}, Code.CUT_OFF, "shown whole"),
        ({"present": math.nan}, Code.NO_FEMUR, "No proximal femur found"),
        ({"total_bmd": math.nan}, Code.CUT_OFF, "shown whole"),
        ({"shaft_angle": math.nan}, Code.CUT_OFF, "shown whole"),
    ],
)
def test_a_radiograph_whose_every_hip_is_refused_is_refused_for_the_same_reason(hip, code, words):
    screening = interpret(channels(right=hip, left={"present": 0.0}), ADULT)
    assert screening.reason.code == code
    assert words in screening.reason.sentence
    assert not any(hip.estimates for hip in screening.hips)
    assert screening.lowest is screening.category is screening.triage is screening.osteoporosis_probability is None


def test_hips_refused_for_different_reasons_are_both_told():
    reason = interpret(channels(right={"implant": 0.3}, left={"shaft_angle": 50}), ADULT).reason
    assert reason.code == Code.IMPLANT
    assert "right" in reason.sentence and "left femur is abducted" in reason.sentence


def test_limits_belong_to_the_allowed_range():
    gate = load_gate()
    on_the_limit = {"shaft_angle": gate.shaft_angle_at_most_deg, "present": gate.complete_at_least}
    on_the_limit["implant"] = gate.implant_at_most
    assert interpret(channels(right=on_the_limit), ADULT).hips[0].reason is None


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (RadiographFacts(age_years=12), Code.NOT_ADULT),
        (RadiographFacts(age_years=19.9), Code.NOT_ADULT),
        (RadiographFacts(age_years=70, view="LATERAL"), Code.NOT_AP),
    ],
)
def test_the_header_can_refuse_the_whole_radiograph(facts, code):
    screening = interpret(channels(), facts)
    assert screening.reason.code == code
    assert not any(hip.estimates for hip in screening.hips)


def test_below_fifty_there_is_bmd_but_no_t_score_and_a_note_says_so():
    screening = interpret(channels(), RadiographFacts(age_years=35, view="AP"))
    assert screening.reason is None
    assert screening.hips[0].estimates["neck"].bmd == 0.75
    assert screening.hips[0].estimates["neck"].t_score is None
    assert screening.category is screening.triage is screening.lowest is None
    assert any("Z-score" in note for note in screening.notes)


def test_what_was_assumed_is_passed_on():
    facts = RadiographFacts(assumptions=("Magnification 1.15 assumed.",))
    notes = interpret(channels(), facts).notes
    assert "Magnification 1.15 assumed." in notes
    assert any("Age unknown" in note for note in notes)


def test_men_are_compared_with_men_only_on_request():
    man = RadiographFacts(age_years=70, sex="M")
    t_default = interpret(channels(), man).hips[0].estimates["neck"].t_score
    t_male = interpret(channels(), man, sex_specific=True).hips[0].estimates["neck"].t_score
    assert t_default == pytest.approx((0.75 - 0.858) / 0.12)
    assert t_male == pytest.approx((0.75 - 0.934) / 0.137)


def test_a_laterality_that_contradicts_the_picture_is_noted():
    facts = RadiographFacts(age_years=70, laterality="R")
    assert any("laterality" in note for note in interpret(channels(right={"present": 0.0}), facts).notes)


def test_a_missing_channel_is_named():
    with pytest.raises(ValueError, match="left_implant"):
        interpret({name: 0.0 for name in CHANNELS if name != "left_implant"}, ADULT)


def test_a_refusal_survives_a_worker_process():
    error = RefusedError(Reason(Code.NOT_A_HIP, "A chest."))
    assert pickle.loads(pickle.dumps(error)).reason == error.reason
