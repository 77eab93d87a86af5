"""A head of the configuration alone is trained, joined to the weights that ship, used, evaluated and exported."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import scripts
import torch
from bundle_command import bundle, exported, laid
from scripts.networks.checkpoint import read_checkpoint

BUNDLE = Path(scripts.__file__).parents[1]
WEIGHTS = BUNDLE / "models" / "model.pt"
EXAMPLE = "normal"
TRUE_MM = {"right": 42.0, "left": 43.5}


@pytest.fixture(scope="module")
def joined(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights that ship, and the head after two epochs."""
    work = tmp_path_factory.mktemp("head")
    bundle(
        work, "run", "--config_file", laid("inference", "head", "train", "train_bmd", "train_head"), "--dataset_dir", str(cohort),
        "--output_dir", str(work / "canal"), "--cache_dir", str(work / "cache"), "--epochs", "2", "--batch_size", "2",
    )  # fmt: skip
    bundle(
        work, "run", "--config_file", laid("inference", "assemble", "head"), "--base_file", str(WEIGHTS),
        "--checkpoints#heads.canal", str(work / "canal" / "best.pt"), "--output_file", str(work / "model.pt"),
    )  # fmt: skip
    return work / "model.pt"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one of the example radiographs, whose manifest tells the width of both canals."""
    folder = tmp_path_factory.mktemp("example")
    with (BUNDLE / "examples" / "manifest.csv").open(newline="") as file:
        (row,) = (row for row in csv.DictReader(file) if Path(row["image"]).stem == EXAMPLE)
    for key in ("image", "label", "landmarks"):
        (folder / row[key]).parent.mkdir()
        shutil.copy(BUNDLE / "examples" / row[key], folder / row[key])
    row |= {f"{side}_canal_20_above_mm": str(width) for side, width in TRUE_MM.items()}
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return folder


def test_the_joined_weights_tell_what_made_the_head_and_hold_the_others_unchanged(joined: Path) -> None:
    (state, told), (before, told_before) = read_checkpoint(joined), read_checkpoint(WEIGHTS)
    assert told["trainings"]["canal"]["settings"]["epochs"] == 2
    assert {name: told["trainings"][name] for name in told_before["trainings"]} == told_before["trainings"]
    assert all(torch.equal(state[key], value) for key, value in before.items() if key != "_extra_state")
    assert any(key.startswith("heads.canal.") for key in state)


def test_its_estimates_are_in_the_results_and_in_the_evaluation(joined: Path, example: Path, tmp_path: Path) -> None:
    arguments = ("--checkpoint", str(joined), "--dataset_dir", str(example), "--output_dir")
    normal = ("--uncertainty_file", "null")  # what was measured of the others' intervals is not of these weights
    bundle(tmp_path, "run", "--config_file", laid("inference", "head"), *arguments, str(tmp_path / "out"), *normal)
    bundle(tmp_path, "run", "--config_file", laid("inference"), *arguments[2:], str(tmp_path / "plain"), *normal)
    rows, plain = (list(csv.DictReader((tmp_path / run / "results.csv").open(newline=""))) for run in ("out", "plain"))
    assert all(20 < float(row["canal_20_above_mm"]) < 70 and float(row["canal_20_above_mm_sd"]) > 0 for row in rows)
    same = plain[0].keys() - {"name", "study", "patient", "notes"}  # pseudonyms are of a run; the gate is not of these weights
    assert [{key: row[key] for key in same} for row in rows] == [{key: row[key] for key in same} for row in plain]
    bundle(
        tmp_path, "run", "--config_file", laid("inference", "head", "evaluate"), *arguments, str(tmp_path / "evaluation"),
        "--split", "all",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert metrics["overall"]["morphometry"]["canal_20_above_mm"]["hips"] == 2


def test_it_is_exported(joined: Path, tmp_path: Path) -> None:
    with torch.no_grad():
        assert exported(tmp_path, joined, "inference", "head")(torch.rand(1, 1, 300, 400)).shape == (1, 39)
