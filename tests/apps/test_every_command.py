"""Each config calls the function that does its work, with arguments that this takes and the values that were typed.

What the functions do is tested beside them. The commands that are not here are run whole: screen and train in
`test_command.py`, `test_main_job.py` and `tests/training`, check in `test_folder_check.py`, review in `tests/apps/review`,
evaluate in `test_configs.py`, robustness, interventions, domain-gap and radiomics in `tests/evaluation`, simulate in
`tests/simulation/test_cohort.py`.
"""

import hashlib
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import scripts
from own_command import ended
from scripts.apps import endings, label
from scripts.apps.options import read_commands

BUNDLE = Path(scripts.__file__).parents[1]
WHOLE = {"screen", "review", "check", "evaluate", "robustness", "interventions", "domain-gap", "radiomics", "simulate"}
GATE = (
    "--valid_dir in --valid_results out1 --refusable_dir others --refusable_results out2 --faulty_dir faulty "
    "--faulty_results out3"
)

CALLS = {
    "annotate in": ("scripts.apps.annotate.annotate_folder", {"dataset_dir": "in"}),
    "assemble --bmd_file a.pt --base_file b.pt --output_file m.pt": (
        "scripts.training.assemble", {"output_file": "m.pt", "base_file": "b.pt"},
    ),
    "average --files a.pt --files b.pt --output_file m.pt": (
        "scripts.training.average_weights", {"files": ["a.pt", "b.pt"], "output_file": "m.pt"},
    ),
    "benchmark networks --rows 640 --threads 1": (
        "scripts.development.network_speed.time_networks", {"rows": 640, "threads": 1},
    ),
    "benchmark radiomics --regions 3 --side 40": (
        "scripts.development.radiomics_speed.time_radiomics", {"regions": 3, "side": 40, "threads": 2},
    ),
    "benchmark reading --megabytes 1 --repeats 2": (
        "scripts.development.reading_speed.time_reading", {"megabytes": 1.0, "repeats": 2},
    ),
    "benchmark simulation --patients 2 --seed 3": ("scripts.simulation.benchmark.time_simulation", {"patients": 2, "seed": 3}),
    "calibrate in out --fewest_patients 60 --folds 10": (
        "scripts.evaluation.local.calibrate.calibrate", {"output_dir": "out", "fewest_patients": 60, "folds": 10},
    ),
    "send in --server PACS@host:104 --attempts 2": (
        "scripts.apps.pacs.send.send_results",
        {"output_dir": "in", "server": "PACS@host:104", "fhir_server": None, "title": "OSTEOXR", "attempts": 2},
    ),
    "fetch new --server PACS@host:104 --study_date 20261101- --modality DX,RG --body_part HIP --limit 3 --move_port 11112": (
        "scripts.apps.pacs.fetch.fetch_folder",
        {"dataset_dir": "new", "arguments": {
            "server": "PACS@host:104", "study_date": "20261101-", "modality": ["DX", "RG"], "body_part": ["HIP"],
            "screened": False, "limit": 3, "title": "OSTEOXR", "move_port": 11112, "attempts": 6,
        }},
    ),
    "listen in out --allowed PACS,DX1 --max_waiting 5 --send_to PACS@host:104 --dicom reproducible": (
        "scripts.apps.listener.job.listen",
        {"dataset_dir": "in", "port": 11112, "host": "127.0.0.1", "allowed": ["PACS", "DX1"], "max_waiting": 5,
         "send_to": ["PACS@host:104"], "fhir_server": None, "quiet_seconds": 30.0},
    ),
    "check-calibration in out --calibration_file local.json": (
        "scripts.evaluation.local.drift.check_calibration", {"output_dir": "out", "fewest_patients": 20},
    ),
    "calibrate-uncertainty in out --fewest_patients 60 --split external": (
        "scripts.evaluation.uncertainty.calibrate.calibrate_uncertainty", {"output_dir": "out", "fewest_patients": 60},
    ),
    f"calibrate-gate {GATE} --output_file gate.json --accept 0.9 --splits test": (
        "scripts.evaluation.gate.calibration.calibrate_gate",
        {"valid_dir": "in", "faulty_results": "out3", "output_file": "gate.json", "accept": 0.9, "splits": ["test"]},
    ),
    f"evaluate-gate out {GATE} --splits test --splits external": (
        "scripts.evaluation.gate.evaluation.evaluate_gate",
        {"valid_dir": "in", "refusable_results": "out2", "output_dir": "out", "splits": ["test", "external"]},
    ),
    "compartments out --people 50 --seed 3": (
        "scripts.simulation.compartments.study.measure_compartments", {"output_dir": "out", "people": 50, "seed": 3},
    ),
    "experiment in out --networks own --networks my.yaml --epochs 2": (
        "scripts.apps.experiment.run_experiment", {"output_dir": "out", "networks": ["own", "my.yaml"], "cache_dir": "out/cache"},
    ),
    "explain in out --sample 3": (
        "scripts.evaluation.explanation.checks.check_explanations", {"output_dir": "out", "sample": 3, "seed": 0},
    ),
    "export m.onnx": ("scripts.apps.export.export_network", {"output_file": "m.onnx"}),
    "fit-singh --dataset_dir in --output_file s.json --cohort seed1": (
        "scripts.training.singh_fit.fit_singh", {"dataset_dir": "in", "output_file": "s.json", "cohort": "seed1"},
    ),
    "fuzz out --files 7 --seed 5": ("scripts.development.fuzz.fuzz", {"output_dir": "out", "files": 7, "seed": 5}),
    "gallery out --seed 5": ("scripts.simulation.gallery.write_gallery", {"output_dir": "out", "seed": 5}),
    "label in --port 8765": ("scripts.apps.label.serve", {"studies": "in", "port": 8765}),
    "readers in scores.csv out": (
        "scripts.evaluation.readers.study.study_readers", {"scores_file": "scores.csv", "output_dir": "out"},
    ),
    "simulate-readers in scores.csv --readers 3": (
        "scripts.simulation.readers.simulate_readers", {"dataset_dir": "in", "output_file": "scores.csv", "readers": 3},
    ),
    "shortcuts in out": ("scripts.evaluation.shortcuts.find_shortcuts", {"output_dir": "out"}),
    "simulate-others out --radiographs 3 --seed 4": (
        "scripts.simulation.others.collection.simulate_others", {"output_dir": "out", "radiographs": 3, "seed": 4},
    ),
}  # fmt: skip


