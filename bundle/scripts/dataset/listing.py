"""Finding the radiographs of a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from scripts.dataset.manifest import LABEL_COLUMNS, MANIFEST_NAME, make_blank_entry, read_manifest

# fmt: off
NO_RADIOGRAPHS: Final = frozenset({
    ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".txt", ".md", ".rst", ".log", ".html",
    ".htm", ".css", ".js", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".py", ".ipynb",
    ".sh", ".bat", ".exe", ".dll", ".zip", ".gz", ".tar", ".7z", ".rar", ".db", ".sqlite", ".svg", ".mp4", ".avi",
    ".mov", ".pt", ".pth", ".onnx", ".key", ".pkl", ".npy", ".npz", ".mat", ".tmp", ".partial", ".lock",
})
# fmt: on
"""Endings of files that nobody takes for a radiograph; they are left alone. Every other file is a candidate, so that one
that cannot be read is reported and does not vanish."""

CARD_NAME: Final = "data_card.md"
CARD_PICTURES: Final = frozenset({"contact_sheet.png", "distributions.png", "bmd_by_age.png"})
"""What describes a simulated cohort, in its folder; the pictures beside a card are no radiographs."""

_RESULTS_NAMES: Final = frozenset({"results.json", "journal.jsonl"})


class NoRadiographsError(ValueError):
    """Raised where a folder holds no file that could be a radiograph."""


def list_radiographs(dataset_dir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Find the radiographs in a folder and everything below it.

    No file is opened. Left out are hidden files and folders, files of other kinds (`NO_RADIOGRAPHS`, DICOMDIR), the label
    files that a manifest names and their folders, the pictures of a simulated cohort's data card, and folders that hold
    results of this bundle. Links to files are followed, links to folders are not: such a link is a candidate itself, so
    that it is reported, unless the manifest names files behind it.

    Args:
        dataset_dir: a folder, with a `manifest.csv` or without.

    Returns:
        One item for each candidate, sorted by path, all with the same keys: "image" (absolute path) and the manifest's other
        columns as `read_manifest` gives them (NaN or "" for a radiograph without a row).

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: if the folder, or one below it, cannot be listed.
        NoRadiographsError: if it holds no candidate.
        ValueError: if the manifest is bad.

    Example:
        >>> from pathlib import Path
        >>> import scripts
        >>> examples = Path(scripts.__file__).parents[1] / "examples"
        >>> found = list_radiographs(examples)
        >>> [(Path(item["image"]).name, item["right_neck_bmd"]) for item in found[:2]]
        [('hip_replacement.dcm', 0.603), ('hip_screw.dcm', 0.7724)]
    """
    folder = Path(os.path.abspath(dataset_dir))  # not resolved: links stay as the user wrote them
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder; expected one with radiographs. Nothing was analysed.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is not a folder; expected one with radiographs. Nothing was analysed.")

    manifest = folder / MANIFEST_NAME
    entries = read_manifest(manifest) if manifest.is_file() else {}
    columns = list(next(iter(entries.values()), {}))
    labels = {Path(entry[column]) for entry in entries.values() for column in LABEL_COLUMNS if entry.get(column)}
    label_folders = {path.parent for path in labels} - {path.parent for path in entries} - {folder}

    behind_links = {parent for path in entries for parent in path.parents}
    found = [path for path in _files(folder, label_folders) if path not in labels and path not in behind_links]
    paths = sorted({*found, *entries})
    if not paths:
        raise NoRadiographsError(
            f"{folder}: holds no radiographs; expected DICOM, PNG, JPEG or NIfTI files in it or below. Nothing was analysed."
        )
    return [{"image": str(path), **entries.get(path, make_blank_entry(columns))} for path in paths]


def _files(folder: Path, skipped: set[Path]) -> list[Path]:
    found = []
    for current, folders, files in os.walk(folder, onerror=_cannot_list):
        if not _RESULTS_NAMES.isdisjoint(files) and Path(current) != folder:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and Path(current, name) not in skipped]
        pictures = CARD_PICTURES if CARD_NAME in files else frozenset()
        found += [Path(current, name) for name in files if name not in pictures and _is_candidate(name)]
        found += [path for path in (Path(current, name) for name in folders) if path.is_symlink()]
    return found


def _is_candidate(name: str) -> bool:
    lower = name.lower()
    if lower.startswith(".") or lower in ("dicomdir", "thumbs.db"):
        return False
    return lower.endswith(".nii.gz") or Path(lower).suffix not in NO_RADIOGRAPHS


def _cannot_list(error: OSError) -> None:
    message = f"{error.filename}: this folder cannot be listed ({error.strerror}); expected read access. Nothing was analysed."
    raise type(error)(message) from error
