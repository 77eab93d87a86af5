"""Errors of landmarks as a network makes them, so that what is trained on crops sees crops placed as badly as in use."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class LandmarkJitter:
    """Standard deviations of the errors of a hip's landmarks; all 0 changes nothing.

    Args:
        landmark_sd_mm: of each landmark, per axis.
        shift_sd_mm: of a shift common to a hip's landmarks.
        scale_sd: of their common magnification (natural logarithm).
        turn_sd_degrees: of their common rotation.
    """

    landmark_sd_mm: float = 0.0
    shift_sd_mm: float = 0.0
    scale_sd: float = 0.0
    turn_sd_degrees: float = 0.0

    def apply(self, points: Tensor, weight: Tensor, spacing_mm: float, random: np.random.RandomState) -> Tensor:
        """Move landmarks.

        Args:
            points: (2, 5, 2), (row, col) in pixels of ``spacing_mm``.
            weight: (2, 5), 0 for a landmark that is not visible.
            spacing_mm: pixel size.
            random: source of the errors.

        Returns:
            (2, 5, 2).
        """

        def normal(size: Sequence[int], sd: float) -> Tensor:
            return torch.as_tensor(random.normal(0.0, 1.0, size=tuple(size)) * sd, dtype=torch.float32)

        seen = weight.unsqueeze(2)
        centre = (points * seen).sum(dim=1, keepdim=True) / seen.sum(dim=1, keepdim=True).clamp(min=1.0)
        angle = torch.deg2rad(normal((2, 1), self.turn_sd_degrees))
        cos, sin = torch.cos(angle), torch.sin(angle)
        offset = (points - centre) * torch.exp(normal((2, 1, 1), self.scale_sd))
        turned = torch.stack((cos * offset[..., 0] - sin * offset[..., 1], sin * offset[..., 0] + cos * offset[..., 1]), 2)
        shift = normal((2, 1, 2), self.shift_sd_mm) + normal((2, 5, 2), self.landmark_sd_mm)
        return centre + turned + shift / spacing_mm
