"""A grade like Singh's of the trabeculae of a proximal femur, from how far the strands of each group stand out on a radiograph.

The groups (Singh et al., JBJS 1970) run in different directions: the compressive ones are fans from the medial cortex, up to the
dome of the head and to the greater trochanter; the tensile ones are arcs from the lateral cortex, under the upper outline of the
neck, to the lower half of the head. Where groups cross, the texture's direction tells how much is left of each. So in each of
four places the radiograph is filtered by line detectors of all directions, and the energy across a group's strands is compared
with the mean over all directions. That is a ratio: gain and contrast of the radiograph cancel. Noise does not: having no
direction, it takes all contrasts towards 0.

Places and directions follow from head, neck and shaft alone; their form is the simulated femur's
(`scripts.simulation.anatomy.femur_bone`). A hip's own coordinates are mm medial and distal of the centre of its head, and most
lengths below are in radii of its head.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq
from scipy.ndimage import distance_transform_edt, gaussian_filter

from scripts.measurement.hip_axes import HipAxes
from scripts.measurement.outline import Floats, Outline

CONTRASTS: Final = {
    "head_tensile": ("head", "tensile"),
    "head_compressive": ("head", "compressive"),
    "neck_compressive": ("neck", "compressive"),
    "lateral_trochanteric": ("lateral", "trochanteric"),
    "middle_secondary": ("middle", "secondary"),
}
"""What is compared: place and group. head: where the principal groups cross in it. neck: between head and trochanters. lateral:
where the principal tensile group passes below the greater trochanter. middle: between the trochanters, round the shaft's axis."""

WEIGHTS_FILE: Final = Path(__file__).with_name("singh.json")
"""Fitted by fit_singh.yaml on simulated patients; it tells which."""

GRADES: Final = (1.0, 6.0)
"""Lowest and highest: I and VI."""

_STEP_MM: Final = 0.3
_ROWS, _COLS = 360, 400  # quick to transform
_FIRST_MM: Final = (-25.0, -88.0)  # distal and medial of the head's centre: 83 mm down, 32 mm medial are the last
_PERIODS_MM: Final = (1.0, 1.8)  # trabeculae as a radiograph shows them stand about so far apart
_OCTAVES: Final = 0.55  # SD of a line detector's band
_DIRECTIONS: Final = 12
_BACKGROUND_MM: Final = 4.0  # what is broader than strands
_DEPTH: Final = 0.2  # of the head's radius, in the bone: the cortex and its edges are no trabeculae
_SPARED: Final = 0.9  # of a place's pixels: the others, of most energy, are edges of other bones
_SMALLEST_MM2: Final = 15.0  # of a place


@dataclass(frozen=True)
class Groups:
    """Where the trabecular groups of one hip are looked for, on a grid of its own coordinates: distal along rows, medial along
    columns, 0.3 mm apart.

    points: (rows, cols, 2), (row, col) in mm of the radiograph, see `Outline`.
    places: by name, (rows, cols) bool, in the bone, without its cortex.
    across: by group, (rows, cols), the direction across its strands, radians from medial towards distal.
    """

    points: Floats
    places: Mapping[str, NDArray[np.bool_]]
    across: Mapping[str, Floats]


def measure_contrasts(image: NDArray[Any], outline: Outline, axes: HipAxes) -> dict[str, float]:
    """Measure how far the strands of the groups stand out.

    Args:
        image: (rows, cols), normalised radiograph, larger = denser.
        outline: of the femurs, on the same grid.
        axes: of this hip.

    Returns:
        `CONTRASTS` by name: log of the energy across the group's strands over the mean of all directions; 0 where there is no
        direction, NaN where less than 15 mm² of the place is in the bone and on the radiograph.
    """
    groups = lay_out(outline, axes)
    strands = outline.sample(image, groups.points)
    strands = np.where(np.isfinite(strands), strands, np.nanmean(image))
    strands = strands - gaussian_filter(strands, _BACKGROUND_MM / _STEP_MM)
    # (periods, directions, rows, cols)
    energy = irfft2(rfft2(strands.astype(np.float32)) * _detectors(), s=strands.shape) ** 2
    return {name: _contrast(energy, groups.places[place], groups.across[group]) for name, (place, group) in CONTRASTS.items()}


def grade_contrasts(contrasts: Mapping[str, float]) -> float:
    """Compute the grade, 1 to 6 and continuous, from `measure_contrasts`; NaN where one of the contrasts is."""
    weights = load_weights()
    grade = weights["intercept"] + sum(weights[name] * contrasts[name] for name in CONTRASTS)
    return float(np.clip(grade, *GRADES))


@lru_cache(maxsize=1)
def load_weights() -> dict[str, float]:
    """Read `WEIGHTS_FILE`: grades of the intercept, and by name of `CONTRASTS`."""
    weights: dict[str, float] = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))["weights"]
    return weights


