import json
import math
import pickle
from dataclasses import replace
from statistics import NormalDist

import pytest
from scripts.clinical import (
    CHANNELS,
    Category,
    Caution,
    Code,
    Doubt,
    Expectation,
    LowestT,
    RadiographFacts,
    Reason,
    RefusedError,
    Thresholds,
    Triage,
    interpret,
    load_gate,
    load_reference,
    load_uncertainty,
)
from scripts.clinical.gate import Gate
from scripts.clinical.laterality import SideMarker
from scripts.clinical.limits import NETWORK_GATE_FILE, Limits
from values import CLEAR, HIP, found, named

ADULT = RadiographFacts(age_years=70, sex="F", view="AP", laterality="B")


LIMITS = load_gate().limits
STRICT = Gate(Limits(**vars(LIMITS) | {"drawn_at_least": 0.9, "agreement_at_least": 0.95}))
"""The shipped weights' two limits of the agreement may be one."""


def heads(right, left):
    return tuple({} if diameter is None else {"head_diameter_mm": diameter} for diameter in (right, left))


def test_channels_are_thirty_three_right_first():
    names = CHANNELS.names
    assert len(names) == 33
    assert names[0] == "right_landmark_confidence" and names[14] == "left_landmark_confidence"
    assert names[-4:] == ("hip_view", "novelty", "pelvic_turn_deg", "pelvic_tilt_deg")
    assert set(named()) == set(names)


def test_both_hips_are_measured_and_the_lowest_t_score_decides():
    screening = interpret(found(left={"neck_bmd": 0.498, "neck_bmd_sd": 0.03}, osteoporosis_probability=0.8), ADULT)
    assert screening.reason is None
    assert [set(hip.estimates) for hip in screening.hips] == [{"neck", "total"}] * 2
    assert (screening.lowest.side, screening.lowest.site) == ("left", "neck")
    assert screening.lowest.t_score == pytest.approx(-3.0)
    assert screening.lowest.t_sd == pytest.approx(0.25)
    assert screening.lowest.t_interval == (pytest.approx(-3.411, abs=1e-3), pytest.approx(-2.589, abs=1e-3))
    assert screening.category == Category.OSTEOPOROSIS
    assert screening.triage == Triage.LIKELY
    assert screening.osteoporosis_probability == pytest.approx(NormalDist().cdf(2.0))
    assert screening.low_bone_mass_probability == pytest.approx(1.0)
    assert screening.classifier_probability == 0.8


JOINED = replace(load_uncertainty(), lowest_t=LowestT(-0.2, 0.9, -0.25, 1.5), thresholds=Thresholds(0.8, 0.15), notes=())


