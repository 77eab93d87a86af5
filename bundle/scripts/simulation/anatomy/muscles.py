"""Fat planes between muscles, fat within them, and the folds of skin over the groins and buttocks.

A plane of fat that a ray runs along shows as a dark stripe, sharp towards the muscle that bulges against it and soft on its other
side. Courses are given for a right hip of a patient of scale 1 in mm: lateral and distal of the centre of the femoral head.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.body_shape import Body, placed_course
from scripts.simulation.anatomy.curves import Grid, beside, smooth_curve, smooth_noise


@dataclass(frozen=True)
class Plane:
    """A fat plane: its course (lateral, distal) in mm, how much fat a ray meets in it (``depth``, mm), its width (mm) on the
    lateral and on the medial side, and the share of its course, from the top, at which it begins to follow the femur."""

    course: tuple[tuple[float, float], ...]
    depth: float
    lateral: float
    medial: float
    follows: float


_PLANES = (
    # gluteus minimus on the capsule, gluteus medius over it, tensor and gluteus maximus over that
    Plane(((20, -70), (29, -47), (37, -27), (48, -10)), 24, 1.5, 4.0, 0.6),
    Plane(((42, -84), (50, -56), (57, -30), (61, -6)), 19, 1.7, 6.0, 0.6),
    Plane(((62, -98), (70, -60), (75, -22), (77, 22), (73, 60)), 13, 1.5, 7.0, 0.6),
    # medial edge of the iliopsoas to the lesser trochanter; obturator internus inside the pelvic brim
    Plane(((-38, -84), (-32, -44), (-22, -6), (-6, 30), (12, 58)), 15, 7.0, 1.5, 0.6),
    Plane(((-46, -48), (-36, -24), (-33, -2), (-37, 18), (-45, 34)), 10, 4.0, 1.3, 2.0),
    # femoral vessels in their fat; sartorius across the front of the thigh
    Plane(((-14, -22), (-12, 24), (-13, 70), (-20, 120), (-30, 180)), 9, 4.0, 6.0, 0.3),
    Plane(((52, -58), (44, -8), (26, 46), (2, 100), (-22, 160)), 5, 1.8, 6.0, 0.5),
    # vastus lateralis, rectus femoris, vastus intermedius on the shaft
    Plane(((64, 30), (71, 72), (70, 120), (66, 180), (62, 250)), 8, 2.0, 9.0, 0.0),
    Plane(((40, 30), (57, 76), (59, 130), (54, 190), (50, 250)), 5, 6.0, 1.6, 0.0),
    Plane(((14, 80), (22, 118), (24, 165), (24, 250)), 6, 7.0, 1.8, 0.0),
    # pectineus, adductor longus, adductor magnus, gracilis
    Plane(((-58, 30), (-36, 48), (-10, 68), (10, 88)), 7, 1.8, 6.0, 0.2),
    Plane(((-66, 46), (-46, 78), (-18, 122), (8, 176)), 9, 6.0, 1.7, 0.2),
    Plane(((-62, 66), (-50, 104), (-30, 156), (-12, 230)), 8, 2.0, 6.0, 0.2),
    Plane(((-70, 74), (-62, 112), (-52, 164), (-44, 240)), 6, 1.8, 3.0, 0.2),
    # lower edge of the gluteus maximus
    Plane(((78, 34), (62, 74), (34, 104), (-4, 124), (-40, 128)), 6, 2.2, 16.0, 0.8),
)
_INGUINAL = ((52, -44), (30, -8), (-4, 34), (-40, 66), (-64, 92))
_GLUTEAL = ((-62, 108), (-30, 124), (10, 127), (46, 116), (72, 98))


def fat_planes(body: Body, grid: Grid, abduction: Mapping[str, float]) -> Tensor:
    """Fat between muscles, in place of muscle along each ray: an image in mm, the same in every radiograph of a patient."""
    rng = np.random.default_rng([body.seed, 1])
    fat = torch.zeros(grid.shape, device=grid.x.device)
    plenty = 1.1 + 1.3 * body.marbling + 0.015 * min(body.fat, 40)
    for plane in _PLANES:
        course = np.asarray(plane.course)
        shared = rng.normal(0, 2.5, size=course.shape)
        depth, wide = plane.depth * plenty * rng.lognormal(0, 0.35), rng.lognormal(0, 0.25)
        for side in HIP.sides:
            own = course + shared + rng.normal(0, 1.0, size=course.shape)
            strength = depth * rng.lognormal(0, 0.2)
            line = placed_course(smooth_curve(own, 14), body, side, abduction[side], plane.follows)
            widths = (plane.lateral * wide, plane.medial * wide)
            near = beside(line, grid, 2.2 * max(widths))
            if near is None:
                continue
            medial = near.across if side == "left" else -near.across
            width = torch.where(medial > 0, widths[1], widths[0])
            share = near.along / near.length
            taper = (5 * share * (1 - share)).clamp(0, 1)
            stripe = torch.exp(-((near.across / (width * (0.4 + 0.6 * taper))) ** 2))
            fat[near.patch] += strength * taper * stripe
    return fat


def fat_streaks(body: Body, grid: Grid, generator: torch.Generator) -> Tensor:
    """Share 0..1 of each muscle path that is fat between its bundles, an image: streaks along the fibres, and lobules."""
    rows, columns = grid.shape
    tall = (rows // 2, columns)
    streaks = smooth_noise(*tall, (9 / grid.spacing, 2.6 / grid.spacing), generator)
    streaks = streaks + 0.8 * smooth_noise(*tall, (20 / grid.spacing, 7 / grid.spacing), generator)
    # Fibres run from the pelvis outwards to the femur: the streaks are sheared, more above than below the hip.
    x, z = grid.x[None, :], grid.z[:, None]
    lean = torch.where(z < 0, 0.75 * z, 0.22 * z) * (x / (0.6 * body.hip)).clamp(-1, 1)
    u = (x - lean - grid.x[0]) / (grid.x[-1] - grid.x[0]) * 2 - 1
    v = ((z - grid.z[0]) / (grid.z[-1] - grid.z[0]) * 2 - 1).expand_as(u)
    sheared = grid_sample(streaks[None, None], torch.stack([u, v], -1)[None], padding_mode="reflection", align_corners=True)[0, 0]
    lobules = smooth_noise(rows, columns, 6 / grid.spacing, generator)
    broad = smooth_noise(rows, columns, 35 / grid.spacing, generator)
    # Streaks belong to the buttocks and thighs, not to the pelvic organs.
    limbs = torch.maximum(torch.sigmoid((x.abs() - 0.8 * body.hip) / 12), torch.sigmoid((z - 70) / 12))
    texture = 0.022 * sheared * limbs + 0.008 * lobules + 0.015 * broad
    return (0.05 + 0.16 * body.marbling + (0.4 + 0.6 * body.marbling) * texture).clamp(0, 0.8)


def folds(body: Body, grid: Grid, abduction: Mapping[str, float]) -> Tensor:
    """Tissue gained (positive, an overhang) or lost (a crease filled with air) along each ray at the folds of skin, mm."""
    rng = np.random.default_rng([body.seed, 2])
    change = torch.zeros(grid.shape, device=grid.x.device)
    heavy = min(1.0, body.fat / 45)
    for side in HIP.sides:
        for course, crease, overhang, follows in (
            (_INGUINAL, rng.uniform(-4, 4) * (0.3 + heavy), rng.uniform(0, 9) * heavy, 0.7),
            (_GLUTEAL, rng.uniform(-5, 4), rng.uniform(-4, 12), 0.0),
        ):
            own = np.asarray(course) + rng.normal(0, 7, size=(len(course), 2))
            line = placed_course(smooth_curve(own, 16), body, side, abduction[side], follows)
            near = beside(line, grid, 34.0)
            if near is None or max(crease, overhang) <= 0:
                continue
            # Both courses begin on one side of the patient: the pelvic side of each is where the overhang lies.
            pelvic = near.across if (side == "left") == (course is _INGUINAL) else -near.across
            share = near.along / near.length
            taper = (4 * share * (1 - share)).clamp(0, 1).sqrt()
            above = torch.sigmoid(pelvic / 0.7) * torch.exp(-pelvic.clamp_min(0) / 12) * (1 - pelvic.clamp(0, 34) / 34)
            line_of_air = torch.exp(-(((pelvic + 1.2) / 2.2) ** 2))
            change[near.patch] += taper * (max(0.0, overhang) * above - max(0.0, crease) * line_of_air)
    if body.pannus:
        change += _pannus(body, grid, rng)
    return change


def _pannus(body: Body, grid: Grid, rng: np.random.Generator) -> Tensor:
    """The overhanging belly: a sheet of fat with a sharp arched edge below, thinning upwards."""
    reach = 0.80 * body.half_width
    low, lift = rng.uniform(28, 62) * body.scale, rng.uniform(40, 75)
    share = (grid.x[None, :] / reach).clamp(-1, 1)
    dip = rng.uniform(-8, 10)
    edge = low - lift * share * share + dip * torch.cos(share * math.pi * 2.2) + 3 * torch.sin(share * 7 + rng.uniform(0, 6))
    above = edge - grid.z[:, None]
    sheet = torch.sigmoid(above / 0.8) * torch.exp(-above.clamp_min(0) / 70)
    # The rounded margin of the fold is thin at its very edge.
    sheet = sheet * (0.35 + 0.65 * (above / 18).clamp(0, 1).sqrt())
    crease = 3.0 * torch.exp(-(((above + 1.5) / 1.4) ** 2))
    return (body.pannus * sheet - crease) * (1 - share**4)
