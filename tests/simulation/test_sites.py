"""The simulated hospitals: what their file must say, and what is drawn from it."""

import json
from datetime import date

import numpy as np
import pytest
from scripts.simulation.physics.processing import ALL_STYLES
from scripts.simulation.physics.xray import spectrum
from scripts.simulation.sites import SITES_FILE, load_sites

SITES = load_sites()


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_there_are_five_sites_of_which_two_are_external():
    assert {name: site.external for name, site in SITES.items()} == {
        "simulated-1": False, "simulated-2": False, "simulated-3": False, "simulated-4": True, "simulated-5": True,
    }  # fmt: skip
    assert all(site.name == name for name, site in SITES.items())


def test_all_styles_are_used_and_training_sees_each():
    assert {name for site in SITES.values() if not site.external for name in site.habits.styles} == set(ALL_STYLES)


def test_detectors_have_native_spacings():
    assert all(0.1 <= spacing <= 0.2 for site in SITES.values() for spacing in site.habits.detector_spacing)


def test_detectors_saturate_well_above_the_dose_behind_the_patient():
    # Thin parts, the thighs among them, get several times the dose of the exposure control's chambers.
    assert all(site.exposure.saturation[0] > 8 * site.exposure.dose[1] for site in SITES.values())


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_what_is_drawn_lies_within_the_ranges(site):
    generator = rng()
    for _ in range(50):
        exposure = site.exposure.draw(generator)
        for name in ("kvp", "filtration", "focal_spot", "heel", "grid_primary", "grid_scatter", "detector_blur", "dose",
                     "electronic", "saturation"):  # fmt: skip
            low, high = getattr(site.exposure, name)
            assert low - 1e-9 <= getattr(exposure, name) <= high + 1e-9, name
        assert exposure.kvp == round(exposure.kvp) and 2 * exposure.filtration == round(2 * exposure.filtration)
        assert (exposure.copper, exposure.scintillator) == (site.exposure.copper, site.exposure.scintillator)
        assert site.habits.draw_style(generator).name in site.habits.styles
        assert site.habits.dates[0] <= site.habits.draw_date(generator) <= site.habits.dates[1]


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_styles_and_markers_come_in_their_shares(site):
    generator = rng()
    styles = [site.habits.draw_style(generator).name for _ in range(600)]
    markers = [site.habits.draw_marker(generator) for _ in range(600)]
    for drawn, shares in ((styles, site.habits.styles), (markers, site.habits.marker)):
        assert {name: drawn.count(name) / 600 for name in shares} == pytest.approx(shares, abs=0.07)


def test_draws_are_the_same_for_a_seed():
    site = SITES["simulated-2"]
    assert site.exposure.draw(rng()) == site.exposure.draw(rng())
    assert site.habits.draw_style(rng()) == site.habits.draw_style(rng())


def test_external_sites_differ_from_those_of_training():
    def mean_energy(site):
        exposure = site.exposure.draw(rng())
        beam = spectrum(exposure.kvp, exposure.filtration, exposure.copper, exposure.anode_angle, exposure.scintillator)
        return float((beam.shares * beam.energies).sum())

    inside = [site for site in SITES.values() if not site.external]
    energies = [mean_energy(site) for site in inside]
    assert mean_energy(SITES["simulated-4"]) > max(energies) + 1e3
    assert mean_energy(SITES["simulated-5"]) < sum(energies) / 3 - 1e3
    for name in ("simulated-4", "simulated-5"):
        population = SITES[name].population
        assert population.age_mean > max(site.population.age_mean for site in inside)
        assert population.bmi_shift > max(site.population.bmi_shift for site in inside)
        assert not set(SITES[name].habits.detector_spacing) & {s for site in inside for s in site.habits.detector_spacing}


@pytest.mark.parametrize(
    ("group", "field", "value", "expected"),
    [
        ("exposure", "kvp", [80, 70], "the lowest before the highest"),
        ("exposure", "kvp", [70, 120], "a number from 50 to 90"),
        ("exposure", "dose", 2.5, "two numbers"),
        ("exposure", "copper", "thin", "a number from 0 to 1"),
        ("exposure", "copper", True, "a number from 0 to 1"),
        ("film", "styles", {"A": 0.5, "B": 0.4}, "shares that sum to 1"),
        ("film", "styles", {"Z": 1.0}, "shares of 'A'"),
        ("film", "styles", {"A": 1.5, "B": -0.5}, "a number from 0 to 1"),
        ("film", "marker", {"up": 1.0}, "shares of 'right'"),
        ("film", "detector_spacing", [], "a list of spacings"),
        ("film", "detector_spacing", [14.8], "a number from 0.05 to 1"),
        ("film", "dates", ["2020-01-01", "2019-01-01"], "the first day before the last"),
        ("film", "dates", ["2020-01-01", "soon"], "two dates"),
        ("population", "women", 1.2, "a number from 0 to 1"),
    ],
)
def test_an_error_names_file_site_field_value_and_what_was_expected(group, field, value, expected, tmp_path):
    content = json.loads(SITES_FILE.read_text())
    content["simulated-3"][group][field] = value
    path = tmp_path / "wards.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError) as error:
        load_sites(path)
    for part in ("wards.json", "simulated-3", f"{group}.{field}", expected):
        assert part in str(error.value)
    assert repr(value) in str(error.value) or repr(value[-1] if isinstance(value, list) else 1.5) in str(error.value)


@pytest.mark.parametrize("change", ["missing", "unknown", "no group", "external"])
def test_members_must_be_those_that_are_known(change, tmp_path):
    content = json.loads(SITES_FILE.read_text())
    site = content["simulated-1"]
    if change == "missing":
        del site["exposure"]["dose"]
    elif change == "unknown":
        site["film"]["colour"] = 1
    elif change == "no group":
        del site["population"]
    else:
        site["external"] = "no"
    (tmp_path / "wards.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="simulated-1"):
        load_sites(tmp_path / "wards.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_file_without_sites_is_named(text, tmp_path):
    (tmp_path / "wards.json").write_text(text)
    with pytest.raises(ValueError, match=r"wards\.json"):
        load_sites(tmp_path / "wards.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.json"):
        load_sites(tmp_path / "nowhere.json")


def test_dates_are_dates():
    assert SITES["simulated-1"].habits.dates == (date(2019, 1, 1), date(2023, 12, 31))


@pytest.mark.parametrize("name", ["more_sites.json", "hospital_site.json"])
def test_the_further_sites_are_others_and_nothing_is_trained_on_them(name: str) -> None:
    further = load_sites(SITES_FILE.with_name(name))
    assert not set(further) & set(SITES) and all(site.external for site in further.values())