@pytest.mark.parametrize("probability", [0.0, 0.08, 0.499, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("t_score", [-4.0, -3.0, -2.91, -2.7, -2.5, -2.4, -2.31, -2.2, -1.0, 0.5])
def test_triage_category_and_probability_never_contradict_each_other(t_score, probability):
    neck = load_reference().bmd(t_score, "neck")
    bones = {"neck_bmd": neck, "total_bmd": 1.3}
    screening = interpret(found(bones, bones, osteoporosis_probability=probability), ADULT, uncertainty=JOINED)
    assert screening.lowest.t_score == pytest.approx(t_score) and screening.classifier_probability == probability
    agreed = {
        Triage.LIKELY: screening.osteoporosis_probability >= 0.8 and screening.category in (Category.OSTEOPOROSIS, None),
        Triage.UNLIKELY: screening.osteoporosis_probability < 0.15 and screening.category is not Category.OSTEOPOROSIS,
        Triage.UNCERTAIN: 0.15 <= screening.osteoporosis_probability < 0.8 and screening.category is None,
    }
    assert agreed[screening.triage]
    assert screening.osteoporosis_probability <= screening.low_bone_mass_probability


def test_the_one_probability_joins_the_lowest_t_score_and_the_classifier():
    right, left = {"neck_bmd": 0.858 - 2.6 * 0.12, "neck_bmd_sd": 0.06}, {"neck_bmd": 0.9}
    screening = interpret(found(right, left, osteoporosis_probability=0.7), ADULT, uncertainty=JOINED)
    true_t = NormalDist(-0.2 - 0.9 * 2.6 - 0.25 * math.log(0.7 / 0.3), 1.5 * 0.5)
    assert screening.osteoporosis_probability == pytest.approx(true_t.cdf(-2.5), abs=1e-6)
    assert screening.low_bone_mass_probability == pytest.approx(true_t.cdf(-1.0), abs=1e-6)
    assert screening.triage is Triage.UNCERTAIN and screening.category is None
    surer = interpret(found(right, left, osteoporosis_probability=1.0), ADULT, uncertainty=JOINED)
    assert surer.osteoporosis_probability > screening.osteoporosis_probability, "1 is clipped, and no end of the world"


def test_a_category_that_triage_does_not_agree_with_is_not_told():
    sure = replace(JOINED, lowest_t=LowestT(-1.5, 1.0, 0.0, 1.0))
    bones = {"neck_bmd": 0.858 - 2.4 * 0.12, "total_bmd": 1.0}
    screening = interpret(found(bones, bones), ADULT, uncertainty=sure)
    assert screening.triage is Triage.LIKELY and screening.category is None


def test_an_implanted_hip_is_refused_and_the_other_decides():
    screening = interpret(found(right={"metal_fraction": 0.4, "neck_bmd": 0, "total_bmd": 0}), ADULT)
    right, left = screening.hips
    assert right.reason.code == Code.IMPLANT and not right.estimates
    assert left.reason is None and screening.reason is None
    assert screening.lowest.side == "left"


@pytest.mark.parametrize(
    ("hip", "code", "words"),
    [
        ({"landmark_confidence": 0.01}, Code.NO_FEMUR, "No proximal femur found"),
        ({"shaft_abduction_deg": 47.0}, Code.NOT_AP, "abducted by 47 degrees as in a frog-leg view"),
        ({"shaft_abduction_deg": 47.0, "landmark_confidence": 0.2}, Code.NOT_AP, "only measured on an AP"),
        ({"shaft_abduction_deg": -40.0}, Code.NOT_AP, "adducted by 40 degrees"),
        ({"metal_fraction": 0.3, "landmark_confidence": 0.2}, Code.IMPLANT, "30%"),
        ({"landmark_confidence": 0.2}, Code.CUT_OFF, "0.20"),
        ({"neck_bmd": 0.0}, Code.CUT_OFF, "shown whole"),
        ({"femur_probability": 0.01}, Code.NO_FEMUR, "neither looks nor is drawn like an adult's proximal femur"),
        ({"femur_probability": math.nan}, Code.NO_FEMUR, "neither looks nor is drawn"),
        ({"fracture_probability": 0.97}, Code.FRACTURE, "broken or deformed (probability 97%"),
        ({"fracture_probability": 0.97, "landmark_confidence": 0.2}, Code.FRACTURE, "radiologist"),
        ({"fracture_probability": 0.97, "metal_fraction": 0.3}, Code.IMPLANT, "Metal"),
        ({"fracture_probability": 0.97, "shaft_abduction_deg": 47.0}, Code.FRACTURE, "broken"),
        ({"fracture_probability": 0.97, "growth_probability": 0.9}, Code.NOT_ADULT, "growth plates are open (probability 90%"),
        ({"outward_rotation_deg": 62.0}, Code.ROTATED, "turned outward by 62 degrees"),
        ({"outward_rotation_deg": -55.0}, Code.ROTATED, "turned inward by 55 degrees"),
        ({"fracture_probability": math.nan}, Code.FRACTURE, "broken"),
        ({"outward_rotation_deg": math.nan}, Code.ROTATED, "turned"),
        ({"contour_agreement": 0.93}, Code.UNSURE_CONTOUR, "agrees with itself by 0.93"),
        ({"contour_agreement": 0.5}, Code.NO_FEMUR, "No proximal femur found"),
        ({"contour_agreement": math.nan}, Code.NO_FEMUR, "No proximal femur found"),
        ({"landmark_confidence": math.nan}, Code.NO_FEMUR, "No proximal femur found"),
        ({"total_bmd": math.nan}, Code.CUT_OFF, "shown whole"),
        ({"shaft_abduction_deg": math.nan}, Code.CUT_OFF, "shown whole"),
    ],
)
def test_a_radiograph_whose_every_hip_is_refused_is_refused_for_the_same_reason(hip, code, words):
    screening = interpret(found(right=hip, left={"landmark_confidence": 0.0}), ADULT, gate=STRICT)
    assert screening.reason.code == code
    assert words in screening.reason.sentence
    assert not any(hip.estimates for hip in screening.hips)
    assert screening.lowest is screening.category is screening.triage is screening.osteoporosis_probability is None
    assert screening.low_bone_mass_probability is screening.classifier_probability is None


def test_hips_refused_for_different_reasons_are_both_told():
    reason = interpret(found(right={"metal_fraction": 0.3}, left={"shaft_abduction_deg": 50}), ADULT).reason
    assert reason.code == Code.IMPLANT
    assert "right" in reason.sentence and "left femur is abducted" in reason.sentence


def test_limits_belong_to_the_allowed_range():
    on_the_limit = {
        "shaft_abduction_deg": LIMITS.shaft_angle_at_most_deg,
        "landmark_confidence": LIMITS.complete_at_least,
        "femur_probability": LIMITS.femur_at_least,
        "metal_fraction": LIMITS.implant_at_most,
        "fracture_probability": LIMITS.fracture_at_most,
        "outward_rotation_deg": -LIMITS.rotation_inward_at_most_deg,
        "contour_agreement": LIMITS.agreement_at_least,
    }
    picture = {
        "hip_view": LIMITS.hip_view_at_least,
        "novelty": LIMITS.novelty_at_most,
        "pelvic_turn_deg": -LIMITS.pelvic_turn_at_most_deg,
    }
    assert interpret(found(right=on_the_limit, **picture), ADULT).hips[0].reason is None


@pytest.mark.parametrize(
    ("picture", "code", "words"),
    [
        ({"hip_view": 0.03}, Code.NOT_A_HIP, "does not look like an upright AP radiograph of an adult's hip"),
        ({"hip_view": math.nan}, Code.NOT_A_HIP, "does not look like"),
        ({"novelty": 1e6}, Code.NOVEL, "unlike all radiographs"),
        ({"novelty": math.nan}, Code.NOVEL, "unlike all radiographs"),
        ({"pelvic_turn_deg": -31.0}, Code.ROTATED, "pelvis is turned by 31 degrees"),
        ({"hip_view": 0.03, "novelty": 1e6, "pelvic_turn_deg": 90.0}, Code.NOT_A_HIP, "does not look like"),
    ],
)
def test_the_picture_can_refuse_the_whole_radiograph(picture, code, words):
    screening = interpret(found(**picture), ADULT)
    assert screening.reason.code == code
    assert words in screening.reason.sentence
    assert not any(hip.estimates for hip in screening.hips)
    assert [hip.reason for hip in screening.hips] == [screening.reason] * 2


def test_a_frog_leg_view_is_told_from_a_picture_of_no_hip():
    frog, absent = {"shaft_abduction_deg": 50.0}, {"landmark_confidence": 0.0}
    screening = interpret(found(right=frog, left=absent, hip_view=0.01, novelty=1e6), ADULT)
    assert screening.reason.code == Code.NOT_AP
    assert interpret(found(right=frog, hip_view=0.01), ADULT).reason.code == Code.NOT_A_HIP
    # Metal on a chest is no hip's: what is found there is not drawn twice alike.
    chest = {"metal_fraction": 0.4, "contour_agreement": 0.7}
    assert interpret(found(right=chest, left=absent, hip_view=0.01), ADULT).reason.code == Code.NOT_A_HIP


@pytest.mark.parametrize(
    ("exposure", "words"),
    [
        ({**CLEAR, "exposure_black": 0.3}, "30% of the right proximal femur is flat black, without any detail"),
        ({**CLEAR, "exposure_white": 0.4}, "flat white"),
        ({**CLEAR, "exposure_contrast": 0.01}, "hardly any contrast"),
        ({**CLEAR, "exposure_noise": 0.9}, "Noise at the right proximal femur"),
        ({**CLEAR, "exposure_edge": -0.6}, "or less dense (by -0.60 of its contrast, expected 0.15 or more)"),
        ({**CLEAR, "exposure_edge": 0.06}, "hardly denser than the tissue beside it"),
    ],
)
def test_a_hip_that_is_badly_exposed_is_refused_and_the_other_measured(exposure, words):
    screening = interpret(found(), replace(ADULT, measured=(exposure, CLEAR)))
    right, left = screening.hips
    assert right.reason.code == Code.EXPOSURE and words in right.reason.sentence
    assert left.estimates and screening.reason is None


def test_heads_of_an_impossible_size_betray_the_pixel_size():
    for diameters in ((97.0, 95.0), (22.0, None)):
        # Such a picture looks like no hip either: the truer reason is told.
        screening = interpret(found(hip_view=0.01), replace(ADULT, measured=heads(*diameters)))
        assert screening.reason.code == Code.WRONG_SCALE
        assert f"{diameters[0]:.0f} mm wide" in screening.reason.sentence


def test_heads_of_cartilage_are_a_childs_on_both_sides():
    pale = {**CLEAR, "head_diameter_mm": 45.0, "head_density": LIMITS.head_density_at_least - 0.1}
    growing = {"growth_probability": LIMITS.growth_possible_from + 0.05}
    screening = interpret(found(growing, growing), replace(ADULT, measured=(pale, {})))
    assert screening.reason.code == Code.NOT_ADULT and "of cartilage (right: by -0.15" in screening.reason.sentence
    assert not any(hip.estimates for hip in screening.hips)


def test_a_head_that_shows_little_is_an_adults_where_growth_plates_are_closed():
    pale = {**CLEAR, "head_diameter_mm": 45.0, "head_density": LIMITS.head_density_at_least - 0.1}
    screening = interpret(found({"growth_probability": 0.01}), replace(ADULT, measured=(pale, {})))
    assert screening.reason is None and all(hip.estimates for hip in screening.hips)


def test_one_head_of_a_believable_size_vouches_for_the_scale():
    assert interpret(found(), replace(ADULT, measured=heads(97.0, 46.0))).reason is None
    implanted = interpret(found(left={"metal_fraction": 0.3}), replace(ADULT, measured=heads(97.0, 46.0)))
    assert [hip.reason.code for hip in implanted.hips] == [Code.WRONG_SCALE, Code.IMPLANT]


def test_what_the_gate_saw_is_told_with_the_outcome():
    measured = {**CLEAR, "head_diameter_mm": 45.0}
    seen = found({"fracture_probability": 0.1, "outward_rotation_deg": -7.0}, novelty=0.6, pelvic_turn_deg=-4.0)
    screening = interpret(seen, replace(ADULT, measured=(measured, {})))
    right, left = (hip.values for hip in screening.hips)
    assert right == {**HIP, "fracture_probability": pytest.approx(0.1), "outward_rotation_deg": -7.0, **measured}
    assert left == HIP, "what was not outlined was not measured"
    assert screening.values == {"hip_view": 0.99, "novelty": 0.6, "pelvic_turn_deg": -4.0, "pelvic_tilt_deg": 4.0}


def test_thresholds_of_other_weights_are_told_and_do_not_judge_novelty():
    calibrated = json.loads(NETWORK_GATE_FILE.read_text())["weights_sha256"]
    assert load_gate(weights_sha256=calibrated) == load_gate()
    foreign = load_gate(weights_sha256="0" * 64)
    screening = interpret(found(novelty=1e6), ADULT, gate=foreign)
    assert screening.reason is None
    assert any("calibrated for other weights" in note for note in screening.notes)
    assert any("other weights" in note for note in interpret(found(hip_view=0.0), ADULT, gate=foreign).notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content["limits"].pop("fracture_at_most"), "no limit fracture_at_most"),
        (lambda content: content["limits"].update(misspelt={"value": 1}), "knows no limit misspelt"),
        (lambda content: content["limits"].update(novelty_at_most={"value": "far"}), "'novelty_at_most' has value 'far'"),
        (lambda content: content.pop("limits"), "has no 'limits'"),
    ],
)
def test_a_bad_threshold_is_named_with_its_file(tmp_path, change, words):
    content = json.loads(NETWORK_GATE_FILE.read_text())
    change(content)
    (tmp_path / "gate.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"gate\.json.*{words}"):
        load_gate(tmp_path / "gate.json")


def test_a_gate_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json: the gate's thresholds cannot be read"):
        load_gate(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (RadiographFacts(age_years=12), Code.NOT_ADULT),
        (RadiographFacts(age_years=19.9), Code.NOT_ADULT),
        (RadiographFacts(age_years=70, view="LATERAL"), Code.NOT_AP),
    ],
)
def test_the_header_can_refuse_the_whole_radiograph(facts, code):
    screening = interpret(found(), facts)
    assert screening.reason.code == code
    assert not any(hip.estimates for hip in screening.hips)


