"""Dual-energy X-ray absorptiometry of a phantom femur: mineral along parallel AP rays, averaged over the standard regions.

The femur lies as for a scan, its neck parallel to the table. Regions (Hologic): a femoral-neck box 15 mm wide across the middle
of the neck; the total hip from that box's proximal edge to 10 mm below the lesser trochanter.
"""

import math
from dataclasses import dataclass

import torch

from scripts.simulation.femur import LENGTH_MM, Femur
from scripts.simulation.projection import Film, cast
from scripts.simulation.xray import CORTICAL_MINERAL

_NECK_BOX_MM = 15.0


@dataclass(frozen=True)
class Reading:
    """Areal bone mineral density in g/cm² at the femoral ``neck`` and the ``total`` hip."""

    neck: float
    total: float


def scan(femur: Femur, spacing: float = 1.0, step: float = 1.5) -> Reading:
    """Measure a femur as a DXA scanner would, without noise.

    Args:
        femur: its shape and mineral; its pose is not used.
        spacing: pixel spacing of the scan in mm.
        step: sampling along the rays in mm.
    """
    straight = femur.straightened()
    low, high = straight.box()
    rows, columns = int((high[2] - low[2]) / spacing), int((high[0] - low[0]) / spacing)
    rows = min(rows, int((femur.drop + 33 + 30 + 36) * femur.size / spacing))
    film = Film(rows, columns, spacing, float(low[0]), float(low[2]))
    shadow = cast(straight, film, (low, high), step)
    mineral = shadow.cortex * (CORTICAL_MINERAL / 10) + shadow.interior
    bone = shadow.path > 0.5

    x = (film.left + torch.arange(columns) * spacing)[None, :] / femur.size
    z = (film.top + torch.arange(rows) * spacing)[:, None] / femur.size
    length = math.hypot(femur.offset, femur.drop)
    along = (x * -femur.offset + z * femur.drop) / length
    middle, half = 0.52 * length, _NECK_BOX_MM / 2 / femur.size
    beside_neck = (x > -femur.offset * 0.95) & (z < femur.drop + 12)
    neck = bone & ((along - middle).abs() <= half) & beside_neck
    lowest = femur.landmarks["lesser_trochanter"][2] + 10 / femur.size
    total = bone & (along >= middle - half) & (z <= min(lowest, LENGTH_MM))
    return Reading(float(mineral[neck].mean()), float(mineral[total].mean()))
