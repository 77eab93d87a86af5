"""A cohort on disk: DICOM radiographs with masks, landmarks, a manifest and a data card, made by parallel workers, resumable."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from scripts.radiograph.atomic import replacing
from scripts.radiograph.manifest import SPLITS
from scripts.simulation.data_card import write_data_card
from scripts.simulation.patient import COLUMNS, Plan, rows_path, simulate_patient
from scripts.simulation.sites import SITES_FILE, Site, load_sites

_MOST_REPEATS: Final = 20
_INTERRUPTED: Final = 130  # the exit code that shells give to what Ctrl-C ended


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
        faulty: give every patient a turned pelvis, turned femurs or a fracture.

    Raises:
        ValueError: an argument is out of its range, or the folder holds a cohort made with other arguments.
        OSError: the folder cannot be written, or a worker died; what was finished is kept.
        SystemExit: of code 130 when interrupted by Ctrl-C; what was finished is kept.
    """
    _check_whole("patients", patients, 1)
    _check_whole("seed", seed, 0)
    if workers is not None:
        _check_whole("workers", workers, 1)
    file = Path(sites_file) if sites_file else SITES_FILE
    plan = Plan(
        seed, _chosen_sites(file, sites), _checked_spacing(spacing_mm), _checked_split(split), _checked_repeats(repeats), faulty
    )
    if not output_dir:
        raise ValueError("No output_dir given: name the folder to write the cohort to. Nothing was written.")
    folder = Path(output_dir)
    settings = {
        "seed": seed,
        "spacing_mm": spacing_mm,
        "split": split,
        "sites": [site.name for site in plan.sites],
        "sites_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "repeats": repeats,
        "faulty": faulty,
    }
    _check_folder(folder, settings, patients)
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        with replacing(folder / "cohort.json") as temporary:
            temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        rows = _simulate(folder, patients, plan, workers or os.cpu_count() or 1)
        manifest = folder / "manifest.csv"
        with replacing(manifest) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        write_data_card(folder)
    except KeyboardInterrupt:
        print(f"Interrupted: {_progress(folder, patients)} The same command goes on from there.", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    except BrokenProcessPool as error:
        raise OSError(
            f"A worker was killed, most likely for lack of memory: {_progress(folder, patients)} The same command goes on from "
            "there; give it fewer --workers."
        ) from error
    except OSError as error:
        raise OSError(
            f"{error.filename or folder.resolve()} cannot be written ({_reason(error)}): {_progress(folder, patients)} "
            "Once that is mended, the same command goes on from there."
        ) from error
    print(
        f"{patients} simulated patients, {len(rows)} radiographs, in {folder.resolve()}: images/, masks/, landmarks/ and "
        f"{manifest.name}; see data_card.md"
    )
    return manifest


def _simulate(folder: Path, patients: int, plan: Plan, workers: int) -> list[dict[str, Any]]:
    make = partial(simulate_patient, folder=folder, plan=plan)
    with ProcessPoolExecutor(min(workers, patients), initializer=_leave_interrupts_to_the_parent) as pool:
        try:
            rows: list[dict[str, Any]] = []
            with _interrupts_noted() as interrupted:
                made = pool.map(make, range(patients))
                for more in tqdm(made, total=patients, desc="patients", unit="", file=sys.stderr):
                    rows.extend(more)
                    if interrupted.is_set():
                        raise KeyboardInterrupt
            return rows
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                print("\nStopping once the patients under way are finished.", file=sys.stderr)
            pool.shutdown(cancel_futures=True)
            raise


@contextlib.contextmanager
def _interrupts_noted() -> Iterator[threading.Event]:
    """Note Ctrl-C instead of raising it: raised anywhere in the pool's own code, it can leave a lock held for ever."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_interrupts_to_the_parent() -> None:
    # Ctrl-C reaches every process of a terminal; a worker that it does not end finishes its patient.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _reason(error: OSError) -> str:
    # pydicom wraps what a disk says in an error without a number and with a traceback in its text.
    full = {errno.ENOSPC, errno.EDQUOT}
    if error.errno in full or any(os.strerror(number) in str(error) for number in full):
        return "the disk is full"
    return error.strerror or str(error).partition("\n")[0]


def _progress(folder: Path, patients: int) -> str:
    done = sum(rows_path(folder, index).exists() for index in range(patients))
    return f"{done} of {patients} patients are complete and kept."


def _check_folder(folder: Path, settings: dict[str, Any], patients: int) -> None:
    file = folder / "cohort.json"
    if not file.exists():
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{file}: is no settings file of a cohort. Choose another output_dir; nothing was written.")
    for key in settings:
        if found.get(key) != settings[key]:
            raise ValueError(
                f"{file}: this cohort was made with {key} = {found.get(key)}, not {settings[key]}. "
                "Choose another output_dir; nothing was written."
            )
    if rows_path(folder, patients).exists():
        raise ValueError(
            f"patients is {patients}, but {folder} holds more already; expected at least as many. "
            "Choose another output_dir; nothing was written."
        )


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}. Nothing was written.")


def _checked_spacing(spacing_mm: float | None) -> float | None:
    numeric = isinstance(spacing_mm, int | float) and not isinstance(spacing_mm, bool)
    if spacing_mm is not None and not (numeric and 0.05 <= spacing_mm <= 1.0):
        raise ValueError(f"spacing_mm is {spacing_mm!r}; expected 0.05 to 1 mm at the detector, or None. Nothing was written.")
    return spacing_mm


def _checked_split(split: str | None) -> str | None:
    if split is not None and split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected one of {', '.join(SPLITS)}, or None. Nothing was written.")
    return split


def _checked_repeats(repeats: int) -> int:
    _check_whole("repeats", repeats, 0)
    if repeats == 1 or repeats > _MOST_REPEATS:
        raise ValueError(f"repeats is {repeats}; expected 0, or 2 to {_MOST_REPEATS}. Nothing was written.")
    return repeats


def _chosen_sites(file: Path, names: Sequence[str] | None) -> tuple[Site, ...]:
    if not file.is_file():
        raise ValueError(f"sites_file {file}: there is no such file; expected a JSON file of sites. Nothing was written.")
    known = load_sites(file)
    if names is None:
        return tuple(known.values())
    if isinstance(names, str) or not names:
        raise ValueError(
            f"sites is {names!r}; expected a list such as \"['{next(iter(known))}']\", or None. Nothing was written."
        )
    for name in names:
        if name not in known:
            raise ValueError(f"sites: {name!r} is not in {file.name}; expected some of {', '.join(known)}. Nothing was written.")
    return tuple(known[name] for name in dict.fromkeys(names))
