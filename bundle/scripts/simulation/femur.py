"""A parametric proximal femur with a cortical shell and trabecular groups.

Modelled as a right femur in its own frame: origin at the centre of the head, x medial (lateral is negative), y posterior, z
distal, the neck lying in the x-z plane (the position of a DXA scan, with anteversion turned out). Sizes, angles and cortical
thicknesses follow the ranges of adult anatomy: head diameter women 43.3, men 48.5 mm; neck-shaft angle 124.7 ± 6.2 degrees;
offset 42.9 ± 6.8 mm (CT, n = 628); neck cortex from 1.63 to 0.33 mm superiorly and 3.9 to 3.3 mm inferiorly between 25 and 85
years (Mayhew et al., Lancet 2005); trabecular groups after Singh et al., JBJS 1970.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from scripts.radiograph.landmarks import LANDMARKS
from scripts.simulation.projection import Tissue
from scripts.simulation.solids import NO_WARP, Warp, ellipsoid, union, vector

LENGTH_MM = 215.0
"""How much of the femur is modelled, from the centre of the head down the shaft."""

_LANDMARK_BELOW_TROCHANTER = 40.0


@dataclass(frozen=True)
class Bone:
    """How much mineral a femur holds: ``strength`` 1 is a young adult; it scales the shell and, faster, the trabeculae."""

    strength: float = 1.0
    trabecular: float = 1.0
    shell: float = 1.0


@dataclass(frozen=True)
class Femur:
    """Shape of one proximal femur (mm, degrees) and its place in the patient.

    ``size`` scales everything; ``warp`` bends it smoothly so that no two patients are alike. ``rotation`` (3, 3) and
    ``position`` (3,) take the femur's own frame to the patient's; ``mirrored`` makes a left femur, ``resected``
    cuts head and neck off, as before an arthroplasty.
    """

    size: float = 1.0
    head_radius: float = 22.5
    neck_shaft_angle: float = 125.0
    offset: float = 43.0
    neck_radius: float = 16.5
    shaft_radius: float = 14.5
    trochanter: float = 1.0
    lesser_trochanter: float = 1.0
    flare: float = 1.0
    warp: Warp = NO_WARP
    bone: Bone = field(default_factory=Bone)
    rotation: Tensor = field(default_factory=lambda: torch.eye(3))
    position: Tensor = field(default_factory=lambda: torch.zeros(3))
    mirrored: bool = False
    resected: bool = False

    @property
    def drop(self) -> float:
        """How far the base of the neck lies below the centre of the head, in mm before ``size``."""
        return self.offset / math.tan(math.radians(180.0 - self.neck_shaft_angle))

    @property
    def landmarks(self) -> dict[str, tuple[float, float, float]]:
        """The named points in the femur's own frame, mm before ``size``."""
        drop, lesser = self.drop, self.drop + 33
        return dict(
            zip(
                LANDMARKS,
                (
                    (0.0, 0.0, 0.0),
                    (-self.offset, 0.0, drop),
                    (-self.offset - 11, 8.0, drop - 31 - 3 * self.trochanter),
                    (-self.offset + 12 + 9 * self.lesser_trochanter, 10.0, lesser),
                    (-self.offset + 1, 0.0, lesser + _LANDMARK_BELOW_TROCHANTER),
                ),
                strict=True,
            )
        )

    def straightened(self) -> "Femur":
        """The same femur in its own frame, as a DXA scan positions it."""
        like = self.position
        return replace(self, rotation=torch.eye(3).to(like), position=torch.zeros(3).to(like), mirrored=False)

    def to_patient(self, points: Tensor) -> Tensor:
        """Take points (..., 3) from the femur's own frame (mm before ``size``) to the patient's."""
        moved = points * self.size @ self.rotation.T
        if self.mirrored:
            moved = moved * vector((-1, 1, 1), moved)
        return moved + self.position

    def to_local(self, points: Tensor) -> Tensor:
        """Take points (..., 3) from the patient's frame to the femur's own (mm before ``size``)."""
        local = points - self.position
        if self.mirrored:
            local = local * vector((-1, 1, 1), local)
        return local @ self.rotation / self.size

    def box(self) -> tuple[Tensor, Tensor]:
        """Lower and upper corner (3,) in the patient's frame of a box around the femur."""
        low = vector((-self.offset - 36, -36, -36), self.position)
        high = vector((36, 40, LENGTH_MM), self.position)
        corners = self.to_patient(torch.cartesian_prod(*(torch.stack([low[i], high[i]]) for i in range(3))))
        return corners.amin(0), corners.amax(0)

    def outline(self, p: Tensor) -> Tensor:
        """Signed distance (mm before ``size``) of points in the femur's own frame to its surface."""
        x, y, z = p.unbind(-1)
        drop, base = self.drop, -self.offset
        head = p.norm(dim=-1) - self.head_radius

        along, up, length = self._neck_axes(p)
        waist = (along / length - 0.48) / 0.30
        half_height = self.neck_radius + 7.0 * (1 - torch.exp(-waist * waist)) * torch.sigmoid((along / length - 0.55) * 20)
        half_depth = 0.72 * half_height
        ring = torch.sqrt((up / half_height) ** 2 + (y / half_depth) ** 2 + 1e-8)
        neck = (ring - 1) * half_depth
        neck = torch.maximum(neck, (along - length / 2).abs() - length / 2 - 4)

        lower = z - drop
        bump = torch.exp(-(((lower - 4) / 26) ** 2))
        width = self.shaft_radius + self.flare * 7.5 * bump + 1.5 * torch.exp(-(((lower - 40) / 25) ** 2))
        depth = self.shaft_radius * 0.97 + self.flare * 3.5 * bump
        bow = 6.0 * ((lower - 60) / 150) ** 2
        axis_x = base + 3.0 * bump
        shaft = (torch.sqrt(((x - axis_x) / width) ** 2 + ((y + bow - 2) / depth) ** 2 + 1e-8) - 1) * depth
        shaft = torch.maximum(shaft, -(lower + 8))

        t = self.trochanter
        greater = ellipsoid(p, (base - 10, 8, drop - 8), (11.5 * t, 15 * t, 24 + 3 * t))
        ridge = ellipsoid(p, (base - 8, 3, drop + 10), (12, 15, 22))
        lt = self.lesser_trochanter
        lesser = ellipsoid(p, (base + 12, 10, drop + 33), (10 * lt, 9 * lt, 14))
        distance = union(head, neck, 7.0)
        distance = union(distance, union(shaft, union(greater, ridge, 6.0), 9.0), 9.0)
        distance = union(distance, lesser, 8.0)
        if self.resected:
            distance = torch.maximum(distance, 0.62 * length - along)
        return distance

    def _neck_axes(self, p: Tensor) -> tuple[Tensor, Tensor, float]:
        """Coordinates along the neck (from the head) and across it (towards superior), and the neck's length."""
        length = math.hypot(self.offset, self.drop)
        cos, sin = -self.offset / length, self.drop / length
        along = p[..., 0] * cos + p[..., 2] * sin
        up = p[..., 0] * -sin + p[..., 2] * cos
        return along, up, length

    def __call__(self, points: Tensor) -> Tissue:
        """Return the tissue at points (..., 3) of the patient's frame."""
        p = self.to_local(points)
        p = self.warp(p)
        distance = self.outline(p) * self.size
        cortex, interior = self.structure(p)
        return Tissue(distance, cortex, interior)

    def structure(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Cortical thickness (mm) and trabecular mineral density (g/cm³) at points in the femur's own frame."""
        x, _, z = p.unbind(-1)
        drop, base = self.drop, -self.offset
        along, up, length = self._neck_axes(p)
        lower = z - drop
        strength = self.bone.strength

        shaft = torch.sigmoid((lower - 48) / 9)
        calcar = torch.exp(-(((lower - 28) / 20) ** 2)) * torch.sigmoid((x - base) / 4)
        inferior = torch.sigmoid(-up / 5)
        in_neck = torch.exp(-(((along - 0.52 * length) / (0.22 * length)) ** 2))
        superior_cortex = 1.3 * strength**2
        inferior_cortex = 3.0 * strength**1.1
        cortex = 1.2 * strength**0.9
        cortex = cortex + in_neck * (superior_cortex + (inferior_cortex - superior_cortex) * inferior - cortex)
        cortex = cortex + calcar * 3.5 * strength**0.7 * (1 - shaft)
        cortex = cortex + shaft * (6.2 * strength**0.9 - cortex)
        cortex = cortex * self.bone.shell

        loss = max(0.0, 1.0 - strength)
        spread = 8 + 9 * torch.sigmoid((10 - z) / 6)
        compressive = torch.exp(-(((x + 4 + 0.30 * z.clamp(-30, 60)) / spread) ** 2)) * torch.sigmoid((40 - lower) / 6)
        arch = torch.hypot(x + 6, z - 42) - 47
        tensile = torch.exp(-((arch / 7) ** 2)) * torch.sigmoid((52 - z) / 5)
        fan = torch.hypot(x - base - 30, z - drop - 30) - 30
        secondary = torch.exp(-((fan / 9) ** 2)) * torch.sigmoid((base + 20 - x) / 5) * torch.sigmoid((38 - lower) / 6)
        trochanteric = torch.exp(-(((x - base + 10) / 9) ** 2)) * torch.sigmoid((22 - lower) / 7)
        ward = torch.exp(-((torch.hypot(x + 27, z - 20) / 11) ** 2))
        density = (
            0.09
            + 0.12 * compressive * strength**0.3
            + 0.08 * tensile * max(0.0, 1 - 1.4 * loss)
            + 0.06 * secondary * max(0.0, 1 - 2.0 * loss)
            + 0.10 * trochanteric * max(0.0, 1 - 1.6 * loss)
        )
        density = density * (1 - 0.55 * ward * min(1.0, 0.5 + loss)) * (1 - 0.93 * torch.sigmoid((lower - 42) / 14))
        density = density * (1 - 0.30 * in_neck)
        return cortex, density * strength**1.2 * self.bone.trabecular
