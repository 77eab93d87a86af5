"""The precision error of repeated radiographs, by hand and from the manifest's column."""

import dataclasses
import math

import numpy as np
import pytest
from evaluation_cases import make_case, make_hip
from scripts.clinical import load_criteria
from scripts.dataset.truth import read_truth
from scripts.evaluation.accuracy.metrics import measure_repeatability
from scripts.evaluation.statistics.repeatability import measure_repeats


@pytest.mark.parametrize(
    ("groups", "freedom", "rms_sd", "rms_cv"),
    [
        # two measurements each: SD = |difference| / root of 2
        ([[0.80, 0.82], [0.70, 0.66]], 2, math.sqrt((0.0002 + 0.0008) / 2), None),
        ([[0.9, 1.0, 1.1]], 2, 0.1, 0.1),
        # pooled by degrees of freedom: three of SD 0.1 count twice as much as two of SD 0
        ([[0.9, 1.0, 1.1], [0.5, 0.5]], 3, 0.1 * math.sqrt(2 / 3), 0.1 * math.sqrt(2 / 3)),
        ([[0.9, 1.0, 1.1], [0.3]], 2, 0.1, 0.1),
    ],
)
def test_it_is_pooled_over_hips_by_their_degrees_of_freedom(groups, freedom, rms_sd, rms_cv):
    found = measure_repeats([np.array(group) for group in groups])
    assert found["degrees_of_freedom"] == freedom
    assert found["rms_sd"] == pytest.approx(rms_sd)
    assert found["least_significant_change"] == pytest.approx(2.77 * rms_sd)
    if rms_cv is not None:
        assert found["rms_cv"] == pytest.approx(rms_cv)


def test_without_a_repeat_nothing_is_known():
    found = measure_repeats([np.array([0.8])])
    assert found["hips"] == 0 and math.isnan(found["rms_sd"]) and math.isnan(found["least_significant_change"])


def case_of(name, patient, right, left=math.nan, **row):
    truth = read_truth({"patient_id": patient, **row})
    hips = (make_hip("right", total=right), make_hip("left", total=left, code="" if math.isfinite(left) else "IMPLANT"))
    case = make_case(name, hips=hips, dxa_lowest_t=math.nan, probability=0.1, lowest_t=-1.0, patient=patient)
    return dataclasses.replace(case, repeat_of=truth.repeat_of)


def test_a_hip_is_compared_with_itself_alone_and_only_where_the_manifest_calls_it_a_repeat():
    cases = [
        case_of("a1", "A", 0.80, 0.90, repeat="1"),
        case_of("a2", "A", 0.82, repeat="2"),  # the left hip is refused
        case_of("b1", "B", 0.60, 0.61, repeat="1"),
        case_of("b2", "B", 0.60, 0.65, repeat="2"),
        case_of("c1", "C", 0.5),
        case_of("c2", "C", 0.9),  # years later
        case_of("d1", "D", 0.5, repeat="1", cortex_factor="1.0"),
        case_of("d2", "D", 0.9, repeat="1", cortex_factor="1.2"),  # mineral that was altered
    ]
    total = measure_repeatability(cases, load_criteria(), 0)["total"]
    assert (total["hips"], total["degrees_of_freedom"]) == (3, 3)
    assert total["rms_sd"] == pytest.approx(math.sqrt((0.0002 + 0.0 + 0.0008) / 3))


def test_a_row_is_a_repeat_where_its_patient_is_known():
    assert read_truth({"repeat": "1"}).repeat_of == ()
    assert read_truth({"patient_id": "A"}).repeat_of == ()
    same = [read_truth({"patient_id": "A", "repeat": number}).repeat_of for number in "12"]
    assert same[0] == same[1] != ()
