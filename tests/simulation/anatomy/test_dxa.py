"""DXA of the phantom: what it reads is the mineral that is there, and the mineral is set to what should be read."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.dxa import Reading, Scan, mineralised, scan, with_scan_error
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import FemurMineral
from scripts.simulation.anatomy.femurs_of_person import draw_femurs, draw_shape
from scripts.simulation.anatomy.roughness import Roughness, Unevenness
from scripts.simulation.population import Person, draw_person


def test_a_coarse_scan_reads_what_a_fine_one_does():
    coarse, fine = scan(Femur(bone=FemurMineral(0.8))), scan(Femur(bone=FemurMineral(0.8)), 0.5, 0.5)
    assert coarse.total == pytest.approx(fine.total, rel=0.005)
    assert coarse.neck == pytest.approx(fine.neck, rel=0.005)


def test_the_scan_holds_all_the_mineral_of_the_solid():
    femur = replace(
        Femur(**vars(draw_shape(Person(60, "M", 176, 80, 1, 0.9), np.random.default_rng(0), 24.0))), bone=FemurMineral(0.9)
    )
    spacing, cell = 0.5, 0.7
    image = sum(Scan(femur, spacing, 1.0).images(femur.bone))
    low, high = (corner * femur.size for corner in femur.own_box())
    low[[0, 2]] -= spacing / 2
    extent = high - low
    extent[0], extent[2] = image.shape[1] * spacing, image.shape[0] * spacing
    # One random point in each small cube: a stratified estimate of the integral that knows nothing of rays.
    corners = torch.cartesian_prod(*(torch.arange(int(n / cell) + 1) for n in extent)).float()
    generator = torch.Generator().manual_seed(0)
    mineral = []
    for part in (low + cell * (corners + torch.rand(corners.shape, generator=generator))).split(200_000):
        tissue = femur(part)
        bone, core = (tissue.distance < 0) & (part[:, 2] < low[2] + extent[2]), tissue.distance + tissue.cortex < 0
        mineral.append(
            torch.where(core, tissue.interior, torch.full_like(tissue.interior, femur.bone.cortical_density))[bone].sum()
        )
    assert float(image.sum()) * spacing**2 / 100 == pytest.approx(float(sum(mineral)) * cell**3 / 1000, rel=0.005)


def test_the_reading_does_not_depend_on_how_the_patient_lies():
    turned = Femur(
        position=torch.tensor([-80.0, 5.0, 3.0]),
        rotation=torch.linalg.matrix_exp(torch.tensor([[0, 0.2, 0], [-0.2, 0, 0.1], [0, -0.1, 0]])),
        mirrored=True,
    )
    assert scan(turned) == scan(Femur())


@pytest.mark.parametrize("strength", [0.3, 0.5, 0.7, 0.9, 1.1, 1.4])
def test_stronger_bone_reads_denser_at_both_sites(strength):
    weak, strong = scan(Femur(bone=FemurMineral(strength))), scan(Femur(bone=FemurMineral(strength + 0.1)))
    assert strong.neck > weak.neck and strong.total > weak.total


def test_strength_is_about_the_areal_density_of_a_young_adult():
    assert scan(Femur()).total == pytest.approx(0.96, abs=0.08)
    assert scan(Femur()).neck == pytest.approx(0.87, abs=0.08)
    assert scan(Femur(bone=FemurMineral(0.7))).total == pytest.approx(0.60, abs=0.08)


def test_a_compartments_mineral_is_a_part_of_what_is_read():
    femur = Femur(bone=FemurMineral(0.8))
    parts = Scan(femur).parts(femur.bone)
    assert parts.reading() == scan(femur)
    denser = scan(replace(femur, bone=femur.bone.denser(cortical=1.2, trabecular=0.7)))
    assert parts.reading(1.2, 0.7).neck == pytest.approx(denser.neck, rel=1e-4)
    assert parts.reading(1.2, 0.7).total == pytest.approx(denser.total, rel=1e-4)
    assert 0.5 < parts.cortex.total / parts.reading().total < 0.9


def test_an_uneven_femur_reads_what_it_should():
    uneven = Unevenness(1.0, 1.0, 1.0, 1.0, 1.0)
    femur = Femur(roughness=Roughness(uneven, (-3.0, 9.5, -36.2), (20.0, 29.5, 25.5), 0))
    found = scan(mineralised(femur, Reading(0.62, 0.75)))
    assert found.neck == pytest.approx(0.62, rel=0.01)
    assert found.total == pytest.approx(0.75, rel=0.01)


@pytest.mark.parametrize(("neck", "total"), [(0.45, 0.52), (0.62, 0.75), (0.85, 0.95), (1.05, 1.2)])
def test_mineral_is_set_to_what_should_be_read(neck, total):
    found = scan(mineralised(Femur(), Reading(neck, total)))
    assert found.neck == pytest.approx(neck, rel=0.01)
    assert found.total == pytest.approx(total, rel=0.01)


def test_drawn_femurs_read_what_is_expected_of_the_person():
    rng = np.random.default_rng(1)
    errors, scatter = [], []
    for _ in range(14):
        person = draw_person(rng)
        femurs = draw_femurs(person, rng, 22.5, {"right": Disease(), "left": Disease()})
        right, left = scan(femurs["right"]), scan(femurs["left"])
        errors.append(
            [(right.neck + left.neck) / 2 / person.femoral_neck - 1, (right.total + left.total) / 2 / person.total_hip - 1]
        )
        scatter += [right.total - person.total_hip, left.total - person.total_hip]
    assert np.abs(np.mean(errors, axis=0)).max() < 0.015
    assert np.std(scatter) == pytest.approx(0.02, rel=0.45)


def test_repeated_scans_scatter_as_scanners_do():
    rng = np.random.default_rng(2)
    repeats = np.array([[r.neck, r.total] for r in (with_scan_error(Reading(0.7, 0.85), rng) for _ in range(4000))])
    variation = repeats.std(axis=0) / repeats.mean(axis=0)
    assert variation == pytest.approx([0.0166, 0.0065], rel=0.05)
    assert repeats.mean(axis=0) == pytest.approx([0.7, 0.85], rel=0.002)
