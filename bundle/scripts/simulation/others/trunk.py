"""Trunk and head: scenes of chests, abdomens, spines, shoulders and skulls."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.curves import smooth_curve
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.pelvis import draw_pelvis
from scripts.simulation.anatomy.solids import about_x, about_y, about_z, capsule, ellipsoid, intersection, union
from scripts.simulation.hardware.foreign_objects import draw_objects
from scripts.simulation.hardware.small_solids import Tube
from scripts.simulation.others.limbs import shoulder_bones
from scripts.simulation.others.scene import Scene
from scripts.simulation.others.shapes import Bone, Piece, chain, draw_bone, lump, phalanx, piece, plate
from scripts.simulation.physics.projection import Tissue
from scripts.simulation.population import draw_person

_ORBIT = ((12, -82, 6), (34, -84, -4), (52, -72, 6), (54, -66, 26), (36, -78, 38), (16, -80, 32), (12, -82, 6))
_HEALTHY = {"right": Disease(), "left": Disease()}


def _angles(rng: np.random.Generator, turn: float, spread: float = 3.0) -> Tensor:
    a, b, c = (math.radians(float(rng.normal(mean, spread))) for mean in (0.0, turn, 0.0))
    return about_y(c) @ about_z(b) @ about_x(a)


def _finished(rng: np.random.Generator, scene: Scene, turn: float = 0.0, shift: float = 15.0) -> Scene:
    """Turned to the projection (degrees about the body's axis), shifted, of a body of any size, with belongings."""
    return replace(
        scene.moved(_angles(rng, turn), (float(rng.normal(0, shift)), 0, float(rng.normal(0, shift)))),
        size=float(np.clip(rng.normal(1, 0.06), 0.82, 1.18)),
        objects=tuple(draw_objects(rng)),
        marbling=float(rng.uniform(0.05, 0.3)),
        tight=float(rng.choice([0.0, 0.05, 0.15])) if scene.tight == 0 else scene.tight,
        strands=float(rng.uniform(1.2, 3)),
        planes=0.2,
    )


def _column(rng: np.random.Generator, top: float, bottom: float) -> Piece:
    """Vertebrae from z = ``top`` to ``bottom`` mm, z = 0 between T12 and L1, y = 0 in the middle of the bodies."""
    bone, strength = draw_bone(rng, height=0.4), float(np.clip(rng.normal(0.9, 0.2), 0.4, 1.4))
    scoliosis, phase, lordosis = float(rng.normal(0, 6)), float(rng.uniform(0, 6)), float(rng.uniform(0.6, 1.3))
    spurs = float(rng.uniform(0, 2.5))

    def solid(points: Tensor) -> Tissue:
        p = bone.warp(points)
        z = p[..., 2]
        x = p[..., 0] - scoliosis * torch.sin(z / 90 + phase)
        y = p[..., 1] + lordosis * (18 * torch.sin(((z - 10) / 180).clamp(-1.2, 1.2) * math.pi / 1.2) * (z > -210))
        # Vertebrae grow from 19 mm in the neck to 36 in the loins: the level is the integral of 1 over the pitch.
        pitch = (34 + 0.022 * z).clamp(18, 38)
        level = torch.log((34 + 0.022 * z).clamp_min(18)) / 0.022
        t = (level - level.round()) * pitch
        wide = (20 + 0.032 * z).clamp(11, 25)
        half = torch.stack([x.abs(), y, t], dim=-1)
        ring = torch.sqrt((x / wide) ** 2 + (y / (0.74 * wide)) ** 2 + 1e-6)
        tall = 0.385 * pitch
        body = intersection((ring - 1) * 0.74 * wide + 2.0 - (2.0 + spurs) * (t / tall) ** 2, t.abs() - tall, 2.0)
        scale = wide / 23
        q = half / scale[..., None]
        arch = union(capsule(q, (14, 10, -7), (16, 26, -3), 4.6, 5.0), capsule(q, (16, 24, -6), (38, 30, -8), 5.0, 3.2), 4.0)
        arch = union(arch, capsule(q, (16, 28, -15), (17, 31, 15), 4.0, 5.0), 3.0)
        arch = union(arch, capsule(q, (13, 30, 3), (1, 36, 8), 4.5, 4.0), 3.0)
        arch = union(arch, ellipsoid(q, (0, 46, 11), (3.0, 14, 9)), 4.0)
        distance = torch.maximum(union(body, arch * scale, 2.0), torch.maximum(top - z, z - bottom))
        plates = torch.sigmoid((t.abs() - tall + 2.5) / 0.8) * torch.sigmoid((0.95 - ring) * 12)
        return Tissue(distance, (0.6 + 0.5 * plates) * strength**0.8, (0.115 + 0.06 * plates) * strength**1.3)

    return Piece(solid, torch.tensor([-62.0, -60.0, top]), torch.tensor([62.0, 90.0, bottom]))


def _ribs(rng: np.random.Generator, inlet: float, first: int = 1) -> list[Piece]:
    """Ribs from ``first`` to the twelfth about a column whose bodies lie at y = 0; the first springs at z = ``inlet``."""
    bones, slope = [], float(rng.uniform(0.75, 1.25))
    breadth, depth = float(rng.normal(1, 0.05)), float(rng.normal(1, 0.07))
    widths = (58, 88, 106, 117, 124, 130, 134, 136, 134, 126, 112, 92)
    for n in range(first - 1, 12):
        wide, deep = widths[n] * breadth, (60 + 10 * min(n, 7)) * depth
        z0, drop = inlet + 23.5 * n, slope * (34 + 6.0 * min(n, 8))
        end = math.radians((158, 160, 160, 158, 156, 152, 146, 138, 128, 112, 80, 52)[n])
        for side in (-1.0, 1.0):
            t = np.linspace(math.radians(8), end, 13)
            # Seen from above each rib is an ellipse that begins behind, beside the vertebra, and falls as it comes forward.
            x = side * wide * np.sin(t) ** 0.8
            y = 30 + 22 * np.sin(t) - deep * (1 - np.cos(t)) * 0.95
            z = z0 + drop * (1 - np.cos(t)) * 0.9 + rng.normal(0, 1.5)
            bones.append(chain(np.stack([x, y, z], 1), np.linspace(4.8, 5.6, 13), draw_bone(rng, 0.8, 0.1, 0.5)))
    return bones


def _thorax(rng: np.random.Generator) -> Scene:
    """Ribs, spine, shoulders, lungs, heart and diaphragm; z = 0 at the height of the sixth vertebra."""
    inlet = -150.0
    bones = [*_ribs(rng, inlet), _column(rng, -300.0, 200.0).moved(shift=(0, 10, 175)).moved()]
    shrug, back = float(rng.normal(0, 12)), float(rng.uniform(-20, 20))
    raised = rng.random() < 0.15
    arms = []
    for mirrored in (False, True):
        arm = [each.moved(about_y(math.radians(float(rng.normal(-8, 8))))) for each in shoulder_bones(rng)]
        bones += [each.moved(shift=(-172, 20 + back, -118 + shrug)).moved(mirrored=mirrored) for each in arm]
        line = [(-178, 15, -120), (-205, 15, 40), (-225, 10, 330)] if not raised else [(-165, 15, -120), (-215, 10, -300)]
        arms.append(chain(line, [54, 46, 42][: len(line)], draw_bone(rng, 7, 0, 2)).moved(mirrored=mirrored))
    sternum = plate([(-24, -120), (24, -120), (14, -70), (18, 40), (0, 60), (-18, 40), (-14, -70)], draw_bone(rng, 0.7, 0.08),
                    lambda p: -112 - 0.15 * (p[..., 2] + 120), 4.0)  # fmt: skip
    bones.append(sternum)
    fat = float(np.clip(rng.gamma(3, 5), 4, 45))
    stout = float(np.clip(rng.normal(1.04, 0.07), 0.9, 1.3))

    def trunk(p: Tensor) -> Tensor:
        z = p[..., 2]
        wide = (163 + 12 * torch.sigmoid(z / 60) - 70 * torch.sigmoid((-z - 150) / 16)) * stout + fat
        deep = (118 - 52 * torch.sigmoid((-z - 130) / 25)) * stout + 0.8 * fat
        ring = ((p[..., 0] / wide).abs() ** 2.6 + ((p[..., 1] + 12) / deep).abs() ** 2.6) ** (1 / 2.6)
        return (ring - 1) * torch.minimum(wide, deep)

    body = piece(trunk, (-260, -220, -330), (260, 200, 330), draw_bone(rng, fat, 0, 2))
    yoke = chain([(-165, 22, -135), (0, 28, -185), (165, 22, -135)], [42, 62, 42], draw_bone(rng, fat, 0, 1))
    neck = chain([(0, 20, -150), (0, 20, -360)], [66, 56], draw_bone(rng, 5, 0, 1))
    breasts = []
    if rng.random() < 0.5:
        size = rng.uniform(45, 85)
        breasts = [
            lump((side * 82, -118, 70 + rng.normal(0, 12)), (size, 50, 0.9 * size), draw_bone(rng, 60, 0)) for side in (-1, 1)
        ]
    air, vessels = _lungs(rng)
    trachea = chain([(2, -10, -330), (2, 0, -120), (0, 4, -62)], 8.5, draw_bone(rng, 0, 0))
    return Scene(tuple(bones), (body, yoke, neck, *arms, *breasts), (*air, (trachea, 0.9)), vessels=vessels, detail=1.1,
                 roughness=4.0)  # fmt: skip


def _lungs(rng: np.random.Generator) -> tuple[list[tuple[Piece, float]], tuple[Tube, ...]]:
    deep, heart = float(rng.normal(0, 16)), float(np.clip(rng.normal(1, 0.12), 0.75, 1.45))
    opaque = rng.random() < 0.25
    spot = (float(rng.choice([-75, 75]) + rng.normal(0, 20)), float(rng.normal(10, 30)), float(rng.normal(0, 60)))
    spread = float(rng.uniform(15, 60)) if opaque else 1.0
    share = 0.72 if not opaque else 0.66
    vessels: list[Tube] = []

    def lung(side: float) -> Piece:
        dome = 92 + deep - (16 if side < 0 else 4)  # the liver lifts the right one

        def distance(p: Tensor) -> Tensor:
            x, z = p[..., 0] * side, p[..., 2]
            chest = ellipsoid(torch.stack([x, p[..., 1], z], -1), (66, 0, 40), (64, 98, 212))
            low = z - dome - 0.010 * (x - 62) ** 2 - 0.004 * (p[..., 1] + 30) ** 2
            found = intersection(chest, low * 0.6, 8.0)
            mediastinum = 24 - x - 4 * torch.exp(-(((z + 60) / 18) ** 2)) + 9 * torch.exp(-(((z + 74) / 15) ** 2)) * (side > 0)
            found = intersection(found, mediastinum, 6.0)
            own = ellipsoid(p, (26 * heart, -45, 62 + deep * 0.6), (66 * heart, 48, 62 * heart))
            hilum = ellipsoid(torch.stack([x, p[..., 1], z], -1), (30, 5, -34), (16, 20, 22))
            found = intersection(intersection(found, -own, 6.0), -hilum, 8.0)
            if opaque and spot[0] * side > 0:
                found = intersection(found, -ellipsoid(p, spot, (spread, spread, spread)), 12.0)
            return found

        return piece(
            distance, (2 if side > 0 else -132, -100, -174), (132 if side > 0 else -2, 100, 190 + deep), draw_bone(rng, 0, 0)
        )

    for side in (-1.0, 1.0):
        for _ in range(26):
            angle, start = rng.uniform(-1.5, 1.5), np.array([side * 30, rng.uniform(-30, 40), -34 + rng.normal(0, 10)])
            reach = rng.uniform(40, 105)
            bend = np.array([side * math.cos(angle), 0, math.sin(angle)])
            middle, end = start + 0.5 * reach * bend + rng.normal(0, 5, 3), start + reach * bend + rng.normal(0, 12, 3)
            line = smooth_curve(np.stack([start, middle, end]), 9)
            for k, radius in ((0, 1.0), (3, 0.65), (6, 0.4)):
                vessels.append(Tube(tuple(map(tuple, line[k : k + 4].tolist())), float(radius * rng.uniform(1.5, 4.2))))
    return [(lung(side), share) for side in (-1.0, 1.0)], tuple(vessels)


def chest(rng: np.random.Generator) -> Scene:
    """A chest from the front or from behind."""
    scene = replace(
        _thorax(rng),
        kvp=float(rng.choice([75, 85, 90])),
        height=float(rng.choice([352, 420])),
        width=float(rng.choice([352, 420])),
    )
    turned = math.pi if rng.random() < 0.5 else 0.0
    return _finished(rng, scene.moved(about_z(turned)))


def chest_lateral(rng: np.random.Generator) -> Scene:
    """A chest from the side, the arms raised."""
    scene = _thorax(rng)
    bones = tuple(each for each in scene.bones if each.box()[1][0] < 150 and each.box()[0][0] > -150)
    scene = replace(scene, bones=bones, flesh=scene.flesh[:3] + scene.flesh[5:], vessels=(), kvp=90.0, height=420.0, width=352.0)
    return _finished(rng, scene, float(rng.choice([-90, 90])))


def thoracic_spine(rng: np.random.Generator) -> Scene:
    """The thoracic spine from the front or from the side, collimated."""
    lateral = rng.random() < 0.5
    scene = replace(chest_lateral(rng) if lateral else _thorax(rng), height=400.0, width=180.0, kvp=75.0)
    scene = scene if lateral else _finished(rng, scene)
    return replace(scene.moved(shift=(0, 0, 10)), tight=0.12)


def shoulder(rng: np.random.Generator) -> Scene:
    """A shoulder from the front."""
    thorax = _thorax(rng)
    scene = thorax.moved(shift=(150, 0, 105)).moved(mirrored=bool(rng.random() < 0.5))
    near = tuple(each for each in scene.bones if float(torch.stack(each.box())[:, 0].abs().min()) < 180)
    scene = replace(scene, bones=near, vessels=(), height=float(rng.choice([240, 280, 300])), width=300.0, kvp=70.0, detail=0.7)
    return _finished(rng, scene, float(rng.choice([0, 25, -25])))


def _bowel(rng: np.random.Generator) -> list[tuple[Piece, float]]:
    """Gas in stomach, colon and small bowel, z = 0 at the iliac crests."""
    plenty, air = float(rng.beta(1.3, 1.5)), []
    colon = smooth_curve(
        np.array([(-110, -20, 70), (-120, -10, -30), (-95, -40, -110), (0, -70, -60 + rng.normal(0, 25)), (95, -40, -130),
                  (120, -5, -40), (112, -5, 60), (70, -20, 100), (20, 0, 80)]) + rng.normal(0, 10, (9, 3)), 90,
    )  # fmt: skip
    for _ in range(rng.poisson(2 + 4 * plenty)):
        start, length = int(rng.integers(0, 80)), int(rng.integers(5, 16))
        line = colon[start : start + length]
        radii = rng.uniform(14, 24) * (1 + 0.25 * np.sin(np.arange(len(line)) * 1.6 + rng.uniform(0, 6)))
        air.append((chain(line, radii, draw_bone(rng, 0, 0, 2.0)), float(rng.uniform(0.5, 1))))
    for _ in range(rng.poisson(6 * plenty)):
        loop = np.array([rng.uniform(-80, 80), -30, rng.uniform(-90, 110)]) + np.cumsum(rng.normal(0, 11, (5, 3)), axis=0)
        air.append((chain(loop, rng.uniform(5, 13, 5), draw_bone(rng, 0, 0, 2.0)), float(rng.uniform(0.5, 1))))
    if rng.random() < 0.6:
        air.append((lump((62, -20, -175), rng.uniform(25, 50, 3), draw_bone(rng, 0, 0, 3.0)), 0.9))
    return air


def _abdomen(rng: np.random.Generator) -> Scene:
    """Spine, lower ribs, pelvis without femurs, and bowel; z = 0 at the iliac crests."""
    person = draw_person(rng)
    pelvis = draw_pelvis(person, rng, 23.0, _HEALTHY)
    # The crests lie some 150 mm above the hips and the end plate of the sacrum 110; the last part are the vertebrae.
    shift = (0.0, 0.0, 155.0)
    bones = [Piece(solid, *box).moved(shift=shift) for solid, box in pelvis.parts()[:3]]
    bones += [
        _column(rng, -420.0, 183.0).moved(shift=(0, 10, -142)),
        *(each.moved(shift=(0, 10, 0)) for each in _ribs(rng, -410.0, 8)),
    ]
    fat = float(np.clip(rng.gamma(3, 8), 6, 60))
    wide, deep = float(rng.normal(146, 8)) + fat, float(rng.normal(104, 9)) + 0.7 * fat

    def trunk(p: Tensor) -> Tensor:
        waist = 1 - 0.10 * torch.exp(-(((p[..., 2] + 40) / 70) ** 2))
        ring = ((p[..., 0] / (wide * waist)).abs() ** 2.5 + ((p[..., 1] - 5) / deep).abs() ** 2.5) ** (1 / 2.5)
        return (ring - 1) * min(wide, deep)

    body = piece(trunk, (-wide, -deep, -330), (wide, deep + 10, 330), draw_bone(rng, fat, 0, 3))
    return Scene(tuple(bones), (body,), tuple(_bowel(rng)), detail=1.1, roughness=4.0)


def abdomen(rng: np.random.Generator) -> Scene:
    """An abdomen from the front that ends above the hips."""
    height = float(rng.choice([352, 420]))
    scene = replace(_abdomen(rng), height=height, width=352.0, kvp=float(rng.choice([70, 75, 80])))
    return _finished(rng, scene.moved(shift=(0, 0, height / 2 - rng.uniform(60, 130))), shift=8)


def lumbar_spine_ap(rng: np.random.Generator) -> Scene:
    """A lumbar spine from the front, with sacrum and wings of the ilium, the hips off the radiograph."""
    scene = replace(_abdomen(rng), height=400.0, width=float(rng.choice([180, 240, 300])), kvp=75.0)
    return _finished(rng, scene.moved(shift=(0, 0, float(rng.uniform(50, 110)))), shift=6)


def lumbar_spine_lateral(rng: np.random.Generator) -> Scene:
    """A lumbar spine from the side."""
    scene = replace(_abdomen(rng), height=400.0, width=float(rng.choice([200, 240, 300])), kvp=90.0)
    scene = scene.moved(
        about_z(math.radians(float(rng.choice([-90, 90])) + rng.normal(0, 4))), (0, 0, float(rng.uniform(40, 100)))
    )
    return _finished(rng, scene.moved(shift=(float(rng.normal(0, 15)), 0, 0)), shift=6)


def _skull(rng: np.random.Generator) -> Scene:
    """A head with its neck, the face to the tube; the origin lies between the ears, 40 mm above them."""
    long, wide, high = 92 * rng.normal(1, 0.04), 73 * rng.normal(1, 0.04), 78 * rng.normal(1, 0.04)
    thick = float(rng.uniform(5, 9))

    def vault(p: Tensor) -> Tensor:
        outer = ellipsoid(p, (0, 6, -8), (wide, long, high + 6))
        shell = (outer + thick / 2).abs() - thick / 2
        waves = 7 * torch.sin(p[..., 1] / 21) + 5 * torch.cos(p[..., 0] / 15)
        base = p[..., 2] - 46 - 0.25 * p[..., 1].clamp(-60, 60) + waves
        floor = intersection((base + 3).abs() * 0.8 - 1.6, ellipsoid(p, (0, 6, 10), (wide - 6, long - 8, 62)), 3.0)
        return union(torch.maximum(shell, base), floor, 3.0)

    bones = [piece(vault, (-wide, 6 - long, -95), (wide, 6 + long, 75), draw_bone(rng, 1.6, 0.15, 1.2))]
    dense = draw_bone(rng, 1.2, 0.3, 0.5)
    for side in (-1, 1):
        bones += [
            chain([(side * 24, 12, 44), (side * 54, 22, 40)], [11, 13], Bone(3.0, 0.6)),  # petrous bone
            chain(smooth_curve([(side * x, y, z) for x, y, z in _ORBIT], 14), 2.8, dense),
            chain([(side * 52, -66, 32), (side * 66, -30, 42), (side * 66, 0, 44)], [6, 4, 4], dense),  # zygomatic arch
            chain([(side * 12, -80, 30), (side * 30, -72, 52), (side * 26, -74, 66)], [4, 6, 8], dense),  # maxilla
        ]
    gape = float(abs(rng.normal(0, 5)))
    jaw = [
        (x, y, z + gape)
        for x, y, z in ((-54, 2, 46), (-52, -8, 92), (-36, -46, 108), (0, -84, 116), (36, -46, 108), (52, -8, 92), (54, 2, 46))
    ]
    bones.append(chain(smooth_curve(jaw, 15), [7, 7, 8, 8, 9, 9, 9, 10, 9, 9, 9, 8, 8, 7, 7], draw_bone(rng, 2.2, 0.2, 0.5)))
    missing = rng.uniform(0, 0.5)
    for k in np.linspace(-1.3, 1.3, 15):
        for up in (-1, 1):
            if rng.random() > missing:
                x, y = 29 * math.sin(k), -78 + 34 * (1 - math.cos(k))
                z = 86 + up * 2 + (gape if up > 0 else 0)
                bones += phalanx((x, y, z), (x * 0.92, y + 3, z + up * 17), 3.6, Bone(1.8, 1.1))
    bones += [_column(rng, -300.0, -90.0).moved(shift=(0, 20, 380))]
    skin = draw_bone(rng, 4, 0)
    flesh = (
        lump((0, 6, -4), (wide + 9, long + 8, high + 14), skin),
        chain([(0, -30, 40), (0, -44, 100)], [66, 46], skin),
        lump((0, -104, 46), (13, 18, 24), skin),
        chain([(0, 18, 60), (0, 26, 180), (0, 26, 300)], [60, 58, 64], skin),
        chain([(-190, 30, 235), (0, 28, 205), (190, 30, 235)], [52, 66, 52], skin),
    )
    air = [(lump((side * 26, -62, 48), (12, 13, 15), Bone(0, 0)), 1.0) for side in (-1, 1)]
    air += [(lump((side * 14, -80, -8), (13, 5, 10), Bone(0, 0)), 1.0) for side in (-1, 1)]
    air += [(chain([(0, -85, 44), (0, -40, 50), (0, -14, 60), (0, -6, 150)], [8, 10, 9, 9], Bone(0, 0)), 0.9)]
    air += [(lump((side * 62, 28, 52), (8, 12, 14), Bone(0, 0)), 0.5) for side in (-1, 1)]
    return Scene(tuple(bones), flesh, tuple(air), detail=0.8, roughness=3.0, height=300.0, width=240.0)


def skull_ap(rng: np.random.Generator) -> Scene:
    """A skull from the front, the chin more or less drawn in."""
    scene = replace(_skull(rng), height=float(rng.choice([240, 300])), kvp=70.0)
    tilted = scene.moved(about_x(math.radians(float(rng.normal(-5, 12)))))
    return _finished(rng, tilted.moved(shift=(0, 0, -20)), float(rng.choice([0, 180])), shift=8)


def skull_lateral(rng: np.random.Generator) -> Scene:
    """A skull from the side."""
    scene = replace(_skull(rng), width=300.0, kvp=70.0)
    return _finished(rng, scene.moved(shift=(0, 10, -20)), float(rng.choice([-90, 90])), shift=8)
