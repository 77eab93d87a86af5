"""Strands of the trabecular groups are found where and as they were drawn, and only then, however the radiograph is turned."""

import json

import numpy as np
import pytest
from drawn_hips import SPACING, draw_hip
from scripts.measurement.hip_axes import find_axes
from scripts.measurement.morphometry import measure_morphometry
from scripts.measurement.outline import Outline
from scripts.measurement.singh import CONTRASTS, GRADES, WEIGHTS_FILE, grade_contrasts, lay_out, measure_contrasts

POSES = [(0, False), (23, True), (-110, False)]
PERIOD_MM = 1.3


@pytest.fixture(scope="module", params=POSES, ids=str)
def hip(request):
    drawn = draw_hip(*request.param)
    return drawn, find_axes(drawn.outline, drawn.landmarks, drawn.canonical)


def speckle(shape):
    return np.random.default_rng(3).normal(0, 0.3, shape)


def stripes(drawn, axes, place, group, turned_deg=0.0):
    """Speckle and straight stripes on the whole radiograph, across the mean direction of a group in a place."""
    groups = lay_out(drawn.outline, axes)
    doubled = np.exp(2j * groups.across[group][groups.places[place]])
    turn = np.angle(doubled.mean()) / 2 + np.radians(turned_deg)
    across = np.cos(turn) * axes.medial + np.sin(turn) * axes.distal
    points = drawn.outline.to_mm(np.moveaxis(np.indices(drawn.image.shape), 0, -1))
    return speckle(drawn.image.shape) + np.sin(points @ across * 2 * np.pi / PERIOD_MM)


@pytest.mark.parametrize("name", CONTRASTS)
def test_strands_stand_out_where_they_run_as_the_group_does(hip, name):
    drawn, axes = hip
    films = [stripes(drawn, axes, *CONTRASTS[name], turned_deg) for turned_deg in (0, 90)]
    own, crossing = (measure_contrasts(film, drawn.outline, axes)[name] for film in films)
    none = measure_contrasts(speckle(drawn.image.shape), drawn.outline, axes)[name]
    assert own > 0.7 and crossing < -1.0 and abs(none) < 0.2


@pytest.mark.parametrize(
    ("place", "group", "along", "within_deg"),
    [
        ("head", "compressive", "distal", 30),
        ("head", "tensile", "medial", 35),
        ("neck", "tensile", "neck", 30),
        ("neck", "compressive", "distal", 30),
        ("lateral", "trochanteric", "distal", 15),
        ("middle", "secondary", "distal", 30),
    ],
)
def test_strands_run_as_in_the_literature(hip, place, group, along, within_deg):
    drawn, axes = hip
    groups = lay_out(drawn.outline, axes)
    turn = groups.across[group][groups.places[place]]
    strands = np.outer(np.cos(turn), axes.distal) - np.outer(np.sin(turn), axes.medial)
    assert (np.abs(strands @ getattr(axes, along)) > np.cos(np.radians(within_deg))).mean() > 0.9


def test_fans_open_upwards_and_arcs_are_concave_below():
    drawn = draw_hip()
    axes = find_axes(drawn.outline, drawn.landmarks, drawn.canonical)
    groups = lay_out(drawn.outline, axes)
    cols = np.arange(groups.points.shape[1])
    for place, group in (("head", "compressive"), ("middle", "secondary"), ("head", "tensile")):
        line = int(np.median(np.argwhere(groups.places[place])[:, 0]))
        turn = np.unwrap(groups.across[group][line], period=np.pi)
        inside = groups.places[place][line]
        assert np.polyfit(cols[inside], turn[inside], 1)[0] > 0, (place, group)


def test_gain_and_brightness_of_the_radiograph_do_not_matter(hip):
    drawn, axes = hip
    film = stripes(drawn, axes, "head", "tensile")
    bright, dim = measure_contrasts(film, drawn.outline, axes), measure_contrasts(0.2 * film + 0.6, drawn.outline, axes)
    assert dim == pytest.approx(bright, abs=1e-3)
    assert grade_contrasts(dim) == pytest.approx(grade_contrasts(bright), abs=0.01)


def test_the_places_lie_in_the_bone_and_turn_with_it():
    upright, turned = (draw_hip(*pose) for pose in POSES[:2])
    found = [lay_out(drawn.outline, find_axes(drawn.outline, drawn.landmarks, drawn.canonical)) for drawn in (upright, turned)]
    for drawn, groups in zip((upright, turned), found, strict=True):
        for place in groups.places.values():
            assert (drawn.outline.sample(drawn.outline.femur, groups.points[place]) > 0.99).all()
    for name, place in found[0].places.items():
        assert place.sum() == pytest.approx(found[1].places[name].sum(), rel=0.03), name


def test_a_place_that_is_not_there_has_no_contrast_and_the_hip_no_grade(hip):
    drawn, axes = hip
    groups, femur = lay_out(drawn.outline, axes), drawn.outline.femur.copy()
    rows, cols = np.rint(drawn.outline.to_pixels(groups.points[groups.places["head"]])).astype(int).T
    femur[rows, cols] = 0
    cut = Outline(femur, (SPACING, SPACING))
    contrasts = measure_contrasts(drawn.image, cut, axes)
    assert {name for name, value in contrasts.items() if np.isnan(value)} == {"head_tensile", "head_compressive"}
    found = measure_morphometry(drawn.image, cut, axes)
    assert np.isnan(found.singh_grade) and found.neck_width_mm > 0


def test_a_radiograph_of_one_grey_has_no_strands(hip):
    drawn, axes = hip
    contrasts = measure_contrasts(np.full(drawn.image.shape, 0.5), drawn.outline, axes)
    assert list(contrasts.values()) == pytest.approx([0.0] * len(CONTRASTS), abs=1e-3)


def test_the_weights_name_every_contrast_and_grades_stay_between_i_and_vi():
    weights = json.loads(WEIGHTS_FILE.read_text())["weights"]
    assert set(weights) == {"intercept", *CONTRASTS}
    assert weights["head_tensile"] > 0 > weights["head_compressive"], "the tensile group is lost before the compressive one"
    sound = dict.fromkeys(CONTRASTS, 0.0) | {"head_tensile": 9.0}
    lost = dict.fromkeys(CONTRASTS, 0.0) | {"head_tensile": -9.0}
    assert (grade_contrasts(lost), grade_contrasts(sound)) == GRADES
