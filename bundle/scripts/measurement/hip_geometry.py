"""The geometry of the hips that were measured: their axes, regions and morphometry, from landmarks and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from monai.transforms import Transform

from scripts.clinical import Screening
from scripts.measurement.hip_axes import HipAxes, find_axes
from scripts.measurement.morphometry import Morphometry, measure_morphometry
from scripts.measurement.outline import Outline
from scripts.measurement.regions import Region, place_regions


@dataclass(frozen=True)
class HipGeometry:
    """Of one hip. A hip that was refused, or whose outline is no femur's, has no axes, no regions, and NaN measures."""

    axes: HipAxes | None = None
    regions: Mapping[str, Region] = field(default_factory=dict)
    morphometry: Morphometry = field(default_factory=Morphometry)


class HipGeometryd(Transform):
    """Adds "geometry", a `HipGeometry` of the right and of the left hip, and the morphometry to the hips of its "screening".

    An item needs "image" (1, H, W), "mask_logits" (3, H, W) without strays, "landmarks" (2, 5, 2), "crops" (2, h, w),
    "crop_transforms" (2, 2, 3) and its "screening".
    """

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Measure one item."""
        outline = Outline(torch.sigmoid(data["mask_logits"][0]).numpy(), tuple(data["image"].meta["spacing_mm"]))
        screening: Screening = data["screening"]
        geometry = tuple(
            HipGeometry() if hip.reason else _geometry(data, outline, index) for index, hip in enumerate(screening.hips)
        )
        hips = tuple(
            replace(hip, values={**hip.values, **asdict(found.morphometry)})
            for hip, found in zip(screening.hips, geometry, strict=True)
        )
        return {**data, "geometry": geometry, "screening": replace(screening, hips=(hips[0], hips[1]))}


def _geometry(data: Mapping[str, Any], outline: Outline, index: int) -> HipGeometry:
    canonical, crop = data["crop_transforms"][index].numpy(), data["crops"].shape[-2:]
    axes = find_axes(outline, data["landmarks"][index].numpy(), canonical)
    if axes is None:
        return HipGeometry()
    regions = place_regions(outline, axes, canonical, (int(crop[0]), int(crop[1])))
    return HipGeometry(axes, regions, measure_morphometry(data["image"][0].numpy(), outline, axes))
