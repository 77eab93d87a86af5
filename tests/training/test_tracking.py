"""MLflow runs of trainings, against a real server: what they hold, what they do not tell, and how they end."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
import scripts
import torch
from ignite.metrics import MeanAbsoluteError
from mlflow.entities import Run
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import ValidationHandler, from_engine
from scripts.training import ResumableCheckpoint
from scripts.training.tracking import NOTE, PARENT_RUN, TrackedRun, TrackEvaluation, TrackTraining, parameters_of, without_places

CONFIGS = Path(scripts.__file__).parents[1] / "configs"
AWKWARD = "a b#c%20d"
"""Each of these characters means something in the address of a store."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server") / AWKWARD / "output"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[str]:
    """The address of an MLflow server, started as `make mlflow` starts it, on a store with an awkward name."""
    folder = store.parent
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", "sqlite:///output/mlflow.db", "--artifacts-destination", "output/mlruns",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.5)
    yield address
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def trained(server: str, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a training of two epochs that is nested in a run of its own, and told the server."""
    work = tmp_path_factory.mktemp("work")
    command = [
        sys.executable, "-m", "scripts.apps.parent_run", "--name", "everything", "--output_dir", str(work),
        sys.executable, "-m", "monai.bundle", "run",
        "--config_file", str([str(CONFIGS / f"{name}.yaml") for name in ("inference", "train", "train_bmd")]),
        "--dataset_dir", str(cohort), "--output_dir", str(work / "bmd"), "--epochs", "2", "--batch_size", "2",
        "--tracking", str(CONFIGS / "mlflow.yaml"),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": server}
    result = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return work


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[mlflow.MlflowClient]:
    mlflow.set_tracking_uri(server)
    yield mlflow.MlflowClient(server)
    mlflow.set_tracking_uri(None)  # it would be inherited by what other tests start


@pytest.fixture(scope="module")
def run(trained: Path, client: mlflow.MlflowClient) -> Run:
    return client.get_run((trained / "bmd" / NOTE).read_text())


def test_a_training_is_finished_and_nested_in_the_run_of_them_all(run: Run, trained: Path, client: mlflow.MlflowClient) -> None:
    parent = client.get_run((trained / NOTE).read_text())
    assert parent.info.run_name.startswith("everything-") and run.info.run_name.startswith("bmd-")
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.info.status == parent.info.status == "FINISHED"
    assert run.info.experiment_id == parent.info.experiment_id


def test_a_run_holds_what_made_it(run: Run, trained: Path, client: mlflow.MlflowClient) -> None:
    provenance = torch.load(trained / "bmd" / "best.pt", weights_only=True)["provenance"]
    parameters = run.data.params
    assert parameters["epochs"] == "2" and parameters["learning_rate"] == "0.001" and parameters["seed"] == "0"
    for key in ("data_hash", "config_hash"):
        assert parameters[key] == provenance[key]
    assert {key: parameters[key] for key in provenance["versions"]} == provenance["versions"]
    packages = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/packages.txt")
    assert "monai==1.6.1" in packages.splitlines()
    config = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/config.yaml")
    assert "scripts.training.GaussianLoss" in config and "epochs: 2" in config


def test_a_run_has_a_point_of_every_curve_an_epoch(run: Run, client: mlflow.MlflowClient) -> None:
    for name in ("train_loss", "lr_group_0", "total_hip_r", "total_hip_mae", "neck_mae"):
        assert [point.step for point in client.get_metric_history(run.info.run_id, name)] == [1, 2], name
    assert run.data.metrics["best_total_hip_r"] == max(
        point.value for point in client.get_metric_history(run.info.run_id, "total_hip_r")
    )
    assert [file.path for file in client.list_artifacts(run.info.run_id, "figures")] == ["figures/curves.png"]


def test_the_best_weights_are_a_model_with_a_signature(run: Run, trained: Path, client: mlflow.MlflowClient) -> None:
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert model.status == "READY" and model.source_run_id == run.info.run_id
    signature = mlflow.models.get_model_info(model.model_uri).signature
    assert [(each.name, each.shape) for each in signature.inputs] == [
        ("image", (-1, 2, 224, 224)), ("around", (-1, 2, 64, 64)), ("poses", (-1, 2, 2)), ("valid", (-1, 2)),
        ("covariates", (-1, 4)),
    ]  # fmt: skip
    assert [(each.name, each.shape) for each in signature.outputs] == [
        ("estimates", (-1, 2, 2, 3)), ("members", (-1, 2, 5, 2, 2)),
    ]  # fmt: skip
    folder = Path(mlflow.artifacts.download_artifacts(model.model_uri))
    assert (folder / "best.pt").read_bytes() == (trained / "bmd" / "best.pt").read_bytes()


def test_nothing_in_the_store_names_a_folder_or_a_file_of_the_data(run: Run, cohort: Path, store: Path) -> None:
    written = [file for file in store.rglob("*") if file.is_file()]
    assert {"mlflow.db", "config.yaml", "best.pt", "MLmodel"} <= {file.name for file in written}
    for file in written:
        content = file.read_bytes()
        assert not [name for name in (str(cohort), cohort.name, "P0.dcm", "images/", "manifest.csv") if name.encode() in content]


def toy(folder: Path, epochs: int, store: str) -> SupervisedTrainer:
    """A training of a single layer on two numbers."""
    data = [{"image": torch.ones(1, 1), "label": torch.ones(1, 1)}]
    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    evaluator = SupervisedEvaluator(
        device="cpu", val_data_loader=data, network=layer,
        key_val_metric={"error": MeanAbsoluteError(from_engine(["pred", "label"]))}, decollate=False,
    )  # fmt: skip
    handlers = [
        ValidationHandler(1, evaluator),
        ResumableCheckpoint(str(folder), layer, {"optimizer": optimizer}, evaluator, {"config_hash": "c", "data_hash": "d"}),
        TrackTraining(evaluator, ["image"], output_dir=folder, tracking_uri=store, provenance={"seed": 0, "epochs": epochs}),
    ]
    return SupervisedTrainer(
        device="cpu", max_epochs=epochs, train_data_loader=data, network=layer, optimizer=optimizer,
        loss_function=torch.nn.MSELoss(), train_handlers=handlers, decollate=False,
    )  # fmt: skip


def test_a_resumed_training_goes_on_in_its_run_and_another_has_its_own(server: str, tmp_path: Path) -> None:
    client = mlflow.MlflowClient(server)
    toy(tmp_path / "one", 1, server).run()
    first = (tmp_path / "one" / NOTE).read_text()
    toy(tmp_path / "one", 3, server).run()
    toy(tmp_path / "two", 1, server).run()
    assert (tmp_path / "one" / NOTE).read_text() == first != (tmp_path / "two" / NOTE).read_text()
    run = client.get_run(first)
    assert run.info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(first, "error")] == [1, 2, 3]
    assert run.data.params["epochs"] == "1" and "'epochs': '3'" in " ".join(run.data.tags.values())


ENDS = """
import os, signal, sys, time
from scripts.training.tracking import TrackedRun
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started these tests in the background
for end in ("crash", "term", "interrupt", "exit"):
    if os.fork() == 0:
        run = TrackedRun("out", run_name=end)
        run.open()
        print(end, os.getpid(), flush=True)
        if end == "crash":
            raise ValueError("crashed")
        if end == "exit":
            sys.exit("stopped")
        time.sleep(100)
    elif end == "crash":
        os.wait()  # it made the store
for _ in range(3):
    os.wait()
"""


def test_a_run_that_breaks_off_is_failed_or_killed_in_a_store_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / AWKWARD
    folder.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    with subprocess.Popen(
        [sys.executable, "-c", ENDS], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        for line in process.stdout:
            end, number = line.split()
            if end in ("term", "interrupt"):
                os.kill(int(number), signal.SIGTERM if end == "term" else signal.SIGINT)
    client = mlflow.MlflowClient(f"sqlite:///{folder}/output/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'OsteoXR'")
    ended = {run.info.run_name: run.info.status for run in client.search_runs([experiment.experiment_id])}
    assert ended == {"crash": "FAILED", "exit": "FAILED", "term": "KILLED", "interrupt": "KILLED"}


def test_a_signal_cuts_no_call_of_the_store(tmp_path: Path) -> None:
    run = TrackedRun(tmp_path, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    done: list[str] = []

    def write(*signals: int) -> None:
        for number in signals:
            run._kill(number, None)
        done.append("written")

    run.client.client = SimpleNamespace(write=write)
    for signals, error in (((signal.SIGINT,), KeyboardInterrupt), ((signal.SIGTERM,), SystemExit)):
        with pytest.raises(error):
            run.client.write(*signals)
        assert done.pop() == "written" and run.killed
    run.client.write()  # the signal is spent
    done.clear()
    with pytest.raises(KeyboardInterrupt):
        run.client.write(signal.SIGTERM, signal.SIGINT)  # a second one does not wait
    assert not done


def test_an_evaluation_logs_its_numbers_and_figures_but_no_film(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PARENT_RUN, "0" * 32)
    (tmp_path / "metrics.csv").write_text(
        "group,data,metric,value,ci95_low,ci95_high\noverall,simulated,osteoporosis.auc,0.9,0.8,0.95\n"
        "overall,simulated,bmd.neck.r,,,\nsite A,simulated,osteoporosis.auc,0.7,,\n"
    )
    for name in ("metrics.md", "roc.png", "worst.png"):
        (tmp_path / name).write_text("drawn")
    handler = TrackEvaluation(["metrics.md", "roc.png", "dice.png"], output_dir=tmp_path, tracking_uri=server)
    evaluator = SupervisedEvaluator(
        device="cpu", val_data_loader=[{"image": torch.ones(1, 1)}], network=torch.nn.Identity(), val_handlers=[handler]
    )
    evaluator.run()
    client = mlflow.MlflowClient(server)
    (run,) = client.search_runs([handler.experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{'0' * 32}'")
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {
        "osteoporosis.auc": 0.9, "osteoporosis.auc.ci95_low": 0.8, "osteoporosis.auc.ci95_high": 0.95,
    }  # fmt: skip
    logged = [file.path for file in client.list_artifacts(run.info.run_id, "evaluation")]
    assert logged == ["evaluation/metrics.md", "evaluation/roc.png"]


def test_what_may_name_a_patient_is_left_out() -> None:
    config = {
        "dataset_dir": "Smith", "output_dir": "$'Smith'", "train": {"items": {"dataset_dir": "@dataset_dir"}},
        "further_dirs": ["Smith"], "checkpoint": "/data/Smith.pt",
        "network": {"layers": [1, 1], "act": "LEAKYRELU"}, "run": ["$@trainer.run() / 2"],
    }  # fmt: skip
    assert without_places(config) == {
        **config, "dataset_dir": "(left out)", "output_dir": "(left out)", "further_dirs": ["(left out)"],
        "checkpoint": "(left out)",
    }  # fmt: skip
    provenance = {
        "settings": {"epochs": 2},
        "overrides": {"others_dir": "Smith", "further_dirs": "['Smith']", "seed": "1"},
        "files": [{"sha256": "a"}],
        "weights": {"settings": {"epochs": 3}},
    }
    assert parameters_of(provenance) == {
        "epochs": 2,
        "others_dir": "(left out)",
        "further_dirs": "(left out)",
        "seed": "1",
        "files.0.sha256": "a",
        "weights.epochs": 3,
    }
