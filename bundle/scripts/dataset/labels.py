"""Reading what an expert or the simulator drew on a radiograph: masks of the femurs and of their fractures, and landmarks."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from numpy.typing import NDArray
from PIL import Image

from scripts.clinical.anatomy import HIP
from scripts.radiograph.sampling import resample_nearest, to_resampled_points

Item = dict[Hashable, Any]


FRACTURE: Final = ("background", "fracture")
"""The classes of a mask of where a femur is broken."""


def read_label(path: str | Path, shape: tuple[int, int], classes: Sequence[str] = HIP.classes) -> NDArray[np.uint8]:
    """Read a mask: a grey PNG, or a 2D NIfTI in the (x, y) order of `read_nifti`.

    Args:
        path: of the mask.
        shape: rows and columns of the radiograph as its file stores it, which the mask must have too.
        classes: what its values mean, from 0.

    Returns:
        (rows, cols) uint8, below the number of classes.

    Raises:
        ValueError: if it cannot be read, has another shape, or holds another value.
    """
    path = Path(path)
    try:
        if path.name.lower().endswith((".nii", ".nii.gz")):
            volume: Any = nib.load(path)
            found = np.squeeze(np.asarray(volume.dataobj)).T
        else:
            with Image.open(path) as image:
                found = np.asarray(image)
    except (OSError, SyntaxError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise ValueError(f"{path}: the mask cannot be read; expected a grey PNG or a 2D NIfTI. Training stops.") from error
    if found.shape != tuple(shape):
        raise ValueError(
            f"{path}: the mask's shape is {found.shape}, expected {tuple(shape)} (rows, columns) as its radiograph has. "
            "Training stops."
        )
    wrong = np.setdiff1d(found, range(len(classes)))
    if wrong.size:
        raise ValueError(
            f"{path}: the mask holds the value {wrong[0]}, expected 0 to {len(classes) - 1} ({', '.join(classes)}). "
            "Training stops."
        )
    return found.astype(np.uint8)


def read_landmarks(path: str | Path) -> NDArray[np.float32]:
    """Read the landmarks of a radiograph: `{"right": {"head_centre": [row, col] or null, ...} or null, "left": ...}`.

    Args:
        path: of the JSON file.

    Returns:
        (2, 5, 2) float32: side (`SIDES`), landmark (`LANDMARKS`), (row, col) in pixels of the radiograph as its file stores it;
        NaN where null or left out.

    Raises:
        ValueError: if it is no such file, or names another side or landmark.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: the landmarks cannot be read; expected a JSON file. Training stops.") from error
    points = np.full((len(HIP.sides), len(HIP.landmarks), 2), np.nan, dtype=np.float32)
    for side, landmarks in _object(path, "the file", content, HIP.sides).items():
        for name, point in _object(path, side, landmarks, HIP.landmarks).items():
            if point is None:
                continue
            good = isinstance(point, list) and len(point) == 2
            if not good or not all(type(value) in (int, float) and np.isfinite(value) for value in point):
                raise ValueError(f"{path}: {side}.{name} is {point!r}, expected [row, col] or null. Training stops.")
            points[HIP.sides.index(side), HIP.landmarks.index(name)] = point
    return points


def _object(path: Path, field: str, value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not set(value) <= set(names):
        found = ", ".join(map(str, value)) if isinstance(value, dict) else repr(value)
        raise ValueError(f"{path}: {field} holds {found}; expected only {', '.join(names)}. Training stops.")
    return value


class LoadLabeld(MapTransform):
    """Reads a radiograph's mask onto the grid of its image: nearest, (1, H, W) uint8, see `read_label`.

    Where the key's value is empty, the masks `left_label` and `right_label` are joined, if the item has them.

    Args:
        keys: of the masks' paths.
        image_key: of the loaded (and resampled, if it is to be) image.
        allow_none: an item without a mask gets one of background alone.

    Raises:
        ValueError: if the mask is missing or bad.
    """

    def __init__(self, keys: KeysCollection = "label", image_key: str = "image", allow_none: bool = False) -> None:
        super().__init__(keys)
        self.image_key, self.allow_none = image_key, allow_none

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Replace the path of each key by its mask."""
        item = dict(data)
        image = item[self.image_key]
        for key in self.key_iterator(item):
            paths = [item[key]] if item[key] else [item.get(f"{side}_label") for side in ("left", "right")]
            masks = [read_label(path, stored_shape(image.meta)) for path in paths if path]
            if not masks and self.allow_none:
                masks = [np.zeros(stored_shape(image.meta), np.uint8)]
            if not masks:
                raise ValueError(f"{image.meta['filename_or_obj']}: has no {key}, expected a mask. Training stops.")
            item[key] = _on_image(np.maximum.reduce(masks), image)
        return item


class LoadFractureLabeld(MapTransform):
    """Reads the mask of where a femur is seen to be broken onto the grid of its image: nearest, (1, H, W) uint8, 0 or 1.

    Where the key's value is empty, none is broken.

    Args:
        keys: of the masks' paths.
        image_key: of the loaded (and resampled, if it is to be) image.

    Raises:
        ValueError: if the mask is bad.
    """

    def __init__(self, keys: KeysCollection = "fracture_label", image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Replace the path of each key by its mask."""
        item = dict(data)
        image = item[self.image_key]
        for key in self.key_iterator(item):
            stored = stored_shape(image.meta)
            item[key] = _on_image(read_label(item[key], stored, FRACTURE) if item[key] else np.zeros(stored, np.uint8), image)
        return item


class LoadLandmarksd(MapTransform):
    """Reads a radiograph's landmarks as pixels of its image: (2, 5, 2) float32, NaN where missing, see `read_landmarks`.

    Where the key's value is empty, all are missing.

    Args:
        keys: of the landmark files' paths.
        image_key: of the loaded (and resampled, if it is to be) image.

    Raises:
        ValueError: if the file is missing or bad.
    """

    def __init__(self, keys: KeysCollection = "landmarks", image_key: str = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Item:
        """Replace the path of each key by its landmarks."""
        item = dict(data)
        meta = item[self.image_key].meta
        for key in self.key_iterator(item):
            stored = read_landmarks(item[key]) if item[key] else np.full((len(HIP.sides), len(HIP.landmarks), 2), np.nan)
            shown = meta["orientation"].points_to_display(stored, stored_shape(meta))
            points = to_resampled_points(shown, meta.get("resample_scale", (1.0, 1.0)))
            item[key] = torch.from_numpy(points.astype(np.float32))
        return item


def _on_image(mask: NDArray[np.uint8], image: MetaTensor) -> MetaTensor:
    """A mask as it is stored, on the grid of the image: (1, H, W)."""
    shown = resample_nearest(image.meta["orientation"].to_display(mask), (image.shape[-2], image.shape[-1]))
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(shown))[None], affine=image.affine)


def stored_shape(meta: Mapping[str, Any]) -> tuple[int, int]:
    """Rows and columns of a radiograph as its file stores it, by the ``meta`` of its image."""
    rows, cols = meta["displayed_shape"]
    return (cols, rows) if meta["orientation"].transpose else (rows, cols)
