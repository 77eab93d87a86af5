"""The radiomics of a hip: of its whole proximal femur, of the neck and of the medial cortex."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scripts.clinical.anatomy import HIP
from scripts.measurement.hip_axes import HipAxes
from scripts.measurement.hip_geometry import HipGeometry
from scripts.measurement.outline import Floats, Outline
from scripts.measurement.radiomics.extract import NAMES, extract

REGIONS: Final = ("proximal_femur", "neck_box", "medial_cortex")
"""proximal_femur: all bone above the lower end of DXA's total hip, the head too. The others: `scripts.measurement.regions`."""
HIP_NAMES: Final = tuple(f"{region}.{name}" for region in REGIONS for name in NAMES)
"""Of the 990 features of a hip."""

_BESIDE_MM: Final = (3.0, 15.0)
"""From the femur's outline, of soft tissue that is compared with: beyond the blur of the edge, within the muscle."""
_LEAST_BESIDE_MM2: Final = 100.0
_REACH_MM: Final = 90.0

Mask = NDArray[np.bool_]


def hip_radiomics(image: NDArray[Any], outline: Outline, geometry: HipGeometry) -> Floats:
    """The features `HIP_NAMES` of one hip.

    Grey values are taken less the median of the soft tissue lateral of the femur, which lies under the same beam. A left hip is
    mirrored, as what a wavelet sees along the rows is not the same from left to right.

    Args:
        image: (H, W), normalised, on the grid of the outline.
        outline: of both femurs, or of this one.
        geometry: of this hip.

    Returns:
        (990,); NaN for a region that is not shown as a whole, and for all where the hip has no axes, or no soft tissue is shown
        beside it.
    """
    found = np.full((len(REGIONS), len(NAMES)), np.nan)
    if geometry.axes is not None:
        masks, beside = _regions(outline, geometry, geometry.axes)
        down, right = map(float, outline.spacing_mm)
        if masks and beside.sum() * down * right >= _LEAST_BESIDE_MM2:
            upright = slice(None, None, -1 if geometry.axes.medial[1] < 0 else 1)
            grey = torch.tensor((image - np.median(image[beside]))[:, upright].copy(), dtype=torch.float32)
            values = extract(
                [grey] * len(masks), [torch.tensor(mask[:, upright].copy()) for mask in masks.values()], (down, right)
            )
            found[[REGIONS.index(name) for name in masks]] = values.numpy()
    return found.reshape(-1)


def _regions(outline: Outline, geometry: HipGeometry, axes: HipAxes) -> tuple[dict[str, Mask], Mask]:
    """The regions that are shown as a whole, and the soft tissue beside the shaft."""
    along, across = _places(outline, axes)
    masks = {name: region.mask for name, region in geometry.regions.items() if name in REGIONS}
    size = np.array(outline.femur.shape) * outline.spacing_mm
    head = axes.head_centre - axes.head_radius, axes.head_centre + axes.head_radius
    if "total_hip" in geometry.regions and (head[0] >= 0).all() and (head[1] <= size).all():
        upper = (along < axes.lesser + HIP.dxa.total_below_mm) & (along > -_REACH_MM) & (np.abs(across) < _REACH_MM)
        masks["proximal_femur"] = upper & (outline.femur >= 0.5)
    away = distance_transform_edt(outline.femur < 0.5, sampling=outline.spacing_mm)
    beside = (away > _BESIDE_MM[0]) & (away < _BESIDE_MM[1]) & (along > 0) & (along < _REACH_MM)
    return masks, beside & (across < 0) & (across > -_REACH_MM)


def _places(outline: Outline, axes: HipAxes) -> tuple[Floats, Floats]:
    """How far down the shaft from its base, and how far medial of its axis, each pixel lies, mm."""
    rows, cols = outline.femur.shape
    points = outline.to_mm(np.argwhere(np.ones((rows, cols), dtype=bool))) - axes.base
    return (points @ axes.distal).reshape(rows, cols), (points @ axes.medial).reshape(rows, cols)
