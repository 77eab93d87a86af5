"""Checkpoints that a training resumes from, and the end of a training that no longer improves."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.handlers import StatsHandler

from scripts.files import replacing

LAST, BEST = "last.pt", "best.pt"


class ResumableCheckpoint:
    """Writes `last.pt` after every epoch and `best.pt` after every better one, and resumes from `last.pt`.

    MONAI's CheckpointSaver forgets the best metric when a training is resumed, so that the first validation afterwards
    would replace a better network. Attach this after the ValidationHandler. Files are replaced in one step: an interrupted
    training leaves whole ones. Of several processes that train together the first writes, and all read; with another number
    of processes the training goes on as well.

    Args:
        directory: where the files go; it is made when missing.
        network: what `best.pt` holds, as {"state_dict", "provenance"}; itself, not its DistributedDataParallel.
        progress: further objects with a state (optimizer, scheduler), by name, in `last.pt` only.
        evaluator: the MONAI evaluator whose key metric decides.
        provenance: what made these weights; the best metric and its epoch are added.
    """

    def __init__(
        self,
        directory: str,
        network: torch.nn.Module,
        progress: Mapping[str, Any],
        evaluator: Engine,
        provenance: Mapping[str, Any],
    ) -> None:
        self.directory = Path(directory)
        self.network, self.progress, self.evaluator, self.provenance = network, progress, evaluator, provenance
        self.logger = logging.getLogger(__name__)

    def attach(self, engine: Engine) -> None:
        """Register with the trainer."""
        engine.add_event_handler(Events.STARTED, self.resume)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)
        engine.add_event_handler(Events.COMPLETED, self.report)

    def resume(self, engine: Engine) -> None:
        """Restore the training from `last.pt`, if there is one.

        Raises:
            ValueError: when `last.pt` was made by another configuration or other data; it names what differs.
        """
        path = self.directory / LAST
        if not path.is_file():
            return
        saved = torch.load(path, weights_only=True, map_location="cpu")
        if differing := _differences(saved["provenance"], self.provenance):
            raise ValueError(
                f"{path}: it holds a training that differs in {'; '.join(differing)}. A training resumes only with the same "
                "settings, configuration and data: choose another output_dir, or remove the file. Nothing was trained."
            )
        self.network.load_state_dict(saved["state_dict"])
        for name, part in self.progress.items():
            part.load_state_dict(saved["progress"][name])
        engine.state.epoch, engine.state.iteration = saved["epoch"], saved["iteration"]
        validation: Any = self.evaluator.state
        validation.best_metric, validation.best_metric_epoch = saved["best_metric"], saved["best_epoch"]
        if idist.get_rank() < len(saved["rng_states"]):
            torch.set_rng_state(saved["rng_states"][idist.get_rank()])
        self.logger.info(f"resumed from {path}: epoch {saved['epoch']} of {engine.state.max_epochs} is done")

    def save(self, engine: Engine) -> None:
        """Write the checkpoints of this epoch."""
        rng_states: Any = idist.all_gather([torch.get_rng_state()])
        if idist.get_rank() > 0:
            return
        validation: Any = self.evaluator.state
        provenance = {
            **self.provenance,
            "epochs_trained": engine.state.epoch,
            "processes": idist.get_world_size(),
            "best_metric": {
                "name": validation.key_metric_name,
                # NaN, the AUC of patients of one class, is no JSON.
                "value": None if math.isnan(validation.best_metric) else float(validation.best_metric),
                "epoch": int(validation.best_metric_epoch),
            },
        }
        weights = {"state_dict": self.network.state_dict(), "provenance": provenance}
        self.directory.mkdir(parents=True, exist_ok=True)
        if validation.best_metric_epoch == engine.state.epoch:
            save_whole(weights, self.directory / BEST)
        last = {
            **weights,
            "progress": {name: part.state_dict() for name, part in self.progress.items()},
            "epoch": engine.state.epoch,
            "iteration": engine.state.iteration,
            "best_metric": float(validation.best_metric),
            "best_epoch": int(validation.best_metric_epoch),
            "rng_states": [state for share in rng_states for state in share],
        }
        save_whole(last, self.directory / LAST)

    def report(self, engine: Engine) -> None:
        """Say where the weights are."""
        if idist.get_rank() > 0:
            return
        validation: Any = self.evaluator.state
        print(
            f"Trained {engine.state.epoch} epochs; best {validation.key_metric_name} "
            f"{float(validation.best_metric):.4f} at epoch {int(validation.best_metric_epoch)}: {self.directory / BEST}",
            flush=True,
        )


class Statistics(StatsHandler):
    """Logs losses and metrics of each epoch, and leaves errors to who runs the engine: MONAI's own prints their tracebacks."""

    def exception_raised(self, _engine: Engine, e: Exception) -> None:
        """Pass the error on."""
        raise e


class StopWithoutImprovement:
    """Ends a training whose key metric has not improved for a number of epochs; a resumed training counts on.

    Args:
        evaluator: the MONAI evaluator whose key metric decides.
        patience: epochs.
    """

    def __init__(self, evaluator: Engine, patience: int) -> None:
        self.evaluator, self.patience = evaluator, patience

    def attach(self, engine: Engine) -> None:
        """Register with the trainer."""
        engine.add_event_handler(Events.STARTED | Events.EPOCH_COMPLETED, self.check)

    def check(self, engine: Engine) -> None:
        """Terminate the engine when the patience is used up."""
        validation: Any = self.evaluator.state
        best = validation.best_metric_epoch
        if best > 0 and engine.state.epoch - best >= self.patience:
            engine.terminate()


def _differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In what two provenances of trainings differ that a training does not change while it is stopped."""
    before, after = saved.get("settings", {}), now.get("settings", {})
    found = [
        f"{name} ({before.get(name, 'not set')} there, {after.get(name, 'not set')} here)"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    if saved["config_hash"] != now["config_hash"] and not found:
        files = [", ".join(each.get("config", [])) for each in (saved, now)]
        found.append(
            "its config files" + (f" ({files[0]} there, {files[1]} here)" if files[0] != files[1] else ", which have changed")
        )
    if saved["data_hash"] != now["data_hash"]:
        found.append("the data, whose manifest.csv is another one or has changed")
    return found


def save_whole(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint beside its destination and move it there in one step."""
    # Given a path, torch.save writes its name, here a passing one, into the file.
    with replacing(path) as temporary, temporary.open("wb") as stream:
        torch.save(dict(content), stream)
