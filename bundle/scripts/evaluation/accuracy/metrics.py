"""The metrics of a set of cases, overall and by site, as plain data; evaluate.yaml names those that are computed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from scipy.stats import spearmanr

from scripts.clinical import Criteria, Triage
from scripts.clinical.anatomy import HIP
from scripts.dataset.truth import MEASURES
from scripts.evaluation.accuracy.cases import MASK_CLASSES, Case, HipCase
from scripts.evaluation.accuracy.measures import grade_agreement, measure_agreement
from scripts.evaluation.accuracy.overlap import iou
from scripts.evaluation.accuracy.patients import Patient, group_patients
from scripts.evaluation.accuracy.points import median_and_p95
from scripts.evaluation.accuracy.strata import hip_femur
from scripts.evaluation.statistics.agreement import mean_absolute_error, measure_bmd_agreement, pearson_r
from scripts.evaluation.statistics.baseline import beyond, covariate_bmd, covariate_probability
from scripts.evaluation.statistics.discrimination import auc_delong, brier_score, operating_point, reliability, wilson_interval
from scripts.evaluation.statistics.repeatability import measure_repeats

OPERATING_PROBABILITY: Final = 0.5
SIMULATED: Final = "simulated"
SHAPE: Final = tuple(name for name in MEASURES if name != "singh_grade")
"""Measures of a femur's geometry; the grade is of its pattern."""
GOALS: Final = {
    "femur_iou_mean": 0.97,
    "prosthesis_iou_mean": 0.97,
    "fixation_iou_mean": 0.95,
    "landmark_error_median_mm": 1.5,
    "landmark_error_p95_mm": 5.0,
    "hips_swapped": 0,
}
"""What the contours and landmarks are meant to reach: overlaps at least, errors and swaps at most."""


Metric = Callable[[Sequence[Case], Criteria, int], dict[str, Any]]
"""From the cases, the cut points of the diagnosis and the bootstrap's seed to plain numbers, by name."""


