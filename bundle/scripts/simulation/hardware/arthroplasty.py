"""Artificial hip joints in a femur's own frame: stems in the canal, cement, heads, cups with liners, and bipolar heads.

Sizes in mm are those of common systems: stems of 12/14 tapers and 110-160 mm, heads of 28-36 mm, shells some 6 mm wider than the
natural head, cement mantles of 2-4 mm with a plug below the tip.
"""

import math

import torch
from torch import Tensor

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.solids import Outline, capsule, intersection, union, vector
from scripts.simulation.hardware.canal import find_canal
from scripts.simulation.hardware.fitting import Distance, Fitting, Implant, Part, Vector, along, merged
from scripts.simulation.hardware.fixation import screw

_CUT = 0.62  # where the neck is cut, of the way from the centre of the head to the base of the neck
_MANTLE = 0.28  # of the canal's radius: about 2.3 mm
_SHELL = 3.5
_CUP_SCREWS: tuple[Vector, ...] = ((0.30, 0.30, -0.90), (0.60, 0.30, -0.74), (0.05, 0.45, -0.89))


def joint(fitting: Fitting, femur: Femur) -> list[Part]:
    """The pieces of a total hip or of a hemiarthroplasty."""
    stem, cement = _stem(fitting, femur)
    neck = stem.distance
    parts = [stem, *cement]
    if fitting.implant is Implant.TOTAL_HIP:
        shell = femur.head_radius + 3.5
        head = min(fitting.head_radius / femur.size, shell - _SHELL - 3.5)
        parts.append(_head(fitting.head, head, neck, femur, 0.80))
        parts.extend(_cup(fitting, shell, head))
    elif fitting.bipolar:
        outer, inner = femur.head_radius, min(14.0 / femur.size, femur.head_radius - 7.0)
        parts.append(_head(fitting.head, inner, neck, femur, 0.85))
        parts.append(_bowl("polyethylene", inner, outer - 3.0, neck, femur))
        parts.append(_bowl("cobalt", outer - 3.0, outer, neck, femur))
    else:
        parts.append(_head("cobalt", femur.head_radius, neck, femur, 0.72))
    return parts


def _profile(fitting: Fitting, femur: Femur, canal_radius: float) -> tuple[Outline, float, float]:
    """Outline of a stem in the x-z plane, its tip's z, and the half-width that fills the canal."""
    base, drop = -femur.offset, femur.drop
    narrow = min(1.0, femur.shaft_radius / 14.5)
    canal = (0.62 if fitting.cemented else 0.86) * canal_radius / narrow
    length = math.hypot(femur.offset, drop)
    ux, uz = femur.offset / length, -drop / length
    cut = (1 - _CUT) * length
    medial = (cut * ux / narrow - 7.5 * uz, cut * uz + 7.5 * ux)
    lateral = (cut * ux / narrow + 6.5 * uz, cut * uz - 6.5 * ux)
    end = fitting.length
    if fitting.cemented:
        corners = [
            (-5.5, -4), (-6.0, 4), (-canal, 50), (-0.75 * canal, 0.8 * end), (-0.45 * canal, end - 2), (0, end),
            (0.45 * canal, end - 2), (0.75 * canal, 0.8 * end), (canal + 1.5, 45), (canal + 5.0, 22), (canal + 9.0, 7),
            medial, lateral, (1.0, -10.0),
        ]  # fmt: skip
    else:
        corners = [
            (-4.0, -9), (-8.5, -3), (-9.2, 8), (-canal - 0.6, 42), (-0.88 * canal, 0.75 * end),
            (-0.45 * canal, end - 4), (0, end), (0.45 * canal, end - 4), (0.88 * canal, 0.75 * end), (canal + 0.5, 58),
            (canal + 3.2, 36), (canal + 7.5, 20), (canal + 11.0, 7), medial, lateral, (4.0, -13.0),
        ]  # fmt: skip
    return Outline([(base + narrow * x, drop + z) for x, z in corners], rounding=1.5), drop + end, canal * narrow


