"""What the MLflow runs of a project hold, and how they end: finished, failed or killed, never running for ever."""

import atexit
import csv
import math
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Any, NoReturn, Self

import mlflow
import numpy as np
import torch
from ignite.engine import Engine, Events
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mlflow.entities import LoggedModelOutput, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID
from monai.bundle import ConfigParser
from monai.handlers import MLFlowHandler
from monai.utils import CommonKeys

from scripts.networks.checkpoint import read_checkpoint
from scripts.training.checkpoint import BEST
from scripts.training.provenance import versions

STORE = "sqlite:///output/mlflow.db"
EXPERIMENT = "OsteoXR"
PARENT_RUN = "OSTEOXR_PARENT_RUN"
"""The environment variable that names the run below which new ones are nested."""

NOTE = "mlflow_run"
"""The file in an output folder that names its run, so that what is resumed goes on in the same one."""

_LEFT_OUT = "(left out)"
_NAMES_A_PLACE = re.compile(r"(_dirs?|_file|directory)$")
_FLOAT = np.dtype("float32")


class _WholeCalls:
    """A client whose calls a signal does not cut: a transaction that breaks off would leave the store locked."""

    def __init__(self, client: mlflow.MlflowClient) -> None:
        self.client = client
        self.calling = False
        self.waiting: int | None = None
        """The signal that waits for a call to end."""

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.client, name)

        def whole(*given: Any, **options: Any) -> Any:
            self.calling = True
            try:
                return call(*given, **options)
            finally:
                self.calling = False
                number, self.waiting = self.waiting, None
                if number is not None:
                    _end_by(number)

        return whole

    def interrupt(self, number: int) -> None:
        """End the process by a signal, at once or when a call is over; a second signal does not wait."""
        if self.calling and self.waiting is None:
            self.waiting = number
        else:
            self.waiting = None
            _end_by(number)


