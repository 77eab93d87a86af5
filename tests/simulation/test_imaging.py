"""Radiographs, masks and landmarks of the same patient fit one another."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.clinical.anatomy import HIP
from scripts.dataset.minerals import MINERAL_STEP, REGION_BITS
from scripts.simulation.anatomy.disease import Disease, Fracture, draw_diseases
from scripts.simulation.anatomy.fragments import Fragment, Motion, draw_cut
from scripts.simulation.anatomy.solids import about_y
from scripts.simulation.hardware.implants import Implant
from scripts.simulation.imaging import AS_IT_IS, State, draw_state, posed, take_radiograph, trace
from scripts.simulation.mineral_map import map_mineral, map_regions
from scripts.simulation.phantom import draw_phantom
from scripts.simulation.physics.processing import FOR_PROCESSING
from scripts.simulation.population import draw_person
from scripts.simulation.sites import load_sites
from scripts.simulation.view import Field, Marker, draw_view

SPACING = 0.8
HEALTHY = {side: Disease() for side in HIP.sides}
NO_METAL = dict.fromkeys(HIP.sides, Implant.NONE)


def usual_site():
    site = load_sites()["simulated-1"]
    return replace(site, habits=replace(site.habits, one_hip=0.0, frog_leg=0.0, collimated=0.0))


@pytest.fixture(scope="module")
def patient():
    rng = np.random.default_rng(4)
    person = draw_person(rng, usual_site().population)
    return replace(draw_phantom(person, rng, NO_METAL, HEALTHY), objects=())


@pytest.fixture(scope="module")
def view():
    return replace(draw_view(np.random.default_rng(5), usual_site(), SPACING, "A"), marker=None, field=Field())


@pytest.fixture(scope="module")
def shot(patient, view):
    return take_radiograph(patient, view, 1)


def test_landmarks_lie_in_the_femur_that_they_name(shot):
    for side in HIP.sides:
        for name in ("head_centre", "neck_base", "shaft"):
            point = shot.landmarks[side][name]
            if point is not None:
                assert shot.mask[round(point[0]), round(point[1])] == 1, (side, name)
    # The patient's right is on the left of the radiograph.
    assert shot.landmarks["right"]["head_centre"][1] < shot.mask.shape[1] / 2 < shot.landmarks["left"]["head_centre"][1]


def test_bone_is_brighter_than_the_soft_tissue_beside_it(shot):
    row = round((shot.landmarks["right"]["shaft"] or shot.landmarks["right"]["neck_base"])[0])
    line, inside = shot.rendering.displayed()[row].numpy(), shot.mask[row] == 1
    half = len(line) // 2
    bone = line[:half][inside[:half]].mean()
    first, last = np.flatnonzero(inside[:half])[[0, -1]]
    beside = np.r_[line[first - 12 : first - 5], line[last + 5 : last + 12]].mean()
    assert bone > beside + 0.02


def test_a_patient_keeps_the_pattern_of_the_trabeculae_in_every_radiograph(patient, view, shot):
    again = take_radiograph(patient, view, 1)
    other_noise = take_radiograph(patient, view, 2)
    stranger = take_radiograph(replace(patient, seed=patient.seed + 1), view, 1)
    assert torch.equal(again.rendering.values, shot.rendering.values)
    head = tuple(slice(round(v) - 12, round(v) + 12) for v in shot.landmarks["left"]["head_centre"])

    def likeness(a, b):
        return np.corrcoef(*(x.rendering.values[head].flatten().numpy() for x in (a, b)))[0, 1]

    assert likeness(shot, other_noise) > likeness(shot, stranger)


def test_what_the_collimator_covers_is_in_no_mask_and_has_no_landmark(patient, view):
    height = view.plane.rows * view.plane.spacing
    covered = take_radiograph(patient, replace(view, field=Field(top=height * 0.75)), 1)
    edge = int(view.plane.rows * 0.75)
    assert not covered.mask[: edge - 2].any()
    assert covered.rendering.values[: edge - 3].max() == 0
    assert all(marks is None or marks["head_centre"] is None for marks in covered.landmarks.values())


def test_an_unrecognised_collimator_leaves_a_bright_border(patient, view):
    shown = take_radiograph(patient, replace(view, field=Field(left=40.0, shuttered=False)), 1).rendering.displayed()
    outside = shown[:, : int(30 / view.plane.spacing)]
    assert outside.mean() > 0.8


@pytest.mark.parametrize("digital", [False, True])
def test_the_marker_stands_on_its_side(patient, view, shot, digital):
    marker = Marker("right", 16.0, 0.0, 25.0, 25.0, digital)
    marked = take_radiograph(patient, replace(view, marker=marker), 1).rendering.displayed() - shot.rendering.displayed()
    corner = slice(0, int(60 / view.plane.spacing))
    assert marked[corner, corner].max() > 0.3
    assert marked[corner, -int(60 / view.plane.spacing) :].max() < 0.3


@pytest.mark.parametrize(
    ("implant", "value"), [(Implant.TOTAL_HIP, 2), (Implant.HEMIARTHROPLASTY, 2), (Implant.NAIL, 3), (Implant.SCREWS, 3)]
)
def test_metal_is_in_the_mask_of_its_kind_on_its_side(view, implant, value):
    rng = np.random.default_rng(4)
    person = draw_person(rng, usual_site().population)
    phantom = draw_phantom(person, rng, {"right": implant, "left": Implant.NONE}, HEALTHY)
    assert phantom.dxa["right"] is None
    assert phantom.dxa["left"] is not None
    mask = take_radiograph(phantom, view, 1).mask
    half = mask.shape[1] // 2
    assert (mask[:, :half] == value).sum() * SPACING**2 > 300
    assert not (mask[:, half:] == value).any()
    assert (mask == 1).any()


def test_a_fracture_shortens_the_femur_and_leaves_its_reading(view):
    def phantom(fracture):
        rng = np.random.default_rng(4)
        person = draw_person(rng, usual_site().population)
        return draw_phantom(person, rng, NO_METAL, {"right": Disease(fracture=fracture, displacement=0.8), "left": Disease()})

    whole, broken = phantom(Fracture.NONE), phantom(Fracture.NECK_COMPLETE)
    assert broken.dxa["right"] == whole.dxa["right"]
    heights = [
        p.femurs["right"].landmarks["greater_trochanter"][2] - p.femurs["right"].landmarks["head_centre"][2]
        for p in (whole, broken)
    ]
    assert heights[1] < heights[0] - 3


@pytest.mark.parametrize("fracture", [Fracture.GREATER_TROCHANTER, Fracture.SUBTROCHANTERIC_COMMINUTED])
def test_the_mask_holds_all_fragments_and_the_landmarks_lie_in_them(view, fracture):
    rng = np.random.default_rng(4)
    person = draw_person(rng, usual_site().population)
    diseases = {"right": Disease(fracture=fracture, displacement=0.9), "left": Disease()}
    phantom = draw_phantom(person, rng, NO_METAL, diseases)
    shot, femur = take_radiograph(phantom, view, 1), posed(phantom, view, "right")
    low, high = femur.own_box()
    points = low + torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0)) * (high - low)
    depth = femur.outline(femur.bent(points))
    for fragment in femur.fragments:
        deep = fragment.moved(points[torch.maximum(depth, fragment.distance(points)) < -2.5])
        pixels = view.plane.pixel_of(femur.to_patient(deep)).round().long()
        shown = ((pixels >= 0) & (pixels < torch.tensor(shot.mask.shape))).all(-1)
        assert shown.any()
        assert (shot.mask[tuple(pixels[shown].T.numpy())] == 1).mean() > 0.97
    for name in ("head_centre", "neck_base"):
        row, column = shot.landmarks["right"][name]
        assert shot.mask[round(row), round(column)] == 1


def test_the_thigh_follows_a_shaft_that_has_swung(patient, view):
    femur = patient.femurs["right"]
    everything = draw_cut((0.0, 0.0, 1.0), (0.0, 0.0, 900.0), np.random.default_rng(0), 0.0)
    swung = Fragment(((everything, 1.0),), Motion(about_y(0.3), torch.zeros(3)))
    broken = replace(patient, femurs={**patient.femurs, "right": replace(femur, fragments=(swung,))})
    assert posed(broken, view, "right").leg_abducted == pytest.approx(np.degrees(0.3), abs=0.01)
    assert posed(patient, view, "right").leg_abducted == 0


def test_an_operated_hip_is_no_longer_broken():
    rng = np.random.default_rng(0)
    person = draw_person(rng, usual_site().population)
    diseases = {"right": Disease(fracture=Fracture.NECK_COMPLETE), "left": Disease()}
    phantom = draw_phantom(person, rng, {"right": Implant.NAIL, "left": Implant.NONE}, diseases)
    assert phantom.diseases["right"].fracture is Fracture.NONE
    assert not phantom.femurs["right"].fragments


def test_osteoarthritis_comes_with_age_and_mostly_to_both_sides():
    def drawn(age):
        person = replace(draw_person(np.random.default_rng(1), usual_site().population), age=age)
        rng = np.random.default_rng(2)
        return [draw_diseases(person, rng) for _ in range(1500)]

    young, old = (np.array([[d[side].osteoarthritis > 0 for side in HIP.sides] for d in drawn(age)]) for age in (35.0, 75.0))
    assert young.any(axis=1).mean() < 0.02
    assert 0.15 < old.any(axis=1).mean() < 0.45
    assert old.all(axis=1).mean() > 2 * old[:, 0].mean() * old[:, 1].mean()


def test_views_cover_what_hospitals_do():
    rng = np.random.default_rng(0)
    views = [draw_view(rng, site, None) for site in load_sites().values() for _ in range(120)]
    rotations = np.array([view.poses["right"].rotation for view in views if not view.frog_leg])
    assert rotations.min() < -30
    assert rotations.max() > 10
    assert abs(np.median(rotations) + 10) < 3
    assert 0.02 < np.mean([view.frog_leg for view in views]) < 0.2
    assert {view.only for view in views} == {"right", "left", ""}
    assert all(1.05 < view.source_detector / view.plane.focus_distance < 1.3 for view in views)
    assert {view.marker.side if view.marker else "" for view in views} == {"right", "left", ""}


@pytest.fixture(scope="module")
def traced(patient, view):
    return trace(patient, view, torch.Generator().manual_seed(1))


def test_the_map_over_dxas_regions_is_what_dxa_reads(patient, view):
    """The neck lies parallel to the detector here, as on the scanner's table; rays are parallel there and fan out here."""
    flat = {side: replace(view.poses[side], rotation=-patient.femurs[side].anteversion) for side in HIP.sides}
    seen = trace(patient, replace(view, poses=flat), torch.Generator().manual_seed(1))
    mineral, regions = map_mineral(seen, AS_IT_IS)[..., :2].sum(-1) * MINERAL_STEP, map_regions(seen)
    half = mineral.shape[1] // 2
    for side, part in (("right", slice(None, half)), ("left", slice(half, None))):
        for site, bit in zip(HIP.sites, REGION_BITS, strict=True):
            inside = (regions[:, part] & bit) > 0
            read = getattr(patient.dxa[side], site)
            assert mineral[:, part][inside].mean() == pytest.approx(read, rel=0.08), (side, site)


