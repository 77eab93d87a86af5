"""Regions of a proximal femur on a radiograph, placed by rule from its axes: where DXA and texture analyses look.

They are those of DXA (`DxaRegions`): a femoral-neck box across the middle of the neck, and a total hip from that box's proximal
edge to below the lesser trochanter. The box on the medial cortex is the bundle's own reading of Kim et al. (Radiology: AI 2022),
who give no measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon

from scripts.clinical.anatomy import HIP
from scripts.measurement.hip_axes import HipAxes
from scripts.measurement.outline import Floats, Outline

REGIONS: Final = ("neck_box", "medial_cortex", "total_hip", "crop")
"""neck_box: across the neck, beside the trochanter. medial_cortex: on the medial cortex of the upper shaft, below the lesser
trochanter. total_hip: the femur lateral of the head, to 10 mm below the lesser trochanter. crop: what the hip networks see."""

_CORTEX_MM: Final = (5.0, 35.0)  # of the medial box, below the lesser trochanter
_CORTEX_OUTSIDE_MM: Final = 2.0
_CORTEX_WIDTH_MM: Final = 14.0
_REACH_MM: Final = 45.0


@dataclass(frozen=True)
class Region:
    """A part of one hip on the radiograph.

    corners: (4, 2), (row, col) in mm of the patient plane from the upper left corner of the displayed radiograph: of a box, or
        of the upright box round the region (along the shaft and across it).
    mask: (rows, cols) bool on the image's grid.
    """

    corners: Floats
    mask: NDArray[np.bool_]


def place_regions(outline: Outline, axes: HipAxes, canonical: NDArray[Any], crop_size: tuple[int, int]) -> dict[str, Region]:
    """Place the regions of one hip.

    Args:
        outline: of both femurs, or of this one.
        axes: of this hip.
        canonical: (2, 3), the hip's matrix of `crop_transforms`.
        crop_size: rows and columns of its crop.

    Returns:
        The regions by name, in the order of `REGIONS`, without those that the radiograph's edge cuts off (a crop may be). The
        masks of the neck box and the total hip hold bone alone, those of the medial box and the crop all pixels in them.
    """
    bone = outline.femur >= 0.5
    half_across, half_along = HIP.dxa.neck_box_mm[0] / 2, HIP.dxa.neck_box_mm[1] / 2
    middle = HIP.dxa.neck_middle * axes.neck_length
    begin = middle - half_along
    neck = _box(axes.head_centre, axes.neck, axes.up, (begin, middle + half_along), (-half_across, half_across))

    offset = float((axes.head_centre - axes.base) @ axes.medial)
    beside, below = HIP.dxa.beside_trochanter * offset, HIP.dxa.below_base_mm
    far = 2 * _REACH_MM
    not_trochanter = _box(axes.base, axes.distal, axes.medial, (-far, below), (beside, far))
    neck_mask = bone & _filled(outline, neck) & _filled(outline, not_trochanter)

    lowest = axes.lesser + HIP.dxa.total_below_mm
    beyond_head = _box(axes.head_centre, axes.neck, axes.up, (begin, begin + 2 * far), (-far, far))
    above_shaft = _box(axes.base, axes.distal, axes.medial, (-far, lowest), (-far, far))
    total_mask = bone & _filled(outline, beyond_head) & _filled(outline, above_shaft)

    found = {"neck_box": Region(neck, neck_mask)}
    edge = _medial_edge(outline, axes)
    if edge is not None:
        at_lesser = axes.on_shaft(0.0, 0.0)
        sides = (edge + _CORTEX_OUTSIDE_MM - _CORTEX_WIDTH_MM, edge + _CORTEX_OUTSIDE_MM)
        cortex = _box(at_lesser, axes.distal, axes.medial, _CORTEX_MM, sides)
        found["medial_cortex"] = Region(cortex, _filled(outline, cortex))
    if total_mask.any():
        points = outline.to_mm(np.argwhere(total_mask)) - axes.base
        along, across = points @ axes.distal, points @ axes.medial
        box = _box(axes.base, axes.distal, axes.medial, (along.min(), lowest), (across.min(), across.max()))
        found["total_hip"] = Region(box, total_mask)
    matrix = np.asarray(canonical, dtype=np.float64)
    rows, cols = crop_size
    corners = np.array([[0, 0, 1], [0, cols - 1, 1], [rows - 1, cols - 1, 1], [rows - 1, 0, 1]]) @ matrix.T
    crop = outline.to_mm(corners)
    found["crop"] = Region(crop, _filled(outline, crop))
    whole = {name: name == "crop" or _is_whole(outline, region.corners) for name, region in found.items()}
    return {name: found[name] for name in REGIONS if whole.get(name) and found[name].mask.any()}


def _medial_edge(outline: Outline, axes: HipAxes) -> float | None:
    """How far medial of the shaft's axis its outline lies, mm, at the lower end of the medial box; None where it is not shown."""
    levels = np.linspace(*_CORTEX_MM, 16)
    reach = outline.reach(axes.on_shaft(levels, np.zeros(len(levels))), axes.medial, _REACH_MM)
    return float(np.median(reach)) if np.isfinite(reach).all() else None


def _box(origin: Floats, one: Floats, other: Floats, along_one: tuple[float, float], along_other: tuple[float, float]) -> Floats:
    """The corners (4, 2) of a rectangle, by its extents along two perpendicular unit vectors from an origin."""
    (a, b), (c, d) = along_one, along_other
    return np.array([origin + u * one + v * other for u, v in ((a, c), (a, d), (b, d), (b, c))])


def _filled(outline: Outline, corners: Floats) -> NDArray[np.bool_]:
    """The pixels inside a polygon."""
    rows, cols = outline.to_pixels(corners).T
    mask = np.zeros(outline.femur.shape, dtype=bool)
    mask[polygon(rows, cols, mask.shape)] = True
    return mask


def _is_whole(outline: Outline, corners: Floats) -> bool:
    """Whether a box lies on the radiograph as a whole."""
    size = np.array(outline.femur.shape) * outline.spacing_mm
    return bool(((corners >= 0) & (corners <= size)).all())