class TrackedRun(MLFlowHandler):
    """An MLflow run that is FINISHED when it was closed, KILLED after Ctrl-C or SIGTERM, and FAILED after any other end.

    MONAI's handler leaves a run that broke off RUNNING, and the next may append to it. Subclasses attach to an engine, or are
    used in a ``with`` statement.

    Args:
        output_dir: the folder of what is tracked.
        tracking_uri: the store; the environment variable MLFLOW_TRACKING_URI comes first. Of `sqlite:///PATH` the path is taken
            as it is, relative to the current folder unless it begins with a slash.
        experiment_name: of the project.
        run_name: None for one after the kind of run and the time.
        provenance: what becomes the run's parameters, such as `training_provenance` gives.
        executed_config: the file that MONAI wrote the configuration to. It is logged without folders and file names, which
            may tell of patients.
    """

    kind = "run"

    def __init__(
        self,
        output_dir: str | Path,
        tracking_uri: str | None = None,
        experiment_name: str = EXPERIMENT,
        run_name: str | None = None,
        provenance: Mapping[str, Any] | None = None,
        executed_config: str | None = None,
    ) -> None:
        # MLflow tells its makers how it is used unless told not to.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        mlflow.telemetry.set_telemetry_client()
        store = os.environ.get("MLFLOW_TRACKING_URI") or tracking_uri or STORE
        if store.startswith("sqlite:///"):
            store = store.replace("::", "#")  # as which MONAI takes every # of a config
            Path(store.removeprefix("sqlite:///")).absolute().parent.mkdir(parents=True, exist_ok=True)
        super().__init__(
            tracking_uri=store,
            iteration_log=False,
            experiment_name=experiment_name,
            run_name=run_name or f"{self.kind}-{time.strftime('%Y%m%d-%H%M%S')}",
            close_on_complete=True,
        )
        self.client: Any = _WholeCalls(self.client)
        self.cur_run: Any
        self.experiment: Any
        self.output_dir = Path(output_dir)
        self.provenance = provenance or {}
        self.executed_config = executed_config
        self.killed = False
        self.before: dict[int, Any] = {}

    @property
    def run_id(self) -> str:
        """The identifier of the open run."""
        return str(self.cur_run.info.run_id)

    def open(self, note: Path | None = None, goes_on: bool = False) -> None:
        """Open a run and log what is known beforehand.

        Args:
            note: the file that keeps the name of the run; its folder is made when missing.
            goes_on: open the run that the note names again, if the store has it.
        """
        self._set_experiment()
        self.cur_run = self._noted(note) if note and goes_on else None
        if self.cur_run is None:
            self.cur_run = self.client.create_run(self.experiment.experiment_id, run_name=self.run_name)
        else:
            self.client.update_run(self.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        self._watch()
        if parent := os.environ.get(PARENT_RUN):
            self.client.set_tag(self.run_id, MLFLOW_PARENT_RUN_ID, parent)
        if note:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(self.run_id, encoding="ascii")
        self._describe()

    def close(self) -> None:
        """End the run as FINISHED; it no longer depends on how the process ends."""
        atexit.unregister(self._break_off)
        for number, before in self.before.items():
            signal.signal(number, before)
        self.before.clear()
        super().close()

    def _noted(self, note: Path) -> Any:
        """The run that a note names; None where there is none, or not in this store."""
        if not note.is_file():
            return None
        try:
            run = self.client.get_run(note.read_text(encoding="ascii").strip())
        except MlflowException:
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def _watch(self) -> None:
        atexit.register(self._break_off)
        if threading.current_thread() is threading.main_thread():
            self.before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._kill)
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self.before[signal.SIGINT] = signal.signal(signal.SIGINT, self._kill)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        self.killed = True
        self.client.interrupt(number)

    def _break_off(self) -> None:
        """End the run of a process that ends before the run was closed."""
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"  # a server may have gone for good
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self.before.clear()
        self.run_finish_status = RunStatus.to_string(RunStatus.KILLED if self.killed else RunStatus.FAILED)
        self.close()

    def _describe(self) -> None:
        """Log parameters, packages and the executed configuration."""
        self._log_provenance(self.provenance)
        self.client.set_tag(self.run_id, MLFLOW_GIT_COMMIT, versions()["git_commit"])
        packages = sorted(f"{package.name}=={package.version}\n" for package in distributions())
        self.client.log_text(self.run_id, "".join(packages), "packages.txt")
        if self.executed_config:
            path = Path(self.executed_config)
            if not path.is_file():  # MONAI calls it `FOLDER + '/NAME'` where output_dir is no expression
                path = self.output_dir / path.name.rstrip("'")
            config = ConfigParser.load_config_file(path)
            del config[ConfigParser.meta_key]  # metadata.json, which belongs to the code
            self.client.log_dict(self.run_id, without_places(config), "config.yaml")

    def _log_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Log parameters; those that a resumed run has with other values go into a tag, as MLflow's never change."""
        known = self.client.get_run(self.run_id).data.params
        parameters = {key: str(value) for key, value in parameters_of(provenance).items()}
        self._log_params({key: value for key, value in parameters.items() if key not in known})
        if changed := {key: value for key, value in parameters.items() if known.get(key, value) != value}:
            self.client.set_tag(self.run_id, f"resumed {time.strftime('%Y-%m-%d %H:%M:%S')}", str(changed))

    def _log_files(self, names: Sequence[str], folder: str) -> None:
        """Log those files of the output folder that are there."""
        for name in names:
            if (self.output_dir / name).is_file():
                self.client.log_artifact(self.run_id, str(self.output_dir / name), folder)

    def _log_weights(self, weights: Path, signature: ModelSignature, step: int) -> None:
        """Log a file of weights as a model of MLflow: what goes in, what comes out, and what it was made by."""
        model = self.client.create_logged_model(
            self.experiment.experiment_id,
            name=re.sub(r"[^\w -]", "_", str(self.run_name)),
            source_run_id=self.run_id,
            params=self.client.get_run(self.run_id).data.params,
            model_type="network",
        )
        described = Model(run_id=self.run_id, model_id=model.model_id, signature=signature)
        described.add_flavor("osteoxr", weights=weights.name)
        with tempfile.TemporaryDirectory() as folder:
            described.save(str(Path(folder) / "MLmodel"))
            self.client.log_model_artifacts(model.model_id, folder)
        self.client.log_model_artifact(model.model_id, str(weights))
        self.client.log_outputs(self.run_id, [LoggedModelOutput(model.model_id, step=step)])
        self.client.finalize_logged_model(model.model_id, "READY")


