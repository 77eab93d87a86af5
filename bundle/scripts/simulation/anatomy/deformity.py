"""Deformed and diseased femurs: how each disease changes their form, their mineral and their trabeculae.

``grade``, 0 (hardly there) to 1 (gross), scales every change. What is changed follows textbooks of radiology: coxa vara is a
neck-shaft angle below 120 degrees (125 is usual); a slip is mild, moderate or severe up to one third, one half and all of the
head's width (Wilson, J Bone Joint Surg Am 1938); after Perthes' disease the head is large and flat, the neck short and the
trochanter high (Stulberg et al., J Bone Joint Surg Am 1981); Paget's disease widens and bows the bone, thickens its cortex and
coarsens its trabeculae; necrosis of the head goes through sclerosis, crescent and collapse (Ficat, J Bone Joint Surg Br 1985).
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.disease import Deformity, Disease, Fracture
from scripts.simulation.anatomy.displacement import broken_surfaces
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_shape import FemurShape
from scripts.simulation.anatomy.fractures import draw_fragments
from scripts.simulation.anatomy.fragments import Fragment, Motion, Point, draw_cut
from scripts.simulation.anatomy.lesions import Lesion, draw_lump
from scripts.simulation.anatomy.solids import about_z

_LEAST_ANGLE = 92.0
"""Neck-shaft angle (degrees) below which the shape does not hold."""
_HEALED = (Fracture.BASICERVICAL, Fracture.PERTROCHANTERIC, Fracture.SUBTROCHANTERIC_TRANSVERSE)


def reshaped(femur: Femur, state: Disease, rng: np.random.Generator) -> Femur:
    """Return a femur in the form that its disease gives it; its mineral is a matter of `diseased`."""
    grade = state.grade
    if state.deformity is Deformity.COXA_VARA:
        angle = max(_LEAST_ANGLE, femur.neck_shaft_angle - (8 + rng.uniform(16, 28) * grade))
        return replace(femur, neck_shaft_angle=angle, offset=femur.offset * (1 - 0.18 * grade * rng.random()))
    if state.deformity is Deformity.PERTHES:
        return replace(
            femur,
            head_radius=femur.head_radius * state.head_growth,
            flattening=femur.flattening + 0.08 + grade * rng.uniform(0.25, 0.50),
            neck_shaft_angle=max(_LEAST_ANGLE, femur.neck_shaft_angle - 12 * grade * rng.random()),
            offset=femur.offset * (1 - grade * rng.uniform(0.08, 0.22)),
            neck_radius=femur.neck_radius * (1 + 0.14 * grade),
            trochanter=femur.trochanter * (1 + grade * rng.uniform(0.05, 0.18)),
        )
    if state.deformity is Deformity.PAGET:
        return replace(
            femur,
            neck_shaft_angle=max(_LEAST_ANGLE, femur.neck_shaft_angle - grade * rng.uniform(0, 18)),
            shaft_radius=femur.shaft_radius * (1 + grade * rng.uniform(0.06, 0.24)),
            neck_radius=femur.neck_radius * (1 + grade * rng.uniform(0.02, 0.12)),
            lateral_bow=grade * rng.uniform(0.001, 0.005),
        )
    if state.deformity is Deformity.NECROSIS:
        collapse = max(0.0, grade - 0.3) * rng.uniform(0.1, 0.5)
        return replace(femur, flattening=femur.flattening + collapse)
    return femur


def diseased(femur: Femur, state: Disease, rng: np.random.Generator) -> Femur:
    """Return a femur with the mineral that its disease leaves, and with what healed out of place."""
    grade = state.grade
    if state.deformity is Deformity.MALUNION:
        return _healed(femur, grade, rng)
    if state.deformity is Deformity.SLIPPED_EPIPHYSIS:
        return _slipped(femur, grade, rng)
    if state.deformity is Deformity.PAGET:
        thicker = 1 + grade * rng.uniform(0.4, 1.1)
        bone = femur.bone.thicker(thicker).denser(trabecular=1 + grade * rng.uniform(0.1, 0.9))
        spots = [_spot(femur, rng, (6, 16), left=1 - 0.5 * grade, soft=4.0) for _ in range(rng.integers(1, 4))]
        spots += [_spot(femur, rng, (6, 14), added=0.22 * grade, soft=4.0) for _ in range(rng.integers(2, 5))]
        return replace(femur, bone=bone, coarseness=grade, lesions=tuple(spots))
    return replace(femur, lesions=_lesions(femur, state.deformity, grade, rng))


def seat(femur: Femur, state: Disease) -> Tensor:
    """How far (3,) in mm a flat head after Perthes' disease has moved up into its socket."""
    if state.deformity is not Deformity.PERTHES:
        return torch.zeros(3)
    radius = femur.head_radius * femur.size
    return torch.tensor([0.0, 0.0, -0.65 * (radius - radius / (1 + femur.flattening))])


def _healed(femur: Femur, grade: float, rng: np.random.Generator) -> Femur:
    """A fracture that healed as it stood, with callus around it."""
    kind = _HEALED[rng.integers(len(_HEALED))]
    broken = replace(femur, fragments=draw_fragments(kind, 0.1 + 0.45 * grade, femur, rng))
    return _bridged(broken, rng, rng.uniform(8, 14))


