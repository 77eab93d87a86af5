"""Rounds over the inbox: each screens the studies that have become complete, as the main job does, and writes all tables."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from scripts.apps.listener.inbox import Inbox
from scripts.apps.listener.tally import Outcome, Tally, now, say
from scripts.apps.local_server import fault
from scripts.clinical import Code, Reason
from scripts.dataset.listing import NoRadiographsError, list_passed_over, list_radiographs
from scripts.dataset.studies import sort_studies
from scripts.files import Journal
from scripts.radiograph import REFUSAL
from scripts.radiograph.archives import source_of
from scripts.results.writer import ResultsWriter
from scripts.screening import Screen
from scripts.screening.findings import Findings, RadiographFindings
from scripts.screening.loader import ReadRadiograph, StudyDataset
from scripts.screening.study import unmeasured

LISTENED: Final = "listened.jsonl"
"""In the folder of results: which study was begun by which start of the listener, and which were ended."""

_POLL_S: Final = 1.0
_IDLE_SHARE: Final = 10  # a large folder is looked at less often: looking takes at most a tenth of the time
_TROUBLED_S: Final = 10.0
_MOST_STARTS: Final = 3
_MOST_FAILURES: Final = 3

_Item = dict[str, Any]


class Rounds:
    """Screens what has become complete, round after round.

    A round is the main job over the studies that are complete: the same listing, ledger, screen and writers, so that its results
    are the main job's too. What is to do is told by the folder and the ledger alone, so that a killed listener goes on where it
    was.

    Args:
        inbox: the folder of radiographs.
        screen: screens a study.
        writer: of results, with its ledger.
        key: of the pseudonyms.
        tally: is told of all.
        written: takes the paths of what was written of a study for other systems.

    Raises:
        BusyError: where another listener writes to the folder of results.
        OSError: where its journal cannot be opened.
    """

    def __init__(
        self,
        inbox: Inbox,
        screen: Screen,
        writer: ResultsWriter,
        key: bytes,
        tally: Tally,
        written: Callable[[Sequence[Path]], None],
    ) -> None:
        self.inbox, self.screen, self.writer, self.ledger, self.key = inbox, screen, writer, writer.ledger, key
        self.tally, self.written = tally, written
        self.journal = Journal(self.ledger.output_dir / LISTENED)
        self._start, self._begun = _starts(self.journal.read())
        self._tried: frozenset[str] = frozenset()
        self._failures = 0

    def begin(self) -> None:
        """Find out what is done already, and write the tables of it.

        Raises:
            OSError, ValueError: where the folder cannot be read, or the disk fails.
            SystemExit: where another run writes to the folder of results.
        """
        self.inbox.look()
        items = self._list()
        self.ledger.take(items)
        self.ledger.look()
        done = set(self.ledger.entries)
        kept = [item for item in items if item["study"] in done]
        if kept:
            self._screen(kept, threading.Event())
        self.inbox.settle([_file(item) for item in kept])

    def run(self, stop: threading.Event) -> None:
        """Look, and screen, until it is stopped; what fails outside a study is told and tried again.

        Raises:
            Exception: where the screen failed over some studies, one after another: the machine's fault, or the software's.
        """
        while not stop.is_set():
            began = time.monotonic()
            pause = _POLL_S
            try:
                self.inbox.look()
                pause = max(pause, _IDLE_SHARE * (time.monotonic() - began))
                if not self.inbox.has_room():
                    self.tally.trouble("disk", "Too little is free on the disk; what waits is screened when there is room.")
                else:
                    self.tally.trouble("disk", "")
                    self._go_round(stop)
                    self.tally.trouble("screening", "")
            except (OSError, ValueError, SystemExit) as error:
                self.ledger.close()
                self.tally.trouble("screening", f"The screening cannot go on, and is tried again: {_why(error)}.")
                pause = max(pause, _TROUBLED_S)
            self.tally.live()
            stop.wait(pause)

    def close(self) -> None:
        """Let another listener write to the folder of results."""
        self.journal.close()

    def _go_round(self, stop: threading.Event) -> None:
        fresh = self.inbox.fresh()
        if not fresh or fresh == self._tried:
            return
        items = self._list()
        ready, waiting = [], set()
        for _, group in groupby(items, key=lambda item: item["study"]):
            study = list(group)
            if all(self.inbox.is_still(_file(item)) for item in study):
                ready += study
            else:  # what was screened of it before stays as it is, until it is complete again
                ready += [item for item in study if self.inbox.is_settled(_file(item))]
                waiting |= {_file(item) for item in study}
        taken, left = fresh - waiting, set[str]()
        if {_file(item) for item in ready} & taken:
            left = self._screen(ready, stop)
            taken -= {_file(item) for item in ready if item["study"] in left}
        self.inbox.settle(taken)
        self._tried = frozenset() if left else fresh

    def _list(self) -> list[_Item]:
        try:
            return sort_studies(list_radiographs(self.inbox.folder), self.inbox.folder, self.key)
        except NoRadiographsError:
            return []

    def _screen(self, items: Sequence[_Item], stop: threading.Event) -> set[str]:
        """Screen what of these is pending, and write the tables; return the studies that are left to do."""
        self.ledger.take(items, list_passed_over(self.inbox.folder))
        again = set(self.ledger.open())
        for study in again:
            say(f"Study {study}: what it holds has changed since it was screened, as by an object that came late; it is screened "
                "again, whole.")  # fmt: skip
        self._note_refused(items)
        pending = self.ledger.pending()
        self.writer.begin_study()
        for radiographs in StudyDataset(pending, self.screen.reader):
            if stop.is_set() or not self.inbox.has_room():
                break
            study = str(self.ledger.items[radiographs[0]["name"]]["study"])
            self.tally.in_hand = study
            try:
                self._finish(study, radiographs)
            finally:
                self.tally.in_hand = ""
            self.journal.append({"study": study, "ended": self._start})
            entry = self.ledger.entries[study]
            self.tally.add(_outcome(entry, study in again))
            self.written([self.ledger.output_dir / path for path in _outputs(entry)])
            self.tally.live()
            self.writer.begin_study()
        left = {str(item["study"]) for item in self.ledger.pending()}
        self.ledger.leave_pending()
        if self.ledger.studies:
            self.writer.finish()
        else:
            self.ledger.close()
        return left

    def _finish(self, study: str, radiographs: Sequence[ReadRadiograph]) -> None:
        """Screen a study and enter it, or refuse one over which the screen fails, or over which the listener ended some times."""
        if len(self._begun.pop(study, ())) >= _MOST_STARTS:
            self._put_aside(study, radiographs, f"the listener ended {_MOST_STARTS} times in the middle of it")
            return
        self.journal.append({"study": study, "begun": self._start})
        try:
            self.writer.write(self.screen(radiographs))
        except OSError:  # the disk: no fault of the study
            raise
        except Exception as error:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise
            self._put_aside(study, radiographs, fault(error))
        else:
            self._failures = 0

    def _put_aside(self, study: str, radiographs: Sequence[ReadRadiograph], why: str) -> None:
        say(f"Study {study}: the screen failed over it ({why}); it is put aside.", failure=True)
        self.tally.count("studies_put_aside")
        reason = Reason(
            Code.UNREADABLE,
            f"The screen failed over this study ({why}), and it was put aside. Please report this; another version of the "
            "software screens it again.",
        )
        films = tuple(RadiographFindings(one["name"], one.get(REFUSAL, reason)) for one in radiographs)
        self.writer.write(Findings(films, unmeasured(reason)))

    def _note_refused(self, items: Sequence[_Item]) -> None:
        """Tell of new studies that are refused by their headers alone, so that the screen never sees them."""
        fresh = self.inbox.fresh()
        for study, group in groupby(items, key=lambda item: str(item["study"])):
            films = list(group)
            if all(REFUSAL in item for item in films) and any(_file(item) in fresh for item in films):
                codes = list(dict.fromkeys(str(item[REFUSAL].code) for item in films))
                self.tally.add(Outcome(now(), study, len(films), "refused", codes, 0.0, False))


def _starts(entries: Sequence[Mapping[str, Any]]) -> tuple[int, dict[str, set[int]]]:
    """The number of this start, and by study the starts that began it and did not end it."""
    begun: dict[str, set[int]] = {}
    last = 0
    for entry in entries:
        study, start = str(entry.get("study")), entry.get("begun", entry.get("ended"))
        if not isinstance(start, int):
            continue
        last = max(last, start)
        if "ended" in entry:
            begun.pop(study, None)
        else:
            begun.setdefault(study, set()).add(start)
    return last + 1, begun


def _file(item: Mapping[str, Any]) -> str:
    """The file that a radiograph is in, which may be an archive."""
    return str(source_of(Path(item["image"])))


def _outputs(entry: Mapping[str, Any]) -> list[str]:
    """What was written of a study, relative to the folder of results."""
    records = (*entry["content"]["radiographs"], entry["content"]["study"])
    return [path for record in records for path in record["outputs"].values() if path]


def _outcome(entry: Mapping[str, Any], again: bool) -> Outcome:
    study, films = entry["content"]["study"], entry["content"]["radiographs"]
    reasons = [study["reason"], *(film["reason"] for film in films), *(hip["reason"] for film in films for hip in film["hips"])]
    codes = list(dict.fromkeys(str(reason["code"]) for reason in reasons if reason))
    outcome = study["outcome"]
    verdict = "refused" if not outcome else outcome["triage"] or outcome["expectation"] or "measured"
    return Outcome(now(), str(study["study"]), len(films), str(verdict), codes, float(entry["seconds"]), again)


def _why(error: BaseException) -> str:
    """What failed, without paths and what a message may quote."""
    if isinstance(error, SystemExit):
        return "another run writes to the folder of results"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"the folder, or its manifest, is not as it must be ({fault(error)}); osteoxr check FOLDER tells more"
