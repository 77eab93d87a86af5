"""Patients with several dated studies: by how much each hip has changed, and whether that is more than error."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.clinical import HIP, Precision, Quantity, judge_change
from scripts.files import write_table
from scripts.results.record import Record

FOLLOW_UP_COLUMNS: Final = {
    "patient": ("", "pseudonym of the patient"),
    "study": ("", "pseudonym of the later study"),
    "first_study": ("", "pseudonym of the patient's first dated study on which this hip was measured"),
    "since": ("", "date of the first study, YYYY-MM-DD"),
    "until": ("", "date of the later study, YYYY-MM-DD"),
    "side": ("", "right or left hip of the patient"),
    "site": ("", "neck or total"),
    "change_g_cm2": ("g/cm2", "later estimate less the first"),
    "least_significant_change_g_cm2": (
        "g/cm2",
        "2.77 times the RMS-SD of repeated radiographs; empty where that was not measured",
    ),
    "significant": ("", "yes or no: whether the change is at least that; empty where it is unknown"),
    "sentence": ("", "all of it, without a date"),
}
"""Unit and meaning of each column of follow_up.csv."""

_DAYS_A_YEAR: Final = 365.25


def make_follow_up(records: Sequence[Record], studies: Sequence[Record], precision: Precision | None) -> dict[str, Any]:
    """Compare each study of a patient with the first, hip by hip and site by site.

    Only dated studies count, and only hips that were measured on both; a study of the first one's day is no follow-up.

    Args:
        records: of radiographs.
        studies: their studies.
        precision: of repeated radiographs; None where it was not measured.

    Returns:
        "precision", what was given, and "changes", as `results.json` holds them.
    """
    hips = {(record["name"], hip["side"]): hip["estimates"] for record in records for hip in record["hips"]}
    of_patient: defaultdict[str, list[Record]] = defaultdict(list)
    for study in studies:
        if study["date"] and study["status"] == "measured":
            of_patient[study["patient"]].append(study)
    changes = [
        change
        for dated in of_patient.values()
        for side in HIP.sides
        for change in _changes(sorted(dated, key=lambda study: study["date"]), side, hips, precision)
    ]
    return {"precision": precision and _told(precision), "changes": changes}


def write_follow_up_table(document: Mapping[str, Any], quantities: Sequence[Quantity], folder: Path) -> None:
    """Write follow_up.csv: one row a change; none where no patient has two dated studies."""
    words = {True: "yes", False: "no", None: ""}
    numbers = ("change_g_cm2", "least_significant_change_g_cm2")
    rows = (
        {**change, "significant": words[change["significant"]]}
        | {name: "" if change[name] is None else f"{change[name]:.4f}" for name in numbers}
        for change in document["follow_up"]["changes"]
    )
    write_table(folder / "follow_up.csv", list(FOLLOW_UP_COLUMNS), rows)


def _changes(
    dated: Sequence[Record], side: str, hips: Mapping[tuple[str, str], Any], precision: Precision | None
) -> Iterator[Record]:
    """Of one hip over the studies of its patient, the earliest first."""
    measured = [study for study in dated if study["hips"][side]]
    for study in measured[1:]:
        first = measured[0]
        days = (datetime.date.fromisoformat(study["date"]) - datetime.date.fromisoformat(first["date"])).days
        if not days:
            continue
        before, after = (hips[one["hips"][side], side] for one in (first, study))
        for site in HIP.sites:
            bmds = [estimates[site]["bmd_g_cm2"] for estimates in (before, after)]
            change = judge_change(bmds[0], bmds[1], side, site, days / _DAYS_A_YEAR, precision)
            yield {
                "patient": study["patient"],
                "study": study["study"],
                "first_study": first["study"],
                "since": first["date"],
                "until": study["date"],
                "side": side,
                "site": site,
                "change_g_cm2": change.change,
                "least_significant_change_g_cm2": change.least_significant,
                "significant": change.significant,
                "sentence": change.sentence,
            }


def _told(precision: Precision) -> dict[str, Any]:
    sites = {
        site: {"rms_sd_g_cm2": precision.rms_sd[site], "degrees_of_freedom": precision.degrees_of_freedom[site]}
        for site in HIP.sites
    }
    return {"data": precision.data, **sites}
