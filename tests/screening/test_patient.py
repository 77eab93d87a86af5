"""One patient from the films of a study: each hip from the film that shows it best, and one outcome of both."""

import csv
import json
from statistics import NormalDist

import pytest
from fake_screening import (
    ABSENT,
    IMPLANTED,
    JOINT_PROBABILITY,
    KEY,
    RIGHT,
    FakeCascade,
    LoadFake,
    channels_of,
    fake_screen,
    item_of,
)
from scripts.clinical import Category, Code, Doubt, Reason
from scripts.dataset.pseudonyms import pseudonymise
from scripts.screening import RadiographFindings
from scripts.screening.study import join_study

LEFT = {**RIGHT, "landmark_confidence": 0.8, "neck_bmd": 0.80, "total_bmd": 0.90}
FAINT = {**LEFT, "landmark_confidence": 0.7, "neck_bmd": 0.55}


def outcome(radiographs):
    screen = fake_screen()
    return join_study(radiographs, screen.interpretation, screen.network)


@pytest.fixture
def load_film():
    """A film with these channels, screened."""

    def load(channels, age=72.0, view="AP"):
        item = {**LoadFake()({"image": "hip.dcm"}), "name": "hip"}
        item["image"].meta["view"] = view
        item["covariates"][0] = age
        return fake_screen(FakeCascade(channels)).see(item)

    return load


@pytest.fixture
def right_only(load_film):
    return load_film(channels_of(RIGHT, ABSENT, 0.7))


@pytest.fixture
def left_only(load_film):
    return load_film(channels_of(ABSENT, LEFT, 0.2))


def test_two_films_of_one_hip_each_make_one_patient(right_only, left_only):
    found = outcome([right_only, left_only])
    assert found.sources == (0, 1)
    assert found.screening.lowest.side == "right" and found.screening.category == Category.OSTEOPOROSIS
    assert found.screening.hips[1].estimates["total"].bmd == pytest.approx(0.90)
    assert found.screening.classifier_probability == pytest.approx(JOINT_PROBABILITY), "estimated anew from both films"


def test_the_probability_of_a_study_is_by_its_own_lowest_t_score(load_film, right_only, left_only):
    lower = load_film(channels_of(ABSENT, {**LEFT, "neck_bmd": 0.45, "neck_bmd_sd": 0.06}, 0.2))
    for films, t_score, t_sd in (([right_only, left_only], -3.0, 0.25), ([right_only, lower], -3.4, 0.5)):
        screening = outcome(films).screening
        assert (screening.lowest.t_score, screening.lowest.t_sd) == (pytest.approx(t_score), pytest.approx(t_sd))
        assert screening.osteoporosis_probability == pytest.approx(NormalDist(t_score, t_sd).cdf(-2.5))


def test_a_hip_measured_with_a_caution_is_the_same_in_its_study(load_film, left_only):
    doubtful = load_film(channels_of({**RIGHT, "femur_probability": 0.01}, ABSENT))
    alone = doubtful.seen.screening.hips[0]
    assert [caution.code for caution in alone.cautions] == [Doubt.UNUSUAL_FEMUR]
    for films, sources in (([doubtful, left_only], (0, 1)), ([left_only, doubtful], (1, 0))):
        found = outcome(films)
        right, left = found.screening.hips
        assert found.sources == sources
        assert right.cautions == alone.cautions and right.estimates == alone.estimates
        assert left.cautions == () and left.estimates == left_only.seen.screening.hips[1].estimates


def test_a_radiograph_of_one_hip_is_a_patient(right_only):
    found = outcome([right_only])
    assert found.sources == (0, None) and found.screening.lowest.t_score == right_only.seen.screening.lowest.t_score
    assert found.screening.classifier_probability == pytest.approx(0.7)


def test_a_hip_on_two_films_counts_where_it_is_seen_best(load_film, left_only):
    faint = load_film(channels_of(RIGHT, FAINT))
    assert outcome([faint, left_only]).sources == (0, 1)
    assert outcome([left_only, faint]).sources == (1, 0)


def test_a_refused_hip_never_counts_however_well_it_is_seen(load_film):
    implanted = load_film(channels_of(RIGHT, {**IMPLANTED, "landmark_confidence": 1.0}))
    faint = load_film(channels_of(ABSENT, FAINT))
    assert outcome([implanted, faint]).sources == (0, 1)


def test_a_film_that_the_gate_refuses_lends_nothing(load_film, right_only):
    lateral = load_film(channels_of(ABSENT, {**LEFT, "neck_bmd": 0.3}, 0.99), view="LATERAL")
    found = outcome([right_only, lateral])
    assert found.sources == (0, None) and found.screening.lowest.side == "right"
    assert found.screening.classifier_probability == pytest.approx(0.7)


def test_a_study_of_which_nothing_can_be_measured_has_a_reason(load_film):
    unreadable = RadiographFindings("broken", Reason(Code.UNREADABLE, "Damaged."))
    found = outcome([unreadable, load_film(channels_of(RIGHT, LEFT), view="LATERAL")])
    assert found.sources == (None, None) and found.screening is None and found.reason.code == Code.UNREADABLE


def test_the_age_of_one_film_is_that_of_the_patient(load_film, left_only):
    ageless = load_film(channels_of(RIGHT, ABSENT), age=float("nan"))
    young = load_film(channels_of(ABSENT, LEFT), age=35.0)
    assert outcome([ageless, left_only]).screening.lowest is not None
    assert outcome([ageless, young]).screening.lowest is None, "under 50 there is no T-score"


def test_every_row_of_a_study_tells_the_patients_outcome(screening):
    items = [item_of(screening.folder, file, "study") for file in ("r.dcm", "l.dcm", "chest.dcm")]
    duplicate = {**item_of(screening.folder, "again.dcm", "study"), "refusal": Reason(Code.DUPLICATE, "The same.")}
    out = screening([*items, duplicate], FakeCascade(channels_of(RIGHT, FAINT), channels_of(ABSENT, LEFT)))
    with (out / "results.csv").open(newline="") as file:
        rows = {(row["file"], row["side"]): row for row in csv.DictReader(file)}
    assert {place: row["patient_hip"] for place, row in rows.items()} == {
        ("r.dcm", "right"): "yes",
        ("r.dcm", "left"): "no",
        ("l.dcm", "right"): "no",
        ("l.dcm", "left"): "yes",
    }
    assert {row["patient_lowest_t_score"] for row in rows.values()} == {"-3.00"}
    (study,) = json.loads((out / "results.json").read_text())["studies"]
    names = [pseudonymise(KEY, file) for file in ("r.dcm", "l.dcm", "chest.dcm", "again.dcm")]
    assert study["films"] == names and study["hips"] == {"right": names[0], "left": names[1]}
    page = (out / "index.html").read_text()
    assert page.count("lowest T-score <b>") == 1 and page.count('<article class="card">') == 1 and "better on" in page
