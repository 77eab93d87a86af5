"""What a femur holds inside DXA's total hip: volume of cortex and spongy bone, and the mineral in each; and the neck's cortex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.dxa import regions
from scripts.simulation.anatomy.femur import Femur

_SPACING_MM: Final = 2.0
_STEP_MM: Final = 0.25
_REACH_MM: Final = 45.0


@dataclass(frozen=True)
class Inside:
    """The total hip as a solid: ``cortex_mm`` is the mean thickness of its cortex over the surface; volumes in cm³; mineral in a
    cm³ of the cortex, of the spongy bone within it, and of both together, g."""

    cortex_mm: float
    cortical_volume_cm3: float
    spongy_volume_cm3: float
    cortical_mineral_g_cm3: float
    spongy_mineral_g_cm3: float
    bone_mineral_g_cm3: float


def look_inside(femur: Femur) -> Inside:
    """Sample an unbroken femur on a grid of 2 mm."""
    step = _SPACING_MM / femur.size
    axes = [torch.arange(low, high, step) for low, high in zip(*(corner.tolist() for corner in femur.own_box()), strict=True)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    points = points[regions(femur, points)[1]]
    tissue = femur(femur.to_patient(points))
    bone, core = tissue.distance < 0, tissue.distance + tissue.cortex < 0
    voxel = (_SPACING_MM / 10) ** 3
    cortical, spongy = float((bone & ~core).sum()) * voxel, float(core.sum()) * voxel
    in_cortex, in_spongy = femur.bone.cortical_density, float(tissue.interior[core].mean())
    return Inside(
        cortex_mm=float(tissue.cortex[tissue.distance.abs() < _SPACING_MM / 2].mean()),
        cortical_volume_cm3=cortical,
        spongy_volume_cm3=spongy,
        cortical_mineral_g_cm3=in_cortex,
        spongy_mineral_g_cm3=in_spongy,
        bone_mineral_g_cm3=(cortical * in_cortex + spongy * in_spongy) / (cortical + spongy),
    )


def measure_neck_cortex(femur: Femur) -> tuple[float, float]:
    """Measure the thickness, mm, of the superior and of the inferior cortex at the middle of DXA's neck box, in the plane of neck
    and shaft."""
    along = torch.tensor([-femur.offset, 0.0, femur.drop]) / femur.neck_length  # from the head to the base of the neck
    up = torch.tensor([-along[2], 0.0, along[0]])  # z points down
    middle = along * HIP.dxa.neck_middle * femur.neck_length
    return _thickness(femur, middle, up), _thickness(femur, middle, -up)


def _thickness(femur: Femur, start: Tensor, direction: Tensor) -> float:
    """The cortex's thickness, mm, where a line from inside a femur leaves it."""
    steps = torch.arange(0.0, _REACH_MM, _STEP_MM)
    tissue = femur(femur.to_patient(start + steps[:, None] / femur.size * direction))
    return float(tissue.cortex[int((tissue.distance >= 0).int().argmax())])
