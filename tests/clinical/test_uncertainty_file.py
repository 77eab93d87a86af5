"""What stands beside the weights on intervals and probability is read for those weights alone, and its faults are named."""

import json

import pytest
from scripts.clinical import LowestT, RadiographFacts, Thresholds, find_thresholds, interpret, load_criteria, load_uncertainty
from values import found

ADULT = RadiographFacts(age_years=70, sex="F", view="AP", laterality="B")
WEIGHTS = "a" * 64
SITES = {"neck": {"low": -2.0, "high": 1.0}, "total": {"low": -1.5, "high": 3}}
LOWEST = {"offset": -0.3, "slope": 0.9, "logit_slope": -0.1, "sd_factor": 1.4}
PROBABILITIES = {"with_osteoporosis": [0.2, *[0.9] * 15], "without_osteoporosis": [0.05] * 60}


def content(**changes):
    return {
        "version": 1,
        "weights_sha256": WEIGHTS,
        "patients": 76,
        "coverage": 0.9,
        "sites": SITES,
        "lowest_t": LOWEST,
        "probabilities": PROBABILITIES,
        **changes,
    }


@pytest.fixture
def file(tmp_path):
    def write(text=None, **changes):
        (path := tmp_path / "mine.json").write_text(json.dumps(content(**changes)) if text is None else text)
        return path

    return write


def test_it_is_read_for_its_weights(file):
    read = load_uncertainty(file(), WEIGHTS)
    assert read.quantiles == {"neck": (-2.0, 1.0), "total": (-1.5, 3)} and read.lowest_t == LowestT(**LOWEST)
    assert read.interval("neck", 0.8, 0.05) == (pytest.approx(0.7), pytest.approx(0.85))
    assert (read.patients, read.prevalence, read.notes, len(read.sha256)) == (76, load_criteria().prevalence, (), 64)
    assert read == load_uncertainty(file()), "without weights it is taken as it is"
    assert read.describe()["sha256"] == read.sha256 and read.describe()["likely_at_least"] == 0.5


def test_a_prevalence_of_ones_own_moves_the_thresholds(file):
    groups = {"with_osteoporosis": [0.6, 0.7, *[0.9] * 18], "without_osteoporosis": [*[0.1] * 497, 0.6, 0.7, 0.7]}
    for prevalence in (0.05, 0.257, 0.5):
        read = load_uncertainty(file(probabilities=groups), WEIGHTS, prevalence)
        assert read.prevalence == prevalence
        assert read.thresholds == find_thresholds(*groups.values(), prevalence, 0.95, 0.95)
    assert load_uncertainty(file(probabilities=groups), WEIGHTS, 0.05).thresholds.likely_at_least == 0.9
    assert load_uncertainty(file(probabilities=groups), WEIGHTS, 0.5).thresholds.likely_at_least == 0.5


@pytest.mark.parametrize(("given", "why"), [(False, "was not measured"), (True, "was measured for other weights")])
def test_without_one_for_these_weights_intervals_are_normal_and_every_result_says_so(file, given, why):
    read = load_uncertainty(file() if given else None, "b" * 64)
    assert read.quantiles == dict.fromkeys(("neck", "total"), load_criteria().normal_quantiles)
    assert (
        read.lowest_t is None
        and read.true_lowest_t("neck", load_criteria()) == LowestT()
        and read.thresholds == Thresholds(0.95, 0.05)
    )
    assert (read.patients, read.sha256) == (None, None)
    notes = interpret(found(), ADULT, uncertainty=read).notes
    assert sum(why in note and "normal distribution" in note for note in notes) == 1


def test_with_one_no_result_says_so(file):
    notes = interpret(found(), ADULT, uncertainty=load_uncertainty(file(), WEIGHTS)).notes
    assert not any("normal distribution" in note for note in notes)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"text": "{"}, r"cannot be read \(JSONDecodeError\)"),
        ({"text": "[]"}, r"version is \[\]; expected 1"),
        ({"version": 2}, "version is 2; expected 1"),
        ({"weights_sha256": None}, "weights_sha256 is None; expected a SHA-256"),
        ({"patients": "many"}, "patients is 'many'; expected a whole number"),
        ({"patients": True}, "patients is True; expected a whole number from 1"),
        ({"patients": 0}, "patients is 0; expected a whole number from 1"),
        ({"text": "[" * 100000}, r"cannot be read \((RecursionError|JSONDecodeError)\)"),
        ({"lowest_t": {**LOWEST, "offset": 10**400}}, "offset of lowest_t is 1000"),
        ({"probabilities": {**PROBABILITIES, "with_osteoporosis": []}}, r"with_osteoporosis is \[\]; expected a list of one"),
        ({"coverage": 0.8}, "coverage is 0.8; expected 0.9"),
        ({"sites": {"neck": SITES["neck"]}}, r"sites is \['neck'\]; expected neck and total"),
        ({"sites": {**SITES, "neck": {"low": -1}}}, "high of neck is None; expected a number"),
        ({"sites": {**SITES, "neck": {"low": 1, "high": 2}}}, "low and high of neck are 1 and 2; expected 0 or less"),
        ({"lowest_t": {**LOWEST, "offset": True}}, "offset of lowest_t is True; expected a number"),
        ({"lowest_t": {**LOWEST, "logit_slope": 0.1}}, "logit_slope 0.1.*expected .* a logit_slope of 0 or less"),
        ({"lowest_t": {**LOWEST, "sd_factor": 0}}, "sd_factor 0; expected"),
        ({"lowest_t": None}, "offset of lowest_t is None"),
        ({"probabilities": {"with_osteoporosis": [0.5]}}, "probabilities without_osteoporosis is None; expected a list"),
        ({"probabilities": {**PROBABILITIES, "with_osteoporosis": [1.2]}}, "with_osteoporosis has 1.2; expected numbers from 0"),
    ],
)
def test_a_fault_is_named_with_file_field_and_value(file, fault, said):
    with pytest.raises(ValueError, match=rf"mine\.json: .*{said}.*Nothing was analysed\."):
        load_uncertainty(file(**fault), WEIGHTS)


def test_one_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json: how far .* cannot be read \(FileNotFoundError\)"):
        load_uncertainty(tmp_path / "none.json", WEIGHTS)


def test_a_prevalence_that_would_change_nothing_is_refused(file):
    for given in (None, file()):
        with pytest.raises(ValueError, match=r"prevalence is 0\.1, but .* would change nothing"):
            load_uncertainty(given, "b" * 64, 0.1)
