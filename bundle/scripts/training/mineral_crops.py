"""What a `scripts.networks.MineralHead` learns from: hips seen closely and widely, with the true map of their mineral."""

import copy
from collections.abc import Hashable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from monai.transforms import RandomizableTransform, Transform
from torch import Tensor

from scripts.clinical.anatomy import NETWORK_SPACING_MM
from scripts.dataset.minerals import MINERAL_STEP
from scripts.networks import HipLocaliser, Surroundings
from scripts.networks.mineral import COMPARTMENTS, MAP_FACTOR, TYPICAL_GAIN
from scripts.training.appearance import smooth
from scripts.training.hip_crops import LandmarkJitter, RandHipCropsd

_DETAIL_MM = 9.0
"""What changes more slowly than this across a crop is soft tissue as much as mineral."""
_LEAST_SD = 0.02  # g/cm²: of what changes more quickly, for the gain to be known


class RandMineralCropsd(RandomizableTransform):
    """Replaces a radiograph by what a mineral head sees of its hips, placed as uncertainly as a segmentation network places them.

    Gives "image" (2, rows, cols), "poses" and "valid" as `RandHipCropsd` does, "around" (2, h, w), see
    `scripts.networks.Surroundings`, and of each hip the truth on the grid of its map: "mineral" (2, 3, rows / 8,
    cols / 8) in g/cm², and "regions" (2, 2, ...), 0..1. "bmd" of a hip that is not valid is NaN.

    Args:
        close, around: those of the head.
        jitter: errors of the landmarks that place the crops; none where None.
        implant_threshold: fraction of metal in the femur's mask from which a hip is not valid.
        map_pixels: of the image, to one of the item's "maps", see `LoadMineralMapsd`.
    """

    def __init__(
        self,
        close: HipLocaliser,
        around: Surroundings,
        jitter: LandmarkJitter | None = None,
        implant_threshold: float = 0.05,
        map_pixels: int = 4,
    ) -> None:
        super().__init__(prob=1.0)
        # The head's own go to its device with it.
        close, around = copy.deepcopy(close).cpu(), copy.deepcopy(around).cpu()
        self.map_pixels = map_pixels
        self.crops = RandHipCropsd(close, around, NETWORK_SPACING_MM, None, implant_threshold)
        self.jitter = jitter or LandmarkJitter()
        # Twice as fine as the head's map, to be averaged as its crops are: `MeasureGaind` compares them.
        factor = MAP_FACTOR // 2
        spacing_mm = close.crop_spacing_mm * factor
        first = [origin + (spacing_mm - close.crop_spacing_mm) / 2 for origin in close.origin_mm]
        self.map = HipLocaliser((close.crop_rows // factor, close.crop_cols // factor), spacing_mm, first)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Crop."""
        points = torch.as_tensor(data["landmarks"]).float()
        weight = torch.isfinite(points).all(dim=2).float()
        guessed = self.jitter.apply(torch.nan_to_num(points), weight, NETWORK_SPACING_MM, self.R)
        moved = torch.where(weight.unsqueeze(2) > 0, guessed, torch.tensor(float("nan")))
        maps = torch.as_tensor(data["maps"]).float()[None]
        rest = {key: value for key, value in data.items() if key != "maps"}
        item = self.crops({**rest, "landmarks": moved})
        placed = self.map.fit((guessed[None] + 0.5) / self.map_pixels - 0.5, weight[None])
        drawn = F.avg_pool2d(self.map.sample(maps, placed)[0], 2)
        mineral = drawn[:, : len(COMPARTMENTS)] * MINERAL_STEP
        return {
            **item,
            "mineral": mineral,
            "regions": drawn[:, len(COMPARTMENTS) :] / 255,
        }


class MeasureGaind(Transform):
    """Adds "gain" (2,) to an item of `RandMineralCropsd`: natural logarithm of the grey that a g/cm² makes in each crop, as it
    now looks, over `TYPICAL_GAIN`. It is the slope of grey on mineral, both without what changes slowly; NaN where the hip is not
    valid.

    Args:
        spacing_mm: of the pixels of a crop.
    """

    def __init__(self, spacing_mm: float) -> None:
        self.spacing_mm = spacing_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Measure."""
        grey, mineral = F.avg_pool2d(data["image"], MAP_FACTOR), data["mineral"].sum(dim=1)
        gain = measure_gain(grey, mineral, MAP_FACTOR * self.spacing_mm)
        return {**data, "gain": torch.where(data["valid"] > 0, gain, torch.tensor(float("nan")))}


def measure_gain(grey: Tensor, mineral: Tensor, spacing_mm: float) -> Tensor:
    """Measure how much grey a g/cm² of mineral makes.

    Args:
        grey: (N, rows, cols) of crops.
        mineral: alike, g/cm².
        spacing_mm: of their pixels.

    Returns:
        (N,) natural logarithm of the slope over `TYPICAL_GAIN`; NaN where mineral hardly varies or the slope is none.
    """
    width = round(_DETAIL_MM / spacing_mm)
    grey, mineral = grey - smooth(grey, width), mineral - smooth(mineral, width)
    variance = mineral.square().mean(dim=(1, 2))
    slope = (grey * mineral).mean(dim=(1, 2)) / variance.clamp(min=1e-8)
    known = (variance > _LEAST_SD**2) & (slope > 0.02 * TYPICAL_GAIN)
    return torch.where(known, torch.log(slope.clamp(min=1e-6) / TYPICAL_GAIN), torch.tensor(float("nan")))
