"""From radiographs to patients: diagnosis is a patient's, however many radiographs there are."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from scripts.clinical import Criteria, Triage
from scripts.dataset.truth import is_osteoporosis
from scripts.evaluation.accuracy.cases import Case


@dataclass(frozen=True)
class Patient:
    """One patient whose true diagnosis is known.

    positive: whether the lowest DXA T-score over all hips means osteoporosis. probability: mean over the radiographs that
    were not refused, 0..1; NaN where all were. triage: what those advise, uncertain where they differ; None where all were
    refused. lowest_t: the lowest estimated T-score, with its 90% interval; NaN likewise. dxa_lowest_t: by DXA. covariates: of the
    first radiograph that was not refused. cases: all of the patient.
    """

    key: str
    positive: bool
    probability: float
    lowest_t: float
    covariates: tuple[float, float, float, float]
    triage: Triage | None
    dxa_lowest_t: float
    lowest_t_interval: tuple[float, float]
    cases: tuple[Case, ...]

    @property
    def measured(self) -> bool:
        """Whether any radiograph gave an answer."""
        return math.isfinite(self.probability)


def group_patients(cases: Sequence[Case], criteria: Criteria) -> list[Patient]:
    """Join the cases of each patient, in the order of their first appearance; those without any DXA are left out."""
    cases_of: dict[str, list[Case]] = {}
    for case in cases:
        cases_of.setdefault(case.patient, []).append(case)
    patients = []
    for key, own in cases_of.items():
        dxa = [case.dxa_lowest_t for case in own if math.isfinite(case.dxa_lowest_t)]
        if not dxa:
            continue
        answered = [case for case in own if math.isfinite(case.probability)]
        lowest = min(answered, key=lambda case: case.lowest_t, default=None)
        patients.append(
            Patient(
                key=key,
                positive=is_osteoporosis(min(dxa), criteria),
                probability=float(np.mean([case.probability for case in answered])) if answered else math.nan,
                lowest_t=lowest.lowest_t if lowest else math.nan,
                covariates=answered[0].covariates if answered else own[0].covariates,
                triage=_together({case.triage for case in answered if case.triage}),
                dxa_lowest_t=min(dxa),
                lowest_t_interval=lowest.lowest_t_interval if lowest else (math.nan, math.nan),
                cases=tuple(own),
            )
        )
    return patients


def _together(advised: Set[Triage]) -> Triage | None:
    if not advised:
        return None
    return Triage.UNCERTAIN if len(advised) > 1 else next(iter(advised))
