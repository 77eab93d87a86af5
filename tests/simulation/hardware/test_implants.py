"""Implants sit in the bone that carries them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_shape import LENGTH_MM
from scripts.simulation.hardware.implants import Fitting, Implant, draw_fitting, parts, placed
from scripts.simulation.physics.projection import ImagePlane, cast

FEMURS = {
    "small": Femur(size=0.86, head_radius=21.0, shaft_radius=12.5, offset=34.0, neck_shaft_angle=134.0),
    "usual": Femur(),
    "large": Femur(size=1.18, head_radius=23.0, shaft_radius=16.0, offset=51.0, neck_shaft_angle=116.0),
}
KINDS = [kind for kind in Implant if kind is not Implant.NONE]
JOINTS = [kind for kind in Implant if kind.is_joint]


def fittings(kind, count=12):
    return [draw_fitting(kind, np.random.default_rng(seed)) for seed in range(count)]


def inside(part, spacing=2.0):
    """Points of the femur's frame that lie inside a part."""
    axes = [torch.arange(low, high, spacing) for low, high in zip(part.low, part.high, strict=True)]
    points = torch.cartesian_prod(*axes)
    return points[part.distance(points) < 0]


def test_a_hip_without_implant_has_no_parts():
    assert parts(Fitting(Implant.NONE), Femur()) == []


