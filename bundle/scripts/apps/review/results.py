"""The results of a run, as they are reviewed: its films and studies, where the files lie, and whether all of it still holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from scripts.files import read_journal
from scripts.results.document import Document
from scripts.results.record import Record
from scripts.screening.ledger import JOURNAL_NAME, Ledger
from scripts.screening.provenance import effective_overrides, fingerprint

DOCUMENT_NAME: Final = "results.json"
_OVERLAYS: Final = frozenset({"review.yaml", "explain.yaml"})
"""Configs laid over that of the screen that change none of its numbers."""
_OF_REVIEW: Final = frozenset({"reader", "port", "confirm_first", "export_dir", "check"})
_NO_NUMBERS: Final = frozenset({"dicom", "fhir", "nifti", "device", "sample"})
"""Settings of a screening that change none of the numbers that a page shows; a device's are equal but for rounding."""


@dataclass(frozen=True)
class ScreenedResults:
    """What a run of the screen wrote, and the ledger that finds its radiographs.

    document: of results.json. ledger: looked at, see `Ledger.look`. lost: why a film cannot be reviewed, by its name.
    """

    folder: Path
    document: Document
    ledger: Ledger
    lost: Mapping[str, str]

    @cached_property
    def films(self) -> dict[str, Record]:
        """The records of all radiographs, by name."""
        return {str(record["name"]): record for record in self.document["radiographs"]}

    @cached_property
    def studies(self) -> dict[str, Record]:
        """The records of all studies, by name."""
        return {str(record["study"]): record for record in self.document["studies"]}

    def shown(self, name: str) -> list[bool]:
        """Of the right and the left hip of a film, whether the screening found it."""
        return [hip["landmarks"] is not None for hip in self.films[name]["hips"]] or [False, False]

    def why_unseen(self, name: str) -> str:
        """Why a film cannot be reviewed: it could not be read, or is not there any more; "" where it can.

        Raises:
            KeyError: where there is no such film.
        """
        record = self.films[name]
        return str(record["reason"]["sentence"]) if not record["hips"] else self.lost.get(name, "")


def folder_of(output_dir: str | None) -> str:
    """The folder of radiographs that a run screened, by its journal; the command ends where that does not tell it."""
    entries = read_journal(Path(str(output_dir)) / JOURNAL_NAME)
    folders = [entry["folder"] for entry in entries if "folder" in entry]
    if not folders:
        raise SystemExit(
            f"{output_dir}: {JOURNAL_NAME} is missing there, or does not tell which folder was screened; name the results of "
            "osteoxr screen, and the folder of the radiographs by --dataset_dir. Nothing was reviewed."
        )
    return str(folders[-1])


def read_document(folder: Path) -> Document:
    """results.json of a run.

    Raises:
        ValueError: where it is missing or none.
    """
    path = folder / DOCUMENT_NAME
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
        document["provenance"]["weights"]["sha256"]
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file; osteoxr screen FOLDER OUT writes it. Nothing was reviewed.") from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(
            f"{path}: it is no results.json of osteoxr screen ({type(error).__name__}); screen again. Nothing was reviewed."
        ) from error
    return document


def open_results(
    output_dir: str, dataset_dir: str, radiographs: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]
) -> ScreenedResults:
    """Open the results of a run for those who review them.

    Args:
        output_dir: where they are.
        dataset_dir: the folder that was screened.
        radiographs: in it, of `cli.find_radiographs`.
        provenance: of `describe_run`, of the screen that would give corrected numbers.

    Raises:
        ValueError: where there are no results, they were made by other weights, settings or software than the screen's, or no
            radiograph of them is left.
    """
    folder = Path(output_dir)
    document = read_document(folder)
    _refuse_others(folder, document["provenance"], provenance)
    ledger = Ledger(radiographs, dataset_dir, folder, document["provenance"])
    if any(entry.get("settings") != fingerprint(document["provenance"]) for entry in read_journal(folder / JOURNAL_NAME)[-1:]):
        raise ValueError(
            f"{folder}: these results were made by another version of the software than this one, whose numbers would not "
            "compare; screen again, and review then. Nothing was reviewed."
        )
    ledger.look()
    lost = _lost(document, ledger)
    read = [record["name"] for record in document["radiographs"] if record["hips"]]
    if not read or all(name in lost for name in read):
        why = f" {lost[read[0]]}" if read else " None of its radiographs could be read."
        raise ValueError(f"{folder}: there is no film to review.{why}")
    return ScreenedResults(folder, document, ledger, lost)


def _lost(document: Document, ledger: Ledger) -> dict[str, str]:
    """Why films cannot be reviewed, by name."""
    lost = {}
    for record in document["radiographs"]:
        name, file = str(record["name"]), record["file"]
        if name not in ledger.items:
            lost[name] = (
                f"{file} is not in {ledger.dataset_dir} any more, or has another pseudonym there; bring it back, or name the "
                "folder by --dataset_dir, and the key of the screening by --key_file."
            )
        elif record["hips"] and str(record["study"]) not in ledger.entries:
            lost[name] = f"{file}, its row of the manifest, or its mask was changed after the screening; screen again."
    return lost


def _refuse_others(folder: Path, recorded: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Refuse results of another screen than the one that is at hand, and say in what they differ."""
    made, given = (_counted(one) for one in (recorded, ours))
    for name in made:
        if made[name] == given[name]:
            continue
        if isinstance(made[name], dict):
            key = next(key for key in {**made[name], **given[name]} if made[name].get(key) != given[name].get(key))
            told = f"{name} {key}: {made[name].get(key, 'none')} there, {given[name].get(key, 'none')} here"
        else:
            told = f"{name}: {made[name] or 'none'} there, {given[name] or 'none'} here"
        raise ValueError(
            f"{folder}: these results were made by another screen than this one ({told}), whose numbers would not compare. Give "
            "the options that the screening had, or screen again. Nothing was reviewed."
        )


def _counted(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What makes numbers compare, of a provenance."""
    overrides = effective_overrides(provenance)
    return {
        "weights": provenance["weights"]["sha256"],
        "options": {key: value for key, value in overrides.items() if key not in _OF_REVIEW | _NO_NUMBERS},
        "configuration": {
            file["file"]: file["sha256"] for file in provenance["configuration"]["files"] if file["file"] not in _OVERLAYS
        },
        "calibration": provenance.get("calibration"),
        "uncertainty": provenance.get("uncertainty"),
        "references": {file["file"]: file["sha256"] for file in provenance["reference"]},
        "software": dict(provenance["software"]),
    }