def _stem(fitting: Fitting, femur: Femur) -> tuple[Part, list[Part]]:
    base, drop = -femur.offset, femur.drop
    canal = find_canal(femur)
    profile, tip, width = _profile(fitting, femur, canal.radius)
    length = math.hypot(femur.offset, drop)
    head = (0.0, 0.0, 0.0)
    foot = (base, 0.0, drop)
    neck_foot = (base * (_CUT + 0.12), 0.0, drop * (_CUT + 0.12))

    def body(p: Tensor) -> Tensor:
        x, y, z = canal.straightened(p).unbind(-1)
        thick = 0.62 * width + (0.44 * femur.shaft_radius - 0.62 * width) * torch.sigmoid((drop + 30 - z) / 12)
        return intersection(profile(x, z), y.abs() - thick, 4.0)

    def stem(p: Tensor) -> Tensor:
        neck = capsule(p, neck_foot, head, 7.0, 5.6)
        distance = union(body(p), neck, 4.0)
        if fitting.collar:
            t, r = along(p, head, foot)
            shifted = along(p - vector((2.5, 0, 2.5), p), head, foot)[1]
            disc = torch.maximum((t - (_CUT * length - 1.2)).abs() - 1.3, torch.maximum(r - 14.0, shifted - 11.5))
            distance = torch.minimum(distance, disc)
        return distance

    low = (base - 16.0, -16.0, -10.0)
    high = (12.0, 16.0, tip + 4.0)
    metal = Part(fitting.stem, stem, low, high)
    if not fitting.cemented:
        return metal, []

    def cement(p: Tensor) -> Tensor:
        inner = body(p)
        plug = capsule(
            canal.straightened(p), (base, 0.0, tip - 6), (base, 0.0, tip + 16), 0.93 * canal.radius, 0.90 * canal.radius
        )
        mass = union(inner - _MANTLE * canal.radius, plug, 3.0)
        below = _CUT * length + 1.0 - along(p, head, foot)[0]
        return torch.maximum(torch.maximum(mass, below), -stem(p))

    return metal, [Part("cement", cement, low, (high[0], high[1], tip + 28.0), masked=False)]


def _head(material: str, radius: float, neck: Distance, femur: Femur, cut: float) -> Part:
    """A ball cut off flat towards the neck, ``cut`` of its radius from its centre, with the stem's taper in it."""
    length = math.hypot(femur.offset, femur.drop)
    towards = (-femur.offset / length, 0.0, femur.drop / length)

    def distance(p: Tensor) -> Tensor:
        ball = intersection(p.norm(dim=-1) - radius, p @ vector(towards, p) - cut * radius, 2.0)
        return torch.maximum(ball, -neck(p))

    reach = radius + 1.0
    return Part(material, distance, (-reach, -reach, -reach), (reach, reach, reach))


def _bowl(material: str, inner: float, outer: float, neck: Distance, femur: Femur) -> Part:
    length = math.hypot(femur.offset, femur.drop)
    towards = (-femur.offset / length, 0.0, femur.drop / length)

    def distance(p: Tensor) -> Tensor:
        radius = p.norm(dim=-1)
        bowl = intersection(radius - outer, p @ vector(towards, p) - 0.42 * outer, 3.0)
        return torch.maximum(torch.maximum(bowl, inner - radius), -neck(p))

    reach = outer + 1.0
    return Part(material, distance, (-reach, -reach, -reach), (reach, reach, reach))


def _cup(fitting: Fitting, outer: float, head: float) -> list[Part]:
    """The acetabular side, which stays with the pelvis."""
    tilt, turn = math.radians(fitting.inclination), math.radians(fitting.version)
    face = (-math.sin(tilt) * math.cos(turn), -math.sin(turn), math.cos(tilt) * math.cos(turn))

    def bowl(material: str, inside: float, outside: float, depth: float, masked: bool = True) -> Part:
        def distance(p: Tensor) -> Tensor:
            radius = p.norm(dim=-1)
            return torch.maximum(torch.maximum(radius - outside, inside - radius), p @ vector(face, p) - depth)

        reach = outside + 1.0
        return Part(material, distance, (-reach,) * 3, (reach,) * 3, masked, in_pelvis=True)

    if fitting.cemented_cup:

        def wire(p: Tensor) -> Tensor:
            t = p @ vector(face, p)
            round_ = (p - t[..., None] * vector(face, p)).norm(dim=-1) - (outer - 1.2)
            return torch.hypot(round_, t + 1.0) - 0.65

        reach = outer + 1.0
        marker = Part("steel", wire, (-reach,) * 3, (reach,) * 3, in_pelvis=True)
        return [bowl("polyethylene", head, outer, 2.0), marker, bowl("cement", outer, outer + 2.8, 0.0, masked=False)]
    shell = bowl("titanium", outer - _SHELL, outer, 0.0)
    screws = []
    for direction, length in zip(_CUP_SCREWS[: fitting.screws], (32.0, 25.0, 20.0), strict=False):
        start, end = ([d * r for d in direction] for r in (outer - 2.5, outer + length))
        part = screw(start, end, 2.2, 0.9, 2.5, length, head=3.8, material="titanium")
        screws.append(Part("titanium", part.distance, part.low, part.high, in_pelvis=True))
    liner = bowl("polyethylene", head, outer - _SHELL, 2.5)
    return [merged([shell, *screws]), liner]
