"""Smooth curves and textures in the image plane: what fat planes, vessels, tubes and folds are drawn along."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor
from torch.nn.functional import interpolate

from scripts.simulation.physics.projection import ImagePlane

Patch = tuple[slice, slice]
"""Rows and columns of a grid."""


@dataclass(frozen=True)
class Grid:
    """Pixels of the patient plane: their ``x`` (columns,) and ``z`` (rows,) in mm, ``spacing`` mm apart."""

    x: Tensor
    z: Tensor
    spacing: float

    @staticmethod
    def over(plane: ImagePlane, spacing: float, device: torch.device) -> "Grid":
        """Return a grid over the field of ``plane`` with pixels of ``spacing`` mm, or the plane's own where those are coarser."""
        own = plane.at_spacing(max(spacing, plane.spacing))
        x = own.left + torch.arange(own.columns, device=device) * own.spacing
        return Grid(x, own.top + torch.arange(own.rows, device=device) * own.spacing, own.spacing)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.z.numel(), self.x.numel()

    def patch(self, low: Sequence[float] | np.ndarray, high: Sequence[float] | np.ndarray) -> Patch | None:
        """Return the part of the grid between the corners (x, z) ``low`` and ``high`` in mm, None where they do not meet."""
        first_x, first_z = float(self.x[0]), float(self.z[0])
        row0 = max(0, int((low[1] - first_z) / self.spacing))
        row1 = min(self.shape[0], int((high[1] - first_z) / self.spacing) + 2)
        col0 = max(0, int((low[0] - first_x) / self.spacing))
        col1 = min(self.shape[1], int((high[0] - first_x) / self.spacing) + 2)
        return (slice(row0, row1), slice(col0, col1)) if row1 > row0 and col1 > col0 else None

    def at(self, patch: Patch) -> tuple[Tensor, Tensor]:
        """Return x (1, columns) and z (rows, 1) of a patch."""
        return self.x[None, patch[1]], self.z[patch[0], None]


@dataclass(frozen=True)
class Beside:
    """Where the pixels of a ``patch`` lie relative to a curve, images in mm: ``along`` it from its start and ``across`` it
    (positive to the left of someone who walks it with the radiograph hung before them), and the curve's ``length``."""

    patch: Patch
    along: Tensor
    across: Tensor
    length: float


def smooth_curve(points: Sequence[Sequence[float]] | np.ndarray, count: int = 20) -> np.ndarray:
    """Return ``count`` points (count, n) on the cubic spline through ``points`` (two or more, of n coordinates)."""
    corners = np.asarray(points, dtype=np.float64)
    steps = np.maximum(np.linalg.norm(np.diff(corners, axis=0), axis=1), 1e-3)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    return CubicSpline(at, corners, bc_type="natural")(np.linspace(0, at[-1], count))


def beside(curve: np.ndarray, grid: Grid, reach: float) -> Beside | None:
    """Coordinates about a curve of the pixels nearer to its box than ``reach`` mm, None where no pixel is.

    Args:
        curve: points (n, 2), x and z in mm, joined by straight lines.
        grid: the pixels.
        reach: mm.
    """
    patch = grid.patch(curve.min(0) - reach, curve.max(0) + reach)
    if patch is None:
        return None
    x, z = grid.at(patch)
    best = torch.full((z.numel(), x.numel()), torch.inf, device=x.device)
    along, side = torch.zeros_like(best), torch.zeros_like(best)
    travelled = 0.0
    for (x0, z0), (x1, z1) in zip(curve[:-1].tolist(), curve[1:].tolist(), strict=True):
        length = max(float(np.hypot(x1 - x0, z1 - z0)), 1e-6)
        dx, dz = (x1 - x0) / length, (z1 - z0) / length
        ox, oz = x - x0, z - z0
        forward = ox * dx + oz * dz
        left = ox * dz - oz * dx
        squared = left * left + (forward - forward.clamp(0, length)) ** 2
        nearer = squared < best
        best = torch.where(nearer, squared, best)
        along = torch.where(nearer, forward.clamp(0, length) + travelled, along)
        side = torch.where(nearer, left, side)
        travelled += length
    return Beside(patch, along, best.sqrt() * torch.where(side < 0, -1.0, 1.0), travelled)


def smooth_noise(rows: int, columns: int, scale: float | tuple[float, float], generator: torch.Generator) -> Tensor:
    """Random field (rows, columns) of mean 0 and SD about 1 that varies over ``scale`` pixels (or one scale for each axis)."""
    down, across = scale if isinstance(scale, tuple) else (scale, scale)
    shape = (1, 1, int(rows / down) + 4, int(columns / across) + 4)
    grid = torch.randn(shape, generator=generator, device=generator.device)
    return interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=True)[0, 0] * 1.4
