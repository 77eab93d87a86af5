"""The quality gate: which radiographs and which hips may be measured, and what the user is told of the others."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.clinical.anatomy import HIP
from scripts.clinical.facts import RadiographFacts
from scripts.clinical.findings import QUANTITIES, Limit, Of
from scripts.clinical.limits import NETWORK_GATE_FILE, Limits, load_limits
from scripts.clinical.outcomes import Caution, Code, Reason

_SCALED = {None, Code.EXPOSURE, Code.ROTATED}
"""Outcomes of a hip whose head has its true size."""

_BY_VIEW = frozenset({Code.NOT_A_HIP, Code.NOVEL})
"""Reasons that a frog-leg view explains."""

FOREMOST = frozenset({Code.FRACTURE, Code.IMPLANT, Code.NOT_ADULT})
"""Reasons of a hip that its reader must be told, whatever else is wrong with the picture."""


@dataclass(frozen=True)
class Judgement:
    """One hip, judged by itself.

    shown: whether there is a proximal femur at all, measurable or not. sound: whether it keeps every limit that decides alone,
    and its head has an adult's size. reason: why it is refused, or None. cautions: doubts with which a sound hip is measured.
    """

    shown: bool
    sound: bool
    reason: Reason | None
    cautions: tuple[Caution, ...] = ()


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

    def picture_reason(self, picture: Mapping[str, float], hips: Sequence[Judgement]) -> Reason | None:
        """Why the whole radiograph is refused by what the networks see, or None.

        A frog-leg view is no AP view, but one of hips: where all hips shown are refused for that, the hips' reasons stand. A
        limit that does not decide alone refuses only where no hip is `Judgement.sound`.

        Args:
            picture: the values of the radiograph, by name.
            hips: the right and the left hip, judged by themselves.
        """
        shown = [hip.reason for hip in hips if hip.shown]
        explained = bool(shown) and all(reason is not None and reason.code is Code.NOT_AP for reason in shown)
        spared = _BY_VIEW if explained else frozenset()
        return self._ask(Of.RADIOGRAPH, picture, "", spared, doubts=not any(hip.sound for hip in hips))

    def child_reason(self, hips: Sequence[Judgement]) -> Reason | None:
        """Why the patient is a child by one of the hips, or None: the other is then no adult's either."""
        return next((hip.reason for hip in hips if hip.reason and hip.reason.code is Code.NOT_ADULT), None)

    def picture_cautions(self, picture: Mapping[str, float]) -> tuple[Caution, ...]:
        """What the values of a radiograph that was not refused make doubtful."""
        return self._doubts(Of.RADIOGRAPH, picture, "")

    def scale_reason(self, facts: RadiographFacts, hips: Sequence[Judgement]) -> Reason | None:
        """Why the whole radiograph is refused by the size of its femoral heads, or None; one head of a believable size will do.

        Args:
            facts: `measured`.
            hips: as for `picture_reason`.
        """
        low, high = self.limits.head_diameter_at_least_mm, self.limits.head_diameter_at_most_mm
        heads = [
            measured["head_diameter_mm"]
            for measured, hip in zip(facts.measured, hips, strict=True)
            if "head_diameter_mm" in measured and (hip.reason.code if hip.reason else None) in _SCALED
        ]
        if not heads or any(low <= diameter <= high for diameter in heads):
            return None
        return Reason(
            Code.WRONG_SCALE,
            f"By the pixel size of the file the femoral head would be {heads[0]:.0f} mm wide, but an adult's is {low:.0f} to "
            f"{high:.0f} mm; so the pixel size is wrong, or this is no adult, and nothing was measured. Export the original "
            "DICOM, or correct its pixel spacing.",
        )

    def judge(self, side: str, hip: Mapping[str, float]) -> Judgement:
        """Judge one hip by what is seen of it.

        Args:
            side: "right" or "left".
            hip: the values of that hip, by name; those of `Source.MEASURED` are left out where nothing was outlined.
        """
        shown = hip["landmark_confidence"] >= self.limits.present_at_least and (
            hip["contour_agreement"] >= self.limits.drawn_at_least
        )
        head = hip.get("head_diameter_mm", math.nan)
        adult = self.limits.head_diameter_at_least_mm <= head <= self.limits.head_diameter_at_most_mm
        sound = adult and self._ask(Of.BONE, hip, side, doubts=False) is None
        if not sound and (reason := self._ask(Of.BONE, hip, side)):
            return Judgement(shown, False, reason)
        if not (all(hip[f"{site}_bmd"] > 0 for site in HIP.sites) and math.isfinite(hip["shaft_abduction_deg"])):
            missing = f"The network gave no BMD for the {side} hip, because it is not shown whole; it is not measured."
            return Judgement(shown, False, Reason(Code.CUT_OFF, missing))
        return Judgement(shown, sound, None, self._doubts(Of.BONE, hip, side))

    def _ask(
        self, of: Of, values: Mapping[str, float], side: str, spared: Collection[Code] = (), doubts: bool = True
    ) -> Reason | None:
        """The first limit, in the order in which they are asked, that a value is beyond; of several at once the furthest.

        Limits of the ``spared`` codes are not asked, nor, without ``doubts``, those that do not decide alone.
        """
        beyond = [
            (limit.asked, -limit.sign * value, limit)
            for limit, value in self._beyond(of, values)
            if limit.code not in spared and (doubts or limit.doubt is None)
        ]
        if not beyond:
            return None
        _, value, limit = min(beyond, key=lambda found: found[:2])
        bound = getattr(self.limits, limit.name)
        return Reason(limit.code, limit.sentence.format(side=side, value=-value, limit=bound))

    def _doubts(self, of: Of, values: Mapping[str, float], side: str) -> tuple[Caution, ...]:
        """A caution for each limit that does not decide alone and that a value is beyond."""
        return tuple(
            Caution(limit.doubt, limit.caution.format(side=side, value=value, limit=getattr(self.limits, limit.name)))
            for limit, value in self._beyond(of, values)
            if limit.doubt is not None
        )

    def _beyond(self, of: Of, values: Mapping[str, float]) -> Iterator[tuple[Limit, float]]:
        """Every limit that a value is beyond, and that value."""
        for quantity in QUANTITIES:
            for limit in quantity.limits:
                value = values.get(quantity.name, math.nan)
                if quantity.of is of and not limit.holds(value, getattr(self.limits, limit.name)) and self._asked(limit, values):
                    yield limit, value

    def _asked(self, limit: Limit, values: Mapping[str, float]) -> bool:
        """Whether the sign that must stand beside a limit, if any, does."""
        if limit.beside is None:
            return True
        other, least = limit.beside
        return values.get(other, math.nan) > getattr(self.limits, least)


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
