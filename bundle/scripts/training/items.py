"""The patients of one split of a data set, and what they are to be taught."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from monai.transforms import Transform

from scripts.clinical import HIP, Reference, load_criteria
from scripts.dataset.listing import list_radiographs
from scripts.dataset.truth import dxa_bmd, has_bmd, hip_bmd, is_osteoporosis, lowest_t_score


def training_items(dataset_dir: str, split: str, required: Sequence[str]) -> list[dict[str, Any]]:
    """List the radiographs of a split that have what a training needs.

    Args:
        dataset_dir: folder with radiographs and a `manifest.csv`.
        split: "train" or "validation", as in the manifest's column `split`.
        required: "label", "landmarks" or "bmd" (at least one hip BMD); a radiograph that lacks one is left out.

    Returns:
        The items of `list_radiographs`, each with "label" and "landmarks" ("" where there is none) and the file's modification
        time, so that a cache of the read pixels notices a changed file.

    Raises:
        ValueError: when no radiograph is left.
    """
    found = list_radiographs(dataset_dir)
    of_split = [item for item in found if item.get("split") == split]
    items = [item for item in of_split if all(_has(item, need) for need in required)]
    if not items:
        raise ValueError(
            f"{dataset_dir}: {len(found)} radiographs, {len(of_split)} of them with {split!r} in the manifest's column split, "
            f"none of which has {' and '.join(required)}; expected at least one. Nothing was trained."
        )
    return [{"label": "", "landmarks": "", **item, "modified_ns": os.stat(item["image"]).st_mtime_ns} for item in items]


class HipTargetsd(Transform):
    """Adds "bmd" (2, 2), see `hip_bmd`, and "osteoporosis" (1,), 0 or 1, to an item; NaN where unknown."""

    def __init__(self, reference: Reference) -> None:
        self.reference, self.criteria = reference, load_criteria()

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Add the targets."""
        lowest = lowest_t_score([dxa_bmd(data, side) for side in HIP.sides], self.reference)
        positive = math.nan if math.isnan(lowest) else is_osteoporosis(lowest, self.criteria)
        return {**data, "bmd": hip_bmd(data), "osteoporosis": np.array([positive], dtype=np.float32)}


def _has(item: Mapping[str, Any], need: str) -> bool:
    if need == "bmd":
        return has_bmd(item)
    return bool(item.get(need))
