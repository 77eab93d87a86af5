"""Arms and legs: scenes of knees, shafts, ankles, feet, hands, forearms, elbows, upper arms and shoulders.

Each is modelled with its long axis along z and the palm, or the front, to the tube; then turned to the projection asked for, laid
obliquely on the detector, mirrored for the other side, and sometimes shown together with its fellow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np
from torch import Tensor

from scripts.simulation.anatomy.solids import about_x, about_y, about_z, ellipsoid, intersection, union
from scripts.simulation.hardware.foreign_objects import draw_objects
from scripts.simulation.others.scene import Scene
from scripts.simulation.others.shapes import Line, Piece, chain, draw_bone, lump, phalanx, plate, profile


class _Size(TypedDict):
    height: float
    width: float


def _limb(rng: np.random.Generator, line: Line, radii: Sequence[float]) -> tuple[Piece, ...]:
    """Flesh about a course, more or less of it, with more or less fat under the skin."""
    stout = float(np.clip(rng.normal(1.02, 0.12), 0.78, 1.4))
    own = draw_bone(rng, cortex=float(np.clip(rng.normal(5 + 14 * max(0.0, stout - 0.9), 2), 1.5, 16)), interior=0, height=1.5)
    return (chain(line, [stout * r for r in radii], own),)


def _posed(rng: np.random.Generator, scene: Scene, turn: float = 0.0, lean: float = 8.0, pair: float | None = None) -> Scene:
    """Turn about the limb's axis to the projection (degrees, with an error), tilt, lay it on the detector, left or right.

    Args:
        rng: source of what varies.
        scene: a right limb.
        turn: 0 for the front, 90 for the side.
        lean: SD of the angle to the image's upright, degrees; any angle in one radiograph of ten.
        pair: distance between both limbs' axes where they may be taken together, mm.
    """
    oblique = rng.uniform(-180, 180) if rng.random() < 0.1 else rng.normal(0, lean)

    def angle(mean: float, spread: float) -> float:
        return math.radians(float(rng.normal(mean, spread)))

    rotation = about_y(math.radians(float(oblique))) @ about_x(angle(0, 4)) @ about_z(angle(turn, 9))
    both = pair is not None and rng.random() < 0.3
    shift = (float(rng.normal(0, 8)), 0.0, float(rng.normal(0, 10)))
    if both and pair is not None:
        rotation = about_x(angle(0, 4)) @ about_z(angle(turn, 7))
        right, left = scene.moved(rotation, (-pair / 2, 0, 0)), scene.moved(rotation, (-pair / 2, 0, 0)).moved(mirrored=True)
        scene = replace(right.beside(left), width=scene.width + pair)
    else:
        scene = scene.moved(rotation, shift, mirrored=bool(rng.random() < 0.5))
    if abs(oblique) > 45 and not both:
        scene = replace(scene, height=max(scene.height, scene.width), width=max(scene.height, scene.width))
    return replace(
        scene,
        size=float(np.clip(rng.normal(1, 0.07), 0.8, 1.2)),
        objects=tuple(draw_objects(rng)) if rng.random() < 0.4 else (),
        kvp=float(rng.choice([50, 55, 60, 65])) if scene.kvp is None else scene.kvp,
        tight=float(rng.choice([0.0, 0.08, 0.2])),
        marbling=float(rng.uniform(0.03, 0.25)),
        strands=float(rng.uniform(1.5, 5)),
    )


def _field(rng: np.random.Generator, *sizes: tuple[float, float]) -> _Size:
    """One of the cassettes or fields in use, height and width in mm."""
    height, width = sizes[rng.integers(len(sizes))]
    return {"height": height * float(rng.uniform(0.92, 1.05)), "width": width * float(rng.uniform(0.92, 1.05))}


def _distal_femur(rng: np.random.Generator, top: float) -> list[Piece]:
    shaft = [(-420, 15.5, 15, 6, -4, 5.5, 0.0), (-330, 15, 14.5, 8, -14, 6.8, 0.0), (-220, 14.5, 14, 4, -10, 6.2, 0.0)]
    knots = [
        *(row for row in shaft if row[0] >= -top), (-130, 14.8, 14.5, 0, -4, 5.0, 0.01), (-85, 16.5, 15.5, 0, -1, 3.8, 0.03),
        (-55, 25, 20, 0, 1, 2.0, 0.08), (-36, 36, 25, 0, 3, 1.2, 0.14), (-22, 42, 28, 0, 5, 0.9, 0.2),
        (-12, 42, 28, 0, 6, 0.9, 0.22), (-6, 41, 26, 0, 6, 0.9, 0.22),
    ]  # fmt: skip

    def condyles(q: Tensor) -> Tensor:
        p, distance = q[..., :3], q[..., 3]
        both = union(ellipsoid(p, (-21, 9, -19), (19, 31, 18)), ellipsoid(p, (21, 9, -18), (18, 31, 18)), 4.0)
        notch = ellipsoid(p, (0, 22, -4), (10, 26, 19))
        return intersection(union(distance, both, 8.0), -notch, 5.0)

    return [profile(knots, draw_bone(rng), 9.0, condyles)]


def _proximal_tibia(rng: np.random.Generator, end: float) -> list[Piece]:
    knots = [
        (4, 37, 24, 0, 2, 1.2, 0.26), (9, 39, 26, 0, 2, 1.0, 0.2), (18, 37, 25, 0, 2, 0.9, 0.15), (36, 27, 22, 0, 0, 1.3, 0.1),
        (60, 19, 20, 1, -1, 2.6, 0.05), (95, 15, 17, 2, -1, 4.6, 0.0), (end, 12.5, 13.5, 3, 0, 5.5, 0.0),
    ]  # fmt: skip

    def spines(q: Tensor) -> Tensor:
        p, distance = q[..., :3], q[..., 3]
        peaks = union(ellipsoid(p, (-5, 3, 4), (4, 8, 8)), ellipsoid(p, (6, 1, 3), (4, 8, 8)), 3.0)
        return union(union(distance, peaks, 4.0), ellipsoid(p, (-2, -21, 42), (9, 8, 18)), 6.0)

    tibia = profile(knots, draw_bone(rng), 4.0, spines)
    fibula = chain(
        [(-37, 20, 18), (-37, 20, 28), (-35, 18, 45), (-33, 16, 90), (-32, 14, end)], [7, 9.5, 6, 6.2, 6.5],
        draw_bone(rng, 2.2, 0.08),
    )  # fmt: skip
    return [tibia, fibula]


def _patella(rng: np.random.Generator) -> Piece:
    return lump((0, -36, -24 + rng.normal(0, 6)), (21, 10, 22), draw_bone(rng, 1.3, 0.25, 0.5))


def _knee(rng: np.random.Generator, turn: float) -> Scene:
    flexion = float(np.clip(rng.normal(5 if turn == 0 else 30, 15), 0, 75))
    bend = about_x(-math.radians(flexion))
    upper = [each.moved(bend, (0, 5, -4)) for each in (*_distal_femur(rng, 230.0), _patella(rng))]
    lower = _proximal_tibia(rng, 230.0)
    flesh = _limb(rng, [(0, 4, 260), (0, 14, 120), (0, 5, 30), (0, 0, -15)], [46, 60, 55, 61])
    thigh = _limb(rng, [(0, 0, -10), (0, 5, -90), (0, 10, -240)], [61, 66, 82])
    joined = flesh + tuple(each.moved(bend) for each in thigh)
    size = _field(rng, (300, 240), (352, 280), (400, 350), (280, 200))
    scene = Scene(tuple(upper + lower), joined, **size, grid=rng.random() < 0.3)
    return _posed(rng, replace(scene, kvp=float(rng.choice([55, 60, 65]))), turn, pair=190 if turn == 0 else None)


def knee_ap(rng: np.random.Generator) -> Scene:
    """A knee from the front, or both."""
    return _knee(rng, 0.0)


def knee_lateral(rng: np.random.Generator) -> Scene:
    """A knee from the side, more or less bent."""
    return _knee(rng, 90.0)


def femoral_shaft(rng: np.random.Generator) -> Scene:
    """A thigh whose hip is off the radiograph, with the knee or without."""
    turn = float(rng.choice([0.0, 90.0]))
    shaft = [*_distal_femur(rng, 420.0), *_proximal_tibia(rng, 160.0), _patella(rng)]
    flesh = _limb(rng, [(0, 0, 130), (0, 3, 0), (0, 5, -100), (0, 10, -270), (-8, 12, -470)], [52, 58, 66, 86, 100])
    scene = Scene(tuple(shaft), flesh, **_field(rng, (400, 200), (352, 300), (400, 340)), kvp=70.0, detail=0.9)
    scene = scene.moved(shift=(0, 0, float(rng.uniform(150, 225))))
    return _posed(rng, scene, turn, 4.0)


def _tarsus(rng: np.random.Generator) -> list[Piece]:
    talus = [
        lump((0, 4, 16), (21, 26, 15), draw_bone(rng, 1.0, 0.28)),
        lump((4, -24, 22), (15, 14, 13), draw_bone(rng, 0.9, 0.25)),
    ]
    heel = chain([(-6, 52, 48), (-6, 20, 42), (-10, -16, 38)], [19, 17, 14], draw_bone(rng, 1.0, 0.16))
    middle = [
        lump((8, -42, 30), (16, 8, 13), draw_bone(rng, 1.0, 0.2)),
        lump((-16, -36, 42), (13, 15, 11), draw_bone(rng, 1.0, 0.18)),
    ]
    middle += [lump((x, -58, 34 + abs(x - 10) * 0.3), (8, 9, 10), draw_bone(rng, 1.0, 0.2)) for x in (20, 6, -6)]
    return [*talus, heel, *middle]


def _toes(rng: np.random.Generator) -> list[Piece]:
    bones: list[Piece] = []
    for k, (x, long, r) in enumerate([(24, 62, 7.5), (8, 72, 4.8), (-5, 70, 4.6), (-17, 68, 4.6), (-28, 66, 4.8)]):
        base = np.array([0.55 * x, -66 + 6 * k, 38 + 3 * k])
        head = base + np.array([0.5 * x, -0.9 * long, 0.4 * long * (1 - 0.08 * k)])
        bones += phalanx(base, head, 1.35 * r, draw_bone(rng, 1.4, 0.12, 0.3))
        for length in (30 - 3 * k, *((22,) if k == 0 else (12, 9))):
            step = np.array([0.06 * x, -length, rng.normal(2, 2)])
            bones += phalanx(head + step * 0.12, head + step, r if length > 20 else 0.8 * r, draw_bone(rng, 1.2, 0.1, 0.2))
            head = head + step * 1.1
    return bones


def _ankle_bones(rng: np.random.Generator) -> list[Piece]:
    knots = [
        (-300, 13.5, 15, 2, 0, 5.5, 0.0), (-120, 11.5, 12.5, 0, 0, 5.0, 0.0), (-50, 14, 14.5, 0, 0, 2.8, 0.04),
        (-22, 20, 18, 1, 1, 1.2, 0.14), (-6, 23, 20, 3, 1, 1.0, 0.2), (0, 23, 20, 3, 1, 1.3, 0.24),
    ]  # fmt: skip

    def malleolus(q: Tensor) -> Tensor:
        return union(q[..., 3], ellipsoid(q[..., :3], (23, -2, 3), (7, 12, 13)), 5.0)

    fibula = chain(
        [(-30, 10, -300), (-28, 8, -120), (-26, 6, -40), (-27, 6, -4), (-26, 7, 20)],
        [6, 5.8, 6.5, 9.5, 6.5],
        draw_bone(rng, 2.0, 0.1),
    )
    return [profile(knots, draw_bone(rng), 2.0, malleolus), fibula]


def ankle(rng: np.random.Generator) -> Scene:
    """An ankle from the front or the side, with much or little of the leg."""
    turn = float(rng.choice([0.0, 15.0, 90.0]))
    bones = tuple(_ankle_bones(rng) + _tarsus(rng) + _toes(rng))
    leg = _limb(rng, [(-3, 3, -320), (-3, 8, -190), (-3, 2, -60), (-2, 2, 5), (-4, 12, 40)], [55, 52, 33, 32, 32])
    foot = _limb(rng, [(-5, 50, 48), (0, 0, 40), (0, -60, 38), (0, -120, 60), (0, -165, 68)], [27, 30, 28, 24, 14])
    scene = Scene(bones, leg + foot, **_field(rng, (240, 180), (300, 240), (400, 200), (400, 350)), detail=0.6, grid=False)
    return _posed(rng, scene.moved(shift=(0, 0, float(rng.uniform(0, 130)))), turn)


def foot(rng: np.random.Generator) -> Scene:
    """A foot from above or from the side."""
    bones = tuple(_tarsus(rng) + _toes(rng) + _ankle_bones(rng))
    sole = _limb(rng, [(-5, 50, 50), (0, 0, 44), (0, -60, 44)], [25, 28, 30])
    toes = [
        _limb(rng, [(0.4 * x, -60, 46), (1.0 * x, -128, 64), (1.1 * x, -170 - 0.6 * x, 68)], [15, 14, 9])[0]
        for x in (25, 8, -7, -21, -34)
    ]
    leg = _limb(rng, [(-3, 3, -280), (-3, 2, -60), (-2, 2, 20)], [50, 33, 31])
    scene = Scene(bones, sole + tuple(toes) + leg, **_field(rng, (300, 240), (240, 180), (300, 300)), detail=0.6, grid=False)
    scene = scene.moved(shift=(0, 60, -35))
    if rng.random() < 0.6:  # from above: the leg comes towards the tube
        scene = scene.moved(about_x(math.radians(-90 + float(rng.normal(0, 8)))))
        return _posed(rng, scene, 0.0, pair=100)
    return _posed(rng, scene, 90.0)


def hand(rng: np.random.Generator) -> Scene:
    """A hand and wrist, flat, oblique or from the side, its fingers more or less spread."""
    spread = float(rng.uniform(0.3, 1.4))
    bones: list[Piece] = []
    flesh: list[Piece] = []
    curl = float(np.abs(rng.normal(0, 4)))
    for k, (x, meta, links) in enumerate(
        [(28, 44, (31, 22)), (18, 66, (40, 23, 17)), (6, 64, (44, 28, 18)), (-6, 57, (41, 26, 18)), (-17, 53, (32, 19, 16))]
    ):
        fan = math.radians((x - 4) * spread * 0.55 + (32 if k == 0 else 0))
        at, down = (
            np.array([0.55 * x, -8.0 * (k == 0), -14.0 + (4 if k == 0 else 0)]),
            np.array([math.sin(fan), 0, -math.cos(fan)]),
        )
        line = [at]
        radius = 4.7 if k < 3 else 4.2
        for n, length in enumerate((meta, *links)):
            step = down * length + np.array([0, -curl * n, 0])
            bones += phalanx(at + step * 0.03, at + step * 0.95, radius * (1.25 - 0.17 * n), draw_bone(rng, 1.2, 0.1, 0.25))
            at = at + step
            line.append(at)
        widths = [14.0, 13.0, 10.0, 9.0, 7.0][: len(line)]
        flesh.append(_limb(rng, line, widths)[0])
    for centre, radii in (
        ((13, 2, -2), (8, 7, 7)), ((3, 2, -4), (7, 8, 11)), ((-9, 2, -4), (7, 7, 8)), ((17, -3, -9), (7, 7, 5)),
        ((13, 0, 9), (9, 7, 6)), ((1, 0, 9), (7, 7, 8)), ((-10, 2, 8), (6, 6, 7)), ((-12, -7, 6), (4, 4, 5)),
    ):  # fmt: skip
        bones.append(lump(centre, radii, draw_bone(rng, 0.9, 0.2, 0.4)))
    bones += _forearm_bones(rng, 200.0)
    flesh.append(_limb(rng, [(8, 2, -70), (2, 2, -30), (0, 2, 10), (0, 2, 60), (0, 2, 200)], [13, 17, 20, 24, 36])[0])
    flesh.append(_limb(rng, [(-10, 2, -60), (-6, 2, -20), (0, 2, 20)], [13, 16, 19])[0])
    scene = Scene(tuple(bones), tuple(flesh), **_field(rng, (240, 180), (300, 240), (240, 300)), detail=0.5, grid=False, kvp=50.0)
    scene = scene.moved(shift=(0, 0, float(rng.uniform(20, 75))))
    return _posed(rng, scene, float(rng.choice([0.0, 0.0, 40.0, 90.0])), 12.0, pair=130)


def _forearm_bones(rng: np.random.Generator, top: float) -> list[Piece]:
    """Radius and ulna from the wrist (z = 16) up to ``top``, hanging down along z: their distal ends."""
    radius = [
        (16, 15, 9, 6, 2, 1.0, 0.22), (24, 15.5, 9.5, 6, 2, 1.0, 0.18), (36, 10.5, 8, 7, 2, 1.8, 0.08), 
        (60, 7.5, 7, 9, 1, 2.6, 0.0), (top, 7, 6.5, 11, 0, 3.0, 0.0),
    ]  # fmt: skip
    ulna = chain(
        [(-16, 4, 18), (-16, 4, 28), (-14, 4, 50), (-12, 4, 120), (-10, 4, top)],
        [6.5, 7, 5.2, 6.2, 7],
        draw_bone(rng, 2.2, 0.05),
    )
    return [profile(radius, draw_bone(rng), 2.0), ulna]


def forearm(rng: np.random.Generator) -> Scene:
    """Radius and ulna, with the wrist or the elbow on the radiograph."""
    bones = [each.moved(shift=(0, 0, -16)) for each in _forearm_bones(rng, 140.0)]
    elbow = [each.moved(shift=(0, 0, 225), mirrored=True) for each in _elbow_bones(rng)]
    wrist = [lump((x, 2, -12 + 0.02 * x * x), (8, 7, 9), draw_bone(rng, 0.9, 0.2)) for x in (14, 3, -9)]
    wrist += [chain([(1.1 * x, 2, -24), (1.6 * x, 0, -84)], [7, 6], draw_bone(rng, 1.2, 0.08)) for x in (14, 5, -4, -13)]
    flesh = _limb(rng, [(0, 0, -90), (0, 0, -30), (0, 0, 10), (0, 0, 120), (0, 0, 230), (0, 0, 340)], [30, 24, 24, 37, 43, 46])
    scene = Scene(tuple(bones + elbow + wrist), flesh, **_field(rng, (300, 180), (352, 240), (280, 240)), grid=False, kvp=55.0)
    scene = scene.moved(shift=(0, 0, -float(rng.uniform(20, 200)))).moved(about_y(math.pi * float(rng.integers(2))))
    return _posed(rng, scene, float(rng.choice([0.0, 90.0])), 15.0)


def _elbow_bones(rng: np.random.Generator, top: float = 200.0) -> list[Piece]:
    """The elbow in a straight arm, joint at z = 0, humerus above it at z > 0, forearm below."""
    humerus = [
        (2, 20, 8, 0, 0, 1.0, 0.2), (10, 29, 9, 0, 0, 1.1, 0.18), (22, 29, 8, 0, 0, 1.2, 0.15), (42, 18, 8, 0, 0, 2.5, 0.05),
        (80, 11.5, 10, 0, 0, 3.6, 0.0), (top, 11, 11, 0, 0, 4.2, 0.0),
    ]  # fmt: skip

    def trochlea(q: Tensor) -> Tensor:
        p = q[..., :3]
        rolls = union(ellipsoid(p, (12, 0, 5), (12, 11, 10)), ellipsoid(p, (-13, 2, 5), (10, 11, 10)), 3.0)
        fossa = ellipsoid(p, (1, 8, 22), (9, 7, 10))
        return intersection(union(q[..., 3], rolls, 4.0), -fossa, 3.0)

    radial = chain([(-14, 0, -9), (-14, 0, -15), (-13, 0, -32), (-10, 0, -110)], [10.5, 10.5, 7, 7], draw_bone(rng, 2.0, 0.1))
    ulna = chain(
        [(10, 8, 22), (10, 10, 4), (9, 4, -14), (6, 3, -40), (4, 2, -110)], [8, 9, 10.5, 8.5, 7], draw_bone(rng, 2.2, 0.12)
    )
    return [profile(humerus, draw_bone(rng), 4.0, trochlea), radial, ulna]


def elbow(rng: np.random.Generator) -> Scene:
    """An elbow from the front, or bent from the side."""
    if rng.random() < 0.5:
        bones = _elbow_bones(rng)
        flesh = _limb(rng, [(0, 0, 220), (0, 0, 60), (0, 0, 0), (0, 0, -60), (0, 0, -160)], [50, 46, 44, 43, 36])
        turn = 0.0
    else:
        humerus, *forearm_bones = _elbow_bones(rng)
        bend = about_x(math.radians(float(rng.uniform(60, 100))))
        bones = [humerus, *(each.moved(bend) for each in forearm_bones)]
        flesh = _limb(rng, [(0, 0, 220), (0, 0, 60), (0, 0, 0)], [50, 46, 42])
        flesh += tuple(each.moved(bend) for each in _limb(rng, [(0, 0, 0), (0, 0, -60), (0, 0, -200)], [43, 43, 33]))
        turn = 90.0
    scene = Scene(tuple(bones), flesh, **_field(rng, (240, 180), (300, 240), (240, 300)), detail=0.6, grid=False)
    return _posed(rng, scene.moved(about_y(math.pi)), turn, 20.0)


def shoulder_bones(rng: np.random.Generator) -> list[Piece]:
    """Humerus, scapula and clavicle of a right shoulder: the humerus's head at the origin, its shaft down, the trunk at x > 0."""
    turn = float(rng.normal(0, 8))
    humerus = [
        (-20, 15, 15, 1, 0, 1.0, 0.18), (-8, 24, 23, 1, 0, 0.9, 0.14), (8, 25, 23, -1, 0, 0.9, 0.11),
        (24, 20, 18, -6, 0, 1.3, 0.06), (44, 14, 13.5, -8, 0, 2.6, 0.02), (90, 12, 12, -9, 0, 4.0, 0.0),
        (320, 11, 11, -10, 0, 4.4, 0.0),
    ]  # fmt: skip
    blade = [(30, -16), (42, -30), (98, -52), (112, -40), (72, 120), (60, 122), (40, 60), (28, 14)]
    scapula = plate(blade, draw_bone(rng, 0.9, 0.05), lambda p: 34 - 0.32 * p[..., 0], 3.0)
    return [
        profile(humerus, draw_bone(rng), 12.0).moved(about_y(math.radians(turn))),
        scapula,
        lump((32, 8, -2), (8, 12, 20), draw_bone(rng, 1.2, 0.2)),
        chain([(100, 24, -34), (60, 30, -34), (14, 24, -42), (-8, 8, -38)], [4, 5, 8, 9], draw_bone(rng, 1.3, 0.1)),
        chain([(38, 0, -26), (32, -20, -30), (18, -24, -16)], [6, 6, 6], draw_bone(rng, 1.2, 0.1)),
        chain([(0, -2, -40), (30, 0, -48), (80, -22, -44), (150, -30, -26)], [7, 6.5, 6, 9], draw_bone(rng, 1.8, 0.08)),
    ]


def upper_arm(rng: np.random.Generator) -> Scene:
    """The shaft of a humerus, with the shoulder, the elbow or neither."""
    bones = [*shoulder_bones(rng), *(each.moved(about_y(math.pi), (-10, 0, 322)) for each in _elbow_bones(rng)[1:])]
    flesh = _limb(rng, [(-10, 0, 430), (-10, 0, 310), (-8, 0, 150), (-2, 0, 40), (0, 0, -20)], [42, 44, 54, 62, 56])
    trunk = chain([(100, 0, -20), (130, 0, 120), (135, 0, 330)], [70, 100, 105], draw_bone(rng, 12, 0, 2.0))
    scene = Scene(tuple(bones), (*flesh, trunk), **_field(rng, (400, 180), (352, 240)), detail=0.9, kvp=65.0, grid=False)
    return _posed(rng, scene.moved(shift=(0, 0, -float(rng.uniform(90, 230)))), 0.0, 8.0)
