"""Irregular lumps in a femur: holes, dense spots and callus, which change its mineral where they are.

Everything is in the femur's own frame, mm before ``size``.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.fragments import Point
from scripts.simulation.anatomy.solids import ellipsoid

_RIM_MM = 1.2


@dataclass(frozen=True)
class Lump:
    """An ellipsoid with an uneven surface: ``centre`` and ``radii`` (mm), and waves (3, 3) of ``height`` mm. One with a ``shell``
    (half its thickness, mm) is hollow; nothing of it is farther distal than ``lowest`` (z, mm)."""

    centre: Point
    radii: Point
    waves: Tensor
    phases: Tensor
    height: float
    shell: float = 0.0
    lowest: float = math.inf

    def __call__(self, points: Tensor) -> Tensor:
        """Signed distance (...) of points (..., 3), negative inside."""
        distance = ellipsoid(points, self.centre, self.radii)
        distance = distance + self.height * torch.sin(points @ self.waves.to(points) + self.phases.to(points)).sum(-1)
        if self.shell > 0:
            distance = distance.abs() - self.shell
        return torch.maximum(distance, points[..., 2] - self.lowest) if self.lowest < math.inf else distance


def draw_lump(
    centre: Point, radii: Point, rng: np.random.Generator, height: float, shell: float = 0.0, lowest: float = math.inf
) -> Lump:
    """Draw the waves of a lump; see `Lump` for the rest."""
    waves = torch.tensor(rng.normal(0, 1, (3, 3)) * 2 * math.pi / rng.uniform(8, 20, 3) / math.sqrt(3), dtype=torch.float32)
    phases = torch.tensor(rng.uniform(0, 2 * math.pi, 3), dtype=torch.float32)
    return Lump(centre, radii, waves, phases, height, shell, lowest)


@dataclass(frozen=True)
class Lesion:
    """What a lump does to the bone within it: the interior keeps a part ``left`` of its mineral and gets ``added`` g/cm³, the
    cortex keeps a part ``cortex``; the edge is ``soft`` mm wide, and a ``rim`` (g/cm³) of new bone may line it."""

    lump: Lump
    left: float = 1.0
    added: float = 0.0
    cortex: float = 1.0
    soft: float = 0.6
    rim: float = 0.0

    def changed(self, points: Tensor, cortex: Tensor, interior: Tensor) -> tuple[Tensor, Tensor]:
        """Return cortical thickness and mineral of the interior (...) at points (..., 3), changed by the lesion."""
        distance = self.lump(points)
        within = torch.sigmoid(-distance / self.soft)
        lined = self.rim * torch.exp(-((distance / _RIM_MM).square()))
        interior = interior * (1 + within * (self.left - 1)) + within * self.added + lined
        return cortex * (1 + within * (self.cortex - 1)), interior