@pytest.mark.parametrize(
    ("neck_bmd", "expectation"), [(0.75, Expectation.WITHIN), (0.62, Expectation.WITHIN), (0.60, Expectation.BELOW)]
)
def test_below_fifty_there_is_a_z_score_and_no_t_score(neck_bmd, expectation):
    low = {"neck_bmd": neck_bmd}
    screening = interpret(found(right=low), RadiographFacts(age_years=35, sex="F", view="AP"))
    neck = screening.hips[0].estimates["neck"]
    assert screening.reason is None and neck.t_score is neck.t_interval is None
    assert neck.z_score == pytest.approx((neck_bmd - 0.83) / 0.11)
    assert neck.z_interval[0] < neck.z_score < neck.z_interval[1]
    assert screening.expectation == expectation
    assert screening.category is screening.triage is screening.lowest is screening.osteoporosis_probability is None
    assert any("Z-score" in note for note in screening.notes)


def test_the_ages_of_each_score_begin_where_they_say():
    for age, t_score in ((20.0, False), (49.9, False), (50.0, True)):
        screening = interpret(found(), RadiographFacts(age_years=age, sex="M"))
        assert screening.reason is None
        assert (screening.lowest is not None) == (screening.expectation is None) == t_score


def test_a_z_score_needs_age_and_sex():
    for facts in (RadiographFacts(age_years=70), RadiographFacts(sex="F")):
        assert interpret(found(), facts).hips[0].estimates["total"].z_score is None
    young = interpret(found(), RadiographFacts(age_years=35))
    assert young.expectation is None and any("Sex unknown" in note for note in young.notes)
    assert interpret(found(), ADULT).hips[0].estimates["total"].z_score == pytest.approx((0.85 - 0.78) / 0.125)


