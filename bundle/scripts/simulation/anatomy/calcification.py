"""Calcium in soft tissue: arteries with walls like tram lines, phleboliths, and granulomas where injections were given."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.body_shape import Body, placed_course
from scripts.simulation.anatomy.curves import Grid, beside, smooth_curve, smooth_noise

_WALL_MINERAL = 0.75
"""Mineral of a plaque, g/cm³: about two thirds of cortical bone's."""

# Lateral and distal of the hip centre in mm, radius of the artery, where it begins to follow the femur.
_ARTERIES = (
    (((-50, -150), (-44, -104), (-30, -58), (-14, -18), (-10, 20)), 4.4, 0.9),
    (((-11, 12), (-9, 50), (-14, 100), (-22, 160), (-28, 260)), 3.9, 0.0),
    (((-9, 46), (2, 72), (9, 110), (10, 170)), 2.7, 0.0),
    (((-52, -96), (-60, -60), (-56, -24), (-48, 4)), 2.6, 2.0),
)


def calcium(body: Body, grid: Grid, abduction: Mapping[str, float]) -> Tensor:
    """Return the calcified mineral outside the bones, an image (rows, columns) in g/cm², the same whenever a patient is seen.

    Args:
        body: ``calcium`` says how much of the arteries' walls is calcified, ``phleboliths`` and ``granulomas`` how many
            there are.
        grid: the pixels.
        abduction: degrees of each side's femur, which the arteries of the thigh follow.
    """
    mineral = torch.zeros(grid.shape, device=grid.x.device)
    rng = np.random.default_rng([body.seed, 3])
    if body.calcium > 0.02:
        for side in HIP.sides:
            for course, radius, follows in _ARTERIES:
                own = np.asarray(course) + rng.normal(0, 3, size=(len(course), 2))
                plaques = torch.from_numpy(rng.normal(size=(1, 1, 45, 4)).astype(np.float32)).to(mineral)
                line = placed_course(smooth_curve(own, 24), body, side, abduction[side], follows)
                _artery(mineral, line, radius * rng.uniform(0.85, 1.15), plaques, body.calcium, grid)
    for _ in range(body.phleboliths):
        x = rng.choice([-1, 1]) * rng.uniform(0.45, 0.78) * body.hip
        _pebble(mineral, (x, rng.uniform(-22, 42)), rng.uniform(1.0, 2.5), rng.uniform(0.35, 0.7), rng.random() < 0.5, grid)
    generator = torch.Generator(grid.x.device).manual_seed(body.seed)
    for _ in range(body.granulomas):
        x = rng.choice([-1, 1]) * (body.hip + rng.uniform(-25, 35))
        _lump(mineral, (x, rng.uniform(-95, -25)), rng.uniform(4, 9), grid, generator)
    return mineral


def _artery(mineral: Tensor, line: np.ndarray, radius: float, plaques: Tensor, amount: float, grid: Grid) -> None:
    near = beside(line, grid, radius + 1)
    if near is None:
        return
    wall = 0.5 + 0.4 * amount
    squared = near.across**2
    chord = 2 * ((radius**2 - squared).clamp_min(0).sqrt() - ((radius - wall) ** 2 - squared).clamp_min(0).sqrt())
    where = torch.stack([near.across / radius, near.along / 150 - 1], dim=-1)[None]
    patchy = grid_sample(plaques, where, mode="bilinear", padding_mode="border", align_corners=True)[0, 0]
    level = (2.2 * (patchy + 1.6 * amount - 1.0)).clamp(0, 1)
    mineral[near.patch] += chord * level * (_WALL_MINERAL / 10)


def _pebble(mineral: Tensor, centre: tuple[float, float], radius: float, density: float, hollow: bool, grid: Grid) -> None:
    """A ball of ``density`` g/cm³, paler in the middle where ``hollow``."""
    patch = grid.patch((centre[0] - radius - 1, centre[1] - radius - 1), (centre[0] + radius + 1, centre[1] + radius + 1))
    if patch is None:
        return
    x, z = grid.at(patch)
    squared = (x - centre[0]) ** 2 + (z - centre[1]) ** 2
    path = 2 * (radius**2 - squared).clamp_min(0).sqrt()
    if hollow:
        path = path - 1.4 * ((0.55 * radius) ** 2 - squared).clamp_min(0).sqrt()
    mineral[patch] += path * (density / 10)


def _lump(mineral: Tensor, centre: tuple[float, float], radius: float, grid: Grid, generator: torch.Generator) -> None:
    """An irregular ring with a spotted middle."""
    patch = grid.patch((centre[0] - 1.6 * radius, centre[1] - 1.6 * radius), (centre[0] + 1.6 * radius, centre[1] + 1.6 * radius))
    if patch is None:
        return
    x, z = grid.at(patch)
    rough = smooth_noise(z.numel(), x.numel(), max(1.5, 0.45 * radius / grid.spacing), generator)
    ring = torch.hypot(x - centre[0], z - centre[1]) / radius + 0.16 * rough
    rim = torch.exp(-(((ring - 0.85) / 0.18) ** 2))
    mineral[patch] += (0.16 * rim + 0.06 * (1 - ring).clamp_min(0)) * (1 + 0.5 * rough).clamp_min(0)
