"""The mineral of a proximal femur: thickness and density of its cortex, density and pattern of its five trabecular groups.

Cortex of the neck from 25 to 85 years: superoposterior 1.63 to 0.33 mm, inferoanterior 3.9 to 3.3 mm (Mayhew et al., Lancet
2005); cortex of the shaft 5-7 mm, of which age takes 25-35%. Trabecular groups and the order of their loss: Singh et al.,
JBJS 1970. ``strength`` is the part of all this that goes together, areal density over that of a young adult: the eighties of
women are at 0.70, which ties thickness to it on average. What a person has of each compartment beyond that is told apart.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from skimage.measure import CircleModel
from torch import Tensor

from scripts.simulation.anatomy.femur_shape import FemurShape
from scripts.simulation.anatomy.roughness import Local
from scripts.simulation.physics.xray import CORTICAL_MINERAL

GROUPS = ("principal_compressive", "principal_tensile", "secondary_compressive", "secondary_tensile", "greater_trochanter")

_DENSITY = (0.17, 0.09, 0.065, 0.045, 0.06)
"""Mineral in g/cm³ that each group adds in a young adult where it is densest."""
_LOST_BETWEEN = ((0.70, 0.22), (0.92, 0.48), (0.98, 0.56), (1.00, 0.62), (0.98, 0.58))
"""Strength at which the loss of each group begins and at which the group is gone (Singh grades VI to I: 1.0 to 0.46)."""
_BREAKS_EARLIER = 0.10
"""How much sooner the principal tensile group is lost opposite the greater trochanter (grade III)."""


_POROUS, _COMPACT = 0.40, 0.15
"""How the density of the cortex follows ``strength`` below and above 1."""
_GROUP_VOLUME = 0.25
"""Mean of a group's envelope over the spongy bone of the proximal femur, 0.2 to 0.3 in all of them."""


@dataclass(frozen=True)
class Cortex:
    """What a person's cortex is beyond what ``strength`` says: factors on its thickness at the ``superior`` and the ``inferior``
    neck, in the ``shaft`` and in the ``rest``, and on the mineral in a cubic centimetre of it (``density``: pores and tissue)."""

    superior: float = 1.0
    inferior: float = 1.0
    shaft: float = 1.0
    rest: float = 1.0
    density: float = 1.0

    def thicker(self, factor: float) -> "Cortex":
        """Multiply the thickness everywhere."""
        thickness = {name: getattr(self, name) * factor for name in ("superior", "inferior", "shaft", "rest")}
        return replace(self, **thickness)


@dataclass(frozen=True)
class Trabeculae:
    """What a person's spongy bone is beyond what ``strength`` says.

    ``density`` multiplies all its mineral and ``groups`` that of each of ``GROUPS``. ``pattern`` is the strength on Singh's scale
    whose groups are left, their mass being that of ``strength`` (None: the same). ``number`` of strands in a mm, their
    ``thickness`` and ``anisotropy`` over the usual are of the picture only: they leave the mineral alone.
    """

    density: float = 1.0
    groups: tuple[float, ...] = (1.0,) * len(GROUPS)
    pattern: float | None = None
    number: float = 1.0
    thickness: float = 1.0
    anisotropy: float = 1.0


@dataclass(frozen=True)
class FemurMineral:
    """How much mineral a femur holds, and where.

    ``strength`` (0.15 to 2.5) is about its areal density over a young adult's; ``neck`` multiplies the cortex and the trabeculae
    of the femoral neck, ``lesser`` those of the lesser trochanter, which may be pale. ``cortex`` and ``trabeculae`` are the
    person's own compartments, ``marrow_fat`` (0..1) the share of fat in the marrow.
    """

    strength: float = 1.0
    neck: float = 1.0
    lesser: float = 1.0
    cortex: Cortex = field(default_factory=Cortex)
    trabeculae: Trabeculae = field(default_factory=Trabeculae)
    marrow_fat: float = 0.5

    @property
    def pattern(self) -> float:
        """Strength on Singh's scale that the trabecular groups look like."""
        return self.strength if self.trabeculae.pattern is None else self.trabeculae.pattern

    @property
    def cortical_density(self) -> float:
        """Mineral in a cubic centimetre of the cortex, g: a weak cortex is also a porous one."""
        return CORTICAL_MINERAL * self.cortex.density * min(self.strength, 1.0) ** _POROUS * max(self.strength, 1.0) ** _COMPACT

    def denser(self, cortical: float = 1.0, trabecular: float = 1.0) -> "FemurMineral":
        """Multiply the mineral in a cubic centimetre of cortex and of spongy bone; shape and picture of both stay."""
        cortex = replace(self.cortex, density=self.cortex.density * cortical)
        return replace(self, cortex=cortex, trabeculae=replace(self.trabeculae, density=self.trabeculae.density * trabecular))

    def thicker(self, factor: float) -> "FemurMineral":
        """Multiply the thickness of all cortex."""
        return replace(self, cortex=self.cortex.thicker(factor))


