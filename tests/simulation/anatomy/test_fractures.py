"""Each kind of fracture breaks the femur where it is said to, and moves its fragments as it is said to."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.simulation.anatomy.disease import FRACTURES, Fracture, draw_fracture
from scripts.simulation.anatomy.displacement import displacement_mm
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.fractures import draw_fragments
from scripts.simulation.anatomy.solids import about_y
from scripts.simulation.physics.projection import ImagePlane, cast

WHOLE = Femur()
SEEDS = range(4)
NECK = [
    Fracture.NECK_VALGUS, Fracture.NECK_UNDISPLACED, Fracture.NECK_PARTIAL, Fracture.NECK_COMPLETE, Fracture.NECK_STEEP,
    Fracture.BASICERVICAL,
]  # fmt: skip
SUBTROCHANTERIC = [
    Fracture.SUBTROCHANTERIC_TRANSVERSE, Fracture.SUBTROCHANTERIC_SPIRAL, Fracture.SUBTROCHANTERIC_COMMINUTED,
]  # fmt: skip
AVULSIONS = {Fracture.GREATER_TROCHANTER: "greater_trochanter", Fracture.LESSER_TROCHANTER: "lesser_trochanter"}
POINTS = torch.cartesian_prod(torch.arange(-60.0, 30, 1.5), torch.arange(-25.0, 25, 1.5), torch.arange(-30.0, 60, 1.5))


def broken(fracture: Fracture, amount: float, seed: int = 0) -> Femur:
    return replace(WHOLE, fragments=draw_fragments(fracture, amount, WHOLE, np.random.default_rng(seed)))


def moved(femur: Femur, name: str) -> np.ndarray:
    return np.array(femur.landmarks[name]) - np.array(WHOLE.landmarks[name])


def neck_shaft_angle(femur: Femur) -> float:
    """Between the line from head to neck base and the shaft of a femur seen from the front, degrees."""
    head, base, shaft = (np.array(femur.landmarks[name])[[0, 2]] for name in ("head_centre", "neck_base", "shaft"))
    up, down = head - base, shaft - base
    return math.degrees(math.acos(up @ down / np.linalg.norm(up) / np.linalg.norm(down)))


def fragments_at(femur: Femur, points: torch.Tensor) -> torch.Tensor:
    """How many fragments hold each point of the unbroken bone."""
    return torch.stack([fragment.distance(points) < 0 for fragment in femur.fragments]).sum(0)


@pytest.mark.parametrize("fracture", FRACTURES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_socket_holds_the_head_and_each_box_its_fragment(fracture, seed):
    femur = broken(fracture, 1.0, seed)
    assert femur.landmarks["head_centre"] == pytest.approx((0, 0, 0), abs=1e-3)
    low, high = femur.box()
    for part, (part_low, part_high) in femur.parts():
        assert (part_low >= low).all() and (part_high <= high).all()
        points = low + torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0)) * (high - low)
        points = points[points[:, 2] < 140]  # the shaft goes on below what is modelled
        outside = ((points < part_low) | (points > part_high)).any(-1)
        assert (part(points[outside]).distance > -0.5).all()


@pytest.mark.parametrize("fracture", FRACTURES)
def test_every_piece_of_the_bone_belongs_to_one_fragment(fracture):
    low, high = WHOLE.own_box()
    points = low + torch.rand(20_000, 3, generator=torch.Generator().manual_seed(1)) * (high - low)
    points = points[WHOLE.outline(points) < 0]
    for seed in SEEDS:
        femur = broken(fracture, 0.5, seed)
        assert (fragments_at(femur, points) == 1).float().mean() > 0.999
        assert len(femur.fragments) >= 2
        assert all((fragment.distance(points) < 0).sum() > 3 for fragment in femur.fragments)


@pytest.mark.parametrize("fracture", FRACTURES)
def test_fragments_hold_the_mineral_of_the_whole_bone_and_show_no_cortex_where_it_broke(fracture):
    femur = broken(fracture, 0.0, 3)
    turned = [replace(each, motion=each.motion.then((0.0, 6.0 * n, 0.0))) for n, each in enumerate(femur.fragments)]
    femur = replace(femur, fragments=tuple(turned))
    plane = ImagePlane(110, 70, 2.0, -100, -60)
    expected = cast(WHOLE, plane, WHOLE.box(), 1.0)
    pieces = [cast(part, plane, box, 1.0) for part, box in femur.parts()]
    assert float(sum(p.cortex.sum() for p in pieces)) == pytest.approx(float(expected.cortex.sum()), rel=0.03)
    assert float(sum(p.interior.sum() for p in pieces)) == pytest.approx(float(expected.interior.sum()), rel=0.03)


@pytest.mark.parametrize("fracture", FRACTURES)
def test_what_has_not_moved_is_not_displaced_and_casts_the_shadow_of_the_whole_bone(fracture):
    femur = broken(fracture, 0.0)
    assert displacement_mm(femur) < 0.01
    plane = ImagePlane(110, 70, 2.0, -100, -60)
    expected = cast(WHOLE, plane, WHOLE.box(), 1.0).path
    found = sum(cast(part, plane, box, 1.0).path for part, box in femur.parts())
    assert (found - expected).abs().max() < 1.5


@pytest.mark.parametrize("fracture", FRACTURES)
def test_displacement_grows_evenly_from_nothing_to_gross(fracture):
    small, middle, large = ([displacement_mm(broken(fracture, amount, seed)) for seed in SEEDS] for amount in (0.1, 0.5, 1.0))
    assert all(a < b < c for a, b, c in zip(small, middle, large, strict=True))
    least = 0.5 if fracture is Fracture.NECK_UNDISPLACED else 4.0
    assert min(large) > least and max(small) < 6.0


def test_a_gap_is_measured_in_the_image_plane():
    femur = broken(Fracture.SUBTROCHANTERIC_TRANSVERSE, 0.0)
    down = replace(femur.fragments[1], motion=femur.fragments[1].motion.then((3.0, 40.0, 4.0)))
    apart = replace(femur, fragments=(femur.fragments[0], down), size=1.1)
    assert displacement_mm(apart) == pytest.approx(5.0 * 1.1, rel=1e-3)
    assert displacement_mm(replace(apart, rotation=about_y(0.4), mirrored=True)) == pytest.approx(5.0 * 1.1, rel=1e-3)
    assert displacement_mm(WHOLE) == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_valgus_impacted_neck_is_steeper_and_denser_where_it_was_driven_in(seed):
    femur = broken(Fracture.NECK_VALGUS, 1.0, seed)
    assert neck_shaft_angle(femur) > neck_shaft_angle(WHOLE) + 4
    head, shaft = (part(POINTS).distance < 0 for part, _ in femur.parts())
    assert (head & shaft).sum() > 50


@pytest.mark.parametrize("fracture", [Fracture.NECK_PARTIAL, Fracture.BASICERVICAL, Fracture.PERTROCHANTERIC])
@pytest.mark.parametrize("seed", SEEDS)
def test_displaced_necks_and_trochanters_fall_into_varus_shorten_and_turn_outward(fracture, seed):
    femur = broken(fracture, 1.0, seed)
    assert femur.fragments[0].abducted > 3
    assert moved(femur, "shaft")[2] < -1.5
    assert femur.fragments[1].turned_outward > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_an_undisplaced_neck_keeps_its_landmarks(seed):
    femur = broken(Fracture.NECK_UNDISPLACED, 1.0, seed)
    assert all(np.linalg.norm(moved(femur, name)) < 4 for name in WHOLE.landmarks)
    assert abs(neck_shaft_angle(femur) - neck_shaft_angle(WHOLE)) < 3


@pytest.mark.parametrize("fracture", NECK)
def test_a_neck_breaks_between_head_and_trochanters(fracture):
    for seed in SEEDS:
        head, shaft = broken(fracture, 0.5, seed).fragments
        assert head.distance(torch.zeros(3)) < -5
        for name in ("greater_trochanter", "lesser_trochanter", "shaft"):
            assert shaft.distance(torch.tensor(WHOLE.landmarks[name])) < 2.0


def test_a_steep_line_is_nearer_the_vertical_than_pauwels_third_degree():
    for seed in SEEDS:
        nx, _, nz = broken(Fracture.NECK_STEEP, 0.5, seed).fragments[0].cuts[0][0].normal
        assert math.degrees(math.atan2(-nx, nz)) > 50


@pytest.mark.parametrize("fracture", [Fracture.PERTROCHANTERIC, Fracture.MULTIFRAGMENTARY])
def test_a_trochanteric_line_runs_between_the_trochanters(fracture):
    lateral, medial = torch.tensor([-70.0, 0.0, 30.0]), torch.tensor([-43.0, 4.5, 100.0])
    for seed in SEEDS:
        fragments = broken(fracture, 0.5, seed).fragments
        assert fragments[0].distance(torch.zeros(3)) < 0 < fragments[0].distance(lateral)
        assert fragments[1].distance(medial) < 0
        assert len(fragments) >= (3 if fracture is Fracture.MULTIFRAGMENTARY else 2)


def test_a_reverse_oblique_line_leaves_both_trochanteric_flare_and_tip_with_the_head():
    for seed in SEEDS:
        head, shaft = broken(Fracture.REVERSE_OBLIQUE, 1.0, seed).fragments
        for name in ("greater_trochanter", "neck_base"):
            assert head.distance(torch.tensor(WHOLE.landmarks[name])) < 0
        assert shaft.motion.shift[0] > 0 or shaft.moved(torch.tensor(WHOLE.landmarks["shaft"]))[0] > WHOLE.landmarks["shaft"][0]


@pytest.mark.parametrize(("fracture", "name"), AVULSIONS.items())
@pytest.mark.parametrize("seed", SEEDS)
def test_an_avulsed_trochanter_is_pulled_up_and_the_rest_stays(fracture, name, seed):
    femur = broken(fracture, 1.0, seed)
    assert moved(femur, name)[2] < -2
    assert all(np.linalg.norm(moved(femur, other)) < 1e-3 for other in WHOLE.landmarks if other != name)


@pytest.mark.parametrize("fracture", SUBTROCHANTERIC)
def test_the_subtrochanteric_fragment_is_flexed_abducted_and_turned_outward_on_the_whole(fracture):
    heads, swings = [], []
    for seed in range(12):
        head, shaft, *_ = broken(fracture, 1.0, seed).fragments
        assert shaft.distance(torch.tensor(WHOLE.landmarks["greater_trochanter"])) > 0
        heads.append([head.abducted, head.turned_outward, float(-head.motion.rotation[1, 2])])
        swings.append(shaft.abducted)
    assert (np.mean(heads, axis=0) > (5, 5, 0.1)).all()
    assert min(swings) < -3 and max(swings) > 3


def test_all_kinds_and_displacements_are_as_likely_as_one_another():
    drawn = [draw_fracture(np.random.default_rng(seed)) for seed in range(1400)]
    counts = [sum(kind is each for kind, _ in drawn) for each in FRACTURES]
    assert min(counts) > 60 and max(counts) < 145
    assert np.histogram([amount for _, amount in drawn], 4, (0, 1))[0] == pytest.approx([350] * 4, abs=70)
