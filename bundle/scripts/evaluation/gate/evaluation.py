"""The command that evaluates the gate: valid radiographs that it must accept, others that it must refuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.clinical import load_gate
from scripts.dataset.truth import HELD_OUT
from scripts.evaluation.gate.angles import format_angles, measure_angles, write_angles
from scripts.evaluation.gate.figures import write_gate_figure
from scripts.evaluation.gate.fractures import format_fractures, measure_fractures, write_fractures
from scripts.evaluation.gate.radiographs import GateRadiograph, check_same_weights, read_refusable, read_valid
from scripts.evaluation.gate.tables import format_gate, measure_gate_shares, write_shares, write_wrong
from scripts.files import replacing


def evaluate_gate(
    valid_dir: str,
    valid_results: str,
    refusable_dir: str | None,
    refusable_results: str | None,
    gate_file: str,
    output_dir: str,
    notice: str,
    splits: Sequence[str] = HELD_OUT,
    faulty_dir: str | None = None,
    faulty_results: str | None = None,
) -> None:
    """Write gate.csv, gate.md, fractures.csv, angles.csv, wrong.csv and gate.png, and print the tables.

    Args:
        valid_dir, valid_results: a cohort with its manifest, and what inference wrote about it.
        refusable_dir, refusable_results: the same of radiographs that must be refused; None: only those of the cohort.
        gate_file: the networks' thresholds, for the picture.
        output_dir: where to; it must exist.
        notice: the sentence that every result carries.
        splits: of the manifests.
        faulty_dir, faulty_results: as the valid ones, of a second cohort, of broken and badly positioned hips; or None.

    Raises:
        ValueError: see `scripts.evaluation.gate.radiographs`.
    """
    radiographs = read_radiographs(valid_dir, valid_results, refusable_dir, refusable_results, splits, faulty_dir, faulty_results)
    folder, shares = Path(output_dir), measure_gate_shares(radiographs)
    write_shares(shares, folder / "gate.csv")
    write_wrong(radiographs, folder / "wrong.csv")
    write_gate_figure(radiographs, load_gate(gate_file).limits, folder / "gate.png")
    fractures, angles = measure_fractures(radiographs), measure_angles(radiographs)
    write_fractures(fractures, folder / "fractures.csv")
    write_angles(angles, folder / "angles.csv")
    parts = [format_gate(shares, radiographs, notice), format_fractures(fractures), format_angles(angles)]
    report = "\n".join(part for part in parts if part)
    with replacing(folder / "gate.md") as temporary:
        temporary.write_text(report, encoding="utf-8")
    print(report)


def read_radiographs(
    valid_dir: str,
    valid_results: str,
    refusable_dir: str | None,
    refusable_results: str | None,
    splits: Sequence[str],
    faulty_dir: str | None = None,
    faulty_results: str | None = None,
) -> list[GateRadiograph]:
    """Read all sets, which the same weights must have judged; those without a folder or results are left out.

    Raises:
        ValueError: where they have not, and as `scripts.evaluation.gate.radiographs`.
    """
    radiographs = read_valid(valid_dir, valid_results, splits)
    further = ((read_refusable, refusable_dir, refusable_results), (read_valid, faulty_dir, faulty_results))
    for read, folder, results in further:
        if folder is not None and results is not None:
            check_same_weights(valid_results, results)
            radiographs += read(folder, results, splits)
    return radiographs
