"""Sorting the radiographs of a folder by patient and study, and giving them pseudonyms, before any is read."""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from scripts.clinical import Code, Reason, RefusedError
from scripts.dataset.identity import Identity, identify
from scripts.dataset.pseudonyms import pseudonymise
from scripts.radiograph.archives import ArchiveOpener, read_whole

_PATIENCE_S: Final = 2.0  # a folder that is sorted sooner needs no progress bar

_Parts = tuple[str, ...]


def sort_studies(items: Sequence[Mapping[str, Any]], dataset_dir: str | os.PathLike[str], key: bytes) -> list[dict[str, Any]]:
    """Bring the radiographs of a study together, and refuse what is no radiograph by its header alone.

    Radiographs with the same Study Instance UID and patient are one study. Those without a UID are one if the manifest gives
    them the same `patient_id` and `study_date`; else each file is a study of its own. Two patients of the manifest never share
    a study.

    Args:
        items: of `list_radiographs`.
        dataset_dir: the folder listed; a radiograph without a UID is known by its path in it.
        key: of the pseudonyms.

    Returns:
        The items, those of one study one after another, in the order of the studies' first paths. Each gets "name",
        "study" and "patient", pseudonyms of the radiograph (unique; fit for a file name), its study and its patient; "date", of
        its study by manifest or header, as YYYY-MM-DD, "" where unknown; and
        "refusal", a `Reason`, where it is refused without being read: one of `identify`, or DUPLICATE for a file with
        the UID and the bytes of another.

    Example:
        >>> from pathlib import Path
        >>> import scripts
        >>> examples = Path(scripts.__file__).parents[1] / "examples"
        >>> from scripts.dataset import list_radiographs
        >>> items = sort_studies(list_radiographs(examples), examples, key=b"0123456789abcdef0123456789abcdef")
        >>> len({item["study"] for item in items}), items[0]["name"]
        (6, 'b827ee3c858d22e9')
    """
    paths = [Path(item["image"]) for item in items]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's quote the header's values, and those may name the patient
        bar = tqdm(paths, desc="Sorting", unit=" files", delay=_PATIENCE_S, file=sys.stderr, leave=False)
        with ArchiveOpener() as opener:
            identities = [identify(path, opener) for path in bar]
    places = [os.path.relpath(path, dataset_dir) for path in paths]
    names, refusals = _names(paths, places, identities, key)
    studies = _studies(items, places, identities)

    # A radiograph whose header is silent on the patient has that of its study.
    patients: dict[_Parts, _Parts] = {}
    for item, identity, study in zip(items, identities, studies, strict=True):
        known = _patient(item, identity)
        if known or study not in patients:
            patients[study] = patients.get(study) or known
    first: dict[_Parts, int] = {}
    for index, study in enumerate(studies):
        first.setdefault(study, index)

    sorted_items = []
    for index in sorted(range(len(items)), key=lambda index: (first[studies[index]], index)):
        study = studies[index]
        item = {
            **items[index],
            "name": names[index],
            "study": pseudonymise(key, "study", *study),
            "patient": pseudonymise(key, "patient", *(patients[study] or study)),
            "date": iso_date(items[index].get("study_date") or identities[index].study_date),
        }
        reason = identities[index].reason or refusals.get(index)
        sorted_items.append({**item, "refusal": reason} if reason else item)
    return sorted_items


def share_of_studies(items: Sequence[Mapping[str, Any]], rank: int, processes: int) -> list[dict[str, Any]]:
    """Take every so-many-eth study, whole, of those that several processes share.

    Args:
        items: of `sort_studies`.
        rank: of the process, from 0.
        processes: how many there are.

    Raises:
        ValueError: when there are fewer studies than processes.
    """
    studies = list(dict.fromkeys(item["study"] for item in items))
    if len(studies) < processes:
        raise ValueError(
            f"{len(studies)} studies cannot be shared by {processes} processes; expected one for each. Nothing was evaluated."
        )
    mine = set(studies[rank::processes])
    return [dict(item) for item in items if item["study"] in mine]


def spread_evenly(items: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Take at most `count` items, evenly over their order, from the first to the last.

    Example:
        >>> [item["name"] for item in spread_evenly([{"name": name} for name in "abcde"], 3)]
        ['a', 'c', 'e']
    """
    if len(items) <= count:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _names(
    paths: Sequence[Path], places: Sequence[str], identities: Sequence[Identity], key: bytes
) -> tuple[list[str], dict[int, Reason]]:
    """Return each radiograph's name, and by index the refusals of duplicates.

    Some programs give radiographs the same UID by mistake: only files with the same bytes are one radiograph.
    """
    by_uid: dict[str, list[int]] = defaultdict(list)
    for index, identity in enumerate(identities):
        if identity.sop_uid and not identity.reason:
            by_uid[identity.sop_uid].append(index)
    names = [pseudonymise(key, "file", place) for place in places]
    refusals: dict[int, Reason] = {}
    for uid, indices in by_uid.items():
        names[indices[0]] = pseudonymise(key, "film", uid)
        if len(indices) == 1:
            continue
        originals: dict[bytes, int] = {}
        with ArchiveOpener() as opener:
            for index in indices:
                original = originals.setdefault(_digest(paths[index], opener), index)
                if index != indices[0]:
                    names[index] = pseudonymise(key, "file", uid, places[index])
                if original != index:
                    refusals[index] = Reason(
                        Code.DUPLICATE,
                        f"The file has the same content as {names[original]}, but each film counts once; that one was analysed "
                        "in its place.",
                    )
    return names, refusals


def _digest(path: Path, opener: ArchiveOpener) -> bytes:
    """What tells the unpacked bytes of a file from others; those of one that cannot be read are like no other's."""
    try:
        with opener.open(path) as file:
            whole: Any = read_whole(file)  # typed too narrowly for file_digest
            return hashlib.file_digest(whole, "sha256").digest()
    except (OSError, RefusedError):
        return os.fsencode(path)


def iso_date(found: str) -> str:
    """A date as YYYY-MM-DD, whatever stands between its parts; "" where it is none."""
    try:
        return datetime.date.fromisoformat(re.sub(r"\D", "", found)).isoformat()
    except ValueError:
        return ""


def _patient(item: Mapping[str, Any], identity: Identity) -> _Parts:
    """What tells a patient from others, () where nothing does; the manifest knows better than the header."""
    if item.get("patient_id"):
        return ("manifest", item["patient_id"])
    return ("header", identity.issuer, identity.patient_id) if identity.patient_id else ()


def _studies(items: Sequence[Mapping[str, Any]], places: Sequence[str], identities: Sequence[Identity]) -> list[_Parts]:
    """What tells each item's study from others."""
    by_header = [
        ("uid", identity.study_uid, identity.issuer, identity.patient_id) if identity.study_uid else () for identity in identities
    ]
    owners: dict[_Parts, set[str]] = defaultdict(set)
    for study, item in zip(by_header, items, strict=True):
        owners[study] |= {item["patient_id"]} if item.get("patient_id") else set()
    found: list[_Parts] = []
    for study, item, place in zip(by_header, items, places, strict=True):
        patient, date = item.get("patient_id", ""), item.get("study_date", "")
        if study:
            found.append((*study, patient) if len(owners[study]) > 1 else study)
        elif patient and date:
            found.append(("manifest", patient, date.replace("-", "")))
        else:
            found.append(("file", place))
    return found
