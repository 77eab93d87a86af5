"""Where in the femurs of a radiograph the mineral lies, whose mean is the density that was estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from monai.networks.utils import eval_mode
from torch import Tensor

from scripts.measurement.hip_geometry import HipGeometry
from scripts.networks import MineralHead
from scripts.networks.mineral import FEMORAL, MAP_FACTOR
from scripts.screening.findings import Seen

_FURTHEST: Final = 4.0
"""By how much a map's own mean may differ from the estimate to be scaled to it; what is further off is no map."""


@dataclass(frozen=True)
class MineralMap:
    """Of one radiograph, each by side, the right hip first, the left one mirrored.

    drawn: (2,), whether there is a map: of a hip that is measured, and shows DXA's region of the total hip as a whole.
    mineral: (2, h, w) g/cm² of the femur, without what of the pelvis lies before and behind it, on pixels of 2.4 mm; its mean
        over ``region`` is the density of the total hip that was estimated.
    region: (2, h, w), how much of a pixel lies in that region, as it was placed on the radiograph, 0 to 1.
    crops: (2, 8 h, 8 w) of the radiograph, 0.3 mm.
    transforms: (2, 2, 3), image (row, col) = A @ (crop row, crop col, 1).
    """

    drawn: tuple[bool, ...]
    mineral: Tensor
    region: Tensor
    crops: Tensor
    transforms: Tensor


class MineralMapper:
    """Draws maps of the mineral: a network tells where it lies, and the estimate of the total hip how much there is.

    Args:
        head: with its weights loaded; what it estimates itself is not used.
        presence_threshold: probability at its peak from which a landmark helps to place what the head sees.
        device: where it runs.
    """

    def __init__(self, head: MineralHead, presence_threshold: float, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.head, self.presence_threshold = head.to(self.device), presence_threshold

    def __call__(self, seen: Seen) -> MineralMap | None:
        """Draw both hips of a radiograph; None where neither is measured."""
        hips = seen.screening.hips
        if all(hip.reason for hip in hips):
            return None
        confidence = seen.prediction["landmark_confidence"]
        told = {
            "image": seen.image.as_tensor(),
            "landmarks": seen.prediction["landmarks"],
            "weight": confidence * (confidence >= self.presence_threshold),
            "valid": torch.tensor([float(hip.reason is None) for hip in hips]),
            "covariates": seen.covariates,
        }
        with torch.inference_mode(), eval_mode(self.head):
            found = self.head.see({key: value[None].float().to(self.device) for key, value in told.items()})
            region = self.on_map(torch.stack([_total_hip(hip, seen) for hip in seen.geometry]), found["transforms"])
        mineral, crops, transforms = (found[key][0].float().cpu() for key in ("mineral", "crops", "transforms"))
        region = torch.stack([region[side, side] for side in range(len(hips))])
        femur = mineral[:, :FEMORAL].sum(dim=1)
        estimated = torch.tensor([hip.estimates["total"].bmd if hip.reason is None else 0.0 for hip in hips])
        area = region.sum(dim=(1, 2))
        scale = estimated * area / (femur * region).sum(dim=(1, 2)).clamp(min=1e-3)
        drawn = tuple(((area > 0) & (scale > 1 / _FURTHEST) & (scale < _FURTHEST)).tolist())
        return MineralMap(drawn, femur * scale.view(-1, 1, 1), region, crops, transforms)

    def on_map(self, values: Tensor, transforms: Tensor) -> Tensor:
        """What is told of a radiograph's pixels, (C, H, W), on the maps of its hips, (2, C, h, w).

        Args:
            values: of the pixels.
            transforms: of the crops, (1, 2, 2, 3), see `MineralMap`.
        """
        placed = self.head.close.sample(values[None].float().to(self.device), transforms.to(self.device))[0]
        return F.avg_pool2d(placed, MAP_FACTOR).cpu()


def _total_hip(hip: HipGeometry, seen: Seen) -> Tensor:
    """DXA's region of a hip, (H, W); empty where it is not shown as a whole."""
    region = hip.regions.get("total_hip")
    return torch.from_numpy(region.mask.astype(np.float32)) if region else torch.zeros(seen.image.shape[-2:])
