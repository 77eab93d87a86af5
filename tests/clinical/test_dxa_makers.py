"""The scales of DXA's makers, by the published formulas."""

import math

import pytest
from scripts.clinical import Maker, convert_bmd, load_reference, quantities_on_scale

EVERY = [(of, to, site) for of in Maker for to in Maker for site in ("neck", "total")]


@pytest.mark.parametrize(
    ("bmd", "site", "of", "to", "expected"),
    [
        # Lu 2001 (neck) and Hanson 1997 (total): sBMD, here in g/cm2, of 1 g/cm2 by either maker
        (1.0, "neck", "hologic", "standardised", 1.106),
        (1.0, "total", "hologic", "standardised", 1.014),
        (1.0, "neck", "lunar", "standardised", 0.916),
        (1.0, "total", "lunar", "standardised", 0.948),
        # NHANES III's young women, by Hologic, and the means of GE Lunar's software for them (recalled)
        (0.858, "neck", "hologic", "lunar", 1.038),
        (0.942, "total", "hologic", "lunar", 1.008),
        (1.038, "neck", "lunar", "hologic", 0.858),
        (1.008, "total", "lunar", "hologic", 0.942),
    ],
)
def test_published_pairs(bmd, site, of, to, expected):
    assert convert_bmd(bmd, site, of, to) == pytest.approx(expected, abs=6e-4)


def test_a_standard_deviation_of_young_women_is_wider_by_lunar():
    reference = load_reference()
    low, mean = (convert_bmd(reference.bmd(t_score, "neck"), "neck", "hologic", "lunar") for t_score in (-1.0, 0.0))
    assert mean - low == pytest.approx(0.139, abs=5e-4)


@pytest.mark.parametrize(("of", "to", "site"), EVERY)
def test_there_and_back_is_the_same(of, to, site):
    assert convert_bmd(convert_bmd(0.71, site, of, to), site, to, of) == pytest.approx(0.71)
    assert math.isnan(convert_bmd(math.nan, site, of, to))


@pytest.mark.parametrize(("site", "of", "told"), [("lumbar", "lunar", "'lumbar' is no site"), ("neck", "norland", "'norland'")])
def test_what_has_no_formula_is_named(site, of, told):
    with pytest.raises(ValueError, match=told):
        convert_bmd(0.7, site, of, "hologic")


def test_the_estimates_own_scale_needs_no_further_quantity():
    assert not quantities_on_scale("hologic")
    neck, total = quantities_on_scale("lunar").values()
    assert (neck.name, total.name) == ("neck_bmd_lunar_g_cm2", "total_bmd_lunar_g_cm2")
    assert "scale of GE Lunar" in neck.meaning
