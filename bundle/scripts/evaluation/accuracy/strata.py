"""By what is known of a radiograph (site, pose, implant, disease, build), how well femurs, metal and landmarks were found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from scripts.clinical import HIP, Limits, load_gate
from scripts.dataset.truth import Truth
from scripts.evaluation.accuracy.overlap import iou
from scripts.evaluation.accuracy.points import median_and_p95

METAL: Final = ("prosthesis", "fixation")

_JOINTS: Final = ("total_hip", "hemiarthroplasty", "prosthesis")
_NONE: Final = "none"
_FLAT_DEG: Final = 15.0  # of a femur; from there to the gate's limit is the next group
_LEVEL_DEG: Final = 5.0  # of a pelvis; the same
_SEVERE: Final = 0.5  # of osteoarthritis from 0 to 1
_BMI: Final = (25.0, 30.0)
"""kg/m², from which on the WHO calls an adult overweight and obese."""


class Judged(Protocol):
    """One hip, such as a `HipCase`: what was found of it, and which groups it belongs to."""

    @property
    def drawn(self) -> bool:
        """Whether the truth has its head centre."""

    @property
    def found(self) -> bool:
        """Whether the cascade found it."""

    @property
    def swapped(self) -> bool:
        """Whether it was found at the other hip's place."""

    @property
    def dice(self) -> Mapping[str, float]:
        """Of its part of the radiograph, by class; NaN = none."""

    @property
    def landmark_errors_mm(self) -> tuple[float, ...]:
        """NaN = none."""

    @property
    def strata(self) -> Mapping[str, str]:
        """Its groups, by what they are groups of."""


@dataclass(frozen=True)
class Stratum:
    """How well the hips of one group were found; NaN where none has the truth for it.

    by: what is distinguished, such as "implant". group: such as "prosthesis". hips: how many have a mask and a landmark.
    femur_*: Dice and IoU of the hips' parts of the radiographs. prosthesis_*, fixation_*: of those that have it. landmark errors:
    of the hips found, mm. missed, swapped: of ``with_head``, the hips whose head centre is known.
    """

    by: str
    group: str
    hips: int
    femur_dice_mean: float
    femur_iou_mean: float
    femur_iou_worst: float
    prosthesis_hips: int
    prosthesis_iou_mean: float
    fixation_hips: int
    fixation_iou_mean: float
    landmark_median_mm: float
    landmark_p95_mm: float
    with_head: int
    missed: int
    swapped: int


def hip_strata(truth: Truth, side: str, landmarks: NDArray[np.float64]) -> dict[str, str]:
    """The groups that one hip belongs to: name of the distinction -> group. What is unknown gives no group.

    Args:
        truth: of the radiograph.
        side: "right" or "left".
        landmarks: (5, 2) the true ones; NaN = not on the radiograph.
    """
    hip, limits = truth.hips[side], _limits()
    rotation_limit = limits.rotation_inward_at_most_deg if hip.rotation_deg < 0 else limits.rotation_outward_at_most_deg
    found = {
        "site": truth.site,
        "view": truth.view,
        "pelvic turn": _turned(truth.pelvic_turn_deg, _LEVEL_DEG, limits.pelvic_turn_at_most_deg),
        "femoral rotation": _turned(hip.rotation_deg, _FLAT_DEG, rotation_limit, ("inward", "outward")),
        "shown": _shown(landmarks),
        "implant": implant_kind(hip.implant),
        "osteoarthritis": _osteoarthritis(hip.osteoarthritis),
        "fracture": hip.fracture.replace("_", " "),
        "deformity": hip.deformity.replace("_", " "),
        "build": build(truth.weight_kg, truth.height_cm),
    }
    return {name: group for name, group in found.items() if group}


def implant_kind(implant: str) -> str:
    """Which class of a mask an implant of the manifest is, "prosthesis" or "fixation"; "none", and "" where unknown."""
    if implant in ("", _NONE):
        return implant
    return "prosthesis" if implant in _JOINTS else "fixation"


