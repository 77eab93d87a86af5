"""The trabecular pattern: mean 1, lines along the compressive fan, more contrast in weaker bone, at any pixel spacing."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scripts.simulation.anatomy.disease import Fracture
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import FemurMineral, Trabeculae, strands
from scripts.simulation.anatomy.fractures import draw_fragments
from scripts.simulation.anatomy.trabeculae import trabecular_texture
from scripts.simulation.physics.projection import ImagePlane


def plane_of(spacing: float, focus: float = torch.inf) -> ImagePlane:
    return ImagePlane(int(130 / spacing), int(120 / spacing), spacing, -85.0, -32.0, focus_distance=focus)


def pattern(strength: float, spacing: float = 0.2, seed: int = 0, **changes) -> torch.Tensor:
    femur = replace(Femur(bone=FemurMineral(strength)), **changes)
    return trabecular_texture(femur, plane_of(spacing), torch.Generator().manual_seed(seed))


def patch(texture: torch.Tensor, x: float, z: float, half: float = 7.0, spacing: float = 0.2) -> torch.Tensor:
    row, col, n = round((z + 32) / spacing), round((x + 85) / spacing), round(half / spacing)
    return texture[row - n : row + n, col - n : col + n]


def direction(image: torch.Tensor) -> float:
    """Angle in degrees of the lines from the image's vertical, positive when their upper end leans to the right."""
    dz, dx = (g[1:-1, 1:-1] for g in torch.gradient(image))
    tensor = torch.tensor([[(dx * dx).mean(), (dx * dz).mean()], [(dx * dz).mean(), (dz * dz).mean()]])
    _, vectors = torch.linalg.eigh(tensor)
    x, z = vectors[:, 0].tolist()
    return float(np.degrees(np.arctan2(-x * np.sign(z), abs(z))))


@pytest.mark.parametrize("strength", [1.0, 0.7, 0.45])
def test_its_mean_is_one(strength):
    texture = pattern(strength)
    assert float(texture.mean()) == pytest.approx(1.0, abs=0.003)
    assert float(patch(texture, 0, 0, 15).mean()) == pytest.approx(1.0, abs=0.02)
    assert (texture > 0).all()


@pytest.mark.parametrize(("x", "z"), [(0.0, -10.0), (-6.0, 8.0)])
def test_lines_run_along_the_principal_compressive_group(x, z):
    femur = Femur(bone=FemurMineral(0.5))
    z_steps = torch.tensor([z - 1, z + 1, z, z])
    x_steps = torch.tensor([x, x, x - 1, x + 1])
    across = strands(femur, x_steps, z_steps).across[0]
    by_z, by_x = across[1] - across[0], across[3] - across[2]
    expected = float(torch.rad2deg(torch.arctan(by_z / by_x)))  # a line of constant ``across``
    assert 0 < expected < 40
    found = np.mean([direction(patch(pattern(0.5, 0.1, seed), x, z, spacing=0.1)) for seed in range(4)])
    assert found == pytest.approx(expected, abs=6.0)


def test_lines_turn_with_the_leg():
    c, s = np.cos(0.5), np.sin(0.5)
    abducted = torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]], dtype=torch.float32)
    change = [
        direction(patch(pattern(0.5, 0.1, seed, rotation=abducted), 0, 0, spacing=0.1))
        - direction(patch(pattern(0.5, 0.1, seed), 0, 0, spacing=0.1))
        for seed in range(4)
    ]
    assert np.mean(change) == pytest.approx(np.degrees(0.5), abs=6.0)


def test_weaker_bone_has_more_contrast_and_the_shaft_has_none():
    strong, weak = pattern(1.0), pattern(0.5)
    assert patch(weak, 0, -5).std() > 1.2 * patch(strong, 0, -5).std()
    assert patch(strong, -43, 95, 3).std() < 0.1 * patch(strong, 0, -5).std()


def test_groups_cross_in_strong_bone():
    def coherence(image: torch.Tensor) -> float:
        dz, dx = torch.gradient(image)
        a, b, c = (dx * dx).mean(), (dz * dz).mean(), (dx * dz).mean()
        return float(((a - b) ** 2 + 4 * c * c).sqrt() / (a + b))

    crossing = (5.0, 2.0)
    assert coherence(patch(pattern(1.0), *crossing)) < coherence(patch(pattern(0.5), *crossing)) - 0.1


def test_coarse_pixels_average_the_fine_pattern():
    fine, coarse = pattern(0.7, 0.15), pattern(0.7, 0.6)
    assert coarse.std() < 0.85 * fine.std()
    averaged = torch.nn.functional.avg_pool2d(fine[None, None], 4)[0, 0]
    assert float(coarse.std()) == pytest.approx(float(averaged.std()), rel=0.35)


def test_a_femur_off_the_detector_and_a_lateral_view_do_no_harm():
    away = trabecular_texture(Femur(position=torch.tensor([900.0, 0, 0])), plane_of(0.5), torch.Generator().manual_seed(0))
    assert (away == 1).all()
    lateral = pattern(0.8, rotation=torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]))
    assert torch.isfinite(lateral).all() and lateral.std() > 0.01


def test_each_fragment_carries_its_pattern():
    whole = Femur(bone=FemurMineral(0.7))
    broken = replace(whole, fragments=draw_fragments(Fracture.NECK_COMPLETE, 0.8, whole, np.random.default_rng(1)))
    texture = trabecular_texture(broken, plane_of(0.3), torch.Generator().manual_seed(0))
    assert torch.isfinite(texture).all()
    assert patch(texture, 0, -5, spacing=0.3).std() > 0.03


def test_the_same_generator_gives_the_same_pattern():
    assert torch.equal(pattern(0.7), pattern(0.7))
    other = trabecular_texture(Femur(bone=FemurMineral(0.7)), plane_of(0.2), torch.Generator().manual_seed(1))
    assert not torch.equal(pattern(0.7), other)


def test_power_falls_with_frequency_as_in_fractional_brownian_motion():
    texture = patch(pattern(0.9, 0.1), 0, 0, 12.0, 0.1)
    spectrum = torch.fft.fftshift(torch.fft.fft2(texture - texture.mean())).abs().square()
    n = texture.shape[0]
    frequency = torch.hypot(*torch.meshgrid(*[(torch.arange(n) - n // 2) / (n * 0.1)] * 2, indexing="ij"))
    edges = torch.tensor([0.7, 1.0, 1.4, 2.0, 2.8])
    power = [spectrum[(frequency >= low) & (frequency < high)].mean() for low, high in pairwise(edges)]
    slope = np.polyfit(np.log((edges[:-1] * edges[1:]).sqrt()), np.log(torch.stack(power)), 1)[0]
    assert -4.5 < slope < -2.0


def test_strands_of_another_number_thickness_and_direction_leave_the_mineral_alone():
    plain = pattern(0.8)
    for changes in ({"number": 0.6}, {"thickness": 1.5}, {"anisotropy": 2.0}):
        changed = pattern(0.8, bone=FemurMineral(0.8, trabeculae=Trabeculae(**changes)))
        assert float(changed.mean()) == pytest.approx(float(plain.mean()), abs=0.004)
        assert not torch.allclose(changed, plain, atol=0.02)
    thick = pattern(0.8, bone=FemurMineral(0.8, trabeculae=Trabeculae(thickness=1.5)))
    assert patch(thick, 0, -5).std() == pytest.approx(1.5 * float(patch(plain, 0, -5).std()), rel=0.15)
