"""What a person corrected on a radiograph, put in the place of what the networks found there, on the screen's own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scripts.clinical import CHANNELS, HIP, Channels
from scripts.radiograph import to_resampled_points
from scripts.screening.second_reader import Predict, SecondReader

CORRECTION: Final = "correction"
"""The key of a radiograph that a person corrected; its value is the `Correction`."""

_HALF_OF_HEADS_MM: Final = 85.0
"""From the middle of a femoral head to the middle of the body; the heads of simulated adults lie at least 155 mm apart."""

_SHARE: Final = 0.02  # of a class in a pixel that is certainly none, or all, of it


@dataclass(frozen=True)
class Correction:
    """What a person made of one radiograph.

    mask: (rows, cols) uint8 on the grid of the file as displayed, values of `HIP.classes`.
    landmarks: (2, 5, 2), (row, col) in the same pixels; NaN where the networks' own stands.
    corrected: of the right and the left hip, whether its contour or landmarks are a person's.
    rejected: of both, whether a person said that it is not to be measured.
    middle: column that parts what belongs to the right hip from what belongs to the left one, see `find_middle`.
    """

    mask: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    corrected: tuple[bool, bool]
    rejected: tuple[bool, bool]
    middle: float


def find_middle(landmarks: NDArray[np.float64], pixel_mm: float, cols: int) -> float:
    """The column half-way between the hips; it may lie beyond a radiograph of one hip.

    Args:
        landmarks: (2, 5, 2) as found, (row, col) in pixels as displayed; NaN where there is none.
        pixel_mm: size of a pixel across.
        cols: of the radiograph.
    """
    heads = landmarks[:, HIP.landmark("head_centre"), 1]
    right, left = np.isfinite(heads)
    if right and left:
        return float(heads.mean())
    if right or left:
        return float(heads[0] + _HALF_OF_HEADS_MM / pixel_mm if right else heads[1] - _HALF_OF_HEADS_MM / pixel_mm)
    return (cols - 1) / 2


def of_hips(shape: tuple[int, int], middle: float) -> NDArray[np.bool_]:
    """Of each pixel whether it belongs to the right and to the left hip: (2, rows, cols)."""
    right = np.broadcast_to(np.arange(shape[1]) <= middle, shape)
    return np.stack((right, ~right))


class CorrectedReader:
    """Reads a radiograph as it is read anyway, and puts a correction in the place of what was found.

    Args:
        predict: the network's own reading.
        network: its `correct` judges anew.
        covariates: (1, 4).
        correction: of this radiograph.
        second_reader: of the screen, if any.
    """

    def __init__(
        self, predict: Predict, network: Any, covariates: Tensor, correction: Correction, second_reader: SecondReader | None
    ) -> None:
        self.read, self.network, self.covariates = predict, network, covariates
        self.correction, self.second_reader = correction, second_reader

    def __call__(self, image: Tensor, predict: Predict, channels: Channels = CHANNELS) -> dict[str, Tensor]:
        """Read, and once more where that is doubtful, as a `SecondReader` does; then correct. ``predict`` corrects by itself."""
        return self._correct(self.second_reader(image, self.read, channels) if self.second_reader else self.read(image), image)

    def predict(self, image: Tensor) -> dict[str, Tensor]:
        """Read an image (1, 1, H, W) of any scale once, and correct."""
        return self._correct(self.read(image), image)

    def _correct(self, reading: dict[str, Tensor], image: Tensor) -> dict[str, Tensor]:
        made, device = self.correction, reading["mask_logits"].device
        shape = (image.shape[-2], image.shape[-1])
        scale = (made.mask.shape[0] / shape[0], made.mask.shape[1] / shape[1])
        points = torch.from_numpy(to_resampled_points(made.landmarks, scale).astype(np.float32)).to(device)
        drawn = to_logits(made.mask, shape).to(device)
        hips = torch.from_numpy(of_hips(shape, (made.middle + 0.5) / scale[1] - 0.5)).to(device)
        corrected = torch.tensor(made.corrected, device=device)
        masks = torch.where((hips & corrected.view(2, 1, 1)).any(dim=0), drawn, reading["mask_logits"])
        found: dict[str, Tensor] = self.network.correct(
            reading,
            image.to(device),
            self.covariates.to(device),
            masks,
            points[None],
            corrected[None],
            torch.tensor([made.rejected], device=device),
        )
        return found


def to_logits(mask: NDArray[np.uint8], shape: tuple[int, int]) -> Tensor:
    """The share of each class in the pixels of another grid over the same field, as logits (3, H, W); 0 at an outline."""
    classes = torch.from_numpy(np.stack([mask == value for value in range(1, len(HIP.classes))]).astype(np.float32))
    shares = F.interpolate(classes[None], size=shape, mode="bilinear", antialias=True, align_corners=False)[0]
    return torch.logit(shares.clamp(_SHARE, 1.0 - _SHARE))
