"""Finding the radiographs of a folder, and naming what is passed over."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from scripts.clinical import Code, Reason, RefusedError
from scripts.dataset.columns import LABEL_COLUMNS, is_known
from scripts.dataset.manifest import MANIFEST_NAME, find_manifest, is_like_manifest, make_blank_entry, read_manifest
from scripts.radiograph.archives import archive_of, is_archive, list_members

# fmt: off
NO_RADIOGRAPHS: Final = frozenset({
    ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".txt", ".md", ".rst", ".log", ".html",
    ".htm", ".css", ".js", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".py", ".ipynb",
    ".sh", ".bat", ".exe", ".dll", ".db", ".sqlite", ".svg", ".mp4", ".avi", ".mov", ".pt", ".pth", ".onnx", ".key", ".pkl",
    ".npy", ".npz", ".mat", ".tmp", ".partial", ".lock",
})
# fmt: on
"""Endings of files that nobody takes for a radiograph; they are passed over. Every other file is a candidate, so that one
that cannot be read is reported and does not vanish."""

CARD_NAME: Final = "data_card.md"
CARD_PICTURES: Final = frozenset({"contact_sheet.png", "distributions.png", "bmd_by_age.png"})
"""What describes a simulated cohort, in its folder; the pictures beside a card are no radiographs."""

FETCHED: Final = "fetched.jsonl"
"""In a folder of radiographs from a PACS: what came, and what did not and why. No radiograph, and not passed over."""

_RESULTS: Final = {
    "results.json": re.compile(rb'\s*\{\s*"schema_version": "[^"]*",\s*"notice": '),
    "journal.jsonl": re.compile(rb'\{"study":"|\Z'),
}
"""The files by which a folder is known as results of this bundle, and how they begin (a journal may be empty)."""

_BEGINNING: Final = 4096  # bytes, enough for these

_TABLES: Final = frozenset({".csv", ".tsv", ".xls", ".xlsx", ".ods"})

_LABEL_STORE: Final = "datastore_v2.json"
_STORED_LABELS: Final = "labels"
"""MONAI Label's list of what it serves, and the folder of masks beside it."""

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class PassedOver:
    """A file, or a folder with everything in it, that nobody looked into.

    file: its path, relative to the folder listed; that of a folder ends with a slash. reason: why.
    """

    file: str
    reason: Reason


@dataclass
class _Found:
    """What a walk through a folder finds, as absolute paths; what is passed over, with why, and which of it are folders."""

    candidates: list[Path] = field(default_factory=list)
    passed_over: dict[Path, str] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)


class NoRadiographsError(ValueError):
    """Raised where a folder holds no file that could be a radiograph."""


