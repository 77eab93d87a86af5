"""What a run has to do: the studies of a folder, those that an earlier run finished, and those still pending."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from scripts.dataset.listing import PassedOver
from scripts.files import BusyError, Entry, Journal, place_in, read_journal
from scripts.radiograph.archives import source_of
from scripts.screening.provenance import fingerprint

Item = Mapping[str, Any]

JOURNAL_NAME: Final = "journal.jsonl"

PICTURE_FOLDERS: Final = ("masks", "overlays", "explanations", "mineral_maps", "dicom", "fhir", "patients")

_PICTURE: Final = re.compile(r"[0-9a-f]{16}\.(?:png|json|nii\.gz|(?:seg|sc|sr)\.dcm)")
_TABLES: Final = r"(?:results|results\.schema|columns|rejected|follow_up|index)\.\d+\.(?:csv|json|html)"
_LEFTOVER: Final = re.compile(rf"\.(?:[0-9a-f]{{16}}(?:\.seg|\.sc|\.sr|\.nii)?\.\d+\.(?:png|json|html|dcm|gz)|{_TABLES})")


class Ledger:
    """The studies to screen, in order, and what is known of each.

    An entry of the journal counts where its study has the same radiographs, each with the same size and time of change, the same
    pseudonyms and the same row of the manifest; where weights, configuration, code and device are the same; and where its
    pictures are still there. A study without such an entry is pending.

    Args:
        radiographs: items of `cli.find_radiographs`.
        dataset_dir: the folder screened.
        output_dir: the folder of results; it must exist when the ledger is opened.
        provenance: see `provenance.describe_run`.
        passed_over: of `cli.find_passed_over`, of which the output folder itself is none.
    """

    def __init__(
        self,
        radiographs: Sequence[Item],
        dataset_dir: str | Path,
        output_dir: str | Path,
        provenance: Mapping[str, Any],
        passed_over: Sequence[PassedOver] = (),
    ) -> None:
        self.dataset_dir, self.output_dir = Path(dataset_dir), Path(output_dir)
        self.provenance = provenance
        self._settings = fingerprint(provenance)
        self._journal: Journal | None = None
        self.take(radiographs, passed_over)

    def take(self, radiographs: Sequence[Item], passed_over: Sequence[PassedOver] = ()) -> None:
        """Have these radiographs to screen, in the place of those before; nothing is known of them yet.

        Args:
            radiographs, passed_over: see the class.
        """
        self.studies = {study: list(items) for study, items in groupby(radiographs, key=lambda item: str(item["study"]))}
        self.items = {str(item["name"]): item for item in radiographs}
        folder, output = Path(os.path.realpath(self.dataset_dir)), os.path.realpath(self.output_dir)
        self.passed_over = [one for one in passed_over if not (folder / one.file).is_relative_to(output)]
        self.entries: dict[str, Entry] = {}

    def open(self) -> list[str]:
        """Read the journal, say what is done already, and clear away what a killed run left half-written.

        The command ends where another run writes to the same folder.

        Returns:
            studies that were finished, and count no more.
        """
        try:
            self._journal = Journal(self.output_dir / JOURNAL_NAME)
        except BusyError as error:
            raise SystemExit(f"--output_dir: {error}") from error
        self._clear(_LEFTOVER)
        seen = self._take(self._journal.read())
        pending = len(self.pending())
        if changed := len(seen) - len(self.entries):
            print(
                f"{self.output_dir}: {changed} finished studies are screened again, since their files, the manifest, the "
                "weights, the configuration, the software or the device have changed.",
                flush=True,
            )
        if self.entries and pending:
            print(f"{self.output_dir}: {self.finished()} radiographs are finished already, {pending} are to do.", flush=True)
        elif self.entries:
            print(f"{self.output_dir}: all radiographs are finished already; the tables are written again.", flush=True)
        return sorted(seen - set(self.entries))

    def look(self) -> list[str]:
        """Take what is in the journal, for a reader of the results alone: nothing is written, cleared away or locked.

        Returns:
            studies that were finished, and count no more.
        """
        return sorted(self._take(read_journal(self.output_dir / JOURNAL_NAME)) - set(self.entries))

    def _take(self, entries: Iterable[Entry]) -> set[str]:
        """Keep the entries that count; which studies of the folder have one at all."""
        seen: set[str] = set()
        for entry in entries:
            study = str(entry.get("study"))
            if study in self.studies:
                seen.add(study)
                self.entries.pop(study, None)
                if self._is_current(study, entry):
                    self.entries[study] = entry
        return seen

    def pending(self) -> list[Item]:
        """The radiographs to read, those of one study one after another; not those that the listing refused."""
        return [item for study in self.studies for item in self._admitted(study) if study not in self.entries]

    def finished(self) -> int:
        """How many radiographs are in the journal."""
        return sum(len(entry["films"]) for entry in self.entries.values())

    def add(self, names: Sequence[str], content: Mapping[str, Any], seconds: float) -> None:
        """Enter a finished study.

        Args:
            names: of its radiographs.
            content: plain data; comes back under "content".
            seconds: that it took; comes back under "seconds".

        Raises:
            ValueError: where the radiographs are not those of one study.
            OSError: where the disk fails.
        """
        if self._journal is None:
            raise ValueError("the ledger is not open; call open() first")
        study = str(self.items[names[0]]["study"])
        if list(names) != [item["name"] for item in self._admitted(study)]:
            raise ValueError(
                f"study {study}: the radiographs {list(names)} came together, expected all of the study and no others"
            )
        entry: dict[str, Any] = {
            "study": study,
            "settings": self._settings,
            "folder": os.path.abspath(self.dataset_dir),
            "films": self._digests(study),
            "content": dict(content),
            "seconds": round(seconds, 2),
        }
        self.entries[study] = self._journal.append(entry)

    def finish(self, pictures: Sequence[str]) -> None:
        """Clear away the pictures of radiographs that are no longer there; `pictures` (relative paths) stay."""
        self._clear(_PICTURE, kept={self.output_dir / picture for picture in pictures})
        self.close()

    def leave_pending(self) -> None:
        """Have no more to do: studies that are pending are none of this run, and its tables are of the others."""
        pending = {str(item["study"]) for item in self.pending()}
        self.studies = {study: items for study, items in self.studies.items() if study not in pending}

    def close(self) -> None:
        """Let other runs write to the folder."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def place(self, name: str) -> str:
        """A radiograph's path in the folder screened, fit for a table."""
        return place_in(self.dataset_dir, self.items[name]["image"])

    def _admitted(self, study: str) -> list[Item]:
        return [item for item in self.studies[study] if "refusal" not in item]

    def _digests(self, study: str) -> list[str]:
        """What tells whether a study's radiographs are still the same: one digest each."""
        return [self._digest(item) for item in self._admitted(study)]

    def _digest(self, item: Item) -> str:
        try:
            status = os.stat(source_of(Path(item["image"])))
            state = [status.st_size, status.st_mtime_ns]
        except OSError:
            state = []
        known = {key: value for key, value in item.items() if key != "image"}
        content = json.dumps([self.place(item["name"]), state, known], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def _is_current(self, study: str, entry: Entry) -> bool:
        if entry.get("settings") != self._settings or entry.get("films") != self._digests(study):
            return False
        records = (*entry["content"]["radiographs"], entry["content"]["study"])
        pictures = [path for record in records for path in record["outputs"].values() if path]
        return all((self.output_dir / path).is_file() and (self.output_dir / path).stat().st_size for path in pictures)

    def _clear(self, pattern: re.Pattern[str], kept: Collection[Path] = ()) -> None:
        for path in self._outputs():
            if pattern.fullmatch(path.name) and path not in kept:
                path.unlink(missing_ok=True)

    def _outputs(self) -> Iterator[Path]:
        for folder in (self.output_dir, *(self.output_dir / name for name in PICTURE_FOLDERS)):
            if folder.is_dir():
                yield from list(folder.iterdir())
