"""The geometry of the hips that were measured: their axes, regions and morphometry, from landmarks and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from monai.transforms import Transform

from scripts.measurement.hip_axes import HipAxes, find_axes
from scripts.measurement.morphometry import Morphometry, measure
from scripts.measurement.outline import Outline
from scripts.measurement.regions import Region, place_regions
from scripts.radiograph.isolation import REFUSAL


@dataclass(frozen=True)
class HipGeometry:
    """Of one hip. A hip that was refused, or whose outline is no femur's, has no axes, no regions, and NaN measures."""

    axes: HipAxes | None = None
    regions: Mapping[str, Region] = field(default_factory=dict)
    morphometry: Morphometry = field(default_factory=Morphometry)


class HipGeometryd(Transform):
    """Adds "geometry", a `HipGeometry` of the right and of the left hip.

    An item needs "image" (1, H, W), "mask_logits" (3, H, W) without strays, "landmarks" (2, 5, 2), "crops" (2, h, w),
    "crop_transforms" (2, 2, 3) and its "screening".
    """

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Measure one item; a refused one passes unchanged."""
        if REFUSAL in data:
            return dict(data)
        outline = Outline(torch.sigmoid(data["mask_logits"][0]).numpy(), tuple(data["image"].meta["spacing_mm"]))
        hips = enumerate(data["screening"].hips)
        geometry = tuple(HipGeometry() if hip.reason else _geometry(data, outline, index) for index, hip in hips)
        return {**data, "geometry": geometry}


def _geometry(data: Mapping[str, Any], outline: Outline, index: int) -> HipGeometry:
    canonical, crop = data["crop_transforms"][index].numpy(), data["crops"].shape[-2:]
    axes = find_axes(outline, data["landmarks"][index].numpy(), canonical)
    if axes is None:
        return HipGeometry()
    regions = place_regions(outline, axes, canonical, (int(crop[0]), int(crop[1])))
    return HipGeometry(axes, regions, measure(data["image"][0].numpy(), outline, axes))
