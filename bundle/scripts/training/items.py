"""The radiographs of one split of a data set, and what they are to teach."""

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import Transform
from tqdm import tqdm

from scripts.clinical import Reference, RefusedError, load_criteria
from scripts.dataset.listing import list_radiographs
from scripts.dataset.truth import is_osteoporosis, read_truth
from scripts.radiograph.archives import source_of

Read = Callable[[Any], Any]
"""The preprocessing of the main job, for an item."""

_SHOW_FEMURS = (
    "wrong_scale", "blurred", "inverted", "overexposed", "underexposed", "clipped", "turned_pelvis", "child_pelvis",
    "animal_pelvis", "lateral_hip", "femoral_shaft",
)  # fmt: skip


def training_items(dataset_dir: str, splits: Sequence[str], required: Sequence[str]) -> list[dict[str, Any]]:
    """List the radiographs of some splits that have what a training needs.

    Args:
        dataset_dir: folder with radiographs and a `manifest.csv`.
        splits: as in the manifest's column `split`, such as "train" or "validation".
        required: "label" (of both hips or of one), "landmarks", "bmd" (at least one hip BMD), or a column of the manifest without
            its side (of at least one hip); a radiograph that lacks one is left out.

    Returns:
        The items of `list_radiographs`, each with "label", "landmarks" and "fracture_label" ("" where there is none) and the
        file's modification time, so that a cache of the read pixels notices a changed file.

    Raises:
        ValueError: when no radiograph is left.
    """
    found = list_radiographs(dataset_dir)
    of_splits = [item for item in found if item.get("split") in splits]
    items = [item for item in of_splits if all(has_what_is_required(item, need) for need in required)]
    if not items:
        named = " or ".join(map(repr, splits))
        raise ValueError(
            f"{dataset_dir}: {len(found)} radiographs, {len(of_splits)} of them with {named} in the manifest's column split, "
            f"none of which has {' and '.join(required)}; expected at least one. Nothing was trained."
        )
    none = {"label": "", "landmarks": "", "fracture_label": ""}
    return [{**none, **item, "modified_ns": os.stat(source_of(Path(item["image"]))).st_mtime_ns} for item in items]


def has_what_is_required(item: Mapping[str, Any], need: str) -> bool:
    """Whether a radiograph has one of the things that a training can require, see `training_items`."""
    truth = read_truth(item)
    if need == "bmd":
        return truth.has_bmd
    if need == "label":
        return any(item.get(column) for column in ("label", "left_label", "right_label"))
    return bool(item.get(need)) or any(math.isfinite(hip.number(need)) for hip in truth.hips.values())


def radiographs_without_hips(folder: str | None, split: str, read: Read) -> list[dict[str, Any]]:
    """List the radiographs without a hip to find: other body parts, test objects, hips that lie the wrong way.

    Args:
        folder: of `simulate_others.yaml`; none where None.
        split: "train" or "validation".
        read: see `radiographs_of_other_kinds`.
    """
    return radiographs_of_other_kinds(training_items(folder, [split], []), _SHOW_FEMURS, read) if folder else []


def radiographs_of_other_kinds(items: Sequence[Mapping[str, Any]], but: Collection[str], read: Read) -> list[dict[str, Any]]:
    """Take the radiographs that reach a network.

    Args:
        items: with `kind`.
        but: kinds that are left out.
        read: raises where a radiograph is refused; such a one is left out.
    """
    wanted = [dict(item) for item in items if item["kind"] not in but]
    with ThreadPoolExecutor() as pool:
        reach = pool.map(lambda item: _reaches_a_network(item, read), wanted)
        return [item for item, good in zip(wanted, tqdm(reach, "radiographs of other kinds", len(wanted)), strict=True) if good]


class HipTargetsd(Transform):
    """Adds "bmd" (2, 2), see `Truth.bmd`, and "osteoporosis" (1,), 0 or 1, to an item; NaN where unknown."""

    def __init__(self, reference: Reference) -> None:
        self.reference, self.criteria = reference, load_criteria()

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Add the targets."""
        truth = read_truth(data)
        lowest = truth.lowest_t_score(self.reference)
        positive = math.nan if math.isnan(lowest) else is_osteoporosis(lowest, self.criteria)
        return {**data, "bmd": truth.bmd, "osteoporosis": np.array([positive], dtype=np.float32)}


class HipNumbersd(Transform):
    """Adds "quantities" (2, Q) float32 to an item: what its row tells of each hip, right hip first; NaN where unknown.

    Args:
        names: of the manifest's columns, without the side.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Add the targets."""
        hips = read_truth(data).hips.values()
        return {**data, "quantities": np.array([[hip.number(name) for name in self.names] for hip in hips], dtype=np.float32)}


def _reaches_a_network(item: Mapping[str, Any], read: Read) -> bool:
    try:
        read(item)
    except RuntimeError as error:  # MONAI's, of the transform that failed
        if isinstance(error.__cause__, RefusedError):
            return False
        raise
    return True