def list_radiographs(dataset_dir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Find the radiographs in a folder and everything below it, in zip archives too.

    No file is opened but the manifest, archives, and what might be results. Passed over are hidden files and folders, files of
    other kinds (`NO_RADIOGRAPHS`, DICOMDIR), the folders of the label files that a manifest names, the pictures of a simulated
    cohort's data card, and folders that hold results of this bundle: see `list_passed_over`. Links to files are followed, links
    to folders are not: such a link is a candidate itself, so that it is reported, unless the manifest names files behind it.

    Args:
        dataset_dir: a folder, with a `manifest.csv` or without.

    Returns:
        One item for each candidate, sorted by path, all with the same keys: "image" (absolute path; of a member of an archive
        ARCHIVE.zip/MEMBER) and the manifest's other columns as `read_manifest` gives them (NaN or "" for a radiograph without a
        row).

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: if the folder, or one below it, cannot be listed.
        NoRadiographsError: if it holds no candidate.
        ValueError: if the manifest is bad, or what looks like one has another name or place.

    Example:
        >>> from pathlib import Path
        >>> import scripts
        >>> examples = Path(scripts.__file__).parents[1] / "examples"
        >>> found = list_radiographs(examples)
        >>> [(Path(item["image"]).name, item["right_neck_bmd"]) for item in found[:2]]
        [('hip_replacement.dcm', 0.613), ('hip_screw.dcm', 0.7842)]
    """
    folder = _checked(dataset_dir)
    manifest = find_manifest(folder)
    entries = read_manifest(manifest) if manifest else {}
    found = _search(folder, entries)
    if manifest is None:
        _refuse_strays(folder, found.passed_over)
    candidates = set(found.candidates)
    if absent := [path for path in entries if archive_of(path) and path not in candidates]:
        raise ValueError(
            f"{manifest}, column image: {os.path.relpath(absent[0], folder)!r} is no radiograph in its archive; expected one. "
            "Nothing was read."
        )
    paths = sorted(candidates | entries.keys())
    if not paths:
        raise NoRadiographsError(
            f"{folder}: holds no radiographs, and {len(found.passed_over)} other files and folders; expected DICOM, PNG, JPEG, "
            "TIFF or NIfTI files in it or below, also in gzip and zip. Nothing was analysed."
        )
    columns = list(next(iter(entries.values()), {}))
    if unread := [column for column in columns if not is_known(column)]:
        _LOGGER.warning(
            "%s: columns that are none of a manifest's: %s. They are kept as text, and nothing reads them but a network that is "
            "trained on them.",
            manifest,
            ", ".join(map(repr, unread)),
        )
    return [{"image": str(path), **entries.get(path, make_blank_entry(columns))} for path in paths]


def list_passed_over(dataset_dir: str | os.PathLike[str]) -> list[PassedOver]:
    """Name what `list_radiographs` passes over, sorted by path; a folder stands for everything in it.

    The manifest, and the files that it names, are not passed over.

    Raises:
        As `list_radiographs`.
    """
    folder = _checked(dataset_dir)
    manifest = find_manifest(folder)
    entries = read_manifest(manifest) if manifest else {}
    found = _search(folder, entries)
    return [
        PassedOver(os.path.relpath(path, folder) + ("/" if path in found.folders else ""), Reason(Code.PASSED_OVER, why))
        for path, why in sorted(found.passed_over.items())
        if path != manifest
    ]


def _checked(dataset_dir: str | os.PathLike[str]) -> Path:
    folder = Path(os.path.abspath(dataset_dir))  # not resolved: links stay as the user wrote them
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder; expected one with radiographs. Nothing was analysed.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is not a folder; expected one with radiographs. Nothing was analysed.")
    return folder


def _search(folder: Path, entries: Mapping[Path, Mapping[str, Any]]) -> _Found:
    labels = {Path(entry[column]) for entry in entries.values() for column in LABEL_COLUMNS if entry.get(column)}
    image_folders = {path.parent for path in entries} | {folder}
    label_folders = {path.parent for path in labels} - image_folders
    parents = {parent for path in (*entries, *labels) for parent in path.parents}
    found = _Found()
    for current, folders, files in os.walk(folder, onerror=_cannot_list):
        here = Path(current)
        for name in sorted(folders):
            path = here / name
            why = _why_no_folder(path, files)
            if path.is_symlink() and not why and path not in parents:
                found.candidates.append(path)
            elif path.is_symlink() or why:
                read = "Of what it holds, only what the manifest names was read." if path in parents else "It was not read."
                found.passed_over[path] = f"{why or 'It is a link to a folder.'} {read}"
                found.folders.add(path)
            if why:
                folders.remove(name)
        nearest = next(parent for parent in (here, *here.parents) if parent in label_folders or parent in image_folders)
        for name in files:
            path = here / name
            if path in labels or (name == FETCHED and here == folder):
                continue
            why = "" if path in entries else _why_no_file(name, files)
            if not why and nearest in label_folders and path not in entries:
                why = "It lies among the masks and landmarks of the manifest, which does not name it."
            if why:
                found.passed_over[path] = f"{why} It was not read."
            else:
                _add(path, found)
    return found


def _add(path: Path, found: _Found) -> None:
    """Add a file to what was found, or in its place the members of an archive."""
    try:
        members = list_members(path) if is_archive(path) else []
    except (OSError, RefusedError):  # a candidate, so that it is reported
        members = []
    if not members:
        found.candidates.append(path)
    for member in members:
        *above, name = PurePosixPath(member).parts
        if any(part.startswith(".") for part in above) or "__MACOSX" in above:
            found.passed_over[path / member] = "It lies in a hidden folder of the archive. It was not read."
        elif why := _why_no_file(name, []):
            found.passed_over[path / member] = f"{why} It was not read."
        else:
            found.candidates.append(path / member)


def _why_no_folder(path: Path, beside: Collection[str]) -> str:
    """Why a folder is passed over; "" where it is not."""
    if path.name.startswith("."):
        return "Its name begins with a dot, so it is a hidden folder."
    if path.is_symlink():
        return ""
    if path.name == _STORED_LABELS and _LABEL_STORE in beside:
        return "It holds the masks of MONAI Label."
    if _holds_results(path):
        count = sum(len(files) for _, _, files in os.walk(path))
        return f"It holds results of an earlier run, {count} files in all."
    return ""


def _why_no_file(name: str, beside: Collection[str]) -> str:
    """Why a file is passed over by its name and by what is beside it; "" where it could be a radiograph."""
    lower = name.lower()
    ending = PurePosixPath(lower.removesuffix(".gz")).suffix
    if lower.startswith("."):
        return "Its name begins with a dot, so it is a hidden file."
    if lower in ("dicomdir", "thumbs.db"):
        return "It is an index of other files."
    if CARD_NAME in beside and name in CARD_PICTURES:
        return "It is a picture of a simulated cohort's data card."
    if ending in _TABLES:
        return f"A table ({ending}) is read only as {MANIFEST_NAME} in the folder of radiographs itself."
    return f"Its ending ({ending}) is none of a radiograph." if ending in NO_RADIOGRAPHS else ""


def _holds_results(folder: Path) -> bool:
    """Whether a folder holds results of this bundle; a file of such a name may be anybody's."""
    for name, begins in _RESULTS.items():
        try:
            with (folder / name).open("rb") as file:
                if begins.match(file.read(_BEGINNING)):
                    return True
        except OSError:
            continue
    return False


def _refuse_strays(folder: Path, passed_over: Iterable[Path]) -> None:
    """Refuse to do without a manifest where a file looks like one, of another name or in another place."""
    for path in sorted(passed_over):
        if not is_like_manifest(path.name):
            continue
        if path.name.lower() == MANIFEST_NAME:
            raise ValueError(
                f"{path}: is a manifest, but only one in {folder} itself is read. Name its own folder in place of this one, or "
                "move it there, with paths relative to that; give it another name if it is something else. Nothing was analysed."
            )
        raise ValueError(
            f"{path}: looks like a manifest, but only {MANIFEST_NAME} in {folder} itself is read. Save it there as 'CSV UTF-8' "
            "by that name, or give it another name if it is something else. Nothing was analysed."
        )


def _cannot_list(error: OSError) -> None:
    message = f"{error.filename}: this folder cannot be listed ({error.strerror}); expected read access. Nothing was analysed."
    raise type(error)(message) from error
