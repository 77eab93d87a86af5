"""The shape of a proximal femur: head, oval neck, trochanters and bowed shaft, as one signed distance function.

Modelled as a right femur in its own frame: origin at the centre of the head, x medial (lateral is negative), y posterior, z
distal along the axis of the upper shaft, the neck's axis in the x-z plane (the position of a DXA scan, with anteversion turned
out). Lengths are in mm of a femur of ``size`` 1, an adult between the sexes' means.

Sources: neck-shaft angle 124.7 ± 6.2 degrees, anteversion 14.5 ± 8.1 degrees, offset 42.9 ± 6.8 mm, neck diameter
34.3 ± 2.8 mm, canal flare 3.4 ± 0.5 (CT, n = 628); head diameter women 43.3, men 48.5 mm. What
those leave open, such as place and size of the trochanters, was fitted to the bone geometry of the OpenSim models (Delp et al.,
IEEE Trans Biomed Eng 1990), one digitised skeleton.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.roughness import Local, Roughness
from scripts.simulation.anatomy.solids import NO_WARP, Warp, intersection, union

LENGTH_MM = 215.0
"""How much of the femur is modelled, from the centre of the head down the shaft."""

_LANDMARK_BELOW_TROCHANTER = 40.0
_BOWED_FROM = 25.0


@dataclass(frozen=True)
class FemurShape:
    """Form of one proximal femur; lengths in mm before ``size``, angles in degrees, plain ratios are 1 on average.

    ``neck_radius`` is half the height of the neck where it is narrowest, ``neck_depth`` its depth over its height;
    ``shaft_radius`` half the width of the shaft 70 mm below the lesser trochanter, ``shaft_depth`` its depth over its width;
    ``bow`` the anterior curvature of the shaft and ``lateral_bow`` that to lateral (1/mm). ``flare`` widens the metaphysis,
    ``trochanter`` and ``lesser_trochanter`` scale these, ``overhang`` (mm) moves the tip of the greater trochanter medially.
    ``flattening`` is the part by which the upper half of the head is squashed, ``cam`` (mm) the height of a bump on the
    anterosuperior head-neck junction, ``osteophytes`` and ``spur`` (mm) the length of new bone at the rim of the head and on
    the tip of the greater trochanter. ``fossa`` scales width, depth and height of the trochanteric fossa, ``fossa_lean`` (mm per
    mm) is how far its top leans medially, ``fossa_edge`` (mm) rounds its rim; ``lesser_slope`` (mm) widens the base of the
    lesser trochanter. ``warp`` bends all but the head smoothly, so that no two are alike; ``roughness`` makes the trochanters
    uneven.
    """

    size: float = 1.0
    head_radius: float = 23.0
    neck_shaft_angle: float = 125.0
    offset: float = 43.0
    neck_radius: float = 17.0
    neck_depth: float = 0.82
    shaft_radius: float = 14.4
    shaft_depth: float = 0.93
    bow: float = 0.0012
    lateral_bow: float = 0.0
    flare: float = 1.0
    trochanter: float = 1.0
    overhang: float = 0.0
    lesser_trochanter: float = 1.0
    flattening: float = 0.0
    cam: float = 0.0
    osteophytes: float = 0.0
    spur: float = 0.0
    fossa: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fossa_lean: float = 0.0
    fossa_edge: float = 7.0
    lesser_slope: float = 7.0
    warp: Warp = NO_WARP
    roughness: Roughness | None = None

    @property
    def drop(self) -> float:
        """How far the base of the neck lies below the centre of the head, in mm before ``size``."""
        return self.offset / math.tan(math.radians(180.0 - self.neck_shaft_angle))

    @property
    def neck_length(self) -> float:
        """Distance from the centre of the head to the base of the neck, in mm before ``size``."""
        return math.hypot(self.offset, self.drop)

    @property
    def intact_landmarks(self) -> dict[str, tuple[float, float, float]]:
        """The named points of the unbroken bone in the femur's own frame, mm before ``size``."""
        base, drop, t, lesser = -self.offset, self.drop, self.trochanter, self.lesser_trochanter
        level = 25.5 + _LANDMARK_BELOW_TROCHANTER
        places = [
            (0.0, 0.0, 0.0),
            (base, 0.0, drop),
            (base - 3.0 + self.overhang, 9.5, drop - 36.2 * t),
            (base + 8.8 + 11.2 * lesser, 15.0 + 14.5 * lesser, drop + 25.5),
            (base + 0.5 - self.bowed_out(level), 4.5, drop + level),
        ]
        points = torch.tensor(places, device=self.warp.phases.device)
        return {name: (p[0], p[1], p[2]) for name, p in zip(HIP.landmarks, self.unbent(points).tolist(), strict=True)}

    def bowed_out(self, distal: float) -> float:
        """How far to lateral the shaft's axis lies ``distal`` mm below the base of the neck."""
        return 0.5 * self.lateral_bow * max(0.0, distal - _BOWED_FROM) ** 2

    def bent(self, points: Tensor) -> Tensor:
        """Take points (..., 3) of the femur's own frame to where the unwarped femur has them; the head's centre stays."""
        warp = self.warp
        if not bool(warp.heights.any()):
            return points
        still = torch.sin(warp.phases) @ warp.heights
        reach = (points.square().sum(-1, keepdim=True) / (1.6 * self.head_radius) ** 2).clamp(0.15, 1.0)
        # A shaft is straighter than the ends of the bone.
        reach = reach / (1 + ((points[..., 2:] - self.drop - 20.0) / 45.0).clamp_min(0).square())
        return points + reach * (warp(points) - points - still)

    def unbent(self, points: Tensor) -> Tensor:
        """Inverse of ``bent``, by fixed-point iteration."""
        found = points
        for _ in range(12):
            found = points + found - self.bent(found)
        return found

    def neck_axes(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates (mm) of points along the neck, from the head's centre, and across it towards superior."""
        cos, sin = -self.offset / self.neck_length, self.drop / self.neck_length
        return p[..., 0] * cos + p[..., 2] * sin, p[..., 2] * cos - p[..., 0] * sin

    def local(self, p: Tensor) -> Local:
        """What is uneven at ``bent`` points (..., 3)."""
        if self.roughness is None:
            return Local(torch.zeros_like(p[..., 0]), torch.ones_like(p[..., 0]), torch.ones_like(p[..., 0]))
        return self.roughness(p[..., 0] + self.offset, p[..., 1], p[..., 2] - self.drop)

    def outline(self, p: Tensor, local: Local | None = None) -> Tensor:
        """Signed distance (mm before ``size``) of ``bent`` points (..., 3) to the surface.

        Args:
            p: the points.
            local: what is uneven there; looked up when None.
        """
        return self._smooth(p) + (self.local(p) if local is None else local).relief

    def _smooth(self, p: Tensor) -> Tensor:
        x, y, z = p[..., 0] + self.offset, p[..., 1], p[..., 2] - self.drop
        head = self._head(p)
        trochanters = union(self._shaft(x, y, z), self._greater_trochanter(x, y, z), 8.0)
        distance = union(union(head, self._neck(p), 6.0), trochanters, 9.0)
        n = self.lesser_trochanter
        lesser = _cone(x, y, z, (5.5, 12.5, 24.5), (5.5 + 10.5 * n, 12.5 + 13.0 * n, 22.8), 9.0, 6.3 * n)
        crest = _cone(x, y, z, (-5.0, 17.5, -8.0), (13.5, 17.5, 18.0), 3.0, 6.3)
        distance = union(union(distance, crest, 6.0), lesser, self.lesser_slope)
        wide, deep, high = self.fossa
        straight = x + self.fossa_lean * (z + 21.5) if self.fossa_lean else x
        fossa = _ellipsoid(straight, y, z, (9.5, 15.0, -21.5), (8.0 * wide, 10.5 * deep, 11.5 * high))
        distance = -union(-distance, fossa, self.fossa_edge)
        if self.spur > 0:
            tip = (-3.0 + self.overhang, 9.5, -34.0 * self.trochanter)
            thorn = _cone(x, y, z, tip, (tip[0] + 0.6 * self.spur, tip[1], tip[2] - self.spur - 1.0), 3.4, 0.8)
            distance = union(distance, thorn, 2.5)
        return distance

    def _head(self, p: Tensor) -> Tensor:
        x, y, z = p.unbind(-1)
        squashed = torch.where(z < 0, z * (1 + self.flattening), z) if self.flattening else z
        r = torch.sqrt(x * x + y * y + squashed * squashed + 1e-6)
        # The sphere ends below the neck: about two thirds of it are head.
        below = ((0.83 * z - 0.54 * x + 0.1 * y) / r).clamp_min(0)
        head = r - self.head_radius + 4.5 * below * below
        radius = self.head_radius
        fovea = _ball(x, y, z, (0.93 * (radius + 6.0), 0.24 * (radius + 6.0), 0.27 * (radius + 6.0)), 7.8)
        head = -union(-head, fovea, 2.5)
        along, up = self.neck_axes(p)
        if self.cam > 0:
            far = radius + self.cam - 9.5
            head = union(head, _ball(along, up, y, (0.66 * far, 0.68 * far, -0.32 * far), 8.5), 6.0)
        if self.osteophytes > 0:
            # A collar round the rim, highest below and above: a flat ring about the neck's axis, lying on the sphere's edge.
            around = torch.sqrt(up * up + y * y + 1e-6)
            rim = 0.85 * radius
            height = self.osteophytes * (0.35 + 0.65 * (up / around).square())
            collar = torch.hypot(1.4 * (along - 0.50 * radius), around - rim) - 0.5 - 0.85 * height
            head = union(head, collar, 5.0)
        return head

    def _neck(self, p: Tensor) -> Tensor:
        along, up = self.neck_axes(p)
        part = (along / self.neck_length).clamp(0.2, 0.88) - 0.5
        curve = torch.where(part > 0, 58.0, 30.0) * part * part
        slim = self.neck_radius
        above = 1.10 * slim - 2.8 + curve + 1.0 * part
        below = 1.20 * slim - 2.9 + curve + 7.5 * part
        deep = self.neck_depth * slim
        front = 0.98 * deep - 0.1 + (20.0 * part - 15.0) * part
        back = 0.96 * deep - 0.1 + (20.0 * part - 4.0) * part
        oval = _oval(up, y=p[..., 1], high=above, low=below, back=back, front=front)
        middle = 0.62 * self.neck_length
        return intersection(oval, (along - middle).abs() - 0.76 * middle, 16.0)

    def _shaft(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        upper = torch.exp(-((z / 20.7).square()))
        middle = torch.exp(-(((z - 32.6) / 26.0).square()))
        down = (z - 95.0) / 100.0
        r = self.shaft_radius
        if self.lateral_bow > 0:
            x = x + 0.5 * self.lateral_bow * (z - _BOWED_FROM).clamp_min(0).square()
        lateral = r + (upper - 2.0 * middle) * self.flare - 2.4 * down
        medial = r + (11.5 * upper - 0.6 * middle) * self.flare - 2.4 * down
        deep = r * self.shaft_depth
        # The linea aspera: a ridge along the back of the shaft that fades below the lesser trochanter.
        ridge = 2.6 * ((z - 45.0) / 40.0).clamp(0, 1) / (1 + (x / 4.5).square()).square()
        front = deep - (2.3 * upper + 1.1 * middle) * self.flare - 0.4 * down
        back = deep + (4.2 * upper + 2.6 * middle) * self.flare + 1.2 * down + ridge
        oval = _oval(x, y - 4.5 - self._bowed(z), high=medial, low=lateral, back=back, front=front)
        return intersection(oval, -(z + 12.0), 16.0)

    def _greater_trochanter(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        t = self.trochanter
        x, y, z = (x + 6.0) / t - 6.0, (y - 5.0) / t + 5.0, z / t
        # From the flare upwards the tip leans over by ``overhang``.
        x = x - self.overhang * (-z / 36.0).clamp(0, 1.2)
        block = _ellipsoid(x, y, z, (0.0, 0.5, -14.0), (19.4, 16.8, 20.8))
        flare = _ellipsoid(x, y, z, (-5.5 - 1.5 * (self.flare - 1), 6.5, 7.0), (8.2 * self.flare, 15.5, 21.7))
        tip = _cone(x, y, z, (-6.0, 15.8, -5.1), (-0.8, 9.5, -27.7), 7.7, 8.8)
        return union(union(block, flare, 6.0), tip, 5.0) * t

    def _bowed(self, z: Tensor) -> Tensor:
        return 0.5 * self.bow * (z - 70.0).clamp_min(0).square()


def _ball(x: Tensor, y: Tensor, z: Tensor, centre: tuple[float, float, float], radius: float) -> Tensor:
    return torch.sqrt((x - centre[0]).square() + (y - centre[1]).square() + (z - centre[2]).square()) - radius


def _ellipsoid(x: Tensor, y: Tensor, z: Tensor, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Tensor:
    a, b, c = ((x - centre[0]) / radii[0]).square(), ((y - centre[1]) / radii[1]).square(), ((z - centre[2]) / radii[2]).square()
    k0 = torch.sqrt(a + b + c + 1e-8)
    k1 = torch.sqrt(a / radii[0] ** 2 + b / radii[1] ** 2 + c / radii[2] ** 2 + 1e-8)
    return k0 * (k0 - 1) / k1


def _cone(
    x: Tensor, y: Tensor, z: Tensor, start: tuple[float, float, float], end: tuple[float, float, float], r0: float, r1: float
) -> Tensor:
    axis = [b - a for a, b in zip(start, end, strict=True)]
    dx, dy, dz = x - start[0], y - start[1], z - start[2]
    t = ((dx * axis[0] + dy * axis[1] + dz * axis[2]) / sum(a * a for a in axis)).clamp(0, 1)
    gap = (dx - t * axis[0]).square() + (dy - t * axis[1]).square() + (dz - t * axis[2]).square()
    return torch.sqrt(gap) - (r0 + (r1 - r0) * t)


def _oval(u: Tensor, y: Tensor, *, high: Tensor, low: Tensor, back: Tensor, front: Tensor) -> Tensor:
    """Distance in a cross-section to an ellipse that reaches from -low to high along u and from -front to back along y."""
    half_u, half_y = (high + low) / 2, (back + front) / 2
    a = ((u - (high - low) / 2) / half_u).square()
    b = ((y - (back - front) / 2) / half_y).square()
    k0 = torch.sqrt(a + b + 1e-8)
    k1 = torch.sqrt(a / half_u.square() + b / half_y.square() + 1e-8)
    return k0 * (k0 - 1) / k1
