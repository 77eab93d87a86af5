"""The strata as CSV, as Markdown and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from matplotlib.figure import Figure

from scripts.evaluation.accuracy.metrics import GOALS
from scripts.evaluation.accuracy.strata import Stratum
from scripts.evaluation.accuracy.tables import text
from scripts.files import write_table

_INK, _ACCENT = "#1f4e79", "#c0392b"
_NO_VALUE = "-"
_FEW = 10  # hips; a stratum of fewer is drawn pale


def write_strata(strata: Sequence[Stratum], path: Path) -> None:
    """Write one row a stratum; what could not be computed is empty."""
    write_table(path, [field.name for field in fields(Stratum)], map(asdict, strata))


def format_strata(strata: Sequence[Stratum], kind: str, notice: str) -> str:
    """The same as one page of Markdown; `kind` of data is named in its title."""
    lines = [
        f"# By site, pose, implant, disease and build ({kind} data)",
        "",
        f"{notice}.",
        "",
        "Hip by hip: overlap is of the part of the radiograph that is nearer to the hip than to the other. Goals: femur IoU "
        f"{GOALS['femur_iou_mean']}, prosthesis {GOALS['prosthesis_iou_mean']}, fixation {GOALS['fixation_iou_mean']} or more; "
        f"landmark error, median {GOALS['landmark_error_median_mm']} and 95th percentile {GOALS['landmark_error_p95_mm']} mm or "
        "less; no swaps. Only hips with a true landmark are counted, and what the manifest does not tell of gives no row.",
        "",
        "| By | Group | Hips | Femur Dice | Femur IoU (worst) | Prosthesis IoU | Fixation IoU | Landmarks, median / 95th, mm "
        "| Missed | Swapped |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in strata:
        lines.append(
            f"| {row.by} | {row.group} | {row.hips} | {text(row.femur_dice_mean)} "
            f"| {text(row.femur_iou_mean)} ({text(row.femur_iou_worst)}) "
            f"| {_counted(row.prosthesis_iou_mean, row.prosthesis_hips)} | {_counted(row.fixation_iou_mean, row.fixation_hips)} "
            f"| {text(row.landmark_median_mm, 1)} / {text(row.landmark_p95_mm, 1)} | {row.missed} of {row.with_head} "
            f"| {row.swapped} |"
        )
    return "\n".join([*lines, ""])


def draw_strata(strata: Sequence[Stratum], kind: str) -> Figure:
    """Draw mean femur IoU and median landmark error of every stratum (at least one) beside their goals."""
    figure = Figure(figsize=(11, 1.9 + 0.26 * len(strata)), layout="constrained")
    figure.suptitle(f"Femur and landmarks by group of hips, {kind} data (pale: fewer than {_FEW} hips)")
    overlap, errors = figure.subplots(1, 2, sharey=True)
    places = range(len(strata))
    colours = [_INK if row.hips >= _FEW else "#a9bdd1" for row in strata]
    overlap.barh(places, [1 - row.femur_iou_mean for row in strata], color=colours)
    overlap.axvline(1 - GOALS["femur_iou_mean"], color=_ACCENT, linewidth=1)
    overlap.set(xlabel="1 - mean femur IoU", yticks=places, yticklabels=[f"{_name(row)} ({row.hips})" for row in strata])
    overlap.set_ylim(len(strata) - 0.5, -0.5)
    errors.barh(places, [row.landmark_p95_mm for row in strata], color="#d9d9d9", label="95th percentile")
    errors.barh(places, [row.landmark_median_mm for row in strata], color=colours, label="median")
    errors.axvline(GOALS["landmark_error_median_mm"], color=_ACCENT, linewidth=1, label="goals")
    errors.axvline(GOALS["landmark_error_p95_mm"], color=_ACCENT, linewidth=1)
    errors.set(xlabel="Landmark error, mm")
    figure.legend(handles=errors.get_legend_handles_labels()[0], loc="outside lower center", ncols=3)
    return figure


def _name(row: Stratum) -> str:
    return f"{row.by}: {row.group}" if row.group else row.by


def _counted(value: float, hips: int) -> str:
    return f"{text(value)}, n = {hips}" if hips else _NO_VALUE