def stratify(hips: Iterable[Judged]) -> list[Stratum]:
    """All hips, then each distinction's groups in turn; of hips that have a true landmark (a group "shown") alone."""
    known = [hip for hip in hips if "shown" in hip.strata]
    strata = [_stratum("all", "", known)] if known else []
    for name in dict.fromkeys(name for hip in known for name in hip.strata):
        strata += [_stratum(name, group, part) for group, part in _groups(known, name)]
    return strata


def hip_femur(hips: Sequence[Judged]) -> dict[str, Any]:
    """Overlap of the femur hip by hip: hips, femur_iou_mean, femur_iou_worst; NaN where there is none."""
    values = _overlaps(hips, "femur")
    return {"hips": len(values), "femur_iou_mean": _mean(iou(values)), "femur_iou_worst": _least(iou(values))}


def _stratum(name: str, group: str, hips: Sequence[Judged]) -> Stratum:
    femur, prosthesis, fixation = (_overlaps(hips, kind) for kind in ("femur", *METAL))
    errors = np.array([error for hip in hips if hip.found for error in hip.landmark_errors_mm if math.isfinite(error)])
    median, p95 = median_and_p95(errors)
    return Stratum(
        by=name,
        group=group,
        hips=len(hips),
        femur_dice_mean=_mean(femur),
        femur_iou_mean=_mean(iou(femur)),
        femur_iou_worst=_least(iou(femur)),
        prosthesis_hips=len(prosthesis),
        prosthesis_iou_mean=_mean(iou(prosthesis)),
        fixation_hips=len(fixation),
        fixation_iou_mean=_mean(iou(fixation)),
        landmark_median_mm=median,
        landmark_p95_mm=p95,
        with_head=sum(hip.drawn for hip in hips),
        missed=sum(hip.drawn and not hip.found for hip in hips),
        swapped=sum(hip.swapped for hip in hips),
    )


def _groups(hips: Sequence[Judged], name: str) -> Iterator[tuple[str, list[Judged]]]:
    for group in sorted({hip.strata[name] for hip in hips if name in hip.strata}, key=_order):
        yield group, [hip for hip in hips if hip.strata.get(name) == group]


def _order(group: str) -> tuple[bool, str]:
    return group not in (_NONE, "AP", "whole") and not group.startswith(("within", "BMI under")), group


def _turned(degrees: float, small: float, large: float, ways: tuple[str, str] = ("", "")) -> str:
    if math.isnan(degrees):
        return ""
    if abs(degrees) <= small:
        return f"within {small:.0f}°"
    way = ways[0] if degrees < 0 else ways[1]
    return f"{small:.0f} to {large:.0f}° {way}".strip() if abs(degrees) <= large else f"over {large:.0f}° {way}".strip()


def _shown(landmarks: NDArray[np.float64]) -> str:
    seen = np.asarray(np.isfinite(landmarks).all(axis=1))
    if not seen.any():
        return ""
    if seen.all():
        return "whole"
    return "shaft cut off" if seen[: HIP.locating].all() else "proximal part cut off"


def _osteoarthritis(degree: float) -> str:
    if math.isnan(degree):
        return ""
    return _NONE if degree == 0 else f"up to {_SEVERE}" if degree <= _SEVERE else f"over {_SEVERE}"


def build(weight_kg: float, height_cm: float) -> str:
    """The group of a build, by the body mass index; "" where weight or height is NaN."""
    bmi = weight_kg / (height_cm / 100) ** 2 if height_cm > 0 else math.nan
    if math.isnan(bmi):
        return ""
    low, high = _BMI
    return f"BMI under {low:.0f}" if bmi < low else f"BMI {low:.0f} to {high:.0f}" if bmi < high else f"BMI over {high:.0f}"


@lru_cache(maxsize=1)
def _limits() -> Limits:
    return load_gate().limits


def _overlaps(hips: Sequence[Judged], name: str) -> NDArray[np.float64]:
    return np.array([hip.dice[name] for hip in hips if math.isfinite(hip.dice.get(name, math.nan))], dtype=np.float64)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _least(values: NDArray[np.float64]) -> float:
    return float(values.min()) if len(values) else math.nan
