"""The femoral neck that FRAX can be given."""

import pytest
from scripts.clinical import RadiographFacts, interpret
from values import found

LEFT_LOWER = {"neck_bmd": 0.618}
IMPLANTED = {"metal_fraction": 0.3}


def frax_of(right=None, left=None, age_years=70.0, sex="F", **asked):
    return interpret(found(right, left), RadiographFacts(age_years=age_years, sex=sex), **asked).frax


def test_the_lower_of_two_necks_is_given_with_its_side_and_interval():
    neck = frax_of(left=LEFT_LOWER)
    assert (neck.side, neck.t_score) == ("left", pytest.approx(-2.0))
    assert neck.t_interval == (pytest.approx(-2.685, abs=1e-3), pytest.approx(-1.315, abs=1e-3))
    assert "lower of the necks measured" in neck.expects and "for both sexes" in neck.expects


def test_a_lower_total_hip_is_no_neck():
    assert frax_of(right={"total_bmd": 0.4}, left=LEFT_LOWER).side == "left"


def test_a_refused_hip_has_no_neck_and_without_any_there_is_none():
    assert frax_of(left={**LEFT_LOWER, **IMPLANTED}).side == "right"
    assert frax_of(IMPLANTED, IMPLANTED) is None


@pytest.mark.parametrize(
    ("age_years", "given"), [(39.9, False), (40.0, True), (49.0, True), (90.9, True), (91.0, False), (None, False)]
)
def test_it_is_of_the_ages_that_frax_takes(age_years, given):
    assert (frax_of(age_years=age_years) is not None) == given


def test_the_reference_is_of_women_for_men_too_even_where_t_scores_are_of_men():
    assert frax_of(left=LEFT_LOWER, sex="M", sex_specific=True).t_score == pytest.approx(-2.0)
