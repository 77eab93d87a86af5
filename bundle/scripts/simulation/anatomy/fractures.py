"""Fractures of the proximal femur: where the bone breaks, into what, and how each fragment moves.

Kinds and places follow the AO/OTA compendium (Meinberg et al., J Orthop Trauma 2018;32 Suppl 1: 31A trochanteric, 31B neck, 32
shaft), Garden's stages of the displacement of a neck fracture (J Bone Joint Surg Br 1961;43:647) and Pauwels' angle between its
line and the horizontal (1935: I below 30, II to 50, III above 50 degrees). How a fragment moves is what the muscles that hold it
do: iliopsoas flexes and turns the proximal fragment outward, the glutei abduct it, the adductors pull the shaft up and medially,
and the leg falls outward. Everything is in the femur's own frame (mm before ``size``), in which the socket holds the head.

``amount``, 0 (just cracked) to 1 (as far apart as such fractures get), scales every motion. Where surfaces are driven into one
another, fragments overlap: the mineral of both is there, which is the dense band of an impaction.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.disease import Fracture
from scripts.simulation.anatomy.femur_shape import FemurShape
from scripts.simulation.anatomy.fragments import Cut, Fragment, Motion, Point, draw_cut
from scripts.simulation.anatomy.solids import about_x, about_y, about_z

_ROUGH_MM = 0.6
_SHAFT_Y = 4.5
"""How far behind the neck's plane the axis of the shaft lies, mm."""

_STILL = Motion(torch.eye(3), torch.zeros(3))

Fragments = tuple[Fragment, ...]


def draw_fragments(fracture: Fracture, amount: float, shape: FemurShape, rng: np.random.Generator) -> Fragments:
    """Break a femur.

    Args:
        fracture: the kind.
        amount: how far displaced, 0 to 1, for a fracture of its kind.
        shape: of the unbroken femur.
        rng: source of everything that varies.

    Returns:
        Its fragments, the one of the head first; an empty tuple for no fracture.
    """
    return _KINDS[fracture](shape, amount, rng) if fracture in _KINDS else ()


def _turn(flexion: float, abduction: float, outward: float) -> Tensor:
    """Rotation (3, 3) for angles in degrees; varus of the head is its abduction."""
    f, a, o = (math.radians(v) for v in (flexion, abduction, outward))
    return about_y(a) @ about_x(-f) @ about_z(o)


def _pair(cut: Cut, head: Motion, shaft: Motion, *pieces: Fragment) -> Fragments:
    """Both sides of a cut, less the ``pieces`` that broke off either."""
    return (Fragment(((cut, 1.0),), head, pieces), Fragment(((cut, -1.0),), shaft, pieces), *pieces)


def _gap(cut: Cut, width: float) -> Motion:
    """Draw what is distal of a cut away from it, by ``width`` mm; below 0: drive it in."""
    return _STILL.then([n * width for n in cut.normal])


def _neck_cut(shape: FemurShape, rng: np.random.Generator, part: float, pauwels: float, height: float = _ROUGH_MM) -> Cut:
    """Cut the neck at a ``part`` of the way from the head's centre to its base; ``pauwels`` is the angle of the line, degrees."""
    angle = math.radians(pauwels)
    through = (-part * shape.offset, 0.0, part * shape.drop)
    return draw_cut((-math.sin(angle), rng.normal(0, 0.15), math.cos(angle)), through, rng, height)


def _shaft_motion(shape: FemurShape, outward: float, abduction: float, shift: tuple[float, float, float]) -> Motion:
    """Turn a shaft about its own axis and swing it about the base of the neck (degrees), then move it (mm)."""
    return Motion.about((-shape.offset, _SHAFT_Y, shape.drop), _turn(0.0, abduction, outward), shift)


