"""The axes of one proximal femur on a radiograph: its head's circle, the axis of its neck and that of its shaft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.measurement.outline import Floats, Outline

_HEAD_RADII_MM: Final = (15.0, 34.0)
_HEAD_ARC_DEG: Final = 75.0  # to either side of the neck's axis: beyond, the head runs into the neck
_HEAD_REACH_MM: Final = 45.0
_NECK_REACH_MM: Final = 50.0
_NECK_END: Final = 0.8  # of the way from the head's centre to the base of the neck; beyond, there is trochanter
_NECK_FITTED_MM: Final = 6.0  # to either side of the narrowest place
_BASE_WEIGHT: Final = 0.25  # of the base's landmark, against all middles of the neck: it is less certain, but far from the head
_SHAFT_REACH_MM: Final = 40.0
_SHAFT_STARTS_MM: Final = 20.0  # below the lesser trochanter, whose bulge would turn the axis
_SHAFT_STEP_MM: Final = 2.0
_SHAFT_LONGEST_MM: Final = 106.0
_SHAFT_SHORTEST_MM: Final = 24.0
_CUT_WIDTH: Final = 0.12  # relative change of the shaft's width from one level to the next: there the radiograph ends askew
_ROUNDS: Final = 3


@dataclass(frozen=True)
class HipAxes:
    """Where one femur lies. Points and unit vectors are (row, col) in mm of the patient plane, see `Outline`.

    head_centre, head_radius: of the circle through the head's outline.
    neck: the axis of the neck, from the head's centre to its base. up: across it, towards superior.
    base: where the neck's axis meets the shaft's.
    distal, medial: along the axis of the shaft, and across it.
    lesser: how far below the base of the neck the tip of the lesser trochanter lies, along the shaft, mm.
    narrowest: distance of the neck's narrowest place from the head's centre, mm; neck_width: its width there, mm.
    lowest: how far below the lesser trochanter the shaft is shown, mm; 0 where that is too little to measure its axis, which is
        then the canonical pose's.
    """

    head_centre: Floats
    head_radius: float
    neck: Floats
    up: Floats
    base: Floats
    distal: Floats
    medial: Floats
    lesser: float
    narrowest: float
    neck_width: float
    lowest: float

    @property
    def neck_length(self) -> float:
        """From the head's centre to the base of the neck, mm."""
        return float(np.linalg.norm(self.base - self.head_centre))

    def on_neck(self, along: Any, up: Any) -> Floats:
        """Return the points (..., 2) at distances (mm) from the head's centre along the neck and across it."""
        return self.head_centre + np.multiply.outer(along, self.neck) + np.multiply.outer(up, self.up)

    def on_shaft(self, below: Any, medial: Any) -> Floats:
        """Return the points (..., 2) so far (mm) below the tip of the lesser trochanter along the shaft and medial of it."""
        along = np.multiply.outer(self.lesser + np.asarray(below), self.distal)
        return self.base + along + np.multiply.outer(medial, self.medial)


def find_axes(outline: Outline, landmarks: NDArray[Any], canonical: NDArray[Any]) -> HipAxes | None:
    """Find the axes of one hip.

    The head is the circle through its outline (least squares; Kåsa 1976). The neck's axis runs from its centre through the
    middles of the neck round its narrowest place and the landmark of its base, by least squares. The shaft's is the line through
    the middles of the shaft from 20 mm below the lesser trochanter down to where the radiograph ends, at most to 106 mm.

    Args:
        outline: of both femurs, or of this one.
        landmarks: (5, 2), (row, col) in pixels, in the order of `LANDMARKS`; the shaft's is not used. NaN is unknown.
        canonical: (2, 3), the hip's matrix of `crop_transforms`: its columns are the image's directions of distal and medial.

    Returns:
        The axes; None where the head, the neck or the lesser trochanter is not in the mask or not on the radiograph, or no neck
        narrower than the head is seen.
    """
    points = outline.to_mm(landmarks)
    matrix = np.asarray(canonical, dtype=np.float64)[:, :2] * outline.spacing_mm[:, None]
    if not (np.isfinite(points[:4]).all() and np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 1e-9):
        return None
    centre, base, _, lesser, _ = points
    distal = _unit(matrix[:, 0])
    medial = _unit(_across(distal, matrix[:, 1]))
    head = _fit_head(outline, centre, base)
    if head is None:
        return None
    centre, radius = head
    neck = _fit_neck(outline, centre, radius, base, -distal)
    if neck is None:
        return None
    axis, up, narrowest, width = neck

    level = float((lesser - base) @ distal)
    start = base + (level + _SHAFT_STARTS_MM) * distal
    found = _fit_shaft(outline, start, distal)
    lowest = 0.0
    through = base
    if found is not None:
        through, distal, end = found
        medial = _unit(_across(distal, medial))
        lowest = float((end - lesser) @ distal)
    base = _crossing(centre, axis, through, distal)
    if base is None or float((base - centre) @ axis) < radius:
        return None
    level = float((lesser - base) @ distal)
    return HipAxes(centre, radius, axis, up, base, distal, medial, level, narrowest, width, lowest)


