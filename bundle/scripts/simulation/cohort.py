"""A cohort on disk: DICOM radiographs with masks, landmarks and a manifest, made patient by patient and resumable.

Patient ``i`` of a seed is the same whatever the number of workers: everything random comes from (seed, i).
"""

import csv
import datetime
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from scripts.radiograph.landmarks import SIDES
from scripts.simulation.dicom import Study, write_radiograph
from scripts.simulation.imaging import draw_view, take
from scripts.simulation.phantom import draw_phantom
from scripts.simulation.population import draw_person

COLUMNS = (
    "image", "patient_id", "study_date", "site", "split", "age_years", "sex", "weight_kg", "height_cm",
    "left_neck_bmd", "left_total_bmd", "right_neck_bmd", "right_total_bmd", "lumbar_bmd",
    "label", "landmarks", "left_implant", "right_implant", "view",
)  # fmt: skip
SPLITS = ("train", "validation", "test", "external")
_DRAWN_SPLITS = {"train": 0.80, "validation": 0.10, "test": 0.10}


def simulate_patient(index: int, folder: Path, seed: int, spacing_mm: float, split: str | None = None) -> dict[str, object]:
    """Make patient ``index`` of the cohort: one radiograph, its mask and landmarks; return the manifest's row.

    Args:
        index: which patient, from 0.
        folder: the cohort's folder.
        seed: of the cohort.
        spacing_mm: pixel spacing at the detector in mm.
        split: puts every patient in one split; drawn with 80/10/10 when None.
    """
    torch.set_num_threads(1)
    name = f"P{index:06d}"
    row_file = folder / "rows" / f"{name}.json"
    if row_file.exists():
        return json.loads(row_file.read_text())
    rng = np.random.default_rng([seed, index])
    person = draw_person(rng)
    phantom = draw_phantom(person, rng)
    view = draw_view(rng, spacing_mm)
    shot = take(phantom, view, int(rng.integers(2**31)))
    drawn = str(rng.choice(list(_DRAWN_SPLITS), p=list(_DRAWN_SPLITS.values())))
    date = datetime.date(2020, 1, 1) + datetime.timedelta(days=int(rng.integers(0, 1800)))
    study = Study(name, "simulated-1", date, f"{seed}-{index}-{spacing_mm}")

    write_radiograph(folder / "images" / f"{name}.dcm", shot.image.numpy(), view, person, study)
    _write_png(folder / "masks" / f"{name}.png", shot.mask)
    _write_text(folder / "landmarks" / f"{name}.json", json.dumps(shot.landmarks))
    row: dict[str, object] = {
        "image": f"images/{name}.dcm", "patient_id": name, "study_date": date.isoformat(), "site": study.site,
        "split": split or drawn,
        "age_years": int(person.age), "sex": person.sex, "weight_kg": round(person.weight, 1), "height_cm": round(person.height),
        "lumbar_bmd": "", "label": f"masks/{name}.png", "landmarks": f"landmarks/{name}.json",
        "view": "frog-leg" if view.frog_leg else "AP",
    }  # fmt: skip
    for side in SIDES:
        reading = phantom.dxa[side]
        row[f"{side}_neck_bmd"] = "" if reading is None else round(reading.neck, 4)
        row[f"{side}_total_bmd"] = "" if reading is None else round(reading.total, 4)
        row[f"{side}_implant"] = phantom.implants[side].value
    _write_text(row_file, json.dumps(row))
    return row


def simulate_cohort(
    output_dir: str,
    patients: int,
    seed: int = 0,
    spacing_mm: float = 0.34,
    split: str | None = None,
    workers: int | None = None,
) -> Path:
    """Simulate a cohort of patients and return the path of its ``manifest.csv``.

    A second call with the same arguments finishes what an interrupted one began.

    Args:
        output_dir: folder to make or to go on with.
        patients: how many, at least 1.
        seed: the cohort's seed.
        spacing_mm: detector pixel spacing in mm, 0.05 to 1.
        split: one of train, validation, test, external for all patients; drawn when None.
        workers: processes; one for each processor core when None.

    Raises:
        ValueError: an argument is out of its range, or the folder holds a cohort made with other arguments.
    """
    if not output_dir:
        raise ValueError("No output_dir given: name the folder to write the cohort to. Nothing was written.")
    if not isinstance(patients, int) or patients < 1:
        raise ValueError(f"patients is {patients!r}; expected a whole number of at least 1. Nothing was written.")
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected a whole number of at least 0. Nothing was written.")
    if split is not None and split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected one of {', '.join(SPLITS)}, or none. Nothing was written.")
    if not 0.05 <= spacing_mm <= 1.0:
        raise ValueError(f"spacing_mm is {spacing_mm}; expected 0.05 to 1 mm at the detector. Nothing was written.")
    folder = Path(output_dir)
    settings = {"seed": seed, "spacing_mm": spacing_mm, "split": split}
    settings_file = folder / "cohort.json"
    if settings_file.exists() and json.loads(settings_file.read_text()) != settings:
        raise ValueError(
            f"{settings_file} says that this cohort was made with {settings_file.read_text().strip()}, "
            f"not {json.dumps(settings)}. "
            "Choose another output_dir; nothing was written."
        )
    for part in ("images", "masks", "landmarks", "rows"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _write_text(settings_file, json.dumps(settings))
    make = partial(simulate_patient, folder=folder, seed=seed, spacing_mm=spacing_mm, split=split)
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        rows = list(tqdm(pool.map(make, range(patients)), total=patients, desc="patients", file=sys.stderr))
    manifest = folder / "manifest.csv"
    temporary = manifest.with_name("manifest.csv.partial")
    with temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, manifest)
    print(f"{patients} simulated patients in {folder.resolve()}: images/, masks/, landmarks/ and {manifest.name}")
    return manifest


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".partial")
    temporary.write_text(text)
    os.replace(temporary, path)


def _write_png(path: Path, mask: np.ndarray) -> None:
    temporary = path.with_name(path.name + ".partial")
    Image.fromarray(mask).save(temporary, format="PNG")
    os.replace(temporary, path)