class TrackTraining(TrackedRun):
    """Logs a training: settings, seed, hash of the data, versions and configuration; loss, learning rate and every metric of
    the validation after each epoch; at the end their curves, and the best weights with their signature.

    A training that is resumed goes on in its run. Attach this after the ValidationHandler and the checkpoints.

    Args:
        evaluator: the MONAI evaluator that validates.
        inputs: names in a batch of what the network takes, in order.
        run: arguments of `TrackedRun`.
    """

    kind = "training"

    def __init__(self, evaluator: Engine, inputs: Sequence[str], **run: Any) -> None:
        super().__init__(**run)
        self.evaluator, self.inputs = evaluator, inputs
        self.losses: list[float] = []
        self.signature: ModelSignature | None = None

    def attach(self, engine: Engine) -> None:
        """Register with the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.look)
        super().attach(engine)

    def start(self, engine: Engine) -> None:
        """Open the run, or go on in it where the training is resumed."""
        self.open(self.output_dir / NOTE, goes_on=engine.state.epoch > 0)
        super().start(engine)

    def look(self, engine: Engine) -> None:
        """Keep the loss, and of the first batch the signature."""
        state: Any = engine.state
        output = state.output[0] if isinstance(state.output, list) else state.output
        self.losses.append(torch.as_tensor(output[CommonKeys.LOSS]).item())
        if self.signature is None:
            self.signature = ModelSignature(
                inputs=Schema([_tensor(name, _values(state.batch, name)) for name in self.inputs]),
                outputs=Schema([*_outputs(state.output)]),
            )

    def complete(self) -> None:
        """Log the curves and, if anything was trained, the best weights."""
        state: Any = self.evaluator.state
        curves = self.client.get_run(self.run_id).data.metrics
        self.client.log_figure(self.run_id, self._curves(sorted(curves)), "figures/curves.png")
        if self.signature is not None:
            best = int(state.best_metric_epoch)
            self._log_metrics({f"best_{state.key_metric_name}": float(state.best_metric), "best_epoch": best}, step=best)
            self._log_weights(self.output_dir / BEST, self.signature, step=best)

    def _default_epoch_log(self, engine: Any) -> None:
        rates = {f"lr_group_{index}": group["lr"] for index, group in enumerate(engine.optimizer.param_groups)}
        metrics = {"train_loss": fmean(self.losses), **self.evaluator.state.metrics, **rates}
        self._log_metrics({key: float(value) for key, value in metrics.items()}, step=engine.state.epoch)
        self.losses.clear()

    def _curves(self, names: Sequence[str]) -> Figure:
        """Draw the course of each metric over the epochs, those before a resumption included."""
        names = [name for name in names if not name.startswith("best_")]
        rows = math.ceil(len(names) / 3)
        figure = Figure(figsize=(12.0, 3.0 * rows), layout="constrained")
        for index, name in enumerate(names):
            axes = figure.add_subplot(rows, 3, index + 1)
            history = sorted((point.step, point.value) for point in self.client.get_metric_history(self.run_id, name))
            axes.plot(*zip(*history, strict=True), marker=".")
            axes.set_title(name)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return figure


class TrackAssembly(TrackedRun):
    """Logs, as the context in which `assemble` works, the weights of the cascade with what made them and their signature.

    Args:
        output_file: the weights that will be there at the end.
        inputs, outputs: shape of each float32 tensor by its name, -1 where any size will do.
        run: arguments of `TrackedRun`.
    """

    kind = "assembly"

    def __init__(
        self,
        output_file: str,
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, Sequence[int]],
        **run: Any,
    ) -> None:
        super().__init__(**run)
        self.output_file = Path(output_file)
        schemas = [Schema([TensorSpec(_FLOAT, tuple(shape), name) for name, shape in each.items()]) for each in (inputs, outputs)]
        self.signature = ModelSignature(inputs=schemas[0], outputs=schemas[1])

    def __enter__(self) -> Self:
        """Open a run."""
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        """Log the weights; where there are none, the end of the process ends the run."""
        if error is None:
            self._log_provenance(read_checkpoint(self.output_file)[1])
            self._log_weights(self.output_file, self.signature, step=0)
            self.close()


class TrackEvaluation(TrackedRun):
    """Logs an evaluation: what made it, every number of its metrics.csv, and the figures and tables that name no radiograph.

    Args:
        files: names of the files to log, of those that the evaluation writes into the output folder.
        run: arguments of `TrackedRun`.
    """

    kind = "evaluation"

    def __init__(self, files: Sequence[str], **run: Any) -> None:
        super().__init__(**run)
        self.files = files

    def start(self, engine: Engine) -> None:
        """Open a run."""
        self.open()

    def complete(self) -> None:
        """Log what the evaluation wrote."""
        with (self.output_dir / "metrics.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["group"] == "overall"]
        numbers = {
            row["metric"] + end: row[column]
            for row in rows
            for column, end in (("value", ""), ("ci95_low", ".ci95_low"), ("ci95_high", ".ci95_high"))
        }
        self._log_metrics({key: float(value) for key, value in numbers.items() if value})
        self._log_files(self.files, "evaluation")


def _end_by(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def parameters_of(provenance: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a provenance: what stands in `settings` and `versions` by its own name, the rest by dotted paths.

    What the command line overrode is left out where it may be a place: see `without_places`.
    """
    flat: dict[str, Any] = {}
    for key, value in provenance.items():
        path = prefix if key in ("settings", "versions", "software", "overrides") else f"{prefix}{key}."
        if isinstance(value, Mapping):
            flat |= parameters_of(without_places(value), path)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            flat |= parameters_of({str(index): each for index, each in enumerate(value)}, path)
        elif isinstance(value, list):
            flat[f"{prefix}{key}"] = ", ".join(map(str, value))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def without_places(config: Any, key: str = "") -> Any:
    """A configuration without the folders and files that it names as such, or by a path: they may tell of patients."""
    if isinstance(config, Mapping):
        return {name: without_places(value, name) for name, value in config.items()}
    if isinstance(config, list):
        return [without_places(value, key) for value in config]
    if not isinstance(config, str) or config.startswith("@"):
        return config
    named = _NAMES_A_PLACE.search(key) or (os.sep in config and not config.startswith("$"))
    return _LEFT_OUT if named else config


def _outputs(output: Any) -> list[TensorSpec]:
    """Those of a network that gives one tensor, or several by name."""
    first = output[0] if isinstance(output, list) else output
    if not isinstance(first[CommonKeys.PRED], Mapping):
        return [_tensor(CommonKeys.PRED, _values(output, CommonKeys.PRED))]
    given = [one[CommonKeys.PRED] for one in output] if isinstance(output, list) else output[CommonKeys.PRED]
    return [_tensor(name, _values(given, name)) for name in first[CommonKeys.PRED]]


def _values(batch: Any, name: str) -> torch.Tensor:
    """A tensor of a batch, which MONAI's trainers hold as a dictionary or as a list of items."""
    return torch.stack([item[name] for item in batch]) if isinstance(batch, list) else batch[name]


def _tensor(name: str, values: torch.Tensor) -> TensorSpec:
    """The type and shape of one input or output, of any number of items."""
    kind = _FLOAT if values.is_floating_point() else np.dtype(str(values.dtype).removeprefix("torch."))
    return TensorSpec(kind, (-1, *values.shape[1:]), name)
