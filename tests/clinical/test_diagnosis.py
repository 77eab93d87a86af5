import pytest
from scripts.clinical import Category, Triage, classify, load_criteria, load_reference


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


@pytest.mark.parametrize(
    ("t_score", "triage"),
    [(-2.9, Triage.LIKELY), (-2.89, Triage.UNCERTAIN), (-2.3, Triage.UNCERTAIN), (-2.29, Triage.UNLIKELY)],
)
def test_triage_leaves_a_grey_zone_to_dxa(t_score, triage):
    assert load_criteria().triage(t_score) == triage


def test_interval_is_the_central_90_percent():
    low, high = load_criteria().interval(0.8, 0.05)
    assert (low, high) == (pytest.approx(0.8 - 1.6449 * 0.05, abs=1e-5), pytest.approx(0.8 + 1.6449 * 0.05, abs=1e-5))
