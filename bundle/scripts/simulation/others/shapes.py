"""Bones and soft parts as a few lines each: profiles along a straight axis, chains of round cones, plates, shells.

Frame as everywhere: x to the patient's left, y to posterior, z to the feet, mm. A piece is a solid with a box around it. Sizes
are those of textbooks of anatomy, rounded: a radiograph must look like one, but no bone need be measurable on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.solids import NO_WARP, Outline, Warp, draw_warp, ellipsoid, intersection, union, vector
from scripts.simulation.physics.projection import Solid, Tissue

Point = Sequence[float] | np.ndarray
"""x, y, z in mm."""

Line = Sequence[Point] | np.ndarray
"""Points one after another, (n, 3)."""

Distance = Callable[[Tensor], Tensor]
"""Signed distance (...) in mm at points (..., 3)."""

_BLEND = 5.0


@dataclass(frozen=True)
class Piece:
    """A ``shape`` in its own frame with the corners ``low`` and ``high`` (3,) of a box around it there; ``rotation`` (3, 3) and
    ``position`` (3,) take that frame to the patient's."""

    shape: Solid
    low: Tensor
    high: Tensor
    rotation: Tensor = field(default_factory=lambda: torch.eye(3))
    position: Tensor = field(default_factory=lambda: torch.zeros(3))

    def moved(self, rotation: Tensor | None = None, shift: Sequence[float] = (0.0, 0.0, 0.0), mirrored: bool = False) -> Piece:
        """Return the piece mirrored in x (if asked), turned by ``rotation`` (3, 3) about the origin, then shifted by mm."""
        turn = torch.eye(3) if rotation is None else rotation.float()
        if mirrored:
            turn = turn @ torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
        return replace(
            self, rotation=turn @ self.rotation, position=turn @ self.position + torch.tensor([float(part) for part in shift])
        )

    def solid(self, points: Tensor) -> Tissue:
        """Return the tissue at points (..., 3) of the patient's frame."""
        return self.shape((points - self.position) @ self.rotation)

    def box(self) -> tuple[Tensor, Tensor]:
        """Return the corners (3,) of a box around the piece in the patient's frame."""
        corners = torch.cartesian_prod(*torch.stack([self.low, self.high], dim=-1).float()) @ self.rotation.T + self.position
        return corners.amin(0), corners.amax(0)


@dataclass(frozen=True)
class Bone:
    """What a bone is made of: thickness of its ``cortex`` (mm), mineral of its ``interior`` (g/cm³), and how it is bent."""

    cortex: float = 1.0
    interior: float = 0.14
    warp: Warp = NO_WARP


def draw_bone(rng: np.random.Generator, cortex: float = 1.0, interior: float = 0.14, height: float = 0.7) -> Bone:
    """Draw one individual's bone: bumps of about ``height`` mm, cortex and mineral that vary by a tenth (SD)."""
    lengths = np.concatenate([rng.uniform(60, 150, 2), rng.uniform(15, 40, 2)])
    warp = draw_warp(rng, lengths, np.array([height, height, height / 3, height / 3]))
    return Bone(float(cortex * rng.normal(1, 0.1)), float(interior * rng.normal(1, 0.1)), warp)


def piece(distance: Distance, low: Sequence[float], high: Sequence[float], bone: Bone) -> Piece:
    """Make a piece of one cortex and interior throughout; its box, ``low`` to ``high``, need not allow for the bone's bumps."""

    def solid(points: Tensor) -> Tissue:
        found = distance(bone.warp(points))
        return Tissue(found, torch.full_like(found, bone.cortex), torch.full_like(found, bone.interior))

    margin = 3 * float(bone.warp.heights.abs().sum(0).max()) if bone.warp is not NO_WARP else 0.5
    return Piece(solid, torch.tensor(list(low)) - margin, torch.tensor(list(high)) + margin)


def profile(knots: Sequence[Sequence[float]], bone: Bone, blend: float = _BLEND, swell: Distance | None = None) -> Piece:
    """Make a bone along z from its cross-sections, which are ellipses.

    Args:
        knots: rows of z, half width, half depth, x and y of the centre, cortex (mm), interior (g/cm³), z rising; smooth between.
        bone: its warp bends the piece, its ``cortex`` and ``interior`` multiply those of the knots.
        blend: rounding of the two ends, mm.
        swell: changes the outline; gets points and the distance stacked as a fourth coordinate, returns the new distance.
    """
    table = np.asarray(knots, dtype=np.float64)
    low, high = float(table[0, 0]), float(table[-1, 0])
    fine = np.arange(low, high + 1)
    columns = np.stack([_eased(fine, table[:, 0], table[:, k]) for k in range(1, 7)])
    slope = np.abs(np.gradient(np.maximum(columns[0], columns[1]), fine)).clip(0, 1.5)
    lookup = torch.from_numpy(np.vstack([columns, 1 / np.sqrt(1 + slope**2)]).astype(np.float32))

    def solid(points: Tensor) -> Tissue:
        p = bone.warp(points)
        index = (p[..., 2] - low).clamp(0, lookup.shape[1] - 1.001)
        lower = index.long()
        share = index - lower
        a, b, x, y, cortex, interior, flat = lookup[:, lower] * (1 - share) + lookup[:, lower + 1] * share
        ring = torch.hypot((p[..., 0] - x) / a, (p[..., 1] - y) / b)
        distance = (ring - 1) * torch.minimum(a, b) * flat
        distance = intersection(distance, torch.maximum(low - p[..., 2], p[..., 2] - high), blend)
        if swell is not None:
            distance = swell(torch.cat([p, distance[..., None]], dim=-1))
        return Tissue(distance, cortex * bone.cortex, interior * bone.interior)

    reach = columns[:2].max(1) * (1.0 if swell is None else 1.3)
    corner_low = [float((columns[2] - reach[0]).min()), float((columns[3] - reach[1]).min()), low]
    corner_high = [float((columns[2] + reach[0]).max()), float((columns[3] + reach[1]).max()), high]
    margin = 3.0
    return Piece(solid, torch.tensor(corner_low) - margin, torch.tensor(corner_high) + margin)


