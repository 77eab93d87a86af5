"""A second reading of radiographs whose first is doubtful: another explanation, and which of the two the evidence supports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from scripts.clinical import CHANNELS, HIP, NETWORK_SPACING_MM, Channels, Of
from scripts.screening.heads import measure_heads

Predict = Callable[[Tensor], dict[str, Tensor]]
"""From an image (1, 1, H, W) at 0.3 mm to the outputs of `ScreeningNetwork.predict`."""

ReadAgain = Callable[[Tensor, Predict, Channels], dict[str, Tensor]]
"""From an image, what predicts on it, and its channels, to the reading that counts, as a `SecondReader` gives it."""

_OF_SIDES: Final = (
    "landmarks", "landmark_confidence", "crops", "around", "crop_transforms", "poses", "valid", "hip_features",
    "fracture_logits", "fracture_transforms", "breaks",
)  # fmt: skip
"""Outputs whose second axis is that of the sides."""

_HEAD: Final = HIP.landmark("head_centre")

_ONE_OF_TWO: Final = 0.8
"""What one hip alone is worth, where two that are as sure are worth 1: a second one counts unless it is much less sure."""


class SecondReader:
    """Looks at a doubtful radiograph once more, in the mirror, and keeps the reading that its drawings support better.

    What finds the hips saw as many left as right ones, so a femur that is there is found from both sides. A reading is doubtful
    where a femur's two drawings differ, or where the two heads do, by more than `HEADS_ALIKE`. A hip that is drawn badly, and
    that the other reading does not find at the same place, is a ghost: it is taken out.

    Args:
        agreement_at_least: Dice of the two drawings of a femur below which a reading is doubtful.
        same_place_mm: distance of two readings' heads up to which they mean one hip.
    """

    def __init__(self, agreement_at_least: float = 0.957, same_place_mm: float = 20.0) -> None:
        self.agreement_at_least = agreement_at_least
        self.same_place = same_place_mm / NETWORK_SPACING_MM

    def __call__(self, image: Tensor, predict: Predict, channels: Channels = CHANNELS) -> dict[str, Tensor]:
        """Predict.

        Args:
            image: (1, 1, H, W) at 0.3 mm.
            predict: the network.
            channels: of the network.

        Returns:
            the outputs of `ScreeningNetwork.predict`, of one of the two readings.
        """
        first = predict(image)
        if not self.is_doubtful(first, channels):
            return first
        second = unmirrored(predict(image.flip(3)), image.shape[3], channels)
        kept, other = sorted((first, second), key=lambda reading: evidence(reading, channels), reverse=True)
        return self._without_ghosts(kept, other, channels)

    def is_doubtful(self, reading: Mapping[str, Tensor], channels: Channels = CHANNELS) -> bool:
        """Whether a reading asks for another."""
        found = of_sides(reading, "landmark_confidence", channels) > 0
        drawn = of_sides(reading, "contour_agreement", channels) >= self.agreement_at_least
        heads = measure_heads(reading, channels)
        return bool((found & ~drawn).any()) or (heads is not None and heads.side != "")

    def _without_ghosts(self, kept: dict[str, Tensor], other: Mapping[str, Tensor], channels: Channels) -> dict[str, Tensor]:
        drawn = of_sides(kept, "contour_agreement", channels) >= self.agreement_at_least
        apart = torch.linalg.vector_norm(kept["landmarks"][0, :, _HEAD] - other["landmarks"][0, :, _HEAD], dim=1)
        again = (of_sides(other, "landmark_confidence", channels) > 0) & (apart <= self.same_place)
        there = (drawn | again).to(kept["channels"].dtype)
        bones = len(channels.of(Of.BONE))
        of_bones = kept["channels"][:, : 2 * bones].view(1, 2, bones) * there.view(1, 2, 1)
        others = kept["channels"][:, 2 * bones :]
        return {
            **kept,
            "channels": torch.cat((of_bones.flatten(1), others), dim=1),
            "valid": kept["valid"] * there.view(1, 2).to(kept["valid"].dtype),
        }


def evidence(reading: Mapping[str, Tensor], channels: Channels = CHANNELS) -> float:
    """How surely the hips of a reading were found and drawn: 0..1.

    Of each hip its landmarks' confidence times its drawings' agreement; of two the mean, of one alone 0.8 of its own.
    """
    found = of_sides(reading, "landmark_confidence", channels) * of_sides(reading, "contour_agreement", channels)
    return float(found.mean() if (found > 0).all() else _ONE_OF_TWO * found.max())


def of_sides(reading: Mapping[str, Tensor], name: str, channels: Channels = CHANNELS) -> Tensor:
    """A channel of the right and the left hip, (2,)."""
    return reading["channels"][0, [channels.index(name, side) for side in HIP.sides]]


def unmirrored(reading: Mapping[str, Tensor], width: int, channels: Channels = CHANNELS) -> dict[str, Tensor]:
    """What a reading of the mirrored image says of the image itself.

    Args:
        reading: outputs of `ScreeningNetwork.predict` for one image.
        width: of the image, pixels.
        channels: of the network.
    """
    turned = {key: value.flip(1) if key in _OF_SIDES else value for key, value in reading.items()}
    turned["mask_logits"] = reading["mask_logits"].flip(3)
    rows, cols = turned["landmarks"].unbind(dim=-1)
    turned["landmarks"] = torch.stack((rows, width - 1 - cols), dim=-1)
    for key in ("crop_transforms", "fracture_transforms"):
        matrix = turned[key].clone()
        matrix[:, :, 1] = -matrix[:, :, 1]
        matrix[:, :, 1, 2] += width - 1
        turned[key] = matrix
    bones = len(channels.of(Of.BONE))
    numbers = reading["channels"]
    of_bones = numbers[:, : 2 * bones].view(-1, 2, bones).flip(1).flatten(1)
    turned["channels"] = torch.cat((of_bones, numbers[:, 2 * bones :]), dim=1)
    turn = channels.index("pelvic_turn_deg")
    turned["channels"][:, turn] = -turned["channels"][:, turn]
    return turned
