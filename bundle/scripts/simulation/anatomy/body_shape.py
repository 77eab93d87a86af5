"""The sizes of a patient's body and the AP thickness of its skin and muscle envelopes over the image plane.

Thickness: supine AP 24 cm (IQR 22.3-28.0) at the iliac crest; 31 ± 11.5 mm of soft tissue lateral to the trochanter in older men.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.curves import Grid
from scripts.simulation.anatomy.pelvis import HALF_HIP_DISTANCE
from scripts.simulation.population import Person

_FREE_ABDUCTION = 10.0  # degrees within which the thighs touch and the skin hardly follows the bone
_TAPER = 0.075  # mm by which a thigh's radius shrinks in each mm towards the knee
_SEAM = 25.0  # mm over which trunk and thigh run into one another
_BULGE_MM = (9.0, 7.0)
"""SD of lean and fat tissue in a bulge."""
_MUSCLE_LEVELS = (-260, -200, -150, -115, -75, -30, 5, 45, 90)
_MUSCLE_HALF_WIDTHS = (121, 123, 134, 149, 152, 147, 149, 155, 156)


@dataclass(frozen=True)
class Bulge:
    """What lies before or behind a place at ``x`` and ``z`` (mm) beyond the smooth shape of the body: ``lean`` and ``fat`` tissue
    (mm, below 0: less) that fades over ``reach`` (SD, mm)."""

    x: float
    z: float
    reach: float
    lean: float
    fat: float


@dataclass(frozen=True)
class Body:
    """Sizes of the soft parts in mm, and what lies in them.

    ``scale`` is that of the pelvis (distance between the hip centres over 176 mm). ``thickness`` is AP at the hips, ``belly``
    that at the iliac crest over it, ``half_width`` lateral at the trochanters, ``waist`` 0..0.2 how far the flanks draw in,
    ``fat`` the thickness under the skin, ``crotch`` its level below the hip centres, ``thigh`` its radius, ``pannus`` the
    thickness of an overhanging belly. ``marbling`` 0..1 is the fat in muscle; ``gas``, ``stool`` and ``bladder`` 0..1 how
    full the organs are; ``calcium`` 0..1 how calcified the arteries are; ``phleboliths`` and ``granulomas`` are counts;
    ``bulges`` make the tissue before and behind a bone another than that beside it; ``seed`` makes what stays the same in all
    radiographs.
    """

    scale: float
    male: bool
    thickness: float
    belly: float
    half_width: float
    waist: float
    fat: float
    crotch: float
    thigh: float
    pannus: float
    marbling: float
    gas: float
    stool: float
    bladder: float
    calcium: float
    phleboliths: int
    granulomas: int
    seed: int
    bulges: tuple[Bulge, ...] = ()

    @property
    def hip(self) -> float:
        """Distance of a hip centre from the midline, mm."""
        return HALF_HIP_DISTANCE * self.scale


def draw_body(person: Person, rng: np.random.Generator, pelvis_scale: float) -> Body:
    """Draw the soft parts of ``person``: thicker with body mass, fattier with age, more calcified in old men.

    Args:
        person: demographics.
        rng: source of everything that varies.
        pelvis_scale: distance between the hip centres over 176 mm.
    """
    male = person.sex == "M"
    load = (person.bmi - 26) / 4.5
    lateral = float(np.clip(rng.normal((31 if male else 36) + 9 * load, 7), 12, 85))
    half_width = HALF_HIP_DISTANCE * pelvis_scale + 62 * pelvis_scale + lateral
    old = max(0.0, person.age - 50)
    obese = 1 / (1 + math.exp(-(person.bmi - 34) / 1.8))
    return Body(
        scale=pelvis_scale,
        male=male,
        thickness=float(np.clip(rng.normal(203 + 24 * load, 13), 150, 330)),
        belly=float(np.clip(rng.normal(1.17 + 0.03 * load, 0.04), 1.02, 1.35)),
        half_width=half_width,
        waist=float(np.clip(rng.normal(0.07 if male else 0.12, 0.03) - 0.015 * load, 0, 0.2)),
        fat=float(np.clip(rng.normal((15 if male else 22) + 8 * load, 4), 4, 65)),
        crotch=float(rng.normal(103, 6) * pelvis_scale),
        thigh=half_width * float(np.clip(rng.normal(0.480 + 0.012 * load, 0.014), 0.44, 0.53)),
        pannus=float(rng.uniform(12, 30) + 6 * max(0.0, load)) if rng.random() < obese else 0.0,
        marbling=float(np.clip(rng.beta(2, 6) + 0.010 * old + 0.05 * load, 0.02, 1)),
        gas=float(rng.beta(1.4, 1.7)),
        stool=float(np.clip(rng.uniform(-0.4, 1.2), 0, 1)),
        bladder=float(rng.beta(1.3, 2)),
        calcium=float(np.clip(rng.normal((person.age - 80 + (5 if male else 0)) / 28, 0.30), 0, 1)),
        phleboliths=int(rng.poisson(3)) if rng.random() < 0.15 + 0.005 * max(0.0, person.age - 30) else 0,
        granulomas=int(rng.integers(1, 4)) if rng.random() < 0.05 else 0,
        seed=int(rng.integers(2**31)),
        bulges=tuple(_draw_bulge(rng, pelvis_scale, load) for _ in range(rng.integers(3, 7))),
    )


def _draw_bulge(rng: np.random.Generator, scale: float, load: float) -> Bulge:
    """A bulge near a hip: muscle before or behind it, or a fold of fat that the table or the other side presses there."""
    side = rng.choice([-1.0, 1.0])
    return Bulge(
        x=float(side * rng.normal(HALF_HIP_DISTANCE + 20, 35) * scale),
        z=float(rng.normal(15, 45) * scale),
        reach=float(rng.uniform(18, 55)),
        lean=float(rng.normal(0, _BULGE_MM[0])),
        fat=float(rng.normal(0, _BULGE_MM[1] * max(0.5, 1 + 0.25 * load))),
    )


def placed_course(course: np.ndarray, body: Body, side: str, abduction: float, follows: float = 0.0) -> np.ndarray:
    """Take a course (n, 2) from a right hip of scale 1 to x and z (mm) of the patient's ``side``.

    Args:
        course: lateral and distal of the hip centre, mm.
        body: gives the scale.
        side: "right" or "left".
        abduction: of the femur, degrees.
        follows: share of the course above which nothing turns with the femur; from there to its end it does so more and more.
    """
    share = np.linspace(0, 1, len(course))
    turn = np.radians(abduction) * np.clip((share - follows) / 0.3, 0, 1)
    lateral, distal = course.T * body.scale
    moved_lateral = lateral * np.cos(turn) + distal * np.sin(turn)
    moved_distal = distal * np.cos(turn) - lateral * np.sin(turn)
    sign = 1 if side == "left" else -1
    return np.stack([sign * (body.hip + moved_lateral), moved_distal], axis=1)


@dataclass(frozen=True)
class Envelope:
    """AP thickness in mm, images (rows, columns): of everything inside the ``skin``, of what lies beneath its ``dermis``, and of
    the ``muscle`` and pelvic contents within the subcutaneous fat."""

    skin: Tensor
    dermis: Tensor
    muscle: Tensor


def envelope(body: Body, grid: Grid, abduction: Mapping[str, float]) -> Envelope:
    """Return the thickness of the body's layers; the thighs follow the ``abduction`` (degrees) of each side's femur."""
    z = grid.z[:, None]
    flank = 1 - body.waist * torch.exp(-(((z + 165) / 75) ** 2)) - 0.03 * (1 - torch.exp(-(((z - 15) / 60) ** 2)))
    width = body.half_width * flank - _TAPER * (z - 40).clamp_min(0)
    depth = body.thickness * (1 + (body.belly - 1) * torch.sigmoid((-z - 55) / 26))
    levels = [level * body.scale for level in _MUSCLE_LEVELS]
    inner = PchipInterpolator(levels, [w * body.scale for w in _MUSCLE_HALF_WIDTHS])(
        np.clip(grid.z.cpu().numpy(), levels[0], levels[-1])
    )
    muscle_width = torch.from_numpy(inner.astype(np.float32)).to(z)[:, None]
    cover = 0.3 * body.fat + 3.0
    spare = body.half_width - _MUSCLE_HALF_WIDTHS[6] * body.scale
    muscle_width = torch.minimum(muscle_width + min(0.25 * spare, 10.0), width - cover)
    muscle_depth = (depth - 1.9 * body.fat).clamp_min(0.55 * body.thickness)
    thigh_fat = min(0.75 * body.fat + 2.0, 0.4 * body.thigh)
    centre = body.half_width - body.thigh
    skin = _extent(body, grid, abduction, width, depth, body.crotch, centre, body.thigh)
    dermis = _extent(body, grid, abduction, width - 1.8, depth - 3.6, body.crotch - 1.8, centre, body.thigh - 1.8)
    muscle = _extent(body, grid, abduction, muscle_width, muscle_depth, body.crotch - cover, centre - 0.12 * thigh_fat,
                     body.thigh - thigh_fat)  # fmt: skip
    dermis = torch.minimum(dermis, skin)
    return Envelope(skin, dermis, torch.minimum(muscle, dermis))


def _extent(
    body: Body,
    grid: Grid,
    abduction: Mapping[str, float],
    width: Tensor,
    depth: Tensor,
    crotch: float,
    centre: float,
    thigh: float,
) -> Tensor:
    x, z = grid.x[None, :], grid.z[:, None]
    across = (x.abs() / width).clamp(0, 1)
    # The trunk rounds off to the perineum at the midline and, lower, to the buttocks at the sides.
    bottom = crotch - 20 + 38 * across * across + 22 * (1 - torch.exp(-((x / 17) ** 2)))
    end = (1 - ((z - 20) / bottom).clamp(0, 1) ** 2).sqrt()
    squared = across * across
    extent = depth * end * (1 - squared * across.sqrt().sqrt() * across).clamp_min(0).sqrt()
    flat = min(1.9, 0.9 * body.thickness / body.thigh)
    for side, lateral in zip(HIP.sides, (-x, x), strict=True):
        tilt = math.radians(max(0.0, abduction[side] - _FREE_ABDUCTION))
        beside = lateral - body.hip
        offset = beside * math.cos(tilt) - z * math.sin(tilt) - (centre - body.hip)
        along = beside * math.sin(tilt) + z * math.cos(tilt)
        below = (along - 40).clamp_min(0)
        radius = (thigh - _TAPER * below).clamp_min(10)
        ring = (offset / radius).abs().clamp_max(1)
        limb = flat * radius * (1 - ring * ring * ring).sqrt() * torch.sigmoid((along - 20) / 20)
        # Rounded where both are thick; no swelling of the edges, where one of them ends.
        near = (1 - (extent - limb).abs() / _SEAM).clamp_min(0)
        seam = 0.25 * _SEAM * near * near * (torch.minimum(extent, limb) / 60).clamp(0, 1)
        extent = torch.maximum(extent, limb) + seam
    return extent


def bulging(body: Body, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the lean and the fat tissue (mm, images (rows, columns)) by which the body's bulges differ from its smooth shape."""
    lean, fat = torch.zeros(grid.shape, device=grid.x.device), torch.zeros(grid.shape, device=grid.x.device)
    for bulge in body.bulges:
        across = torch.exp(-((grid.x[None, :] - bulge.x) / bulge.reach).square() / 2)
        along = torch.exp(-((grid.z[:, None] - bulge.z) / bulge.reach).square() / 2)
        lean.addcmul_(along, across, value=bulge.lean)
        fat.addcmul_(along, across, value=bulge.fat)
    return lean, fat
