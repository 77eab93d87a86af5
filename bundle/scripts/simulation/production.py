"""A folder of numbered radiographs: made by parallel workers, with a manifest, resumable whatever ended the run before."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from scripts.dataset.manifest import SPLITS
from scripts.files import replacing, write_table
from scripts.simulation.sites import Site, load_sites

_INTERRUPTED: Final = 130  # the exit code that shells give to what Ctrl-C ended


@dataclass(frozen=True)
class Production:
    """A ``folder`` of ``count`` items, called ``noun`` ("patients"), and how they are made.

    ``make`` takes an item's number (from 0), writes its files and returns its rows of the manifest, of the given ``columns``.
    ``row_file`` names the file that is written last of an item: where it is, the item is complete. ``settings`` are kept in the
    file ``settings_name``; the folder is gone on with only where they are the same."""

    folder: Path
    count: int
    noun: str
    make: Callable[[int], list[dict[str, Any]]]
    row_file: Callable[[Path, int], Path]
    columns: Sequence[str]
    settings: dict[str, Any]
    settings_name: str

    def run(self, workers: int | None, finish: Callable[[], object] = lambda: None) -> list[dict[str, Any]]:
        """Make what is missing, write ``manifest.csv`` and return its rows.

        Args:
            workers: processes; one for each processor core when None.
            finish: called once the manifest is there; what it writes is part of the folder.

        Raises:
            ValueError: the folder holds what was made with other settings, or more of it.
            OSError: the folder cannot be written, or a worker died; what was finished is kept.
            SystemExit: of code 130 when interrupted by Ctrl-C; what was finished is kept.
        """
        self._check_folder()
        try:
            (self.folder / "images").mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / self.settings_name) as temporary:
                temporary.write_text(json.dumps(self.settings, indent=2) + "\n", encoding="utf-8")
            rows = self._made(workers or os.cpu_count() or 1)
            write_table(self.folder / "manifest.csv", self.columns, rows)
            finish()
        except KeyboardInterrupt:
            print(f"Interrupted: {self._progress()} The same command goes on from there.", file=sys.stderr)
            raise SystemExit(_INTERRUPTED) from None
        except BrokenProcessPool as error:
            raise OSError(
                f"A worker was killed, most likely for lack of memory: {self._progress()} The same command goes on from "
                "there; give it fewer --workers."
            ) from error
        except OSError as error:
            raise OSError(
                f"{error.filename or self.folder.resolve()} cannot be written ({_reason(error)}): {self._progress()} "
                "Once that is mended, the same command goes on from there."
            ) from error
        return rows

    def _made(self, workers: int) -> list[dict[str, Any]]:
        with ProcessPoolExecutor(min(workers, self.count), initializer=_leave_interrupts_to_the_parent) as pool:
            try:
                rows: list[dict[str, Any]] = []
                with _interrupts_noted() as interrupted:
                    made = pool.map(self.make, range(self.count))
                    for more in tqdm(made, total=self.count, desc=self.noun, unit="", file=sys.stderr):
                        rows.extend(more)
                        if interrupted.is_set():
                            raise KeyboardInterrupt
                return rows
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    print(f"\nStopping once the {self.noun} under way are finished.", file=sys.stderr)
                pool.shutdown(cancel_futures=True)
                raise

    def _progress(self) -> str:
        done = sum(self.row_file(self.folder, index).exists() for index in range(self.count))
        return f"{done} of {self.count} {self.noun} are complete and kept."

    def _check_folder(self) -> None:
        file = self.folder / self.settings_name
        if not file.exists():
            return
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ValueError(f"{file}: is no settings file of a {file.stem}. Choose another output_dir; nothing was written.")
        for key, value in self.settings.items():
            if found.get(key) != value:
                raise ValueError(
                    f"{file}: this {file.stem} was made with {key} = {found.get(key)}, not {value}. "
                    "Choose another output_dir; nothing was written."
                )
        if self.row_file(self.folder, self.count).exists():
            raise ValueError(
                f"{self.noun} is {self.count}, but {self.folder} holds more already; expected at least as many. "
                "Choose another output_dir; nothing was written."
            )


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


def check_whole(name: str, value: object, least: int) -> None:
    """Raise ValueError where an argument is no whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}. Nothing was written.")


def checked_spacing(spacing_mm: float | None) -> float | None:
    """Return the detector pixel spacing (mm; None: each site's own), or raise ValueError."""
    numeric = isinstance(spacing_mm, int | float) and not isinstance(spacing_mm, bool)
    if spacing_mm is not None and not (numeric and 0.05 <= spacing_mm <= 1.0):
        raise ValueError(f"spacing_mm is {spacing_mm!r}; expected 0.05 to 1 mm at the detector, or None. Nothing was written.")
    return spacing_mm


def checked_split(split: str | None) -> str | None:
    """Return the split of all radiographs (None: by site and date), or raise ValueError."""
    if split is not None and split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected one of {', '.join(SPLITS)}, or None. Nothing was written.")
    return split


def chosen_sites(file: Path, names: Sequence[str] | None) -> tuple[Site, ...]:
    """Return the sites of a file by their names (None: all), or raise ValueError."""
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
