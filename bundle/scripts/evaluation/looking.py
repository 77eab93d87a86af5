"""Looking at radiographs one by one, such that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.files import Journal
from scripts.radiograph import REFUSAL
from scripts.radiograph.archives import source_of
from scripts.screening import RadiographFindings, Screen
from scripts.screening.provenance import code_sha256, effective_overrides, weights_of


def look_at(
    items: Mapping[str, Mapping[str, Any]],
    screen: Screen,
    journal: Path,
    provenance: Mapping[str, Any],
    observe: Callable[[RadiographFindings, Mapping[str, Any]], Any],
    free: Collection[str] = (),
) -> dict[str, Any]:
    """Screen each radiograph by itself, and keep what is observed on it in a journal as soon as it is finished.

    Args:
        items: of `scripts.dataset.studies.sort_studies`, by a name that tells them apart.
        screen: of `inference.yaml`.
        journal: its file.
        provenance: plain data on what makes the results; a journal of others is refused.
        observe: of a radiograph's findings and its item, plain data to keep.
        free: settings of the command line that may change from one call to the next that goes on.

    Returns:
        what was observed, by name, in the order of ``items``.

    Raises:
        ValueError: when the journal is of other settings.
        BusyError: when another run has it open.
    """
    with closing(Journal(journal)) as opened:
        finished = {entry["key"]: entry["seen"] for entry in opened.resume(_settings(provenance, free))}
        keys = {name: f"{name} {_state(item)}" for name, item in items.items()}
        pending = [name for name in items if keys[name] not in finished]
        with tqdm(total=len(items), initial=len(items) - len(pending), desc="Radiographs", unit="", file=sys.stderr) as bar:
            for name, found in zip(pending, _screened([items[name] for name in pending], screen), strict=True):
                finished[keys[name]] = opened.append({"key": keys[name], "seen": observe(found, items[name])})["seen"]
                bar.update()
    return {name: finished[keys[name]] for name in items}


def _screened(items: Collection[Mapping[str, Any]], screen: Screen) -> Iterator[RadiographFindings]:
    """In their order; those that the header refused are not read."""
    read = iter(screen.reader([item for item in items if REFUSAL not in item]))
    for item in items:
        yield RadiographFindings(item["name"], item[REFUSAL]) if REFUSAL in item else screen.see(next(read))


def _state(item: Mapping[str, Any]) -> str:
    """What tells whether a radiograph is still the same file, and the manifest says the same of it, in a hash."""
    try:
        status = os.stat(source_of(Path(item["image"])))
        file = [status.st_size, status.st_mtime_ns]
    except OSError:
        file = []
    return hashlib.sha256(repr([file, sorted((key, str(value)) for key, value in item.items())]).encode()).hexdigest()[:16]


def _settings(provenance: Mapping[str, Any], free: Collection[str]) -> dict[str, Any]:
    """What must be the same where a run goes on."""
    configuration = provenance["configuration"]
    return {
        "software": provenance["software"],
        "weights": weights_of(provenance),
        "configuration": [file["sha256"] for file in configuration["files"]],
        "overrides": {key: value for key, value in effective_overrides(provenance).items() if key not in free},
        "gate": [file["sha256"] for file in provenance["reference"]],
        "code": code_sha256(),
    }
