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
_REACH_MM: Final = 90.0


def hip_radiomics(image: NDArray[Any], outline: Outline, geometry: HipGeometry) -> Floats:
    """The features `HIP_NAMES` of one hip.

    Grey values are taken less the median of the soft tissue lateral of the femur, which lies under the same beam.

    Args:
        image: (H, W), normalised, on the grid of the outline.
        outline: of both femurs, or of this one.
        geometry: of this hip.

    Returns:
        (990,); NaN for a region that is not shown as a whole, and for all where the hip has no axes.
    """
    found = np.full((len(REGIONS), len(NAMES)), np.nan)
    if geometry.axes is not None:
        along, across = _places(outline, geometry.axes)
        masks = {name: region.mask for name, region in geometry.regions.items() if name in REGIONS}
        if "total_hip" in geometry.regions:  # else the radiograph ends above its lower end
            upper = (along < geometry.axes.lesser + HIP.dxa.total_below_mm) & (along > -_REACH_MM) & (np.abs(across) < _REACH_MM)
            masks["proximal_femur"] = upper & (outline.femur >= 0.5)
        away = distance_transform_edt(outline.femur < 0.5, sampling=outline.spacing_mm)
        beside = (away > _BESIDE_MM[0]) & (away < _BESIDE_MM[1]) & (along > 0) & (along < _REACH_MM) & (across < 0)
        beside &= across > -_REACH_MM
        if masks and beside.any():
            grey = torch.from_numpy(np.asarray(image - np.median(image[beside]), dtype=np.float32))
            down, right = map(float, outline.spacing_mm)
            values = extract([grey] * len(masks), [torch.from_numpy(mask) for mask in masks.values()], (down, right))
            found[[REGIONS.index(name) for name in masks]] = values.numpy()
    return found.reshape(-1)


def _places(outline: Outline, axes: HipAxes) -> tuple[Floats, Floats]:
    """How far down the shaft from its base, and how far medial of its axis, each pixel lies, mm."""
    rows, cols = outline.femur.shape
    points = outline.to_mm(np.argwhere(np.ones((rows, cols), dtype=bool))) - axes.base
    return (points @ axes.distal).reshape(rows, cols), (points @ axes.medial).reshape(rows, cols)
