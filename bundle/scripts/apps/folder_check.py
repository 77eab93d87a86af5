"""What a folder of radiographs can be used for, and what it lacks: told before minutes of work are spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.apps.options import read_commands
from scripts.clinical import load_criteria, load_reference
from scripts.dataset.identity import is_of_a_known_format
from scripts.dataset.truth import BY_NETWORKS, HELD_OUT, held_out_truth, is_osteoporosis, read_truth
from scripts.radiograph.archives import ArchiveOpener
from scripts.training.items import has_what_is_required

Item = Mapping[str, Any]

_SPLITS: Final = ("train", "validation")
_WORDS: Final = {
    "label": "masks",
    "landmarks": "landmarks",
    "bmd": "DXA results",
    "split": "a split",
    "mineral_label": "maps of the mineral",
    "region_label": "maps of DXA's regions",
}
_GET: Final = {
    "split": "fill the manifest's column split with train, validation or test; all radiographs of a patient have the same.",
    "label": "osteoxr annotate FOLDER writes those that the networks draw; correct them in MONAI Label (osteoxr label FOLDER).",
    "landmarks": "osteoxr annotate FOLDER writes those that the networks find; correct them.",
    "bmd": "fill the manifest's columns right_neck_bmd, right_total_bmd, left_neck_bmd and left_total_bmd, in g/cm².",
    "mineral_label": "only a simulated cohort has them: osteoxr simulate OUT --states 3.",
    "region_label": "only a simulated cohort has them: osteoxr simulate OUT --states 3.",
}


def describe_folder(radiographs: Sequence[Item]) -> str:
    """Say what can be screened, evaluated and trained with the radiographs of a folder, and how to get what is missing.

    No radiograph and no patient is named.

    Args:
        radiographs: items of `scripts.dataset.studies.sort_studies`.
    """
    refused = Counter(str(item["refusal"].code) for item in radiographs if "refusal" in item)
    sound = [item for item in radiographs if "refusal" not in item]
    with ArchiveOpener() as opener:
        good = [item for item in sound if is_of_a_known_format(Path(item["image"]), opener)]
    why = f" ({', '.join(f'{count} {code}' for code, count in refused.items())})" if refused else ""
    missing: dict[str, None] = {}
    lines = [
        f"Files: {len(radiographs)}; {len(good)} may be radiographs of hips, of {len({item['patient'] for item in good})} "
        f"patients; {refused.total()} are refused by their header{why}; {len(sound) - len(good)} are of no format that is read",
        f"Screening: {len(good)} radiographs",
        _evaluation(good, missing),
        *_trainings(good, missing),
        *_doubts(good),
        *(f"To get {_WORDS[need]}: {_GET[need]}" for need in _GET if need in missing),
    ]
    return "\n".join(lines)


def _evaluation(items: Sequence[Item], missing: dict[str, None]) -> str:
    """What can be evaluated; what all held-out radiographs lack is added to ``missing``."""
    held_out = [held_out_truth(item) for item in items if item.get("split", "") in HELD_OUT]
    counts = {need: sum(has_what_is_required(item, need) for item in held_out) for need in ("label", "landmarks", "bmd")}
    missing |= dict.fromkeys(need for need, count in counts.items() if held_out and not count)
    told = ", ".join(f"{_WORDS[need]} of {count}" for need, count in counts.items())
    return f"Evaluation: {len(held_out)} radiographs of split test, external or none; {told}"


def _trainings(items: Sequence[Item], missing: dict[str, None]) -> list[str]:
    """What each training would learn from, or lacks; that is added to ``missing``."""
    lines = []
    of_split = {split: [item for item in items if item.get("split") == split] for split in _SPLITS}
    for name, command in read_commands().items():
        required = command.content.get("required", [])
        if not name.startswith("train ") or not isinstance(required, list):  # a head of the user's own has columns of its own
            continue
        usable = {
            split: [item for item in those if all(has_what_is_required(item, need) for need in required)]
            for split, those in of_split.items()
        }
        counts = f"{len(usable['train'])} radiographs to learn from, {len(usable['validation'])} to validate on"
        lacking = dict.fromkeys([] if all(of_split.values()) else ["split"])
        asked: list[Sequence[Item]] = [those for those in of_split.values() if those] or [items]
        lacking |= dict.fromkeys(
            need for need in required if not all(any(has_what_is_required(i, need) for i in those) for those in asked)
        )
        if all(usable.values()):
            lines.append(f"Training of {name.removeprefix('train ')}: {counts}{_one_class(name, usable)}")
        else:
            words = (
                ", ".join(_WORDS[need] for need in lacking)
                or f"radiographs with {' and '.join(_WORDS[need] for need in required)}"
            )
            lines.append(f"Training of {name.removeprefix('train ')}: not possible ({counts}); lacks {words}")
            missing |= lacking
    return lines


def _one_class(name: str, usable: Mapping[str, Sequence[Item]]) -> str:
    """What the classifier lacks where the patients of a split are all alike."""
    reference, criteria = load_reference(), load_criteria()
    for split, items in usable.items() if name == "train siamese" else ():
        if len({is_osteoporosis(read_truth(item).lowest_t_score(reference), criteria) for item in items}) < 2:
            return f"; but it takes patients with osteoporosis and without, and all of split {split} are alike"
    return ""


def _doubts(items: Sequence[Item]) -> list[str]:
    """What can be used, but should not be as it is."""
    lines = []
    drawn = sum(any(item.get(column) == mark for column, mark in BY_NETWORKS.values()) for item in items)
    if drawn:
        lines.append(
            f"Note: on {drawn} radiographs masks or landmarks are the networks' own, which evaluation passes over; correct them"
        )
    if nameless := sum(read_truth(item).has_bmd and not item.get("dxa_maker") for item in items):
        lines.append(
            f"DXA results: of {nameless} radiographs the manifest does not name the maker (column dxa_maker); they are taken as "
            "Hologic's"
        )
    splits = Counter(patient for patient, _ in {(item["patient"], item.get("split", "")) for item in items})
    if several := sum(count > 1 for count in splits.values()):
        lines.append(
            f"Note: {several} patients stand in several splits, so that what was learnt of them is asked again; give each one"
        )
    return lines