def lay_out(outline: Outline, axes: HipAxes) -> Groups:
    """Lay the groups out by the hip's own head, neck and shaft; pixels beyond the radiograph are in no place."""
    distal, medial = _grid()
    points = axes.head_centre + distal[..., None] * axes.distal + medial[..., None] * axes.medial
    radius = axes.head_radius
    inside = distance_transform_edt(outline.sample(outline.femur, points) >= 0.5) * _STEP_MM > _DEPTH * radius
    to_base = axes.base - axes.head_centre
    x, z = float(to_base @ axes.medial), float(to_base @ axes.distal)
    centre, arc = _circle(
        # The principal tensile group: lateral cortex below the trochanter, half way up to the neck's upper outline, lower head.
        (x - 0.57 * radius, z + 0.70 * radius),
        _on_neck(x, z, 0.45, 0.25 * axes.neck_width),
        (0.60 * radius, 0.38 * radius),
    )
    from_head = np.hypot(medial, distal)
    on_arc = np.abs(np.hypot(medial - centre[0], distal - centre[1]) - arc)
    lateral = medial < x + 0.5 * radius
    below = distal - z
    places = {
        "head": (from_head < 0.8 * radius) & (on_arc < 0.35 * radius),
        "neck": (from_head > 0.9 * radius) & ~lateral & (below < 0.35 * radius),
        "lateral": (on_arc < 0.3 * radius) & lateral & (below < 0.9 * radius),
        "middle": (np.abs(medial - x) < 0.5 * radius) & (below > -0.6 * radius) & (below < 1.1 * radius),
    }
    return Groups(
        points,
        places={name: place & inside for name, place in places.items()},
        across={
            # Strands of a fan point to its apex, on the medial cortex of the shaft.
            "compressive": np.arctan2(distal - z - 2.87 * radius, medial - x - 0.35 * radius) + np.pi / 2,
            "secondary": np.arctan2(distal - z - 3.39 * radius, medial - x - 1.17 * radius) + np.pi / 2,
            "tensile": np.arctan2(distal - centre[1], medial - centre[0]),
            "trochanteric": np.arctan2(-0.18 * below / radius, 1.0),
        },
    )


def _on_neck(x: float, z: float, along: float, up_mm: float) -> tuple[float, float]:
    """A point (medial, distal) at a part of the way from the head's centre to the base (x, z), so far above the neck's axis."""
    length = math.hypot(x, z)
    return x * along - z / length * up_mm, z * along + x / length * up_mm


def _circle(*points: tuple[float, float]) -> tuple[Floats, float]:
    """Centre and radius of the circle through three points."""
    first, *others = np.array(points)
    chords = np.array(others) - first
    centre = first + np.linalg.lstsq(2 * chords, (chords**2).sum(axis=1), rcond=None)[0]
    return centre, float(np.linalg.norm(first - centre))


def _contrast(energy: NDArray[np.float32], place: NDArray[np.bool_], across: Floats) -> float:
    if place.sum() * _STEP_MM**2 < _SMALLEST_MM2:
        return math.nan
    turn = across[place] / np.pi * _DIRECTIONS
    lower = np.floor(turn).astype(int)
    upper_share = turn - lower
    logs = []
    for of_period in energy[:, :, place]:
        mean = of_period.mean(axis=0)
        kept = np.flatnonzero(mean <= np.quantile(mean, _SPARED))
        one, other = (of_period[(lower[kept] + step) % _DIRECTIONS, kept] for step in (0, 1))
        found = one + upper_share[kept] * (other - one)
        logs.append(math.log((found.mean() + 1e-12) / (mean[kept].mean() + 1e-12)))
    return float(np.mean(logs))


@lru_cache(maxsize=1)
def _grid() -> tuple[Floats, Floats]:
    """Distal and medial coordinates (rows, cols), mm from the centre of the head."""
    rows, cols = (first + _STEP_MM * np.arange(count) for first, count in zip(_FIRST_MM, (_ROWS, _COLS), strict=True))
    distal, medial = np.meshgrid(rows, cols, indexing="ij")
    return distal, medial


@lru_cache(maxsize=1)
def _detectors() -> NDArray[np.float32]:
    """Spectra (periods, directions, rows, cols // 2 + 1) of line detectors, the first across lines along the rows' direction."""
    down, right = fftfreq(_ROWS, _STEP_MM)[:, None], rfftfreq(_COLS, _STEP_MM)[None, :]
    detectors = []
    for period in _PERIODS_MM:
        for turn in np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS:
            across = np.abs(right * np.cos(turn) + down * np.sin(turn))
            along = down * np.cos(turn) - right * np.sin(turn)
            octaves = np.log2((across + 1e-3) * period)
            detectors.append(np.exp(-0.5 * (octaves / _OCTAVES) ** 2 - 2 * (np.pi * along * period) ** 2))
    return np.array(detectors, dtype=np.float32).reshape(len(_PERIODS_MM), _DIRECTIONS, _ROWS, -1)