def _eased(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    values = np.interp(at, x, y)
    width = 5
    return np.convolve(np.pad(values, width, mode="edge"), np.ones(2 * width + 1) / (2 * width + 1), mode="valid")


def chain_distance(points: Line, radii: Point | float) -> Distance:
    """Return the distance to round cones along ``points`` (n, 3) with a radius at each (or one for all), mm."""
    line = np.asarray(points, dtype=np.float64)
    size = np.broadcast_to(np.asarray(radii, dtype=np.float64), len(line))
    links = list(zip(line[:-1], line[1:], size[:-1], size[1:], strict=True))

    def link(p: Tensor, start: np.ndarray, end: np.ndarray, r0: float, r1: float) -> Tensor:
        offset = [p[..., k] - float(start[k]) for k in range(3)]
        axis = (end - start).tolist()
        t = sum(offset[k] * (axis[k] / (sum(v * v for v in axis) + 1e-6)) for k in range(3)).clamp_(0, 1)
        squared = sum((offset[k] - t * axis[k]).square_() for k in range(3))
        return squared.sqrt_().sub_(t.mul_(float(r1 - r0)).add_(float(r0)))

    return lambda p: reduce(torch.minimum, (link(p, *each) for each in links))


def chain(points: Line, radii: Point | float, bone: Bone) -> Piece:
    """Make a bone, gut or limb along ``points``; see `chain_distance`."""
    line, most = np.asarray(points, dtype=np.float64), float(np.max(radii))
    return piece(chain_distance(line, radii), (line.min(0) - most).tolist(), (line.max(0) + most).tolist(), bone)


def phalanx(start: Point, end: Point, radius: float, bone: Bone) -> list[Piece]:
    """Make a small tubular bone: a waisted shaft between a broad base and a round head; wide ends are of cancellous bone."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    line = [a + (b - a) * t for t in (0.0, 0.18, 0.5, 0.85, 1.0)]
    return [chain(line, [1.25 * radius, 1.0 * radius, 0.68 * radius, 0.85 * radius, 1.05 * radius], bone)]


def lump(centre: Point, radii: Point, bone: Bone) -> Piece:
    """Make an ellipsoidal bone or organ of half-axes ``radii``, mm."""
    c, r = np.asarray(centre, dtype=np.float64), np.asarray(radii, dtype=np.float64)

    return piece(lambda p: ellipsoid(p, c.tolist(), r.tolist()), (c - r).tolist(), (c + r).tolist(), bone)


def plate(corners: Sequence[tuple[float, float]], bone: Bone, depth: Distance, half: float) -> Piece:
    """Make a flat bone: ``corners`` (x, z) of its outline, ``half`` mm to either side of the surface y = ``depth`` of points."""
    outline, c = Outline(corners), np.asarray(corners)

    def distance(p: Tensor) -> Tensor:
        return intersection(outline(p[..., 0], p[..., 2]), (p[..., 1] - depth(p)).abs() - half, 3.0)

    return piece(distance, (c[:, 0].min(), -60, c[:, 1].min()), (c[:, 0].max(), 90, c[:, 1].max()), bone)


def block(low: Sequence[float], high: Sequence[float], bone: Bone) -> Piece:
    """Make a box with edges along the axes from the corners ``low`` and ``high``, mm."""
    centre, half = (np.add(low, high) / 2).tolist(), (np.subtract(high, low) / 2).tolist()

    def distance(p: Tensor) -> Tensor:
        return ((p - vector(centre, p)).abs() - vector(half, p)).amax(-1)

    return piece(distance, low, high, bone)


def merged(pieces: Sequence[Piece], blend: float = 8.0) -> Piece:
    """Return the pieces as one, so that no ray counts twice what two of them share; each has its cortex where it is nearest."""

    def solid(points: Tensor) -> Tissue:
        tissue = pieces[0].solid(points)
        distance, cortex = tissue.distance, tissue.cortex
        for each in pieces[1:]:
            other = each.solid(points)
            cortex = torch.where(other.distance < distance, other.cortex, cortex)
            distance = union(distance, other.distance, blend)
        return Tissue(distance, cortex, torch.zeros_like(distance))

    boxes = [each.box() for each in pieces]
    return Piece(solid, torch.stack([low for low, _ in boxes]).amin(0), torch.stack([high for _, high in boxes]).amax(0))
