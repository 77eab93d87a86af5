"""Measures what limits the estimates: `make bounds`.

Regressors are trained from nothing, all with as many steps: on half and on all patients of a cohort, on one
radiograph of each in the place of six, and on as many patients as half of a site whose radiographs are all for processing and
taken with one known exposure. Each is judged on patients of other sites; that of the known exposure, and that of as many
patients, on further patients of its site. It takes hours; what is finished is not done again when the same command is given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.dataset.manifest import MANIFEST_NAME
from scripts.development.made import BUNDLE, SITES, WEIGHTS, evaluated, read_rows, run_bundle
from scripts.files import replacing

_COHORTS: Final[dict[str, dict[str, object]]] = {
    "varied": {"patients": 256, "seed": 1601, "states": 5, "sites": "['simulated-1','simulated-2','simulated-3']"},
    "known": {"patients": 128, "seed": 41, "states": 5},
    "judge_varied": {"patients": 110, "seed": 24, "sites": "['simulated-4','simulated-5']"},
    "judge_known": {"patients": 60, "seed": 42, "split": "external"},
}
"""Those of one known exposure are of a site of their own."""
_SITES_FILE: Final = BUNDLE / "scripts" / "simulation" / "known_exposure_site.json"
_SPLITS: Final = ("train", "test")
_EPOCHS: Final = 18
"""Of all radiographs, some thousand steps; of fewer as many more. By 500, what was learnt from nothing was bound by the steps."""
_LISTED: Final = (
    "$[item for folder in @sources for item in scripts.training.training_items(folder, @splits, @required) "
    "if int(item['patient_id'][1:]) < {patients} and {which}]"
)


@dataclass(frozen=True)
class _Lesson:
    """What a regressor learns from: a cohort, those of its first patients who are not to validate on, all their radiographs or
    one of each; and what is to be said beyond."""

    more: str = ""
    cohort: str = "varied"
    patients: int = 256
    one: bool = False

    @property
    def epochs(self) -> int:
        """As many as make the steps of `_EPOCHS` of all radiographs."""
        return round(_EPOCHS * 256 / self.patients * (6 if self.one else 1))

    def title(self, work_dir: Path) -> str:
        """In words, with the patients and radiographs counted."""
        cohort = read_rows(work_dir / self.cohort / MANIFEST_NAME)
        rows = [row for row in cohort if row["split"] in _SPLITS and int(row["patient_id"][1:]) < self.patients]
        count = len({row["patient_id"] for row in rows})
        return f"{count} patients, {count if self.one else len(rows)} radiographs{self.more}"


_LESSONS: Final = {
    "half": _Lesson(patients=128),
    "all": _Lesson(),
    "one": _Lesson(one=True),
    "known": _Lesson(", one known exposure, for processing", "known", 128),
}
_JUDGED: Final = (
    *((name, "judge_varied") for name in ("half", "all", "one")),
    ("half", "judge_known"),
    ("known", "judge_known"),
)
_JUDGES: Final = {"judge_varied": "other sites", "judge_known": "the site of one exposure"}


def measure_bounds(work_dir: Path) -> None:
    """Simulate, train and evaluate; `bounds.md` tells of it.

    Args:
        work_dir: where cohorts, weights and results are kept, finished ones too.
    """
    for name, settings in _COHORTS.items():
        if not (work_dir / name / "manifest.csv").exists():
            sites = {} if "sites" in settings else {"sites_file": _SITES_FILE}
            run_bundle("simulate", output_dir=work_dir / name, **settings, **sites)
    for name, lesson in _LESSONS.items():
        learnt = work_dir / f"learnt_{name}"
        if not (learnt / "model.pt").exists():
            which = "'_state' not in item['image']" if lesson.one else "True"
            run_bundle(
                "inference", "train", "train_bmd", dataset_dir=work_dir / lesson.cohort, output_dir=learnt,
                cache_dir=work_dir / "cache", splits=str(list(_SPLITS)), epochs=lesson.epochs, patience=lesson.epochs,
                batch_size=32, learning_rate=2e-3, val_interval=lesson.epochs,
                listed=_LISTED.format(patients=lesson.patients, which=which),
            )  # fmt: skip
            run_bundle(
                "inference",
                "assemble",
                base_file=WEIGHTS,
                bmd_file=learnt / "last.pt",
                output_file=learnt / "model.pt",
            )
    found = {}
    for name, judge in _JUDGED:
        weights = work_dir / f"learnt_{name}" / "model.pt"
        bmd = evaluated(work_dir / judge, work_dir / f"{name}_{judge}", checkpoint=weights)
        found[_LESSONS[name].title(work_dir), _JUDGES[judge]] = bmd
    page = work_dir / "bounds.md"
    with replacing(page) as temporary:
        temporary.write_text("\n".join(table(found)) + "\n", encoding="utf-8")
    print(f"{page} tells of it.", flush=True)


def table(found: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a table: r and RMSE of both sites, by what was learnt from and where it was judged.

    Args:
        found: by both, "bmd" of an evaluation's `metrics.json`.
    """
    yield "| Learnt from | Judged on | " + " | ".join(f"{name}: r | RMSE, g/cm²" for name in SITES.values()) + " |"
    yield "|---|---|" + "---|" * (2 * len(SITES))
    for (lesson, judge), sites in found.items():
        cells = [f"{bmd['pearson_r']:.3f} | {bmd['rmse']:.3f}" for bmd in (sites[site] for site in SITES)]
        yield f"| {lesson} | {judge} | {' | '.join(cells)} |"


if __name__ == "__main__":
    measure_bounds(Path(sys.argv[1]))
