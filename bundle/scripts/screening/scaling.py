"""The scale of a radiograph without a pixel size, from its femoral heads; and what an uncertain scale does to the estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from torch import Tensor

from scripts.clinical import CHANNELS, Caution, Channels, Code, Doubt, Reason
from scripts.clinical.anatomy import HIP, NETWORK_SPACING_MM
from scripts.radiograph.transforms import resample_to_spacing
from scripts.screening.heads import Heads, measure_heads
from scripts.screening.second_reader import Predict, ReadAgain, evidence

HEAD_DIAMETER_MM: Final = {0.0: 43.3, 1.0: 48.5}
"""Mean diameter of the femoral head of women (0) and men (1)."""

HEADS_SPACING_SD: Final = {True: 0.06, False: 0.08}
"""Relative standard deviation of a spacing measured on the heads, where the patient's sex is known, and where it is not: how
heads vary from patient to patient, and what is lost in measuring them."""

BY_HEADS: Final = "femoral heads"
"""The `spacing_source` of a radiograph whose scale was found on them."""

_LONGER_SIDES_MM: Final = (430.0, 350.0, 250.0)
"""First guesses of a radiograph's size: a pelvis on a large detector, a pelvis cropped, one hip."""
_HIP_SEEN: Final = 0.25  # least `evidence` of a reading whose heads are measured for the scale
_SMALLEST_SIDE: Final = 256  # of what the network takes, pixels
_ROUNDS: Final = 2
_SMALL_CHANGE: Final = 0.01
_NO_HEAD: Final = Reason(
    Code.NO_SPACING,
    "The file does not tell the size of a pixel in millimetres, and neither a calibration ball nor a whole femoral head was "
    "found to measure it on; it was not analysed. Export the original DICOM, with its pixel spacing.",
)


def predict_scaled(
    item: dict[str, Any],
    predict: Predict,
    channels: Channels = CHANNELS,
    second_reader: ReadAgain | None = None,
) -> dict[str, Tensor]:
    """Predict for one item, once its scale is known, with the uncertainty that the scale adds.

    Args:
        item: "image", a `MetaTensor` (1, H, W) at 0.3 mm, or of unknown scale (`spacing_mm` None in its meta), and
            "covariates" (4,). An image of unknown scale is replaced by one at 0.3 mm, whose meta says so; where no scale is
            found, the item gets a `refusal` instead.
        predict: the network.
        channels: of the network.
        second_reader: reads the scaled image, and once more where that is doubtful; None reads it once.

    Returns:
        the outputs of `ScreeningNetwork.predict`, the standard deviations widened; empty where refused.
    """
    if item["image"].meta["spacing_mm"] is None:
        scaled = scale_by_heads(item["image"], float(item["covariates"][1]), predict, channels)
        if isinstance(scaled, Reason):
            item["refusal"] = scaled
            return {}
        item["image"] = scaled
    image = item["image"].as_tensor()[None]
    prediction = second_reader(image, predict, channels) if second_reader else predict(image)
    spacing_sd = item["image"].meta.get("spacing_sd", 0.0)
    return widen_intervals(prediction, image, spacing_sd, predict, channels) if spacing_sd else prediction


def scale_by_heads(image: MetaTensor, sex: float, predict: Predict, channels: Channels = CHANNELS) -> MetaTensor | Reason:
    """Bring a radiograph of unknown scale to 0.3 mm, so that its femoral heads have the mean size of the patient's sex.

    Where the two heads differ by more than `HEADS_ALIKE`, one of them counts alone, see `measure_heads`.

    Args:
        image: (1, H, W), normalised; `spacing_mm` in its meta is None.
        sex: 0 female, 1 male, NaN unknown.
        predict: the network.
        channels: of the network.

    Returns:
        The image with `spacing_mm`, `resample_scale` and `affine` as `ResampleRadiographd` sets them, `spacing_source`
        "femoral heads", `spacing_sd`, an assumption, and `cautions` where one head counts alone; a reason of code NO_FEMUR
        where no hip was found, and of code NO_SPACING where none has a head to measure.
    """
    longer = max(image.shape[-2:])
    read = [(side / longer, _predicted(image, side / longer, predict)) for side in _LONGER_SIDES_MM]
    seen = [(evidence(prediction, channels), pixel, prediction) for pixel, prediction in read if prediction is not None]
    sure, pixel, prediction = max(seen, key=lambda one: one[0], default=(0.0, 0.0, {}))
    if sure < _HIP_SEEN:
        return Reason(
            Code.NO_FEMUR,
            "No proximal femur was found on the picture, whatever the size of its pixels may be; expected a clear AP radiograph "
            "of an adult's hip or pelvis. Nothing was measured.",
        )
    expected = HEAD_DIAMETER_MM.get(sex, sum(HEAD_DIAMETER_MM.values()) / len(HEAD_DIAMETER_MM))
    heads = measure_heads(prediction, channels)
    for _ in range(_ROUNDS):
        if heads is None:
            return _NO_HEAD
        change = expected / heads.diameter_mm
        pixel *= change
        if abs(math.log(change)) < _SMALL_CHANGE:
            break
        again = _predicted(image, pixel, predict)
        if again is None or evidence(again, channels) < _HIP_SEEN:
            return _NO_HEAD
        heads = measure_heads(again, channels)
    if heads is None:
        return _NO_HEAD
    return _scaled(image, pixel, expected, sex in HEAD_DIAMETER_MM, heads)


def _scaled(image: MetaTensor, pixel_mm: float, expected_mm: float, sex_known: bool, heads: Heads) -> MetaTensor:
    """The image at 0.3 mm, with what its scale rests on in its meta."""
    scaled = resample_to_spacing(image, (pixel_mm, pixel_mm), NETWORK_SPACING_MM)
    sd = math.hypot(HEADS_SPACING_SD[sex_known], heads.apart / 2 if heads.side else 0.0)
    whose = "the patient's sex" if sex_known else "women and men"
    told = (
        f"The file gives no pixel size: the femoral heads were assumed to be {expected_mm:.1f} mm wide, the mean of {whose}. "
        f"Lengths are uncertain by {sd:.0%}, and the intervals wider for it."
    )
    scaled.meta |= {
        "spacing_source": BY_HEADS,
        "spacing_sd": sd,
        "assumptions": [*scaled.meta["assumptions"], told],
    }
    if heads.side:
        sentence = (
            f"The femoral heads differ by {heads.apart:.0%}, so the pixel size was taken from the {heads.side} one alone, whose "
            "hip is drawn more surely or looks less broken; all intervals are wider for it. Look at the contours, and send the "
            "original DICOM with its pixel size if you can."
        )
        scaled.meta["cautions"] = [Caution(Doubt.ONE_HEAD, sentence)]
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


def _predicted(image: MetaTensor, pixel_mm: float, predict: Predict) -> dict[str, Tensor] | None:
    factor = pixel_mm / NETWORK_SPACING_MM
    if min(image.shape[-2:]) * factor < _SMALLEST_SIDE:
        return None
    return predict(resample_to_spacing(image, (pixel_mm, pixel_mm), NETWORK_SPACING_MM).as_tensor()[None])


def _magnified(image: Tensor, factor: float) -> Tensor:
    size = [max(_SMALLEST_SIDE, round(length * factor)) for length in image.shape[-2:]]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True)
