"""The clinical meaning of the cascade's output: T- and Z-scores, intervals, category and triage, or the reasons for none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.clinical.anatomy import HIP
from scripts.clinical.calibration import Calibration
from scripts.clinical.diagnosis import Category, Criteria, Expectation, load_criteria
from scripts.clinical.facts import RadiographFacts
from scripts.clinical.findings import Values
from scripts.clinical.frax import FraxNeck, choose_frax_neck
from scripts.clinical.gate import FOREMOST, Gate, Judgement, load_gate
from scripts.clinical.laterality import contradiction, side_note
from scripts.clinical.outcomes import Caution, Code, Reason
from scripts.clinical.reference import Reference, load_reference
from scripts.clinical.triage import Triage
from scripts.clinical.uncertainty import Uncertainty, load_uncertainty

Interval = tuple[float, float]

_BEFORE_ALL: Final = frozenset({Code.NOT_ADULT, Code.NOT_AP, Code.SIDE_CONTRADICTION})
"""Reasons of the radiograph that are told of each hip, whatever is wrong with it: header, markers or a growing skeleton say that
no BMD of an adult's hip can be looked for."""


@dataclass(frozen=True)
class Estimate:
    """One site of one hip. T-score fields are None where the patient's age allows no T-score.

    bmd, bmd_sd, bmd_interval: g/cm²; DXA lies in the interval as often as `Criteria.coverage` says. t_score, t_sd, t_interval:
    standard deviations of young adults. z_score, z_interval: of people of the patient's age and sex; None where either is
    unknown.
    """

    bmd: float
    bmd_sd: float
    bmd_interval: Interval
    t_score: float | None
    t_sd: float | None
    t_interval: Interval | None
    z_score: float | None
    z_interval: Interval | None


@dataclass(frozen=True)
class Hip:
    """One hip: estimates by site (`HIP.sites`), or none and the reason why.

    shown: whether a proximal femur was found on that side at all. values: by the name of their quantity, as the network gave
    them and as they were measured on the picture; see `scripts.clinical.findings.QUANTITIES`. cautions: why a hip that is
    measured deserves less trust; its standard deviations are wider than the network's then.
    """

    side: str
    shown: bool
    values: Mapping[str, float]
    estimates: Mapping[str, Estimate]
    reason: Reason | None
    cautions: tuple[Caution, ...] = ()


@dataclass(frozen=True)
class Lowest:
    """The site whose T-score decides: the lowest of those measured; t_sd is its standard deviation, T-scores."""

    side: str
    site: str
    t_score: float
    t_sd: float
    t_interval: Interval


@dataclass(frozen=True)
class Screening:
    """The outcome of one radiograph. `reason` is set exactly where no hip of it is measured.

    values: of the radiograph, by the name of their quantity. lowest, category, triage: None below the age of T-scores, where
    expectation (by the lowest Z-score) stands in their place, and there is no probability either. category: None, too, where
    triage leaves it to DXA, or does not agree with it. osteoporosis_probability: that the true lowest T-score means osteoporosis,
    0..1; triage follows it alone. low_bone_mass_probability: that it means low bone mass or osteoporosis, 0..1.
    classifier_probability: what the classifier alone said of osteoporosis, 0..1; it is part of both, and told to nobody.
    frax: the neck for FRAX, at the ages that it takes. notes: limitations, one sentence each, for a report's reader.
    """

    hips: tuple[Hip, Hip]
    values: Mapping[str, float]
    reason: Reason | None
    lowest: Lowest | None
    category: Category | None
    expectation: Expectation | None
    triage: Triage | None
    osteoporosis_probability: float | None
    low_bone_mass_probability: float | None
    classifier_probability: float | None
    frax: FraxNeck | None
    notes: tuple[str, ...]


