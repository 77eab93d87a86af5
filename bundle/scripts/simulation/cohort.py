"""A cohort on disk: DICOM radiographs with masks, landmarks, a manifest and a data card, made by parallel workers, resumable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from scripts.files import sha256
from scripts.simulation.data_card import write_data_card
from scripts.simulation.patient import COLUMNS, Plan, rows_path, simulate_patient
from scripts.simulation.production import Production, check_whole, checked_spacing, checked_split, chosen_sites
from scripts.simulation.sites import SITES_FILE

_MOST: Final = 20  # repeats of a patient, and states of a pose


def simulate_cohort(
    output_dir: str,
    patients: int,
    seed: int = 0,
    spacing_mm: float | None = 0.34,
    split: str | None = None,
    workers: int | None = None,
    sites: Sequence[str] | None = None,
    repeats: int = 0,
    sites_file: str | None = None,
    faulty: bool = False,
    operated: bool = False,
    states: int = 0,
) -> Path:
    """Simulate a cohort of patients and return the path of its ``manifest.csv``.

    A second call with the same arguments finishes what an interrupted one began; more ``patients`` add to a cohort.

    Args:
        output_dir: folder to make or to go on with.
        patients: how many, at least 1.
        seed: the cohort's seed.
        spacing_mm: detector pixel spacing in mm, 0.05 to 1; each site's own when None.
        split: one of train, validation, test, external for all patients. When None, external sites are "external", elsewhere
            the latest studies are "test" and the others "train" or "validation".
        workers: processes; one for each processor core when None.
        sites: names of those to take patients from; all when None.
        repeats: radiographs of each patient, 2 to 20, in fresh poses and exposures in one week; 0 for one radiograph.
        sites_file: JSON file of sites; the bundle's own when None.
        faulty: give every patient a turned pelvis, turned femurs, a fracture or a deformity.
        operated: give every patient a prosthesis or a fixation.
        states: further radiographs of each pose, up to 20, with the mineral of femoral cortex, spongy bone and pelvis multiplied
            and another exposure and processing; all of them then come with maps of the mineral and of DXA's regions.

    Raises:
        ValueError: an argument is out of its range, or the folder holds a cohort made with other arguments.
        OSError: the folder cannot be written, or a worker died; what was finished is kept.
        SystemExit: of code 130 when interrupted by Ctrl-C; what was finished is kept.
    """
    check_whole("patients", patients, 1)
    check_whole("seed", seed, 0)
    if workers is not None:
        check_whole("workers", workers, 1)
    for name, given in (("faulty", faulty), ("operated", operated)):
        if not isinstance(given, bool):
            raise ValueError(f"{name} is {given!r}; expected True or False. Nothing was written.")
    file = Path(sites_file) if sites_file else SITES_FILE
    check_whole("states", states, 0)
    if states > _MOST:
        raise ValueError(f"states is {states}; expected 0 to {_MOST}. Nothing was written.")
    plan = Plan(
        seed,
        chosen_sites(file, sites),
        checked_spacing(spacing_mm),
        checked_split(split),
        _checked_repeats(repeats),
        faulty,
        operated,
        states,
    )
    if not output_dir:
        raise ValueError("No output_dir given: name the folder to write the cohort to. Nothing was written.")
    folder = Path(output_dir)
    settings = {
        "seed": seed,
        "spacing_mm": spacing_mm,
        "split": split,
        "sites": [site.name for site in plan.sites],
        "sites_sha256": sha256(file),
        "repeats": repeats,
        "faulty": faulty,
        "operated": operated,
        "states": states,
    }
    make = partial(simulate_patient, folder=folder, plan=plan)
    production = Production(folder, patients, "patients", make, rows_path, COLUMNS, settings, "cohort.json")
    rows = production.run(workers, lambda: write_data_card(folder))
    print(
        f"{patients} simulated patients, {len(rows)} radiographs, in {folder.resolve()}: images/, masks/, landmarks/"
        f"{', minerals/, regions/' if states else ''} and manifest.csv; see data_card.md"
    )
    return folder / "manifest.csv"


def _checked_repeats(repeats: int) -> int:
    check_whole("repeats", repeats, 0)
    if repeats == 1 or repeats > _MOST:
        raise ValueError(f"repeats is {repeats}; expected 0, or 2 to {_MOST}. Nothing was written.")
    return repeats
