"""The numbers of a study's page: calibration, net benefit, refusals counted in all ways, subgroups, and the checklists."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from scripts.clinical import load_criteria
from scripts.evaluation.accuracy.decisions import (
    RULES,
    TESTS,
    measure_calibration,
    measure_lowest_t,
    measure_net_benefit,
    measure_refusals,
)
from scripts.evaluation.accuracy.patients import group_patients
from scripts.evaluation.accuracy.subgroups import find_subgroups
from scripts.evaluation.statistics.calibration import calibration_intercept, calibration_slope, observed_over_expected
from scripts.evaluation.statistics.net_benefit import net_benefit, net_benefit_of_all
from scripts.evaluation.study.checklists import ANSWERED, FILE, IN_PART, PERSON, load_checklists
from scripts.evaluation.study.flow import cross
from scripts.evaluation.study.table import Estimate, Table
from studies import draw_patients

CRITERIA = load_criteria()
NUMBERED = {"CLAIM 2024": 44, "TRIPOD+AI": 27, "STARD-AI": 40}
ANCHORS = (
    "summary", "question", "methods", "flow", "cohort", "performance", "calibration", "decision", "agreement", "contours",
    "subgroups", "sensitivity", "failures", "limits", "provenance",
)  # fmt: skip


def drawn(count=4000, seed=1):
    """Probabilities, and a truth that they are right of."""
    random = np.random.default_rng(seed)
    probability = random.uniform(0.02, 0.9, count)
    return probability, (random.uniform(size=count) < probability).astype(float)


def test_a_right_probability_is_calibrated_and_a_wrong_one_is_not():
    probability, has = drawn()
    assert observed_over_expected(probability, has) == pytest.approx(1, abs=0.05)
    assert calibration_intercept(probability, has) == pytest.approx(0, abs=0.1)
    slope, (low, high) = calibration_slope(probability, has)
    assert slope == pytest.approx(1, abs=0.1) and low < slope < high and high - low < 0.2
    logits = np.log(probability / (1 - probability))
    assert calibration_slope(1 / (1 + np.exp(-2 * logits)), has)[0] == pytest.approx(0.5, abs=0.05)  # too extreme
    assert calibration_intercept(1 / (1 + np.exp(-logits - 1)), has) == pytest.approx(-1, abs=0.1)  # too high
    assert observed_over_expected(np.minimum(2 * probability, 1), has) < 0.7


def test_calibration_of_one_class_or_of_classes_wholly_apart_has_no_number():
    probability = np.array([0.1, 0.2, 0.8, 0.9])
    assert math.isnan(calibration_intercept(probability, np.zeros(4))) and math.isnan(
        calibration_slope(probability, np.ones(4))[0]
    )
    assert math.isnan(calibration_slope(probability, np.array([0.0, 0.0, 1.0, 1.0]))[0])
    assert math.isnan(calibration_slope(np.full(4, 0.5), np.array([0.0, 1.0, 0.0, 1.0]))[0])


def test_net_benefit_is_true_positives_less_weighed_false_ones():
    probability, positive = np.array([0.9, 0.6, 0.3, 0.1]), np.array([True, False, True, False])
    found = net_benefit(probability, positive, np.array([0.2, 0.5]))
    assert found == pytest.approx([2 / 4 - 1 / 4 * 0.25, 1 / 4 - 1 / 4])
    assert net_benefit_of_all(positive, np.array([0.5])) == pytest.approx([0.0])


def test_calibration_and_net_benefit_are_of_the_patients_with_an_answer(cases):
    found = measure_calibration(cases, CRITERIA, 0)
    assert (found["patients"], found["with_osteoporosis"]) == (3, 1)
    assert found["observed_over_expected"] == pytest.approx(1 / 1.5) and math.isnan(found["intercept_ci95"][0])
    many = measure_calibration(draw_patients(120), CRITERIA, 0)
    assert many["brier_ci95"][0] < many["brier"] < many["brier_ci95"][1]
    at = measure_net_benefit(cases, CRITERIA, 0)["at_50_percent"]
    assert at["net_benefit"] == pytest.approx(1 / 3 - 1 / 3) and at["share_sent"] == pytest.approx(2 / 3)


def test_the_lowest_t_scores_of_patients_are_compared(cases):
    found = measure_lowest_t(cases, CRITERIA, 0)
    assert (found["hips"], found["patients"]) == (3, 3)
    assert found["bias"] == pytest.approx((-0.3 + 0.0 + 0.1) / 3)


def test_patients_without_an_answer_count_in_every_way(cases):
    found = measure_refusals(cases, CRITERIA, 0)
    assert set(found) == set(RULES) and all(set(TESTS) < set(one) for one in found.values())
    sensitivity = {rule: one["joint_probability"]["sensitivity"] for rule, one in found.items()}
    # a is found, d, with osteoporosis, is refused
    assert sensitivity == {"answered": 1.0, "known_covariates": 1.0, "referred": 1.0, "cleared": 0.5, "wrong": 0.5}
    healthy = dataclasses.replace(cases[3], name="e", patient="e", dxa_lowest_t=0.0)
    more = measure_refusals([*cases, healthy], CRITERIA, 0)
    specificity = {rule: one["joint_probability"]["specificity"] for rule, one in more.items()}
    assert specificity["answered"] == 0.5 and specificity["cleared"] == pytest.approx(2 / 3)
    assert specificity["referred"] == specificity["wrong"] == pytest.approx(1 / 3)
    assert found["answered"]["dxa_unless_unlikely"]["specificity"] == 0.5  # b is likely, c unlikely
    unknown = dataclasses.replace(cases[0], covariates=(70.0, math.nan, 65.0, 160.0))
    assert measure_refusals([unknown, *cases[1:]], CRITERIA, 0)["known_covariates"]["patients"] == 2


def test_triage_is_crossed_with_what_dxa_says(cases):
    table = cross(group_patients(cases, CRITERIA), CRITERIA)
    assert [tuple(map(str, row)) for row in table.rows] == [
        ("osteoporosis likely", "1", "1", "0", "2"),
        ("osteoporosis unlikely", "0", "0", "1", "1"),
        ("no answer", "1", "0", "0", "1"),
    ]


def test_subgroups_hold_their_own_patients_and_hips():
    patients = draw_patients(90)
    found = {(one.by, one.group): one for one in find_subgroups(patients, CRITERIA, 0)}
    women, men = found["sex", "women"], found["sex", "men"]
    assert women.patients + men.patients == found["all", ""].patients == 90
    assert women.hips + men.hips == found["all", ""].hips and women.bias_ci95[0] < women.bias < women.bias_ci95[1]
    assert {group for by, group in found if by == "build"} >= {"BMI under 25", "unknown"}
    assert ("split", "external") not in found  # the only one
    turned = found["femoral rotation", "15 to 40° outward"]
    assert turned.patients is None and math.isnan(turned.auc) and turned.hips > 0


def test_the_checklists_are_whole_and_say_only_what_the_page_has():
    content = json.loads(FILE.read_text())
    for one in content["checklists"]:
        items = [item for section in one["sections"] for item in section["items"]]
        numbers = [item["number"] for item in items]
        mains = list(dict.fromkeys(int(re.match(r"\d+", number)[0]) for number in numbers))
        assert mains == list(range(1, NUMBERED[one["name"]] + 1)) and len(set(numbers)) == len(numbers)
        assert re.fullmatch(r"10\.\d{4,}/\S+", one["doi"]) and one["checked"]
        assert all(item["topic"] and item["asks"] and set(item["here"]) <= set(ANCHORS) for item in items)
        assert all(item["here"] or item["docs"] or item["person"] for item in items)


def test_an_item_is_answered_in_part_or_left_to_a_person():
    computed = dict.fromkeys(ANCHORS, True)
    claim, tripod, _ = load_checklists(computed, simulated=False)
    status = {item.number: item.status for item in claim.items}
    assert (status["35"], status["33"], status["44"]) == (ANSWERED, IN_PART, PERSON)
    assert sum(claim.count().values()) == 44
    ethics = {item.number: item for item in tripod.items}["17"]
    assert ethics.status == PERSON and ethics.person
    simulated = {item.number: item for item in load_checklists(computed, simulated=True)[1].items}["17"]
    assert simulated.status == ANSWERED and "simulated" in simulated.note
    lacking = load_checklists({**computed, "calibration": False}, simulated=False)[1]
    performance = {item.number: item for item in lacking.items}["23a"]
    assert performance.status == IN_PART and performance.not_here == ["calibration"]


def test_a_table_gives_an_interval_columns_of_its_own(tmp_path):
    table = Table("t", "Title", {"a": "A", "b": "B"}, [["x", Estimate(0.5, (0.25, 0.75))], ["y", None]])
    table.write(tmp_path)
    assert (tmp_path / "t.csv").read_text().splitlines() == ["a,b,b_ci95_low,b_ci95_high", "x,0.5,0.25,0.75", "y,,,"]
    assert table.shown()["rows"] == [["x", "0.500 (0.250 to 0.750)"], ["y", ""]]
