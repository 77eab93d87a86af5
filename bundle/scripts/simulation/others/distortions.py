"""Ordinary radiographs of hips that were spoilt: turned, wrongly scaled, badly exposed, blurred, inverted; and mere noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from scripts.radiograph.geometry import parse_spacing
from scripts.simulation.anatomy.curves import smooth_noise
from scripts.simulation.imaging import take_radiograph
from scripts.simulation.others.scene import Taken
from scripts.simulation.phantom import draw_phantom
from scripts.simulation.physics.processing import Rendering
from scripts.simulation.physics.xray import low_pass
from scripts.simulation.population import draw_person
from scripts.simulation.sites import Site
from scripts.simulation.view import View, draw_view

_SCALES = (0.5, 0.66, 1.5, 2.0)


def _hips(
    rng: np.random.Generator, site: Site, spacing: float | None, change: Callable[[View], View] = lambda view: view
) -> Taken:
    """A radiograph of both hips from the front, taken as ``change`` has it."""
    upright = replace(site, habits=replace(site.habits, one_hip=0.0, frog_leg=0.0))
    phantom = draw_phantom(draw_person(rng, site.population), rng)
    view = change(draw_view(rng, upright, spacing))
    return Taken(take_radiograph(phantom, view, int(rng.integers(2**31))).rendering, view, phantom.body.thickness)


def _with(taken: Taken, values: Tensor) -> Taken:
    return replace(taken, rendering=replace(taken.rendering, values=values.clamp(0, 1).contiguous()))


def upside_down(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """Turned by 180 degrees, or mirrored top to bottom."""
    taken = _hips(rng, site, spacing)
    values = taken.rendering.values
    return _with(taken, values.flip(0, 1) if rng.random() < 0.7 else values.flip(0))


def on_its_side(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """Turned by 90 or 270 degrees."""
    taken = _hips(rng, site, spacing)
    return _with(taken, taken.rendering.values.rot90(int(rng.choice([1, 3]))))


def wrong_scale(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """The header's pixel spacing is half, two thirds, one and a half times or twice the true one.

    Only what a reader may believe is drawn: a spacing that makes the radiograph larger than any counts as missing.
    """
    taken = _hips(rng, site, spacing)
    shape, true = tuple(taken.rendering.values.shape), taken.view.spacing
    wrong = [scale * true for scale in _SCALES if parse_spacing((scale * true, scale * true), (shape[0], shape[1]))]
    return replace(taken, view=replace(taken.view, spacing=float(rng.choice(wrong))))


def overexposed(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """The detector is saturated over much of the patient."""

    def saturated(view: View) -> View:
        return replace(view, exposure=replace(view.exposure, saturation=view.exposure.dose * float(rng.uniform(0.5, 1.5))))

    taken = _hips(rng, site, spacing, saturated)
    return _with(taken, taken.rendering.values)


def clipped(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """A window so narrow that most of the femur is white, or black."""
    taken = _hips(rng, site, spacing)
    values = taken.rendering.values
    low, high = np.quantile(values[::7, ::7].numpy(), [0.35, 0.85])
    if rng.random() < 0.5:
        start, end = low * rng.uniform(0.3, 0.9), low + (high - low) * rng.uniform(0.1, 0.35)
    else:
        start, end = low + (high - low) * rng.uniform(0.75, 0.95), high + (1 - high) * rng.uniform(0.3, 1.0)
    return _with(taken, (values - float(start)) / max(float(end - start), 1e-3))


def underexposed(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """So few quanta that the radiograph is noise with a shadow of a pelvis in it."""

    def dark(view: View) -> View:
        dose = float(np.exp(rng.uniform(np.log(0.001), np.log(0.012))))
        return replace(view, exposure=replace(view.exposure, dose=dose, electronic=0.05, saturation=10.0))

    return _hips(rng, site, spacing, dark)


def blurred(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """Blurred beyond recognition of any edge, with or without noise on top."""
    taken = _hips(rng, site, spacing)
    soft = low_pass(taken.rendering.values, float(rng.uniform(7, 25)) / taken.view.plane.spacing)
    grain = torch.from_numpy(rng.normal(0, rng.uniform(0, 0.02), soft.shape).astype(np.float32))
    return _with(taken, soft + grain)


def inverted(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """Shown bone black, while the header says that it is white."""
    taken = _hips(rng, site, spacing)
    return _with(taken, 1 - taken.rendering.values)


def noise(rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """No picture at all: noise of any grain."""
    view = draw_view(rng, site, spacing)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    plane, values = view.plane, torch.full((view.plane.rows, view.plane.columns), float(rng.uniform(0.2, 0.8)))
    for grain in np.exp(rng.uniform(0, 4, int(rng.integers(1, 4)))):
        values += float(rng.uniform(0.02, 0.25)) * smooth_noise(plane.rows, plane.columns, float(grain), generator)
    rows = torch.from_numpy(rng.normal(0, 0.1 * (rng.random() < 0.3), (plane.rows, 1)).astype(np.float32))
    return Taken(Rendering((values + rows).clamp(0, 1)), view, 200.0)
