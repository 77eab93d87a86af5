"""Regions and morphometry of hips whose measures are known, turned by any angle, of both sides, and of what is no hip."""

import numpy as np
import pytest
from drawn_hips import (
    ANGLE,
    CANAL,
    HEAD_RADIUS,
    LATERAL,
    LESSER_BELOW,
    NECK_LENGTH,
    NECK_WIDTH,
    SHAFT_WIDTH,
    SPACING,
    draw_hip,
)
from scipy.ndimage import distance_transform_edt
from scripts.measurement.hip_axes import find_axes
from scripts.measurement.morphometry import measure_morphometry
from scripts.measurement.outline import Outline
from scripts.measurement.regions import REGIONS, place_regions

POSES = [(0, True), (17, False), (-64, True), (90, False), (133, True), (245, False)]
CROP = (224, 224)


@pytest.fixture(scope="module")
def upright():
    return draw_hip()


def regions_of(hip):
    return place_regions(hip.outline, find_axes(hip.outline, hip.landmarks, hip.canonical), hip.canonical, CROP)


@pytest.mark.parametrize(("turn", "left"), POSES)
def test_measures_are_those_drawn_however_the_radiograph_is_turned(turn, left):
    hip = draw_hip(turn, left)
    axes = find_axes(hip.outline, hip.landmarks, hip.canonical)
    found = measure_morphometry(hip.image, hip.outline, axes)
    assert axes.head_radius == pytest.approx(HEAD_RADIUS, abs=0.2)
    assert found.neck_shaft_deg == pytest.approx(ANGLE, abs=0.5)
    assert found.neck_width_mm == pytest.approx(NECK_WIDTH, abs=0.4)
    assert found.neck_axis_length_mm == pytest.approx(HEAD_RADIUS + NECK_LENGTH + LATERAL, abs=0.6)
    assert found.shaft_level_mm == 100.0
    assert found.cortical_thickness_index == pytest.approx((SHAFT_WIDTH - CANAL) / SHAFT_WIDTH, abs=0.05)


@pytest.mark.parametrize(("turn", "left"), POSES)
def test_regions_turn_and_mirror_with_the_radiograph(upright, turn, left):
    before, turned = regions_of(upright), draw_hip(turn, left)
    after = regions_of(turned)
    assert tuple(before) == tuple(after) == REGIONS
    for name, region in after.items():
        own = (upright.outline.to_pixels(before[name].corners) - upright.to_radiograph([0.0, 0.0])) * SPACING
        assert np.abs(turned.to_radiograph(own) - turned.outline.to_pixels(region.corners)).max() < 1.5, name
        assert region.mask.sum() == pytest.approx(before[name].mask.sum(), rel=0.03)


def test_the_neck_box_lies_across_the_neck_and_the_total_hip_ends_below_the_lesser_trochanter(upright):
    hip, regions = upright, regions_of(upright)
    box = regions["neck_box"].corners
    assert np.linalg.norm(box[1] - box[0]) == pytest.approx(49.0) and np.linalg.norm(box[2] - box[1]) == pytest.approx(15.0)
    lowest = np.argwhere(regions["total_hip"].mask)[:, 0].max()
    assert lowest == pytest.approx(hip.to_radiograph([LESSER_BELOW + 10.0, 0.0])[0], abs=1.5)
    head = tuple(np.round(hip.landmarks[0]).astype(int))
    assert not regions["total_hip"].mask[head] and not regions["neck_box"].mask[head]
    assert (regions["neck_box"].mask & ~regions["total_hip"].mask).sum() < 0.02 * regions["neck_box"].mask.sum()
    assert not (regions["neck_box"].mask & (hip.outline.femur < 0.5)).any()


@pytest.mark.parametrize("left", [False, True])
def test_the_medial_box_holds_the_medial_cortex(left):
    hip = draw_hip(30, left)
    region = regions_of(hip)["medial_cortex"]
    for medial, inside in ((SHAFT_WIDTH / 2 - 1, True), (CANAL / 2, True), (-CANAL / 2, False)):
        row, col = np.round(hip.to_radiograph([LESSER_BELOW + 20.0, medial])).astype(int)
        assert region.mask[row, col] == inside