@dataclass(frozen=True)
class Strands:
    """The trabecular groups at some points: ``across`` and ``along`` (5, ...) are each group's own coordinates in mm, its strands
    being lines of constant ``across``; ``envelope`` (5, ...) is how much of each group there is, 0..1."""

    across: Tensor
    along: Tensor
    envelope: Tensor


@dataclass(frozen=True)
class Places:
    """Where points of a femur lie, each of shape (...), 0..1 unless said.

    In the ``shaft``, the ``neck``, the ``lesser`` trochanter, towards its ``inferior`` (inferoanterior) side, the medial
    ``calcar``, the ``head``, its loaded ``dome``, Ward's triangle, ``lateral`` of the neck; ``distal`` (mm below the base of the
    neck), ``depth`` (mm below the surface), ``envelope`` (5, ...) of the groups, and what is uneven there (``local``).
    """

    shaft: Tensor
    neck: Tensor
    lesser: Tensor
    inferior: Tensor
    calcar: Tensor
    head: Tensor
    dome: Tensor
    ward: Tensor
    lateral: Tensor
    distal: Tensor
    depth: Tensor
    envelope: Tensor
    local: Local


def group_share(strength: float) -> tuple[float, ...]:
    """Return the part of each of ``GROUPS`` (of a young adult's) left at ``strength``; above 1 it grows in proportion."""
    return tuple(_left(strength, begin, end) for begin, end in _LOST_BETWEEN)


def singh_grade(pattern: float) -> float:
    """Singh's grade, 1 to 6 and continuous, of the trabeculae left at a ``pattern``: 1, and for each of ``GROUPS`` the part of a
    young adult's that is left.

    The groups go in Singh's order, so the rounded grade says about what he describes (Singh et al., JBJS 1970). At 5 a quarter
    to a third of the secondary groups is gone, which opens Ward's triangle; at 4 a third of the principal tensile group; at 3
    four fifths of it opposite the greater trochanter; at 2 little but the principal compressive group is left; below 1.5 less
    than half of that.
    """
    return 1.0 + sum(min(share, 1.0) for share in group_share(pattern))


def _left(strength: float, begin: float, end: float) -> float:
    return min(1.0, max(0.0, (strength - end) / (begin - end))) * max(1.0, strength)


def _bump(x: Tensor) -> Tensor:
    return 1 / (1 + x * x).square()


def strands(shape: FemurShape, x: Tensor, z: Tensor) -> Strands:
    """Return the trabecular groups at points (x, z) of the femur's mid-plane, mm before ``size``."""
    base, drop, radius = -shape.offset, shape.drop, shape.head_radius
    # Compressive groups are fans: from the medial cortex up to the dome of the head, and to the greater trochanter.
    fans = []
    for apex_x, apex_z, to_x, to_z in (
        (base + 8.0, drop + 66.0, 0.04 * radius, -0.85 * radius),
        (base + 27.0, drop + 78.0, base + 1.0, drop - 14.0),
    ):
        height = (apex_z - z).clamp_min(8.0)
        lean = (x - apex_x) / height - (to_x - apex_x) / (apex_z - to_z)
        fans.append((lean * 80.0, height, lean))
    # Tensile groups are arcs about one centre: from the lateral cortex under the superior neck to the lower half of the head.
    centre_x, centre_z, arc = _arch(shape)
    r = torch.hypot(x - centre_x, z - centre_z)
    turn = torch.atan2(z - centre_z, x - centre_x) * arc
    column = x - (base - 9.0) - 0.004 * (z - drop).square()
    across = torch.stack([fans[0][0], r - arc, fans[1][0], r - arc + 17.0, column])
    along = torch.stack([fans[0][1], turn, fans[1][1], turn, z])
    below = z - drop
    envelope = torch.stack([
        _bump(fans[0][2] / 0.20) * torch.sigmoid((30.0 - below) / 6.0),
        _bump((r - arc) / 8.0) * torch.sigmoid((22.0 - below) / 5.0),
        _bump(fans[1][2] / 0.19) * torch.sigmoid((32.0 - below) / 6.0),
        _bump((r - arc + 17.0) / 7.5) * torch.sigmoid((40.0 - below) / 5.0) * torch.sigmoid((0.45 * base - x) / 4.0),
        _bump(column / 9.0) * torch.sigmoid((14.0 - below) / 6.0),
    ])  # fmt: skip
    return Strands(across, along, envelope)


def _arch(shape: FemurShape) -> tuple[float, float, float]:
    """Centre (x, z) and radius of the circle of the principal tensile group, through the lateral cortex, the superior neck and
    the lower medial part of the head."""
    along, up = 0.45, 0.50 * shape.neck_radius
    cos, sin = -shape.offset / shape.neck_length, shape.drop / shape.neck_length
    through = np.array([
        (-shape.offset - 13.0, shape.drop + 16.0),
        (-shape.offset * along - sin * up, shape.drop * along + cos * up),
        (0.60 * shape.head_radius, 0.38 * shape.head_radius),
    ])  # fmt: skip
    circle = CircleModel.from_estimate(through)
    return (*circle.center.tolist(), float(circle.radius))


