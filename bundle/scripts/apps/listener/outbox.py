"""Sends results on, in a thread of its own: screening waits for no server, and a server that is gone has all once it is back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from scripts.apps.listener.tally import Tally, say
from scripts.apps.pacs.send import FOLDERS, SENT, Target, find_files, open_targets, send_files
from scripts.files import Journal

_FIRST_S: Final = 15.0
_LONGEST_S: Final = 900.0
"""Until what was not taken is tried again: at first, and at most, doubled each time."""
_END_S: Final = 10.0

_Waiting = tuple[str, str, Path]
"""The server, what it takes, and a file that it may not have."""


class Outbox:
    """Gives each server each file of results, once, as `osteoxr send` does; `sent.jsonl` says which server has which.

    Args:
        output_dir: of the results; what lies there already and was not sent is sent too.
        servers, fhir_server, title: see `send.send_results`.
        tally: is told of all.

    Raises:
        ValueError: where an address is none, or what the environment says cannot be used.
    """

    def __init__(self, output_dir: Path, servers: Sequence[str], fhir_server: str | None, title: str, tally: Tally) -> None:
        self.output_dir, self.tally = output_dir, tally
        self.addresses = (servers, fhir_server, title)
        self._changed = threading.Condition()
        self._unsent: set[_Waiting] = set()
        self._new = self._stopping = False
        with open_targets(*self.addresses) as targets:
            self._takers = [(target.address, target.takes) for target in targets]
        for takes in {takes for _, takes in self._takers}:
            self.add(find_files(output_dir, takes))
        tally.gauges["files_unsent"] = lambda: len(self._unsent)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Send what there is, and what comes."""
        self._thread.start()

    def add(self, files: Sequence[Path]) -> None:
        """Have these sent, each to the servers that take its kind."""
        with self._changed:
            for address, takes in self._takers:
                ours = {(address, takes, file) for file in files if file.parent.name == FOLDERS[takes]}
                self._unsent |= ours
                self._new |= bool(ours)
            self._changed.notify()

    def close(self) -> None:
        """Send no more; what is being sent is, where that takes no longer than some seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _run(self) -> None:
        pause = _FIRST_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._new or self._stopping, pause if self._unsent else None)
                if self._stopping:
                    return
                self._new = False
            pause = _FIRST_S if self._send() else min(2 * pause, _LONGEST_S)

    def _send(self) -> bool:
        """Try all once; return whether all has arrived."""
        try:
            with open_targets(*self.addresses) as targets, closing(Journal(self.output_dir / SENT)) as journal:
                whole = [self._send_to(target, journal) for target in targets]
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            self.tally.trouble("sending", f"Results cannot be sent, and are tried again: {why}.")
            return False
        self.tally.trouble("sending", "")
        return all(whole)

    def _send_to(self, target: Target, journal: Journal) -> bool:
        with self._changed:
            mine = {one for one in self._unsent if one[:2] == (target.address, target.takes)}
            self._unsent -= mine  # one that is written anew meanwhile comes back
        files = sorted(file for _, _, file in mine if file.is_file())
        end = send_files(files, target, journal, attempts=1)
        left = {(target.address, target.takes, file) for file in (*(file for file, _ in end.refused), *end.unanswered)}
        with self._changed:
            self._unsent |= left
        self.tally.count("files_sent", end.sent)
        self.tally.count("files_not_taken", len(end.refused))
        if end.sent or left:
            why = "; ".join(dict.fromkeys([why for _, why in end.refused] + [end.why] * bool(end.unanswered)))
            told = f", {len(left)} are tried again ({why})" if left else ""
            say(f"{end.sent} {target.takes} were sent to {target.address}{told}.", failure=bool(left))
        return not left
