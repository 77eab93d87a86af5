"""A parametric hip bone (ilium, ischium and pubis) with its acetabulum, one side of the pelvis.

The bone is a bent plate that every sagittal line crosses once: an outline in the sagittal plane with the obturator foramen in
it, and over that plane the x of its inner surface (iliac fossa, true pelvis, and the ring of pubis and ischium, which meet in the
arcuate line) and its thickness. The superior ramus and the cup are rounded solids blended into it. Modelled as a left hip bone:
x lateral from the median plane, y posterior, z to the feet, the hip's centre at (88, 0, 0) mm, anterior superior spines
and symphysis about in one coronal plane.

Sizes follow adult anatomy: cup inclination about 45 and anteversion about 18 degrees, lateral centre-edge angle about 33
degrees, teardrop about 7 mm wide and 8 mm medial to the head, iliac fossa 3 to 5 mm thick, crest 10 to 14 mm. The course of the
outline and of the inner surface was fitted by eye to the bone geometry of the OpenSim models (Delp et al., IEEE Trans Biomed
Eng 1990), one digitised skeleton.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.interpolate import CubicSpline, PchipInterpolator
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from scripts.simulation.anatomy.solids import NO_WARP, Warp, capsule, intersection, polygon_distance, union, vector
from scripts.simulation.physics.projection import Tissue
from scripts.simulation.physics.xray import CORTICAL_MINERAL

HALF_HIP_DISTANCE = 88.0
LOW, HIGH = (-1.0, -60.0, -166.0), (166.0, 124.0, 92.0)
"""Corners (x, y, z) of the space that the bone takes, mm."""

_GRID = 2.0
_RAMUS_SLOPE = 1.84  # by how much x of the inferior ramus grows with z before the subpubic angle is set
_FOSSA_DEPTH = 6.5
_WALL_CORTEX = 1.25  # mm, of the walls of the cup and the superior ramus in a young adult
_OUTLINE = np.array([
    (-45, -76), (-40, -93), (-26, -117), (-7, -138), (12, -148), (32, -150), (57, -141), (81, -123), (98, -101), (106, -80),
    (101, -60), (93, -42), (78, -38), (56, -45), (45, -36), (45, -16), (57, 3), (51, 13), (46, 22),
    (50, 36), (55, 48), (54, 60), (47, 69), (33, 72), (18, 67.5), (4, 61.5), (-10, 55.5), (-22, 49),
    (-34, 41), (-42, 31), (-45, 21), (-38, 13), (-29, 6), (-24, -8), (-23, -20),
    (-31, -33), (-36, -43), (-31, -54), (-33, -62), (-42, -69),
])  # fmt: skip
"""The border (y, z) of the bone seen from the side: crest, sciatic notches, tuber, inferior ramus and pubis, anterior spines."""

_RECEDES = ((-20.0, 0.0, 8.0, 18.0, 28.0, 45.0, 60.0, 75.0, 110.0), (-24.0, -3.0, 9.0, 23.0, 33.0, 48.0, 56.0, 60.5, 64.0))
"""Distance behind the symphysis, and x of the inner surface of pubis and ischium there."""


def sacroiliac(y: Tensor, z: Tensor) -> Tensor:
    """Return x in mm of the middle of the sacroiliac joint at (y, z): an oblique, slightly wavy surface."""
    along = z + 85
    wave = 1.5 * torch.sin(along / 9) * torch.cos((y - 70) / 11) + 1.2 * torch.sin((y + along) / 14)
    return 55.5 - 0.44 * (y - 62) - 0.0035 * along**2 + wave


@dataclass(frozen=True)
class HipBone:
    """Shape and mineral of one hip bone, in mm and degrees at a distance of 176 mm between the hip centres.

    ``head_radius`` and ``joint_space`` set the cup, ``anteversion``, ``inclination`` and ``cover`` (lateral centre-edge angle)
    its opening. ``subpubic`` is the angle between the inferior rami of both sides, ``flare`` turns the wing of the ilium outward,
    ``inlet`` moves the walls of the true pelvis laterally, ``pubis`` what lies lateral of the pubic body. ``foramen`` runs from 0
    (an oval, as in men) to 1 (smaller and three-cornered, as in women), ``foramen_height`` and ``foramen_width`` scale it,
    ``foramen_lean`` (degrees) is how far its long axis leans back from the vertical. ``symphysis`` is half the width of that
    joint, ``wall`` the thickness of the cup's walls and ``thickness`` scales the plate. ``strength`` 1 is a young adult's
    mineral. ``osteoarthritis`` and ``enthesophytes`` run from 0 to 1; ``cysts`` are places (x, y, z) in the roof from the centre
    of the cup. ``warp`` and ``seed`` (of what is uneven) make it an individual.
    """

    head_radius: float = 22.5
    joint_space: float = 4.0
    subpubic: float = 80.0
    flare: float = 0.0
    inlet: float = 0.0
    pubis: float = 0.0
    foramen: float = 0.5
    foramen_height: float = 1.0
    foramen_width: float = 1.0
    foramen_lean: float = 26.0
    symphysis: float = 1.9
    wall: float = 6.0
    thickness: float = 1.0
    anteversion: float = 18.0
    inclination: float = 44.0
    cover: float = 33.0
    strength: float = 1.0
    osteoarthritis: float = 0.0
    enthesophytes: float = 0.0
    cysts: tuple[tuple[float, float, float], ...] = ()
    warp: Warp = NO_WARP
    seed: int = 0

    @property
    def migration(self) -> Tensor:
        """Displacement (3,) in mm of the head from the cup's centre where osteoarthritis has taken the cartilage."""
        lost = self.osteoarthritis * (self.joint_space - 0.3)
        return lost * torch.tensor([math.sin(math.radians(22)), 0.0, -math.cos(math.radians(22))])

    def tissue(self, p: Tensor, socket: Tensor, scale: float) -> Tissue:
        """Return the tissue at points.

        Args:
            p: points (..., 3) in the bone's frame.
            socket: the same points in mm from the centre of the cup, not scaled with the pelvis.
            scale: mm of the patient in a mm of the bone's frame.
        """
        x = p[..., 0]
        border, inner, inner_slope, outer, outer_slope, cortex, interior = self._look_up(p[..., 1], p[..., 2])
        plate = torch.maximum(inner - x * inner_slope, x * outer_slope - outer)
        plate = intersection(border, plate, 5.0)
        ramus = capsule(p, (18 + 0.3 * self.pubis, -36, 20), (67, -15, -5), 7.0, 8.5)
        symphysis = self.symphysis + 0.006 * (p[..., 2] - 34).clamp(-25, 25) ** 2 + 0.3 * torch.sin(p[..., 2] / 3.1) - x
        ring = intersection(union(plate, ramus, 8.0), symphysis, 2.5) * scale
        r = socket.norm(dim=-1) + 1e-6
        depth, wall, rim = self._cup(socket, r)
        cavity = self.head_radius + self.joint_space + depth - r
        distance = torch.maximum(union(ring, wall, 7.0), cavity)

        # Ramus and walls of the cup are thick bone: there the layers of the plate that lies beside them do not hold.
        thick = torch.sigmoid((plate * scale - torch.minimum(ramus * scale, wall)) / 3.0)
        cortex = cortex + thick * (_WALL_CORTEX * self.strength**0.8 - cortex)
        interior = interior + thick * (0.15 * self.strength**1.3 - interior)
        roof, sclerosis = self._roof(socket, r, -cavity)
        hollow = torch.zeros_like(r)
        for cyst in self.cysts:
            hollow = hollow + torch.exp(-(((socket - vector(cyst, socket)) / 4.0) ** 2).sum(-1))
        # The fossa's floor and the wall's free edge are seen edge on: as teardrop and as lines across the head.
        floor = depth / _FOSSA_DEPTH * torch.exp(cavity.clamp_max(0) / 3.0)
        cortex = cortex + self.strength**0.5 * (1.2 * roof + 1.8 * sclerosis + 0.9 * floor + 0.8 * rim)
        interior = interior + self.strength**0.7 * (0.16 * roof + 0.6 * sclerosis)
        return Tissue(distance, cortex, interior * (1 - 0.9 * hollow.clamp(0, 1)))

    def _cup(self, socket: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Extra depth of the fossa, distance to the solid that the cup is sunk in, its notch left out, and its edge (0..1)."""
        incline, forward = math.radians(self.inclination), math.radians(self.anteversion)
        axis = (math.sin(incline) * math.cos(forward), -math.sin(forward), math.cos(incline) * math.cos(forward))
        inner = self.head_radius + self.joint_space
        edge = math.radians(self.cover)
        offset = inner * (math.sin(edge) * axis[0] - math.cos(edge) * axis[2])
        x, y, z = socket.unbind(-1)
        lateral = (socket @ vector((0.62, 0.0, -0.78), socket)) / r
        spur = self.osteoarthritis * 8.0 * torch.exp(-((1 - lateral) / 0.12))
        depth = _FOSSA_DEPTH * torch.sigmoid((-0.93 * x + 0.36 * z - 0.80 * r) * (12 / inner))
        rim = r - inner - self.wall - 0.10 * y + 2.5 * lateral.clamp_min(0) ** 4 + 0.5 * spur
        opening = socket @ vector(axis, socket) - offset - spur - 1.0 * torch.sin(y / 7)
        notch = 13.0 - 4.0 * self.osteoarthritis - torch.hypot(torch.hypot(x + 21, z - inner + 4), 0.55 * (y + 3))
        edge_on = torch.exp(-((opening / 3.5) ** 2))
        return depth, intersection(intersection(rim, opening, 3.0), notch, 5.0), edge_on

    def _roof(self, socket: Tensor, r: Tensor, beyond: Tensor) -> tuple[Tensor, Tensor]:
        """Where (0..1) the roof bears weight, and where osteoarthritis hardens it."""
        upward = (socket @ vector((0.28, 0.05, -0.96), socket)) / r
        near = torch.exp(-beyond.clamp_min(0) / 4.0)
        roof = near * torch.sigmoid((upward - 0.72) * 12)
        if self.osteoarthritis == 0:
            return roof, torch.zeros_like(roof)
        return roof, self.osteoarthritis * torch.exp(-beyond.clamp_min(0) / 7.0) * torch.sigmoid((upward - 0.86) * 20)

    def _look_up(self, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        table = self._table.to(y)
        u = (y - LOW[1]) / (HIGH[1] - LOW[1]) * 2 - 1
        v = (z - LOW[2]) / (HIGH[2] - LOW[2]) * 2 - 1
        where = torch.stack([u, v], dim=-1).reshape(1, -1, 1, 2)
        values = grid_sample(table, where, padding_mode="border", align_corners=True)
        return tuple(values.reshape(len(values[0]), *y.shape))

    @cached_property
    def _table(self) -> Tensor:
        """Channels (1, 7, z, y) over the sagittal plane: distance to the border; for inner and outer surface x and 1 over the
        length of the surface's gradient, x already divided by it; thickness of the cortex; density of the interior."""
        y, z = torch.meshgrid(torch.arange(LOW[1], HIGH[1] + 1, _GRID), torch.arange(LOW[2], HIGH[2] + 1, _GRID), indexing="xy")
        moved = self.warp(torch.stack([torch.full_like(y, 70.0), y, z], dim=-1))
        joint = torch.sigmoid((y - 52) / 6) * torch.sigmoid((-z - 44) / 5)
        shift = (moved[..., 0] - 70.0) * (1 - joint)
        y, z = moved[..., 1], moved[..., 2]
        border = self._border(y, z)
        inner = self._inner(y, z) + shift
        inner = inner + joint * (sacroiliac(y, z) + 0.3 - inner)
        thick, cortex, density = self._layers(y, z, border)
        inner_slope, slope = _flatness(inner), _flatness(_smooth(inner))
        outer = _smooth(inner) + thick / slope
        roof = 97 - 0.022 * (y - 2) ** 2 - 0.012 * (-z - 44).clamp_min(0) ** 2 - 0.06 * (z + 24).clamp_min(0) ** 2
        outer = -union(-outer, -roof, 24.0)
        outer_slope = _flatness(outer)
        density = density * (1 + 0.10 * self._noise(y.shape, 2) + 0.12 * self._noise(y.shape, 10)).clamp_min(0.5)
        # A plate thinner than a ray's step would lose its core between samples: there the shell is counted into the core.
        shell = cortex * ((thick - 4) / 6).clamp(0, 1)
        rest = thick.clamp_min(2.5)
        density = (2 * (cortex - shell) * CORTICAL_MINERAL + (rest - 2 * cortex).clamp_min(0) * density) / (rest - 2 * shell)
        channels = (border, inner * inner_slope, inner_slope, outer * outer_slope, outer_slope, shell, density)
        return torch.stack(channels)[None]

    def _noise(self, size: torch.Size, patch: int) -> Tensor:
        """A smooth random field of SD about 1 over patches of ``patch`` cells of the table."""
        generator = torch.Generator().manual_seed(self.seed + patch)
        noise = torch.randn(1, 1, *(n // patch + 3 for n in size), generator=generator)
        return 1.3 * interpolate(noise, size=size, mode="bicubic", align_corners=True)[0, 0]

    def _border(self, y: Tensor, z: Tensor) -> Tensor:
        """Distance in the sagittal plane to the edge of the bone, foramen included."""
        turns = np.arange(len(_OUTLINE) + 1)
        curve = CubicSpline(turns, np.concatenate([_OUTLINE, _OUTLINE[:1]]), bc_type="periodic")
        points = torch.from_numpy(curve(np.linspace(0, len(_OUTLINE), 160)[:-1]).astype(np.float32))
        border = polygon_distance(points, y, z)
        ragged = (self._noise(y.shape, 3) + 0.5 * self._noise(y.shape, 2)).clamp_min(0)
        at_crest, at_tuber = (
            torch.sigmoid((-z - 115) / 8),
            torch.sigmoid((z - 50) / 5) * torch.sigmoid((y - 15) / 8) * torch.sigmoid((44 - y) / 3),
        )
        border = border - 2.0 * self.enthesophytes * ragged * (at_crest + at_tuber)
        hole = intersection(-self._foramen(y, z), border + 9.5, 4.0)  # the rami stay whole
        return torch.maximum(border, -hole)

    def _foramen(self, y: Tensor, z: Tensor) -> Tensor:
        """Distance in the sagittal plane to the edge of the obturator foramen, positive in the hole."""
        tilt = math.radians(self.foramen_lean)
        along = (z - 36.5) * math.cos(tilt) + (y - 3.0) * math.sin(tilt)
        across = (y - 3.0) * math.cos(tilt) - (z - 36.5) * math.sin(tilt)
        tall = (20.5 - 1.5 * self.foramen) * self.foramen_height
        wide = (19.5 - 0.5 * self.foramen) * self.foramen_width
        angle = torch.atan2(across / wide, along / tall)
        corner = 1 + 0.10 * self.foramen * torch.cos(3 * angle + 0.5)
        return (corner - torch.hypot(across / wide, along / tall)) * wide

    def _inner(self, y: Tensor, z: Tensor) -> Tensor:
        """X of the surface that faces the pelvis: iliac fossa and true pelvis meet in a ridge, the arcuate line."""
        fossa, wall = self._fossa_and_wall(y, z)
        ilium = -union(-fossa, -wall, 5.0)
        widen = math.tan(math.radians(self.subpubic / 2)) - _RAMUS_SLOPE
        arch = widen * (z - 44).clamp(0, 20) * (0.2 + 0.8 * torch.sigmoid((18 - y) / 6))
        ring = self._ring(y, z) + arch + 0.25 * self.inlet
        low = torch.sigmoid((z - 24 - 0.5 * (y - 5).clamp(-60, 0)) / 4.5)
        return ilium + low * (ring - ilium)

    def _fossa_and_wall(self, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """X of the iliac fossa and of the wall of the true pelvis, either as if it were alone."""
        high = z + 75
        fossa = 93 - 0.40 * high - (0.72 - 0.005 * high) * y - 4.0 * torch.exp(-(((y - 5) / 30) ** 2) - ((z + 95) / 30) ** 2)
        fossa = (
            fossa
            + self.flare * 0.08 * (-z - 50).clamp_min(0)
            - 1.2 * (z + 40).clamp_min(0)
            - 0.003 * (-z - 105).clamp_min(0) ** 2
            - 0.010 * (-y - 18).clamp_min(0) ** 2
        )
        wall = (
            51.5
            - 0.15 * z.clamp(-50, 30)
            + 6.0 * torch.sigmoid((-z - 14) / 6) * torch.sigmoid((42 - y) / 5)
            + 0.13 * (y - 16)
            + self.inlet
            - 11.0 * torch.exp(-(((y - 57) / 9) ** 2) - ((z - 4) / 9) ** 2)
        )
        return fossa, wall

    def _ring(self, y: Tensor, z: Tensor) -> Tensor:
        """X of the inner surface of pubis and ischium, which recede from the symphysis: first sideways, then back."""
        back = y + 42 - 0.6 * (z.clamp(5, 70) - 25)  # behind the symphysis, which leans back
        course = PchipInterpolator(*_RECEDES)(back.clamp(*_RECEDES[0][:: len(_RECEDES[0]) - 1]).numpy())
        return torch.from_numpy(course.astype(np.float32)) + self.pubis * ((back - 4) / 45).clamp(0, 1)

    def _layers(self, y: Tensor, z: Tensor, border: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Thickness of the plate and of its cortex (mm), density of its cancellous bone (g/cm³)."""

        def spot(cy: float, cz: float, ry: float, rz: float) -> Tensor:
            return torch.exp(-(((y - cy) / ry) ** 2) - ((z - cz) / rz) ** 2)

        t = (((y - 52) * -47 + (z + 78) * 42) / (47**2 + 42**2)).clamp(0, 1)
        buttress = torch.exp(-((torch.hypot(y - 52 + 47 * t, z + 78 - 42 * t) / 17) ** 2))
        rim = torch.exp(-(((border + 3) / 6) ** 2)) * torch.sigmoid((-z - 40) / 10)
        above = spot(6, -30, 26, 17)
        ischium = spot(36, 30, 17, 24) + 0.75 * spot(42, 58, 16, 14)
        pubis = spot(-30, 28, 17, 16)
        thick = (
            8.0 - 5.0 * spot(12, -96, 34, 28) - 2.5 * spot(50, -112, 26, 22) + 4.5 * rim + 2.5 * spot(-14, -122, 14, 14)
            + 11 * buttress + 5.0 * spot(80, -80, 22, 32) + 3 * spot(-30, -50, 10, 14)
            + 12 * ischium + 3.5 * pubis - 0.5 * spot(4, 2, 20, 14) - 1.5 * spot(8, 60, 18, 12)
        )  # fmt: skip
        edge = torch.exp(-((self._foramen(y, z).clamp_max(0) / 8) ** 2))
        thick = (thick * (1 - edge * (0.6 - 0.35 * torch.sigmoid((z - 46) / 4))) * self.thickness).clamp_min(3.2)
        fossa, wall = self._fossa_and_wall(y, z)
        brim = torch.exp(-(((fossa - wall) / 9) ** 2)) * torch.sigmoid((z + 62) / 6) * torch.sigmoid((12 - z) / 4)
        firm = self.strength**0.8
        cortex = (0.75 + 0.03 * (thick - 8).clamp(0, 20) + 0.4 * rim + 0.25 * buttress + 0.25 * ischium + 0.9 * brim) * firm
        density = (0.10 + 0.09 * buttress + 0.10 * above + 0.05 * ischium + 0.03 * pubis) * self.strength**1.3
        return thick, cortex, density


def _flatness(surface: Tensor) -> Tensor:
    """1 over the length of the gradient of x - surface(y, z)."""
    dz, dy = torch.gradient(surface, spacing=_GRID)
    return (1 + (dy**2 + dz**2).clamp_max(9)).rsqrt()


def _smooth(surface: Tensor) -> Tensor:
    weights = torch.exp(-(torch.arange(-8.0, 9.0) ** 2) / 18)
    weights = weights / weights.sum()
    padded = torch.nn.functional.pad(surface[None, None], (8, 8, 8, 8), "replicate")
    return torch.conv2d(torch.conv2d(padded, weights[None, None, None]), weights[None, None, :, None])[0, 0]
