"""Gas and stool in the bowel, and the bladder: what lies inside the pelvis and changes between radiographs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.body_shape import Body
from scripts.simulation.anatomy.curves import Grid, beside, smooth_curve, smooth_noise

# Courses in mm for a patient of scale 1: x to the patient's left, z to the feet, the hip centres at z = 0.
_RECTUM = ((4, -84), (-6, -58), (3, -30), (0, 2), (2, 24))
_SIGMOID = ((98, -104), (70, -66), (36, -58), (8, -84), (-26, -92), (-22, -62), (2, -60))
_DESCENDING = ((112, -260), (116, -190), (110, -140), (98, -104))
_CAECUM = ((-112, -260), (-114, -190), (-104, -140), (-92, -102))


@dataclass(frozen=True)
class Segment:
    """A stretch of bowel: its course, its lobes' radius (mm), the share of it that may hold gas, the chance that it does."""

    course: tuple[tuple[float, float], ...]
    radius: float
    share: float
    chance: float


_SEGMENTS = (
    Segment(_RECTUM, 17, 0.9, 0.75),
    Segment(_SIGMOID, 14, 0.5, 0.7),
    Segment(_DESCENDING, 15, 0.7, 0.6),
    Segment(_CAECUM, 24, 0.8, 0.7),
)


def bowel_gas(body: Body, grid: Grid, generator: torch.Generator) -> Tensor:
    """Return the path through gas, an image in mm: lobed where haustra part it, mottled where it is mixed with stool.

    Args:
        body: ``gas`` and ``stool`` say how much; none at all where both are near 0.
        grid: the pixels.
        generator: of this radiograph's bowel.
    """
    gas = torch.zeros(grid.shape, device=grid.x.device)
    draw = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator, device=generator.device)))
    wobble = smooth_noise(*grid.shape, 9 / grid.spacing, generator)
    for segment in _SEGMENTS:
        if body.gas > 0.12 and draw.random() < segment.chance * (0.4 + body.gas):
            _fill(gas, _strayed(segment, body, draw), segment, body, grid, wobble, draw)
    for _ in range(draw.poisson(18 * max(0.0, body.gas - 0.30))):
        start = np.array([draw.uniform(-105, 105), draw.uniform(-220, -45)]) * body.scale
        loop = start + np.cumsum(draw.normal(0, 13, size=(4, 2)), axis=0)
        small = Segment((), float(draw.uniform(6, 14)), 1.0, 1.0)
        _fill(gas, smooth_curve(loop, 12), small, body, grid, wobble, draw)
    if body.gas > 0.5 and draw.random() < 0.25:  # a distended loop, wherever it lies
        start = np.array([draw.uniform(-90, 90), draw.uniform(-180, -50)]) * body.scale
        loop = start + np.cumsum(draw.normal(0, 26, size=(4, 2)), axis=0)
        _fill(gas, smooth_curve(loop, 20), Segment((), float(draw.uniform(18, 30)), 1.0, 1.0), body, grid, wobble, draw)
    if body.gas > 0.3 and draw.random() < 0.05:
        groin = np.array([draw.choice([-1, 1]) * (body.hip - draw.uniform(0, 40)), draw.uniform(10, 70)])
        loop = groin + np.cumsum(draw.normal(0, 14, size=(4, 2)), axis=0)
        _fill(gas, smooth_curve(loop, 12), Segment((), 11, 1.0, 1.0), body, grid, wobble, draw)
    if body.stool > 0.1:
        gas = torch.maximum(gas, _mottles(body, grid, draw, generator))
    return gas


def _strayed(segment: Segment, body: Body, draw: np.random.Generator) -> np.ndarray:
    course = np.asarray(segment.course) + draw.normal(0, 7, size=(len(segment.course), 2)) + draw.normal(0, 8, size=2)
    return smooth_curve(course * body.scale, 60)


def _fill(
    gas: Tensor, course: np.ndarray, segment: Segment, body: Body, grid: Grid, wobble: Tensor, draw: np.random.Generator
) -> None:
    """Blow a stretch of ``course`` up with touching lobes of gas."""
    length = float(np.linalg.norm(np.diff(course, axis=0), axis=1).sum())
    radius = segment.radius * draw.uniform(0.65, 1.25) * (0.75 + 0.5 * body.gas)
    part = segment.share * draw.uniform(0.3, 1.0)
    first = draw.uniform(0, 1 - part)
    lobes = max(2, int(part * length / (0.85 * radius)))
    for share in np.linspace(first, first + part, lobes):
        x, z = course[int(share * (len(course) - 1))] + draw.normal(0, 0.22 * radius, size=2)
        rx, rz = radius * draw.uniform(0.7, 1.2, size=2)
        _blow(gas, (float(x), float(z)), (float(rx), float(rz)), 1.6 * radius * float(draw.uniform(0.5, 1.0)), grid, wobble)


def _blow(gas: Tensor, centre: Sequence[float], radii: tuple[float, float], depth: float, grid: Grid, wobble: Tensor) -> None:
    reach = 1.25 * np.asarray(radii)
    patch = grid.patch(np.asarray(centre) - reach, np.asarray(centre) + reach)
    if patch is None:
        return
    x, z = grid.at(patch)
    ring = ((x - centre[0]) / radii[0]) ** 2 + ((z - centre[1]) / radii[1]) ** 2 + 0.13 * wobble[patch]
    gas[patch] = torch.maximum(gas[patch], depth * (1 - ring).clamp(0, 1).sqrt())


def _mottles(body: Body, grid: Grid, draw: np.random.Generator, generator: torch.Generator) -> Tensor:
    """Small bubbles in stool, which fill a stretch of the colon."""
    mottles = torch.zeros(grid.shape, device=grid.x.device)
    fine, wide = (smooth_noise(*grid.shape, scale / grid.spacing, generator) for scale in (3.2, 11))
    for segment in _SEGMENTS:
        if draw.random() > 0.3 + 0.6 * body.stool:
            continue
        radius = draw.uniform(1.0, 1.6) * segment.radius * draw.uniform(0.8, 1.2)
        near = beside(_strayed(segment, body, draw)[::4], grid, radius)
        if near is None:
            continue
        share = near.along / near.length
        first, last = np.sort(draw.uniform(0, 1, size=2))
        wavy = radius * (0.88 + 0.12 * torch.sin(near.along / radius * 2.6))
        inside = torch.sigmoid((wavy - near.across.abs()) / 1.5) * (share > first - 0.1) * (share < last + 0.1)
        amount = (5.0 + 6.0 * body.stool) * (fine[near.patch] + 0.8 * wide[near.patch] - 0.2).clamp_min(0).sqrt()
        mottles[near.patch] = torch.maximum(mottles[near.patch], inside * amount)
    return mottles


def bladder_water(body: Body, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the path through the bladder's water, in place of pelvic fat, and the thin line of fat about it: images in mm."""
    top = 26 - 82 * body.bladder
    half_height, half_width = (38 - top) / 2, (26 + 32 * body.bladder) * body.scale
    x, z = grid.x[None, :], grid.z[:, None]
    drop = (z / body.scale - (38 + top) / 2) / half_height
    ring = torch.sqrt((x / half_width / (1 + 0.15 * drop)) ** 2 + drop * drop + 1e-6)
    water = (8 + 26 * body.bladder) * (1 - ring * ring).clamp_min(0).sqrt()
    distance = (ring - 1) * min(half_height, half_width)
    line = (5 + 8 * body.bladder) * torch.exp(-(((distance - 1.2) / 1.3) ** 2))
    return water, line * torch.sigmoid((30 - z) / 6)
