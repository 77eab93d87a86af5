"""Films that show something other than the hips to be measured, as `simulate_others.yaml` makes them, for trainings."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

from scripts.clinical import RefusedError
from scripts.training.items import training_items

Read = Callable[[Any], Any]
"""The preprocessing of the main job, for an item."""

_SHOW_FEMURS = (
    "wrong_scale", "blurred", "inverted", "overexposed", "underexposed", "clipped", "turned_pelvis", "child_pelvis",
    "animal_pelvis", "lateral_hip", "femoral_shaft",
)  # fmt: skip


def films_without_hips(folder: str | None, split: str, read: Read) -> list[dict[str, Any]]:
    """List the films on which a localisation has nothing to find: other body parts, test objects, hips that lie the wrong way.

    Args:
        folder: of `simulate_others.yaml`; none where None.
        split: "train" or "validation".
        read: see `films_of_other_kinds`.
    """
    return films_of_other_kinds(training_items(folder, split, []), _SHOW_FEMURS, read) if folder else []


def films_of_other_kinds(items: Sequence[Mapping[str, Any]], but: Collection[str], read: Read) -> list[dict[str, Any]]:
    """Take the films that reach a network.

    Args:
        items: with `kind`.
        but: kinds that are left out.
        read: raises where a radiograph is refused; such a film is left out.
    """
    wanted = [dict(item) for item in items if item["kind"] not in but]
    with ThreadPoolExecutor() as pool:
        reach = pool.map(lambda item: _reaches_a_network(item, read), wanted)
        return [item for item, good in zip(wanted, tqdm(reach, "films of other kinds", len(wanted)), strict=True) if good]


def _reaches_a_network(item: Mapping[str, Any], read: Read) -> bool:
    try:
        read(item)
    except RuntimeError as error:  # MONAI's, of the transform that failed
        if isinstance(error.__cause__, RefusedError):
            return False
        raise
    return True