def test_what_was_assumed_is_passed_on():
    facts = RadiographFacts(assumptions=("Magnification 1.15 assumed.",))
    notes = interpret(found(), facts).notes
    assert "Magnification 1.15 assumed." in notes
    assert any("Age unknown" in note for note in notes)


def test_men_are_compared_with_men_only_on_request():
    man = RadiographFacts(age_years=70, sex="M")
    t_default = interpret(found(), man).hips[0].estimates["neck"].t_score
    t_male = interpret(found(), man, sex_specific=True).hips[0].estimates["neck"].t_score
    assert t_default == pytest.approx((0.75 - 0.858) / 0.12)
    assert t_male == pytest.approx((0.75 - 0.934) / 0.137)


def test_a_laterality_that_contradicts_the_picture_refuses_the_radiograph():
    facts = RadiographFacts(age_years=70, laterality="R")
    screening = interpret(found(right={"landmark_confidence": 0.0}), facts)
    assert screening.reason.code == Code.SIDE_CONTRADICTION and not screening.hips[1].estimates
    assert interpret(found(right={"landmark_confidence": 0.0}, hip_view=0.0), facts).reason.code == Code.NOT_A_HIP


def test_a_marker_on_the_wrong_side_refuses_the_film():
    facts = RadiographFacts(age_years=70, markers=(SideMarker("R", "right"),))
    assert interpret(found(), facts).reason.code == Code.SIDE_CONTRADICTION