def _slipped(femur: Femur, grade: float, rng: np.random.Generator) -> Femur:
    """The growth plate of the head slipped, the neck going up and forward past it, and closed so."""
    part, width = rng.uniform(0.28, 0.36), 2 * femur.head_radius
    normal = (-femur.offset, rng.normal(0, 6), femur.drop)
    cut = draw_cut(normal, (-part * femur.offset, 0.0, part * femur.drop), rng, 0.2)
    slip = width * (0.08 + 0.34 * grade)
    back = rng.uniform(0.3, 0.8)
    turn = about_z(math.radians(grade * rng.uniform(0, 35)))
    # Along the plate: up the neck's upper side, and forward.
    up = torch.tensor([-femur.drop, 0.0, -femur.offset]) / femur.neck_length
    shift = slip * (math.sqrt(1 - back * back) * 0.8 * up + torch.tensor([0.0, -back, 0.0]))
    neck = Motion.about((-femur.offset, 4.5, femur.drop), turn, shift.numpy())
    head = Motion(torch.eye(3), torch.zeros(3))
    slid = replace(femur, fragments=(Fragment(((cut, 1.0),), head), Fragment(((cut, -1.0),), neck)))
    return _bridged(slid, rng, rng.uniform(2, 5))


def _bridged(femur: Femur, rng: np.random.Generator, beyond: float) -> Femur:
    """Fill and surround the place where fragments meet with callus that reaches ``beyond`` (mm) their middle size."""
    first, second, surface = max(broken_surfaces(femur), key=lambda found: len(found[2]))
    both = torch.cat([first.moved(surface), second.moved(surface)])
    x, y, z = both.mean(0).tolist()
    least = (8.0, 8.0, 14.0 + beyond)
    radii = [max(low, 1.6 * float(spread) + beyond) for low, spread in zip(least, both.std(0), strict=True)]
    return replace(femur, callus=draw_lump((x, y, z), (radii[0], radii[1], radii[2]), rng, 0.8))


def _lesions(femur: Femur, deformity: Deformity, grade: float, rng: np.random.Generator) -> tuple[Lesion, ...]:
    if deformity is Deformity.NECROSIS:
        return _necrosis(femur, grade, rng)
    if deformity is Deformity.CYSTS:
        sizes = (4 + 6 * grade, 6 + 11 * grade)
        return tuple(_spot(femur, rng, sizes, left=0.15, rim=0.30, height=0.3, reach=25) for _ in range(rng.integers(1, 3)))
    if deformity is Deformity.LYTIC:
        sizes, count = (4 + 6 * grade, 6 + 15 * grade), rng.integers(1, 3 + round(3 * grade))
        return tuple(_spot(femur, rng, sizes, left=0.1, cortex=1 - 0.85 * grade, soft=1.2) for _ in range(count))
    if deformity is Deformity.SCLEROTIC:
        sizes, count = (3, 5 + 9 * grade), rng.integers(2, 4 + round(8 * grade))
        return tuple(_spot(femur, rng, sizes, added=rng.uniform(0.25, 0.7), soft=1.2) for _ in range(count))
    return ()


def _necrosis(femur: Femur, grade: float, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """A dense, patchy segment under the dome, a line around it, and later the crescent: a crack under the cartilage's bone."""
    radius = femur.head_radius
    wide = radius * rng.uniform(0.45, 0.75)
    segment = (rng.normal(0, 2), -rng.uniform(0, 5), -0.55 * radius)
    found = [
        Lesion(draw_lump(segment, (wide, wide, 0.5 * radius), rng, 0.8), added=0.05 + 0.15 * grade, soft=1.5, rim=0.25),
        Lesion(draw_lump(segment, (0.5 * wide, 0.6 * wide, 0.25 * radius), rng, 1.2), left=0.4, soft=1.5),
    ]
    if grade > 0.3:
        dome = radius / (1 + femur.flattening)
        crack = draw_lump((0, 0, 0), (radius - 3.5, radius - 3.5, dome - 3.5), rng, 0.15, shell=0.5 + grade, lowest=-0.5 * dome)
        found.append(Lesion(crack, left=0.05, soft=0.3))
    return tuple(found)


def _spot(
    femur: FemurShape, rng: np.random.Generator, sizes: tuple[float, float], left: float = 1.0, added: float = 0.0,
    cortex: float = 1.0, soft: float = 0.6, rim: float = 0.0, height: float = 0.7,
    reach: float = 75.0,
) -> Lesion:  # fmt: skip
    """A lesion of a radius within ``sizes`` (mm) anywhere from the head to ``reach`` mm below the tops of the trochanters."""
    a, b, c = rng.uniform(*sizes) * rng.uniform(0.8, 1.25, 3)
    return Lesion(draw_lump(_place(femur, rng, reach), (a, b, c), rng, height), left, added, cortex, soft, rim)


def _place(femur: FemurShape, rng: np.random.Generator, reach: float) -> Point:
    base, drop = -femur.offset, femur.drop
    part = rng.uniform(0, 2)
    if part < 1:  # along the neck
        return (part * base + rng.normal(0, 4), rng.normal(0, 4), part * drop + rng.normal(0, 5))
    return (base + rng.normal(0, 6), 4.5 + rng.normal(0, 4), drop + (part - 1) * reach - 12)
