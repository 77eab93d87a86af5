"""Who was studied: age, sex, build, density and what is unknown of them, for all, by answer and by site."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from scripts.clinical import Criteria
from scripts.evaluation.accuracy.cases import Case
from scripts.evaluation.study.table import Table

_MOST_SITES: Final = 4
"""Columns of sites; of more sites only all together are told."""


def tabulate_cohort(cases: Sequence[Case], criteria: Criteria) -> Table:
    """One row a characteristic, one column a group of patients; a patient's are those of the first radiograph that tells.

    Args:
        cases: of all radiographs evaluated.
        criteria: cut points of the diagnosis.
    """
    of_patients: dict[str, list[Case]] = {}
    for case in cases:
        of_patients.setdefault(case.patient, []).append(case)
    patients = list(of_patients.values())
    groups = {"All": patients, "With an answer": [one for one in patients if _answered(one)]}
    groups["Without"] = [one for one in patients if not _answered(one)]
    for title, name in (("Site", "site"), ("Split", "split")):
        found = sorted({str(getattr(case, name)) for case in cases})
        if 1 < len(found) <= _MOST_SITES:
            groups |= {f"{title} {one or 'unnamed'}": [own for own in patients if getattr(own[0], name) == one] for one in found}
    columns = {"characteristic": "", **{title.lower().replace(" ", "_"): title for title in groups}}
    told = [_describe(group, criteria) for group in groups.values()]
    rows = [(name, *(column[name] for column in told)) for name in told[0]]
    return Table("cohort", "Patients: number (%), or mean ± SD (least to most)", columns, rows)


def _answered(own: Sequence[Case]) -> bool:
    return any(math.isfinite(case.probability) for case in own)


def _describe(patients: Sequence[Sequence[Case]], criteria: Criteria) -> Mapping[str, str]:
    ages, sexes = _known(patients, lambda case: case.covariates[0]), _known(patients, lambda case: case.covariates[1])
    bmi = _known(patients, lambda case: case.covariates[2] / (case.covariates[3] / 100) ** 2)
    lowest = np.array([min((c.dxa_lowest_t for c in own if math.isfinite(c.dxa_lowest_t)), default=math.nan) for own in patients])
    categories = [str(criteria.classify(value)) for value in lowest if math.isfinite(value)]
    count = len(patients)
    hips = [hip for own in patients for case in own for hip in case.hips]
    return {
        "Patients": str(count),
        "Radiographs": str(sum(map(len, patients))),
        "Age, years": _spread(ages, 0),
        "Age unknown": _share(int(np.isnan(ages).sum()), count),
        "Women": _share(int((sexes == 0).sum()), count),
        "Men": _share(int((sexes == 1).sum()), count),
        "Sex unknown": _share(int(np.isnan(sexes).sum()), count),
        "BMI, kg/m²": _spread(bmi, 1),
        "BMI unknown": _share(int(np.isnan(bmi).sum()), count),
        "Osteoporosis by DXA": _share(categories.count("osteoporosis"), count),
        "Low bone mass by DXA": _share(categories.count("low bone mass"), count),
        "Normal by DXA": _share(categories.count("normal"), count),
        "No DXA of a hip": _share(count - len(categories), count),
        "Lowest T-score by DXA": _spread(lowest, 1),
        "Lowest T-score of those with osteoporosis": _spread(lowest[lowest <= criteria.osteoporosis_at_most], 1),
        "Total hip BMD by DXA, g/cm², hips": _spread(np.array([hip.dxa["total"] for hip in hips]), 3),
        "Femoral neck BMD by DXA, g/cm², hips": _spread(np.array([hip.dxa["neck"] for hip in hips]), 3),
    }


def _known(patients: Sequence[Sequence[Case]], number: Callable[[Case], float]) -> np.ndarray:
    return np.array([next(filter(math.isfinite, map(number, own)), math.nan) for own in patients], dtype=float)


def _spread(values: np.ndarray, decimals: int) -> str:
    known = values[np.isfinite(values)] if len(values) else values
    if not len(known):
        return "-"
    deviation = f" ± {known.std(ddof=1):.{decimals}f}" if len(known) > 1 else ""
    return f"{known.mean():.{decimals}f}{deviation} ({known.min():.{decimals}f} to {known.max():.{decimals}f})"


def _share(count: int, of: int) -> str:
    return f"{count} ({count / of:.0%})" if of else "0"