def interpret(
    found: Values,
    radiograph: RadiographFacts,
    *,
    gate: Gate | None = None,
    reference: Reference | None = None,
    criteria: Criteria | None = None,
    sex_specific: bool = False,
    calibration: Calibration | None = None,
    uncertainty: Uncertainty | None = None,
) -> Screening:
    """Give the cascade's numbers their clinical meaning.

    Args:
        found: what the cascade gave, see `Channels.unpack`.
        radiograph: what header, manifest and picture say.
        gate: what is measured at all; the shipped limits if None.
        reference: young adults for the T-score; the shipped NHANES III if None.
        criteria: cut points; the shipped `diagnosis.json` if None.
        sex_specific: compare men with young men; by default the female reference serves both sexes (ISCD).
        calibration: of the hospital, applied to BMD and its standard deviation before anything is told of them; none if None.
        uncertainty: how far the estimates of the weights in use are from DXA; as of a normal distribution if None.

    Example:
        >>> from scripts.clinical import CHANNELS
        >>> numbers = dict.fromkeys(CHANNELS.names, 0.0)
        >>> str(interpret(CHANNELS.unpack(list(numbers.values())), RadiographFacts()).reason.code)
        'NOT_A_HIP'
    """
    gate, reference, criteria = gate or load_gate(), reference or load_reference(), criteria or load_criteria()
    uncertainty = uncertainty or load_uncertainty(criteria=criteria)
    seen = [{**bone, **measured} for bone, measured in zip(found.bones, radiograph.measured, strict=True)]
    judged = [gate.judge(side, values) for side, values in zip(HIP.sides, seen, strict=True)]
    shown = [side for side, hip in zip(HIP.sides, judged, strict=True) if hip.shown]
    whole = (
        gate.header_reason(radiograph)
        or gate.child_reason(judged)
        or gate.scale_reason(radiograph, judged)  # a wrong scale also makes a picture unlike a hip's
        or gate.picture_reason(found.radiograph, judged)
        or contradiction(radiograph.laterality, radiograph.markers, shown)
    )
    estimator = _Estimator(radiograph, reference, criteria, sex_specific, calibration, uncertainty)
    if calibration or estimator.young_sex == "M":
        uncertainty = uncertainty.elsewhere(criteria)  # T-scores are not those that it was measured for
    doubts = [(*cautions, *gate.picture_cautions(found.radiograph)) for cautions in radiograph.cautions]
    judged = [_rejected(*hip) for hip in zip(HIP.sides, judged, radiograph.rejected, strict=True)]
    right, left = (_hip(*hip, whole, estimator, gate) for hip in zip(HIP.sides, seen, judged, doubts, strict=True))
    reason = _refusal_of_all(right, left)
    lowest = _lowest(right, left)
    classifier = found.patient["osteoporosis_probability"] if lowest else None
    true_t = None
    if lowest and classifier is not None:
        true_t = uncertainty.true_lowest_t(lowest.site, criteria).distribution(lowest.t_score, lowest.t_sd, classifier)
    probability = true_t.cdf(criteria.osteoporosis_at_most) if true_t else None
    triage = uncertainty.thresholds.advise(probability) if probability is not None else None
    low_bone_mass = true_t.cdf(criteria.normal_at_least) if true_t else None
    category = criteria.classify(lowest.t_score) if lowest else None
    if triage is None or category is None or low_bone_mass is None or not triage.agrees(category, low_bone_mass):
        category = None
    return Screening(
        hips=(right, left),
        values=found.radiograph,
        reason=reason,
        lowest=lowest,
        category=category,
        expectation=None if estimator.adult else _expectation(right, left, criteria),
        triage=triage,
        osteoporosis_probability=probability,
        low_bone_mass_probability=low_bone_mass,
        classifier_probability=classifier,
        frax=choose_frax_neck(_necks(right, left), radiograph.age_years, reference),
        notes=gate.notes
        if reason
        else (
            *gate.notes,
            *([calibration.note] if calibration else []),
            *uncertainty.notes,
            *_notes(radiograph, right, left, criteria, estimator.adult),
        ),
    )


def _rejected(side: str, judged: Judgement, rejected: bool) -> Judgement:
    """The judgement of a person, where there is one, before the gate's."""
    if not rejected:
        return judged
    sentence = f"Whoever reviewed the results rejected the {side} hip; it is not measured. The review says why."
    return Judgement(judged.shown, False, Reason(Code.REJECTED, sentence))


def _hip(
    side: str,
    values: Mapping[str, float],
    judged: Judgement,
    doubts: Sequence[Caution],
    whole: Reason | None,
    estimator: _Estimator,
    gate: Gate,
) -> Hip:
    """A hip with its estimates, or the reason for none: what its reader must be told, else why the radiograph is refused."""
    code = judged.reason.code if judged.reason else None
    told = code is Code.REJECTED or (judged.shown and code in FOREMOST)
    reason = judged.reason if told and not (whole and whole.code in _BEFORE_ALL) else whole or judged.reason
    if reason:
        return Hip(side, judged.shown, values, {}, reason)
    cautions = tuple(dict.fromkeys((*doubts, *judged.cautions)))
    widened = gate.limits.doubt_widens_by if cautions else 1.0
    return Hip(side, judged.shown, values, estimator.estimates(values, widened), None, cautions)


