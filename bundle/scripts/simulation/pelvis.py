"""A parametric pelvis with the lowest lumbar vertebrae, the bones that a hip radiograph shows behind and beside the femurs.

Half pelves are flat bones: outlines in the coronal plane, given depth by a curved middle surface and a thickness; rami,
ischium and acetabulum are rounded solids blended into them. Frame: origin midway between the hip centres, x to the left, y
posterior, z to the feet, mm for a distance of 176 mm between the hip centres.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from scripts.simulation.projection import Solid, Tissue
from scripts.simulation.solids import NO_WARP, Outline, Warp, capsule, ellipsoid, intersection, union, vector

HALF_HIP_DISTANCE = 88.0

_ILIUM = Outline([
    (40, -98), (52, -124), (78, -141), (106, -139), (130, -122), (143, -96), (137, -74), (124, -56), (119, -38),
    (117, -22), (108, -6), (88, 10), (64, 8), (58, -14), (56, -36), (50, -48), (40, -60),
])  # fmt: skip
_SACRUM = Outline([
    (-30, -114), (0, -110), (30, -114), (56, -104), (54, -84), (44, -62), (34, -40), (20, -14), (8, -2),
    (-8, -2), (-20, -14), (-34, -40), (-44, -62), (-54, -84), (-56, -104),
])  # fmt: skip


@dataclass(frozen=True)
class Pelvis:
    """Shape, mineral and place of the pelvis.

    ``scale`` is the distance between the hip centres over 176 mm, ``height`` stretches it along z, ``head_radius`` (mm) is the
    size of the socket, ``joint_space`` (mm) the cartilage. ``rotation`` (3, 3) tilts and turns it about the origin.
    """

    scale: float = 1.0
    height: float = 1.0
    head_radius: float = 22.5
    joint_space: float = 4.0
    strength: float = 1.0
    shallow: float = 0.0
    warp: Warp = NO_WARP
    rotation: Tensor = field(default_factory=lambda: torch.eye(3))

    def hip_centre(self, side: str) -> Tensor:
        """Centre (3,) in mm of the hip joint on ``side`` ("right" or "left") in the patient's frame."""
        x = HALF_HIP_DISTANCE * self.scale * (1 if side == "left" else -1)
        return vector((x, 0, 0), self.rotation) @ self.rotation.T

    def _box(self, low: tuple[float, float, float], high: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
        corners = torch.cartesian_prod(*(vector(pair, self.rotation) for pair in zip(low, high, strict=True)))
        corners = corners * vector((self.scale, self.scale, self.scale * self.height), corners) @ self.rotation.T
        return corners.amin(0), corners.amax(0)

    def parts(self) -> list[tuple[Solid, tuple[Tensor, Tensor]]]:
        """The solids that make up the pelvis, each with a box around it, ready to be cast."""
        return [(self.half_pelves, self._box((-152, -85, -150), (152, 75, 112))),
                (self.spine, self._box((-66, -10, -235), (66, 98, 32)))]  # fmt: skip

    def half_pelves(self, points: Tensor) -> Tissue:
        """Return the tissue of both half pelves at points (..., 3) of the patient's frame."""
        p = points @ self.rotation
        socket_x = HALF_HIP_DISTANCE * self.scale
        socket = torch.stack([p[..., 0].abs() - socket_x, p[..., 1], p[..., 2]], dim=-1)
        p = self._bent(p)
        bone = self._half_pelvis(torch.stack([p[..., 0].abs(), p[..., 1], p[..., 2]], dim=-1))
        bone = union(bone, self._acetabulum(socket), 12.0)
        cavity = self.head_radius + self.joint_space - socket.norm(dim=-1)
        roof = torch.exp(-(cavity.abs() / 3.0)) * torch.sigmoid(-socket[..., 2] / 6)
        cortex = 1.7 * self.strength**0.8 + 1.4 * roof
        interior = (0.13 + 0.12 * torch.exp(-(((8 + cavity) / 10) ** 2))) * self.strength
        return Tissue(torch.maximum(bone, cavity) * self.scale, cortex, interior)

    def spine(self, points: Tensor) -> Tissue:
        """Return the tissue of sacrum, coccyx and the lowest lumbar vertebrae at points (..., 3) of the patient's frame."""
        p = self._bent(points @ self.rotation)
        distance = self._spine(p, torch.stack([p[..., 0].abs(), p[..., 1], p[..., 2]], dim=-1))
        everywhere = torch.ones_like(distance)
        return Tissue(distance * self.scale, 1.2 * self.strength**0.8 * everywhere, 0.14 * self.strength * everywhere)

    def _bent(self, p: Tensor) -> Tensor:
        p = p / vector((self.scale, self.scale, self.scale * self.height), p)
        return self.warp(p)

    def _half_pelvis(self, p: Tensor) -> Tensor:
        x, y, z = p.unbind(-1)
        outline = _ILIUM(x, z) - 3.0
        lift = (-z / 130).clamp(0, 1)
        middle = 8 + lift * (46 - 0.78 * (x - 40).clamp(-20, 110)) + 10 * lift * torch.sin((x - 40) / 32)
        rim = torch.exp(-(((outline + 4) / 7) ** 2)) * lift
        thick = 16 - 9.5 * torch.exp(-(((x - 95) / 28) ** 2) - ((z + 95) / 26) ** 2) + 3.0 * rim
        thick = thick + 9 * torch.exp(-(((x - 84) / 30) ** 2) - ((z + 14) / 26) ** 2)
        ilium = intersection(outline, ((y - middle).abs() - thick / 2) * 0.8, 5.0)
        superior_ramus = capsule(p, (72, -6, 6), (20, -44, 36), 12.5, 8.5)
        body = capsule(p, (14, -44, 38), (12, -38, 62), 10.0, 8.5)
        inferior_ramus = capsule(p, (15, -36, 66), (52, 0, 92), 7.0, 9.0)
        ischium = capsule(p, (80, 16, 24), (62, 18, 84), 16.0, 15.0)
        spine = capsule(p, (66, 26, 14), (52, 34, 22), 8.0, 3.5)
        ring = union(union(superior_ramus, body, 8.0), union(inferior_ramus, ischium, 9.0), 6.0)
        gap = 3.0 - x
        return torch.maximum(union(union(ilium, ring, 10.0), spine, 8.0), gap)

    def _acetabulum(self, p: Tensor) -> Tensor:
        """The cup, in mm about the hip centre, x lateral: a thick shell open to lateral, distal and anterior."""
        inner = self.head_radius + self.joint_space
        shell = (p.norm(dim=-1) - inner - 4.0).abs() - 5.5
        opening = (p @ vector((0.70, -0.32, 0.64), p)) - 4.0 + self.shallow
        notch = 12.0 - torch.hypot(p[..., 0] + 8, p[..., 2] - 30)
        return torch.maximum(intersection(shell, opening, 4.0), notch)

    def _spine(self, p: Tensor, half: Tensor) -> Tensor:
        x, y, z = half.unbind(-1)
        curve = 40 + 26 * torch.sin((z + 112) / 112 * 2.2)
        sacrum = intersection(_SACRUM(x, z) - 2.0, (y - curve).abs() - (15 - 8 * ((z + 112) / 112).clamp(0, 1)), 6.0)
        for k in range(4):
            height = -92 + 21 * k
            hole = 4.5 - torch.hypot(torch.hypot((x - (24 - 3.2 * k)) / 1.25, z - height), (y - curve + 9) * 0.5)
            sacrum = intersection(sacrum, hole, 3.0)
        coccyx = capsule(p, (0, 54, -2), (0, 34, 22), 7.0, 3.0)
        distance = torch.minimum(sacrum, coccyx)
        for level, (top, depth, width) in enumerate(((-146, 36, 26), (-182, 30, 25), (-218, 26, 24))):
            tall, middle = 14.0, top + 14.0
            ring = torch.sqrt((x / width) ** 2 + ((y - depth) / 18) ** 2 + 1e-8)
            waist = 2.5 * (1 - ((z - middle) / tall) ** 2).clamp_min(0)
            body = intersection((ring - 1) * 18 + waist, (z - middle).abs() - tall, 3.0)
            process = capsule(half, (16, depth + 16, middle - 4), (42 - 2 * level, depth + 22, middle - 9), 5.5, 4.0)
            spinous = capsule(half, (0, depth + 24, middle + 2), (0, depth + 46, middle + 14), 4.5, 5.0)
            facet = capsule(half, (16, depth + 24, middle - 16), (19, depth + 26, middle + 16), 5.0, 6.0)
            distance = torch.minimum(distance, union(union(body, process, 4.0), torch.minimum(spinous, facet), 3.0))
        tail = ellipsoid(half, (34, 46, -100), (24, 20, 14))
        return torch.minimum(distance, tail)