def test_where_the_radiograph_ends_above_100_mm_the_lowest_level_shown_is_measured():
    hip = draw_hip(shaft_below=LESSER_BELOW + 70.0)
    found = measure_morphometry(hip.image, hip.outline, find_axes(hip.outline, hip.landmarks, hip.canonical))
    assert 58.0 < found.shaft_level_mm < 68.0
    assert found.cortical_thickness_index == pytest.approx(0.5, abs=0.05)


def test_a_shaft_without_a_canal_to_be_seen_has_no_indices(upright):
    image = distance_transform_edt(upright.outline.femur >= 0.5)  # densest in the middle
    found = measure_morphometry(image, upright.outline, find_axes(upright.outline, upright.landmarks, upright.canonical))
    assert np.isnan([found.cortical_thickness_index, found.canal_flare_index]).all()
    assert found.neck_width_mm == pytest.approx(NECK_WIDTH, abs=0.4)


def test_where_hardly_any_shaft_is_shown_its_measures_are_unknown_and_the_neck_is_measured():
    hip = draw_hip(shaft_below=LESSER_BELOW + 20.0)
    axes = find_axes(hip.outline, hip.landmarks, hip.canonical)
    found = measure_morphometry(hip.image, hip.outline, axes)
    shaft = (found.neck_shaft_deg, found.shaft_level_mm, found.cortical_thickness_index, found.canal_flare_index)
    assert np.isnan(shaft).all()
    assert found.neck_width_mm == pytest.approx(NECK_WIDTH, abs=0.4)
    regions = place_regions(hip.outline, axes, hip.canonical, CROP)
    assert "total_hip" in regions and "medial_cortex" not in regions


def test_a_mask_may_be_a_probability_and_its_edge_is_where_it_is_half():
    hip = draw_hip(20)
    soft = Outline(np.clip(hip.outline.femur * 0.8 + 0.05, 0, 1), (SPACING, SPACING))
    assert find_axes(soft, hip.landmarks, hip.canonical).neck_width == pytest.approx(NECK_WIDTH, abs=0.4)


def emptied(hip):
    return Outline(np.zeros_like(hip.outline.femur), (SPACING, SPACING)), hip.landmarks, hip.canonical


def full(hip):
    return Outline(np.ones_like(hip.outline.femur), (SPACING, SPACING)), hip.landmarks, hip.canonical


def off_the_film(hip):
    return hip.outline, hip.landmarks + 5000.0, hip.canonical


def unknown(hip):
    return hip.outline, np.full((5, 2), np.nan), hip.canonical


def all_in_one_place(hip):
    return hip.outline, np.tile(hip.landmarks[:1], (5, 1)), hip.canonical


def without_a_pose(hip):
    return hip.outline, hip.landmarks, np.zeros((2, 3))


def without_a_head(hip):
    femur = hip.outline.femur.copy()
    row, col = np.round(hip.landmarks[0]).astype(int)
    femur[: row + 20, col - 20 :] = 0
    return Outline(femur, (SPACING, SPACING)), hip.landmarks, hip.canonical


def with_the_trochanter_behind_the_neck(hip):
    femur = hip.outline.femur.copy()
    row, col = np.round(hip.landmarks[0]).astype(int)
    femur[row - 90 : row + 180, : col + 60] = 1
    return Outline(femur, (SPACING, SPACING)), hip.landmarks, hip.canonical


@pytest.mark.parametrize(
    "spoilt",
    [emptied, full, off_the_film, unknown, all_in_one_place, without_a_pose, without_a_head, with_the_trochanter_behind_the_neck],
    ids=lambda f: f.__name__,
)
def test_what_is_no_hip_has_no_axes(upright, spoilt):
    assert find_axes(*spoilt(upright)) is None


def test_no_mask_and_no_landmarks_make_it_fail(upright):
    random, hip = np.random.default_rng(0), upright
    for _ in range(8):
        landmarks = hip.landmarks + random.normal(0, 40, (5, 2))
        femur = hip.outline.femur * (random.random(hip.outline.femur.shape) > 0.02)
        femur[:, : random.integers(0, 600)] = 0
        outline = Outline(femur, (SPACING, SPACING))
        axes = find_axes(outline, landmarks, hip.canonical)
        if axes is not None:
            place_regions(outline, axes, hip.canonical, CROP)
            measure_morphometry(hip.image, outline, axes)