def _fit_head(outline: Outline, centre: Floats, base: Floats) -> tuple[Floats, float] | None:
    """Centre and radius (mm) of the circle through the outline of the head, away from the neck."""
    away = np.arctan2(*(centre - base))
    turns = away + np.radians(np.linspace(-_HEAD_ARC_DEG, _HEAD_ARC_DEG, 61))
    directions = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    reach = outline.reach(np.broadcast_to(centre, directions.shape), directions, _HEAD_REACH_MM)
    edge = (centre + reach[:, None] * directions)[np.isfinite(reach)]
    if len(edge) < len(turns) // 2:
        return None
    for _ in range(2):  # once more without the fovea and what else is no circle
        design = np.column_stack([2 * edge, np.ones(len(edge))])
        solution, *_ = np.linalg.lstsq(design, (edge**2).sum(axis=1), rcond=None)
        centre = solution[:2]
        radius = float(np.sqrt(max(solution[2] + centre @ centre, 0.0)))
        error = np.abs(np.linalg.norm(edge - centre, axis=1) - radius)
        edge = edge[error <= max(1.0, float(np.median(error)) * 2)]
    return (centre, radius) if _HEAD_RADII_MM[0] <= radius <= _HEAD_RADII_MM[1] else None


def _fit_neck(
    outline: Outline, centre: Floats, radius: float, base: Floats, superior: Floats
) -> tuple[Floats, Floats, float, float] | None:
    """The neck's axis, the direction across it, the place of the narrowest width along it and that width, mm; None where it is
    nowhere narrower than the head."""
    axis = _unit(base - centre)
    narrowest, width = 0.0, 0.0
    for _ in range(_ROUNDS):
        up = _unit(_across(axis, superior))
        along = np.arange(0.75 * radius, _NECK_END * float(np.linalg.norm(base - centre)), 0.5)
        starts = centre + along[:, None] * axis
        above, below = outline.reach(starts, up, _NECK_REACH_MM), outline.reach(starts, -up, _NECK_REACH_MM)
        widths = above + below
        if not len(along) or not np.isfinite(widths).any():
            return None
        best = int(np.nanargmin(widths))
        narrowest, width = float(along[best]), float(widths[best])
        near = (np.abs(along - narrowest) <= _NECK_FITTED_MM) & (widths <= 1.15 * width)
        middle = (above - below)[near] / 2
        far, aside, weight = (base - centre) @ axis, (base - centre) @ up, _BASE_WEIGHT * len(middle)
        slope = (middle @ along[near] + weight * far * aside) / (along[near] @ along[near] + weight * far**2)
        axis = _unit(axis + slope * up)
    # Of a femur that is turned far outward the trochanter lies behind the neck, whose outline is then not to be seen.
    return (axis, _unit(_across(axis, superior)), narrowest, width) if width < 2 * radius else None


def _fit_shaft(outline: Outline, start: Floats, distal: Floats) -> tuple[Floats, Floats, Floats] | None:
    """A point on the shaft's axis, its direction, and the lowest middle of the shaft that is shown; None where too little is."""
    through = start
    for _ in range(_ROUNDS):
        middles = _middles(outline, start, distal)
        if len(middles) * _SHAFT_STEP_MM < _SHAFT_SHORTEST_MM:
            return None
        through = middles.mean(axis=0)
        _, _, axes = np.linalg.svd(middles - through)
        distal = axes[0] * np.sign(axes[0] @ distal)
        start = through + ((start - through) @ distal) * distal
    return through, distal, middles[-1]


def _middles(outline: Outline, start: Floats, distal: Floats) -> Floats:
    """Middles (N, 2) of the shaft's cross-sections from a start downwards, until the shaft is cut off."""
    across = np.array([-distal[1], distal[0]])
    middles: list[Floats] = []
    place, width = start, np.nan
    while len(middles) * _SHAFT_STEP_MM < _SHAFT_LONGEST_MM - _SHAFT_STARTS_MM + _SHAFT_STEP_MM:
        one, other = (float(outline.reach(place[None], side, _SHAFT_REACH_MM)[0]) for side in (across, -across))
        if not np.isfinite(one + other) or abs(one + other - width) > _CUT_WIDTH * width:
            break
        width = one + other
        place = place + (one - other) / 2 * across
        middles.append(place)
        place = place + _SHAFT_STEP_MM * distal
    return np.array(middles).reshape(-1, 2)


def _crossing(one: Floats, along_one: Floats, other: Floats, along_other: Floats) -> Floats | None:
    """Where two lines meet; None where they are parallel."""
    matrix = np.column_stack([along_one, -along_other])
    if abs(np.linalg.det(matrix)) < 0.1:
        return None
    distance = np.linalg.solve(matrix, other - one)[0]
    crossing: Floats = one + distance * along_one
    return crossing


def _across(axis: Floats, direction: Floats) -> Floats:
    """The part of a direction that is perpendicular to an axis."""
    return direction - (direction @ axis) * axis


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return unit
