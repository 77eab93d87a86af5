"""Things on and in a patient that are neither bone nor implant: clips, catheters, leads, clothes, shields, a calibration ball.

Depths y in mm: the skin of the belly lies near -110, that of the back near 100; a calibration ball lies at the depth of the hips.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.curves import smooth_curve
from scripts.simulation.hardware.small_solids import Ball, Point, Shape, Sheet, Tube, add_path
from scripts.simulation.physics.projection import ImagePlane

_FRONT = -110.0


@dataclass(frozen=True)
class ForeignObject:
    """Something that casts a shadow: its ``name``, its ``material`` (a key of ``MATERIAL_DENSITY``) and its ``shapes``."""

    name: str
    material: str
    shapes: tuple[Shape, ...]


def draw_objects(rng: np.random.Generator) -> list[ForeignObject]:
    """Draw what is on and in one patient; most have nothing."""
    objects: list[ForeignObject] = []
    for share, draw in BELONGINGS.values():
        if rng.random() < share:
            objects.extend(draw(rng))
    return objects


def object_paths(objects: Sequence[ForeignObject], plane: ImagePlane, device: torch.device | None = None) -> dict[str, Tensor]:
    """Return the path in mm through each material that the objects are made of, images (rows, columns) on ``device``."""
    paths: dict[str, Tensor] = {}
    for thing in objects:
        path = paths.setdefault(thing.material, torch.zeros(plane.rows, plane.columns, device=device))
        for shape in thing.shapes:
            add_path(shape, path, plane)
    return paths


def _side(rng: np.random.Generator) -> float:
    return float(rng.choice([-1.0, 1.0]))


def _tube(points: Sequence[Sequence[float]], radius: float, hole: float = 0.0, count: int = 40) -> Tube:
    return Tube(tuple(tuple(p) for p in smooth_curve(points, count).tolist()), radius, hole)


def _ring(centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> tuple[tuple[float, float], ...]:
    angles = np.linspace(0, 2 * math.pi, 36, endpoint=False)
    x, z = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    c, s = math.cos(turn), math.sin(turn)
    return tuple(zip((centre[0] + c * x - s * z).tolist(), (centre[1] + s * x + c * z).tolist(), strict=True))


def _loop(centre: Point, radii: tuple[float, float], radius: float, turn: float) -> Tube:
    ring = _ring((centre[0], centre[2]), radii, turn)
    return Tube(tuple((x, centre[1], z) for x, z in (*ring, ring[0])), radius)


def _ball(rng: np.random.Generator) -> list[ForeignObject]:
    diameter = float(rng.choice([25.0, 30.0]))
    between = rng.random() < 0.6
    x = rng.normal(0, 6) if between else _side(rng) * rng.uniform(165, 195)
    z = rng.uniform(112, 150) if between else rng.uniform(-20, 60)
    return [ForeignObject("calibration ball", "steel", (Ball((float(x), 0.0, float(z)), diameter / 2),))]


def _shield(rng: np.random.Generator) -> list[ForeignObject]:
    t = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    size = rng.uniform(0.85, 1.2)
    if rng.random() < 0.5:
        x, z = 3.0 * 16 * np.sin(t) ** 3, -3.0 * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        at = (rng.normal(0, 10), rng.normal(-25, 14))
    else:
        x, z = 42 * np.sin(t) * np.sin(t / 2) ** 1.6, -58 * np.cos(t)
        at = (rng.normal(0, 6), rng.normal(108, 12))
    turn = rng.normal(0, 0.08)
    outline = np.stack([x * math.cos(turn) - z * math.sin(turn), x * math.sin(turn) + z * math.cos(turn)], 1) * size + at
    return [ForeignObject("gonad shield", "lead", (Sheet(tuple(map(tuple, outline.tolist())), 1.0, _FRONT - 10),))]


def _clips(rng: np.random.Generator) -> list[ForeignObject]:
    shapes: list[Shape] = []
    middle = (rng.choice([-1, 0, 1]) * rng.uniform(25, 55), rng.uniform(-70, 20))
    for _ in range(rng.integers(2, 10)):
        x, z = rng.normal(middle, 16)
        turn, length, gap = rng.uniform(0, math.pi), rng.uniform(4, 8), rng.uniform(0.5, 1.4)
        u, v = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
        corners = [u * length + v * gap, v * gap * 0.7, -v * gap * 0.7, u * length - v * gap]
        y = float(rng.uniform(-40, 40))
        shapes.append(Tube(tuple((float(x + c[0]), y, float(z + c[1])) for c in corners), 0.45))
    return [ForeignObject("surgical clips", "titanium", tuple(shapes))]


def _staples(rng: np.random.Generator) -> list[ForeignObject]:
    side, count = _side(rng), int(rng.integers(7, 18))
    path = smooth_curve([(132, -40), (150 + rng.normal(0, 5), 20), (146 + rng.normal(0, 8), 30 + 8 * count)], count)
    shapes: list[Shape] = []
    for (x, z), following in pairwise(path):
        turn = math.atan2(following[1] - z, following[0] - x) + rng.normal(0, 0.15)
        squash, y = rng.uniform(0.25, 1.0), float(rng.uniform(-45, 0))
        corners = [(0.6, 2.6), (-1.2, 3.2), (-1.2, -3.2), (0.6, -2.6)]  # mm along and across the wound
        points = []
        for a, b in corners:
            a *= squash
            px, pz = a * math.cos(turn) - b * math.sin(turn), a * math.sin(turn) + b * math.cos(turn)
            points.append((float(side * (x + px)), y, float(z + pz)))
        shapes.append(Tube(tuple(points), 0.29))
    return [ForeignObject("skin staples", "steel", tuple(shapes))]


def _wires(rng: np.random.Generator) -> list[ForeignObject]:
    side, shapes = _side(rng), []
    for k in range(rng.integers(1, 4)):
        x, z = side * rng.normal(132, 3), 55 + 22 * k + rng.normal(0, 3)
        shapes.append(_loop((float(x), 0.0, float(z)), (18.0, float(rng.uniform(2, 5))), 0.6, float(rng.normal(0, 0.15))))
        tail = [(x + side * 18, 0.0, z), (x + side * 21, 0.0, z - 3), (x + side * 21 + rng.normal(0, 2), 0.0, z - 8)]
        shapes.append(_tube(tail, 0.9, count=8))
    return [ForeignObject("cerclage wires", "steel", tuple(shapes))]


def _catheter(rng: np.random.Generator) -> list[ForeignObject]:
    side = _side(rng)
    points = [(rng.normal(0, 8), 0, rng.uniform(-25, 8)), (rng.normal(0, 4), -10, 40), (rng.normal(0, 4), -25, 84),
              (side * 18, -60, 118), (side * rng.uniform(30, 70), -85, 165), (side * rng.uniform(50, 120), -90, 260)]  # fmt: skip
    return [
        ForeignObject("urinary catheter", "catheter", (_tube(points, 2.7, 1.6), _tube(points, 0.7))),
    ]


def _line(rng: np.random.Generator) -> list[ForeignObject]:
    side, radius = _side(rng), float(rng.uniform(0.7, 1.8))
    start = np.array([side * rng.uniform(60, 200), _FRONT + 20, -260])
    points = start + np.cumsum([(0, 0, 0), *rng.normal((-side * 12, 4, 78), (28, 6, 22), size=(4, 3))], axis=0)
    return [ForeignObject("line", "catheter", (_tube(points, radius, 0.55 * radius), _tube(points, 0.35)))]


def _lead(rng: np.random.Generator) -> list[ForeignObject]:
    side = _side(rng)
    x, z = side * rng.uniform(70, 120), rng.uniform(-150, -95)
    points = [(x, _FRONT, z), (x + rng.normal(0, 20), _FRONT, z - 40), (x - side * rng.uniform(10, 60), _FRONT, -270)]
    snap = Sheet(_ring((x, z), (5.0, 5.0)), 1.2, _FRONT)
    return [ForeignObject("ECG lead", "steel", (snap, _tube(points, 0.45)))]


def _buttons(rng: np.random.Generator) -> list[ForeignObject]:
    radius, gap, x = rng.uniform(5, 9), rng.uniform(45, 80), rng.normal(0, 25)
    shapes = []
    for k in range(rng.integers(1, 4)):
        at = (x + rng.normal(0, 3), -130 + gap * k)
        holes = [_ring((at[0] + dx, at[1] + dz), (0.9, 0.9)) for dx in (-1.6, 1.6) for dz in (-1.6, 1.6)]
        shapes.append(Sheet(_ring(at, (radius, radius)), 2.8, _FRONT, tuple(holes)))
        shapes.append(Sheet(_ring(at, (radius, radius)), 1.2, _FRONT, (_ring(at, (radius - 1.8, radius - 1.8)),)))
    return [ForeignObject("buttons", "polyethylene", tuple(shapes))]


def _snaps(rng: np.random.Generator) -> list[ForeignObject]:
    radius = rng.uniform(4, 6.5)
    places = rng.uniform((-120, -150), (120, 60), size=(rng.integers(1, 4), 2))
    shapes = [Sheet(_ring((x, z), (r, r)), thick, _FRONT, hole) for x, z in places for r, thick, hole in (
        (radius, 0.6, (_ring((x, z), (0.35 * radius, 0.35 * radius)),)), (0.6 * radius, 1.4, ()))]  # fmt: skip
    return [ForeignObject("snaps", "steel", tuple(shapes))]


def _trousers(rng: np.random.Generator) -> list[ForeignObject]:
    top, drift = rng.uniform(-110, -70), rng.normal(0, 12)
    course = smooth_curve([(drift, top + 14), (drift + rng.normal(0, 5), top + 70), (drift + rng.normal(0, 9), top + 130)], 56)
    tooth = [(dx, dz) for dx, dz in ((-1.6, -0.6), (1.6, -0.6), (1.6, 0.6), (-1.6, 0.6))]
    teeth = [Sheet(tuple((x + dx + (-1) ** k, z + dz) for dx, dz in tooth), 2.0, _FRONT) for k, (x, z) in enumerate(course)]
    x, z = course[0]
    slide = Sheet(((x - 3, z - 4), (x + 3, z - 4), (x + 3.5, z + 5), (x - 3.5, z + 5)), 2.5, _FRONT)
    pull = Sheet(_ring((x + rng.normal(0, 3), z + 15), (2.5, 10.0), rng.normal(0, 0.3)), 1.2, _FRONT)
    button = Sheet(_ring((drift, top), (8.5, 8.5)), 1.6, _FRONT)
    rivets = [Sheet(_ring((s * rng.normal(88, 4) + drift, top + d), (4.2, 4.2)), 1.8, _FRONT) for s in (-1, 1) for d in (12, 62)]
    return [
        ForeignObject("zip", "steel", (*teeth, slide, pull)),
        ForeignObject("rivets", "steel", (button, *rivets)),
    ]


def _coin(rng: np.random.Generator) -> list[ForeignObject]:
    at, radius = (_side(rng) * rng.uniform(90, 150), rng.uniform(-10, 70)), rng.uniform(8.5, 13)
    return [ForeignObject("coin", "steel", (Sheet(_ring(at, (radius, radius * rng.uniform(0.7, 1))), 1.9, _FRONT),))]


def _key(rng: np.random.Generator) -> list[ForeignObject]:
    blade = [(-4, 8), (-4, 36), (-2, 40), (1, 40), (3, 36), (1.5, 34), (3, 31), (1, 28), (3, 25), (1.5, 22), (4, 18), (4, 8)]
    bow = [(11 * math.sin(a), -11 * math.cos(a)) for a in np.linspace(0.45, 2 * math.pi - 0.45, 24) + math.pi]
    turn, at = rng.uniform(0, 2 * math.pi), (_side(rng) * rng.uniform(95, 145), rng.uniform(-10, 60))
    c, s = math.cos(turn), math.sin(turn)
    outline = tuple((at[0] + c * x - s * z, at[1] + s * x + c * z) for x, z in [*blade[::-1], *bow])
    eye = _ring((at[0] + 6 * s, at[1] - 6 * c), (2.8, 2.8))
    return [ForeignObject("key", "steel", (Sheet(outline, 2.2, _FRONT, (eye,)),))]


def _pessary(rng: np.random.Generator) -> list[ForeignObject]:
    radius = rng.uniform(27, 36)
    at = (float(rng.normal(0, 8)), 10.0, float(rng.normal(18, 8)))
    ring = _loop(at, (radius, radius * rng.uniform(0.3, 0.7)), 3.8, float(rng.normal(0, 0.25)))
    # Silicone with a little barium: as opaque as a thin wall of catheter.
    return [ForeignObject("pessary", "catheter", (replace(ring, hole=3.3),))]


def _iud(rng: np.random.Generator) -> list[ForeignObject]:
    turn, at = rng.normal(0, 0.6), (rng.normal(0, 10), rng.uniform(-35, 0))
    c, s = math.cos(turn), math.sin(turn)

    def point(x: float, z: float) -> Point:
        return (float(at[0] + c * x - s * z), 10.0, float(at[1] + s * x + c * z))

    stem = Tube((point(0, 0), point(0, 32)), 0.8)
    arms = _tube([point(-15, 3), point(-8, 0), point(0, -1), point(8, 0), point(15, 3)], 0.8, count=16)
    frame = ForeignObject("intrauterine device", "catheter", (stem, arms))
    if rng.random() < 0.5:
        return [frame]
    turns = tuple(point(1.1 * math.sin(k * 1.6), 6 + 0.2 * k) for k in range(110))
    return [frame, ForeignObject("intrauterine device", "steel", (Tube(turns, 0.14),))]


def _pad(rng: np.random.Generator) -> list[ForeignObject]:
    shapes: list[Shape] = []
    for _ in range(rng.integers(2, 6)):
        x, z = rng.normal(0, 45), rng.uniform(40, 115)
        half, tall, lean = rng.uniform(25, 75), rng.uniform(5, 22), rng.normal(0, 8)
        upper = smooth_curve([(x - half, z), (x, z + lean), (x + half, z + rng.normal(0, 8))], 20)
        lower = upper[::-1] + np.stack([rng.normal(0, 0.5, 20), tall * np.sin(np.linspace(0.15, math.pi - 0.15, 20))], 1)
        shapes.append(Sheet(tuple(map(tuple, np.concatenate([upper, lower]).tolist())), float(rng.uniform(1.5, 5)), 60.0))
    return [ForeignObject("incontinence pad", "polyethylene", tuple(shapes))]


def _sheet(rng: np.random.Generator) -> list[ForeignObject]:
    """Folds of a bed sheet or gown, in which cloth lies many times over: long, narrow and faint."""
    shapes: list[Shape] = []
    lie = rng.uniform(0, math.pi)
    for _ in range(rng.integers(3, 9)):
        turn, length, half = lie + rng.normal(0, 0.35), rng.uniform(90, 340), rng.uniform(1.5, 9)
        along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
        middle = rng.uniform((-170, -150), (170, 150))
        bow = rng.normal(0, 14, 3)
        spine = smooth_curve([middle + along * length * t + across * b for t, b in zip((-0.5, 0, 0.5), bow, strict=True)], 16)
        width = (half * np.sin(np.linspace(0.1, math.pi - 0.1, 16)))[:, None] * across
        outline = np.concatenate([spine + width, (spine - width)[::-1]])
        shapes.append(Sheet(tuple(map(tuple, outline.tolist())), float(rng.uniform(0.8, 4)), 80.0))
    return [ForeignObject("sheet", "polyethylene", tuple(shapes))]


def _splint(rng: np.random.Generator) -> list[ForeignObject]:
    """A padded board along one thigh, with straps across."""
    side, lean = _side(rng), rng.normal(0, 0.08)
    x, top, half = side * rng.uniform(95, 150), rng.uniform(-40, 60), rng.uniform(18, 45)

    def strip(z: float, tall: float, reach: float, thick: float) -> Sheet:
        corners = [(-reach, 0.0), (reach, 0.0), (reach, tall), (-reach, tall)]
        return Sheet(tuple((float(x + a + lean * (z + b)), float(z + b)) for a, b in corners), thick, 95.0)

    straps = [strip(top + rng.uniform(15, 130), rng.uniform(20, 40), half + rng.uniform(20, 45), 2.0) for _ in range(2)]
    return [ForeignObject("splint", "polyethylene", (strip(top, 330.0, half, float(rng.uniform(5, 11))), *straps))]


BELONGINGS: dict[str, tuple[float, Callable[[np.random.Generator], list[ForeignObject]]]] = {
    "calibration ball": (0.05, _ball), "gonad shield": (0.03, _shield), "surgical clips": (0.035, _clips),
    "skin staples": (0.02, _staples), "cerclage wires": (0.008, _wires), "urinary catheter": (0.05, _catheter),
    "line": (0.015, _line), "ECG lead": (0.015, _lead), "buttons": (0.015, _buttons), "snaps": (0.02, _snaps),
    "trousers": (0.01, _trousers), "coin": (0.004, _coin), "key": (0.002, _key), "pessary": (0.007, _pessary),
    "intrauterine device": (0.008, _iud), "incontinence pad": (0.06, _pad), "sheet": (0.07, _sheet), "splint": (0.015, _splint),
}  # fmt: skip
"""How often each kind is met, and what draws it."""
