"""The quality gate: which radiographs and which hips may be measured, and what the user is told of the others."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.clinical.outcomes import Code, Reason

GATE_FILE: Final = Path(__file__).with_name("gate.json")


@dataclass(frozen=True)
class RadiographFacts:
    """What the header and the manifest say of a radiograph.

    Args:
        age_years: None where unknown.
        sex: "F", "M", or None where unknown.
        view: "AP", another projection, or "" where unknown.
        laterality: "R", "L", "B" (both) or "" where unknown.
        assumptions: sentences on what the reader had to assume.
    """

    age_years: float | None = None
    sex: str | None = None
    view: str = ""
    laterality: str = ""
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gate:
    """The limits of what is measured.

    Args:
        youngest_age_years: below it the radiograph is refused.
        views: the projections that are measured ("" = unknown).
        present_at_least: landmark confidence, 0..1, below which there is no proximal femur.
        complete_at_least: landmark confidence, 0..1, below which a part of the femur is not shown.
        implant_at_most: fraction of metal in the proximal femur, 0..1, above which it is an implant.
        shaft_angle_at_most_deg: abduction or adduction of the shaft, degrees, beyond which it is no AP view.
    """

    youngest_age_years: float
    views: tuple[str, ...]
    present_at_least: float
    complete_at_least: float
    implant_at_most: float
    shaft_angle_at_most_deg: float

    def radiograph_reason(self, facts: RadiographFacts) -> Reason | None:
        """Why the whole radiograph is refused by what its header says, or None."""
        if facts.age_years is not None and facts.age_years < self.youngest_age_years:
            return Reason(
                Code.NOT_ADULT,
                f"The patient is {math.floor(facts.age_years)} years old; only adults of "
                f"{self.youngest_age_years:.0f} years or more are measured, because a growing skeleton has no T-score.",
            )
        if facts.view not in self.views:
            return Reason(Code.NOT_AP, f"The header says view {facts.view!r}; BMD is only measured on an AP view of the hip.")
        return None

    def shows(self, hip: Mapping[str, float]) -> bool:
        """Whether there is a proximal femur at all, measurable or not, by one hip's `HIP_CHANNELS`."""
        return hip["present"] >= self.present_at_least

    def hip_reason(self, side: str, hip: Mapping[str, float]) -> Reason | None:
        """Why one hip is refused by what the network sees, or None.

        The order matters: metal and a turned femur both also lower the landmarks' confidence, and are the truer reason.

        Args:
            side: "right" or "left".
            hip: the `HIP_CHANNELS` of that hip.
        """
        # Every comparison is written so that a NaN refuses the hip.
        if not self.shows(hip):
            return Reason(Code.NO_FEMUR, f"No proximal femur found on the {side} side.")
        if not hip["implant"] <= self.implant_at_most:
            return Reason(
                Code.IMPLANT,
                f"Metal covers {hip['implant']:.0%} of the {side} proximal femur; the BMD of an implanted hip is not measured.",
            )
        angle = hip["shaft_angle"]
        if abs(angle) > self.shaft_angle_at_most_deg:
            turned = "abducted" if angle > 0 else "adducted"
            like = " as in a frog-leg view" if angle > 0 else ""
            return Reason(
                Code.NOT_AP,
                f"The {side} femur is {turned} by {abs(angle):.0f} degrees{like} (at most "
                f"{self.shaft_angle_at_most_deg:.0f} are allowed); BMD is only measured on an AP view.",
            )
        if not hip["present"] >= self.complete_at_least:
            return Reason(
                Code.CUT_OFF,
                f"The {side} proximal femur is not shown whole and clear (landmark confidence {hip['present']:.2f}, "
                f"expected {self.complete_at_least:.2f} or more); it is not measured.",
            )
        if not (hip["neck_bmd"] > 0 and hip["total_bmd"] > 0 and math.isfinite(angle)):
            return Reason(Code.CUT_OFF, f"The network gave no BMD for the {side} hip, because it is not shown whole.")
        return None


def load_gate(path: Path = GATE_FILE) -> Gate:
    """Read the limits from their versioned JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["version"]
    return Gate(**{**content, "views": tuple(content["views"])})
