"""What surrounds the bones on a radiograph: skin, fat, muscle with its fat planes, folds, bowel, bladder and calcified vessels.

Soft tissue has few edges that need a volume: it is described directly by how much of it each ray crosses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from scripts.simulation.anatomy.body_shape import Body, bulging, draw_body, envelope
from scripts.simulation.anatomy.bowel import bladder_water, bowel_gas
from scripts.simulation.anatomy.calcification import calcium
from scripts.simulation.anatomy.curves import Grid, smooth_noise
from scripts.simulation.anatomy.genitals import genitals
from scripts.simulation.anatomy.muscles import fat_planes, fat_streaks, folds
from scripts.simulation.physics.projection import ImagePlane

__all__ = ["Body", "SoftTissue", "draw_body", "smooth_noise", "soft_tissue"]

_SPACING = 0.7  # mm: keeps fat planes and vessel walls sharp at any pixel size


@dataclass(frozen=True)
class SoftTissue:
    """What each ray crosses, images (rows, columns): ``lean`` and ``fat`` in mm, ``mineral`` of calcifications in g/cm²."""

    lean: Tensor
    fat: Tensor
    mineral: Tensor


def soft_tissue(body: Body, plane: ImagePlane, abduction: Mapping[str, float], generator: torch.Generator) -> SoftTissue:
    """Return the soft tissue along each ray as if there were no bone; no value is below 0.

    Args:
        body: sizes of the patient and what lies inside.
        plane: the pixels.
        abduction: of each side's ("right", "left") femur in degrees; the thigh follows it.
        generator: source of what changes between radiographs: the bowel's gas, the tissue's texture. Its device is used.
    """
    grid = Grid.over(plane, _SPACING, generator.device)
    layers = envelope(body, grid, abduction)
    water, bladder_rim = bladder_water(body, grid)
    change = folds(body, grid, abduction)
    # What hangs before the thighs is pressed against them: it adds most where there is air.
    organ = genitals(body, grid) * (1 - 0.7 * (layers.skin / 110).clamp(0, 1))
    texture = smooth_noise(*grid.shape, 3.5 / grid.spacing, generator)

    muscle = layers.muscle
    full = (muscle / 60).clamp(0, 1)
    lean = muscle * (1 - fat_streaks(body, grid, generator)) - full * (fat_planes(body, grid, abduction) + bladder_rim)
    viscera = torch.sigmoid((-grid.z[:, None] - 45) / 20) * torch.sigmoid((72 * body.scale - grid.x[None, :].abs()) / 24)
    lean = lean - 0.14 * muscle * viscera
    lean = torch.minimum(lean + water * full, muscle).clamp_min(0)
    lean = lean + (layers.skin - layers.dermis)
    # Strands of connective tissue in the fat under the skin.
    strands = torch.exp(-((texture / 0.35) ** 2)) * 0.035 * (layers.skin - muscle)
    # Bulges fade where the body ends, and never take all of a layer away.
    inner, outer = (bulge * (layers.muscle / 90).clamp(0, 1) for bulge in bulging(body, grid))
    inner, outer = torch.maximum(inner, -0.3 * lean), torch.maximum(outer, -0.5 * (layers.skin - lean))
    lean = lean + inner
    total = (layers.skin + inner + outer + change * (layers.skin > 0)).clamp_min(0) + organ
    lean = torch.minimum(lean + strands + organ * 0.8, total)
    gas = torch.minimum(bowel_gas(body, grid, generator), 0.6 * lean)
    lean = lean - gas
    fat = (total - lean - gas).clamp_min(0)

    x, z = grid.x[None, :] - plane.focus_x, grid.z[:, None] - plane.focus_z
    slant = (1 + (x * x + z * z) / plane.focus_distance**2).sqrt()
    images = torch.stack([lean * slant, fat * slant, calcium(body, grid, abduction) * slant])
    images = interpolate(images[None], size=(plane.rows, plane.columns), mode="bicubic")[0].clamp_min(0)
    return SoftTissue(*images)