def places(shape: FemurShape, p: Tensor, distance: Tensor, local: Local | None = None) -> Places:
    """Find where ``bent`` points (..., 3) lie.

    Args:
        shape: of the femur.
        p: the points.
        distance: (...) to the outline, mm before ``size``.
        local: what is uneven there; looked up when None.
    """
    x, y, z = p.unbind(-1)
    base, length = -shape.offset, shape.neck_length
    along, up = shape.neck_axes(p)
    distal = z - shape.drop
    head = torch.sigmoid((shape.head_radius + 1.0 + shape.osteophytes - p.norm(dim=-1)) / 2.0)
    return Places(
        shaft=torch.sigmoid((distal - 40.0) / 9.0),
        neck=_bump((along - 0.52 * length) / (0.42 * length)) * (1 - head),
        lesser=torch.sigmoid((y - 14.0) / 2.0) * torch.sigmoid((x - base - 7.0) / 2.0) * _bump((distal - 23.0) / 16.0),
        inferior=((1 - (0.86 * up + 0.5 * y) / torch.sqrt(up * up + y * y + 4.0)) / 2).pow(4.0),
        calcar=_bump((distal - 22.0) / 34.0) * torch.sigmoid((x - base - 1.0 - 0.2 * y) / 3.5) * torch.sigmoid((9.0 - y) / 2.0),
        head=head,
        dome=head * torch.sigmoid((-z - 0.45 * shape.head_radius) / 3.0),
        ward=_bump(torch.hypot(along - 0.66 * length, up + 1.0) / 15.0),
        lateral=torch.sigmoid((base + 12.0 - x) / 5.0),
        distal=distal,
        depth=(-distance * shape.size).clamp_min(0),
        envelope=strands(shape, x, z).envelope,
        local=shape.local(p) if local is None else local,
    )


def mineral(bone: FemurMineral, at: Places, sclerosis: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return cortical thickness (mm) and mineral density of the interior (g/cm³), each of shape (...).

    Args:
        bone: how much mineral there is.
        at: where the points lie.
        sclerosis: 0..1, hardening of the loaded dome of the head under a worn joint.
    """
    s, own, spongy = bone.strength, bone.cortex, bone.trabeculae
    lost = max(0.0, 1.0 - s)
    weak = min(s, 1.0)
    growth = max(s, 1.0)
    superior = max(0.12, 1.63 * weak**3.6 * growth) * own.superior
    inferior = 3.9 * weak**0.47 * growth * own.inferior
    shaft = 6.4 * weak**0.8 * growth**0.7 * (0.86 + 0.14 * (at.distal / 110.0).clamp(0, 1)) * own.shaft
    plain = 1.2 * weak**0.7 * growth * own.rest
    factor = 1 + (bone.neck - 1) * at.neck
    around_neck = (superior + (inferior - superior) * at.inferior) * bone.neck
    calcar = 3.2 * weak**0.5 * growth * own.inferior
    cortex = plain + at.neck * (around_neck - plain) + at.calcar * calcar * (1 - at.shaft) * (1 - at.neck)
    cortex = cortex + at.head * (0.75 * weak**0.6 * own.rest - cortex) + sclerosis * 1.6 * at.dome
    pale = 1 + (bone.lesser - 1) * at.lesser
    cortex = (cortex + at.shaft * (shaft - cortex)) * pale * at.local.cortex

    left = group_share(bone.pattern)
    tensile = _left(bone.pattern, _LOST_BETWEEN[1][0] + _BREAKS_EARLIER, _LOST_BETWEEN[1][1] + _BREAKS_EARLIER)
    among = 0.045 * s**0.5
    density = among + 0.05 * s**0.5 * at.head
    for k, of_group in enumerate(spongy.groups):
        there = left[k] + (tensile - left[k]) * at.lateral if k == 1 else left[k]
        density = density + _DENSITY[k] * of_group * there * at.envelope[k]
    if spongy.pattern is not None:
        # What the groups have lost is spread over all spongy bone.
        whole, seen = (
            among + _GROUP_VOLUME * sum(d * part for d, part in zip(_DENSITY, shares, strict=True))
            for shares in (group_share(s), left)
        )
        density = density * (whole / seen)
    density = density * (1 - (0.45 + 1.2 * lost) / (1 + 0.7 * lost) * at.ward) * (1 - 0.42 * at.neck) * s**0.2 * factor
    # The inner cortex of an ageing shaft turns porous: mineral inward of the dense shell.
    porous = 0.5 * lost * torch.exp((cortex - at.depth) / 1.1).clamp_max(1.0)
    canal = at.shaft * (1 - 0.9 * at.head)
    density = density * (1 - 0.93 * canal) + porous * canal
    return cortex, density * spongy.density * pale * at.local.spongy + sclerosis * 0.25 * at.dome
