"""What a radiograph shows of the soft tissue."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.simulation.anatomy.body_shape import Body, Bulge
from scripts.simulation.anatomy.bowel import bladder_water, bowel_gas
from scripts.simulation.anatomy.calcification import calcium
from scripts.simulation.anatomy.curves import Grid, beside, smooth_curve
from scripts.simulation.anatomy.muscles import fat_planes, fat_streaks
from scripts.simulation.anatomy.soft_tissue import draw_body, soft_tissue
from scripts.simulation.physics.projection import ImagePlane
from scripts.simulation.population import Person

PLANE = ImagePlane(340, 420, 1.0, -210, -170, 0, 0, 950.0)
STRAIGHT = {"right": 0.0, "left": 0.0}


def person(age=70.0, sex="F", bmi=26.0):
    return Person(age, sex, 165.0, bmi * 1.65**2, 0.8, 0.7)


def body(seed=0, **who) -> Body:
    return draw_body(person(**who), np.random.default_rng(seed), 1.0)


def tissue(of: Body, plane=PLANE, abduction=STRAIGHT, seed=1):
    return soft_tissue(of, plane, abduction, torch.Generator().manual_seed(seed))


def at(image, x, z, plane=PLANE):
    return float(image[round((z - plane.top) / plane.spacing), round((x - plane.left) / plane.spacing)])


def bodies(count, **who):
    return [body(seed, **who) for seed in range(count)]


def test_supine_thickness_and_the_tissue_beside_the_trochanter_are_those_of_adults():
    men = bodies(300, sex="M", bmi=27.0)
    assert np.mean([b.thickness * b.belly for b in men]) == pytest.approx(240, abs=12)
    beside_trochanter = np.array([b.half_width - 150 for b in men])
    assert beside_trochanter.mean() == pytest.approx(31, abs=5)


@pytest.mark.parametrize("sex", ["F", "M"])
def test_thickness_grows_with_body_mass(sex):
    thickness = [
        np.mean([at(sum((t.lean, t.fat)), 60, -40) for t in map(tissue, bodies(4, sex=sex, bmi=bmi))]) for bmi in (20, 27, 36)
    ]
    assert thickness[0] + 20 < thickness[1] < thickness[2] - 20


@pytest.mark.parametrize("bmi", [18.0, 26.0, 45.0])
@pytest.mark.parametrize("abduction", [0.0, -10.0, 60.0])
def test_no_path_is_negative_and_air_is_empty(bmi, abduction):
    shown = tissue(body(3, sex="M", bmi=bmi, age=85), abduction={"right": abduction, "left": 0.0})
    for image in (shown.lean, shown.fat, shown.mineral):
        assert image.shape == (PLANE.rows, PLANE.columns)
        assert bool(torch.isfinite(image).all()) and float(image.min()) >= 0
    wide = ImagePlane(100, 20, 3.0, -400, -150)
    assert float((tissue(body(3), wide).lean + tissue(body(3), wide).fat).max()) == 0


def test_fat_lies_outside_muscle():
    b = replace(body(0), fat=30.0, gas=0.0, stool=0.0)
    shown = tissue(b)
    under_skin, in_muscle = b.half_width - 12, 110
    share = [at(shown.fat, x, 10) / at(shown.fat + shown.lean, x, 10) for x in (under_skin, in_muscle)]
    assert share[0] > 0.8 > 0.5 > share[1]


def test_a_plane_of_fat_crosses_the_muscle_beside_the_capsule_of_the_hip():
    grid = Grid.over(PLANE, 0.7, torch.device("cpu"))
    for seed in range(5):
        fat = fat_planes(body(seed), grid, STRAIGHT)
        row = fat[int((-38 - float(grid.z[0])) / grid.spacing)]
        beside_hip = row[(grid.x > 88 + 18) & (grid.x < 88 + 48)]
        assert float(beside_hip.max()) > 10 and float(beside_hip.min()) < 0.3 * float(beside_hip.max())


def test_muscles_of_the_old_hold_more_fat():
    grid = Grid.over(PLANE, 3.0, torch.device("cpu"))

    def share(age):
        return np.mean([float(fat_streaks(b, grid, torch.Generator().manual_seed(1)).mean()) for b in bodies(20, age=age)])

    assert share(85.0) > 1.3 * share(45.0)


def test_the_thigh_follows_the_femur():
    b = replace(body(1), pannus=0.0)
    there = (b.hip + 95.0, 75.0)
    straight, frog = tissue(b), tissue(b, abduction={"right": 0.0, "left": 55.0})
    assert at(frog.lean, *there) > at(straight.lean, *there) + 50
    assert at(frog.lean, -there[0], there[1]) == pytest.approx(at(straight.lean, -there[0], there[1]), abs=1)


def test_an_overhanging_belly_ends_in_a_sharp_edge_over_the_groins():
    b = replace(body(2, bmi=40.0), pannus=40.0, gas=0.0, stool=0.0)
    extra = [getattr(tissue(b), name) - getattr(tissue(replace(b, pannus=0.0)), name) for name in ("lean", "fat")]
    column = (extra[0] + extra[1])[:, round(-PLANE.left)]
    steepest = float((column[:-3] - column[3:]).max())
    assert float(column.max()) > 15 and steepest > 0.25 * float(column.max())


def test_gas_takes_the_place_of_tissue():
    full, empty = replace(body(5), gas=0.9, stool=0.8), replace(body(5), gas=0.0, stool=0.0)
    grid = Grid.over(PLANE, 1.0, torch.device("cpu"))
    gas = [bowel_gas(b, grid, torch.Generator().manual_seed(4)) for b in (full, empty)]
    assert float(gas[0].max()) > 15 and float(gas[1].max()) == 0
    shown = [tissue(b, seed=4) for b in (full, empty)]
    lost = (shown[1].lean + shown[1].fat) - (shown[0].lean + shown[0].fat)
    assert float(lost.max()) > 15 and float(lost.min()) > -3
    assert float((shown[1].lean - shown[0].lean).max()) > 15
    assert float((lost > 10).float().mean()) < 0.25


def test_gas_differs_between_radiographs_and_calcium_does_not():
    b = replace(body(6, age=88), gas=0.9, calcium=0.7, phleboliths=4)
    first, second = tissue(b, seed=1), tissue(b, seed=2)
    assert torch.equal(first.mineral, second.mineral) and float(first.mineral.max()) > 0.05
    assert not torch.equal(first.lean, second.lean)


def test_the_bladder_is_an_oval_above_the_symphysis():
    grid = Grid.over(PLANE, 1.0, torch.device("cpu"))
    water, _ = bladder_water(replace(body(0), bladder=0.8), grid)
    rows, columns = (water > 1).nonzero().T
    assert float(grid.z[rows.max()]) < 45 and float(grid.z[rows.min()]) > -60
    assert float(grid.x[columns].mean()) == pytest.approx(0, abs=1)
    assert float(bladder_water(replace(body(0), bladder=0.1), grid)[0].sum()) < 0.3 * float(water.sum())


def test_vessels_calcify_with_age_and_more_in_men():
    share = {
        (age, sex): np.mean([b.calcium for b in bodies(200, age=age, sex=sex)])
        for age in (45.0, 65.0, 85.0)
        for sex in ("F", "M")
    }
    assert share[45.0, "F"] < 0.03 and share[45.0, "F"] < share[65.0, "F"] < share[85.0, "F"] < share[85.0, "M"]


def test_a_calcified_artery_shows_two_walls():
    grid = Grid.over(PLANE, 0.4, torch.device("cpu"))
    mineral = calcium(replace(body(0), calcium=1.0, phleboliths=0, granulomas=0), grid, STRAIGHT)
    row = mineral[int((100 - float(grid.z[0])) / grid.spacing)]
    walls = grid.x[row > 0.5 * row.max()]
    assert 4 < float(walls[walls > 0].diff().max()) < 40
    assert 0.05 < float(mineral.max()) < 1.2


def test_phleboliths_are_small_and_lie_in_the_lesser_pelvis():
    grid = Grid.over(PLANE, 0.4, torch.device("cpu"))
    mineral = calcium(replace(body(0), calcium=0.0, phleboliths=1, granulomas=0), grid, STRAIGHT)
    rows, columns = (mineral > 0).nonzero().T
    size = float(max(rows.max() - rows.min(), columns.max() - columns.min()) + 1) * grid.spacing
    assert 1.5 < size < 6
    assert 30 < abs(float(grid.x[columns].mean())) < 75 and -30 < float(grid.z[rows].mean()) < 50


def test_the_same_seeds_give_the_same_tissue():
    assert body(8) == body(8)
    first, second = tissue(body(8)), tissue(body(8))
    assert torch.equal(first.lean, second.lean) and torch.equal(first.fat, second.fat)


def test_coordinates_beside_a_curve_are_those_of_geometry():
    grid = Grid.over(PLANE, 1.0, torch.device("cpu"))
    near = beside(smooth_curve([(-20, 0), (20, 0)]), grid, 10.0)
    x, z = grid.at(near.patch)
    inside = (x.abs() < 19).expand_as(near.across)
    assert torch.allclose(near.across.abs()[inside], z.abs().expand_as(near.across)[inside], atol=1e-4)
    assert torch.allclose(near.along[inside], (x + 20).expand_as(near.along)[inside], atol=1e-3)
    assert near.length == pytest.approx(40)


def test_tissue_before_and_behind_a_hip_is_not_that_beside_it():
    plain = replace(body(3), bulges=())
    there = Bulge(x=-90.0, z=20.0, reach=25.0, lean=12.0, fat=8.0)
    smooth, more = tissue(plain), tissue(replace(plain, bulges=(there,)))
    lean, fat = more.lean - smooth.lean, more.fat - smooth.fat
    assert at(lean, -90, 20) == pytest.approx(12, abs=3) and at(fat, -90, 20) == pytest.approx(8, abs=3)
    assert abs(at(lean, 90, 20)) < 1.0 and abs(at(fat, 90, 20)) < 1.0
    less = tissue(replace(plain, bulges=(replace(there, lean=-500.0, fat=-500.0),)))
    assert (less.lean >= 0).all() and (less.fat >= 0).all() and at(less.lean, -90, 20) > 0.3 * at(smooth.lean, -90, 20)


def test_bodies_bulge_on_either_side():
    drawn = [bulge for of in bodies(60) for bulge in of.bulges]
    assert 3 * 60 <= len(drawn) <= 6 * 60
    assert np.std([bulge.lean for bulge in drawn]) == pytest.approx(9, rel=0.2)
    assert 0.35 < np.mean([bulge.x > 0 for bulge in drawn]) < 0.65
