"""Where the medullary canal of a femur runs, found from the bone itself, so that stems and nails fit it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_shape import LENGTH_MM

_LEVELS = 8
_BELOW_BASE = 55.0  # mm below the base of the neck, where the canal has become a tube


@dataclass(frozen=True)
class Canal:
    """The canal's axis: how far it lies medial and posterior (mm) of the straight line x = -``offset``, as parabolas in the depth
    below ``top`` (mm, coefficients from the square down), and its least ``radius`` (mm)."""

    top: float
    medial: tuple[float, float, float]
    posterior: tuple[float, float, float]
    radius: float

    def straightened(self, p: Tensor) -> Tensor:
        """Take points (..., 3) of the femur's own frame to one in which the canal's axis is straight; the head stays in place."""
        z = p[..., 2]
        depth = (z - self.top).clamp_min(0)
        share = (z / self.top).clamp(0, 1)
        medial, posterior = (share * c + depth * (b + depth * a) for a, b, c in (self.medial, self.posterior))
        return torch.stack([p[..., 0] - medial, p[..., 1] - posterior, z], dim=-1)

    def posterior_at(self, z: float) -> float:
        """How far posterior (mm) the canal's axis lies at the level ``z`` (mm) of the shaft."""
        return float(np.polyval(self.posterior, max(0.0, z - self.top)))


def find_canal(femur: Femur) -> Canal:
    """Find the canal from cross-sections of the shaft: its middle, and its radius within the cortex."""
    like = femur.position
    levels = torch.linspace(femur.drop + _BELOW_BASE, LENGTH_MM - 8, _LEVELS).to(like)
    across = torch.arange(-24.0, 24.1, 2.0).to(like)
    points = torch.cartesian_prod(across - femur.offset, across, levels)
    tissue = femur(femur.to_patient(points))
    shape = (len(across) ** 2, _LEVELS)
    distance, inner = (values.view(shape) / femur.size for values in (tissue.distance, tissue.distance + tissue.cortex))
    weight = (-distance).clamp_min(0)
    middle = [(weight * points[:, axis].view(shape)).sum(0) / weight.sum(0) for axis in (0, 1)]
    z = (levels - levels[0]).cpu().numpy()
    fits = [np.polyfit(z, (m + shift).cpu().numpy(), 2).tolist() for m, shift in zip(middle, (femur.offset, 0.0), strict=True)]
    radius = float(np.clip((-inner).amax(0).min().item(), 0.33 * femur.shaft_radius, 0.75 * femur.shaft_radius))
    medial, posterior = ((a, b, c) for a, b, c in fits)
    return Canal(float(levels[0]), medial, posterior, radius)
