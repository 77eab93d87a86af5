"""Robustness as JSON, CSV, Markdown and one figure of small multiples, with the range that hospitals produce marked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from scripts.evaluation.accuracy.points import median_and_p95
from scripts.evaluation.accuracy.tables import plain, text
from scripts.evaluation.robustness.perturbations import Perturbation
from scripts.files import replacing, write_table

MEAN_DROP: Final = 0.02
WORST_DROP: Final = 0.05
"""Of femur Dice, the mean and that of the worst radiographs: more than this below the unchanged radiographs is a cliff."""

_WORST_SHARE: Final = 0.05
_COLUMNS: Final = 5
_INK, _PALE, _ACCENT, _RANGE = "#1f4e79", "#7fa3c7", "#c0392b", "#dcefdc"


class Found(Protocol):
    """What was found on one radiograph."""

    @property
    def dice(self) -> float:
        """Of the femur; NaN = none on the radiograph."""

    @property
    def errors_mm(self) -> tuple[float, ...]:
        """Of the landmarks."""

    @property
    def hips(self) -> int:
        """With a head on the radiograph."""

    @property
    def missed(self) -> int:
        """Of these."""


@dataclass(frozen=True)
class Step:
    """One strength of one change, over all radiographs; NaN where nothing is known.

    in_hospitals: whether hospitals produce it. femur_dice_worst: mean of the worst twentieth of the radiographs, at least of one.
    landmark errors: of the hips found, mm. missed: of ``hips``, those with a head on the radiograph.
    """

    perturbation: str
    level: float
    in_hospitals: bool
    radiographs: int
    femur_dice_mean: float
    femur_dice_worst: float
    landmark_median_mm: float
    landmark_p95_mm: float
    hips: int
    missed: int

    @classmethod
    def of(cls, perturbation: str, level: float, in_hospitals: bool, outcomes: Sequence[Found]) -> Step:
        """Summarise what was found on each radiograph."""
        overlaps = np.sort([found.dice for found in outcomes if math.isfinite(found.dice)])
        errors = np.array([error for found in outcomes for error in found.errors_mm])
        median, p95 = median_and_p95(errors)
        worst = overlaps[: max(1, round(_WORST_SHARE * len(overlaps)))]
        return cls(
            perturbation=perturbation,
            level=level,
            in_hospitals=in_hospitals,
            radiographs=len(outcomes),
            femur_dice_mean=float(overlaps.mean()) if len(overlaps) else math.nan,
            femur_dice_worst=float(worst.mean()) if len(worst) else math.nan,
            landmark_median_mm=median,
            landmark_p95_mm=p95,
            hips=sum(found.hips for found in outcomes),
            missed=sum(found.missed for found in outcomes),
        )

    def is_cliff(self, unchanged: Step) -> bool:
        """Whether femurs are found so much worse than on the unchanged radiographs that a user would be misled."""
        mean, worst = (getattr(unchanged, name) - getattr(self, name) for name in ("femur_dice_mean", "femur_dice_worst"))
        return bool(mean > MEAN_DROP or worst > WORST_DROP)


def write_robustness(
    steps: Sequence[Step], perturbations: Sequence[Perturbation], document: Mapping[str, Any], folder: Path
) -> list[str]:
    """Write robustness.json, .csv, .md and .png and return their names.

    Args:
        steps: of `scripts.evaluation.robustness.measure.summarise_steps`: the unchanged radiographs first.
        perturbations: their kinds.
        document: "notice", "data", "radiographs" and whatever else the JSON is to hold.
        folder: where to; it must exist.
    """
    kinds = [
        {"name": kind.name, "unit": kind.unit, "hospital": kind.hospital, "why": kind.why, "cliff": bool(_cliffs(steps, kind))}
        for kind in perturbations
    ]
    content = plain({**document, "perturbations": kinds, "steps": [asdict(step) for step in steps]})
    with replacing(folder / "robustness.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    write_table(folder / "robustness.csv", [field.name for field in fields(Step)], content["steps"])
    with replacing(folder / "robustness.md") as temporary:
        temporary.write_text(format_robustness(steps, perturbations, document), encoding="utf-8")
    with replacing(folder / "robustness.png") as temporary:
        _figure(steps, perturbations, document).savefig(temporary, dpi=110)
    return [f"robustness.{ending}" for ending in ("md", "csv", "json", "png")]


def format_robustness(steps: Sequence[Step], perturbations: Sequence[Perturbation], document: Mapping[str, Any]) -> str:
    """The same as one page of Markdown."""
    units = {kind.name: kind.unit for kind in perturbations}
    lines = [
        f"# Robustness ({document['data']} data)",
        "",
        f"{document['notice']}.",
        "",
        f"{document['radiographs']} radiographs, each changed in one way at a time. Steps in bold are of the range that "
        f"hospitals produce. A cliff is a step where mean femur Dice is over {MEAN_DROP}, or that of the worst 5% of radiographs "
        f"over {WORST_DROP}, below the unchanged radiographs'. Landmark errors are of the hips found.",
        "",
        "| Change | Range in hospitals | Why | Cliff inside it |",
        "|---|---|---|---|",
    ]
    for kind in perturbations:
        cliffs = [f"{step.level:g}" for step in _cliffs(steps, kind)]
        reach = f"up to {kind.hospital:g} ({kind.unit})" if kind.hospital else "-"
        told = f"from {cliffs[0]}" if cliffs else "no" if kind.hospital else "-"
        lines.append(f"| {kind.name} | {reach} | {kind.why} | {told} |")
    lines += [
        "",
        "| Change | Strength | Femur Dice, mean | worst 5% | Landmarks, median / 95th, mm | Hips missed | Cliff |",
        "|---|---|---|---|---|---|---|",
    ]
    for step in steps:
        unit = units.get(step.perturbation)
        strength = f"{step.level:g} {unit}" if unit else "-"
        lines.append(
            f"| {step.perturbation} | {f'**{strength}**' if unit and step.in_hospitals else strength} "
            f"| {text(step.femur_dice_mean)} | {text(step.femur_dice_worst)} "
            f"| {text(step.landmark_median_mm, 1)} / {text(step.landmark_p95_mm, 1)} | {step.missed} of {step.hips} "
            f"| {'yes' if step.is_cliff(steps[0]) else ''} |"
        )
    return "\n".join([*lines, ""])


def _cliffs(steps: Sequence[Step], kind: Perturbation) -> list[Step]:
    """The steps inside the range of hospitals where femurs are found much worse."""
    return [step for step in steps if step.perturbation == kind.name and step.in_hospitals and step.is_cliff(steps[0])]


def _figure(steps: Sequence[Step], perturbations: Sequence[Perturbation], document: Mapping[str, Any]) -> Figure:
    rows = math.ceil(len(perturbations) / _COLUMNS)
    figure = Figure(figsize=(3.5 * _COLUMNS, 2.9 * rows + 1.1), layout="constrained")
    figure.suptitle(f"Robustness, {document['radiographs']} radiographs, {document['data']} data")
    panels = list(np.atleast_1d(figure.subplots(rows, _COLUMNS, sharey=True)).flat)
    worst = [step.femur_dice_worst for step in steps if math.isfinite(step.femur_dice_worst)]
    floor = max(0.0, math.floor(10 * min(worst, default=0.0)) / 10)
    error = max([1.0, *(step.landmark_p95_mm for step in steps if math.isfinite(step.landmark_p95_mm))])  # mm
    for axes, kind in zip(panels, perturbations, strict=False):
        of_kind = [steps[0], *(step for step in steps if step.perturbation == kind.name)]
        _panel(axes, kind, of_kind, error)
        axes.set_ylim(floor, 1.02)
    for axes in panels[len(perturbations) :]:
        axes.set_axis_off()
    figure.supylabel("Femur Dice")
    figure.legend(
        handles=[
            Line2D([], [], color=_INK, marker="o", label="femur Dice, mean"),
            Line2D([], [], color=_PALE, marker="o", label="femur Dice, worst 5% of radiographs"),
            Line2D([], [], color=_ACCENT, linestyle="dotted", label="landmark error, 95th percentile, mm (right axis)"),
            Patch(color=_RANGE, label="range in hospitals"),
        ],
        loc="outside lower center",
        ncols=4,
    )
    return figure


def _panel(axes: Axes, kind: Perturbation, steps: Sequence[Step], error_mm: float) -> None:
    """One kind of change: steps at equal distances, so that weak ones are told apart."""
    places = range(len(steps))
    within = max(place for place, step in enumerate(steps) if step.level <= kind.hospital)
    if kind.hospital:
        axes.axvspan(0, within + 0.25, color=_RANGE, linewidth=0)
    axes.plot(places, [step.femur_dice_worst for step in steps], color=_PALE, marker="o", markersize=3)
    axes.plot(places, [step.femur_dice_mean for step in steps], color=_INK, marker="o", markersize=3)
    axes.set_xticks(places, [f"{step.level:g}" for step in steps])
    axes.set_title(kind.name)
    axes.set_xlabel(kind.unit, fontsize=8)
    right = axes.twinx()
    right.plot(places, [step.landmark_p95_mm for step in steps], color=_ACCENT, linestyle="dotted")
    right.set_ylim(0, 1.05 * error_mm)
    right.tick_params(colors=_ACCENT, labelsize=7)
