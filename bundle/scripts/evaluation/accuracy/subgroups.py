"""Groups of patients and of hips: how well osteoporosis is told from none, and density from DXA's, in each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from scripts.clinical import Criteria
from scripts.evaluation.accuracy.cases import Case, HipCase
from scripts.evaluation.accuracy.decisions import probabilities_and_truth
from scripts.evaluation.accuracy.metrics import measured_pairs
from scripts.evaluation.accuracy.patients import group_patients
from scripts.evaluation.accuracy.strata import build
from scripts.evaluation.statistics.agreement import measure_bmd_agreement
from scripts.evaluation.statistics.discrimination import auc_delong

AGES: Final = (65.0, 75.0)
"""Years, from which on a patient belongs to the second and to the third group."""

OF_HIPS: Final = ("view", "pelvic turn", "femoral rotation", "osteoarthritis")
"""Of the strata of a hip, those in which a hip that was measured may be."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Subgroup:
    """One group; NaN where it cannot be told.

    by, group: such as "sex" and "women"; "unknown" is a group too. patients, answered, with_osteoporosis: with DXA; those of them
    with an answer; those of them with osteoporosis. auc: of the joint probability. hips: measured, with DXA of the total hip.
    bias, rmse: of their BMD, g/cm². coverage: of the 90% interval. Of a group of hips patients and AUC are not told (None, NaN).
    """

    by: str
    group: str
    patients: int | None
    answered: int | None
    with_osteoporosis: int | None
    auc: float
    auc_ci95: Interval
    hips: int
    bias: float
    bias_ci95: Interval
    rmse: float
    rmse_ci95: Interval
    coverage: float


def find_subgroups(cases: Sequence[Case], criteria: Criteria, seed: int) -> list[Subgroup]:
    """All patients, then those of each sex, age, build, site and split, then groups of hips; a distinction that makes only one
    group is left out.

    Args:
        cases: of all radiographs.
        criteria: cut points of the diagnosis.
        seed: of the bootstrap.
    """
    found = [_of_patients("all", "", cases, criteria, seed)]
    for name, group_of in _OF_PATIENTS.items():
        groups = sorted({group_of(case) for case in cases}, key=_order)
        if len(groups) > 1:
            found += [
                _of_patients(name, one, [case for case in cases if group_of(case) == one], criteria, seed) for one in groups
            ]
    for name in OF_HIPS:
        pairs = measured_pairs(cases, "total")
        groups = sorted({hip.strata[name] for _, hip in pairs if name in hip.strata}, key=_order)
        if len(groups) > 1:
            found += [_of_hips(name, one, [pair for pair in pairs if pair[1].strata.get(name) == one], seed) for one in groups]
    return found


def _of_patients(name: str, group: str, cases: Sequence[Case], criteria: Criteria, seed: int) -> Subgroup:
    patients = group_patients(cases, criteria)
    answered = [patient for patient in patients if patient.measured]
    probability, positive = probabilities_and_truth(answered)
    auc = auc_delong(probability, positive)
    hips = _of_hips(name, group, measured_pairs(cases, "total"), seed)
    return Subgroup(
        **{
            **vars(hips),
            "patients": len(patients),
            "answered": len(answered),
            "with_osteoporosis": int(positive.sum()),
            "auc": auc.value,
            "auc_ci95": auc.interval,
        }
    )


def _of_hips(name: str, group: str, pairs: Sequence[tuple[Case, HipCase]], seed: int) -> Subgroup:
    estimate, dxa, low, high = (
        np.array([getattr(hip, field)["total"] for _, hip in pairs], dtype=float) for field in ("bmd", "dxa", "low", "high")
    )
    found = measure_bmd_agreement(estimate, dxa, low, high, [case.patient for case, _ in pairs], seed)
    nothing = (math.nan, math.nan)
    told = {key: found[key] for key in ("hips", "bias", "bias_ci95", "rmse", "rmse_ci95", "coverage")}
    return Subgroup(name, group, None, None, None, math.nan, nothing, **told)


def _sex(case: Case) -> str:
    return {0.0: "women", 1.0: "men"}.get(case.covariates[1], _UNKNOWN)


def _age(case: Case) -> str:
    age, (first, second) = case.covariates[0], AGES
    if math.isnan(age):
        return _UNKNOWN
    return f"under {first:.0f}" if age < first else f"{first:.0f} to {second:.0f}" if age < second else f"{second:.0f} and over"


_UNKNOWN: Final = "unknown"
_OF_PATIENTS: Final[dict[str, Callable[[Case], str]]] = {
    "sex": _sex,
    "age, years": _age,
    "build": lambda case: build(case.covariates[2], case.covariates[3]) or _UNKNOWN,
    "site": lambda case: case.site or "unnamed",
    "split": lambda case: case.split or "none",
}


def _order(group: str) -> tuple[int, str]:
    first = ("women", "none", "AP", "whole")
    return (2 if group == _UNKNOWN else 0 if group in first or group.startswith(("under", "within", "BMI under")) else 1, group)
