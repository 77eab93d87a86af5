"""The shadow of the external genitals in the midline below the symphysis."""

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.body_shape import Body
from scripts.simulation.anatomy.curves import Grid, beside, smooth_curve


def genitals(body: Body, grid: Grid) -> Tensor:
    """Return the thickness added by scrotum and penis, or by the labia, an image in mm."""
    rng = np.random.default_rng([body.seed, 4])
    shadow = torch.zeros(grid.shape, device=grid.x.device)
    if body.male:
        low = body.crotch + rng.uniform(8, 42)
        radius, tilt = rng.uniform(21, 29), rng.normal(0, 6)
        tall = radius * rng.uniform(1.15, 1.5)
        _bag(shadow, (tilt, low - tall), (radius * rng.uniform(0.95, 1.2), tall), 80, grid)
        root = np.array([float(rng.normal(0, 4)), body.crotch - 52])
        lean, length, girth = rng.normal(0, 24), rng.uniform(45, 95), rng.uniform(12, 16)
        tip = root + np.array([lean, length])
        _shaft(shadow, smooth_curve(np.stack([root, (root + tip) / 2 + (rng.normal(0, 6), 0), tip]), 12), girth, grid)
    else:
        apart = rng.uniform(6, 10)
        for sign in (-1, 1):
            _bag(shadow, (sign * apart, body.crotch - 14), (apart + 3, rng.uniform(26, 34)), rng.uniform(15, 36), grid)
    return shadow


def _bag(shadow: Tensor, centre: tuple[float, float], radii: tuple[float, float], depth: float, grid: Grid) -> None:
    patch = grid.patch((centre[0] - radii[0], centre[1] - radii[1]), (centre[0] + radii[0], centre[1] + radii[1]))
    if patch is None:
        return
    x, z = grid.at(patch)
    ring = ((x - centre[0]) / radii[0]) ** 2 + ((z - centre[1]) / radii[1]) ** 2
    # It hangs from above, where it has no edge.
    hung = (0.7 * (z - centre[1]) / radii[1] + 0.7).clamp(0, 1)
    shadow[patch] = torch.maximum(shadow[patch], depth * hung * (1 - ring).clamp_min(0).sqrt())


def _shaft(shadow: Tensor, line: np.ndarray, girth: float, grid: Grid) -> None:
    near = beside(line, grid, girth)
    if near is None:
        return
    share = near.along / near.length
    radius = girth * (1 + 0.12 * torch.exp(-(((share - 0.88) / 0.1) ** 2)))
    path = 1.7 * (radius**2 - near.across**2).clamp_min(0).sqrt() * torch.sigmoid((share - 0.08) / 0.05)
    shadow[near.patch] += 0.7 * path
