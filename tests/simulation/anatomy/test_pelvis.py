"""The pelvis: sizes, joint, sex, disease and what a ray meets in it."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.hip_bone import HipBone
from scripts.simulation.anatomy.pelvis import Pelvis, draw_pelvis, draw_tilt
from scripts.simulation.anatomy.solids import about_x, about_z, vector
from scripts.simulation.anatomy.spine import Spine
from scripts.simulation.physics.projection import ImagePlane, cast
from scripts.simulation.physics.xray import CORTICAL_MINERAL
from scripts.simulation.population import Person

HEALTHY = dict.fromkeys(HIP.sides, Disease())
PLANE = ImagePlane(400, 440, 0.9, -197.0, -235.0)


def person(sex: str, total_hip: float = 0.9) -> Person:
    return Person(60, sex, 162 if sex == "F" else 176, 70, total_hip, 0.86 * total_hip)


def drawn(sex: str, seed: int, total_hip: float = 0.9) -> Pelvis:
    return draw_pelvis(person(sex, total_hip), np.random.default_rng(seed), 22.0 if sex == "F" else 24.3, HEALTHY)


def mineral(pelvis: Pelvis, part: int, plane: ImagePlane = PLANE, step: float = 3.0) -> torch.Tensor:
    shadow = cast(*_solid(pelvis, part, plane), step)
    return shadow.cortex * (CORTICAL_MINERAL / 10) + shadow.interior


def _solid(pelvis: Pelvis, part: int, plane: ImagePlane) -> tuple:
    solid, box = pelvis.parts()[part]
    return solid, plane, box


def path(pelvis: Pelvis, x: float, z: float, step: float = 1.0) -> float:
    """Bone (mm) that the ray through (x, z) meets in both hip bones."""
    plane = ImagePlane(1, 1, 0.5, x, z)
    return sum(float(cast(*_solid(pelvis, part, plane), step).path) for part in range(2))


def runs(
    pelvis: Pelvis, start: tuple[float, float, float], end: tuple[float, float, float], part: int = 1
) -> list[tuple[float, float]]:
    """Stretches of bone, mm from ``start``, along the line to ``end`` (of the left hip bone)."""
    length = math.dist(start, end)
    t = torch.arange(0, length, 0.1)
    points = vector(start, t) + (t / length)[:, None] * (vector(end, t) - vector(start, t))
    inside = torch.nn.functional.pad((pelvis.parts()[part][0](points).distance < 0).int(), (1, 1))
    change = inside.diff()
    return list(zip((change.nonzero()[change[change != 0] > 0] / 10).flatten().tolist(),
                    (change.nonzero()[change[change != 0] < 0] / 10).flatten().tolist(), strict=True))  # fmt: skip


def joint_space(pelvis: Pelvis, direction: tuple[float, float, float]) -> float:
    """Gap (mm) between the left femoral head and the nearest bone in ``direction`` (x lateral)."""
    centre = pelvis.hip_centre("left")
    unit = vector(direction, centre) / vector(direction, centre).norm()
    bone = runs(pelvis, tuple(centre.tolist()), tuple((centre + 60 * unit).tolist()))
    return bone[0][0] - pelvis.hips["left"].head_radius


def with_osteoarthritis(amount: float) -> Pelvis:
    return Pelvis(hips={side: HipBone(osteoarthritis=amount) for side in HIP.sides})


def lowest_arch_angle(pelvis: Pelvis) -> float:
    """Angle (degrees) between the medial borders of the two inferior rami on a radiograph."""
    shadow = sum(mineral(pelvis, part) for part in range(2)) > 0.02
    depth = (torch.tensor([50.0, 62.0]) * pelvis.scale * pelvis.lower - PLANE.top) / PLANE.spacing
    widths = [
        float(shadow[int(row), 220:].int().argmax()) + float(shadow[int(row), :220].flip(0).int().argmax()) for row in depth
    ]
    return 2 * math.degrees(math.atan((widths[1] - widths[0]) / 2 / float(int(depth[1]) - int(depth[0]))))


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.1])
def test_hip_centres_are_176_mm_apart_at_scale_1(scale: float) -> None:
    pelvis = Pelvis(scale=scale)
    assert float((pelvis.hip_centre("left") - pelvis.hip_centre("right")).norm()) == pytest.approx(176 * scale, abs=0.01)
    assert pelvis.hip_centre("left")[0] > 0
    turned = drawn("F", 3)
    middle = (turned.hip_centre("left") + turned.hip_centre("right")) / 2
    assert middle.tolist() == pytest.approx([0, 0, 0], abs=1e-4)


def test_the_joint_is_4_mm_wide_at_the_top_and_wider_inferomedially() -> None:
    healthy = Pelvis()
    assert joint_space(healthy, (0.2, 0, -1)) == pytest.approx(4.0, abs=0.5)
    assert joint_space(healthy, (-0.96, 0.1, 0.25)) > 8


def test_osteoarthritis_takes_the_joint_space_and_moves_the_head_up_and_out() -> None:
    spaces = [joint_space(with_osteoarthritis(amount), (0.375, 0, -0.927)) for amount in (0.0, 0.3, 0.6, 1.0)]
    assert all(a > b + 0.5 for a, b in pairwise(spaces))
    assert spaces[-1] < 0.7
    moved = with_osteoarthritis(1.0).hip_centre("left") - Pelvis().hip_centre("left")
    assert moved[0] > 1 and moved[2] < -3
    assert joint_space(with_osteoarthritis(1.0), (-0.96, 0.1, 0.25)) > joint_space(Pelvis(), (-0.96, 0.1, 0.25))


def test_osteoarthritis_hardens_the_roof_and_builds_a_lip() -> None:
    above = torch.tensor([[96.0, 2.0, -32.0]])
    healthy, worn = (p.parts()[1][0](above) for p in (Pelvis(), with_osteoarthritis(1.0)))
    assert float(healthy.distance) < 0
    assert float(worn.interior) > float(healthy.interior) + 0.2
    beside = torch.tensor([[88 + 23.5, 0.0, -15.5]])
    assert float(Pelvis().parts()[1][0](beside).distance) > float(with_osteoarthritis(1.0).parts()[1][0](beside).distance) + 2


def test_enthesophytes_roughen_the_crest() -> None:
    plane = ImagePlane(150, 170, 0.3, 70.0, -165.0)

    def roughness(spurs: float) -> float:
        pelvis = Pelvis(hips={side: HipBone(enthesophytes=spurs) for side in HIP.sides})
        rows = (mineral(pelvis, 1, plane, 1.0) > 0.02).int().argmax(0).float()
        return float(rows.diff().diff().abs().mean())

    assert roughness(1.0) > 1.3 * roughness(0.0)


def test_wing_is_thin_in_the_middle_and_thick_at_the_crest() -> None:
    pelvis = Pelvis()

    def thickness(y: float, z: float) -> float:
        """Across the wing, whose normal lies about 40 degrees from x."""
        stretch = runs(pelvis, (60 - 0.72 * y, y - 36, z + 12), (135 - 0.72 * y, y + 20, z - 12))
        return sum(b - a for a, b in stretch)

    assert 2.5 < thickness(10, -96) < 6
    assert thickness(5, -137) > 1.7 * thickness(10, -96)


def test_obturator_foramen_is_open_and_walled_all_round() -> None:
    for sex in ("F", "M"):
        for seed in range(3):
            pelvis = replace(drawn(sex, seed), rotation=torch.eye(3))
            shadow = mineral(pelvis, 1) > 0.01
            rows = slice(int((10 - PLANE.top) / 0.9), int((75 - PLANE.top) / 0.9))
            columns = slice(int((5 - PLANE.left) / 0.9), int((85 - PLANE.left) / 0.9))
            assert largest_hole(~shadow[rows, columns]) * 0.81 > 150, (sex, seed)


def largest_hole(empty: torch.Tensor) -> int:
    """Pixels of the largest empty region that does not reach the edge of the picture."""
    from skimage.measure import label, regionprops

    regions = regionprops(label(empty.numpy(), connectivity=1))
    rows, columns = empty.shape
    closed = [r.area for r in regions if min(r.bbox[:2]) > 0 and r.bbox[2] < rows and r.bbox[3] < columns]
    return int(max(closed, default=0))


def foramen(pelvis: Pelvis, side: str = "left") -> tuple[float, float]:
    """Height and width (mm) of the obturator foramen of ``side`` on a radiograph."""
    from skimage.measure import label, regionprops

    plane = ImagePlane(280, 220, 0.5, 0.0 if side == "left" else -110.0, -30.0, 0.0, 20.0, 1000.0)
    regions = regionprops(label((mineral(pelvis, HIP.sides.index(side), plane, 1.0) < 0.01).numpy(), connectivity=1))
    holes = [r.bbox for r in regions if min(r.bbox[:2]) > 0 and r.bbox[2] < 280 and r.bbox[3] < 220 and r.area > 100]
    top, left, bottom, right = max(holes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    return (bottom - top) * 0.5, (right - left) * 0.5


def test_tilting_forward_flattens_the_obturator_foramen() -> None:
    """Height over width falls about linearly with anterior tilt (Kanazawa et al., Hip Int 2016; Tannast et al., 2006)."""
    tilts = np.arange(-20, 21, 10)
    ratios = []
    for tilt in tilts:
        height, width = foramen(Pelvis(rotation=about_x(math.radians(float(tilt)))))
        ratios.append(height / width)
    assert all(a > b + 0.05 for a, b in pairwise(ratios)), ratios
    assert np.corrcoef(tilts, ratios)[0, 1] < -0.94


@pytest.mark.parametrize(("sex", "angle"), [("M", 13), ("F", 18)])
def test_turning_the_pelvis_narrows_one_foramen_to_half_the_other(sex: str, angle: float) -> None:
    """At about 13 degrees in men and 18 in women (Kanazawa et al., Hip Int 2016, ten pelves)."""
    turned = [replace(drawn(sex, seed), rotation=about_z(-math.radians(angle))) for seed in range(5)]
    ratios = [foramen(pelvis, "right")[1] / foramen(pelvis, "left")[1] for pelvis in turned]
    assert 1.5 < np.median(ratios) < 3.0, ratios


def test_tilts_are_as_various_as_peoples() -> None:
    rng = np.random.default_rng(0)
    young, old = (np.array([draw_tilt(age, rng) for _ in range(3000)]) for age in (30, 80))
    assert np.std(old) == pytest.approx(9, abs=1)
    assert np.mean(young) == pytest.approx(5, abs=0.7)
    assert np.mean(old) == pytest.approx(-3, abs=0.7)
    both = np.concatenate([young, old])
    assert (both > 20).mean() > 0.01 and (both < -20).mean() > 0.01


def test_tilt_and_turn_are_read_back_whatever_the_other() -> None:
    tilted = Pelvis(rotation=about_z(-math.radians(30)) @ about_x(math.radians(-17)))
    assert tilted.tilt_deg == pytest.approx(-17, abs=0.01)
    assert tilted.turn_deg == pytest.approx(30, abs=0.01)
    assert tilted.hip_centre("left")[1] > 40 > tilted.hip_centre("right")[1]


@pytest.mark.parametrize("incidence", [36, 53, 72])
def test_the_sacrum_has_the_pelvic_incidence_asked_for(incidence: float) -> None:
    grid = torch.stack(torch.meshgrid(torch.arange(0.0, 70, 0.5), torch.arange(-140.0, -80, 0.5), indexing="ij"), -1)
    along, across = Spine(incidence=incidence)._along_and_across(torch.cat([torch.zeros_like(grid[..., :1]), grid], -1))
    plate = grid[(along.abs() < 0.5) & (across.abs() < 20)]
    centre = plate.mean(0)
    spread = torch.linalg.eigh((plate - centre).T @ (plate - centre)).eigenvectors
    normal = spread[:, 0] * spread[1, 0].sign()  # towards the feet
    to_hips = -centre / centre.norm()
    angle = math.degrees(math.acos(float(normal @ to_hips)))
    assert angle == pytest.approx(incidence, abs=4)


def test_teardrop_stands_medial_to_the_head() -> None:
    """Fossa wall and quadrilateral plate: a strip of bone 4 to 13 mm wide, 5 to 16 mm from the head, in its lower half."""
    pelvis = Pelvis()
    wall = runs(pelvis, (88.0, 4.0, 9.0), (30.0, 4.0, 9.0))
    start, end = wall[0]
    head_edge = math.sqrt(22.5**2 - 9**2 - 4**2)
    assert 5 < start - head_edge < 16
    assert 4 < end - start < 13


def test_sides_are_alike_but_not_equal() -> None:
    pelvis = replace(drawn("F", 5), rotation=torch.eye(3))
    right, left = (
        mineral(pelvis, 0, ImagePlane(300, 300, 0.9, -134.55, -180)),
        mineral(pelvis, 1, ImagePlane(300, 300, 0.9, -134.55, -180)),
    )
    assert float(left.sum() / right.sum()) == pytest.approx(1, abs=0.08)
    difference = float((left - right.flip(1)).abs().sum() / left.sum())
    assert 0.02 < difference < 0.3


def test_women_have_the_wider_subpubic_angle() -> None:
    angles = {sex: [lowest_arch_angle(replace(drawn(sex, seed), rotation=torch.eye(3))) for seed in range(3)] for sex in "FM"}
    assert np.mean(angles["F"]) > np.mean(angles["M"]) + 12
    assert 70 < np.mean(angles["F"]) < 115
    assert 40 < np.mean(angles["M"]) < 85


@pytest.mark.parametrize("seed", [0, 1])
def test_mass_does_not_depend_on_the_step(seed: int) -> None:
    pelvis = drawn("F", seed, 0.7)
    for part in range(4):
        coarse, fine = mineral(pelvis, part).sum(), mineral(pelvis, part, step=0.5).sum()
        assert float(coarse / fine) == pytest.approx(1, abs=0.01), part


def test_the_thin_wing_keeps_its_mass_at_coarse_steps() -> None:
    plane = ImagePlane(30, 30, 0.9, 80.0, -115.0)
    coarse, fine = mineral(Pelvis(), 1, plane), mineral(Pelvis(), 1, plane, 0.25)
    assert float(coarse.sum() / fine.sum()) == pytest.approx(1, abs=0.02)
    assert float((coarse - fine).abs().max() / fine.mean()) < 0.15


def test_boxes_hold_their_solids() -> None:
    for seed in range(3):
        for solid, (low, high) in drawn("M", seed).parts():
            axes = [torch.arange(float(a), float(b) + 4, 4.0) for a, b in zip(low, high, strict=True)]
            distance = solid(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)).distance
            assert float((distance < 0).sum()) * 64 > 5e4
            for axis in range(3):
                assert float(torch.minimum(distance.select(axis, 0), distance.select(axis, -1)).min()) > 0


def test_projected_volume_is_the_volume() -> None:
    """Blocks that hold bone are found by the distance: one that promised too much would lose bone."""
    pelvis = Pelvis()
    for part in (1, 2):
        solid, (low, high) = pelvis.parts()[part]
        axes = [torch.arange(float(a), float(b), 2.0) for a, b in zip(low, high, strict=True)]
        volume = float((solid(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)).distance < 0).sum()) * 8
        assert float(cast(*_solid(pelvis, part, PLANE), 3.0).path.sum()) * 0.81 == pytest.approx(volume, rel=0.02)


def test_less_density_less_mineral_same_shape() -> None:
    def built(strength: float) -> Pelvis:
        return Pelvis(hips={side: HipBone(strength=strength) for side in HIP.sides})

    strong, weak = mineral(built(1.0), 1), mineral(built(0.6), 1)
    assert 0.45 < float(weak.sum() / strong.sum()) < 0.75
    assert float(((strong > 0) ^ (weak > 0)).float().mean()) < 0.002


def test_the_sacroiliac_joint_is_a_gap_of_the_width_asked_for() -> None:
    def width(gap: float) -> float:
        pelvis = Pelvis(spine=Spine(gap=gap))
        hip, sacrum = (runs(pelvis, (0.0, 60.0, -88.0), (100.0, 60.0, -88.0), part) for part in (1, 2))
        return hip[0][0] - sacrum[-1][1]

    assert width(3.0) == pytest.approx(3.0, abs=1.0)
    assert width(4.5) - width(3.0) == pytest.approx(1.5, abs=0.3)


def test_the_same_seed_draws_the_same_pelvis() -> None:
    a, b = mineral(drawn("M", 7), 0), mineral(drawn("M", 7), 0)
    assert torch.equal(a, b)
    assert not torch.equal(a, mineral(drawn("M", 8), 0))


def test_teardrop_and_posterior_wall_stand_out_from_the_bone_beside_them() -> None:
    """Both are seen edge on: the teardrop medial to the head, the edge of the wall as a line across it."""
    at_teardrop = mineral(Pelvis(), 1, ImagePlane(1, 100, 0.5, 40.0, 12.0), 1.0)[0]
    assert float(at_teardrop[:50].max()) > 1.8 * float(at_teardrop[50:].median())
    plane = ImagePlane(60, 60, 0.5, 78.0, -10.0)  # over the head
    across = mineral(Pelvis(), 1, plane, 1.0)
    beside = torch.nn.functional.avg_pool2d(across[None, None], 21, 1, 10)[0, 0]
    assert float((across - beside)[20:40].max()) > 0.86  # g/cm²; 0.82 without the dense edge


def test_the_brim_is_denser_than_the_wing() -> None:
    pelvis = Pelvis()
    wing, brim = (
        mineral(pelvis, 1, ImagePlane(8, 60, 0.5, left, top), 1.0).amax(1).mean() for left, top in ((80, -105), (50, -40))
    )
    assert float(brim) > 8.4 * float(wing)  # 8.1 without the dense ridge
