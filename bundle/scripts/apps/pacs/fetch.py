"""Fetches the radiographs of a PACS that are not there yet: goes on where it was stopped, and where the PACS was."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from scripts.apps.pacs.answers import DeclinedError, Sleep, UnreachableError, attempt, attempt_each
from scripts.apps.pacs.query import Days, Place, Query, checked_uid, is_uid
from scripts.apps.pacs.servers import Server, open_server
from scripts.dataset.listing import FETCHED
from scripts.files import Journal, write_durably
from scripts.radiograph import quiet


@dataclass
class Fetched:
    """What a run fetched.

    new, there: radiographs that came, and that had come before. screened: studies that hold our report already.
    left: studies beyond the limit. failed: why, once for each study or radiograph. unanswered: how many of these the server did
    not answer for. why: it did not, or did not let itself be searched.
    """

    server: str
    folder: Path
    new: int = 0
    there: int = 0
    screened: int = 0
    left: int = 0
    failed: list[str] = field(default_factory=list)
    unanswered: int = 0
    why: str = ""

    @property
    def complete(self) -> bool:
        """Whether all came that was wanted."""
        return not self.failed and not self.unanswered and not self.why

    def told(self) -> str:
        """In sentences."""
        parts = [f"{self.new} radiographs were fetched from {self.server} to {self.folder}, {self.there} had been."]
        if self.screened:
            parts.append(f"{self.screened} studies hold our report already, and were left.")
        if self.left:
            parts.append(f"{self.left} studies are beyond the limit; the same command fetches them later.")
        if self.complete:
            return " ".join(parts)
        for why, count in Counter(self.failed).most_common():
            parts.append(f"{count} failed: {why}.")
        if self.unanswered:
            parts.append(f"{self.unanswered} are missing, since the server did not answer ({self.why}).")
        elif self.why:
            parts.append(f"The server could not be searched ({self.why}).")
        return " ".join([*parts, "The same command fetches what is left."])


def fetch(
    dataset_dir: str,
    server: str,
    study_date: str,
    modality: Sequence[str],
    body_part: Sequence[str] | None,
    screened: bool,
    title: str,
    move_port: int | None,
    limit: int | None = None,
    attempts: int = 6,
    sleep: Sleep = time.sleep,
) -> Fetched:
    """Fetch what a PACS has and the folder does not, each radiograph to STUDY/OBJECT.dcm, whole or not at all.

    What has come is entered in `fetched.jsonl`, and is not fetched again, even where it was removed since; what failed is
    entered too, with the reason, and is tried again by the next run.

    Args:
        dataset_dir: made where it is missing.
        server: "https://HOST/PATH" of DICOMweb (QIDO-RS, WADO-RS), or "TITLE@HOST:PORT" (C-FIND, C-GET or C-MOVE).
        study_date: see `Days.parse`.
        modality, body_part, screened: see `Query`.
        title: our own application entity title.
        move_port: see `dimse.Entity`.
        limit: of the studies from which something is fetched.
        attempts: how often the server is asked where it does not answer, after 1, 2, 4 ... seconds.
        sleep: waits.

    Raises:
        ValueError: where an argument or what the environment says cannot be used.
        BusyError: where another run fetches to this folder.
        OSError: where the disk fails.
    """
    query = Query(Days.parse(study_date, date.today()), modality, [part.upper() for part in body_part or ()], screened)
    target = open_server(server, title, move_port)
    try:
        folder = Path(dataset_dir)
        folder.mkdir(parents=True, exist_ok=True)
        journal = Journal(folder / FETCHED)
        try:
            with quiet():
                return _Run(target, journal, Fetched(server, folder), attempts, sleep).fetch(query, limit)
        finally:
            journal.close()
    finally:
        target.close()


class _Run:
    def __init__(self, target: Server, journal: Journal, fetched: Fetched, attempts: int, sleep: Sleep) -> None:
        self.target, self.journal, self.fetched, self.attempts, self.sleep = target, journal, fetched, attempts, sleep
        entries = journal.read()
        self.known = {str(entry["object"]) for entry in entries if "file" in entry}
        self.failed = {str(entry.get("object", entry.get("study"))) for entry in entries if "failed" in entry}
        for leftover in fetched.folder.glob("*/.*.dcm"):  # of a run that was killed
            leftover.unlink()

    def fetch(self, query: Query, limit: int | None) -> Fetched:
        """Search the server, then get what is wanted."""
        fetched = self.fetched
        try:
            studies = attempt(lambda: query.studies(self.target), self.attempts, self.sleep)
        except (UnreachableError, DeclinedError) as error:
            fetched.why = str(error)
            return fetched
        wanted: dict[str, Place] = {}
        there: set[str] = set()
        holding: set[str] = set()

        def look(study: str) -> None:
            if limit is not None and len(holding) >= limit:
                fetched.left += 1
                return
            places = query.radiographs(self.target, study)
            if places is None:
                fetched.screened += 1
            for place in places or ():
                if self._is_there(place):
                    there.add(place.uid)
                else:
                    wanted.setdefault(place.uid, place)
                    holding.add(study)

        # What failed before comes last: it may be what silences the server.
        looked = attempt_each(sorted(studies, key=lambda study: study in self.failed), look, self.attempts, "Studies", self.sleep)
        got = attempt_each(
            sorted(wanted.values(), key=lambda place: place.uid in self.failed),
            self._get,
            self.attempts,
            "Radiographs",
            self.sleep,
        )
        for study, why in [*looked.failed, *((study, looked.why) for study in looked.unanswered)]:
            self._enter({"study": study, "failed": why})
        for place, why in [*got.failed, *((place, got.why) for place in got.unanswered)]:
            self._enter({"object": place.uid, "study": place.study, "failed": why})
        fetched.there = len(there)
        fetched.failed = [why for _, why in [*looked.failed, *got.failed]]
        fetched.unanswered = sum(len(one.unanswered) + len(one.unmade) for one in (looked, got))
        fetched.why = got.why or looked.why
        return fetched

    def _is_there(self, place: Place) -> bool:
        """Whether an object came before, also where the run ended before it could enter it."""
        if place.uid not in self.known and is_uid(place.uid) and self._path(place).is_file():
            self._enter_file(place)
        return place.uid in self.known

    def _get(self, place: Place) -> None:
        path = self._path(place)
        content = self.target.retrieve(place.study, place.series, place.uid)
        write_durably(path, content)
        self._enter_file(place)
        self.fetched.new += 1

    def _path(self, place: Place) -> Path:
        return self.fetched.folder / place.study / f"{checked_uid(place.uid, 'an object')}.dcm"

    def _enter_file(self, place: Place) -> None:
        self.known.add(place.uid)
        self._enter({"object": place.uid, "file": self._path(place).relative_to(self.fetched.folder).as_posix()})

    def _enter(self, entry: dict[str, str]) -> None:
        self.journal.append({**entry, "server": self.fetched.server, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")})


def fetch_folder(dataset_dir: str, **arguments: Any) -> None:
    """Fetch as `fetch` does, and end as a command does.

    Raises:
        As `fetch`.
        SystemExit: where not all came; it says how many and why, and the same command goes on.
    """
    fetched = fetch(dataset_dir, **arguments)
    if not fetched.complete:
        sys.exit(fetched.told())
    print(fetched.told())
