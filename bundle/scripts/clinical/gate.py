"""The quality gate: which radiographs and which hips may be measured, and what the user is told of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.clinical.facts import Exposure, RadiographFacts
from scripts.clinical.limits import NETWORK_GATE_FILE, Limits, load_limits
from scripts.clinical.outcomes import Code, Reason

_SCALED = {None, Code.EXPOSURE, Code.ROTATED}
"""Outcomes of a hip whose head has its true size."""

# Every comparison is written so that a NaN refuses.


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
            picture: the `PICTURE_CHANNELS`.
            hips: of the right and the left hip, why it is refused by itself.
        """
        shown = [reason for reason in hips if reason is None or reason.code is not Code.NO_FEMUR]
        explained = bool(shown) and all(reason is not None and reason.code is Code.NOT_AP for reason in shown)
        if not explained and not picture["hip_view"] >= self.limits.hip_view_at_least:
            return Reason(
                Code.NOT_A_HIP,
                "The picture does not look like an upright AP radiograph of an adult's hip or pelvis (probability "
                f"{picture['hip_view']:.2f}, expected {self.limits.hip_view_at_least:.2f} or more); nothing was measured. Send "
                "the AP view, upright.",
            )
        if not explained and not picture["novelty"] <= self.limits.novelty_at_most:
            return Reason(
                Code.NOVEL,
                "The picture is unlike all radiographs that the networks learnt from (distance "
                f"{picture['novelty']:.1f}, at most {self.limits.novelty_at_most:.1f} is allowed), so their estimates cannot be "
                "trusted; nothing was measured. A radiologist should look at the picture.",
            )
        if not abs(picture["pelvic_turn"]) <= self.limits.pelvic_turn_at_most_deg:
            return Reason(
                Code.ROTATED,
                f"The pelvis is turned by {abs(picture['pelvic_turn']):.0f} degrees about the body's long axis (at most "
                f"{self.limits.pelvic_turn_at_most_deg:.0f} are allowed), which hides and distorts the hips; nothing was "
                "measured. Repeat the radiograph with the pelvis flat.",
            )
        return None

    def scale_reason(self, facts: RadiographFacts, hips: Sequence[Reason | None]) -> Reason | None:
        """Why the whole radiograph is refused by the size of its femoral heads, or None; one head of a believable size will do.

        Args:
            facts: `head_diameters_mm`.
            hips: as for `picture_reason`.
        """
        low, high = self.limits.head_diameter_at_least_mm, self.limits.head_diameter_at_most_mm
        heads = [
            diameter
            for diameter, reason in zip(facts.head_diameters_mm, hips, strict=True)
            if diameter is not None and (reason.code if reason else None) in _SCALED
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
        """Whether there is a proximal femur at all, measurable or not, by one hip's `HIP_CHANNELS`."""
        return hip["present"] >= self.limits.present_at_least

    def hip_reason(self, side: str, hip: Mapping[str, float], exposure: Exposure | None) -> Reason | None:
        """Why one hip is refused by what is seen of it, or None.

        The order matters: metal, an abducted leg, a burnt-out film and a fracture also lower the landmarks' confidence and spoil
        what comes after them, and are the truer reason.

        Args:
            side: "right" or "left".
            hip: the `HIP_CHANNELS` of that hip.
            exposure: of its proximal femur; None where none was outlined.
        """
        limits = self.limits
        if not self.shows(hip):
            return Reason(
                Code.NO_FEMUR,
                f"No proximal femur found on the {side} side (landmark confidence {hip['present']:.2f}, expected "
                f"{limits.present_at_least:.2f} or more); that side is not measured.",
            )
        if not hip["implant"] <= limits.implant_at_most:
            return Reason(
                Code.IMPLANT,
                f"Metal covers {hip['implant']:.0%} of the {side} proximal femur (at most {limits.implant_at_most:.0%} is "
                "allowed); the BMD of an implanted hip is not measured.",
            )
        if abs(hip["shaft_angle"]) > limits.shaft_angle_at_most_deg:
            return self._abducted(side, hip["shaft_angle"])
        if exposure is not None and (reason := self._exposure_reason(side, exposure)):
            return reason
        if not hip["femur"] >= limits.femur_at_least:
            return Reason(
                Code.NO_FEMUR,
                f"What was found on the {side} side does not look like an adult's proximal femur, seen clearly and from the "
                f"front (probability {hip['femur']:.2f}, expected {limits.femur_at_least:.2f} or more); it is not measured.",
            )
        if not hip["fracture"] <= limits.fracture_at_most:
            return Reason(
                Code.FRACTURE,
                f"The {side} proximal femur looks broken or deformed (probability {hip['fracture']:.0%}, at most "
                f"{limits.fracture_at_most:.0%} is allowed); its BMD is not measured. A radiologist should look at the picture.",
            )
        if not hip["present"] >= limits.complete_at_least:
            return Reason(
                Code.CUT_OFF,
                f"The {side} proximal femur is not shown whole and clear (landmark confidence {hip['present']:.2f}, "
                f"expected {limits.complete_at_least:.2f} or more); it is not measured.",
            )
        if not hip["agreement"] >= limits.agreement_at_least:
            return Reason(
                Code.UNSURE_CONTOUR,
                f"The contour of the {side} femur is unsure: drawn twice, it agrees with itself by {hip['agreement']:.2f} (Dice, "
                f"expected {limits.agreement_at_least:.2f} or more); the hip is not measured. Look at the picture, and correct "
                "the contour in MONAI Label if it is to be learnt.",
            )
        if not -limits.rotation_inward_at_most_deg <= hip["rotation"] <= limits.rotation_outward_at_most_deg:
            return self._turned(side, hip["rotation"])
        if not (hip["neck_bmd"] > 0 and hip["total_bmd"] > 0 and math.isfinite(hip["shaft_angle"])):
            return Reason(
                Code.CUT_OFF, f"The network gave no BMD for the {side} hip, because it is not shown whole; it is not measured."
            )
        return None

    def _abducted(self, side: str, angle: float) -> Reason:
        turned, like = ("abducted", " as in a frog-leg view") if angle > 0 else ("adducted", "")
        return Reason(
            Code.NOT_AP,
            f"The {side} femur is {turned} by {abs(angle):.0f} degrees{like} (at most "
            f"{self.limits.shaft_angle_at_most_deg:.0f} are allowed); BMD is only measured on an AP view with the leg straight.",
        )

    def _turned(self, side: str, rotation: float) -> Reason:
        inward = rotation < 0
        limit = self.limits.rotation_inward_at_most_deg if inward else self.limits.rotation_outward_at_most_deg
        return Reason(
            Code.ROTATED,
            f"The {side} femur is turned {'inward' if inward else 'outward'} by {abs(rotation):.0f} degrees from the pose in "
            f"which its neck lies in the film's plane (at most {limit:.0f} are allowed), so its neck is foreshortened; it is not "
            "measured. Repeat the radiograph with the foot turned in by 15 degrees.",
        )

    def _exposure_reason(self, side: str, exposure: Exposure) -> Reason | None:
        limits = self.limits
        flat, tone, way = max((exposure.black, "black", "over"), (exposure.white, "white", "under"))
        if not flat <= limits.flat_at_most:
            found = (
                f"{flat:.0%} of the {side} proximal femur is flat {tone}, without any detail (at most {limits.flat_at_most:.0%} "
                f"is allowed): the film is {way}-exposed, or its display window too narrow"
            )
        elif not exposure.contrast >= limits.contrast_at_least:
            found = (
                f"The {side} proximal femur has hardly any contrast ({exposure.contrast:.2f} of the film's range, expected "
                f"{limits.contrast_at_least:.2f} or more): the film is badly exposed or its display window too wide"
            )
        elif not exposure.noise <= limits.noise_at_most:
            found = (
                f"Noise at the {side} proximal femur is {exposure.noise:.0%} of its contrast (at most {limits.noise_at_most:.0%} "
                "is allowed): the film is under-exposed"
            )
        elif not exposure.edge >= limits.edge_at_least:
            found = (
                f"The {side} proximal femur is darker than the tissue beside it ({exposure.edge:.1f} of its contrast, expected "
                f"{limits.edge_at_least:.1f} or more): the film is a negative"
            )
        else:
            return None
        return Reason(Code.EXPOSURE, f"{found}; the hip is not measured. Export the original DICOM, or repeat the radiograph.")


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
