"""The quality gate: which radiographs and which hips may be measured, and what the user is told of the others."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.clinical.anatomy import HIP
from scripts.clinical.facts import RadiographFacts
from scripts.clinical.findings import QUANTITIES, Of
from scripts.clinical.limits import NETWORK_GATE_FILE, Limits, load_limits
from scripts.clinical.outcomes import Code, Reason

_SCALED = {None, Code.EXPOSURE, Code.ROTATED}
"""Outcomes of a hip whose head has its true size."""

_BY_VIEW = frozenset({Code.NOT_A_HIP, Code.NOVEL})
"""Reasons that a frog-leg view explains."""


@dataclass(frozen=True)
class Gate:
    """Judges radiographs and hips by limits.

    Args:
        limits: see `Limits`.
        notes: what every result must tell of the limits themselves.
    """

    limits: Limits
    notes: tuple[str, ...] = ()

    def header_reason(self, facts: RadiographFacts) -> Reason | None:
        """Why the whole radiograph is refused by its header or manifest, or None."""
        youngest = self.limits.youngest_age_years
        if facts.age_years is not None and not facts.age_years >= youngest:
            return Reason(
                Code.NOT_ADULT,
                f"The patient is {math.floor(facts.age_years)} years old; only adults of {youngest:.0f} years or more are "
                "measured, because a growing skeleton has no T-score. Correct the age by a manifest if it is wrong.",
            )
        if facts.view not in self.limits.views:
            return Reason(
                Code.NOT_AP,
                f"The header says view {facts.view!r}; BMD is only measured on an AP view of the hip. Send that one.",
            )
        return None

    def picture_reason(self, picture: Mapping[str, float], hips: Sequence[Reason | None]) -> Reason | None:
        """Why the whole radiograph is refused by what the networks see, or None.

        A frog-leg view is no AP view, but one of hips: where all hips shown are refused for that, the hips' reasons stand.

        Args:
            picture: the values of the radiograph, by name.
            hips: of the right and the left hip, why it is refused by itself.
        """
        shown = [reason for reason in hips if reason is None or reason.code is not Code.NO_FEMUR]
        explained = bool(shown) and all(reason is not None and reason.code is Code.NOT_AP for reason in shown)
        return self._ask(Of.RADIOGRAPH, picture, "", _BY_VIEW if explained else frozenset())

    def scale_reason(self, facts: RadiographFacts, hips: Sequence[Reason | None]) -> Reason | None:
        """Why the whole radiograph is refused by the size of its femoral heads, or None; one head of a believable size will do.

        Args:
            facts: `measured`.
            hips: as for `picture_reason`.
        """
        low, high = self.limits.head_diameter_at_least_mm, self.limits.head_diameter_at_most_mm
        heads = [
            measured["head_diameter_mm"]
            for measured, reason in zip(facts.measured, hips, strict=True)
            if "head_diameter_mm" in measured and (reason.code if reason else None) in _SCALED
        ]
        if not heads or any(low <= diameter <= high for diameter in heads):
            return None
        return Reason(
            Code.WRONG_SCALE,
            f"By the pixel size of the file the femoral head would be {heads[0]:.0f} mm wide, but an adult's is {low:.0f} to "
            f"{high:.0f} mm; so the pixel size is wrong, or this is no adult, and nothing was measured. Export the original "
            "DICOM, or correct its pixel spacing.",
        )

    def shows(self, hip: Mapping[str, float]) -> bool:
        """Whether there is a proximal femur at all, measurable or not, by the values of one hip."""
        return hip["landmark_confidence"] >= self.limits.present_at_least

    def hip_reason(self, side: str, hip: Mapping[str, float]) -> Reason | None:
        """Why one hip is refused by what is seen of it, or None.

        Args:
            side: "right" or "left".
            hip: the values of that hip, by name; those of `Source.MEASURED` are left out where nothing was outlined.
        """
        if reason := self._ask(Of.BONE, hip, side):
            return reason
        if not (all(hip[f"{site}_bmd"] > 0 for site in HIP.sites) and math.isfinite(hip["shaft_abduction_deg"])):
            return Reason(
                Code.CUT_OFF, f"The network gave no BMD for the {side} hip, because it is not shown whole; it is not measured."
            )
        return None

    def _ask(self, of: Of, values: Mapping[str, float], side: str, spared: Collection[Code] = ()) -> Reason | None:
        """The first limit, in the order in which they are asked, that a value is beyond; of several at once the furthest."""
        beyond = [
            (limit.asked, -limit.sign * value, limit)
            for quantity in QUANTITIES
            for limit in quantity.limits
            if quantity.of is of and limit.code not in spared
            if not limit.holds(value := values.get(quantity.name, math.nan), getattr(self.limits, limit.name))
        ]
        if not beyond:
            return None
        _, value, limit = min(beyond, key=lambda found: found[:2])
        bound = getattr(self.limits, limit.name)
        return Reason(limit.code, limit.sentence.format(side=side, value=-value, limit=bound))


def load_gate(network_file: str | Path = NETWORK_GATE_FILE, weights_sha256: str | None = None) -> Gate:
    """Read the gate for some weights: the clinical limits, and the networks' thresholds beside the weights.

    Args:
        network_file: as for `load_limits`.
        weights_sha256: as for `load_limits`. Where the thresholds are of other weights, every result says so.

    Raises:
        ValueError: as `load_limits`.
    """
    limits, notes = load_limits(network_file, weights_sha256)
    return Gate(limits, notes)