def record(monkeypatch: pytest.MonkeyPatch, name: str) -> list[dict[str, Any]]:
    """Replace a function by one that takes the same arguments and only writes them down."""
    module, _, function = name.rpartition(".")
    holder = importlib.import_module(module)
    signature = inspect.signature(getattr(holder, function))
    calls: list[dict[str, Any]] = []

    def called(*values: Any, **named: Any) -> None:
        calls.append(dict(signature.bind(*values, **named).arguments))

    monkeypatch.setattr(holder, function, called)
    return calls


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("in", "others", "faulty", "out1", "out2", "out3"):
        (tmp_path / folder).mkdir()
    for file in ("a.pt", "b.pt", "scores.csv"):
        (tmp_path / file).touch()
    (tmp_path / "in" / "film.dcm").symlink_to(BUNDLE / "examples/images/normal.dcm")
    (tmp_path / "in" / "manifest.csv").write_text("image,split,right_neck_bmd\nfilm.dcm,external,0.8\n")
    weights = (BUNDLE / "models/model.pt.sha256").read_text().split()[0]
    local = {"neck": {"offset_g_cm2": 0.0, "slope": 0.9, "sd_factor": 1.0, "after": None}}
    intervals = hashlib.sha256((BUNDLE / "models/uncertainty.json").read_bytes()).hexdigest()
    made = {"version": 2, "weights_sha256": weights, "uncertainty_sha256": intervals, "patients": 50, "sites": local}
    (tmp_path / "local.json").write_text(json.dumps(made))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", CALLS)
def test_a_command_calls_the_function_that_does_its_work(
    line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name, typed = CALLS[line]
    calls = record(monkeypatch, name)
    if line.startswith("gallery"):
        record(monkeypatch, "scripts.simulation.singh_sheet.write_singh_sheet")
    assert ended(*line.split()) == endings.DONE, capfd.readouterr().err
    assert len(calls) == 1
    assert {key: calls[0][key] for key in typed} == typed


def test_no_command_is_left_out() -> None:
    here = {" ".join(line.split()[: 2 if line.startswith("benchmark") else 1]) for line in CALLS}
    assert {name for name in read_commands() if not name.startswith("train ")} == here | WHOLE


@pytest.mark.parametrize(("code", "end"), [(0, endings.DONE), (3, 3)])
def test_the_server_of_labels_is_started_and_its_exit_code_is_the_commands(
    code: int, end: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    popen = subprocess.Popen

    def start(words: list[str]) -> "subprocess.Popen[bytes]":
        started.append(words)
        return popen([sys.executable, "-c", f"raise SystemExit({code})"])

    monkeypatch.setattr(label.importlib.util, "find_spec", lambda name: name == "monailabel" or None)
    monkeypatch.setattr(label.subprocess, "Popen", start)
    assert ended("label", "in", "--port", "8765") == end
    assert started[0][1:7] == ["-m", "scripts.apps.monailabel", "--studies", "in", "--port", "8765"]


def test_without_monai_label_the_command_says_how_to_get_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(label.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(label, "ENVIRONMENT", place / "nowhere")
    assert ended("label", "in") == endings.FAILED
    assert "make label STUDIES=FOLDER" in capfd.readouterr().err
