"""From detector signal to the grey values a vendor stores: logarithm, multi-scale contrast, edge enhancement, S-curve, window."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.xray import low_pass


@dataclass(frozen=True)
class Style:
    """How a vendor makes its films: ``equalise`` 0..1 takes out slow changes, ``sharpen`` adds edges at the scale ``edge``
    (mm), ``curve`` bends the tone curve (0 straight), ``low`` and ``high`` are the percentiles of the exposed field that become
    black and white; ``bits`` are stored, inverted if ``monochrome1``."""

    name: str
    equalise: float
    sharpen: float
    edge: float
    curve: float
    low: float
    high: float
    bits: int
    monochrome1: bool


STYLES = (
    Style("A", 0.55, 0.6, 1.0, 1.2, 2.0, 99.7, 12, False),
    Style("B", 0.70, 1.2, 0.6, 0.6, 1.0, 99.9, 10, True),
    Style("C", 0.45, 0.3, 2.0, 2.0, 5.0, 99.5, 14, False),
    Style("D", 0.85, 0.8, 3.0, 0.0, 0.5, 99.9, 12, False),
)


def vary(style: Style, rng: np.random.Generator) -> Style:
    """The style as a technologist's settings change it from film to film."""
    return Style(
        style.name,
        float(np.clip(style.equalise + rng.normal(0, 0.1), 0, 0.9)),
        float(max(0.0, style.sharpen * rng.uniform(0.5, 1.5))),
        float(style.edge * rng.uniform(0.7, 1.4)),
        float(max(0.0, style.curve + rng.normal(0, 0.4))),
        float(style.low * rng.uniform(0.3, 2.5)),
        float(min(99.95, style.high + rng.normal(0, 0.15))),
        style.bits,
        style.monochrome1,
    )


def process(signal: Tensor, style: Style, spacing: float) -> Tensor:
    """Turn a detector signal (rows, columns), relative to air, into display values 0..1, bone bright.

    Args:
        signal: detector signal, positive.
        style: the vendor's settings.
        spacing: pixel spacing in mm.
    """
    depth = -torch.log(signal.clamp(1e-5, 1.5))
    slow = low_pass(depth, 30 / spacing)
    flat = depth - style.equalise * (slow - slow.mean())
    flat = flat + style.sharpen * (flat - low_pass(flat, style.edge / spacing))
    body = flat[::7, ::7][depth[::7, ::7] > 1.0]
    sample = body if body.numel() > 100 else flat[::7, ::7].flatten()
    low, high = torch.quantile(sample, torch.tensor([style.low / 100, style.high / 100]))
    grey = ((flat - low) / (high - low).clamp_min(1e-3)).clamp(-0.6, 1.6)
    if style.curve > 0.05:
        bent = torch.sigmoid((grey - 0.5) * (2 + style.curve))
        edge = torch.sigmoid(torch.tensor((2 + style.curve) * 0.5))
        grey = (bent - (1 - edge)) / (2 * edge - 1)
    return grey.clamp(0, 1)
