"""Fine-tuning of the segmentation network on the radiologist's corrections, into new weights of the whole cascade."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import monai.bundle
import torch
from filelock import FileLock, Timeout
from monailabel.interfaces.tasks.train import TrainTask

from scripts.apps.monailabel.lesson import write_lesson
from scripts.apps.monailabel.radiograph_store import RadiographStore
from scripts.apps.monailabel.screener import BUNDLE, Screener
from scripts.radiograph.causes import causes
from scripts.training.checkpoint import BEST, save_whole

STOPPED: Final = "The fine-tuning stopped"
"""How the last word begins of one that did not succeed."""

_ASSEMBLE: Final = [str(BUNDLE / "configs" / name) for name in ("inference.yaml", "assemble.yaml")]
_TRAIN: Final = [str(BUNDLE / "configs" / name) for name in ("inference.yaml", "train.yaml", "train_segmentation.yaml")]


class FineTuning(TrainTask):
    """Trains the segmentation network on the final labels, from the weights in use, and puts the result into use.

    Its encoder stays as it is: the view network judges hips by what that makes of them.

    MONAI Label runs it in a process of its own. All that it writes before it has succeeded lies in a folder that the next
    fine-tuning removes, so a killed one leaves the weights as they were.

    Args:
        screener: holds the weights in use, and says where the new ones go.
        work_dir: for that folder.
    """

    def __init__(self, screener: Screener, work_dir: Path) -> None:
        super().__init__("Teaches the contours and landmarks that were corrected; the shipped weights stay as they are")
        self._screener = screener
        self._folder = work_dir / "training"

    def config(self) -> dict[str, Any]:
        """What the viewer may set, with the defaults."""
        return {"max_epochs": 20, "learning_rate": 2.0e-4, "batch_size": 4, "validation_fraction": 0.2, "seed": 0}

    def settings(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take the settings of `config` out of a request, with the default where it names none.

        Raises:
            ValueError: for one that is no number, or out of range.
        """
        found = {}
        for name, default in self.config().items():
            value = request.get(name, default)
            try:
                found[name] = type(default)(value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} is {value!r}, expected a number. Nothing was trained.") from error
            if not 0 <= found[name] < math.inf or (found[name] == 0 and default > 0):
                raise ValueError(f"{name} is {value!r}, expected a number above 0. Nothing was trained.")
        if found["validation_fraction"] >= 1:
            raise ValueError(f"validation_fraction is {found['validation_fraction']}, expected less than 1. Nothing was trained.")
        return found

    def __call__(self, request: Mapping[str, Any], datastore: RadiographStore) -> dict[str, Any]:
        """Fine-tune.

        Args:
            request: settings of `config`, by name.
            datastore: holds the radiographs and their labels.

        Returns:
            "weights": the file written; "femur_dice": of the radiographs kept for validation, at "epoch", the best one.

        Raises:
            SystemExit: with one sentence, for whatever ends it early.
        """
        try:
            with self._alone():
                return self._train(self.settings(request), datastore)
        except (Exception, SystemExit) as error:
            raise SystemExit(f"{STOPPED}: {_root(error)}. The weights in use stay as they were.") from error

    def _train(self, settings: Mapping[str, Any], datastore: RadiographStore) -> dict[str, Any]:
        lesson = self._folder / "lesson"
        lesson.mkdir(parents=True)
        write_lesson(datastore.corrected(), self._screener, lesson, settings["validation_fraction"])
        in_use = str(self._folder / "in_use.pt")
        save_whole(self._screener.network.state_dict(), Path(in_use))
        monai.bundle.run(
            config_file=_TRAIN,
            dataset_dir=str(lesson),
            output_dir=str(self._folder / "output"),
            initial_file=in_use,
            encoder_frozen=True,
            epochs=settings["max_epochs"],
            patience=settings["max_epochs"],
            learning_rate=settings["learning_rate"],
            batch_size=settings["batch_size"],
            seed=settings["seed"],
        )
        trained = str(self._folder / "output" / BEST)
        best = torch.load(trained, weights_only=True, map_location="cpu")["provenance"]["best_metric"]
        monai.bundle.run(
            config_file=_ASSEMBLE, segmentation_file=trained, base_file=in_use, output_file=str(self._screener.fine_tuned)
        )
        return {"weights": str(self._screener.fine_tuned), "femur_dice": best["value"], "epoch": best["epoch"]}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder, empty; only one fine-tuning may, of all servers that share it."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{self._folder}.lock", timeout=0):
                shutil.rmtree(self._folder, ignore_errors=True)
                try:
                    yield
                finally:
                    shutil.rmtree(self._folder, ignore_errors=True)
        except Timeout as error:
            raise ValueError(f"another one is running in {self._folder}; wait for its end") from error


def _root(error: BaseException) -> str:
    """What went wrong first, in a sentence without its full stop."""
    *_, root = causes(error)
    said = os.strerror(root.errno) if isinstance(root, OSError) and root.errno else str(root)
    return (said or type(root).__name__).rstrip(".")
