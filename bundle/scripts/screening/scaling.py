"""The scale of a radiograph without a pixel size, from its femoral heads; and what an uncertain scale does to the estimates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from torch import Tensor

from scripts.clinical import CHANNELS, Channels, Code, Reason
from scripts.clinical.anatomy import HIP, NETWORK_SPACING_MM
from scripts.measurement.quality import measure_head_diameter
from scripts.radiograph.transforms import resample_to_spacing

HEAD_DIAMETER_MM: Final = {0.0: 43.3, 1.0: 48.5}
"""Mean diameter of the femoral head of women (0) and men (1)."""

HEADS_SPACING_SD: Final = {True: 0.06, False: 0.08}
"""Relative standard deviation of a spacing measured on the heads, where the patient's sex is known, and where it is not: how
heads vary from patient to patient, and what is lost in measuring them."""

BY_HEADS: Final = "femoral heads"
"""The `spacing_source` of a radiograph whose scale was found on them."""

_LONGER_SIDES_MM: Final = (430.0, 350.0, 250.0)
"""First guesses of a radiograph's size: a pelvis on a large detector, a pelvis cropped, one hip."""
_HIP_SEEN: Final = 0.25  # confidence of a hip that is measured for the scale
_SMALLEST_SIDE: Final = 256  # of what the network takes, pixels
_ROUNDS: Final = 2
_SMALL_CHANGE: Final = 0.01

Predict = Callable[[Tensor], dict[str, Tensor]]
"""From an image (1, 1, H, W) at 0.3 mm to the outputs of `ScreeningNetwork.predict`."""


def predict_scaled(item: dict[str, Any], predict: Predict, channels: Channels = CHANNELS) -> dict[str, Tensor]:
    """Predict for one item, once its scale is known, with the uncertainty that the scale adds.

    Args:
        item: "image", a `MetaTensor` (1, H, W) at 0.3 mm, or of unknown scale (`spacing_mm` None in its meta), and
            "covariates" (4,). An image of unknown scale is replaced by one at 0.3 mm, whose meta says so; where no scale is
            found, the item gets a `refusal` of code NO_SPACING instead.
        predict: the network.
        channels: of the network.

    Returns:
        the outputs of `ScreeningNetwork.predict`, the standard deviations widened; empty where refused.
    """
    if item["image"].meta["spacing_mm"] is None:
        scaled = scale_by_heads(item["image"], float(item["covariates"][1]), predict, channels)
        if scaled is None:
            item["refusal"] = Reason(
                Code.NO_SPACING,
                "The file does not tell the size of a pixel in millimetres, and neither a calibration ball nor a femoral head "
                "was found to measure it on; it was not analysed. Export the original DICOM, with its pixel spacing.",
            )
            return {}
        item["image"] = scaled
    image = item["image"].as_tensor()[None]
    prediction = predict(image)
    spacing_sd = item["image"].meta.get("spacing_sd", 0.0)
    return widen_intervals(prediction, image, spacing_sd, predict, channels) if spacing_sd else prediction


def scale_by_heads(image: MetaTensor, sex: float, predict: Predict, channels: Channels = CHANNELS) -> MetaTensor | None:
    """Bring a radiograph of unknown scale to 0.3 mm, so that its femoral heads have the mean size of the patient's sex.

    Args:
        image: (1, H, W), normalised; `spacing_mm` in its meta is None.
        sex: 0 female, 1 male, NaN unknown.
        predict: the network.
        channels: of the network.

    Returns:
        The image with `spacing_mm`, `resample_scale` and `affine` as `ResampleRadiographd` sets them, `spacing_source`
        "femoral heads", `spacing_sd` and an assumption; None where no hip with a visible head was found.
    """
    longer = max(image.shape[-2:])
    best: tuple[float, float, dict[str, Tensor]] | None = None
    for side in _LONGER_SIDES_MM:
        seen = _predicted(image, side / longer, predict)
        if seen is not None and (best is None or _confidence(seen, channels) > best[0]):
            best = (_confidence(seen, channels), side / longer, seen)
    if best is None or best[0] < _HIP_SEEN:
        return None
    _, pixel, prediction = best

    known = sex in HEAD_DIAMETER_MM
    expected = HEAD_DIAMETER_MM[sex] if known else sum(HEAD_DIAMETER_MM.values()) / 2
    for _ in range(_ROUNDS):
        measured = head_diameter(prediction)
        if measured is None:
            return None
        change = expected / measured
        pixel *= change
        if abs(math.log(change)) < _SMALL_CHANGE:
            break
        again = _predicted(image, pixel, predict)
        if again is None or _confidence(again, channels) < _HIP_SEEN:
            return None
        prediction = again

    scaled = resample_to_spacing(image, (pixel, pixel), NETWORK_SPACING_MM)
    sd = HEADS_SPACING_SD[known]
    scaled.meta["spacing_source"] = BY_HEADS
    scaled.meta["spacing_sd"] = sd
    whose = "the patient's sex" if known else "women and men"
    scaled.meta["assumptions"] = [
        *scaled.meta["assumptions"],
        f"The file gives no pixel size: the femoral heads were assumed to be {expected:.1f} mm wide, the mean of {whose}. "
        f"Lengths are uncertain by {sd:.0%}, and the intervals wider for it.",
    ]
    return scaled


