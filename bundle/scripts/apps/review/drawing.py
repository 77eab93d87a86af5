"""What a reader drew on a film: the mask and the landmarks, checked as they come from the page, kept by their hash."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scripts.clinical import HIP
from scripts.files import write_durably

FOLDER: Final = "masks"
"""In a reader's folder: each mask that was ever drawn, by the hash of its file."""

Places = Mapping[str, Mapping[str, list[float] | None]]
"""Landmarks by side and name, (row, col) in pixels of the film as displayed; None for one that nobody sees."""


@dataclass(frozen=True)
class Drawing:
    """Mask (rows, cols) uint8, values of `HIP.classes`, and landmarks (2, 5, 2), NaN for none; both of the film as displayed."""

    mask: NDArray[np.uint8]
    landmarks: NDArray[np.float64]

    def changed(self, other: Drawing, hips: NDArray[np.bool_]) -> tuple[bool, bool]:
        """Of the right and the left hip, whether two drawings differ; ``hips`` is of `of_hips`."""
        apart = self.mask != other.mask
        stays = np.isclose(self.landmarks, other.landmarks, atol=0.005, equal_nan=True)
        right, left = (bool((apart & hips[index]).any() or not stays[index].all()) for index in range(len(HIP.sides)))
        return right, left


def to_runs(mask: NDArray[np.uint8]) -> list[int]:
    """A mask as value, count, value, count, ..., row after row."""
    flat = mask.ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    counts = np.diff(np.append(starts, flat.size))
    return np.column_stack((flat[starts].astype(np.int64), counts)).ravel().tolist()


def read_runs(runs: Any, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """What `to_runs` made.

    Raises:
        ValueError: where it is no such list, does not fill the film, or holds another value.
    """
    if not isinstance(runs, list) or len(runs) % 2 or not all(type(number) is int and 0 <= number < 2**40 for number in runs):
        raise ValueError("The mask is no list of values and counts. It was not saved.")
    pairs = np.array(runs, dtype=np.int64).reshape(-1, 2)
    if pairs[:, 1].sum() != shape[0] * shape[1]:
        raise ValueError(
            f"The mask has {pairs[:, 1].sum()} pixels, expected {shape[0]} x {shape[1]} as the film has. It was not saved."
        )
    if len(pairs) and pairs[:, 0].max() >= len(HIP.classes):
        raise ValueError(f"The mask holds the value {pairs[:, 0].max()}, expected 0 to {len(HIP.classes) - 1}. It was not saved.")
    return np.repeat(pairs[:, 0].astype(np.uint8), pairs[:, 1]).reshape(shape)


def to_places(landmarks: NDArray[np.float64]) -> Places:
    """Landmarks (2, 5, 2) by side and name."""
    return {
        side: {
            name: [round(float(number), 2) for number in landmarks[i, j]] if np.isfinite(landmarks[i, j]).all() else None
            for j, name in enumerate(HIP.landmarks)
        }
        for i, side in enumerate(HIP.sides)
    }


def read_places(places: Any, shape: tuple[int, int] | None = None) -> NDArray[np.float64]:
    """What `to_places` made: (2, 5, 2).

    Args:
        places: from the page, or from a trail.
        shape: rows and columns of the film, on which all of them must lie; None asks nothing of them.

    Raises:
        ValueError: where it is something else, or a landmark lies outside the film.
    """
    landmarks = np.full((len(HIP.sides), len(HIP.landmarks), 2), np.nan)
    for i, side in enumerate(HIP.sides):
        of_side = places.get(side) if isinstance(places, dict) else None
        if not isinstance(of_side, dict) or set(of_side) != set(HIP.landmarks):
            raise ValueError(f"The landmarks of the {side} hip are not {', '.join(HIP.landmarks)}. They were not saved.")
        for j, name in enumerate(HIP.landmarks):
            point = of_side[name]
            if point is None:
                continue
            if not _is_point(point):
                raise ValueError(f"The landmark {side} {name} is {str(point)[:40]}, expected [row, column]. It was not saved.")
            if shape and not (-0.5 <= point[0] <= shape[0] - 0.5 and -0.5 <= point[1] <= shape[1] - 0.5):
                raise ValueError(
                    f"The landmark {side} {name} lies outside the film, at row {point[0]:.0f}, column {point[1]:.0f} of "
                    f"{shape[0]} x {shape[1]}. It was not saved; put it back onto the film."
                )
            landmarks[i, j] = point
    return landmarks


def _is_point(point: Any) -> bool:
    numbers = isinstance(point, Sequence) and len(point) == 2 and all(type(number) in (int, float) for number in point)
    return numbers and bool(np.isfinite(np.array(point, dtype=np.float64)).all())


def keep_mask(mask: NDArray[np.uint8], folder: Path) -> str:
    """Write a mask into a reader's folder, where it is not yet, and wait until the disk has it; return its hash.

    Raises:
        OSError: where the disk fails.
    """
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    content = stream.getvalue()
    name = hashlib.sha256(content).hexdigest()
    path = folder / FOLDER / f"{name}.png"
    if not path.is_file():
        write_durably(path, content)
    return name


def read_kept_mask(name: str, folder: Path) -> NDArray[np.uint8]:
    """A mask that was kept.

    Raises:
        ValueError: where it is missing, or is not what was kept.
    """
    with Image.open(io.BytesIO(check_kept_mask(name, folder))) as picture:
        return np.asarray(picture, dtype=np.uint8)


def check_kept_mask(name: str, folder: Path) -> bytes:
    """The file of a mask that was kept.

    Raises:
        ValueError: as `read_kept_mask`.
    """
    path = folder / FOLDER / f"{name}.png"
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != name:
        found = "was altered" if content else "is missing"
        raise ValueError(f"{path}: the mask {found}, which the trail tells of; bring it back from a copy. Nothing was reviewed.")
    return content
