"""Masks and landmarks that the networks find, written into the manifest of a folder: a start for who corrects them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from tqdm import tqdm

from scripts.apps.found_landmarks import found_landmarks, to_manifest
from scripts.dataset.manifest import MANIFEST_NAME
from scripts.dataset.spreadsheet import read_table
from scripts.dataset.truth import BY_NETWORKS
from scripts.files import replacing, write_table
from scripts.screening import Screen

FOLDER: Final = "annotations"
"""In the folder of the radiographs: masks, landmarks, and the manifest as it was before."""

_CORRECTED: Final = {
    "label": (Path("labels", "final"), (".nii.gz", ".nii", ".nrrd", ".mha", ".png")),
    "landmarks": (Path("landmarks"), (".json",)),
}
"""Where the app of MONAI Label keeps what was submitted to it, by the manifest's column, and the endings."""

Row = dict[str, str]


def annotate_folder(radiographs: Sequence[Mapping[str, Any]], screen: Screen, dataset_dir: str) -> Path:
    """Draw what has no mask or no landmarks yet, and enter it in the folder's `manifest.csv`.

    What the manifest has stays as it is, columns of the user's own included. What the networks drew is marked in the columns
    `label_by` and `landmarks_by`, and what was corrected in MONAI Label takes its place. Radiographs on which no hip is
    found get no row. When stopped, what is finished is entered.

    Args:
        radiographs: items of `scripts.dataset.studies.sort_studies`.
        screen: draws.
        dataset_dir: the folder.

    Returns:
        the manifest's path.

    Raises:
        OSError: where the folder cannot be written.
    """
    folder = Path(os.path.abspath(dataset_dir))
    manifest = folder / MANIFEST_NAME
    columns, rows = _read_rows(manifest)
    by_image = {os.path.abspath(folder / row["image"].replace("\\", "/")): row for row in rows}
    (folder / FOLDER).mkdir(exist_ok=True)
    corrected = sum(_take_corrected(row, Path(image), folder) for image, row in by_image.items())
    wanted = [item for item in radiographs if "refusal" not in item and _lacks(by_image.get(item["image"], {}))]
    drawn, empty = 0, 0
    try:
        bar = tqdm(zip(wanted, screen.reader(wanted), strict=True), "radiographs", len(wanted), file=sys.stderr)
        for item, read in bar:
            row = by_image.get(item["image"], {})
            found = _draw(read, screen, Path(item["image"]).relative_to(folder), folder, _lacks(row))
            if not found:
                empty += 1
                continue
            if not row:
                row["image"] = Path(item["image"]).relative_to(folder).as_posix()
                rows.append(row)
            for column, place in found.items():
                by, word = BY_NETWORKS[column]
                row |= {column: place, by: word}
            drawn += 1
    finally:
        if drawn or corrected:
            _write_rows(manifest, columns, rows, folder / FOLDER / "manifest_before.csv")
    refused = sum("refusal" in item for item in radiographs)
    marks = " and ".join(by for by, _ in BY_NETWORKS.values())
    print(
        f"{drawn} radiographs annotated, corrections of {corrected} taken over from MONAI Label; on {empty} no hip was found or "
        f"they cannot be read, {refused} are refused by their header, and the others had masks and landmarks. See {manifest}; "
        f"correct what the columns {marks} say the networks drew, and clear the mark."
    )
    return manifest


def _lacks(row: Mapping[str, str]) -> list[str]:
    """What is to be drawn: "label", "landmarks", both or nothing."""
    has_mask = any(row.get(column) for column in ("label", "left_label", "right_label"))
    return ["label"] * (not has_mask) + ["landmarks"] * (not row.get("landmarks"))


def _draw(read: dict[str, Any], screen: Screen, image: Path, folder: Path, lacking: Sequence[str]) -> dict[str, str]:
    """Write what one radiograph lacks; return its places in the folder by column, none where no hip is found."""
    seen = screen.see(read).seen
    landmarks = found_landmarks(seen) if seen else None
    if seen is None or landmarks is None or not np.isfinite(landmarks).any():
        return {}
    places = {}
    if "label" in lacking:
        places["label"] = f"{FOLDER}/masks/{image.as_posix()}.png"
        with replacing(folder / places["label"]) as temporary:
            Image.fromarray(seen.mask).save(temporary)
    if "landmarks" in lacking:
        places["landmarks"] = f"{FOLDER}/landmarks/{image.as_posix()}.json"
        with replacing(folder / places["landmarks"]) as temporary:
            temporary.write_text(json.dumps(to_manifest(landmarks)), encoding="utf-8")
    return places


def _take_corrected(row: Row, image: Path, folder: Path) -> bool:
    """Enter the mask and landmarks that were submitted in MONAI Label in place of the networks' own; whether there are any."""
    if image.parent != folder:  # MONAI Label serves the radiographs of the folder itself
        return False
    name = image.name[: -len(".nii.gz")] if image.name.lower().endswith(".nii.gz") else image.stem
    taken = False
    for column, (place, endings) in _CORRECTED.items():
        by, word = BY_NETWORKS[column]
        found = [place / f"{name}{ending}" for ending in endings if (folder / place / f"{name}{ending}").is_file()]
        if found and not (row.get(column) and row.get(by) != word):
            row |= {column: found[0].as_posix(), by: ""}
            taken = True
    return taken


def _read_rows(manifest: Path) -> tuple[list[str], list[Row]]:
    """Columns and rows as they stand, which the listing has found to be good."""
    if not manifest.is_file():
        return ["image"], []
    table = read_table(manifest, "image")
    return table.columns, [dict(zip(table.columns, cells, strict=True)) for _, cells in table.rows]


def _write_rows(manifest: Path, columns: Sequence[str], rows: Sequence[Row], before: Path) -> None:
    if manifest.is_file() and not before.exists():
        shutil.copyfile(manifest, before)
    added = [column for drawn, (by, _) in BY_NETWORKS.items() for column in (drawn, by)]
    write_table(manifest, list(dict.fromkeys([*columns, *added])), rows)