def widen_intervals(
    prediction: Mapping[str, Tensor], image: Tensor, spacing_sd: float, predict: Predict, channels: Channels = CHANNELS
) -> dict[str, Tensor]:
    """Add to each estimate's standard deviation, in quadrature, half its change from one end of the scale's range to the other.

    Args:
        prediction: of ``image``.
        image: (1, 1, H, W).
        spacing_sd: relative standard deviation of the pixel size; the ends are one below and one above.
        predict: the network.
        channels: of the network.

    Returns:
        a copy with new "channels". An estimate that only one end has counts with its change from there.
    """
    ends = [predict(_magnified(image, 1 + sign * spacing_sd))["channels"] for sign in (-1, 1)]
    numbers = prediction["channels"].clone()
    for side in HIP.sides:
        for site in HIP.sites:
            mean, sd = (channels.index(f"{site}_{name}", side) for name in ("bmd", "bmd_sd"))
            middle = numbers[:, mean]
            # 0 stands for a hip that was not measured.
            low, high = (torch.where(end[:, mean] > 0, end[:, mean], middle) for end in ends)
            both = (ends[0][:, mean] > 0) & (ends[1][:, mean] > 0)
            spread = (high - low).abs() * torch.where(both, 0.5, 1.0)
            numbers[:, sd] = torch.where(middle > 0, torch.hypot(numbers[:, sd], spread), numbers[:, sd])
    return {**prediction, "channels": numbers}


def head_diameter(prediction: Mapping[str, Tensor]) -> float | None:
    """Measure the femoral heads that are seen and carry no metal.

    Args:
        prediction: outputs of `ScreeningNetwork.predict` for one image at the network's pixel size.

    Returns:
        Mean diameter in mm; None where there is none.
    """
    femur = prediction["mask_logits"][0, 0].float().cpu().numpy() > 0
    landmarks = prediction["landmarks"][0].double().cpu().numpy()
    seen = [index for index in range(len(HIP.sides)) if prediction["valid"][0, index] > 0]
    diameters = [measure_head_diameter(femur, landmarks[index], NETWORK_SPACING_MM) for index in seen]
    found = [diameter for diameter in diameters if diameter is not None]
    return float(np.mean(found)) if found else None


def _predicted(image: MetaTensor, pixel_mm: float, predict: Predict) -> dict[str, Tensor] | None:
    factor = pixel_mm / NETWORK_SPACING_MM
    if min(image.shape[-2:]) * factor < _SMALLEST_SIDE:
        return None
    return predict(resample_to_spacing(image, (pixel_mm, pixel_mm), NETWORK_SPACING_MM).as_tensor()[None])


def _confidence(prediction: Mapping[str, Tensor], channels: Channels) -> float:
    present = [channels.index("landmark_confidence", side) for side in HIP.sides]
    return float((prediction["channels"][0, present] * prediction["valid"][0]).max())


def _magnified(image: Tensor, factor: float) -> Tensor:
    size = [max(_SMALLEST_SIDE, round(length * factor)) for length in image.shape[-2:]]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True)
