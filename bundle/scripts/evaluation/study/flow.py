"""The flow of radiographs and patients through a study: found, read, admitted by the gate, analysed against DXA."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.clinical import Category, Criteria, Triage
from scripts.dataset.truth import count_left_out
from scripts.evaluation.accuracy.cases import Case
from scripts.evaluation.accuracy.decisions import is_flagged
from scripts.evaluation.accuracy.patients import Patient, group_patients
from scripts.evaluation.study.table import Table


@dataclass(frozen=True)
class Count:
    """How many radiographs, and of how many patients these are."""

    radiographs: int
    patients: int


@dataclass(frozen=True)
class Flow:
    """The flow; exclusions by code hold each radiograph once, and a patient once for each of their codes.

    found: in the folder, candidates that are no radiographs included. without_truth, other_split: radiographs of these that were
    not evaluated. evaluated: the rest. unread: by code, no network saw them. read: the rest. refused: by code, by the gate.
    measured: the rest. without_dxa, too_young: measured patients who are not analysed: without DXA of a hip, or too young for a
    T-score. analysed: patients with DXA and an answer. unanswered: patients with DXA of whom no radiograph was measured, or
    without a T-score. crossed: analysed patients by what the index test (joint probability) and the reference standard say:
    (test positive, osteoporosis) -> count.
    """

    found: Count
    without_truth: int
    other_split: int
    evaluated: Count
    unread: Mapping[str, Count]
    read: Count
    refused: Mapping[str, Count]
    measured: Count
    without_dxa: int
    too_young: int
    analysed: int
    unanswered: int
    crossed: Mapping[tuple[bool, bool], int]


def follow(cases: Sequence[Case], found: Sequence[Mapping[str, Any]], split: str | None, criteria: Criteria) -> Flow:
    """Count the flow.

    Args:
        cases: of all radiographs evaluated.
        found: all items of the folder, see `sort_studies`.
        split: that was chosen, see `held_out_radiographs`.
        criteria: cut points of the diagnosis.
    """
    without_truth, other_split = count_left_out(found, split)
    patients = group_patients(cases, criteria)
    answered = [patient for patient in patients if patient.measured]
    measured = {case.patient for case in cases if not case.code}
    with_dxa = {patient.key for patient in patients}
    crossed = {
        (flagged, positive): sum(
            is_flagged(patient, "joint_probability", criteria) is flagged and patient.positive is positive for patient in answered
        )
        for flagged in (True, False)
        for positive in (True, False)
    }
    return Flow(
        found=Count(len(found), len({str(item.get("patient_id") or item["name"]) for item in found})),
        without_truth=without_truth,
        other_split=other_split,
        evaluated=_count(cases),
        unread=_by_code(case for case in cases if not case.seen),
        read=_count([case for case in cases if case.seen]),
        refused=_by_code(case for case in cases if case.seen and case.code),
        measured=_count([case for case in cases if not case.code]),
        without_dxa=len(measured - with_dxa),
        too_young=len((measured & with_dxa) - {patient.key for patient in answered}),
        analysed=len(answered),
        unanswered=len(patients) - len(answered),
        crossed=crossed,
    )


def tabulate_flow(flow: Flow) -> Table:
    """The flow as a table, one row a step or an exclusion."""
    rows: list[tuple[str, str, int | None, int | None]] = [
        ("found", "", flow.found.radiographs, flow.found.patients),
        ("not evaluated", "no DXA, mask or landmarks by a person", flow.without_truth, None),
        ("not evaluated", "of another split", flow.other_split, None),
        ("evaluated", "", flow.evaluated.radiographs, flow.evaluated.patients),
        *(("not readable", code, count.radiographs, count.patients) for code, count in flow.unread.items()),
        ("readable", "", flow.read.radiographs, flow.read.patients),
        *(("refused by the gate", code, count.radiographs, count.patients) for code, count in flow.refused.items()),
        ("measured", "", flow.measured.radiographs, flow.measured.patients),
        ("not analysed", "measured, no DXA of a hip", None, flow.without_dxa),
        ("not analysed", "measured, too young for a T-score", None, flow.too_young),
        ("analysed for osteoporosis", "DXA and an answer", None, flow.analysed),
    ]
    for (flagged, positive), count in flow.crossed.items():
        rows.append((f"test {'positive' if flagged else 'negative'}", f"{'' if positive else 'no '}osteoporosis", None, count))
    columns = {"step": "Step", "why": "Why", "radiographs": "Radiographs", "patients": "Patients"}
    return Table("flow", "Radiographs and patients, step by step", columns, rows)


def cross(patients: Sequence[Patient], criteria: Criteria) -> Table:
    """The index test's results by those of the reference standard, one row a word of triage; who has no answer is a row too."""
    words = [patient.triage if patient.measured else None for patient in patients]
    found = Counter(zip(words, (criteria.classify(patient.dxa_lowest_t) for patient in patients), strict=True))
    categories = (Category.OSTEOPOROSIS, Category.LOW_BONE_MASS, Category.NORMAL)
    rows = [
        (word or "no answer", *(found[word, category] for category in categories), words.count(word))
        for word in (*Triage, None)
        if word in words
    ]
    columns = {"triage": "Triage", **{one.replace(" ", "_"): f"DXA: {one}" for one in categories}, "all": "All"}
    return Table("crosstabulation", "Index test by reference standard, patients with DXA", columns, rows)


def _count(cases: Sequence[Case]) -> Count:
    return Count(len(cases), len({case.patient for case in cases}))


def _by_code(cases: Iterable[Case]) -> dict[str, Count]:
    grouped: dict[str, list[Case]] = {}
    for case in cases:
        grouped.setdefault(case.code, []).append(case)
    return {code: _count(grouped[code]) for code in sorted(grouped)}
