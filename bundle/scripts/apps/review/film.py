"""A film as a reader sees it: grey values at full resolution, and what the screening found on it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scripts.apps.review.drawing import Drawing
from scripts.apps.review.results import ScreenedResults
from scripts.clinical import HIP, load_gate
from scripts.files import sha256
from scripts.radiograph import REFUSAL
from scripts.radiograph.archives import source_of
from scripts.radiograph.geometry import Orientation
from scripts.results.record import Record
from scripts.screening import find_middle
from scripts.screening.correction import of_hips
from scripts.screening.screen import Reader

_KEPT: Final = 3  # films in memory; one of 20 megapixels takes 60 MB
_FULL: Final = 65535


@dataclass(frozen=True)
class Film:
    """One radiograph as displayed.

    grey: (rows, cols) uint16, its display range over 0 to 65535, larger = denser. spacing_mm: of a pixel, (row, col) in the
    patient. found: by the screening. middle: see `find_middle`. sha256: of its file, or of the archive that holds it.
    mask_sha256: of the file of the mask that was found.
    """

    name: str
    grey: NDArray[np.uint16]
    spacing_mm: tuple[float, float]
    orientation: Orientation
    found: Drawing
    middle: float
    sha256: str
    mask_sha256: str

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.grey.shape[0], self.grey.shape[1]

    @property
    def hips(self) -> NDArray[np.bool_]:
        """Of each pixel whether it belongs to the right and to the left hip."""
        return of_hips(self.shape, self.middle)


class FilmShelf:
    """Opens films, and keeps those last looked at.

    Args:
        results: of the screening.
        reader: of single radiographs at their full size.
    """

    def __init__(self, results: ScreenedResults, reader: Reader) -> None:
        self.results, self.reader = results, reader
        self._films: OrderedDict[str, Film] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, name: str) -> Film:
        """A film by its name.

        Raises:
            KeyError: where there is no such film.
            ValueError: where it cannot be seen; the sentence says why.
        """
        if why := self.results.why_unseen(name):
            raise ValueError(why)
        with self._lock:
            if name not in self._films:
                self._films[name] = self._read(name)
                while len(self._films) > _KEPT:
                    self._films.popitem(last=False)
            self._films.move_to_end(name)
            return self._films[name]

    def _read(self, name: str) -> Film:
        item, record = self.results.ledger.items[name], self.results.films[name]
        read = self.reader.read(item)
        if REFUSAL in read:
            raise ValueError(read[REFUSAL].sentence)
        image = read["image"]
        orientation, shape = image.meta["orientation"], (image.shape[-2], image.shape[-1])
        stored = (shape[1], shape[0]) if orientation.transpose else shape
        mask = _mask(self.results.folder, record["outputs"]["mask"])
        if mask.shape != stored:
            raise ValueError(
                f"{record['outputs']['mask']}: the mask has {mask.shape[0]} x {mask.shape[1]} pixels, expected {stored[0]} x "
                f"{stored[1]} as its film has; screen again."
            )
        landmarks = orientation.points_to_display(_landmarks(record), stored)
        spacing = record["header"]["spacing_mm"]
        # As the values are displayed: 12 or 16 bits of the file stay apart, where 8 would not keep them.
        grey = np.rint(image[0].numpy() * np.float32(_FULL)).astype(np.uint16)
        found = Drawing(np.ascontiguousarray(orientation.to_display(mask)), landmarks)
        middle = find_middle(landmarks, spacing[1], shape[1])
        return Film(
            name,
            grey,
            (spacing[0], spacing[1]),
            orientation,
            found,
            middle,
            sha256=sha256(source_of(Path(item["image"]))),
            mask_sha256=sha256(self.results.folder / record["outputs"]["mask"]),
        )


def _mask(folder: Path, path: str) -> NDArray[np.uint8]:
    try:
        with Image.open(folder / path) as picture:
            return np.asarray(picture, dtype=np.uint8)
    except OSError as error:
        raise ValueError(f"{path}: the mask cannot be read; screen again.") from error


def _landmarks(record: Record) -> NDArray[np.float64]:
    """Those that the networks are sure of: (2, 5, 2) in pixels of the file; NaN for none."""
    landmarks = np.full((len(HIP.sides), len(HIP.landmarks), 2), np.nan)
    least = load_gate().limits.complete_at_least
    for i, hip in enumerate(record["hips"]):
        for j, name in enumerate(HIP.landmarks):
            point = (hip["landmarks"] or {}).get(name)
            if point and point["confidence"] >= least:
                landmarks[i, j] = point["px"]
    return landmarks
