"""A parametric sacrum and coccyx with the lowest lumbar vertebrae.

Both are modelled straight, in coordinates along and across the curve of the spine, and bent by it: s runs down the centres of the
bodies from the end plate of S1 (mm), n across to posterior. Sacral slope and lumbar lordosis follow from the curve's angle at
each level: with a pelvic incidence of 53 degrees (32 to 74 in 95% of 709 adults, Mac-Thiong et al., Eur Spine J 2011) the end
plate of S1 slopes by 40 degrees where the pelvis is upright.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from scripts.simulation.anatomy.hip_bone import sacroiliac
from scripts.simulation.anatomy.solids import capsule, ellipsoid, intersection, union
from scripts.simulation.physics.projection import Tissue

SACRUM_BOX = ((-66.0, -5.0, -160.0), (66.0, 130.0, 42.0))
LUMBAR_BOX = ((-56.0, -75.0, -240.0), (56.0, 125.0, -85.0))
"""Corners (x, y, z) in mm of boxes around either."""

_START = (32.0, -110.0)  # (y, z) of the centre of the end plate of S1
_JOINT = (60.0, -80.0)  # (y, z) of the middle of the sacroiliac joint, about which sacra of other incidences are turned
_ANGLES = ((-130, -100, -62, -24, 0, 30, 55, 80, 105, 140), (-16, -10, 0, 18, 36, 32, 14, -14, -38, -58))
_PITCH, _FIRST = 37.0, -25.0  # from vertebra to vertebra, and the centre of L5, along the curve
_LOW, _HIGH, _GRID = (-80.0, -245.0), (140.0, 50.0), 2.5
_USUAL_INCIDENCE = 53.0


@dataclass(frozen=True)
class Spine:
    """Sacrum, coccyx and the vertebrae L3 to L5.

    ``incidence`` (degrees) is the pelvic incidence, ``kyphosis`` adds to the bend between S1 and the coccyx, ``hook`` to that of
    the coccyx, and ``lean`` is the anterior tilt of the pelvis that the lumbar spine makes up for, so that it stays upright.
    ``bend`` (mm) is a sideways curve of the lumbar spine, ``width`` scales the sacrum's breadth, ``gap`` (mm) is the space of the
    sacroiliac joint, ``strength`` 1 a young adult's mineral, ``spurs`` 0..1 the size of osteophytes at the end plates.
    """

    incidence: float = _USUAL_INCIDENCE
    kyphosis: float = 0.0
    hook: float = 0.0
    lean: float = 0.0
    bend: float = 0.0
    width: float = 1.0
    gap: float = 3.0
    strength: float = 1.0
    spurs: float = 0.0

    def sacrum(self, p: Tensor) -> Tissue:
        """Return the tissue of sacrum and coccyx at points (..., 3), mm in the pelvis's frame."""
        s, n = self._along_and_across(p)
        x = p[..., 0]
        lateral = x.abs()
        along = (s / 105).clamp(0, 1)
        wing = (lateral - 18).clamp_min(0)
        front = -14 + 8 * along + 0.30 * wing * (1 - along) - 0.0012 * lateral**2
        crest = 5.5 * torch.exp(-((lateral / 4) ** 2)) * (0.7 + 0.3 * torch.cos(s / 3.6)) + 2.5 * torch.exp(
            -(((lateral - 17 + 7 * along) / 4) ** 2)
        )
        back = 27 - 19 * along + crest - 0.10 * wing
        breadth = self.width * (
            58
            - 46 * _smoothstep((s - 28) / 78)
            - 2.0 * torch.exp(-(((s - 64) / 6) ** 2))
            + 2.0 * torch.exp(-(((s - 84) / 9) ** 2))
        )
        top = -s + 0.45 * wing + 1.5 * (1 - (lateral / 22) ** 2).clamp_min(0)
        distance = intersection(intersection(front - n, n - back, 9.0), lateral - breadth, 6.0)
        distance = intersection(distance, torch.maximum(top, s - 104), 4.0)
        level = ((s - 26) / 20).round().clamp(0, 3)
        centre = s - 26 - 20 * level
        reach = 24 - 3.3 * level
        mouth = 7.0 - 0.3 * level - 0.40 * (n - front).clamp_min(-2)
        hole = mouth - torch.hypot((lateral - reach - 0.35 * (n - front)) * 0.7, centre)
        distance = intersection(distance, hole, 7.0)
        distance = torch.maximum(distance, lateral - sacroiliac(p[..., 1], p[..., 2]) + self.gap - 1.5)
        taper = 8.5 - 0.17 * (s - 104) + 0.7 * torch.cos((s - 106) * 0.55)
        coccyx = intersection(torch.hypot(x, n * 1.5) - taper, torch.maximum(106 - s, s - 138), 3.0)
        distance = torch.minimum(distance, coccyx)
        remnant = torch.exp(-(((s - 30 - 21 * ((s - 30) / 21).round()) / 1.6) ** 2)) * (lateral < 26)
        joint = torch.exp(-((lateral - sacroiliac(p[..., 1], p[..., 2])).abs() / 5))
        cortex = (0.8 + 0.3 * joint) * self.strength**0.8
        canal = torch.sigmoid((9 - torch.hypot(x * 0.7, n - back + crest + 9.0)) / 2.0) * torch.sigmoid((62 - s) / 6)
        interior = (0.105 - 0.04 * along + 0.05 * remnant + 0.05 * joint) * (1 - 0.8 * canal) * self.strength**1.3
        return Tissue(distance, cortex, interior)

    def lumbar(self, p: Tensor) -> Tissue:
        """Return the tissue of the vertebrae L3 to L5 at points (..., 3), mm in the pelvis's frame."""
        s, n = self._along_and_across(p)
        x = p[..., 0] - self.bend * torch.sin((p[..., 2] + 110) / 70)
        level = ((_FIRST - s) / _PITCH).round().clamp(0, 2)
        t = s - _FIRST + _PITCH * level
        half = torch.stack([x.abs() * (1 + 0.05 * level), n, t], dim=-1)
        lateral = half[..., 0]
        end = (t / 13) ** 2
        radius = torch.sqrt((lateral / (24.5 - 0.8 * level)) ** 2 + ((n + 0.3) / 17) ** 2 + 1e-6)
        lip = (2.2 + 2.5 * self.spurs) * end.clamp_max(1.3) ** (1 + 2 * self.spurs)
        body = intersection((radius - 1) * 18 + 2.4 - lip, t.abs() - 14.2 + 2.4 * (1 - radius**2).clamp_min(0), 2.0)
        pedicle = capsule(half, (16, 12, -7), (17, 25, -2), 4.8, 5.2)
        transverse = capsule(half, (17, 22, -5), (42, 27, -8), 5.0, 3.2)
        facet = capsule(half, (17, 27, -17), (19, 30, 15), 4.0, 5.5)
        lamina = capsule(half, (15, 29, 4), (2, 36, 7), 5.0, 4.0)
        spinous = ellipsoid(half, (0, 45, 9), (3.2, 15, 9.5))
        arch = union(union(pedicle, transverse, 4.0), union(union(facet, lamina, 3.0), spinous, 4.0), 3.0)
        distance = union(body, arch, 2.0)
        plate = torch.sigmoid((t.abs() - 11) / 1.0) * torch.sigmoid((0.9 - radius) * 12)
        cortex = (0.7 + 0.5 * plate) * self.strength**0.8
        interior = (0.115 + 0.05 * plate + 0.04 * torch.sigmoid((n - 16) / 3)) * self.strength**1.4
        return Tissue(distance, cortex, interior)

    def _along_and_across(self, p: Tensor) -> tuple[Tensor, Tensor]:
        table = self._table.to(p)
        u = (p[..., 1] - _LOW[0]) / (_HIGH[0] - _LOW[0]) * 2 - 1
        v = (p[..., 2] - _LOW[1]) / (_HIGH[1] - _LOW[1]) * 2 - 1
        where = torch.stack([u, v], dim=-1).reshape(1, -1, 1, 2)
        values = grid_sample(table, where, padding_mode="border", align_corners=True).reshape(2, *u.shape)
        return values[0], values[1]

    @cached_property
    def _table(self) -> Tensor:
        """s and n (1, 2, z, y) over the median plane, from the nearest point of the curve."""
        s = np.arange(-135.0, 145.0)
        # Pelvic incidence is the angle between the end plate's normal and the line to the hips: a sacrum of a high one is turned
        # about its joint, which by itself brings the end plate forward, and lies further back.
        more = self.incidence - _USUAL_INCIDENCE
        turn, behind = 0.9 * more, 0.55 * more
        sacral, upper = np.clip((s + 20) / 40, 0, 1), np.clip(-s / 90, 0, 1)
        degrees = np.interp(s, *_ANGLES) + turn * (1 - upper) - self.lean * upper
        degrees = degrees - self.kyphosis * (s / 100 - 0.5) * sacral - self.hook * np.clip((s - 95) / 30, 0, 1)
        angle = np.convolve(np.pad(np.radians(degrees), 12, mode="edge"), np.ones(25) / 25, mode="valid")
        start = int(np.searchsorted(s, 0.0))
        y, z = np.cumsum(np.sin(angle)), np.cumsum(np.cos(angle))
        c, d = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        arm = _START[0] - _JOINT[0], _START[1] - _JOINT[1]
        y = y - y[start] + behind + _JOINT[0] + c * arm[0] + d * arm[1]
        z = z - z[start] + _JOINT[1] + c * arm[1] - d * arm[0]
        along = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        curve = torch.from_numpy(np.stack([y, z], axis=-1).astype(np.float32))
        ahead = torch.from_numpy(along.astype(np.float32))
        grid_y = torch.arange(_LOW[0], _HIGH[0] + 1, _GRID)
        grid_z = torch.arange(_LOW[1], _HIGH[1] + 1, _GRID)
        points = torch.stack(torch.meshgrid(grid_y, grid_z, indexing="xy"), dim=-1)
        nearest = torch.cdist(points.reshape(-1, 2), curve).argmin(1)
        offset = points.reshape(-1, 2) - curve[nearest]
        down = ahead[nearest]
        place = torch.from_numpy(s.astype(np.float32))[nearest] + (offset * down).sum(-1)
        across = offset[:, 0] * down[:, 1] - offset[:, 1] * down[:, 0]
        return torch.stack([place, across]).reshape(1, 2, len(grid_z), len(grid_y))


def _smoothstep(t: Tensor) -> Tensor:
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)
