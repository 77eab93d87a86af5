"""The corrected radiographs as the trainings take them: a folder with a manifest, beside the data store and not in it."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.apps.found_landmarks import FEWEST_LANDMARKS, found_landmarks, to_manifest
from scripts.apps.monailabel.radiograph_store import Corrected
from scripts.apps.monailabel.screener import Screener
from scripts.clinical import RefusedError
from scripts.dataset.labels import read_label, read_landmarks
from scripts.dataset.manifest import MANIFEST_NAME
from scripts.dataset.studies import sort_studies
from scripts.files import write_table
from scripts.radiograph import Orientation, read_radiograph

_LOGGER = logging.getLogger(__name__)


def write_lesson(corrected: Sequence[Corrected], screener: Screener, folder: Path, validation_fraction: float) -> None:
    """Write the dataset of a fine-tuning: radiographs, labels, landmarks and `manifest.csv`.

    Landmarks or contours that nobody corrected are those that the networks find now: so the fine-tuning keeps what it knows of
    them. A radiograph without a pixel size is written anew, with the size that the screening found. Radiographs on which no hip
    is found, or that cannot be read, are left out, and the log says so.

    Args:
        corrected: radiographs, and what was corrected of them.
        screener: finds the rest.
        folder: an empty one.
        validation_fraction: of the patients, who choose the best epoch; at least one does.

    Raises:
        ValueError: where fewer than two patients are left.
        OSError: where the disk fails.
    """
    rows = []
    for index, radiograph in enumerate(corrected):
        try:
            rows.append(_write_radiograph(f"{index:05d}", radiograph, screener, folder))
        except (RefusedError, ValueError) as error:
            _LOGGER.warning("%s is left out of the fine-tuning: %s", radiograph.image.name, error)
    patients = _patients([Path(row["image"]) for row in rows], folder)
    if len(set(patients)) < 2:
        raise ValueError(
            f"{len(corrected)} radiographs have a final label or corrected landmarks, of which {len(rows)} can be used, of "
            f"{len(set(patients))} patients; expected two patients or more, one of whom chooses the best epoch. Nothing "
            "was trained. Submit more corrected radiographs."
        )
    chosen = _validating(set(patients), validation_fraction)
    for row, patient in zip(rows, patients, strict=True):
        row["split"] = "validation" if patient in chosen else "train"
    write_table(folder / MANIFEST_NAME, ("image", "split", "label", "landmarks"), rows)


def _write_radiograph(name: str, corrected: Corrected, screener: Screener, folder: Path) -> dict[str, str]:
    """One row of the manifest."""
    image, radiograph = corrected.image, screener.screen(corrected.image)
    meta = radiograph.image.meta
    orientation: Orientation = meta["orientation"]
    points = read_landmarks(corrected.landmarks).astype(np.float64) if corrected.landmarks else found_landmarks(radiograph)
    if (np.isfinite(points).all(axis=2).sum(axis=1) < FEWEST_LANDMARKS).all():
        raise ValueError("no hip was found on it, so nothing places what is taught.")
    mask = read_label(corrected.label, radiograph.mask.shape) if corrected.label else radiograph.mask

    row = {"label": f"labels/{name}.nii.gz", "landmarks": f"landmarks/{name}.json"}
    if meta["spacing_source"] in ("femoral heads", "calibration") and read_radiograph(image).meta["spacing_mm"] is None:
        row["image"] = f"images/{name}.nii.gz"
        spacing = [size / scale for size, scale in zip(meta["spacing_mm"], meta["resample_scale"], strict=True)]
        _write_nifti(read_radiograph(image)[0].numpy(), folder / row["image"], spacing)
        mask = np.ascontiguousarray(orientation.to_display(mask))
        points = orientation.points_to_display(points, radiograph.mask.shape)
    else:
        endings = image.name.lower()
        row["image"] = f"images/{name}{'.nii.gz' if endings.endswith('.nii.gz') else Path(endings).suffix}"
        destination = folder / row["image"]
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, destination)
    _write_nifti(mask, folder / row["label"])
    (folder / row["landmarks"]).parent.mkdir(exist_ok=True)
    (folder / row["landmarks"]).write_text(json.dumps(to_manifest(points)), encoding="utf-8")
    return row


def _write_nifti(pixels: NDArray[Any], path: Path, spacing_mm: Sequence[float] = (1.0, 1.0)) -> None:
    """Write (rows, cols), a mask or a radiograph in 0..1, as `read_label` and `read_nifti` read it; spacing (row, col)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(pixels.T, np.diag([spacing_mm[1], spacing_mm[0], 1.0, 1.0]))
    image.header["cal_max"] = 1.0
    nib.save(image, path)


def _patients(images: Sequence[Path], folder: Path) -> list[str]:
    """Who is on each radiograph; one without a patient's ID is its own patient."""
    items = [{"image": str(folder / image)} for image in images]
    found = sort_studies(items, str(folder), b"names are not kept".ljust(32)) if items else []
    by_image = {item["image"]: str(item["patient"]) for item in found}
    return [by_image[item["image"]] for item in items]


def _validating(patients: set[str], fraction: float) -> set[str]:
    """The patients who validate: the same ones, however many others join them later."""
    ordered = sorted(patients, key=lambda patient: hashlib.sha256(patient.encode()).digest())
    return set(ordered[: min(max(1, round(fraction * len(ordered))), len(ordered) - 1)])
