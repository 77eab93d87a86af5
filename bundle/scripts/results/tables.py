"""The tables: results.csv, one row a hip, and rejected.csv, one row a radiograph or a hip that was refused."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.results.record import Record

_ESTIMATE_COLUMNS = (
    "bmd_g_cm2",
    "bmd_sd_g_cm2",
    "bmd_low_g_cm2",
    "bmd_high_g_cm2",
    "t_score",
    "t_low",
    "t_high",
    "z_score",
    "z_low",
    "z_high",
)

_MORPHOMETRY_DECIMALS = {
    "neck_shaft_deg": 1,
    "neck_axis_length_mm": 1,
    "neck_width_mm": 1,
    "shaft_level_mm": 0,
    "cortical_thickness_index": 3,
    "canal_flare_index": 2,
    "singh_grade": 1,
}

RESULT_COLUMNS = (
    "name",
    "file",
    "study",
    "patient",
    "side",
    "status",
    *(f"{site}_{column}" for site in HIP.sites for column in (*_ESTIMATE_COLUMNS, "category")),
    "landmark_confidence",
    "femur_probability",
    "metal_fraction",
    "fracture_probability",
    "shaft_abduction_deg",
    "outward_rotation_deg",
    "contour_agreement",
    *_MORPHOMETRY_DECIMALS,
    "code",
    "reason",
    "patient_hip",
    "patient_lowest_t_score",
    "patient_lowest_site",
    "patient_category",
    "patient_expectation",
    "patient_osteoporosis_probability",
    "patient_triage",
    "age_years",
    "sex",
    "spacing_source",
    "notes",
    "notice",
)
"""results.csv: intervals are 90%; `patient_*` repeat the outcome of the study on each of its hips, and `patient_hip` is "yes"
where the row's hip is the one that counts in it."""

REJECTED_COLUMNS = ("file", "name", "side", "code", "reason")
"""rejected.csv: `side` is empty where the whole radiograph was refused."""


def write_results_table(records: Sequence[Record], studies: Sequence[Record], notice: str, path: Path) -> None:
    """Write results.csv: two rows (right, left) for every radiograph that was not refused whole."""
    study_of = {study["study"]: study for study in studies}
    measured = [record for record in records if record["status"] == "measured"]
    rows = (_row(record, hip, study_of[record["study"]], notice) for record in measured for hip in record["hips"])
    _write(path, RESULT_COLUMNS, rows)


def write_rejected_table(records: Sequence[Record], path: Path) -> None:
    """Write rejected.csv: why of every radiograph that was refused whole, and of every hip that was on a measured one."""
    _write(path, REJECTED_COLUMNS, (row for record in records for row in _rejections(record)))


def _rejections(record: Record) -> Iterator[dict[str, str]]:
    refused = [("", record["reason"])] if record["reason"] else [(hip["side"], hip["reason"]) for hip in record["hips"]]
    for side, reason in refused:
        if reason:
            identity = {"file": record["file"], "name": record["name"], "side": side}
            yield {**identity, "code": reason["code"], "reason": reason["sentence"]}


def _row(record: Record, hip: Mapping[str, Any], study: Record, notice: str) -> dict[str, Any]:
    outcome, header = study["outcome"], record["header"]
    row: dict[str, Any] = {
        "name": record["name"],
        "file": record["file"],
        "study": record["study"],
        "patient": record["patient"],
        "side": hip["side"],
        "status": hip["status"],
        "landmark_confidence": _rounded(hip["landmark_confidence"], 3),
        "femur_probability": _rounded(hip["femur_probability"], 3),
        "metal_fraction": _rounded(hip["metal_fraction"], 3),
        "fracture_probability": _rounded(hip["fracture_probability"], 3),
        "shaft_abduction_deg": _rounded(hip["shaft_abduction_deg"], 1),
        "outward_rotation_deg": _rounded(hip["outward_rotation_deg"], 1),
        "contour_agreement": _rounded(hip["contour_agreement"], 3),
        "age_years": _rounded(header["age_years"], 1),
        "sex": header["sex"],
        "spacing_source": header["spacing_source"],
        "notes": " ".join(record["notes"]),
        "notice": notice,
    }
    row |= {name: _rounded(hip["morphometry"][name], decimals) for name, decimals in _MORPHOMETRY_DECIMALS.items()}
    if outcome:
        row |= {
            "patient_hip": "yes" if study["hips"][hip["side"]] == record["name"] else "no",
            "patient_lowest_t_score": _rounded(outcome["lowest_t_score"], 2),
            "patient_lowest_site": outcome["lowest_site"],
            "patient_category": outcome["category"],
            "patient_expectation": outcome["expectation"],
            "patient_osteoporosis_probability": _rounded(outcome["osteoporosis_probability"], 3),
            "patient_triage": outcome["triage"],
        }
    if hip["reason"]:
        row |= {"code": hip["reason"]["code"], "reason": hip["reason"]["sentence"]}
    for site, estimate in hip["estimates"].items():
        bmd_low, bmd_high = estimate["bmd_interval_g_cm2"]
        scores = [estimate["t_score"], *(estimate["t_interval"] or (None, None))]
        scores += [estimate["z_score"], *(estimate["z_interval"] or (None, None))]
        bmds = (estimate["bmd_g_cm2"], estimate["bmd_sd_g_cm2"], bmd_low, bmd_high)
        values = [_rounded(value, 4) for value in bmds]
        values += [_rounded(value, 2) for value in scores]
        row |= {f"{site}_{column}": value for column, value in zip(_ESTIMATE_COLUMNS, values, strict=True)}
        row[f"{site}_category"] = estimate["category"]
    return row


def _rounded(value: float | None, decimals: int) -> str:
    """A number to a fixed count of decimals; what is unknown stays empty."""
    return "" if value is None else f"{value:.{decimals}f}"


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
