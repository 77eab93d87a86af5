"""The simulator's physics against figures that come from elsewhere."""

import numpy as np
import pytest
import torch
import xraydb
from scripts.simulation.dxa import scan
from scripts.simulation.femur import Bone, Femur
from scripts.simulation.projection import Film, Tissue, cast, inside_fraction
from scripts.simulation.xray import (
    FAT_DENSITY,
    LEAN_DENSITY,
    METAL_DENSITY,
    Exposure,
    expose,
    mass_attenuation,
    primary,
    spectrum,
)


def ball(radius: float):
    def solid(points: torch.Tensor) -> Tissue:
        distance = points.norm(dim=-1) - radius
        return Tissue(distance, torch.full_like(distance, 2.0), torch.full_like(distance, 0.2))

    return solid


@pytest.mark.parametrize(("material", "formula", "density"), [("mineral", "Ca10P6O26H2", 3.16), ("titanium", "Ti", 4.5)])
def test_attenuation_follows_the_compound_of_xraydb(material, formula, density):
    energies = np.array([30e3, 45e3, 60e3, 80e3])
    expected = xraydb.material_mu(formula, energies, density=density) / density
    tolerance = 0.005 if material == "mineral" else 0.12  # the alloy is a tenth aluminium and vanadium
    assert np.allclose(mass_attenuation(material, energies), expected, rtol=tolerance)


@pytest.mark.parametrize("material", ["lean", "fat", "mineral", "titanium", "cobalt"])
def test_a_slab_attenuates_as_beer_and_lambert_say(material):
    exposure = Exposure(kvp=80.0)
    nothing = torch.zeros(1, 1)
    slab = torch.full((1, 1), 10.0)  # mm, or 1 g/cm² of mineral
    lean, fat = (slab if material == name else nothing for name in ("lean", "fat"))
    mineral = slab / 10 if material == "mineral" else nothing
    metal = {material: slab} if material in METAL_DENSITY else {}
    density = {"lean": LEAN_DENSITY, "fat": FAT_DENSITY, "mineral": 1.0, **METAL_DENSITY}[material]
    energies, weights = spectrum(80.0, exposure.filtration)
    expected = sum(
        w * np.exp(-density * mass_attenuation(material, np.array([e]))[0]) for e, w in zip(energies, weights, strict=True)
    )
    assert float(primary(lean, fat, mineral, metal, exposure)) == pytest.approx(expected, rel=0.005)


def test_a_centimetre_of_soft_tissue_costs_as_much_as_half_a_gram_of_mineral():
    exposure = Exposure(kvp=80.0)
    thick, thicker = torch.full((1, 1), 200.0), torch.full((1, 1), 210.0)
    zero = torch.zeros(1, 1)
    base = primary(thick, zero, zero, {}, exposure)
    tissue = torch.log(base / primary(thicker, zero, zero, {}, exposure))
    gram = torch.log(base / primary(thick, zero, torch.full((1, 1), 0.455), {}, exposure))
    assert float(tissue) == pytest.approx(float(gram), rel=0.10)


def test_rays_cross_a_ball_as_geometry_says():
    film = Film(201, 201, 0.5, -50, -50)
    corner = torch.full((3,), 41.0)
    shadow = cast(ball(40.0), film, (-corner, corner))
    assert float(shadow.path[100, 100]) == pytest.approx(80.0, rel=0.005)
    assert float(shadow.cortex[100, 100]) == pytest.approx(4.0, rel=0.01)
    assert float(shadow.path.sum() * 0.25) == pytest.approx(4 / 3 * np.pi * 40**3, rel=0.005)
    assert float(shadow.interior.sum() * 0.25 / 100) == pytest.approx(0.2 * 4 / 3 * np.pi * 3.8**3, rel=0.005)


def test_an_object_before_the_patient_plane_is_magnified():
    film = Film(401, 401, 0.5, -100, -100, 0, 0, 900.0)
    corner = torch.full((3,), 25.0)

    def shifted(points: torch.Tensor) -> Tissue:
        return ball(20.0)(points + torch.tensor([0.0, 90.0, 0.0]))

    behind = torch.tensor([0.0, 90.0, 0.0])
    width = (cast(shifted, film, (-corner - behind, corner - behind), 0.5).path[200] > 0.05).sum() * 0.5
    # the outline of a ball: tangents from the focal spot 810 mm away
    expected = 2 * 900 * 20 / np.sqrt(810**2 - 20**2)
    assert float(width) == pytest.approx(expected, abs=1.0)


def test_inside_fraction_is_exact_for_a_plane():
    assert inside_fraction(torch.tensor([-1.0, 1.0, -1.0, 1.0]), torch.tensor([1.0, -3.0, -2.0, 2.0])).tolist() == [
        0.5,
        0.75,
        1.0,
        0.0,
    ]


def test_dxa_reads_the_mineral_of_the_phantom():
    coarse, fine = scan(Femur(bone=Bone(0.8)), 1.0, 1.5), scan(Femur(bone=Bone(0.8)), 0.5, 0.5)
    assert coarse.total == pytest.approx(fine.total, rel=0.01)
    assert coarse.neck == pytest.approx(fine.neck, rel=0.01)


def test_dxa_does_not_depend_on_how_the_patient_lies():
    turned = Femur(
        position=torch.tensor([-80.0, 5.0, 3.0]),
        rotation=torch.linalg.matrix_exp(torch.tensor([[0, 0.2, 0], [-0.2, 0, 0.1], [0, -0.1, 0]])),
    )
    assert scan(turned) == scan(Femur())


@pytest.mark.parametrize("strength", [0.5, 0.7, 0.9, 1.1])
def test_stronger_bone_reads_denser_at_both_sites(strength):
    weak, strong = scan(Femur(bone=Bone(strength))), scan(Femur(bone=Bone(strength + 0.1)))
    assert strong.neck > weak.neck and strong.total > weak.total


def test_noise_variance_is_inverse_to_the_dose():
    beam = torch.full((300, 300), 0.02)
    low, high = (
        expose(beam, Exposure(dose=dose, blur=0.05, scatter=0.0, heel=0.0), 0.3, torch.Generator().manual_seed(1)).var()
        for dose in (1e4, 4e4)
    )
    assert float(low / high) == pytest.approx(4.0, rel=0.05)
