"""The clinical meaning of the cascade's output: T-scores, intervals, category and triage, or the reasons for none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.clinical.channels import CHANNELS, HIP_CHANNELS, OSTEOPOROSIS, SIDES, SITES
from scripts.clinical.diagnosis import Category, Criteria, Triage, load_criteria
from scripts.clinical.gate import Gate, RadiographFacts, load_gate
from scripts.clinical.outcomes import Code, Reason
from scripts.clinical.reference import Reference, load_reference

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """One site of one hip. T-score fields are None where the patient's age allows no T-score.

    bmd, bmd_sd, bmd_interval: g/cm². t_score, t_interval: standard deviations of the reference.
    """

    bmd: float
    bmd_sd: float
    bmd_interval: Interval
    t_score: float | None
    t_interval: Interval | None
    category: Category | None


@dataclass(frozen=True)
class Hip:
    """One hip: estimates by site ("neck", "total"), or none and the reason why.

    shown: whether a proximal femur was found on that side at all.
    present, implant: 0..1. shaft_angle: degrees, positive = abducted. All three as the network gave them.
    """

    side: str
    shown: bool
    present: float
    implant: float
    shaft_angle: float
    estimates: Mapping[str, Estimate]
    reason: Reason | None


@dataclass(frozen=True)
class Lowest:
    """The site whose T-score decides: the lowest of those measured."""

    side: str
    site: str
    t_score: float
    t_interval: Interval


@dataclass(frozen=True)
class Screening:
    """The outcome of one radiograph. `reason` is set exactly where the whole radiograph is refused.

    osteoporosis_probability: 0..1, of the classifier. notes: limitations, one sentence each, for a report's reader.
    """

    hips: tuple[Hip, Hip]
    reason: Reason | None
    lowest: Lowest | None
    category: Category | None
    triage: Triage | None
    osteoporosis_probability: float | None
    notes: tuple[str, ...]


def interpret(
    channels: Mapping[str, float],
    radiograph: RadiographFacts,
    *,
    gate: Gate | None = None,
    reference: Reference | None = None,
    criteria: Criteria | None = None,
    sex_specific: bool = False,
) -> Screening:
    """Give the cascade's numbers their clinical meaning.

    Args:
        channels: the 15 `CHANNELS` by name, in their units.
        radiograph: what the header and the manifest say.
        gate: what is measured at all; the shipped `gate.json` if None.
        reference: young adults for the T-score; the shipped NHANES III if None.
        criteria: cut points; the shipped `diagnosis.json` if None.
        sex_specific: compare men with young men; by default the female reference serves both sexes (ISCD).

    Raises:
        ValueError: when a channel is missing.
    """
    missing = [name for name in CHANNELS if name not in channels]
    if missing:
        raise ValueError(f"channels: {missing} missing; expected all of {list(CHANNELS)}")
    gate, reference, criteria = gate or load_gate(), reference or load_reference(), criteria or load_criteria()
    reference_sex = "M" if sex_specific and radiograph.sex == "M" else "F"
    adult = radiograph.age_years is None or radiograph.age_years >= criteria.youngest_age_years

    whole = gate.radiograph_reason(radiograph)
    hips = []
    for side in SIDES:
        hip = {name: float(channels[f"{side}_{name}"]) for name in HIP_CHANNELS}
        reason = whole or gate.hip_reason(side, hip)
        estimates = {}
        if reason is None:
            for site in SITES:
                estimates[site] = _estimate(
                    hip[f"{site}_bmd"], hip[f"{site}_bmd_sd"], site, reference_sex, reference, criteria, adult
                )
        hips.append(Hip(side, gate.shows(hip), hip["present"], hip["implant"], hip["shaft_angle"], estimates, reason))

    right, left = hips
    reason = whole or _refusal_of_all(right, left)
    lowest = _lowest(right, left)
    return Screening(
        hips=(right, left),
        reason=reason,
        lowest=lowest,
        category=criteria.classify(lowest.t_score) if lowest else None,
        triage=criteria.triage(lowest.t_score) if lowest else None,
        osteoporosis_probability=float(channels[OSTEOPOROSIS]) if lowest else None,
        notes=() if reason else _notes(radiograph, right, left, criteria, adult),
    )


def _estimate(bmd: float, sd: float, site: str, sex: str, reference: Reference, criteria: Criteria, adult: bool) -> Estimate:
    low, high = criteria.interval(bmd, sd)
    if not adult:
        return Estimate(bmd, sd, (low, high), None, None, None)
    t_score = reference.t_score(bmd, site, sex)
    t_interval = (reference.t_score(low, site, sex), reference.t_score(high, site, sex))
    return Estimate(bmd, sd, (low, high), t_score, t_interval, criteria.classify(t_score))


def _refusal_of_all(right: Hip, left: Hip) -> Reason | None:
    """The radiograph's reason where no hip was measured: that of the hips shown; if none is shown, NO_FEMUR."""
    reasons = [hip.reason for hip in (right, left) if hip.reason]
    if len(reasons) < 2:
        return None
    shown = [reason for reason in reasons if reason.code != Code.NO_FEMUR]
    if not shown:
        return Reason(Code.NO_FEMUR, "No proximal femur found; expected an AP radiograph of the hip or pelvis.")
    return Reason(shown[0].code, " ".join(reason.sentence for reason in shown))


def _lowest(right: Hip, left: Hip) -> Lowest | None:
    measured = [
        Lowest(hip.side, site, estimate.t_score, estimate.t_interval)
        for hip in (right, left)
        for site, estimate in hip.estimates.items()
        if estimate.t_score is not None and estimate.t_interval is not None
    ]
    return min(measured, key=lambda lowest: lowest.t_score, default=None)


def _notes(radiograph: RadiographFacts, right: Hip, left: Hip, criteria: Criteria, adult: bool) -> tuple[str, ...]:
    notes = list(radiograph.assumptions)
    youngest = f"{criteria.youngest_age_years:.0f}"
    if not adult:
        notes.append(
            f"The patient is {math.floor(radiograph.age_years or 0)} years old: below {youngest} a Z-score "
            "would be needed, so no T-score and no category are given."
        )
    elif radiograph.age_years is None:
        notes.append(f"Age unknown: T-score and category hold only for patients of {youngest} years or more.")
    claimed = {"R": right, "L": left}.get(radiograph.laterality)
    if claimed is not None and not claimed.estimates:
        notes.append(f"The header says laterality {radiograph.laterality!r}, but the hip measured looks like the other side.")
    return tuple(notes)
