"""Morphometry of a proximal femur on a radiograph: angle and length of its neck, how thick the cortex of its shaft is, and the
grade of its trabeculae."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from scripts.measurement.hip_axes import HipAxes
from scripts.measurement.outline import Outline
from scripts.measurement.singh import grade_contrasts, measure_contrasts

CANAL_ABOVE_MM: Final = 20.0
"""Where the upper width of the medullary canal is measured, above the tip of the lesser trochanter (Noble et al. 1988)."""

SHAFT_LEVEL_MM: Final = 100.0
"""Where the shaft is measured, below that tip, if the radiograph shows it."""

HIGHEST_LEVEL_MM: Final = 40.0
"""The shaft is not measured above this level: too near to the trochanters."""

_AXIS_REACH_MM: Final = 60.0
_SECTIONS_MM: Final = np.arange(-4.0, 4.1, 0.5)  # cross-sections that are averaged
_DEPTH_STEP_MM: Final = 0.1
_SMOOTH_MM: Final = 0.25
_THICKEST_MM: Final = 10.0  # cortex of the shaft
_THICKEST_ABOVE_MM: Final = 5.0  # cortex above the lesser trochanter, inward of which trabeculae are as dense
_NARROWEST_CANAL: Final = 0.3  # of the shaft; a cortical thickness index of 0.7 is beyond any adult's


@dataclass(frozen=True)
class Morphometry:
    """What is measured of one hip; NaN where it cannot be.

    neck_shaft_deg: between the axes of neck and shaft, as projected.
    neck_axis_length_mm: along the neck's axis, from the lateral outline of the trochanter to the medial outline of the head. The
        hip axis length of DXA goes on through the joint to the inner rim of the pelvis, which no outline of the femur shows.
    neck_width_mm: of the neck, across its axis, where it is narrowest.
    shaft_level_mm: where the shaft was measured, below the tip of the lesser trochanter: at 100 mm, or at the lowest level shown.
    cortical_thickness_index: both cortices together over the shaft's width at that level, 0..1.
    canal_flare_index: width of the canal 20 mm above the lesser trochanter over that at that level, which stands for the isthmus.
    singh_grade: of the trabeculae, like Singh's, 1 (I) to 6 (VI) and continuous; see `scripts.measurement.singh`.
    """

    neck_shaft_deg: float = math.nan
    neck_axis_length_mm: float = math.nan
    neck_width_mm: float = math.nan
    shaft_level_mm: float = math.nan
    cortical_thickness_index: float = math.nan
    canal_flare_index: float = math.nan
    singh_grade: float = math.nan


def measure_morphometry(image: NDArray[Any], outline: Outline, axes: HipAxes) -> Morphometry:
    """Measure one hip.

    Args:
        image: (rows, cols), normalised radiograph, larger = denser.
        outline: of the femurs, on the same grid.
        axes: of this hip.
    """
    medial, lateral = (
        float(outline.reach(point[None], direction, _AXIS_REACH_MM)[0])
        for point, direction in ((axes.head_centre, -axes.neck), (axes.base, axes.neck))
    )
    level = min(SHAFT_LEVEL_MM, axes.lowest - _SECTIONS_MM[-1])
    shown = level >= HIGHEST_LEVEL_MM
    angle = math.degrees(math.acos(float(np.clip(-axes.neck @ axes.distal, -1, 1))))
    shaft = canal = above = math.nan
    if shown:
        shaft, canal = measure_shaft_widths(image, outline, axes, level, _THICKEST_MM)
        _, above = measure_shaft_widths(image, outline, axes, -CANAL_ABOVE_MM, _THICKEST_ABOVE_MM)
    return Morphometry(
        neck_shaft_deg=angle if axes.lowest > 0 else math.nan,
        neck_axis_length_mm=medial + axes.neck_length + lateral,
        neck_width_mm=axes.neck_width,
        shaft_level_mm=level if shown else math.nan,
        cortical_thickness_index=(shaft - canal) / shaft,
        canal_flare_index=above / canal,
        singh_grade=grade_contrasts(measure_contrasts(image, outline, axes)),
    )


def measure_shaft_widths(
    image: NDArray[Any], outline: Outline, axes: HipAxes, level: float, thickest: float
) -> tuple[float, float]:
    """Measure the width of the shaft and of its medullary canal at a level.

    A tube's shadow is densest where rays graze its inner wall: there the cortex ends, whatever tone curve the radiograph has.

    Args:
        image: as for `measure_morphometry`.
        outline: as for `measure_morphometry`.
        axes: as for `measure_morphometry`.
        level: mm below the tip of the lesser trochanter.
        thickest: mm of cortex to look through on either side.

    Returns:
        Both in mm, mean over 8 mm of the shaft; NaN where the shaft is cut off there. The canal is NaN where it would be narrower
        than in any adult, since something else was then taken for its wall.
    """
    starts = axes.on_shaft(level + _SECTIONS_MM, np.zeros(len(_SECTIONS_MM)))
    reaches = [outline.reach(starts, side, _AXIS_REACH_MM) for side in (axes.medial, -axes.medial)]
    width = reaches[0] + reaches[1]
    if not np.isfinite(width).all():
        return math.nan, math.nan
    cortices = []
    for side, reach in zip((axes.medial, -axes.medial), reaches, strict=True):
        depth = np.arange(0.0, min(thickest, float(width.min()) / 2), _DEPTH_STEP_MM)
        points = starts[:, None, :] + (reach[:, None] - depth)[..., None] * side
        profile = gaussian_filter1d(outline.sample(image, points).mean(axis=0), _SMOOTH_MM / _DEPTH_STEP_MM)
        cortices.append(float(depth[int(np.argmax(profile))]))
    mean = float(width.mean())
    canal = mean - sum(cortices)
    return mean, canal if canal >= _NARROWEST_CANAL * mean else math.nan
