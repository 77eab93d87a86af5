"""Things on the patient cast the shadows that geometry says."""

import math

import numpy as np
import pytest
import torch
from scripts.simulation.hardware.foreign_objects import ForeignObject, draw_objects, object_paths
from scripts.simulation.hardware.small_solids import Ball, Sheet, Tube
from scripts.simulation.physics.projection import ImagePlane

PLANE = ImagePlane(900, 1200, 0.35, -210, -150, 0, 0, 950.0)
MATERIALS = {"titanium", "cobalt", "steel", "ceramic", "lead", "polyethylene", "cement", "catheter"}


def path_of(shape, plane=PLANE):
    return object_paths([ForeignObject("thing", "steel", (shape,))], plane)["steel"]


def test_most_radiographs_have_nothing_and_the_rest_is_named():
    drawn = [draw_objects(np.random.default_rng(seed)) for seed in range(1500)]
    assert 0.6 < np.mean([not objects for objects in drawn]) < 0.85
    names = [{thing.name for thing in objects} for objects in drawn]
    assert np.mean(["calibration ball" in n for n in names]) == pytest.approx(0.05, abs=0.02)
    assert np.mean(["gonad shield" in n for n in names]) == pytest.approx(0.03, abs=0.015)
    assert {thing.material for objects in drawn for thing in objects} <= MATERIALS
    assert len(set.union(*names)) >= 16


def test_everything_that_is_drawn_casts_a_finite_shadow():
    plane = ImagePlane(260, 420, 1.0, -210, -130, 0, 0, 950.0)
    wide = ImagePlane(500, 700, 1.0, -350, -300, 0, 0, 950.0)
    seen = set()
    for seed in range(400):
        for thing in draw_objects(np.random.default_rng(seed)):
            if thing.name not in seen:
                seen.add(thing.name)
                (path,) = object_paths([thing], wide).values()
                assert float(path.max()) > 0.05 and float(path.min()) > -1e-3 and bool(torch.isfinite(path).all())
                object_paths([thing], plane)
    assert len(seen) >= 14


@pytest.mark.parametrize("diameter", [25.0, 30.0])
@pytest.mark.parametrize("place", [(3.0, 0.0, 120.0), (-180.0, 0.0, 30.0)])
def test_a_ball_at_the_depth_of_the_hips_is_as_wide_as_it_is(diameter, place):
    fine = ImagePlane(1000, 1000, 0.05, place[0] - 25, place[2] - 25, 0, 0, 950.0)
    path = path_of(Ball(place, diameter / 2), fine)
    # Off the central ray a ball's shadow stretches away from it; across that direction it keeps its width.
    x = fine.left + torch.arange(1000) * 0.05 - place[0]
    z = fine.top + torch.arange(1000)[:, None] * 0.05 - place[2]
    far = math.hypot(place[0], place[2])
    across = ((x * place[2] - z * place[0]) / far)[path > 0]
    assert float(across.max() - across.min()) == pytest.approx(diameter, rel=0.005)
    assert float(path.max()) == pytest.approx(diameter, rel=0.005)


def test_a_ball_before_the_hips_is_magnified():
    widths = [int((path_of(Ball((0.0, y, 0.0), 12.5)) > 0).any(0).sum()) * PLANE.spacing for y in (0.0, -100.0)]
    assert widths[1] / widths[0] == pytest.approx(950 / 850, rel=0.03)


@pytest.mark.parametrize("radius", [0.1, 0.3, 2.0])
def test_a_wire_keeps_its_cross_section_however_thin(radius):
    path = path_of(Tube(((0.0, 0.0, -50.0), (3.0, 0.0, 50.0)), radius))
    row = path[round(-PLANE.top / PLANE.spacing)]
    slant = math.hypot(3, 100) / 100
    assert float(row.sum() * PLANE.spacing) == pytest.approx(math.pi * radius**2 * slant, rel=0.02)


def test_a_catheter_is_hollow():
    path = path_of(Tube(((0.0, 0.0, -50.0), (0.0, 0.0, 50.0)), 2.7, 1.6))
    row = path[round(-PLANE.top / PLANE.spacing)]
    middle = int(row.nonzero().float().mean())
    assert float(row[middle]) == pytest.approx(2 * (2.7 - 1.6), abs=0.1)
    assert float(row.max()) > 1.3 * float(row[middle])


def test_a_sheet_covers_its_area_less_its_holes():
    square = ((-20.0, -20.0), (20.0, -20.0), (20.0, 20.0), (-20.0, 20.0))
    hole = ((-5.0, -5.0), (-5.0, 5.0), (5.0, 5.0), (5.0, -5.0))
    path = path_of(Sheet(square, 2.0, 0.0, (hole,)))
    assert float(path.sum()) * PLANE.spacing**2 == pytest.approx(2 * (1600 - 100), rel=0.01)
    assert float(path[round(-PLANE.top / PLANE.spacing), round(-PLANE.left / PLANE.spacing)]) == 0


def test_shadows_of_one_material_add_up_and_of_two_stay_apart():
    ball = Ball((0.0, 0.0, 0.0), 10.0)
    things = [ForeignObject("a", "steel", (ball,)), ForeignObject("b", "steel", (ball,)), ForeignObject("c", "lead", (ball,))]
    paths = object_paths(things, PLANE)
    assert set(paths) == {"steel", "lead"}
    assert torch.allclose(paths["steel"], 2 * paths["lead"])


def test_the_same_seed_draws_the_same_things():
    for seed in range(40):
        assert draw_objects(np.random.default_rng(seed)) == draw_objects(np.random.default_rng(seed))
