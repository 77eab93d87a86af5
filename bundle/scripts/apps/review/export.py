"""What a reader confirmed, as a folder to learn from: radiographs, masks, landmarks and manifest, placed as MONAI Label does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from tqdm import tqdm

from scripts.apps.found_landmarks import to_manifest
from scripts.apps.review.film import FilmShelf
from scripts.apps.review.session import Session
from scripts.clinical import HIP
from scripts.dataset.columns import COLUMNS, LABEL_COLUMNS
from scripts.dataset.manifest import MANIFEST_NAME
from scripts.dataset.truth import BY_NETWORKS
from scripts.files import replacing, write_table
from scripts.radiograph.archives import ArchiveOpener, read_whole

_MASKS: Final = Path("labels", "final")
_LANDMARKS: Final = Path("landmarks")
"""Both where MONAI Label keeps what was submitted to it."""
_KEPT: Final = tuple(name for name in COLUMNS if name not in (*LABEL_COLUMNS, "image"))


def export_corrections(session: Session, shelf: FilmShelf, folder: Path) -> None:
    """Write the films of which every hip was confirmed, with masks and landmarks as the reader left them.

    A film is left out while one of its hips is open, or where one was rejected: what is there would lack a contour.

    Args:
        session: of the reader.
        shelf: opens films.
        folder: made where missing; it must hold nothing yet.

    Raises:
        ValueError: where the folder holds something, or no film was confirmed.
        OSError: where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--export_dir {folder}: is no empty folder; name another one. Nothing was written.")
    names = [name for name in session.results.films if _is_confirmed(session, name)]
    if not names:
        raise ValueError(f"{session.writer.path}: reader {session.reader} has confirmed no film whole. Nothing was written.")
    rows = []
    for name in tqdm(names, "Films", unit="", file=sys.stderr):
        rows.append(_export(session, shelf, name, folder))
    columns = ["image", *(name for name in _KEPT if any(row.get(name) not in (None, "") for row in rows))]
    columns += [name for drawn, (by, _) in BY_NETWORKS.items() for name in (drawn, by)]
    write_table(folder / MANIFEST_NAME, columns, [{name: row.get(name) for name in columns} for row in rows])
    edited = sum(any(session.state(name).edited) for name in names)
    seen = [name for name in session.results.films if not session.results.why_unseen(name)]
    print(
        f"{folder}: {len(names)} films with masks and landmarks, {edited} of them corrected; {len(seen) - len(names)} were left "
        "out, since a hip is open or was rejected, or nothing was drawn. osteoxr train segmentation and osteoxr label take this "
        "folder; it holds the radiographs themselves."
    )


def _is_confirmed(session: Session, name: str) -> bool:
    decisions = session.state(name).decisions
    return (
        not session.results.why_unseen(name)
        and bool(decisions)
        and not session.open_hips(name)
        and all(decision.word == "confirmed" for decision in decisions.values())
    )


def _export(session: Session, shelf: FilmShelf, name: str, folder: Path) -> dict[str, Any]:
    """Write one film; return its row of the manifest."""
    film, item = shelf.open(name), session.results.ledger.items[name]
    drawing = session.drawing(film)
    image = Path(f"{name}{_ending(Path(item['image']).name)}")
    with ArchiveOpener() as opener, opener.open(Path(item["image"])) as source, replacing(folder / image) as temporary:
        temporary.write_bytes(read_whole(source).read())
    mask = np.ascontiguousarray(film.orientation.to_stored(drawing.mask))
    with replacing(folder / _MASKS / f"{name}.png") as temporary:
        Image.fromarray(mask).save(temporary)
    sides = session.state(name).decisions
    kept = np.array([side in sides for side in HIP.sides])
    points = film.orientation.points_to_stored(np.where(kept[:, None, None], drawing.landmarks, np.nan), mask.shape)
    with replacing(folder / _LANDMARKS / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(to_manifest(points)), encoding="utf-8")
    row = {column: item.get(column) for column in _KEPT}
    row |= {"image": image, "label": _MASKS / f"{name}.png", "landmarks": _LANDMARKS / f"{name}.json"}
    row |= {by: f"reader {session.reader}" for by, _ in BY_NETWORKS.values()}
    return {**row, "patient_id": item.get("patient_id") or item["patient"]}


def _ending(name: str) -> str:
    """Of a radiograph's file, which MONAI Label asks for; of one without, that of DICOM."""
    lower = name.lower()
    known = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
    packed = next((ending for ending in known if lower.endswith(ending)), None)
    return packed or (".dcm.gz" if lower.endswith(".gz") else ".dcm")
