"""Hips that must not be measured: of children, from the side, turned away from the detector, of animals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femurs_of_person import draw_head_radius, draw_mineral, draw_shape
from scripts.simulation.anatomy.pelvis import Pelvis, draw_pelvis
from scripts.simulation.anatomy.solids import about_x, about_y, about_z, intersection, vector
from scripts.simulation.hardware.foreign_objects import draw_objects
from scripts.simulation.others.scene import Scene
from scripts.simulation.others.shapes import Piece, chain, draw_bone, lump, piece, profile
from scripts.simulation.phantom import Pose
from scripts.simulation.physics.projection import Solid, Tissue
from scripts.simulation.population import draw_person

_AGES = (0.2, 0.5, 1.0, 4.0, 8.0, 12.0, 15.0)
_SIZES = (0.27, 0.31, 0.36, 0.52, 0.68, 0.84, 0.93)
_OSSIFIED = (0.0, 0.2, 0.42, 0.66, 0.84, 0.96, 1.0)
_GAPS = (17.0, 15.0, 13.0, 9.0, 6.5, 4.5, 3.5)
"""By age in years: size against an adult, radius of the bony centre over that of the head (the first shows at 4 to 6 months),
width of the growth plates (mm of an adult's size)."""


def _draw(rng: np.random.Generator, poses: dict[str, Pose]) -> tuple[Pelvis, dict[str, Femur]]:
    """Pelvis and femurs as they lie, without the search for a mineral that meets a DXA reading."""
    person = draw_person(rng)
    radius = draw_head_radius(person, rng)
    pelvis = draw_pelvis(person, rng, radius, {side: Disease() for side in HIP.sides})
    shape, turn = draw_shape(person, rng, radius), float(rng.normal(14.5, 7.8))
    mineral = replace(draw_mineral(person, rng), strength=float(np.clip(rng.normal(0.95, 0.2), 0.4, 1.5)))
    femurs = {}
    for side in HIP.sides:
        pose = poses[side]
        femurs[side] = Femur(
            **vars(shape),
            anteversion=turn,
            bone=mineral,
            rotation=Pose(pose.abduction, turn + pose.rotation, pose.flexion).matrix(),
            position=pelvis.hip_centre(side),
            mirrored=side == "left",
        )
    return pelvis, femurs


def _pieces(pelvis: Pelvis, femurs: dict[str, Femur]) -> list[Piece]:
    return [
        Piece(solid, *box) for solid, box in (*pelvis.parts(), *(part for femur in femurs.values() for part in femur.parts()))
    ]


def _flesh(rng: np.random.Generator, poses: dict[str, Pose], stout: float) -> tuple[Piece, ...]:
    """Trunk and thighs; ``stout`` 1 is an ordinary adult."""
    fat = float(np.clip(rng.normal(22 * stout, 6), 4, 60))
    wide, deep = 138 + fat * 1.3, (92 + 0.7 * fat) * float(rng.normal(1, 0.06))

    def trunk(p: Tensor) -> Tensor:
        waist = 1 - 0.12 * torch.exp(-(((p[..., 2] + 165) / 75) ** 2))
        ring = ((p[..., 0] / (wide * waist)).abs() ** 2.6 + (p[..., 1] / deep).abs() ** 2.6) ** (1 / 2.6)
        return intersection((ring - 1) * min(wide, deep), p[..., 2] - 95 + 20 * (p[..., 0] / wide) ** 2, 90.0)

    thighs = []
    for side, mirror in zip(HIP.sides, (-1, 1), strict=True):
        turn = Pose(poses[side].abduction, 0.0, poses[side].flexion).matrix()
        thigh = chain([(0, 5, -25), (6, 8, 110), (12, 10, 420)], [78 + fat, 66 + fat, 52 + 0.7 * fat], draw_bone(rng, fat, 0, 2))
        # A pose is that of a right hip.
        thighs.append(thigh.moved(turn).moved(mirrored=mirror > 0).moved(shift=(mirror * (76 + 0.6 * fat), 0, 0)))
    body = piece(trunk, (-wide, -deep, -420), (wide, deep, 90), draw_bone(rng, fat, 0, 3))
    return body, *thighs


def _straight(rng: np.random.Generator) -> dict[str, Pose]:
    return {side: Pose(float(rng.normal(-3, 4)), float(rng.normal(-8, 12)), float(abs(rng.normal(0, 6)))) for side in HIP.sides}


def turned_pelvis(rng: np.random.Generator) -> Scene:
    """A pelvis turned by 35 to 80 degrees about the body's axis, as in a Judet view or someone lying on a side."""
    poses = _straight(rng)
    bones = _pieces(*_draw(rng, poses))
    turn = math.radians(float(rng.choice([-1, 1]) * rng.uniform(35, 80)))
    scene = Scene(
        tuple(bones),
        _flesh(rng, poses, float(rng.uniform(0.5, 1.4))),
        detail=0.9,
        height=340.0,
        width=float(rng.uniform(300, 420)),
        objects=tuple(draw_objects(rng)),
        planes=0.5,
        marbling=float(rng.uniform(0.05, 0.25)),
    )
    return scene.moved(about_z(turn), (float(rng.normal(0, 12)), 0, float(rng.normal(0, 15))))


def lateral_hip(rng: np.random.Generator) -> Scene:
    """One hip from the side across the table, the other leg out of the beam's way."""
    side = str(rng.choice(HIP.sides))
    poses = _straight(rng)
    pelvis, femurs = _draw(rng, poses)
    parts = pelvis.parts()
    bones = [Piece(solid, *box) for solid, box in (parts[HIP.sides.index(side)], parts[2], *femurs[side].parts())]
    body, *thighs = _flesh(rng, poses, float(rng.uniform(0.4, 1.1)))
    flesh = (body, thighs[HIP.sides.index(side)])
    x, _, z = pelvis.hip_centre(side).tolist()
    # The beam comes through the groin, 45 degrees to the body's axis.
    tilt = about_x(math.radians(float(rng.normal(0, 8)))) @ about_z(math.radians(float(rng.choice([-1, 1]) * rng.normal(90, 8))))
    roll = about_y(math.radians(float(rng.choice([0.0, 90.0, -90.0, 45.0, -45.0]) + rng.normal(0, 6))))
    scene = Scene(tuple(bones), flesh, detail=0.8, height=float(rng.uniform(240, 300)), width=float(rng.uniform(200, 300)),
                  objects=tuple(draw_objects(rng)), planes=0.5, tight=0.1, kvp=float(rng.choice([80, 85, 90])))  # fmt: skip
    return scene.moved(shift=(-x, 0, -z - 20)).moved(roll @ tilt)


def child_pelvis(rng: np.random.Generator) -> Scene:
    """A pelvis of 2 months to 14 years: open cartilage, small bony centres or none, growth plates; a third under 18 months."""
    age = float(rng.uniform(0.2, 1.5) if rng.random() < 1 / 3 else rng.uniform(1.5, 14))
    size, ossified, gap = (float(np.interp(age, _AGES, values)) for values in (_SIZES, _OSSIFIED, _GAPS))
    frog = rng.random() < 0.2
    poses = _straight(rng)
    if frog:
        poses = {name: Pose(float(rng.uniform(30, 60)), 30.0, 30.0) for name in HIP.sides}
    pelvis, femurs = _draw(rng, poses)
    pelvis = replace(pelvis, spine=replace(pelvis.spine, gap=3 + 0.5 * gap))
    hips, rest = pelvis.parts()[:2], pelvis.parts()[2:]
    bones = [Piece(solid, *box) for solid, box in rest]
    for side, (solid, box) in zip(HIP.sides, hips, strict=True):
        bones.append(Piece(_open_hip(solid, pelvis.hip_centre(side), 1.0 if side == "left" else -1.0, gap, age), *box))
    for femur in femurs.values():
        ((_, box),) = femur.parts()
        bones.append(Piece(_open_femur(femur, ossified, gap, age), *box))
    scene = Scene(
        tuple(bones),
        _flesh(rng, poses, float(rng.uniform(0.1, 0.6))),
        detail=0.9,
        size=size * float(rng.normal(1, 0.06)),
        objects=tuple(draw_objects(rng)),
        kvp=float(rng.choice([55, 60, 65, 70])),
        grid=age > 6,
        planes=0.5,
        marbling=float(rng.uniform(0.03, 0.12)),
    )
    reach = float(rng.uniform(0.85, 1.3)) * size
    return replace(
        scene.moved(shift=(0, 0, float(rng.normal(0, 8)))), height=min(400.0, 340 * reach), width=min(420.0, 400 * reach)
    )


def _open_hip(solid: Solid, centre: Tensor, lateral: float, gap: float, age: float) -> Solid:
    """A hip bone whose three parts, and both sides at the symphysis, are still joined by cartilage."""

    def opened(points: Tensor) -> Tissue:
        tissue = solid(points)
        q = (points - centre.to(points)) * vector((lateral, 1, 1), points)
        x, y, z = q.unbind(-1)
        level = (z + 3 + 0.15 * x).abs() - gap / 2  # between ilium and the two below
        upright = torch.maximum((y - 6).abs() - gap / 2, -z)  # between pubis and ischium
        cartilage = torch.maximum(torch.minimum(level, upright), torch.maximum(x - 12, q.norm(dim=-1) - 48))
        cartilage = torch.minimum(cartilage, points[..., 0].abs() - 2.0 - 0.7 * gap)
        if age < 8:
            cartilage = torch.minimum(cartilage, (q - vector((-42.0, 0.0, 55.0), q)).norm(dim=-1) - 1.2 * gap)
        crest = -105 - z - 4 * age  # the iliac crest's own centre comes last
        return replace(tissue, distance=torch.maximum(tissue.distance, torch.maximum(-cartilage, crest)))

    return opened


def _open_femur(femur: Femur, ossified: float, gap: float, age: float) -> Solid:
    """A femur with a growth plate under a small head, and trochanters of cartilage or apart."""
    plate, centre = 0.55 * femur.head_radius, vector(femur.intact_landmarks["lesser_trochanter"], torch.zeros(()))

    def opened(points: Tensor) -> Tissue:
        tissue = femur(points)
        own = femur.to_local(points)
        along, _ = femur.neck_axes(own)
        head = own.norm(dim=-1) - ossified * femur.head_radius
        kept = torch.where(along < plate, torch.maximum(head, along - plate + gap / 2), plate + gap / 2 - along)
        above = 6 + 0.4 * age - 0.85 * (own[..., 2] - femur.drop) - 0.5 * (own[..., 0] + femur.offset) - 24
        kept = torch.maximum(kept, above if age < 4 else gap / 2 - above.abs())
        if age < 9:
            kept = torch.maximum(kept, 9 - (own - centre).norm(dim=-1))
        return replace(tissue, distance=torch.maximum(tissue.distance, kept * femur.size))

    return opened


def animal_pelvis(rng: np.random.Generator) -> Scene:
    """A dog's or cat's pelvis from the front or the side: long narrow ilia, femurs drawn out parallel, a long spine, a tail."""
    bones: list[Piece] = []
    spread, length = float(rng.normal(0, 6)), float(rng.uniform(0.85, 1.2))
    for mirrored in (False, True):
        hip = [
            chain([(-22, 10, -95), (-27, 6, -60), (-24, 0, -20), (-27, 0, 0)], [13, 9, 8, 12], draw_bone(rng, 1.2, 0.12)),
            chain([(-27, 2, 2), (-24, 10, 40), (-27, 14, 62)], [10, 7, 10], draw_bone(rng, 1.2, 0.12)),
            chain([(-24, -4, 6), (-5, -12, 18), (-3, -10, 40), (-22, 8, 58)], [7, 5, 5, 7], draw_bone(rng, 1.1, 0.1)),
        ]
        femur = [
            chain(
                [(0, 0, 0), (-14, 0, 9), (-17, 0, 22), (-17, -4, 60), (-16, -2, 120 * length)],
                [10, 8, 9.5, 8, 9],
                draw_bone(rng, 2.2, 0.1),
            ),
            chain([(-18, 2, -2), (-20, 2, 14)], [6, 8], draw_bone(rng, 1.2, 0.12)),
            lump((-22, 4, 130 * length), (8, 14, 14), draw_bone(rng)),
            lump((-9, 4, 130 * length), (8, 14, 14), draw_bone(rng)),
            chain(
                [(-15, 2, 148 * length), (-15, 2, 156 * length), (-15, 0, 190 * length), (-15, 0, 290 * length)],
                [15, 14, 8, 7],
                draw_bone(rng, 2.2, 0.1),
            ),
            lump((-15, -16, 122 * length), (5, 4, 8), draw_bone(rng)),
        ]
        turn = about_y(math.radians(spread + float(rng.normal(0, 3)))) @ about_x(math.radians(float(rng.normal(5, 5))))
        bones += [each.moved(mirrored=mirrored) for each in hip]
        bones += [each.moved(turn, (-38, 0, 0)).moved(mirrored=mirrored) for each in femur]
    knots = [(-72, 22, 12, 0, 16, 1.0, 0.15), (-50, 17, 10, 0, 18, 1.0, 0.15), (-28, 11, 7, 0, 16, 1.0, 0.12)]
    bones.append(profile(knots, draw_bone(rng)))
    for k in range(12):
        z, fall = -84 - 22 * k, 0.4 * k
        bones.append(chain([(0, 14 + fall, z - 7), (0, 14 + fall, z + 7)], [10, 10], draw_bone(rng, 0.9, 0.14)))
        bones.append(
            chain([(-22, 16 + fall, z - 8), (0, 18 + fall, z), (22, 16 + fall, z - 8)], [2, 4, 2], draw_bone(rng, 0.9, 0.1))
        )
    tail = float(rng.normal(0, 0.5))
    bones += [
        chain([(tail * k, 16, -18 + 17 * k), (tail * (k + 1), 16, -5 + 17 * k)], 5 - 0.35 * k, draw_bone(rng)) for k in range(8)
    ]
    body = lump((0, -10, -170), (80, 80, 190), draw_bone(rng, 4, 0, 3))
    thighs = [
        chain(
            [(s * 42, 4, -10), (s * 55, 0, 70), (s * 55, 0, 150 * length), (s * 54, 0, 300)],
            [46, 48, 30, 18],
            draw_bone(rng, 3, 0, 2),
        )
        for s in (-1, 1)
    ]
    scene = Scene(tuple(bones), (body, *thighs), detail=0.7, kvp=float(rng.choice([50, 55, 60])), grid=bool(rng.random() < 0.3),
                  size=float(rng.uniform(0.55, 1.25)), planes=0.6)  # fmt: skip
    about = math.radians(90.0) if rng.random() < 0.25 else math.radians(float(rng.normal(0, 5)))
    scene = scene.moved(about_z(about), (0, 0, float(rng.normal(-25, 30))))
    return replace(scene, height=min(400.0, 380 * scene.size), width=min(420.0, float(rng.uniform(240, 320)) * scene.size))
