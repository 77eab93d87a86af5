import pytest
from scripts.clinical import Category, Expectation, classify, load_criteria, load_reference


@pytest.mark.parametrize(
    ("bmd", "site", "sex", "expected"),
    [
        (0.858, "neck", "F", 0.0),
        (0.558, "neck", "F", -2.5),
        (0.942, "total", "F", 0.0),
        (0.820, "total", "F", -1.0),
        (0.934, "neck", "M", 0.0),
        (0.897, "total", "M", -1.0),
    ],
)
def test_t_score_counts_standard_deviations_from_young_adults(bmd, site, sex, expected):
    reference = load_reference()
    assert reference.t_score(bmd, site, sex=sex) == pytest.approx(expected)
    assert reference.bmd(expected, site, sex=sex) == pytest.approx(bmd)


def test_the_female_reference_serves_both_sexes_by_default():
    reference = load_reference()
    assert reference.t_score(0.7, "neck") == reference.t_score(0.7, "neck", sex="F")


def test_an_unknown_site_is_named():
    with pytest.raises(ValueError, match=r"NHANES III.*'spine'"):
        load_reference().t_score(1.0, "spine")


@pytest.mark.parametrize(
    ("t_score", "category"),
    [
        (-4.0, Category.OSTEOPOROSIS),
        (-2.5, Category.OSTEOPOROSIS),
        (-2.49, Category.LOW_BONE_MASS),
        (-1.01, Category.LOW_BONE_MASS),
        (-1.0, Category.NORMAL),
        (1.0, Category.NORMAL),
    ],
)
def test_categories_are_the_whos(t_score, category):
    assert classify(t_score) == category


def test_a_bmd_exactly_on_a_cut_point_is_not_moved_across_it_by_rounding():
    reference = load_reference()
    for site in ("neck", "total"):
        assert classify(reference.t_score(reference.bmd(-2.5, site), site)) == Category.OSTEOPOROSIS
        assert classify(reference.t_score(reference.bmd(-1.0, site), site)) == Category.NORMAL


def test_a_normal_interval_is_the_central_90_percent():
    assert load_criteria().normal_quantiles == (pytest.approx(-1.6449, abs=1e-4), pytest.approx(1.6449, abs=1e-4))


@pytest.mark.parametrize(
    ("age", "sex", "site", "mean", "sd"),
    [
        (25, "F", "neck", 0.858, 0.120),
        (20, "F", "total", 0.942, 0.122),
        (60, "F", "total", 0.84, 0.125),
        (95, "M", "neck", 0.72, 0.125),
    ],
)
def test_z_score_counts_standard_deviations_from_people_of_the_same_age_and_sex(age, sex, site, mean, sd):
    reference = load_reference()
    assert reference.z_score(mean, site, sex, age) == pytest.approx(0.0)
    assert reference.z_score(mean - 2 * sd, site, sex, age) == pytest.approx(-2.0)


def test_those_of_ones_age_begin_as_the_young_adults_and_lose_bone():
    reference = load_reference()
    for sex in ("F", "M"):
        for site in ("neck", "total"):
            assert reference.z_score(0.7, site, sex, 25) == pytest.approx(reference.t_score(0.7, site, sex))
            means = [reference.by_age[sex][site].at(age).mean for age in range(20, 95, 5)]
            assert means == sorted(means, reverse=True)


@pytest.mark.parametrize(("z_score", "expectation"), [(-2.0, Expectation.BELOW), (-1.99, Expectation.WITHIN)])
def test_what_is_expected_for_age_is_the_iscds(z_score, expectation):
    assert load_criteria().expectation(z_score) == expectation
