"""What surrounds the bones: skin outline, fat, muscle with its fat planes, folds, bowel gas, as path lengths along the rays.

Soft tissue has no edges that need a volume: it is described directly by how much of it each ray of the film crosses. Thickness:
supine AP 24 cm (IQR 22.3-28.0) at the iliac crest; 31 ± 11.5 mm lateral to the trochanter.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from scripts.simulation.pelvis import HALF_HIP_DISTANCE
from scripts.simulation.projection import Film

_SPACING = 3.0
_FREE_ABDUCTION = 10.0  # degrees within which the thighs touch and the soft tissue hardly follows the bone


@dataclass(frozen=True)
class Body:
    """Sizes in mm: AP ``thickness`` at the hips, lateral ``half_width`` at the trochanters, subcutaneous ``fat``, level of the
    ``crotch`` below the hip centres, ``thigh`` radius; ``gas`` 0..1 is how much bowel gas there is; ``marbling`` 0..1 the fat
    in muscle."""

    thickness: float
    half_width: float
    fat: float
    crotch: float
    thigh: float
    gas: float
    marbling: float


def smooth_noise(rows: int, columns: int, scale: float, generator: torch.Generator) -> Tensor:
    """Random field (rows, columns) of mean 0 and SD about 1 that varies over ``scale`` pixels."""
    grid = torch.randn(1, 1, int(rows / scale) + 4, int(columns / scale) + 4, generator=generator)
    return interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=True)[0, 0] * 1.4


def soft_tissue(body: Body, film: Film, abduction: Mapping[str, float], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Path through lean and through fat tissue, two images (rows, columns) in mm, as if there were no bone.

    Args:
        body: sizes of the patient.
        film: the pixels.
        abduction: of each side's ("right", "left") femur in degrees; the thigh follows it.
        generator: source of the tissue's texture.
    """
    coarse = film.at_spacing(_SPACING)
    z = (coarse.top + torch.arange(coarse.rows) * _SPACING)[:, None]
    x = (coarse.left + torch.arange(coarse.columns) * _SPACING)[None, :]
    total = _outline(body, x, z, 0.0, abduction)
    lean = torch.minimum(_outline(body, x, z, body.fat, abduction), total)

    rows, columns = coarse.rows, coarse.columns
    contour = smooth_noise(rows, columns, 22, generator)
    planes = torch.exp(-((contour / 0.09) ** 2)) * 7 + torch.exp(-(((contour - 1) / 0.07) ** 2)) * 5
    lumps = 1 + 0.025 * smooth_noise(rows, columns, 30, generator) + 0.012 * smooth_noise(rows, columns, 7, generator)
    fold = (
        4
        * body.marbling
        * torch.sigmoid((z - 78 - 0.12 * x.abs() + 4 * smooth_noise(rows, columns, 40, generator)) / 2)
        * (x.abs() < 120)
    )
    lean = (lean * lumps * (1 - 0.18 * body.marbling) - planes * (lean > 40) - fold * (lean > 60)).clamp_min(0)
    gas = _bowel_gas(body, x, z, generator)
    lean = lean - torch.minimum(gas, 0.6 * lean)
    fat = (total - lean - gas).clamp_min(0)
    size = (film.rows, film.columns)
    lean, fat = interpolate(torch.stack([lean, fat])[None], size=size, mode="bicubic", align_corners=True)[0]
    return lean.clamp_min(0), fat.clamp_min(0)


def _outline(body: Body, x: Tensor, z: Tensor, inset: float, abduction: Mapping[str, float]) -> Tensor:
    """AP extent in mm of the body shrunk by ``inset``, at points of the patient plane."""
    belly = 1 + 0.14 * torch.sigmoid((-z - 60) / 30)
    waist = 1 - 0.13 * torch.exp(-(((z + 150) / 60) ** 2))
    half_width = body.half_width * waist - inset
    depth = (body.thickness * belly - 1.6 * inset) * torch.sigmoid((body.crotch - inset - z) / 7)
    extent = depth * (1 - (x.abs() / half_width).clamp(0, 1) ** 3.4) ** 0.5
    for side, lateral in (("right", -x), ("left", x)):
        tilt = math.radians(max(0.0, abduction[side] - _FREE_ABDUCTION))
        below = (z - body.crotch).clamp_min(0)
        centre = body.half_width - body.thigh - 0.05 * below
        across, along = lateral - centre, z - 20
        if tilt:  # turns about the hip
            beside = lateral - HALF_HIP_DISTANCE
            across = beside * math.cos(tilt) - z * math.sin(tilt) - (centre - HALF_HIP_DISTANCE)
            along = beside * math.sin(tilt) + z * math.cos(tilt) - 20
        radius = body.thigh - inset - 0.06 * below
        thigh = 2 * (radius**2 - across**2).clamp_min(0).sqrt() * torch.sigmoid(along / 12)
        extent = torch.maximum(extent, thigh)
    return extent


def _bowel_gas(body: Body, x: Tensor, z: Tensor, generator: torch.Generator) -> Tensor:
    gas = torch.zeros(torch.broadcast_shapes(x.shape, z.shape))
    wobble = smooth_noise(gas.shape[0], gas.shape[1], 9, generator)
    for _ in range(int(14 * body.gas)):
        where = torch.rand(5, generator=generator)
        cx, cz = (where[0] - 0.5) * 210, -150 + where[1] * 165
        rx, rz, depth = 8 + 22 * where[2], 7 + 16 * where[3], 10 + 40 * where[4]
        r = ((x - cx) / rx) ** 2 + ((z - cz) / rz) ** 2 + 0.35 * wobble
        gas = torch.maximum(gas, depth * (1 - r).clamp(0, 1).sqrt())
    return gas
