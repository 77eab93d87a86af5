"""Five thousand people drawn as a survey has the density, and so the osteoporosis, of the published decades."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scripts.clinical import load_reference
from scripts.simulation.population import DECADE_BMD, Person, decade_ends, draw_person, expected_bmd

PEOPLE = 5000


@dataclass(frozen=True)
class Mix:
    age_mean: float = 70.0
    age_sd: float = 10.0
    women: float = 0.8
    bmi_shift: float = 0.0


@pytest.fixture(scope="module")
def people() -> list[Person]:
    rng = np.random.default_rng(0)
    return [draw_person(rng) for _ in range(PEOPLE)]


def of(people: list[Person], sex: str, begin: float, end: float) -> list[Person]:
    return [person for person in people if person.sex == sex and begin <= person.age < end]


def bmds(people: list[Person], site: str) -> np.ndarray:
    return np.array([getattr(person, site) for person in people])


# Published means; those marked 0.02 are known to that only.
@pytest.mark.parametrize(
    ("sex", "site", "means", "first", "tolerance"),
    [
        ("M", "total_hip", (1.067, 1.029, 1.040, 1.015, 0.997, 0.961), 0, 0.0),
        ("F", "total_hip", (0.971,), 0, 0.0),
        ("F", "femoral_neck", (0.858,), 0, 0.0),
        ("F", "total_hip", (0.87, 0.81, 0.75, 0.68), 3, 0.02),
        ("F", "femoral_neck", (0.75, 0.69, 0.64, 0.58), 3, 0.02),
    ],
)
def test_decades_have_the_published_means_within_two_standard_errors(people, sex, site, means, first, tolerance):
    for (begin, end), mean in zip(decade_ends(sex)[first:], means, strict=False):
        drawn = bmds(of(people, sex, begin, end), site)
        assert len(drawn) > 250
        assert abs(drawn.mean() - mean) < tolerance + 2 * drawn.std() / math.sqrt(len(drawn)), (sex, site, begin)


@pytest.mark.parametrize(
    ("sex", "site", "first", "sd"),
    [
        ("F", "total_hip", 0, (0.114, 0.114)),
        ("F", "total_hip", 3, (0.125, 0.125)),
        ("F", "femoral_neck", 3, (0.11, 0.11)),
        ("M", "total_hip", 0, (0.12, 0.14)),
    ],
)
def test_decades_have_the_published_spread_within_two_standard_errors(people, sex, site, first, sd):
    last = 1 if sex == "F" and first == 0 else None
    for begin, end in decade_ends(sex)[first:last]:
        drawn = bmds(of(people, sex, begin, end), site)
        error = 2 * drawn.std() / math.sqrt(2 * len(drawn))
        assert sd[0] - error < drawn.std(ddof=1) < sd[1] + error, (sex, site, begin)


def has_osteoporosis(person: Person) -> bool:
    """At the femoral neck or the lumbar spine, against young women."""
    reference = load_reference()
    return min(reference.t_score(person.femoral_neck, "neck"), reference.t_score(person.lumbar, "lumbar")) <= -2.5


def test_the_prevalence_of_osteoporosis_comes_out(people):
    published = (6.8, 12.3, 25.7, 34.9)
    for (begin, end), expected in zip(decade_ends("F")[3:], published, strict=True):
        found = 100 * np.mean([has_osteoporosis(person) for person in of(people, "F", begin, end)])
        assert abs(found - expected) < 5, (begin, found)
    assert abs(100 * np.mean([has_osteoporosis(person) for person in of(people, "M", 50, 99)]) - 4.3) < 2


def test_bone_goes_with_bone_and_with_weight(people):
    for sex in ("F", "M"):
        z = []
        own = [person for person in people if person.sex == sex]
        for site in ("total_hip", "femoral_neck", "lumbar"):
            expected = np.array([expected_bmd(sex, site, person.age) for person in own])
            z.append((bmds(own, site) - expected[:, 0]) / expected[:, 1])
        correlation = np.corrcoef(z)
        assert 0.85 < correlation[0, 1] < 0.90
        assert 0.58 < correlation[0, 2] < 0.67 and 0.58 < correlation[1, 2] < 0.67
        decade = of(people, sex, 60, 70)
        assert 0.25 < np.corrcoef([person.weight for person in decade], bmds(decade, "total_hip"))[0, 1] < 0.45


@pytest.mark.parametrize("sex", ["F", "M"])
@pytest.mark.parametrize("site", ["total_hip", "femoral_neck", "lumbar"])
def test_density_changes_smoothly_with_age(sex, site):
    ages = np.arange(21, 95, 0.25)
    mean, sd = np.array([expected_bmd(sex, site, age) for age in ages]).T
    assert np.abs(np.diff(mean)).max() < 0.003  # g/cm² in a quarter of a year
    assert np.abs(np.diff(mean, n=2)).max() < 0.002
    assert sd.min() > 0.1 and sd.max() < 0.18
    for (begin, end), expected in zip(decade_ends(sex), DECADE_BMD[sex][site][0], strict=True):
        within = mean[(ages >= begin) & (ages < end)]
        assert within.mean() == pytest.approx(expected, abs=0.002)


def test_a_clinic_sees_its_own_patients():
    rng = np.random.default_rng(1)
    usual = [draw_person(rng, Mix()) for _ in range(2000)]
    heavy = [draw_person(rng, Mix(age_mean=60, women=0.5, bmi_shift=3.0)) for _ in range(2000)]
    assert np.mean([person.sex == "F" for person in usual]) == pytest.approx(0.8, abs=0.03)
    assert np.mean([person.age for person in usual]) == pytest.approx(70, abs=1)
    assert np.std([person.age for person in usual]) == pytest.approx(10, abs=1)
    assert np.mean([person.age for person in heavy]) == pytest.approx(60, abs=1)
    shift = np.mean([p.bmi for p in heavy]) - np.mean([p.bmi for p in usual])
    assert shift == pytest.approx(3.2, abs=0.6)
    assert all(21 <= person.age <= 95 and 135 < person.height < 205 for person in usual + heavy)


def test_a_seed_gives_the_same_people():
    first, second = (draw_person(np.random.default_rng(7), Mix()) for _ in range(2))
    assert first == second
    assert draw_person(np.random.default_rng(8), Mix()) != first
