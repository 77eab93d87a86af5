"""Pieces of a broken femur: the rough cuts that part them, and how each has moved.

Everything is in the femur's own frame (mm before ``size``): x medial, y posterior, z distal along the shaft.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.solids import vector

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Cut:
    """A rough plane through bone: ``normal`` (3,), ``offset`` (mm) and two waves (3, 2), of ``height`` mm that make it jagged.

    ``twist`` (radians per mm along z) turns the plane about the shaft's ``axis`` (x, y) the farther it is from ``level`` (z, mm),
    which makes it a spiral.
    """

    normal: Point
    offset: float
    waves: Tensor
    phases: Tensor
    height: float
    twist: float = 0.0
    level: float = 0.0
    axis: tuple[float, float] = (0.0, 0.0)

    def __call__(self, points: Tensor) -> Tensor:
        """Signed distance (...) of points (..., 3), positive on the side that the normal points to."""
        rough = torch.sin(points @ self.waves.to(points) + self.phases.to(points)).sum(-1)
        return self._untwisted(points) @ vector(self.normal, points) - self.offset + self.height * rough

    def _untwisted(self, points: Tensor) -> Tensor:
        if self.twist == 0.0:
            return points
        x, y, z = points[..., 0] - self.axis[0], points[..., 1] - self.axis[1], points[..., 2]
        turn = (self.twist * (z - self.level)).clamp(-math.pi / 2, math.pi / 2)
        cos, sin = torch.cos(turn), torch.sin(turn)
        return torch.stack([cos * x + sin * y + self.axis[0], cos * y - sin * x + self.axis[1], z], dim=-1)


def draw_cut(
    normal: Sequence[float], through: Point, rng: np.random.Generator, height: float, twist: float = 0.0,
    axis: tuple[float, float] = (0.0, 0.0),
) -> Cut:  # fmt: skip
    """Draw a rough plane with a ``normal`` of any length through a point; see `Cut` for the rest."""
    length = math.hypot(*normal)
    n = (normal[0] / length, normal[1] / length, normal[2] / length)
    waves = torch.tensor(rng.normal(0, 1, (3, 2)) * 2 * math.pi / rng.uniform(7, 20, 2) / math.sqrt(3), dtype=torch.float32)
    phases = torch.tensor(rng.uniform(0, 2 * math.pi, 2), dtype=torch.float32)
    return Cut(n, sum(a * b for a, b in zip(n, through, strict=True)), waves, phases, height, twist, through[2], axis)


@dataclass(frozen=True)
class Motion:
    """How a piece has moved: by ``rotation`` (3, 3) and then by ``shift`` (3,)."""

    rotation: Tensor
    shift: Tensor

    @classmethod
    def about(cls, pivot: Point, rotation: Tensor, shift: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0)) -> "Motion":
        """Turn about a point, then move by ``shift`` (mm)."""
        centre = torch.tensor(pivot, dtype=torch.float32)
        return cls(rotation, torch.tensor(list(shift), dtype=torch.float32) + centre - rotation @ centre)

    def __call__(self, points: Tensor) -> Tensor:
        """Take points (..., 3) of the unbroken bone to where the piece has them."""
        return points @ self.rotation.to(points).T + self.shift.to(points)

    def undone(self, points: Tensor) -> Tensor:
        """Inverse of ``__call__``."""
        return (points - self.shift.to(points)) @ self.rotation.to(points)

    def then(self, shift: Sequence[float] | np.ndarray) -> "Motion":
        """The same motion, and ``shift`` (mm) after it."""
        return Motion(self.rotation, self.shift + torch.tensor(list(shift), dtype=torch.float32))


@dataclass(frozen=True)
class Fragment:
    """A piece of bone: what lies behind all its ``cuts`` (each with a sign: that of its inside) but in none of the pieces that
    ``broke_off`` it, moved by ``motion``."""

    cuts: tuple[tuple[Cut, float], ...]
    motion: Motion
    broke_off: tuple["Fragment", ...] = ()

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance (...) of points (..., 3) of the unbroken bone to the cuts, negative within the fragment."""
        behind = [sign * cut(points) for cut, sign in self.cuts]
        return torch.stack(behind + [-piece.distance(points) for piece in self.broke_off]).amax(0)

    def moved(self, points: Tensor) -> Tensor:
        """Take points (..., 3) of the unbroken bone to where the fragment has them."""
        return self.motion(points)

    def restored(self, points: Tensor) -> Tensor:
        """Inverse of ``moved``."""
        return self.motion.undone(points)

    @property
    def turned_outward(self) -> float:
        """External rotation about the shaft's axis, degrees."""
        rotation = self.motion.rotation
        return math.degrees(math.atan2(float(rotation[0, 1]), float(rotation[0, 0])))

    @property
    def abducted(self) -> float:
        """How far its lower end has swung to lateral, degrees."""
        rotation = self.motion.rotation
        return math.degrees(math.atan2(-float(rotation[0, 2]), float(rotation[2, 2])))


def home_of(point: Point, fragments: Sequence[Fragment]) -> Fragment:
    """Return the fragment that holds a point of the unbroken bone."""
    place = torch.tensor(point)
    return min(fragments, key=lambda fragment: float(fragment.distance(place)))
