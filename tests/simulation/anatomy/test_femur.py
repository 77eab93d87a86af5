"""The modelled femur against the anatomy of adults: sizes, angles, cortex, the loss of trabeculae, disease and fractures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy import femurs_of_person
from scripts.simulation.anatomy.disease import Disease, Fracture
from scripts.simulation.anatomy.dxa import scan
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import GROUPS, FemurMineral, Trabeculae, group_share, mineral, places, singh_grade
from scripts.simulation.anatomy.femurs_of_person import draw_femurs, draw_marrow_fat, draw_mineral, draw_shape
from scripts.simulation.anatomy.roughness import Roughness, Unevenness, draw_unevenness
from scripts.simulation.population import Person, draw_person

WOMAN = Person(70, "F", 162, 66, 0.80, 0.69)
HEALTHY = {"right": Disease(), "left": Disease()}


@pytest.fixture(scope="module")
def shapes():
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(500):
        person = draw_person(rng)
        drawn.append(draw_shape(person, rng, (43.3 if person.sex == "F" else 48.5) / 2 * rng.normal(1, 0.04)))
    return drawn


def scattered(count: int) -> torch.Tensor:
    """Points in the unit cube."""
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0))


def inside(femur: Femur, points: torch.Tensor) -> torch.Tensor:
    return femur.outline(femur.bent(points)) < 0


def centroid(femur: Femur, centre: torch.Tensor, first: torch.Tensor, second: torch.Tensor, reach: float) -> torch.Tensor:
    """Centre of the cross-section through ``centre`` that two directions span."""
    steps = torch.arange(-reach, reach, 0.8)
    grid = torch.cartesian_prod(steps, steps)
    points = centre + grid[:, :1] * first + grid[:, 1:] * second
    return points[inside(femur, points)].mean(0)


def measured_neck_shaft_angle(femur: Femur) -> float:
    back = torch.tensor([0.0, 1.0, 0.0])
    medial = torch.tensor([1.0, 0.0, 0.0])
    z0, z1 = femur.drop + 60, femur.drop + 110
    upper, lower = (centroid(femur, torch.tensor([-femur.offset, 4.5, z]), medial, back, 26) for z in (z0, z1))
    shaft = (lower - upper) / (lower - upper).norm()
    axis = torch.tensor([-femur.offset, 0.0, femur.drop]) / femur.neck_length
    across = torch.linalg.cross(axis, back)
    middle = centroid(femur, 0.42 * femur.neck_length * axis, across, back, 24)
    neck = -middle / middle.norm()
    return float(torch.rad2deg(torch.arccos((neck * shaft)[[0, 2]].sum() / neck[[0, 2]].norm() / shaft[[0, 2]].norm())))


def neck_cortex(strength: float, superior: bool) -> float:
    """Thickness in mm of the superoposterior or inferoanterior cortex in the middle of the neck."""
    femur = Femur()
    cos, sin = -femur.offset / femur.neck_length, femur.drop / femur.neck_length
    side = 1.0 if superior else -1.0
    up, y = side * 12.0, side * 7.0
    at = 0.50 * femur.neck_length
    point = torch.tensor([[at * cos - up * sin, y, at * sin + up * cos]])
    cortex, _ = mineral(FemurMineral(strength), places(femur, point, femur.outline(point)))
    return float(cortex)


@pytest.mark.parametrize(
    ("measure", "mean", "sd"),
    [
        (lambda s: s.neck_shaft_angle, 124.7, 6.2),
        (lambda s: s.size * s.offset, 42.9, 6.8),
        (lambda s: 2 * s.size * s.neck_radius, 34.3, 2.8),
    ],
    ids=["neck-shaft angle", "offset", "neck diameter"],
)
def test_drawn_femurs_are_as_large_and_as_varied_as_adults(shapes, measure, mean, sd):
    values = np.array([measure(shape) for shape in shapes])
    assert values.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(500))
    assert values.std() == pytest.approx(sd, rel=0.15)


def test_anteversion_is_that_of_adults(monkeypatch):
    monkeypatch.setattr(femurs_of_person, "mineralised", lambda femur, _: femur)  # the density, which takes a second
    rng = np.random.default_rng(2)
    drawn = [draw_femurs(draw_person(rng), rng, 22.5, HEALTHY)["right"].anteversion for _ in range(60)]
    assert np.mean(drawn) == pytest.approx(14.5, abs=3.5)
    assert np.std(drawn) == pytest.approx(8.1, rel=0.35)


def test_a_larger_offset_goes_with_a_smaller_angle(shapes):
    angle, offset = np.array([[s.neck_shaft_angle, s.size * s.offset] for s in shapes]).T
    assert np.corrcoef(angle, offset)[0, 1] < -0.2


def test_the_neck_is_as_thick_as_its_parameter_and_oval():
    femur = Femur()
    axis = torch.tensor([-femur.offset, 0.0, femur.drop]) / femur.neck_length
    up = torch.tensor([axis[2] * -1, 0.0, axis[0]])
    steps = torch.arange(-32, 32, 0.1)[:, None]
    stations = [part * femur.neck_length * axis for part in (0.34, 0.38, 0.42, 0.46)]
    heights = [float(inside(femur, at + steps * up).sum() * 0.1) for at in stations]
    depths = [float(inside(femur, at + steps * torch.tensor([0.0, 1.0, 0.0])).sum() * 0.1) for at in stations]
    assert min(heights) == pytest.approx(2 * femur.neck_radius, abs=2.0)
    assert 0.72 < depths[-1] / heights[-1] < 0.95


def test_the_medullary_canal_flares():
    femur = Femur()
    steps = torch.arange(-50, 30, 0.2)

    def canal(z: float) -> float:
        points = torch.stack([steps - femur.offset, torch.full_like(steps, 4.5), torch.full_like(steps, z)], dim=-1)
        tissue = femur(points)
        return float((tissue.distance + tissue.cortex < 0).sum() * 0.2)

    lesser = femur.landmarks["lesser_trochanter"][2]
    assert canal(lesser - 20) / canal(lesser + 95) == pytest.approx(3.4, abs=0.8)


@pytest.mark.parametrize("angle", [112.0, 125.0, 138.0])
def test_the_angle_measured_on_the_solid_is_the_parameter(angle):
    assert measured_neck_shaft_angle(Femur(neck_shaft_angle=angle)) == pytest.approx(angle, abs=3.0)


def test_warped_femurs_keep_their_angle_on_average():
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(12):
        shape = draw_shape(WOMAN, rng, 21.6)
        errors.append(measured_neck_shaft_angle(Femur(**vars(shape))) - shape.neck_shaft_angle)
    assert abs(np.mean(errors)) < 2.5
    assert np.std(errors) < 5.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_landmarks_sit_on_the_bone_that_they_name(seed):
    femur = Femur(**vars(draw_shape(WOMAN, np.random.default_rng(seed), 21.6)))
    points = torch.tensor([femur.landmarks[name] for name in HIP.landmarks])
    distance = femur.outline(femur.bent(points))
    assert points[0].norm() < 0.05
    assert distance[0] < -15 and distance[1] < -4 and distance[4] < -7
    assert distance[2].abs() < 3.5 and distance[3].abs() < 2.5


def test_a_head_is_round():
    femur = Femur(**vars(replace(draw_shape(WOMAN, np.random.default_rng(4), 21.6), flattening=0.0, cam=0.0)))
    angles = torch.linspace(-0.9, 0.9, 30)
    dome = femur.head_radius * torch.stack([torch.sin(angles), torch.zeros(30), -torch.cos(angles)], dim=-1)
    assert femur.outline(femur.bent(dome)).abs().max() < 0.8


def test_the_two_sides_mirror_each_other():
    left, right = Femur(mirrored=True, position=torch.tensor([80.0, 0, 0])), Femur(position=torch.tensor([-80.0, 0, 0]))
    points = scattered(500) * 120 - 60
    mirrored = points * torch.tensor([-1.0, 1, 1])
    assert torch.allclose(right(points).distance, left(mirrored).distance, atol=1e-4)
    femurs = draw_femurs(WOMAN, np.random.default_rng(5), 21.6, HEALTHY)
    assert femurs["left"].mirrored and not femurs["right"].mirrored
    assert femurs["left"].offset == pytest.approx(femurs["right"].offset, rel=0.06)


def test_poses_are_undone():
    femur = draw_femurs(WOMAN, np.random.default_rng(6), 21.6, HEALTHY)["left"]
    femur = replace(femur, rotation=torch.linalg.matrix_exp(torch.tensor([[0, 0.3, 0.1], [-0.3, 0, 0.2], [-0.1, -0.2, 0]])))
    points = scattered(50) * 100
    assert torch.allclose(femur.to_local(femur.to_patient(points)), points, atol=1e-3)
    bent = femur.bent(points)
    assert torch.allclose(femur.unbent(bent), points, atol=0.05)


@pytest.mark.parametrize(
    ("superior", "young", "old"), [(True, 1.63, 0.33), (False, 3.9, 3.3)], ids=["superoposterior", "inferoanterior"]
)
def test_the_neck_cortex_thins_with_age_as_measured(superior, young, old):
    assert neck_cortex(1.0, superior) == pytest.approx(young, rel=0.12)
    assert neck_cortex(0.70, superior) == pytest.approx(old, abs=0.35)


def test_the_cortex_of_the_shaft_loses_a_quarter_to_a_third():
    point = torch.tensor([[-30.0, 4.5, 130.0]])

    def thickness(strength: float) -> float:
        return float(Femur(bone=FemurMineral(strength))(point).cortex)

    assert 5.0 < thickness(1.0) < 7.0
    assert 0.25 <= 1 - thickness(0.68) / thickness(1.0) <= 0.35


def test_trabecular_groups_are_lost_in_singhs_order():
    gone = {}
    for strength in np.arange(1.0, 0.15, -0.01):
        for name, left in zip(GROUPS, group_share(float(strength)), strict=True):
            if left < 0.2:
                gone.setdefault(name, strength)
    order = sorted(gone, key=lambda name: -gone[name])
    assert order[0] == "secondary_tensile"
    assert order[-2:] == ["principal_tensile", "principal_compressive"]
    for strength in (1.2, 1.0, 0.8, 0.6, 0.4):
        assert group_share(strength)[0] == max(group_share(strength))


def test_wards_triangle_opens():
    femur = Femur()
    ward = torch.tensor([[-0.66 * femur.offset, 0.0, 0.66 * femur.drop]])
    head = torch.tensor([[0.0, 0.0, -8.0]])

    def ratio(strength: float) -> float:
        weak = replace(femur, bone=FemurMineral(strength))
        return float(weak(ward).interior / weak(head).interior)

    assert ratio(1.0) > 1.5 * ratio(0.7)


def test_osteoarthritis_grows_osteophytes_and_enthesophytes_a_spur():
    disease = {"right": Disease(osteoarthritis=1.0), "left": Disease(enthesophytes=1.0)}
    sick = draw_femurs(WOMAN, np.random.default_rng(8), 21.6, disease)
    well = draw_femurs(WOMAN, np.random.default_rng(8), 21.6, HEALTHY)
    for side, reach, name in (("right", 32.0, "head_centre"), ("left", 10.0, "greater_trochanter")):
        new = sick[side]
        old = replace(new, osteophytes=0.0, spur=0.0)
        points = (scattered(50_000) * 2 - 1) * reach + torch.tensor(new.landmarks[name])
        grown = inside(new, points) & ~inside(old, points)
        assert old.outline(old.bent(points[grown])).max() > 1.5
    dome = torch.tensor([[0.0, 0.0, -sick["right"].head_radius + 4.0]])
    assert sick["right"](dome).cortex > well["right"](dome).cortex + 1.0


def test_a_resected_femur_has_neither_head_nor_a_cortex_over_the_cut():
    whole, cut = Femur(), Femur(resected=True)
    assert cut(torch.zeros(1, 3)).distance > 5
    just_below = 0.64 * whole.neck_length
    on_axis = torch.tensor([[-whole.offset, 0.0, whole.drop]]) / whole.neck_length * just_below
    tissue = cut(on_axis)
    assert tissue.distance < 0 and tissue.cortex + tissue.distance < 0


def test_the_same_seed_draws_the_same_femurs():
    disease = {"right": Disease(0.3, 0.2, Fracture.PERTROCHANTERIC, 0.6), "left": Disease()}
    first, second = (draw_femurs(WOMAN, np.random.default_rng(9), 21.6, disease) for _ in range(2))
    assert first["left"].bone == second["left"].bone
    assert first["right"].landmarks == second["right"].landmarks


def test_a_pale_lesser_trochanter_holds_less_mineral_and_the_shaft_keeps_its_own() -> None:
    def near(name: str, lesser: float) -> float:
        femur = replace(Femur(), bone=replace(Femur().bone, lesser=lesser))
        centre = torch.tensor(femur.landmarks[name])
        grid = torch.stack(torch.meshgrid(*(torch.arange(-6.0, 6.1, 1.0),) * 3, indexing="ij"), -1) + centre
        tissue = femur.parts()[0][0](femur.to_patient(grid))
        inside = tissue.distance < 0
        shell = inside & (tissue.distance > -tissue.cortex)
        return float(shell.sum()) + float((tissue.interior * (inside & ~shell)).sum())

    assert near("lesser_trochanter", 0.3) < 0.8 * near("lesser_trochanter", 1.0)
    assert near("shaft", 0.3) > 0.97 * near("shaft", 1.0)


def rough(amount: float, seed: int = 0) -> Femur:
    uneven = Unevenness(*(amount,) * 5)
    return Femur(bone=FemurMineral(0.8), roughness=Roughness(uneven, (-3.0, 9.5, -36.2), (20.0, 29.5, 25.5), seed))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_tip_of_an_uneven_trochanter_stays_and_the_bone_about_it_does_not(seed):
    femur, smooth = rough(1.0, seed), rough(1.0, seed)
    smooth = replace(smooth, roughness=None)
    tip = torch.tensor(femur.landmarks["greater_trochanter"])
    assert tip.tolist() == list(smooth.landmarks["greater_trochanter"])
    points = torch.cartesian_prod(*(torch.arange(-14.0, 14.1, 0.8),) * 3) + tip
    tops = [points[inside(bone, points)][:, 2].min() for bone in (femur, smooth)]
    assert (tops[0] - tops[1]).abs() < 2.0
    surface = points[smooth.outline(points).abs() < 0.5]
    moved = femur.outline(surface) - smooth.outline(surface)
    assert moved.std() > 0.2
    assert moved.abs().max() < 2.6


def test_roughness_has_no_steps():
    table = rough(1.0).roughness.table
    for axis in (1, 2, 3):
        assert table[0].diff(dim=axis - 1).abs().max() < 1.1
    edges = torch.cat([table[0, 0].flatten(), table[0, -1].flatten(), table[0, :, 0].flatten(), table[0, ..., -1].flatten()])
    assert edges.abs().max() < 1e-4


def test_uneven_bone_is_less_even_inside_and_a_smooth_one_hardly():
    points = scattered(4000) * torch.tensor([20.0, 16.0, 30.0]) + torch.tensor([-55.0, -4.0, 20.0])

    def variation(amount: float) -> float:
        local = rough(amount).local(points)
        assert local.spongy.min() > 0 and local.cortex.min() > 0
        return float(local.spongy.std() / local.spongy.mean())

    assert variation(1.0) > 2 * variation(0.0)


def test_the_old_are_less_even_than_the_young_and_both_vary():
    rng = np.random.default_rng(0)
    young, old = (np.array([draw_unevenness(age, rng).relief for _ in range(300)]) for age in (25.0, 85.0))
    assert old.mean() > young.mean() + 0.15
    for drawn in (young, old):
        assert np.quantile(drawn, 0.05) < 0.5 < np.quantile(drawn, 0.95)
        assert drawn.min() >= 0 and drawn.max() <= 1


def test_a_compartment_changes_by_itself():
    bone, femur = FemurMineral(0.8), Femur()
    points = torch.tensor([[0.0, 0.0, -8.0], [-30.0, 4.5, 130.0], [-20.0, 0.0, 18.0]])
    at = places(femur, points, femur.outline(points))
    cortex, interior = mineral(bone, at)
    dense = bone.denser(cortical=1.2, trabecular=0.7)
    assert dense.cortical_density == pytest.approx(1.2 * bone.cortical_density)
    assert torch.equal(mineral(dense, at)[0], cortex) and torch.allclose(mineral(dense, at)[1], 0.7 * interior)
    assert torch.allclose(mineral(bone.thicker(1.5), at)[0], 1.5 * cortex)
    groups = replace(bone, trabeculae=Trabeculae(groups=(2.0, 1.0, 1.0, 1.0, 1.0)))
    assert mineral(groups, at)[1][0] > 1.2 * interior[0] and torch.equal(mineral(groups, at)[0], cortex)


def test_a_weak_cortex_is_a_porous_one():
    assert FemurMineral(1.0).cortical_density == pytest.approx(1.15)
    assert FemurMineral(0.7).cortical_density == pytest.approx(1.15 * 0.7**0.4)


@pytest.mark.parametrize("pattern", [0.6, 0.75, 1.1])
def test_another_pattern_keeps_the_mass(pattern):
    whole = Femur(bone=FemurMineral(0.85))
    other = replace(whole, bone=replace(whole.bone, trabeculae=Trabeculae(pattern=pattern)))
    assert scan(other).total == pytest.approx(scan(whole).total, rel=0.05)
    assert (singh_grade(other.bone.pattern) < singh_grade(whole.bone.pattern)) == (pattern < 0.85)


def test_people_of_one_density_differ_in_every_compartment():
    drawn = [draw_mineral(WOMAN, np.random.default_rng(seed)) for seed in range(400)]
    thickness, density, spongy = np.log([(b.cortex.shaft, b.cortex.density, b.trabeculae.density) for b in drawn]).T
    assert thickness.std() == pytest.approx(0.29, rel=0.12) and density.std() == pytest.approx(0.09, rel=0.12)
    assert spongy.std() == pytest.approx(0.24, rel=0.12)
    assert abs(np.corrcoef([thickness, density, spongy]) - np.eye(3)).max() < 0.15
    patterns = np.array([bone.pattern for bone in drawn])
    assert np.median(patterns) == pytest.approx(WOMAN.total_hip / 0.95, rel=0.06) and patterns.std() > 0.15


def test_marrow_turns_to_fat_with_age_and_in_women_late():
    def mean(age: float, sex: str) -> float:
        person = replace(WOMAN, age=age, sex=sex)
        return float(np.mean([draw_marrow_fat(person, np.random.default_rng(seed)) for seed in range(300)]))

    assert mean(75, "F") > mean(45, "F") + 0.1 and mean(75, "M") > mean(45, "M") + 0.08
    assert mean(45, "M") > mean(45, "F")