class _Estimator:
    """Turns the BMDs of one patient into estimates, by what is known of age and sex."""

    def __init__(
        self,
        radiograph: RadiographFacts,
        reference: Reference,
        criteria: Criteria,
        sex_specific: bool,
        calibration: Calibration | None,
        uncertainty: Uncertainty,
    ) -> None:
        self.radiograph = radiograph
        self.reference = reference
        self.calibration, self.uncertainty = calibration, uncertainty
        self.young_sex = "M" if sex_specific and radiograph.sex == "M" else "F"
        self.adult = radiograph.age_years is None or radiograph.age_years >= criteria.youngest_age_years

    def estimates(self, hip: Mapping[str, float], widened: float) -> dict[str, Estimate]:
        """Those of one hip, by site; ``widened`` multiplies the standard deviations."""
        return {site: self._estimate(hip[f"{site}_bmd"], widened * hip[f"{site}_bmd_sd"], site) for site in HIP.sites}

    def _estimate(self, bmd: float, sd: float, site: str) -> Estimate:
        if self.calibration:
            bmd, sd = self.calibration.apply(site, bmd, sd)
        low, high = self.uncertainty.interval(site, bmd, sd)
        t_scores = [self.reference.t_score(value, site, self.young_sex) for value in (bmd, low, high)] if self.adult else None
        age, sex, z_scores = self.radiograph.age_years, self.radiograph.sex, None
        if age is not None and sex is not None:
            z_scores = [self.reference.z_score(value, site, sex, age) for value in (bmd, low, high)]
        return Estimate(
            bmd=bmd,
            bmd_sd=sd,
            bmd_interval=(low, high),
            t_score=t_scores[0] if t_scores else None,
            t_sd=sd / self.reference.young_adults[self.young_sex][site].sd if t_scores else None,
            t_interval=(t_scores[1], t_scores[2]) if t_scores else None,
            z_score=z_scores[0] if z_scores else None,
            z_interval=(z_scores[1], z_scores[2]) if z_scores else None,
        )


def _refusal_of_all(right: Hip, left: Hip) -> Reason | None:
    """Why no hip was measured: the reasons of those shown, the foremost first; NO_FEMUR if none is shown."""
    if not (right.reason and left.reason):
        return None
    if right.reason == left.reason:
        return right.reason
    shown = [hip.reason for hip in (right, left) if hip.reason and hip.reason.code is not Code.NO_FEMUR]
    if not shown:
        drawn = [hip.reason.sentence for hip in (right, left) if hip.shown and hip.reason]
        return Reason(
            Code.NO_FEMUR,
            " ".join(drawn) or "No proximal femur found; expected a clear AP radiograph of an adult's hip or pelvis.",
        )
    shown.sort(key=lambda reason: reason.code not in FOREMOST)
    return Reason(shown[0].code, " ".join(reason.sentence for reason in shown))


def _lowest(right: Hip, left: Hip) -> Lowest | None:
    measured = [
        Lowest(hip.side, site, estimate.t_score, estimate.t_sd, estimate.t_interval)
        for hip in (right, left)
        for site, estimate in hip.estimates.items()
        if estimate.t_score is not None and estimate.t_sd is not None and estimate.t_interval is not None
    ]
    return min(measured, key=lambda lowest: lowest.t_score, default=None)


def _necks(*hips: Hip) -> dict[str, tuple[float, float, float]]:
    """Of the measured hips, by side, the neck's BMD and its interval, g/cm²."""
    necks = {hip.side: hip.estimates["neck"] for hip in hips if "neck" in hip.estimates}
    return {side: (neck.bmd, *neck.bmd_interval) for side, neck in necks.items()}


def _expectation(right: Hip, left: Hip, criteria: Criteria) -> Expectation | None:
    scores = [estimate.z_score for hip in (right, left) for estimate in hip.estimates.values() if estimate.z_score is not None]
    return criteria.expectation(min(scores)) if scores else None


def _notes(radiograph: RadiographFacts, right: Hip, left: Hip, criteria: Criteria, adult: bool) -> tuple[str, ...]:
    notes = list(radiograph.assumptions)
    youngest = f"{criteria.youngest_age_years:.0f}"
    if not adult:
        notes.append(
            f"The patient is {math.floor(radiograph.age_years or 0)} years old: below {youngest} no T-score and no category are "
            "given, but a Z-score."
        )
        if radiograph.sex is None:
            notes.append("Sex unknown, so no Z-score can be given either.")
    elif radiograph.age_years is None:
        notes.append(f"Age unknown: T-score and category hold only for patients of {youngest} years or more.")
    if side := side_note(radiograph.laterality, radiograph.markers, [hip.side for hip in (right, left) if hip.shown]):
        notes.append(side)
    return tuple(notes)
