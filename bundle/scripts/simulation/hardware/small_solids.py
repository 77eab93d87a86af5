"""Small solids whose paths are computed exactly: balls, wires and tubes, and flat sheets, at any depth."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.curves import Grid, beside
from scripts.simulation.physics.projection import ImagePlane

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Ball:
    """A ball of ``radius`` mm about ``centre`` (mm, the patient's frame)."""

    centre: Point
    radius: float


@dataclass(frozen=True)
class Tube:
    """A round wire through ``points`` (mm), or a tube with a bore of radius ``hole`` mm."""

    points: tuple[Point, ...]
    radius: float
    hole: float = 0.0


@dataclass(frozen=True)
class Sheet:
    """A flat piece that faces the detector: ``outline`` and ``holes`` (x, z), ``thickness``, and its depth ``y``, all in mm."""

    outline: tuple[tuple[float, float], ...]
    thickness: float
    y: float
    holes: tuple[tuple[tuple[float, float], ...], ...] = ()


Shape = Ball | Tube | Sheet


def add_path(shape: Shape, path: Tensor, plane: ImagePlane) -> None:
    """Add the path in mm through ``shape`` to the image ``path`` (rows, columns) of ``plane``, in place."""
    grid = Grid.over(plane, plane.spacing, path.device)
    if isinstance(shape, Ball):
        _add_ball(shape, path, plane, grid)
    elif isinstance(shape, Tube):
        _add_tube(shape, path, plane, grid)
    else:
        _add_sheet(shape, path, plane, grid)


def _onto_plane(points: np.ndarray, plane: ImagePlane) -> tuple[np.ndarray, float]:
    """Project points (n, 3) to x and z (n, 2) of the patient plane; also their mean magnification there."""
    stretch = 1 / (1 + points[:, 1] / plane.focus_distance)
    x = plane.focus_x + (points[:, 0] - plane.focus_x) * stretch
    z = plane.focus_z + (points[:, 2] - plane.focus_z) * stretch
    return np.stack([x, z], axis=1), float(stretch.mean())


def _add_ball(ball: Ball, path: Tensor, plane: ImagePlane, grid: Grid) -> None:
    where, stretch = _onto_plane(np.array([ball.centre]), plane)
    reach = 1.15 * ball.radius * stretch + 2 * plane.spacing
    patch = grid.patch(where[0] - reach, where[0] + reach)
    if patch is None:
        return
    x, z = grid.at(patch)
    if np.isinf(plane.focus_distance):
        squared = (x - ball.centre[0]) ** 2 + (z - ball.centre[2]) ** 2
    else:
        # Distance of the centre from each ray, by the cross product of the ray with the line from the focal spot to the centre.
        ux, uz, far = x - plane.focus_x, z - plane.focus_z, plane.focus_distance
        cx, cy, cz = ball.centre[0] - plane.focus_x, ball.centre[1] + far, ball.centre[2] - plane.focus_z
        cross = (far * cz - uz * cy) ** 2 + (uz * cx - ux * cz) ** 2 + (ux * cy - far * cx) ** 2
        squared = cross / (ux * ux + uz * uz + far * far)
    path[patch] += 2 * (ball.radius**2 - squared).clamp_min(0).sqrt()


def _add_tube(tube: Tube, path: Tensor, plane: ImagePlane, grid: Grid) -> None:
    line, stretch = _onto_plane(np.asarray(tube.points, dtype=np.float64), plane)
    near = beside(line, grid, tube.radius * stretch + 2 * plane.spacing)
    if near is None:
        return
    chord = _mean_chord(near.across, tube.radius * stretch, plane.spacing)
    if tube.hole:
        chord = chord - _mean_chord(near.across, tube.hole * stretch, plane.spacing)
    path[near.patch] += chord / stretch


def _mean_chord(across: Tensor, radius: float, width: float) -> Tensor:
    """Chord of a circle averaged over a pixel's ``width``, so that wires thinner than a pixel keep their mass."""

    def integral(d: Tensor) -> Tensor:
        d = d.clamp(-radius, radius)
        return d * (radius**2 - d * d).clamp_min(0).sqrt() + radius**2 * torch.asin(d / radius)

    return (integral(across + width / 2) - integral(across - width / 2)) / width


def _add_sheet(sheet: Sheet, path: Tensor, plane: ImagePlane, grid: Grid) -> None:
    outlines = [_onto_plane(np.array([(x, sheet.y, z) for x, z in ring]), plane)[0] for ring in (sheet.outline, *sheet.holes)]
    margin = 2 * plane.spacing
    patch = grid.patch(outlines[0].min(0) - margin, outlines[0].max(0) + margin)
    if patch is None:
        return
    x, z = grid.at(patch)
    covered = _cover(outlines[0], x, z, plane.spacing)
    for hole in outlines[1:]:
        covered = (covered - _cover(hole, x, z, plane.spacing)).clamp_min(0)
    path[patch] += sheet.thickness * covered


def _cover(ring: np.ndarray, x: Tensor, z: Tensor, spacing: float) -> Tensor:
    """Share 0..1 of each pixel inside the closed polygon ``ring`` (n, 2), from the distance to its edge."""
    squared = torch.full((z.numel(), x.numel()), torch.inf, device=x.device)
    inside = torch.zeros_like(squared, dtype=torch.bool)
    for (x0, z0), (x1, z1) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
        dx, dz = x1 - x0, z1 - z0
        t = (((x - x0) * dx + (z - z0) * dz) / max(dx * dx + dz * dz, 1e-9)).clamp(0, 1)
        squared = torch.minimum(squared, (x - x0 - t * dx) ** 2 + (z - z0 - t * dz) ** 2)
        if dz:
            crosses = ((z >= z0) != (z >= z1)) & (x < x0 + (z - z0) * (dx / dz))
            inside ^= crosses
    distance = squared.sqrt() * torch.where(inside, -1.0, 1.0)
    return (0.5 - distance / spacing).clamp(0, 1)
