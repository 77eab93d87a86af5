"""The folder of radiographs that are labelled, and their labels in it."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from monailabel.datastore.local import DataModel, LocalDatastore
from monailabel.interfaces.exception import ImageNotFoundException
from numpy.typing import NDArray

from scripts.apps.found_landmarks import to_manifest
from scripts.apps.monailabel.labels import read_mask, removed_on_error, write_mask
from scripts.apps.monailabel.points import read_points
from scripts.apps.monailabel.screener import Screener
from scripts.files import replacing

TAGS: Final = ("final", "original")
"""Of labels: submitted by a radiologist, or as the networks drew them."""

_ENDINGS: Final = (".nii.gz", ".nii", ".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff")

PATTERNS: Final = tuple(f"*{ending}" for lower in _ENDINGS for ending in (lower, lower.upper()))
"""Names of the files that are taken for radiographs."""


@dataclass(frozen=True)
class Corrected:
    """A radiograph of which a person corrected the mask, or the landmarks, or both; their files, None for what nobody did."""

    image: Path
    label: Path | None
    landmarks: Path | None


class RadiographStore(LocalDatastore):
    """MONAI Label's folder of images, which takes only labels that fit their radiograph, and keeps what it has on a full disk.

    Args:
        folder: of the radiographs; the labels come into `labels` in it, corrected landmarks into `landmarks`.
        screener: reads the radiographs.
        auto_reload: notice files that come and go.

    Raises:
        ValueError: if two radiographs differ in their ending only, since a radiograph is known by its name without it.
    """

    def __init__(self, folder: Path, screener: Screener, auto_reload: bool) -> None:
        self._screener = screener
        _check_names(folder)
        super().__init__(str(folder), extensions=list(PATTERNS), auto_reload=auto_reload)

    def get_image_uri(self, image_id: str) -> str:
        """The path of a radiograph.

        Raises:
            ImageNotFoundException: if there is no such radiograph.
        """
        if image_id not in self._datastore.objects:
            raise ImageNotFoundException(f"There is no radiograph {image_id!r} among the studies.")
        return str(super().get_image_uri(image_id))

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: Mapping[str, Any]) -> str:
        """Keep a label, if it fits its radiograph; see `read_mask`. An earlier one of the same tag is replaced in one step.

        Returns:
            the label's name, which is the radiograph's.

        Raises:
            ImageNotFoundException: if there is no such radiograph.
            RefusedError: if the radiograph cannot be read.
            ValueError: if the label does not fit.
            OSError: if it cannot be written; the earlier label stays.
        """
        with removed_on_error(Path(label_filename)):
            tag = str(getattr(label_tag, "value", label_tag))
            radiograph, mask = self.read_label(image_id, Path(label_filename), tag, label_info)
            self.keep_label(image_id, radiograph, mask, tag, label_info)
        return image_id

    def read_label(
        self, image_id: str, label: Path, label_tag: str, label_info: Mapping[str, Any]
    ) -> tuple[Path, NDArray[np.uint8]]:
        """The radiograph, and the mask (rows, cols) that was sent as its label.

        Raises:
            as `save_label`, but for OSError.
        """
        radiograph = Path(self.get_image_uri(image_id))
        if label_tag not in TAGS:
            raise ValueError(f"The label's tag is {label_tag!r}, expected {' or '.join(TAGS)}. It was not saved.")
        if not isinstance(label_info, Mapping):
            raise ValueError(f"The label's params are {label_info!r}, expected them by name. It was not saved.")
        return radiograph, read_mask(label, radiograph, self._stored_shape(radiograph), label_info.get("label_info"))

    def keep_label(
        self, image_id: str, radiograph: Path, mask: NDArray[np.uint8], label_tag: str, label_info: Mapping[str, Any]
    ) -> None:
        """Write a mask (rows, cols) as the label of a radiograph.

        Raises:
            OSError: if it cannot be written; the earlier label stays.
        """
        ending = ".nii.gz"
        destination = Path(self._datastore.label_path(label_tag), self._filename(image_id, ending))
        with FileLock(self._lock_file):
            _write_whole(mask, radiograph, destination, ending)
            info = {**label_info, "ts": int(time.time()), "name": destination.name}
            self._datastore.objects[image_id].labels[label_tag] = DataModel(info=info, ext=ending)
            self._update_datastore_file(lock=False)

    def save_landmarks(self, image_id: str, content: bytes) -> Path:
        """Keep corrected landmarks, if they fit their radiograph, in place of earlier ones; see `points.read_points`.

        Returns:
            their file, which a manifest's column `landmarks` takes.

        Raises:
            ImageNotFoundException: if there is no such radiograph.
            RefusedError: if the radiograph cannot be read.
            ValueError: if they do not fit.
            OSError: if they cannot be written; the earlier ones stay.
        """
        radiograph = Path(self.get_image_uri(image_id))
        points = read_points(content, radiograph, self._stored_shape(radiograph))
        path = self._landmarks_path(image_id)
        with FileLock(self._lock_file), replacing(path) as temporary:
            temporary.write_text(json.dumps(to_manifest(points), indent=2) + "\n", encoding="utf-8")
        return path

    def landmarks(self, image_id: str) -> Path | None:
        """The file of a radiograph's corrected landmarks; None where nobody corrected them."""
        path = self._landmarks_path(image_id)
        return path if path.is_file() else None

    def corrected(self) -> list[Corrected]:
        """The radiographs with a final label or corrected landmarks, by radiograph."""
        labelled = set(self.get_labeled_images())
        pointed = {image for image in self._datastore.objects if self.landmarks(image)}
        return [
            Corrected(
                Path(self.get_image_uri(image)),
                Path(self.get_label_uri(image, "final")) if image in labelled else None,
                self.landmarks(image),
            )
            for image in sorted(labelled | pointed)
        ]

    def _landmarks_path(self, image_id: str) -> Path:
        return Path(self._datastore_path, "landmarks", f"{image_id}.json")

    def _stored_shape(self, radiograph: Path) -> tuple[int, int]:
        meta = self._screener.read(radiograph)["image"].meta
        rows, cols = meta["orientation"].to_stored(np.broadcast_to(False, meta["displayed_shape"])).shape
        return rows, cols

    def _to_id(self, file: str) -> tuple[str, str]:
        ending = next((pattern[1:] for pattern in PATTERNS if file.endswith(pattern[1:])), "")
        return file.removesuffix(ending), ending

    def _update_datastore_file(self, lock: bool = True) -> None:
        if lock:
            with FileLock(self._lock_file):
                self._update_datastore_file(lock=False)
            return
        path = Path(self._datastore_config_path)
        content = json.dumps(self._datastore.model_dump(exclude={"base_path"}), indent=2, default=str)
        if path.is_file() and path.read_text(encoding="utf-8") == content:
            return
        self._ignore_event_config = True
        with replacing(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
        self._config_ts = path.stat().st_mtime


def _write_whole(mask: NDArray[np.uint8], radiograph: Path, destination: Path, ending: str) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.with_name(f".{destination.name.removesuffix(ending)}-partial{ending}")
    try:
        write_mask(mask, radiograph, temporary)
        temporary.replace(destination)
    finally:
        temporary.unlink(missing_ok=True)


def _check_names(folder: Path) -> None:
    radiographs = defaultdict(list)
    for pattern in PATTERNS:
        for path in folder.glob(pattern):
            radiographs[path.name.removesuffix(pattern[1:])].append(path.name)
    for names in radiographs.values():
        if len(set(names)) > 1:
            raise ValueError(
                f"{folder}: {' and '.join(sorted(set(names)))} differ in their ending only, but a label belongs to a name. "
                "Rename one of them; the server was not started."
            )