def test_a_state_multiplies_the_mineral_of_its_compartment_alone(traced):
    changed, plain = map_mineral(traced, State(cortex=1.2, pelvis=0.8)).astype(float), map_mineral(traced, AS_IT_IS).astype(float)
    for channel, factor in enumerate((1.2, 1.0, 0.8)):
        grey = (plain[..., channel] > 50) & (plain[..., channel] < 200)
        assert (changed[..., channel][grey] / plain[..., channel][grey]).mean() == pytest.approx(factor, rel=0.01)


def test_denser_bone_is_brighter_where_it_is_and_nowhere_else(traced, view, shot):
    """The logarithm of the signal, by the style that stores it, under the same noise."""
    style = replace(view, style=FOR_PROCESSING["L"])
    plain, dense = (
        traced.exposed(style, torch.Generator().manual_seed(2), state).rendering.displayed().numpy()
        for state in (AS_IT_IS, State(cortex=1.2, spongy=1.2))
    )
    row, col = (round(place) for place in shot.landmarks["right"]["neck_base"])
    change = dense - plain
    assert change[row - 3 : row + 4, col - 3 : col + 4].mean() > 0.003
    assert abs(np.median(change[shot.mask == 0])) < 0.0006


def test_a_radiograph_is_what_was_traced_and_exposed(patient, view, shot):
    generator = torch.Generator().manual_seed(1)
    again = trace(patient, view, generator).exposed(view, generator)
    assert torch.equal(again.rendering.values, shot.rendering.values) and np.array_equal(again.mask, shot.mask)


def test_drawn_states_go_together_and_apart():
    states = np.log([[s.cortex, s.spongy, s.pelvis] for s in (draw_state(np.random.default_rng(i)) for i in range(800))])
    assert states.std(axis=0) == pytest.approx([0.144, 0.187, 0.144], rel=0.1)
    assert 0.4 < np.corrcoef(states.T)[0, 1] < 0.7
