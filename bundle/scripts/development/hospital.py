"""Measures what a hospital gains by its own DXA: `make hospital`.

A hospital is simulated whose site no training and no calibration saw. It has radiographs with DXA, and nothing else: masks and
landmarks are the shipped networks' own, as `osteoxr annotate` draws them. By its first 50, 200 and 1,000 patients the estimates
are calibrated, and the regressor is fine-tuned; 150 other patients judge each. It takes hours; what is finished is not done again
when the same command is given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from scripts.dataset.manifest import MANIFEST_NAME
from scripts.development.made import (
    BUNDLE,
    DOCS,
    SITES,
    WEIGHTS,
    entry,
    evaluated,
    read_rows,
    replace_table,
    run_bundle,
    write_record,
)
from scripts.files import replacing, sha256, write_table

_COMMAND: Final = "make hospital"
_EPOCHS: Final = {50: 16, 200: 12, 1000: 8}
"""Of each fine-tuning, by how many patients teach."""
_JUDGES: Final = 150
_SITES_FILE: Final = BUNDLE / "scripts" / "simulation" / "hospital_site.json"
_KNOWN: Final = (
    "image", "patient_id", "study_date", "site", "age_years", "sex", "weight_kg", "height_cm", "left_neck_bmd", "left_total_bmd",
    "right_neck_bmd", "right_total_bmd",
)  # fmt: skip
"""What of a simulated manifest a hospital has."""
_ONE_IN: Final = 5
"""Patients, of whom one is to validate on."""
_FEWEST: Final = 30
"""With an answer and DXA: of fifty patients some are refused."""
_WAYS: Final = ("calibrated", "fine-tuned")

Row = dict[str, str]


def measure_hospital(work_dir: Path) -> None:
    """Simulate, annotate, calibrate and fine-tune, and evaluate each; a table and a picture of training.md tell of it.

    Args:
        work_dir: where cohorts, weights and results are kept, finished ones too.
    """
    cohorts = {"learn": {"patients": max(_EPOCHS), "seed": 31}, "judge": {"patients": _JUDGES, "seed": 32}}
    for name, settings in cohorts.items():
        if not (work_dir / name / "manifest.csv").exists():
            run_bundle("simulate", output_dir=work_dir / name, sites_file=_SITES_FILE, split="test", **settings)
    results = work_dir / sha256(WEIGHTS)[:16]
    own, annotated = results / "own", results / "annotated"
    if not (own / "manifest.csv").exists():
        learn = work_dir / "learn"
        write_folder(own, learn, [{key: row[key] for key in _KNOWN} for row in read_rows(learn / MANIFEST_NAME)])
    if not annotated.exists():
        run_bundle("inference", "annotate", dataset_dir=own)
        annotated.touch()
    found = {("as shipped", 0): evaluated(work_dir / "judge", results / "shipped")}
    for count, epochs in _EPOCHS.items():
        folder, place = results / f"first_{count}", results / f"by_{count}"
        write_folder(folder, own, first_patients(read_rows(own / MANIFEST_NAME), count))
        calibration = place / "calibration" / "calibration.json"
        if not calibration.exists():
            with suppress(SystemExit):  # where it does not help it is refused, and has said so
                run_bundle(
                    "inference",
                    "calibrate",
                    dataset_dir=folder,
                    output_dir=calibration.parent,
                    split="all",
                    fewest_patients=_FEWEST,
                )
        if calibration.exists():
            found["calibrated", count] = evaluated(work_dir / "judge", place / "calibrated", calibration_file=calibration)
        if not (place / "model.pt").exists():
            run_bundle(
                "inference", "train", "train_bmd", dataset_dir=folder, output_dir=place / "bmd", initial_file=WEIGHTS,
                epochs=epochs, learning_rate=5e-4,
            )  # fmt: skip
            run_bundle(
                "inference", "assemble", base_file=WEIGHTS, bmd_file=place / "bmd" / "best.pt", output_file=place / "model.pt"
            )
        found["fine-tuned", count] = evaluated(work_dir / "judge", place / "fine_tuned", checkpoint=place / "model.pt")
    page = DOCS / "training.md"
    with replacing(page) as temporary:
        temporary.write_text(
            replace_table(page.read_text(encoding="utf-8"), "hospital", list(table(found)), _COMMAND), encoding="utf-8"
        )
    draw(found, DOCS / "hospital.png")
    write_record({name: entry(_COMMAND, weights=True) for name in ("training.md#hospital", "hospital.png")})
    print(f"Made the table of {page} and hospital.png beside it. Now read the sentences around them.", flush=True)


def write_folder(folder: Path, of: Path, rows: Sequence[Row]) -> None:
    """Make a folder of some of another one's radiographs, or make it anew: a manifest of its own, and links to the files.

    Args:
        folder: to make.
        of: the other one.
        rows: of the manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for linked in ("images", "annotations"):
        if (of / linked).exists() and not (folder / linked).exists():
            (folder / linked).symlink_to((of / linked).resolve())
    write_table(folder / "manifest.csv", list(rows[0]), rows)


def first_patients(rows: Sequence[Row], count: int) -> list[Row]:
    """The radiographs of the first ``count`` patients, with a column `split`: of five patients four teach and one validates."""
    order = list(dict.fromkeys(row["patient_id"] for row in rows))[:count]
    splits = {patient: "train" if (index + 1) % _ONE_IN else "validation" for index, patient in enumerate(order)}
    return [{**row, "split": splits[row["patient_id"]]} for row in rows if row["patient_id"] in splits]


def table(found: Mapping[tuple[str, int], Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a table: r, RMSE and bias of both sites, by way and number of patients.

    Args:
        found: by way and number, "bmd" of an evaluation's `metrics.json`.
    """
    yield (
        "| Patients with DXA | Estimates | "
        + " | ".join(f"{name}: r | RMSE, g/cm² | bias, g/cm²" for name in SITES.values())
        + " |"
    )
    yield "|---|---|" + "---|" * (3 * len(SITES))
    for (way, count), sites in found.items():
        cells = [f"{bmd['pearson_r']:.3f} | {bmd['rmse']:.3f} | {bmd['bias']:+.3f}" for bmd in (sites[site] for site in SITES)]
        yield f"| {count} | {way} | {' | '.join(cells)} |"


def draw(found: Mapping[tuple[str, int], Mapping[str, Any]], picture: Path) -> None:
    """Draw RMSE against the number of patients, one panel a site, one line a way.

    Args:
        found: as for `table`.
        picture: to write.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    numbers = sorted({count for _, count in found})
    for axes, (site, name) in zip(figure.subplots(1, len(SITES), sharey=True), SITES.items(), strict=True):
        for way in _WAYS:
            counts = [0, *(count for other, count in found if other == way)]
            errors = [found[way if count else "as shipped", count][site]["rmse"] for count in counts]
            axes.plot([numbers.index(count) for count in counts], errors, "o-", label=way)
        axes.set(title=name, xlabel="patients with DXA (simulated hospital)", xticks=range(len(numbers)), xticklabels=numbers)
    figure.axes[0].set_ylabel("RMSE, g/cm²")
    figure.axes[0].legend()
    with replacing(picture) as temporary:
        figure.savefig(temporary, dpi=120, format="png")


if __name__ == "__main__":
    measure_hospital(Path(sys.argv[1]))