def _valgus(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31B1.1, Garden I: the head tips into valgus about its inferior cortex; above, the neck is driven into it."""
    part = rng.uniform(0.40, 0.52)
    cut = _neck_cut(shape, rng, part, rng.uniform(32, 58))
    tilt = _turn(-amount * rng.uniform(0, 12), -amount * rng.uniform(10, 22), 0.0)
    along = torch.tensor([-shape.offset, 0.0, shape.drop]) / shape.neck_length
    inferior = torch.tensor([-along[2], 0.0, along[0]]) * -0.85 * shape.neck_radius
    hinge = part * shape.neck_length * along + inferior
    impacted = -amount * rng.uniform(1.0, 4.0) * along
    shaft = Motion(torch.eye(3), tilt @ hinge - hinge + impacted)
    return _pair(cut, Motion(tilt, torch.zeros(3)), shaft)


def _undisplaced(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31B1.2, Garden II: a line, a hair apart or impacted by as much."""
    cut = _neck_cut(shape, rng, rng.uniform(0.40, 0.54), rng.uniform(40, 65))
    width = amount * rng.uniform(1.0, 2.4) * rng.choice([1.0, -1.0])
    step = amount * rng.normal(0, 0.4, 3)
    return _pair(cut, _STILL, _gap(cut, width).then(step))


def _partial(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31B1.3, Garden III: the head in varus and turned back, still touching; the leg shorter and turned outward."""
    cut = _neck_cut(shape, rng, rng.uniform(0.40, 0.56), rng.uniform(42, 65))
    head = _turn(amount * rng.uniform(0, 15), amount * rng.uniform(8, 32), -amount * rng.uniform(0, 20))
    shift = amount * np.array([rng.uniform(-3, 3), rng.uniform(-4, 1), -rng.uniform(3, 11)])
    shaft = _shaft_motion(shape, amount * rng.uniform(8, 35), amount * rng.normal(0, 4), tuple(shift))
    return _pair(cut, Motion(head, torch.zeros(3)), shaft)


def _complete(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31B1.3, Garden IV: the head lies free in the socket as it did, the shaft has gone up and forward past it."""
    cut = _neck_cut(shape, rng, rng.uniform(0.40, 0.58), rng.uniform(42, 70))
    head = _turn(rng.normal(0, 5) * amount, rng.normal(2, 6) * amount, rng.normal(0, 6) * amount)
    shift = amount * np.array([rng.uniform(-9, 5), -rng.uniform(2, 12), -rng.uniform(12, 34)])
    shaft = _shaft_motion(shape, amount * rng.uniform(15, 60), amount * rng.normal(0, 6), tuple(shift))
    return _pair(cut, Motion(head, torch.zeros(3)), shaft)


def _steep(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31B2.3, Pauwels III: a vertical line of young or strong bone, along which the shaft shears upward."""
    angle = rng.uniform(66, 84)
    cut = _neck_cut(shape, rng, rng.uniform(0.48, 0.66), angle, 0.4)
    shear = -amount * rng.uniform(6, 24)
    along = (math.cos(math.radians(angle)) * shear, amount * rng.uniform(-5, 1), math.sin(math.radians(angle)) * shear)
    head = _turn(0.0, amount * rng.uniform(3, 25), 0.0)
    shaft = _shaft_motion(shape, amount * rng.uniform(5, 30), amount * rng.normal(0, 5), along)
    return _pair(cut, Motion(head, torch.zeros(3)), shaft)


def _basicervical(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31B3: at the root of the neck, which tips into varus."""
    cut = _neck_cut(shape, rng, rng.uniform(0.66, 0.76), rng.uniform(60, 72))
    head = _turn(amount * rng.uniform(0, 12), amount * rng.uniform(8, 34), 0.0)
    shift = amount * np.array([rng.uniform(-2, 5), rng.uniform(-5, 2), -rng.uniform(2, 12)])
    shaft = _shaft_motion(shape, amount * rng.uniform(8, 45), amount * rng.normal(0, 4), tuple(shift))
    return _pair(cut, Motion(head, torch.zeros(3)), shaft)


def _trochanteric_cut(shape: FemurShape, rng: np.random.Generator) -> Cut:
    """From the greater trochanter down to the lesser one, along the intertrochanteric line."""
    base, drop = -shape.offset, shape.drop
    top, high = base - rng.uniform(2, 18), drop - rng.uniform(4, 18)
    across, down = base + rng.uniform(13, 19) - top, drop + rng.uniform(24, 38) - high
    return draw_cut((-down, rng.normal(0, 0.12) * math.hypot(across, down), across), (top, 0.0, high), rng, _ROUGH_MM)


def _pertrochanteric(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31A1.2: two parts; head and neck in varus, the shaft turned outward."""
    cut = _trochanteric_cut(shape, rng)
    head, shaft = _trochanteric_motions(shape, amount, rng)
    return _pair(cut, head, shaft)


def _trochanteric_motions(shape: FemurShape, amount: float, rng: np.random.Generator) -> tuple[Motion, Motion]:
    varus = _turn(amount * rng.uniform(-5, 20), amount * rng.uniform(4, 34), 0.0)
    shift = amount * np.array([rng.uniform(-4, 12), rng.uniform(-4, 4), -rng.uniform(3, 18)])
    shaft = _shaft_motion(shape, amount * rng.uniform(8, 55), amount * rng.normal(-2, 6), tuple(shift))
    return Motion(varus, torch.zeros(3)), shaft


def _multifragmentary(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31A2: the lesser trochanter with the posteromedial cortex is a piece of its own, often the greater one too."""
    cut = _trochanteric_cut(shape, rng)
    head, shaft = _trochanteric_motions(shape, amount, rng)
    pulled = shaft.then((amount * np.array([rng.uniform(3, 14), rng.uniform(0, 6), -rng.uniform(2, 18)])).tolist())
    pieces = [Fragment((*_lesser(shape, rng, rng.uniform(0, 8)), (cut, -1.0)), pulled)]
    if rng.random() < 0.6:
        lifted = Motion.about(_tip(shape), _turn(0.0, amount * rng.normal(0, 14), amount * rng.uniform(0, 20)),
                              amount * np.array([rng.uniform(-8, 6), rng.uniform(0, 8), -rng.uniform(2, 16)]))  # fmt: skip
        pieces.append(Fragment(_greater(shape, rng), lifted, (pieces[0],)))
    return _pair(cut, head, shaft, *pieces)


def _reverse_oblique(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31A3.1: from above the lesser trochanter down and out through the lateral cortex; the shaft slides medially and up."""
    base, drop = -shape.offset, shape.drop
    medial = drop + rng.uniform(4, 20)
    lateral = medial + rng.uniform(12, 34)
    cut = draw_cut((lateral - medial, rng.normal(0, 6), 34.0), (base, 0.0, (medial + lateral) / 2), rng, _ROUGH_MM)
    head = _turn(amount * rng.uniform(0, 20), amount * rng.uniform(0, 28), amount * rng.uniform(0, 20))
    shift = amount * np.array([rng.uniform(4, 24), rng.uniform(-4, 4), -rng.uniform(2, 20)])
    shaft = _shaft_motion(shape, amount * rng.uniform(5, 45), amount * rng.normal(-2, 7), tuple(shift))
    return _pair(cut, Motion(head, torch.zeros(3)), shaft)


def _tip(shape: FemurShape) -> Point:
    return (-shape.offset - 4.0, 9.0, shape.drop - 28.0 * shape.trochanter)


def _greater(shape: FemurShape, rng: np.random.Generator) -> tuple[tuple[Cut, float], ...]:
    """The greater trochanter behind a line from its medial slope out to its lateral face."""
    base, drop, t = -shape.offset, shape.drop, shape.trochanter
    inner, low = base + rng.uniform(-3, 6), drop + rng.uniform(-12, 12)
    outer = base - 23.0 * t
    top = drop - 26.0 * t
    cut = draw_cut((low - top, rng.uniform(-4, 10), -(outer - inner)), (inner, 4.0, top), rng, 0.8)
    # What is lateral of the line and above its end is the piece.
    return ((cut, 1.0),)


def _greater_avulsed(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31A1.1: the glutei pull the greater trochanter up, back and medially; the rest of the femur is whole."""
    turn = _turn(0.0, amount * rng.normal(-6, 14), amount * rng.uniform(0, 20))
    pull = amount * np.array([rng.uniform(-3, 9), rng.uniform(0, 6), -rng.uniform(4, 24)])
    piece = Fragment(_greater(shape, rng), Motion.about(_tip(shape), turn, pull))
    return (Fragment((), _STILL, (piece,)), piece)


def _lesser(shape: FemurShape, rng: np.random.Generator, deep: float) -> tuple[tuple[Cut, float], ...]:
    """The lesser trochanter, cut off ``deep`` mm inside its root."""
    base, drop = -shape.offset, shape.drop
    root = (base + 13.0 - 0.6 * deep, 14.0 - 0.8 * deep, drop + 24.0)
    off = draw_cut((0.6, 0.8, rng.normal(0, 0.15)), root, rng, 0.8)
    above = draw_cut((0.0, 0.1, -0.995), (base, 0.0, drop + 6.0 - 0.5 * deep), rng, 0.8)
    below = draw_cut((0.2, 0.1, 0.97), (base, 0.0, drop + 36.0 + 2.0 * deep), rng, 0.8)
    return ((off, -1.0), (above, 1.0), (below, 1.0))


def _lesser_avulsed(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """31A1.1: iliopsoas pulls the lesser trochanter up and medially; the rest of the femur is whole."""
    pull = amount * np.array([rng.uniform(2, 10), rng.uniform(0, 4), -rng.uniform(4, 26)])
    turn = _turn(0.0, amount * rng.normal(0, 18), amount * rng.normal(0, 18))
    root = (-shape.offset + 13.0, 14.0, shape.drop + 24.0)
    piece = Fragment(_lesser(shape, rng, rng.uniform(-2, 3)), Motion.about(root, turn, pull))
    return (Fragment((), _STILL, (piece,)), piece)


def _subtrochanteric_motions(shape: FemurShape, amount: float, rng: np.random.Generator, level: float) -> tuple[Motion, Motion]:
    """The proximal fragment flexed, abducted and turned outward about the head; the shaft beside or behind its end, and swung."""
    proximal = _turn(amount * rng.uniform(0, 45), amount * rng.uniform(-4, 34), amount * rng.uniform(0, 35))
    end = torch.tensor([-shape.offset, _SHAFT_Y, level])
    follows = rng.uniform(0.35, 1.0)
    aside = amount * np.array([rng.choice([1.0, 1.0, -1.0]) * rng.uniform(0, 28), rng.uniform(-4, 10), -rng.uniform(0, 34)])
    shift = follows * (proximal @ end - end) + torch.tensor(aside, dtype=torch.float32)
    # Toward the midline or out: what the adductors do depends on where they insert.
    swing = _turn(0.0, amount * rng.uniform(-18, 14), amount * rng.uniform(0, 45))
    return Motion(proximal, torch.zeros(3)), Motion.about((-shape.offset, _SHAFT_Y, level), swing, shift.numpy())


def _transverse(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """32A3: straight across within 5 cm below the lesser trochanter."""
    level = shape.drop + rng.uniform(36, 76)
    cut = draw_cut((rng.normal(0, 0.28), rng.normal(0, 0.2), 1.0), (-shape.offset, _SHAFT_Y, level), rng, 0.9)
    return _pair(cut, *_subtrochanteric_motions(shape, amount, rng, level))


def _spiral(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """32A1: a long spiral that ends in spikes; some begin at the lesser trochanter."""
    level = shape.drop + rng.uniform(38, 84)
    cut = _spiral_cut(shape, rng, level)
    head, shaft = _subtrochanteric_motions(shape, 0.8 * amount, rng, level)
    # The spike of the shaft ends below the trochanters, however steep the line is.
    end = draw_cut((0.0, 0.0, 1.0), (0.0, 0.0, max(level - 50.0, shape.drop + 8.0)), rng, _ROUGH_MM)
    distal = Fragment(((cut, -1.0), (end, -1.0)), shaft)
    return (Fragment((), head, (distal,)), distal)


def _spiral_cut(shape: FemurShape, rng: np.random.Generator, level: float) -> Cut:
    towards, steep = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(58, 74))
    normal = (math.sin(steep) * math.cos(towards), math.sin(steep) * math.sin(towards), math.cos(steep))
    axis = (-shape.offset, _SHAFT_Y)
    twist = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.008, 0.022))
    return draw_cut(normal, (*axis, level), rng, 0.4, twist, axis)


def _comminuted(shape: FemurShape, amount: float, rng: np.random.Generator) -> Fragments:
    """32B and 32C: an oblique line with one to three wedges of cortex out of place."""
    level = shape.drop + rng.uniform(36, 72)
    lean, towards = rng.uniform(0.2, 1.2), rng.uniform(0, 2 * math.pi)
    axis = (-shape.offset, _SHAFT_Y)
    cut = draw_cut((lean * math.cos(towards), lean * math.sin(towards), 1.0), (*axis, level), rng, 0.9)
    head, shaft = _subtrochanteric_motions(shape, amount, rng, level)
    pieces: list[Fragment] = []
    start = rng.uniform(0, 2 * math.pi)
    for number in range(rng.integers(1, 4)):
        angle = start + number * 2.0 + rng.normal(0, 0.3)
        out = np.array([math.cos(angle), math.sin(angle), 0.0])
        wedge = _wedge(shape, rng, level + rng.normal(0, 8), out)
        centre = torch.tensor([*axis, level])
        halfway = ((head(centre) + shaft(centre)) / 2 - centre).numpy()
        away = halfway + amount * (out * rng.uniform(2, 12) + rng.normal(0, 4, 3))
        turn = _turn(*(amount * rng.normal(0, 16, 3)))
        pieces.append(Fragment(wedge, Motion.about((*axis, level), turn, away), tuple(pieces)))
    return _pair(cut, head, shaft, *pieces)


def _wedge(shape: FemurShape, rng: np.random.Generator, level: float, out: np.ndarray) -> tuple[tuple[Cut, float], ...]:
    """A wedge of the shaft that faces ``out`` (3,), its edge near the shaft's axis at ``level``."""
    half = math.radians(rng.uniform(32, 50))
    edge = np.array([-shape.offset, _SHAFT_Y, level]) + rng.uniform(-3, 5) * out
    through = (float(edge[0]), float(edge[1]), float(edge[2]))
    up = np.array([0.0, 0.0, math.sin(half)])
    faces = ((out * math.cos(half) + side * up).tolist() for side in (-1.0, 1.0))
    above = draw_cut((0.0, 0.0, 1.0), (0.0, 0.0, level - 32.0), rng, _ROUGH_MM)
    return (*((draw_cut(face, through, rng, _ROUGH_MM), -1.0) for face in faces), (above, -1.0))


_KINDS: dict[Fracture, Callable[[FemurShape, float, np.random.Generator], Fragments]] = {
    Fracture.NECK_VALGUS: _valgus,
    Fracture.NECK_UNDISPLACED: _undisplaced,
    Fracture.NECK_PARTIAL: _partial,
    Fracture.NECK_COMPLETE: _complete,
    Fracture.NECK_STEEP: _steep,
    Fracture.BASICERVICAL: _basicervical,
    Fracture.PERTROCHANTERIC: _pertrochanteric,
    Fracture.MULTIFRAGMENTARY: _multifragmentary,
    Fracture.REVERSE_OBLIQUE: _reverse_oblique,
    Fracture.GREATER_TROCHANTER: _greater_avulsed,
    Fracture.LESSER_TROCHANTER: _lesser_avulsed,
    Fracture.SUBTROCHANTERIC_TRANSVERSE: _transverse,
    Fracture.SUBTROCHANTERIC_SPIRAL: _spiral,
    Fracture.SUBTROCHANTERIC_COMMINUTED: _comminuted,
}
