"""What the listener did since it was started, for its log, its page and a monitor: counts, last studies, and what is wrong."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

REFUSED: Final = {
    "calling_title": "the title of the sender is not allowed",
    "called_title": "another title than ours was called",
    "associations": "too many associations at a time",
    "connections": "too many connections at a time",
    "tls": "TLS failed, or the sender showed no certificate that counts",
    "broken": "the sender was too slow or sent too much, or the connection broke",
    "kind": "a kind of object that is no radiograph",
    "too_large": "an object larger than --max_object_mb",
    "mismatch": "an object that is another than was announced",
    "unreadable": "an object without a header that can be read",
    "ours": "a result of OsteoXR",
    "queue_full": "--max_waiting studies waited",
    "disk_low": "less than --free_gb was free",
    "disk_failed": "the disk failed",
    "stopping": "the listener was being stopped",
}
"""Why something is not taken, by the reason that counts tell of."""

_LATELY: Final = 20
_SELDOM_S: Final = 10.0
_HUNG_S: Final = 600.0  # a file may take one minute to be read, a study some of them
_COUNTERS: Final = {
    "objects_received": "Objects that are on the disk",
    "objects_repeated": "Objects that had come before, byte for byte",
    "refused": "Associations, kinds and objects that were not taken",
    "studies_screened": "Studies that were screened",
    "studies_again": "Studies that were screened again, since an object came late",
    "studies_put_aside": "Studies over which the screen failed",
    "screening_seconds": "Seconds that studies took",
    "files_sent": "Files that a server said it has",
    "files_not_taken": "Files that a server refused, each time",
}
_GAUGES: Final = {
    "studies_waiting": "Studies that wait, the one in hand among them",
    "files_unsent": "Files that wait to be sent",
    "disk_free_bytes": "Free on the disk that has least",
    "associations": "Associations now",
    "healthy": "1 while nothing is wrong",
}
_LOGGER: Final = logging.getLogger("osteoxr.listener")


def say(sentence: str, failure: bool = False) -> None:
    """Write a line to the log. It must not hold a name, an ID or a UID."""
    _LOGGER.log(logging.ERROR if failure else logging.INFO, "%s", sentence)


@dataclass(frozen=True)
class Outcome:
    """A study as the page lists it: when, its pseudonym, how many radiographs, what came of it, and why not more."""

    at: str
    study: str
    radiographs: int
    verdict: str
    codes: Sequence[str]
    seconds: float
    again: bool


class Tally:
    """Counts, from any thread.

    gauges: give the values of `_GAUGES`, of which "healthy" is known here.
    in_hand: pseudonym of the study that is screened now; "" where there is none.
    lately: the last studies, newest first.
    """

    def __init__(self) -> None:
        self.since, self.in_hand = now(), ""
        self.gauges: dict[str, Callable[[], float]] = {name: lambda: 0.0 for name in _GAUGES}
        self.lately: deque[Outcome] = deque(maxlen=_LATELY)
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter({("refused", "reason", reason): 0 for reason in REFUSED})
        self._troubles: dict[str, str] = {}
        self._said: dict[str, tuple[float, int]] = {}
        self._alive = time.monotonic()

    def count(self, name: str, amount: float = 1, label: str = "", value: str = "") -> None:
        """Add to a count of `_COUNTERS`, by the value of a label where it has one."""
        with self._lock:
            self._counts[name, label, value] += amount  # type: ignore[assignment]  # seconds are no whole ones

    def counted(self, name: str) -> float:
        """A count, whatever its label."""
        with self._lock:
            return sum(amount for (each, _, _), amount in self._counts.items() if each == name)

    def refuse(self, reason: str, who: str = "") -> None:
        """Count what is not taken, and say so, but not each time where there is much of it.

        Args:
            reason: of `REFUSED`.
            who: the sender, by title and address.
        """
        self.count("refused", label="reason", value=reason)
        clock = time.monotonic()
        with self._lock:
            when, silent = self._said.get(reason, (clock - _SELDOM_S, 0))
            due = clock - when >= _SELDOM_S
            self._said[reason] = (clock, 0) if due else (when, silent + 1)
        if due:
            others = f" ({silent} more since it was last said)" if silent else ""
            say(f"Not taken{f' from {who}' if who else ''}: {REFUSED[reason]}{others}.", failure=True)

    def refusals(self) -> list[tuple[str, int]]:
        """How often what was not taken, in words; without what never happened."""
        with self._lock:
            return [
                (REFUSED[value], int(amount)) for (name, _, value), amount in self._counts.items() if name == "refused" and amount
            ]

    def trouble(self, where: str, sentence: str) -> None:
        """Note, and say once, that something is wrong until it is mended; "" that it no longer is."""
        with self._lock:
            before = self._troubles.get(where, "")
            if sentence:
                self._troubles[where] = sentence
            else:
                self._troubles.pop(where, None)
        if sentence != before:
            say(sentence or f"Mended: {before}", failure=bool(sentence))

    def live(self) -> None:
        """Note that the screening goes on."""
        self._alive = time.monotonic()

    def troubles(self) -> list[str]:
        """What is wrong now, in sentences."""
        with self._lock:
            found = list(self._troubles.values())
        hung = time.monotonic() - self._alive
        return found + [f"Nothing has moved for {hung / 60:.0f} minutes; start the listener again."] * (hung > _HUNG_S)

    def metrics(self) -> str:
        """All counts and gauges in the text format of Prometheus, version 0.0.4."""
        lines = []
        with self._lock:
            counts = dict(self._counts)
        for name, about in _COUNTERS.items():
            lines += [f"# HELP osteoxr_{name}_total {about}.", f"# TYPE osteoxr_{name}_total counter"]
            found = {key: amount for key, amount in counts.items() if key[0] == name} or {(name, "", ""): 0}
            for (_, label, value), amount in found.items():
                of = f'{{{label}="{value}"}}' if label else ""
                lines.append(f"osteoxr_{name}_total{of} {amount:.15g}")
        values = {name: gauge() for name, gauge in self.gauges.items()} | {"healthy": not self.troubles()}
        for name, about in _GAUGES.items():
            lines += [
                f"# HELP osteoxr_{name} {about}.",
                f"# TYPE osteoxr_{name} gauge",
                f"osteoxr_{name} {float(values[name]):.15g}",
            ]
        return "\n".join([*lines, ""])

    def add(self, outcome: Outcome) -> None:
        """Note what came of a study, and say it."""
        self.count("studies_screened", label="outcome", value="refused" if outcome.verdict == "refused" else "measured")
        self.count("studies_again", outcome.again)
        self.count("screening_seconds", outcome.seconds)
        self.lately.appendleft(outcome)
        codes = f" ({', '.join(outcome.codes)})" if outcome.codes else ""
        again = "again, " if outcome.again else ""
        say(
            f"Study {outcome.study}: screened {again}{outcome.radiographs} radiographs in {outcome.seconds:.1f} s, "
            f"{outcome.verdict}{codes}."
        )


def now() -> str:
    """The time, as it is told."""
    return datetime.now(UTC).isoformat(timespec="seconds")
