"""The tables: results.csv, one row a hip, with the dictionary of its columns, and rejected.csv, one row a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.clinical import Of, Quantity
from scripts.clinical.anatomy import HIP
from scripts.files import write_table
from scripts.results.document import Document
from scripts.results.record import Record, counting_estimates

_HIP_COLUMNS: Final = {
    "name": "pseudonym of the radiograph, and stem of its pictures",
    "file": "its path, relative to the folder that was screened",
    "study": "pseudonym of the study",
    "patient": "pseudonym of the patient",
    "side": "right or left hip of the patient",
    "status": "measured, or refused",
}
_ESTIMATE_COLUMNS: Final = {
    "bmd_g_cm2": ("g/cm2", "estimated areal bone mineral density"),
    "bmd_sd_g_cm2": ("g/cm2", "its standard deviation"),
    "bmd_low_g_cm2": ("g/cm2", "lower end of its 90% interval"),
    "bmd_high_g_cm2": ("g/cm2", "upper end of its 90% interval"),
    "t_score": ("", "T-score, against young adults"),
    "t_low": ("", "lower end of its 90% interval"),
    "t_high": ("", "upper end of its 90% interval"),
    "z_score": ("", "Z-score, against people of the same age and sex"),
    "z_low": ("", "lower end of its 90% interval"),
    "z_high": ("", "upper end of its 90% interval"),
}
_OUTCOME_COLUMNS: Final = {
    "code": ("", "why the hip was not measured, as a code; empty where it was"),
    "reason": ("", "the same, in a sentence"),
    "cautions": ("", "codes of what makes a measured hip doubtful; its intervals are wider then"),
    "patient_hip": (
        "",
        "yes or no: whether the row's hip is the one that counts for the patient; its estimates are then by all radiographs of "
        "the study together",
    ),
    "patient_lowest_t_score": ("", "lowest T-score of the study; repeated on each of its hips, as all patient_ columns are"),
    "patient_lowest_site": ("", "side and site of that T-score, such as left neck"),
    "patient_category": (
        "",
        "normal, low bone mass or osteoporosis: the WHO's category of that T-score; empty where DXA decides, or triage and that "
        "category do not agree",
    ),
    "patient_expectation": (
        "",
        "within or below the expected range for age, by the lowest Z-score; only below the age of T-scores",
    ),
    "patient_osteoporosis_probability": (
        "",
        "probability that the true lowest T-score is -2.5 or less, 0 to 1: by the estimated one and the classifier together",
    ),
    "patient_low_bone_mass_probability": (
        "",
        "probability that the true lowest T-score is below -1.0, which is low bone mass or osteoporosis, 0 to 1; likewise",
    ),
    "patient_triage": (
        "",
        "osteoporosis likely, osteoporosis unlikely or uncertain: DXA decides; by patient_osteoporosis_probability alone",
    ),
    "patient_frax_neck_t_score": (
        "",
        "T-score of the femoral neck for FRAX: of the lower of the necks measured, against NHANES III's women of 20 to 29 years "
        "for both sexes; only from 40 to 90 years of age. FRAX was made for DXA's",
    ),
    "patient_frax_neck_side": ("", "right or left: the hip of that neck"),
    "age_years": ("years", "of the patient"),
    "sex": ("", "F or M; empty where unknown"),
    "spacing_source": ("", "where the pixel size comes from"),
    "notes": ("", "limitations and assumptions"),
    "notice": ("", "what holds for every result"),
}

REJECTED_COLUMNS: Final = {
    "file": "path, relative to the folder that was screened; of a member of an archive, ARCHIVE.zip/PATH/FILE",
    "name": "pseudonym of the radiograph; empty for what was passed over",
    "side": "right or left hip of the patient; empty where the whole radiograph was refused for one reason",
    "code": "why it was refused, as a code",
    "reason": "the same, in a sentence",
}
"""What each column of rejected.csv means."""

_PSEUDONYM: Final = re.compile(r"\b[0-9a-f]{16}\b")


def describe_columns(quantities: Sequence[Quantity]) -> dict[str, tuple[str, str]]:
    """The columns of results.csv in their order, each with its unit and meaning.

    Args:
        quantities: of which there are values, see `Channels.table`.
    """
    return {
        **{name: ("", meaning) for name, meaning in _HIP_COLUMNS.items()},
        **{
            f"{site}_{column}": (unit, f"{HIP.site_names[site]}: {meaning}")
            for site in HIP.sites
            for column, (unit, meaning) in _ESTIMATE_COLUMNS.items()
        },
        **{quantity.name: (quantity.unit, quantity.meaning) for quantity in _of_hips(quantities)},
        **_OUTCOME_COLUMNS,
    }


def write_columns_table(document: Document, quantities: Sequence[Quantity], folder: Path) -> None:
    """Write columns.csv: what each column of results.csv means."""
    rows = ({"column": name, "unit": unit, "meaning": says} for name, (unit, says) in describe_columns(quantities).items())
    write_table(folder / "columns.csv", ("column", "unit", "meaning"), rows)


def write_results_table(document: Document, quantities: Sequence[Quantity], folder: Path) -> None:
    """Write results.csv: two rows (right, left) for every radiograph that was not refused whole."""
    study_of = {study["study"]: study for study in document["studies"]}
    measured = [record for record in document["radiographs"] if record["status"] == "measured"]
    rows = (
        _row(record, hip, study_of[record["study"]], _of_hips(quantities)) | {"notice": document["notice"]}
        for record in measured
        for hip in record["hips"]
    )
    write_table(folder / "results.csv", list(describe_columns(quantities)), rows)


def write_rejected_table(document: Document, quantities: Sequence[Quantity], folder: Path) -> None:
    """Write rejected.csv: why of every radiograph that was refused whole, and of every hip that was on a measured one; and what
    was passed over.

    It links pseudonyms to files, so that a sentence on another radiograph names its file.
    """
    files = {record["name"]: record["file"] for record in document["radiographs"]}
    rows = [row for record in document["radiographs"] for row in _rejections(record)]
    for row in rows:
        row["reason"] = _PSEUDONYM.sub(lambda found: files.get(found[0], found[0]), row["reason"])
    rows += [
        {"file": one["file"], "code": one["reason"]["code"], "reason": one["reason"]["sentence"]}
        for one in document["passed_over"]
    ]
    write_table(folder / "rejected.csv", list(REJECTED_COLUMNS), rows)


def _rejections(record: Record) -> Iterator[dict[str, str]]:
    refused = [(hip["side"], hip["reason"]) for hip in record["hips"]]
    if record["reason"] and len({reason and reason["code"] for _, reason in refused}) <= 1:
        refused = [("", record["reason"])]
    for side, reason in refused:
        if reason:
            identity = {"file": record["file"], "name": record["name"], "side": side}
            yield {**identity, "code": reason["code"], "reason": reason["sentence"]}


def _of_hips(quantities: Sequence[Quantity]) -> list[Quantity]:
    """Those that are columns of their own."""
    return [
        quantity
        for quantity in quantities
        if quantity.of is Of.BONE and quantity.decimals is not None and quantity.group != "estimates"
    ]


def _row(record: Record, hip: Mapping[str, Any], study: Record, quantities: Sequence[Quantity]) -> dict[str, Any]:
    outcome, header = study["outcome"], record["header"]
    row: dict[str, Any] = {
        **{name: record[name] for name in ("name", "file", "study", "patient")},
        **{name: hip[name] for name in ("side", "status")},
        "age_years": _rounded(header["age_years"], 1),
        "sex": header["sex"],
        "spacing_source": header["spacing_source"],
        "notes": " ".join(record["notes"]),
    }
    row |= {quantity.name: _rounded(quantity.find(hip), quantity.decimals or 0) for quantity in quantities}
    if outcome:
        row |= {
            "patient_hip": "yes" if study["hips"][hip["side"]] == record["name"] else "no",
            "patient_lowest_t_score": _rounded(outcome["lowest_t_score"], 2),
            "patient_lowest_site": outcome["lowest_site"],
            "patient_category": outcome["category"],
            "patient_expectation": outcome["expectation"],
            "patient_osteoporosis_probability": _rounded(outcome["osteoporosis_probability"], 3),
            "patient_low_bone_mass_probability": _rounded(outcome["low_bone_mass_probability"], 3),
            "patient_triage": outcome["triage"],
        }
        if frax := outcome["frax"]:
            row |= {"patient_frax_neck_t_score": _rounded(frax["neck_t_score"], 2), "patient_frax_neck_side": frax["side"]}
    row["cautions"] = ";".join(caution["code"] for caution in hip["cautions"])
    if hip["reason"]:
        row |= {"code": hip["reason"]["code"], "reason": hip["reason"]["sentence"]}
    for site, estimate in counting_estimates(study, record, hip).items():
        bmd_low, bmd_high = estimate["bmd_interval_g_cm2"]
        scores = [estimate["t_score"], *(estimate["t_interval"] or (None, None))]
        scores += [estimate["z_score"], *(estimate["z_interval"] or (None, None))]
        bmds = (estimate["bmd_g_cm2"], estimate["bmd_sd_g_cm2"], bmd_low, bmd_high)
        values = [_rounded(value, 4) for value in bmds] + [_rounded(value, 2) for value in scores]
        row |= {f"{site}_{column}": value for column, value in zip(_ESTIMATE_COLUMNS, values, strict=True)}
    return row


def _rounded(value: float | None, decimals: int) -> str:
    """A number to a fixed count of decimals; what is unknown stays empty."""
    return "" if value is None else f"{value:.{decimals}f}"
