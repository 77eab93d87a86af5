"""Why a femur's contour is wrong, in one sentence: what was drawn instead of what, where, and what is known of the radiograph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from scripts.clinical.anatomy import HIP
from scripts.dataset.truth import TrueHip, Truth
from scripts.evaluation.accuracy.overlap import nearer_parts
from scripts.evaluation.accuracy.strata import Judged

_FEMUR: Final = HIP.classes.index("femur")
_LEAST_CM2: Final = 1.0
_MOST: Final = 2  # errors told
_PLACES: Final = ("femoral head", "neck", "greater trochanter", "lesser trochanter", "shaft")
_HEAD, _GREATER, _LESSER, _SHAFT = (
    HIP.landmarks.index(name) for name in ("head_centre", "greater_trochanter", "lesser_trochanter", "shaft")
)
_NAMES: Final = {"total_hip": "total hip replacement"}


def explain(
    truth: Truth,
    hips: Sequence[Judged],
    found: NDArray[np.uint8],
    true: NDArray[np.uint8],
    points: NDArray[np.float64],
    centres: NDArray[np.float64],
    spacing_mm: tuple[float, float],
) -> str:
    """One sentence: what is wrong with the femurs' contours, and in brackets what is known of the radiograph.

    Args:
        truth: of the same radiograph.
        hips: right and left.
        found: (rows, cols) classes drawn, as displayed.
        true: (rows, cols) true classes.
        points: (2, 5, 2) true landmarks in these pixels; NaN = unknown.
        centres: (2, 2) middle of each hip's landmarks; NaN = unknown.
        spacing_mm: of the pixels.
    """
    wrong = [f"the {side} hip was missed" for side, hip in zip(HIP.sides, hips, strict=True) if hip.drawn and not hip.found]
    wrong += [f"the {side} hip was found at the other's place" for side, hip in zip(HIP.sides, hips, strict=True) if hip.swapped]
    wrong += _areas(found, true, points, spacing_mm)
    known = [*_known_of_radiograph(truth, hips)]
    parts = nearer_parts(true.shape, centres)
    for index, side in enumerate(HIP.sides):
        told = [*_known_of_hip(truth.hips[side], hips[index])]
        told += _cut_off((true == _FEMUR) & parts[index], points[index], spacing_mm)
        if told:
            known.append(f"{side} hip: {', '.join(told)}")
    sentence = "; ".join(wrong) or f"no error of {_LEAST_CM2:.0f} cm² or more"
    return f"{sentence[0].upper()}{sentence[1:]} ({'; '.join(known) or 'nothing else is known of this radiograph'})."


def _areas(
    found: NDArray[np.uint8], true: NDArray[np.uint8], points: NDArray[np.float64], spacing_mm: tuple[float, float]
) -> list[str]:
    """What was drawn in place of what, largest area first."""
    pixel_cm2 = spacing_mm[0] * spacing_mm[1] / 100
    errors = []
    for drawn, real, what in _kinds():
        wrong = (found == drawn) & (true == real)
        area = float(np.count_nonzero(wrong)) * pixel_cm2
        if area >= _LEAST_CM2:
            errors.append((area, f"{area:.0f} cm² {what}, {_place(wrong, points, spacing_mm)}"))
    return [text for _, text in sorted(errors, reverse=True)[:_MOST]]


def _kinds() -> Iterator[tuple[int, int, str]]:
    """Class drawn, true class, and how to say so, for every confusion of the femur."""
    yield 0, _FEMUR, "of femur left out"
    yield _FEMUR, 0, "beside the bone outlined as femur"
    for metal in range(_FEMUR + 1, len(HIP.classes)):
        yield _FEMUR, metal, f"of {HIP.classes[metal]} outlined as femur"
        yield metal, _FEMUR, f"of femur outlined as {HIP.classes[metal]}"


def _place(wrong: NDArray[np.bool_], points: NDArray[np.float64], spacing_mm: tuple[float, float]) -> str:
    """Where the largest piece of an error lies, by the nearest true landmark."""
    pieces, _ = label(wrong)
    sizes = np.bincount(pieces.ravel())[1:]
    largest = int(sizes.argmax()) + 1
    offsets = (points - np.argwhere(pieces == largest).mean(axis=0)) * spacing_mm
    distances = np.hypot(offsets[..., 0], offsets[..., 1])
    if 2 * sizes[largest - 1] < sizes.sum():
        return "in several places"
    if np.isnan(distances).all():
        return "in one piece"
    side, landmark = np.unravel_index(int(np.nanargmin(distances)), distances.shape)
    return f"most of it near the {HIP.sides[side]} {_PLACES[landmark]}"


def _known_of_radiograph(truth: Truth, hips: Sequence[Judged]) -> Iterator[str]:
    strata = {name: group for hip in hips for name, group in hip.strata.items()}
    if strata.get("site"):
        yield f"site {strata['site']}"
    if strata.get("view"):
        yield f"{strata['view']} view"
    if not strata.get("pelvic turn", "within").startswith("within"):
        yield f"pelvis turned {abs(truth.pelvic_turn_deg):.0f}°"
    if "over" in strata.get("build", ""):
        yield strata["build"]


def _known_of_hip(truth: TrueHip, hip: Judged) -> Iterator[str]:
    states = ((truth.implant, truth.is_implanted), (truth.fracture, truth.is_broken), (truth.deformity, truth.is_deformed))
    for name, known in states:
        if known:
            yield _NAMES.get(name, name.replace("_", " "))
    if hip.strata.get("osteoarthritis", "none").startswith("over"):
        yield "severe osteoarthritis"
    if (turned := hip.strata.get("femoral rotation", "within")).startswith("over"):
        yield f"femur turned {turned}"


def _cut_off(femur: NDArray[np.bool_], points: NDArray[np.float64], spacing_mm: tuple[float, float]) -> Iterator[str]:
    """What of a hip is not on the radiograph; `femur` (rows, cols) is its true mask, `points` (5, 2) its true landmarks."""
    seen = np.asarray(np.isfinite(points).all(axis=1))
    if not seen.any():
        return
    hidden = [_PLACES[place] for place in (_HEAD, _GREATER, _LESSER) if not seen[place]]
    if hidden:
        yield f"{' and '.join(hidden)} not on the radiograph"
    if seen[_LESSER] and seen[_HEAD] and not seen[_SHAFT]:
        offsets = (np.argwhere(femur) - points[_LESSER]) * spacing_mm
        down = offsets @ ((points[_LESSER] - points[_HEAD]) * spacing_mm)
        length = math.sqrt(float(((offsets[down > 0]) ** 2).sum(axis=1).max(initial=0.0)))
        yield f"cut off {length:.0f} mm below the lesser trochanter"
