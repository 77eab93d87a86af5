"""The main job's own pipeline, one radiograph at a time, with the weights that are newest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

import scripts
from scripts.clinical import RefusedError
from scripts.radiograph.isolation import REFUSAL
from scripts.screening.engine import FilmLoader

BUNDLE = Path(scripts.__file__).parents[1]
INFERENCE = BUNDLE / "configs" / "inference.yaml"
SHIPPED_WEIGHTS = BUNDLE / "models" / "model.pt"

_LOGGER = logging.getLogger(__name__)


class Screener:
    """Runs inference.yaml on single films: the same reader, networks, gate and masks as in the main job.

    The fine-tuned weights are used from the moment they are there and whole; while they are not, the shipped ones.

    Args:
        fine_tuned: where a fine-tuning writes the cascade's weights; their checksum lies beside them.
    """

    def __init__(self, fine_tuned: Path) -> None:
        self.fine_tuned = fine_tuned
        self._lock = threading.Lock()
        self._loaded: tuple[Any, ...] | None = None
        self._evaluator: Any = None
        self._reader: Any = None
        self.weights: Mapping[str, Any] = {}
        self.notice = ""

    def screen(self, film: Path) -> dict[str, Any]:
        """Screen one film.

        Args:
            film: its file.

        Returns:
            what the main job knows of it: "image" (1, H, W) with meta, "covariates" (4,), the outputs of
            `ScreeningNetwork.predict` without their batch axis, "screening" and "mask" (rows, cols) on the file's grid.

        Raises:
            RefusedError: where the file cannot be read as a radiograph.
            RuntimeError: where there are no usable weights.
        """
        with self._lock:
            self._refresh()
            evaluator = self._evaluator
            evaluator.data_loader = FilmLoader([{"image": str(film), "name": film.name}], self._reader)
            evaluator.run()
            item, output = evaluator.state.batch[0], evaluator.state.output[0]
        if REFUSAL in item or REFUSAL in output:
            raise RefusedError({**item, **output}[REFUSAL])
        return {**item, **output}

    def read(self, film: Path) -> dict[str, Any]:
        """Read one film as `screen` does, without the networks.

        Raises:
            RefusedError: where the file cannot be read as a radiograph.
        """
        with self._lock:
            self._refresh()
            item: dict[str, Any] = self._reader.read({"image": str(film), "name": film.name})
        if REFUSAL in item:
            raise RefusedError(item[REFUSAL])
        return item

    @property
    def network(self) -> Any:
        """The `ScreeningNetwork` with the newest weights."""
        with self._lock:
            self._refresh()
            return self._evaluator.network

    def _refresh(self) -> None:
        wanted = (_state(self.fine_tuned), _state(_checksum(self.fine_tuned)))
        if self._loaded == wanted:
            return
        try:
            self._load(self.fine_tuned if self.fine_tuned.is_file() else SHIPPED_WEIGHTS)
        except SystemExit as unusable:
            _LOGGER.warning("%s The shipped weights are used instead.", unusable)
            self._load(SHIPPED_WEIGHTS)
        self._loaded = wanted

    def _load(self, weights: Path) -> None:
        parser = ConfigParser(ConfigParser.load_config_file(INFERENCE), globals={"weights_file": weights})
        # One film at a time comes in place of the folder, and the answer in place of the results' writer.
        one = {"dataloader": [None], "handlers": [], "checkpoint": "$str(weights_file)"}
        parser.update(one)
        self.weights = parser.get_parsed_content("weights")
        self.notice = f"{parser.get_parsed_content('notice')}; estimated from a radiograph, not measured by DXA"
        self._reader = parser.get_parsed_content("reader")
        self._evaluator = parser.get_parsed_content("evaluator")
        _LOGGER.info("Weights %s, SHA-256 %s", weights, self.weights["sha256"])


def _checksum(weights: Path) -> Path:
    return weights.with_name(f"{weights.name}.sha256")


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
