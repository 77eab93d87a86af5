"""The main job's own pipeline, one radiograph at a time, with the weights that are newest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import scripts
from scripts.clinical import RefusedError
from scripts.radiograph import REFUSAL
from scripts.screening import Seen, load_screen

BUNDLE = Path(scripts.__file__).parents[1]
SHIPPED_WEIGHTS = BUNDLE / "models" / "model.pt"

_LOGGER = logging.getLogger(__name__)


class Screener:
    """The main job's `Screen` for single radiographs: the same reader, networks, gate and masks.

    The fine-tuned weights are used from the moment they are there and whole; while they are not, the shipped ones.

    Args:
        fine_tuned: where a fine-tuning writes the cascade's weights; their checksum lies beside them.
    """

    def __init__(self, fine_tuned: Path) -> None:
        self.fine_tuned = fine_tuned
        self._lock = threading.Lock()
        self._loaded: tuple[Any, ...] | None = None
        self._screen: Any = None

    def screen(self, radiograph: Path) -> Seen:
        """Screen one radiograph.

        Args:
            radiograph: its file.

        Raises:
            RefusedError: where the file cannot be read as a radiograph.
            RuntimeError: where there are no usable weights.
        """
        with self._lock:
            self._refresh()
            seen: Seen = self._screen.files([radiograph]).radiographs[0].require()
        return seen

    def read(self, radiograph: Path) -> dict[str, Any]:
        """Read one radiograph as `screen` does, without the networks.

        Raises:
            RefusedError: where the file cannot be read as a radiograph.
        """
        with self._lock:
            self._refresh()
            item: dict[str, Any] = self._screen.reader.read({"image": str(radiograph), "name": radiograph.name})
        if REFUSAL in item:
            raise RefusedError(item[REFUSAL])
        return item

    @property
    def weights(self) -> Mapping[str, Any]:
        """ "file", "sha256" and "provenance" of the weights that were used last."""
        return self._screen.weights if self._screen else {}

    @property
    def notice(self) -> str:
        """The sentence that every result carries."""
        return f"{self._screen.notice}; estimated from a radiograph, not measured by DXA" if self._screen else ""

    @property
    def network(self) -> Any:
        """The `ScreeningNetwork` with the newest weights."""
        with self._lock:
            self._refresh()
            return self._screen.network

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
        self._screen = load_screen(checkpoint=str(weights))
        _LOGGER.info("Weights %s, SHA-256 %s", weights, self.weights["sha256"])


def _checksum(weights: Path) -> Path:
    return weights.with_name(f"{weights.name}.sha256")


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
