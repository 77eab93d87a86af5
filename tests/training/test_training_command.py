"""`osteoxr train` as a user runs it: stopped by Ctrl-C, gone on with, and asked for what does not fit."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import scripts
import torch

BUNDLE = Path(scripts.__file__).parents[1]


def start(cwd: Path, *words: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(BUNDLE)}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "scripts.apps.command", *words], cwd=cwd, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # where a shell started these tests without it
    )  # fmt: skip


def train(cohort: Path, *words: str) -> tuple[str, ...]:
    return ("train", "bmd", str(cohort), "out #2", "--batch_size", "2", "--cache_dir", "cache", *words)


@pytest.fixture(scope="module")
def stopped(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, str]]:
    """A training of many epochs that Ctrl-C ended after its first: its folder, exit code and what it said."""
    folder = tmp_path_factory.mktemp("stopped")
    process = start(folder, *train(cohort, "--epochs", "2000", "--patience", "2000", "--tracking", "mlflow"))
    limit = time.monotonic() + 300
    while not (folder / "out #2" / "last.pt").exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    yield folder, process.returncode, said


def test_ctrl_c_says_how_to_go_on(stopped: tuple[Path, int, str]) -> None:
    _, code, said = stopped
    assert code == 130, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("The training was stopped in epoch ") and "is safe in out #2/last.pt." in last
    assert last.endswith("Give the same command again: it goes on from there.") and "Traceback" not in said


def test_the_run_of_mlflow_is_killed_and_lies_where_it_should(stopped: tuple[Path, int, str]) -> None:
    import mlflow

    folder = stopped[0]
    client = mlflow.MlflowClient(f"sqlite:///{folder}/output/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("OsteoXR").experiment_id])
    assert run.info.status == "KILLED" and run.data.params["epochs"] == "2000"
    assert sorted(path.name for path in folder.iterdir()) == ["cache", "out #2", "output"]


def test_other_settings_do_not_go_on_and_are_named(stopped: tuple[Path, int, str], cohort: Path) -> None:
    process = start(stopped[0], *train(cohort, "--epochs", "3", "--patience", "2000"))
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert (
        "it holds a training that differs in epochs (2000 there, 3 here). A training resumes only"
        in said.strip().splitlines()[-1]
    )
    assert "Traceback" not in said


def test_a_checkpoint_of_one_training_points_to_assemble(stopped: tuple[Path, int, str]) -> None:
    checkpoint = stopped[0] / "out #2" / "best.pt"
    assert "state_dict" in torch.load(checkpoint, weights_only=True)
    words = ("screen", str(BUNDLE / "examples"), "screened", "--checkpoint", str(checkpoint))
    process = start(stopped[0], *words)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1 and "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert "these are of one training alone, bmd" in last and f"osteoxr assemble --bmd_file '{checkpoint}' --base_file" in last
