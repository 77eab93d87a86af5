"""Displaced fractures of the proximal femur: where the bone breaks and how each fragment moves.

A fracture of the neck leaves the head in the socket, tilted into varus, while the muscles pull the shaft up and turn it
outward; an intertrochanteric one tilts head and neck into varus, shortens the leg and may break the lesser trochanter off.
Everything is in the femur's own frame (mm before ``size``).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.disease import Fracture
from scripts.simulation.anatomy.femur_shape import FemurShape
from scripts.simulation.anatomy.solids import about_y, about_z, vector


@dataclass(frozen=True)
class Cut:
    """A rough plane through bone: ``normal`` (3,), ``offset`` (mm) and two waves (3, 2), of ``height`` mm that make it jagged."""

    normal: tuple[float, float, float]
    offset: float
    waves: Tensor
    phases: Tensor
    height: float

    def __call__(self, points: Tensor) -> Tensor:
        """Signed distance (...) of points (..., 3), positive on the side that the normal points to."""
        rough = torch.sin(points @ self.waves.to(points) + self.phases.to(points)).sum(-1)
        return points @ vector(self.normal, points) - self.offset + self.height * rough


@dataclass(frozen=True)
class Fragment:
    """A piece of bone: what lies behind all its ``cuts`` (each with a sign: that of its inside), moved by ``rotation`` (3, 3)
    and then by ``shift`` (3,)."""

    cuts: tuple[tuple[Cut, float], ...]
    rotation: Tensor
    shift: Tensor

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance (...) of points (..., 3) of the unbroken bone to the cuts, negative within the fragment."""
        return torch.stack([sign * cut(points) for cut, sign in self.cuts]).amax(0)

    def moved(self, points: Tensor) -> Tensor:
        """Take points (..., 3) of the unbroken bone to where the fragment has them."""
        return points @ self.rotation.to(points).T + self.shift.to(points)

    def restored(self, points: Tensor) -> Tensor:
        """Inverse of ``moved``."""
        return (points - self.shift.to(points)) @ self.rotation.to(points)


def draw_fragments(fracture: Fracture, shape: FemurShape, rng: np.random.Generator) -> tuple[Fragment, ...]:
    """Break a femur: its fragments, the head's first and the shaft's second, or an empty tuple for no fracture."""
    if fracture is Fracture.NONE:
        return ()
    base, drop, length = -shape.offset, shape.drop, shape.neck_length
    varus = math.radians(rng.uniform(4, 26))
    outward = math.radians(rng.uniform(8, 45))
    if fracture is Fracture.NECK:
        part = rng.uniform(0.34, 0.62)
        steep = math.radians(rng.uniform(-15, 25))
        nx, nz = base / length, drop / length
        normal = (nx * math.cos(steep) - nz * math.sin(steep), rng.normal(0, 0.15), nx * math.sin(steep) + nz * math.cos(steep))
        through = (part * base, 0.0, part * drop)
        shift = (rng.uniform(-4, 3), rng.uniform(-3, 3), -rng.uniform(6, 24))
    else:
        top, high = base - rng.uniform(2, 18), drop - rng.uniform(4, 18)
        dx, dz = base + rng.uniform(13, 19) - top, drop + rng.uniform(24, 38) - high
        normal = (-dz / math.hypot(dx, dz), rng.normal(0, 0.12), dx / math.hypot(dx, dz))
        through = (top, 0.0, high)
        shift = (rng.uniform(-4, 6), rng.uniform(-4, 4), -rng.uniform(3, 14))
    cut = _cut(normal, through, rng, 0.6 if fracture is Fracture.NECK else 0.9)
    # The shaft turns about its own axis, the head about its centre, which the socket holds.
    turn = about_z(outward)
    axis = torch.tensor([base, 4.5, 0.0])
    head = Fragment(((cut, 1.0),), about_y(varus), torch.zeros(3))
    shaft = Fragment(((cut, -1.0),), turn, torch.tensor(shift) + axis - turn @ axis)
    if fracture is Fracture.NECK or rng.random() < 0.45:
        return head, shaft
    lesser = (base + 13.0, 14.0, drop + 24.0)
    direction = np.array([0.6, 0.8, rng.normal(0, 0.15)])
    off = _cut(tuple(direction / np.linalg.norm(direction)), lesser, rng, 0.8)
    level = _cut((0.0, 0.1, -0.995), (base, 0.0, drop + 4.0), rng, 0.8)
    under = _cut((0.0, 0.1, 0.995), (base, 0.0, drop + 38.0), rng, 0.8)
    pulled = torch.tensor([rng.uniform(3, 10), rng.uniform(0, 5), -rng.uniform(4, 14)]) + shaft.shift
    piece = Fragment(((cut, -1.0), (off, -1.0), (level, 1.0), (under, 1.0)), turn, pulled)
    rest = _Rest(shaft.cuts, shaft.rotation, shaft.shift, piece)
    return head, rest, piece


@dataclass(frozen=True)
class _Rest(Fragment):
    """A fragment from which another ``piece`` has broken off."""

    piece: Fragment

    def distance(self, points: Tensor) -> Tensor:
        return torch.maximum(super().distance(points), -self.piece.distance(points))


def _cut(normal: tuple[float, float, float], through: tuple[float, float, float], rng: np.random.Generator, height: float) -> Cut:
    waves = torch.tensor(rng.normal(0, 1, (3, 2)) * 2 * math.pi / rng.uniform(7, 20, 2) / math.sqrt(3), dtype=torch.float32)
    phases = torch.tensor(rng.uniform(0, 2 * math.pi, 2), dtype=torch.float32)
    return Cut(normal, sum(a * b for a, b in zip(normal, through, strict=True)), waves, phases, height)
