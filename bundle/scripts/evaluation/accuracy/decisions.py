"""What the diagnosis is worth to those who act on it: calibration, net benefit, and patients without an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.clinical import Criteria, Triage
from scripts.evaluation.accuracy.cases import Case
from scripts.evaluation.accuracy.metrics import OPERATING_PROBABILITY
from scripts.evaluation.accuracy.patients import Patient, group_patients
from scripts.evaluation.statistics.agreement import Floats, bootstrap_ci95, measure_bmd_agreement
from scripts.evaluation.statistics.baseline import covariate_probability
from scripts.evaluation.statistics.calibration import calibration_intercept, calibration_slope, observed_over_expected
from scripts.evaluation.statistics.discrimination import brier_score, operating_point
from scripts.evaluation.statistics.net_benefit import net_benefit, net_benefit_of_all

THRESHOLDS: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Probabilities of osteoporosis from which on somebody might send a patient to DXA, by judgement."""

FEWEST_OF_A_CLASS: Final = 10
"""Patients with and without osteoporosis, each, from which on an interval of the calibration is told."""

_RESAMPLES: Final = 1000

TESTS: Final = ("joint_probability", "lowest_t_score", "dxa_unless_unlikely")
RULES: Final = ("answered", "known_covariates", "referred", "cleared", "wrong")
"""How patients without an answer count: not at all; nor those with an unknown covariate; as sent to DXA; as cleared; as wrong."""


def measure_calibration(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """How far the joint probability is the share of patients with osteoporosis."""
    measured = [patient for patient in group_patients(cases, criteria) if patient.measured]
    probability, positive = probabilities_and_truth(measured)
    has = positive.astype(float)
    few = min(int(positive.sum()), int((~positive).sum())) < FEWEST_OF_A_CLASS
    found: dict[str, Any] = {"patients": len(measured), "with_osteoporosis": int(positive.sum())}
    statistics = {
        "observed_over_expected": observed_over_expected,
        "intercept": calibration_intercept,
        "brier": lambda probability, has: brier_score(probability, has > 0),
    }
    for name, statistic in statistics.items():
        found[name] = statistic(probability, has) if measured else math.nan
        found[f"{name}_ci95"] = (math.nan, math.nan) if few else _interval(statistic, probability, has, seed)
    slope, interval = calibration_slope(probability, has)
    return found | {"slope": slope, "slope_ci95": (math.nan, math.nan) if few else interval}


def measure_net_benefit(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """What it is worth to send to DXA whom the joint probability names, at each of `THRESHOLDS`, beside sending all."""
    measured = [patient for patient in group_patients(cases, criteria) if patient.measured]
    if not measured:
        return {"patients": 0}
    probability, positive = probabilities_and_truth(measured)
    by_covariates = covariates_only(measured)
    found: dict[str, Any] = {"patients": len(measured)}
    for threshold in THRESHOLDS:
        at = np.array([threshold])

        def benefit(probability: Floats, has: Floats, at: Floats = at) -> float:
            return float(net_benefit(probability, has > 0, at)[0])

        found[f"at_{100 * threshold:02.0f}_percent"] = {
            "net_benefit": benefit(probability, positive.astype(float)),
            "net_benefit_ci95": _interval(benefit, probability, positive.astype(float), seed),
            "net_benefit_of_all": float(net_benefit_of_all(positive, at)[0]),
            "net_benefit_of_covariates": math.nan if by_covariates is None else benefit(by_covariates, positive.astype(float)),
            "share_sent": float((probability >= threshold).mean()),
        }
    return found


def measure_lowest_t(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """Agreement of patients' lowest estimated T-scores with those of DXA, see `measure_bmd_agreement`; "hips" are patients."""
    patients = [patient for patient in group_patients(cases, criteria) if math.isfinite(patient.lowest_t)]
    estimate, dxa = (np.array([getattr(patient, name) for patient in patients]) for name in ("lowest_t", "dxa_lowest_t"))
    low, high = np.array([patient.lowest_t_interval for patient in patients], dtype=float).reshape(-1, 2).T
    return measure_bmd_agreement(estimate, dxa, low, high, [patient.key for patient in patients], seed)


def measure_refusals(cases: Sequence[Case], criteria: Criteria, seed: int) -> dict[str, Any]:
    """Sensitivity and specificity of three tests, by how patients without an answer count: rule -> test -> `operating_point`."""
    patients = group_patients(cases, criteria)
    return {rule: _by_rule(patients, criteria, rule) for rule in RULES}


def probabilities_and_truth(patients: Sequence[Patient]) -> tuple[Floats, NDArray[np.bool_]]:
    """Of patients with an answer: (N,) joint probability, and whether DXA says osteoporosis."""
    return (
        np.array([patient.probability for patient in patients], dtype=float),
        np.array([patient.positive for patient in patients], dtype=bool),
    )


def covariates_only(patients: Sequence[Patient]) -> Floats | None:
    """The probability by age, sex, weight and height alone, see `covariate_probability`."""
    covariates = np.array([patient.covariates for patient in patients], dtype=float).reshape(-1, 4)
    return covariate_probability(covariates, probabilities_and_truth(patients)[1], [patient.key for patient in patients])


def is_flagged(patient: Patient, test: str, criteria: Criteria) -> bool:
    """What one of `TESTS` says of a patient with an answer."""
    if test == "joint_probability":
        return patient.probability >= OPERATING_PROBABILITY
    if test == "lowest_t_score":
        return criteria.classify(patient.lowest_t) == "osteoporosis"
    return patient.triage is not Triage.UNLIKELY


def _by_rule(patients: Sequence[Patient], criteria: Criteria, rule: str) -> dict[str, Any]:
    if rule in ("answered", "known_covariates"):
        patients = [patient for patient in patients if patient.measured]
    if rule == "known_covariates":
        patients = [patient for patient in patients if all(map(math.isfinite, patient.covariates))]
    positive = np.array([patient.positive for patient in patients], dtype=bool)
    unanswered = {
        "referred": lambda patient: True,
        "cleared": lambda patient: False,
        "wrong": lambda patient: not patient.positive,
    }
    found: dict[str, Any] = {"patients": len(patients), "with_osteoporosis": int(positive.sum())}
    for test in TESTS:
        says = [is_flagged(one, test, criteria) if one.measured else unanswered[rule](one) for one in patients]
        found[test] = operating_point(np.array(says, dtype=bool), positive)
    return found


def _interval(statistic: Any, first: Floats, second: Floats, seed: int) -> tuple[float, float]:
    return bootstrap_ci95(statistic, first, second, range(len(first)), seed, _RESAMPLES)
