"""The effects of all changes as JSON, CSV and one page of Markdown, beside the figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from scripts.clinical.anatomy import HIP
from scripts.evaluation.accuracy.tables import plain, text
from scripts.evaluation.interventions.changes import Kind
from scripts.evaluation.interventions.effects import Baseline, Effect
from scripts.evaluation.interventions.figure import draw_effects
from scripts.files import replacing, write_table


def write_interventions(
    effects: Sequence[Effect], baselines: Sequence[Baseline], kinds: Sequence[Kind], document: Mapping[str, Any], folder: Path
) -> list[str]:
    """Write interventions.md, .csv, .json and .png and return their names.

    Args:
        effects: of `summarise_effects`.
        baselines: of `summarise_reference`.
        kinds: that were applied.
        document: "notice", "data", "patients", "measured", "sites" and whatever else the JSON is to hold.
        folder: where to; it must exist.
    """
    rows = [asdict(effect) for effect in effects]
    told = [{"name": kind.name, "group": kind.group, "what": kind.what, "moves_truth": kind.moves_truth} for kind in kinds]
    content = plain({**document, "reference": [asdict(one) for one in baselines], "changes": told, "effects": rows})
    with replacing(folder / "interventions.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    decimals = ({name: round(cell, 5) if isinstance(cell, float) else cell for name, cell in row.items()} for row in rows)
    write_table(folder / "interventions.csv", [field.name for field in fields(Effect)], decimals)
    with replacing(folder / "interventions.md") as temporary:
        temporary.write_text(format_interventions(effects, baselines, kinds, document), encoding="utf-8")
    with replacing(folder / "interventions.png") as temporary:
        draw_effects(effects, f"Interventions, {document['measured']} {document['data']} patients").savefig(temporary, dpi=110)
    return [f"interventions.{ending}" for ending in ("md", "csv", "json", "png")]


def format_interventions(
    effects: Sequence[Effect], baselines: Sequence[Baseline], kinds: Sequence[Kind], document: Mapping[str, Any]
) -> str:
    """The same as one page: what the reference is, then a row a change."""
    reference = "; ".join(
        f"{HIP.site_names[one.site]} {text(one.bias)} ± {text(one.sd)} g/cm², {one.measured} of {one.hips} hips"
        for one in baselines
    )
    lines = [
        f"# Interventions ({document['data']} data)",
        "",
        f"{document['notice']}.",
        "",
        f"{document['measured']} of {document['patients']} patients of {', '.join(document['sites'])} were measured on their "
        f"reference radiograph (estimate - DXA, mean ± SD: {reference}). Each row is the same radiograph with one thing changed: "
        "mean over hips, with its 95% interval by a bootstrap of patients.",
        "",
        "In bold the response, change of the estimate over that of DXA: 1 is right. Where DXA stays, the change of estimate - "
        "DXA in g/cm² ± SD between hips: 0 is right. Refused: of the hips measured on the reference. Grade: change of the "
        "Singh-like grade. Doubts: hips with a caution that they did not have.",
        "",
        "| Change | | Hips refused | DXA, total hip | Total hip | Femoral neck | Grade | Reasons |",
        "|---|---|---|---|---|---|---|---|",
    ]
    first = {(kind.name, kind.told(kind.levels[0])): f", {kind.what}" for kind in kinds}
    by_site = {(effect.change, effect.level, effect.site): effect for effect in effects}
    for total in (effect for effect in effects if effect.site == "total"):
        neck = by_site[total.change, total.level, "neck"]
        reasons = [total.codes, f"doubts {total.doubted}" if total.doubted else ""]
        lines.append(
            f"| **{total.change}**{first.get((total.change, total.level), '')} | {total.level} "
            f"| {total.refused} of {total.measured} "
            f"| {signed(total.truth_mean)} | {_told(total)} | {_told(neck)} | {signed(total.grade_mean, 2)} "
            f"| {'; '.join(filter(None, reasons))} |"
        )
    return "\n".join([*lines, ""])


def _told(effect: Effect) -> str:
    """The response, or the change of the error in g/cm² with its SD between hips, each with its interval."""
    if math.isfinite(effect.response_mean):
        return f"**{text(effect.response_mean, 2)}**{_interval(effect.response_low, effect.response_high, 2)}"
    if not math.isfinite(effect.error_mean):
        return "-"
    return f"{signed(effect.error_mean)} ± {text(effect.error_sd)}{_interval(effect.error_low, effect.error_high)}"


def _interval(low: float, high: float, decimals: int = 3) -> str:
    return f" ({signed(low, decimals)} to {signed(high, decimals)})" if math.isfinite(low) else ""


def signed(value: float, decimals: int = 3) -> str:
    """A difference as the table shows it; a dash where there is none."""
    return f"{round(value, decimals) + 0.0:+.{decimals}f}" if math.isfinite(value) else "-"
