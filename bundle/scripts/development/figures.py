"""Makes every table of figures of the docs anew, with the picture that belongs to one: `make figures`.

It takes hours; what is finished is not done again when the same command is given. The sentences around the tables quote figures
too: those are for people to write.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from scripts.development.made import DOCS, WEIGHTS, entry, read_rows, replace_table, run_bundle, write_record
from scripts.development.study import COHORT, SITES, evaluate_cohort, place_study
from scripts.files import replacing, sha256

_COHORTS: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "cohort": ("simulate", COHORT),
    "others": ("simulate_others", {"radiographs": 136, "seed": 15, "sites": SITES}),
    "faulty": ("simulate", {"patients": 110, "seed": 28, "faulty": True, "sites": SITES}),
}
"""The config and settings of each, as the docs name them. No training and no calibration saw these."""
_MEASURES: Final = {
    "neck_shaft_deg": ("neck-shaft angle, degrees", 1),
    "neck_axis_length_mm": ("neck axis length, mm", 1),
    "neck_width_mm": ("neck width, mm", 1),
    "cortical_thickness_index": ("cortical thickness index", 3),
    "canal_flare_index": ("canal flare index", 2),
    "singh_grade": ("Singh-like grade, grades", 2),
}
TABLES: Final = {
    "README.md": ("performance", "groups"),
    "morphometry.md": ("measures",),
    "evaluation.md": ("robustness",),
    "data.md": ("gate",),
}
"""By page."""


def make_figures(work_dir: Path) -> None:
    """Measure in a folder, and write the tables into the docs.

    Args:
        work_dir: where the cohorts and results of these weights are kept, finished ones too.
    """
    results = work_dir / sha256(WEIGHTS)[:16]
    for name, (config, settings) in _COHORTS.items():
        if not (work_dir / name / "manifest.csv").exists():
            run_bundle(config, output_dir=work_dir / name, **settings)
        run_bundle("inference", dataset_dir=work_dir / name, output_dir=results / name)
    place_study(evaluate_cohort(work_dir), DOCS)
    run_bundle("inference", "robustness", dataset_dir=work_dir / "cohort", output_dir=results / "robustness", sample=8)
    judged = {"valid": "cohort", "refusable": "others", "faulty": "faulty"}
    run_bundle(
        "evaluate_gate",
        output_dir=results / "gate",
        **{f"{kind}_dir": work_dir / name for kind, name in judged.items()},
        **{f"{kind}_results": results / name for kind, name in judged.items()},
    )
    made = {"robustness.png": entry("make figures", weights=True)}
    tables = read_tables(results)
    for page, names in TABLES.items():
        text = (DOCS / page).read_text(encoding="utf-8")
        for name in names:
            text = replace_table(text, name, tables[name])
            made[f"{page}#{name}"] = entry("make figures", weights=True)
        with replacing(DOCS / page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    shutil.copy(results / "robustness" / "robustness.png", DOCS)
    write_record(made)
    print(f"Made {', '.join(made)} in {DOCS}. Now read the sentences beside them, and evaluation.md's on cliffs.")


def read_tables(results: Path) -> dict[str, list[str]]:
    """The lines of every table, by name.

    Args:
        results: with the folders "evaluation", "robustness" and "gate", as their commands wrote them.
    """
    metrics = json.loads((results / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    return {
        "performance": _table_of(results / "evaluation" / "metrics.md"),
        "groups": _table_of(results / "evaluation" / "strata.md"),
        "measures": list(_measures(metrics["overall"]["morphometry"])),
        "robustness": list(_robustness(read_rows(results / "robustness" / "robustness.csv"))),
        "gate": list(_gate(read_rows(results / "gate" / "gate.csv"))),
    }


def _table_of(page: Path) -> list[str]:
    return [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]


def _measures(morphometry: dict[str, Any]) -> Iterator[str]:
    yield from ("| Measure | Hips | Bias ± SD | r |", "|---|---|---|---|")
    for name, (title, decimals) in _MEASURES.items():
        found = morphometry.get(name)
        if found and found["pearson_r"] is not None:
            spread = f"{found['bias']:.{decimals}f} ± {found['sd']:.{decimals}f}"
            yield f"| {title} | {found['hips']} | {spread} | {found['pearson_r']:.2f} |"


def _robustness(steps: list[dict[str, str]]) -> Iterator[str]:
    """Mean femur Dice after each step, and that of the worst radiographs."""
    unchanged, *changed = steps
    yield from ("| Change | weak | | | strong |", "|---|---|---|---|---|")
    by_change: dict[str, list[str]] = {"none": [_step(unchanged).partition(": ")[2]]}
    for step in changed:
        by_change.setdefault(step["perturbation"], []).append(_step(step))
    for name, cells in by_change.items():
        yield f"| {name} | {' | '.join([*cells, '', '', ''][:4])} |"


def _step(step: dict[str, str]) -> str:
    found = f"{float(step['femur_dice_mean']):.3f} ({float(step['femur_dice_worst']):.3f})"
    return f"{float(step['level']):g}: {f'**{found}**' if step['in_hospitals'] == 'True' else found}"


def _gate(shares: list[dict[str, str]]) -> Iterator[str]:
    """Of all shares those of whole groups; the kinds of those to be refused are in the gate's own table."""
    yield from ("| | Group | Should be | Were | 95% interval |", "|---|---|---|---|---|")
    for share in shares:
        if share["level"] == "hip" or share["group"].partition(",")[0] in ("valid", "to be refused"):
            found = f"{share['right']} of {share['of']} ({float(share['share']):.1%})"
            interval = f"{100 * float(share['ci95_low']):.1f} to {100 * float(share['ci95_high']):.1f}%"
            yield f"| {share['level']} | {share['group']} | {share['wanted']} | {found} | {interval} |"


if __name__ == "__main__":
    make_figures(Path(sys.argv[1]))