def summarise(cases: Sequence[Case], criteria: Criteria, seed: int, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Compute every metric, of all cases ("overall") and of each site ("sites"); "goals" stand beside them.

    Args:
        cases: of all radiographs evaluated, refused ones too.
        criteria: cut points of the diagnosis.
        seed: of the bootstrap.
        metrics: by the name that they get.
    """

    def compute(chosen: Sequence[Case]) -> dict[str, Any]:
        found = {name: metric(chosen, criteria, seed) for name, metric in metrics.items()}
        return {"data": data_kind(case.site for case in chosen), "radiographs": count_radiographs(chosen), **found}

    sites = sorted({case.site for case in cases})
    return {
        "goals": dict(GOALS),
        "overall": compute(cases),
        "sites": {site or "unnamed": compute([case for case in cases if case.site == site]) for site in sites},
    }


def data_kind(sites: Iterable[str]) -> str:
    """Return "simulated" where every site's name begins with that, "partly simulated" where some do, else "patients"."""
    simulated = [site.startswith(SIMULATED) for site in sites]
    if all(simulated):
        return SIMULATED
    return f"partly {SIMULATED}" if any(simulated) else "patients"


def measured_pairs(cases: Sequence[Case], site: str) -> list[tuple[Case, HipCase]]:
    """The hips with both an estimate and a DXA value at a site ("neck" or "total"), each with its radiograph."""
    return [(case, hip) for case in cases for hip in case.hips if math.isfinite(hip.bmd[site]) and math.isfinite(hip.dxa[site])]


def count_radiographs(cases: Sequence[Case]) -> dict[str, Any]:
    """Count radiographs, patients and hips with DXA: how many were measured, and why the others were not."""
    refused = Counter(case.code for case in cases if case.code)
    with_dxa = [hip for case in cases for hip in case.hips if any(map(math.isfinite, hip.dxa.values()))]
    return {
        "radiographs": len(cases),
        "patients": len({case.patient for case in cases}),
        "seen_by_the_networks": sum(case.seen for case in cases),
        "measured": sum(not case.code for case in cases),
        "refused": refused.total(),
        "rejection_rate": refused.total() / len(cases),
        "refused_by_code": dict(sorted(refused.items())),
        "hips_with_dxa": len(with_dxa),
        "hips_with_dxa_measured": sum(not hip.code for hip in with_dxa),
        "hips_with_dxa_refused_by_code": dict(sorted(Counter(hip.code for hip in with_dxa if hip.code).items())),
        "hips_measured_without_dxa": sum(
            not hip.code and not any(map(math.isfinite, hip.dxa.values())) for case in cases for hip in case.hips
        ),
    }


def measure_overlap(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """Dice and IoU of each class of the masks, of whole radiographs; and how often one was drawn where there is none."""
    return {name: _overlap(cases, name) for name in MASK_CLASSES}


def measure_hips(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """The femur's overlap of each hip by itself."""
    return hip_femur([hip for case in cases for hip in case.hips])


def _overlap(cases: Sequence[Case], name: str) -> dict[str, Any]:
    values = np.array([case.dice[name] for case in cases if math.isfinite(case.dice[name])])
    return {
        "radiographs": len(values),
        "dice_mean": float(values.mean()) if len(values) else math.nan,
        "dice_sd": float(values.std(ddof=1)) if len(values) > 1 else math.nan,
        "dice_worst": float(values.min()) if len(values) else math.nan,
        "iou_mean": float(iou(values).mean()) if len(values) else math.nan,
        "iou_worst": float(iou(values).min()) if len(values) else math.nan,
        "false_alarms": sum(case.false_alarms[name] for case in cases),
    }


def rank_agreement(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """How well the agreement of two drawings, the mean of a radiograph's hips, ranks radiographs by their true femur Dice."""
    pairs = [
        (np.mean([hip.agreement for hip in case.hips if math.isfinite(hip.agreement)]), case.dice["femur"])
        for case in cases
        if math.isfinite(case.dice["femur"]) and any(math.isfinite(hip.agreement) for hip in case.hips)
    ]
    known = len(pairs) > 2
    return {"radiographs": len(pairs), "rank_correlation": float(spearmanr(*zip(*pairs, strict=True))[0]) if known else math.nan}


def measure_landmarks(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """Landmark errors of the hips that were found, and how many hips were missed or swapped."""
    seen = [hip for case in cases if case.seen for hip in case.hips]
    found = np.array([hip.landmark_errors_mm for hip in seen if hip.found], dtype=float).reshape(-1, len(HIP.landmarks))
    known = found[np.isfinite(found)]
    median, p95 = median_and_p95(known)
    by_landmark = {
        name: float(np.nanmedian(found[:, index])) if np.isfinite(found[:, index]).any() else math.nan
        for index, name in enumerate(HIP.landmarks)
    }
    return {
        "landmarks": len(known),
        "error_median_mm": median,
        "error_p95_mm": p95,
        "error_median_mm_by_landmark": by_landmark,
        "hips_with_landmarks": sum(hip.drawn for hip in seen),
        "hips_missed": sum(hip.drawn and not hip.found for hip in seen),
        "hips_swapped": sum(hip.swapped for hip in seen),
    }


def measure_diagnosis(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """How well the joint probability, the lowest T-score and covariates alone tell patients with osteoporosis; and triage."""
    patients = group_patients(cases, criteria)
    measured = [patient for patient in patients if patient.measured]
    positive = np.array([patient.positive for patient in measured], dtype=bool)
    probability = np.array([patient.probability for patient in measured])
    lowest_t = np.array([patient.lowest_t for patient in measured])
    below = np.array([criteria.classify(value) == "osteoporosis" for value in lowest_t], dtype=bool)
    covariates = np.array([patient.covariates for patient in measured]).reshape(-1, 4)
    by_covariates = covariate_probability(covariates, positive, [patient.key for patient in measured])
    return {
        "patients_with_dxa": len(patients),
        "patients_with_osteoporosis": sum(patient.positive for patient in patients),
        "patients_measured": len(measured),
        "measured_with_osteoporosis": int(positive.sum()),
        "joint_probability": {
            **_discrimination(probability, positive, probability >= OPERATING_PROBABILITY),
            "brier": brier_score(probability, positive),
            "reliability": reliability(probability, positive),
        },
        "triage": _triage(measured),
        "lowest_t_score": _discrimination(-lowest_t, positive, below),
        "covariates_only": None
        if by_covariates is None
        else _discrimination(by_covariates, positive, by_covariates >= OPERATING_PROBABILITY),
    }


def _triage(patients: Sequence[Patient]) -> dict[str, Any]:
    """How many patients each word of triage was said of, and how often those that decide were right, of these very patients."""
    advised = {word: [patient.positive for patient in patients if patient.triage is word] for word in Triage}
    likely, unlikely = advised[Triage.LIKELY], advised[Triage.UNLIKELY]
    right_in, right_out = sum(likely), len(unlikely) - sum(unlikely)
    return {
        "likely": len(likely),
        "likely_with_osteoporosis": right_in,
        "ppv": right_in / len(likely) if likely else math.nan,
        "ppv_ci95": wilson_interval(right_in, len(likely)),
        "unlikely": len(unlikely),
        "unlikely_without_osteoporosis": right_out,
        "npv": right_out / len(unlikely) if unlikely else math.nan,
        "npv_ci95": wilson_interval(right_out, len(unlikely)),
        "uncertain": len(advised[Triage.UNCERTAIN]),
        "uncertain_with_osteoporosis": sum(advised[Triage.UNCERTAIN]),
    }


def _discrimination(score: np.ndarray, positive: np.ndarray, flagged: np.ndarray) -> dict[str, Any]:
    auc = auc_delong(score, positive)
    return {"auc": auc.value, "auc_ci95": auc.interval, **operating_point(flagged, positive)}


def measure_bmd(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """The agreement of estimated density with DXA, by site."""
    return {site: _bmd(cases, site, seed) for site in reversed(HIP.sites)}


def measure_repeatability(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """How far the estimates of one hip on the manifest's repeated radiographs lie apart, g/cm², by site; DXA is not asked."""
    return {site: measure_repeats(_repeats(cases, site)) for site in reversed(HIP.sites)}


def measure_morphometry(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """The agreement of every quantity of a hip with the truth that the manifest has of it."""
    return measure_agreement([hip for case in cases for hip in case.hips])


def compare_grades(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """The agreement of the Singh-like grade with the true one."""
    return grade_agreement([hip for case in cases for hip in case.hips])


def _repeats(cases: Sequence[Case], site: str) -> list[np.ndarray]:
    """Of each hip that is the same bone on several radiographs, the estimates, g/cm²."""
    groups: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for case in cases:
        for hip in case.hips if case.repeat_of else ():
            if math.isfinite(hip.bmd[site]):
                groups[*case.repeat_of, hip.side].append(hip.bmd[site])
    return [np.array(values) for values in groups.values()]


def _bmd(cases: Sequence[Case], site: str, seed: int) -> dict[str, Any]:
    pairs = measured_pairs(cases, site)
    estimate, low, high, dxa = (
        np.array([getattr(hip, field)[site] for _, hip in pairs], dtype=float) for field in ("bmd", "low", "high", "dxa")
    )
    patients = [case.patient for case, _ in pairs]
    covariates = np.array([case.covariates for case, _ in pairs], dtype=float).reshape(-1, 4)
    by_covariates = covariate_bmd(covariates, dxa, patients)
    shape = np.array([_shape(hip) for _, hip in pairs], dtype=float).reshape(-1, len(SHAPE))
    return {
        **measure_bmd_agreement(estimate, dxa, low, high, patients, seed),
        "covariates_only": None
        if by_covariates is None
        else {"pearson_r": pearson_r(by_covariates, dxa), "mae": mean_absolute_error(by_covariates, dxa)},
        "beyond_shape": beyond(estimate, dxa, np.column_stack([covariates, shape]), patients),
    }


def _shape(hip: HipCase) -> list[float]:
    """The measures of a hip's shape, true ones where the manifest has them, or else as found on the radiograph."""
    found = ((hip.true_measures.get(name, math.nan), hip.measures.get(name, math.nan)) for name in SHAPE)
    return [true if math.isfinite(true) else measured for true, measured in found]