@pytest.mark.parametrize("femur", FEMURS.values(), ids=FEMURS.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_every_part_has_substance_and_lies_within_its_box(kind, femur):
    for fitting in fittings(kind, 6):
        for part in parts(fitting, femur):
            points = inside(part, 1.0)
            assert len(points) > 50
            low, high = torch.tensor(part.low), torch.tensor(part.high)
            margin = 3.0
            shell = torch.cartesian_prod(
                *(torch.arange(a - margin, b + margin, 1.5) for a, b in zip(part.low, part.high, strict=True))
            )
            outside = shell[((shell < low) | (shell > high)).any(-1)]
            assert float(part.distance(outside).min()) > -0.05


@pytest.mark.parametrize("femur", FEMURS.values(), ids=FEMURS.keys())
@pytest.mark.parametrize("kind", [*JOINTS, Implant.NAIL])
def test_stem_cement_and_nail_lie_in_the_canal(kind, femur):
    for fitting in fittings(kind):
        for part in parts(fitting, femur):
            points = inside(part)
            across = (points[:, 0] + femur.offset).abs() < 0.75 * femur.shaft_radius  # not the screw across a nail's end
            shaft = points[(points[:, 2] > femur.drop + 65) & (points[:, 2] < min(femur.drop + 145, LENGTH_MM - 5)) & across]
            if fitting.implant is Implant.NAIL:
                # below the thick upper part, and not where the screw crosses it
                shaft = shaft[(shaft[:, 2] > femur.drop + 85) & ((shaft[:, 2] - femur.drop - fitting.length + 18).abs() > 4)]
            if len(shaft):
                bone = femur(femur.to_patient(shaft))
                within_cortex = (bone.distance + bone.cortex) / femur.size
                # For a nail the surgeon reams where the canal is tight.
                assert float(within_cortex.max()) < (2.5 if kind is Implant.NAIL else 1.0)


@pytest.mark.parametrize("kind", JOINTS)
@pytest.mark.parametrize("femur", FEMURS.values(), ids=FEMURS.keys())
def test_the_stem_stays_inside_the_bone_below_the_cut(kind, femur):
    along = torch.tensor([-femur.offset, 0.0, femur.drop])
    for fitting in fittings(kind):
        points = inside(parts(replace(fitting, collar=False), femur)[0])
        share = points @ along / (along @ along)
        below = points[share > 0.75]
        assert float(femur(femur.to_patient(below)).distance.max()) < 0


@pytest.mark.parametrize("kind", JOINTS)
def test_the_head_turns_about_the_centre_of_the_joint(kind):
    for fitting in fittings(kind):
        femur = FEMURS["usual"]
        heads = [p for p in parts(fitting, femur) if p.distance(torch.tensor([[0.0, 0.0, -10.0]])) < 0]
        assert len(heads) == 1
        assert heads[0].masked and heads[0].material in ("cobalt", "ceramic", "steel")


def test_a_total_hip_has_the_head_size_it_was_fitted_with():
    for femur in FEMURS.values():
        fitting = replace(draw_fitting(Implant.TOTAL_HIP, np.random.default_rng(1)), head_radius=14.0, head="ceramic")
        (head,) = (p for p in parts(fitting, femur) if p.material == "ceramic")
        top = inside(head, 0.5)[:, 2].min().abs() * femur.size
        assert float(top) == pytest.approx(14.0, abs=0.6)


def test_the_cup_stays_with_the_pelvis_when_the_femur_moves():
    femur = replace(FEMURS["usual"], position=torch.tensor([-88.0, 0.0, 0.0]))
    turned = replace(femur, rotation=torch.linalg.matrix_exp(torch.tensor([[0, 0, -0.6], [0, 0, 0], [0.6, 0, 0]])))
    points = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * 25 + femur.position
    for part in parts(draw_fitting(Implant.TOTAL_HIP, np.random.default_rng(0)), femur):
        before, after = (placed(part, f)[0](points).distance for f in (femur, turned))
        assert torch.equal(before, after) == part.in_pelvis


@pytest.mark.parametrize("femur", FEMURS.values(), ids=FEMURS.keys())
@pytest.mark.parametrize("kind", [Implant.SLIDING_HIP_SCREW, Implant.NAIL, Implant.SCREWS])
def test_fixation_reaches_into_the_head_and_not_out_of_it(kind, femur):
    for fitting in fittings(kind):
        points = torch.cat([inside(part, 1.0) for part in parts(fitting, femur)])
        towards_head = torch.tensor([femur.offset, 0.0, -femur.drop])
        medial = points[points @ towards_head > 0]
        assert len(medial) > 20
        assert float(medial.norm(dim=-1).max()) < femur.head_radius - 4


@pytest.mark.parametrize("femur", FEMURS.values(), ids=FEMURS.keys())
def test_the_side_plate_lies_on_the_lateral_cortex(femur):
    fitting = Fitting(Implant.SLIDING_HIP_SCREW, screws=4)
    (part,) = parts(fitting, femur)
    points = inside(part, 0.5)
    end = points[points[:, 2] > float(points[:, 2].max()) - 6]  # below the last screw there is nothing but plate
    gap = -femur.offset - femur.shaft_radius - float(end[:, 0].max())
    assert -1.0 < gap < 2.0


def test_materials_and_masks():
    seen = {}
    for kind in KINDS:
        for fitting in fittings(kind, 20):
            for part in parts(fitting, FEMURS["usual"]):
                seen.setdefault(part.material, set()).add(part.masked)
    assert seen == {m: {m != "cement"} for m in ("titanium", "cobalt", "steel", "ceramic", "polyethylene", "cement")}


def test_no_material_fills_the_room_of_another():
    points = torch.rand(200_000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([110.0, 60.0, 190.0])
    points = points - torch.tensor([75.0, 30.0, 40.0])
    for kind in JOINTS:
        for fitting in fittings(kind):
            deep = sum((part.distance(points) < -0.3).int() for part in parts(fitting, FEMURS["usual"]) if not part.in_pelvis)
            assert int(deep.max()) == 1


def test_fittings_vary_and_repeat():
    for kind in KINDS:
        drawn = fittings(kind)
        assert drawn == fittings(kind)
        assert len(set(drawn)) > 6


@pytest.mark.parametrize("kind", KINDS)
def test_implants_cast_shadows_where_the_femur_is(kind):
    femur = replace(FEMURS["usual"], position=torch.tensor([-88.0, 0.0, 0.0]))
    plane = ImagePlane(170, 110, 1.5, -180, -60, 0, 0, 950.0)
    path = torch.zeros(plane.rows, plane.columns)
    for part in parts(fittings(kind, 1)[0], femur):
        solid, box = placed(part, femur)
        path += cast(solid, plane, box, 1.0).path
    columns = (path > 1).any(0).nonzero()
    x = plane.left + columns * plane.spacing
    assert float(path.max()) > 8
    assert float(x.min()) > -165 and float(x.max()) < -50