def test_a_refusal_survives_a_worker_process():
    error = RefusedError(Reason(Code.NOT_A_HIP, "A chest."))
    assert pickle.loads(pickle.dumps(error)).reason == error.reason


def test_what_does_not_look_like_a_femur_is_not_measured_beside_a_hip_that_is():
    screening = interpret(found(left={"femur_probability": 0.01}), ADULT)
    assert screening.reason is None and screening.hips[0].estimates
    assert screening.hips[1].reason.code == Code.NO_FEMUR
    assert "neither looks nor is drawn like an adult's proximal femur" in screening.hips[1].reason.sentence


def test_a_judgement_that_does_not_decide_alone_is_a_caution_where_the_drawing_shows_an_adults_femur():
    drawn = replace(ADULT, measured=heads(46.0, 45.0))
    sure, doubtful = interpret(found(), drawn), interpret(found({"femur_probability": 0.01}, hip_view=0.01), drawn)
    assert doubtful.reason is None and not any(hip.cautions for hip in sure.hips)
    right, left = doubtful.hips
    assert [caution.code for caution in right.cautions] == [Doubt.UNUSUAL_VIEW, Doubt.UNUSUAL_FEMUR]
    assert [caution.code for caution in left.cautions] == [Doubt.UNUSUAL_VIEW]
    assert "looks unusual (probability of such a femur 0.01" in right.cautions[1].sentence
    for site in ("neck", "total"):
        known, unsure = sure.hips[1].estimates[site], left.estimates[site]
        assert unsure.t_score == known.t_score
        assert unsure.bmd_sd == pytest.approx(LIMITS.doubt_widens_by * known.bmd_sd)
        assert unsure.t_interval[0] < known.t_interval[0] and unsure.t_interval[1] > known.t_interval[1]


def test_what_a_reader_must_know_of_a_hip_is_told_before_what_is_wrong_with_the_picture():
    broken = {"fracture_probability": 0.97, "femur_probability": 0.01}
    screening = interpret(found(right=broken, hip_view=0.01, pelvic_turn_deg=40.0), ADULT)
    assert [hip.reason.code for hip in screening.hips] == [Code.FRACTURE, Code.NOT_A_HIP]
    assert screening.reason.code == Code.FRACTURE and "does not look like an upright AP" in screening.reason.sentence
    # A header knows a child for certain.
    assert interpret(found(right=broken), RadiographFacts(age_years=12)).reason.code == Code.NOT_ADULT


def test_a_doubtful_scale_is_a_caution_of_the_hips_that_it_concerns():
    caution = Caution(Doubt.ONE_HEAD, "The heads differ.")
    right, left = interpret(found(), replace(ADULT, cautions=((caution,), ()))).hips
    assert right.cautions == (caution,) and left.cautions == () and right.estimates
    assert right.estimates["neck"].bmd_sd == pytest.approx(LIMITS.doubt_widens_by * left.estimates["neck"].bmd_sd)
