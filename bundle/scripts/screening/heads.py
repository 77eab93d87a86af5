"""The femoral heads of a radiograph, as a length of known size: their diameter, and which of two that differ counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from torch import Tensor

from scripts.clinical import CHANNELS, HIP, NETWORK_SPACING_MM, Channels
from scripts.measurement.quality import measure_head_diameter

HEADS_ALIKE: Final = 0.1
"""Relative difference of a person's two heads up to which both count; beyond, one is broken or badly drawn."""


@dataclass(frozen=True)
class Heads:
    """The femoral heads of a radiograph.

    diameter_mm: mean of both, or of the one that counts. apart: by how much they differ, relative to their mean; 0 for one
    alone. side: of the one that counts alone because they differ by more than `HEADS_ALIKE`; "" otherwise.
    """

    diameter_mm: float
    apart: float = 0.0
    side: str = ""


def measure_heads(prediction: Mapping[str, Tensor], channels: Channels = CHANNELS) -> Heads | None:
    """Measure the femoral heads that are seen and carry no metal.

    Where the two differ by more than `HEADS_ALIKE`, that of the hip counts whose drawings' agreement, times its probability of
    being unbroken, is higher.

    Args:
        prediction: outputs of `ScreeningNetwork.predict` for one image at the network's pixel size.
        channels: of the network.

    Returns:
        None where there is none.
    """
    femur = prediction["mask_logits"][0, 0].float().cpu().numpy() > 0
    landmarks = prediction["landmarks"][0].double().cpu().numpy()
    measured = {
        side: measure_head_diameter(femur, landmarks[index], NETWORK_SPACING_MM)
        for index, side in enumerate(HIP.sides)
        if prediction["valid"][0, index] > 0
    }
    found = {side: diameter for side, diameter in measured.items() if diameter is not None}
    if not found:
        return None
    mean = float(np.mean(list(found.values())))
    apart = (max(found.values()) - min(found.values())) / mean
    if apart <= HEADS_ALIKE:
        return Heads(mean, apart)
    side = max(found, key=lambda side: _soundness(prediction, channels, side))
    return Heads(found[side], apart, side)


def _soundness(prediction: Mapping[str, Tensor], channels: Channels, side: str) -> float:
    """How surely a hip is drawn, and looks unbroken: the greater the better."""
    agreement, fracture = (
        float(prediction["channels"][0, channels.index(name, side)]) for name in ("contour_agreement", "fracture_probability")
    )
    return agreement * (1.0 - fracture)
