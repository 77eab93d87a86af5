"""The audit trail of one reader: a file that only grows, in which nothing can be altered without its being seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scripts.files import Entry, Journal

TRAIL_NAME: Final = "trail.jsonl"
START: Final = "0" * 64
"""What stands for the hash of the line before the first."""


class TrailError(ValueError):
    """Raised where a trail has been altered: it names the file and the first line that does not fit."""


@dataclass(frozen=True)
class Trail:
    """What a trail says.

    entries: oldest first. head: hash of the last, which stands for all of them. torn: whether a further line was not written
    whole, as when power fails; nobody was told that it was kept.
    """

    entries: tuple[Entry, ...]
    head: str
    torn: bool


def read_trail(path: Path) -> Trail:
    """Read a trail, and check every line: its number, its own hash, and the hash of the line before it.

    Args:
        path: of the file; where there is none, nothing was done.

    Raises:
        TrailError: at the first line that does not fit.
    """
    content = path.read_bytes() if path.is_file() else b""
    *lines, rest = content.split(b"\n")
    entries: list[Entry] = []
    head = START
    for number, line in enumerate(lines, start=1):
        wrong = f"{path}, line {number}: "
        after = "The trail was altered there, or the disk is damaged; bring back the file from a copy. Nothing was reviewed."
        try:
            entry: Entry = json.loads(line)
            told = entry.pop("sha256")
        except (ValueError, KeyError, AttributeError) as error:
            raise TrailError(f"{wrong}it is no line of an audit trail. {after}") from error
        if entry.get("seq") != number or entry.get("previous") != head:
            raise TrailError(
                f"{wrong}it says that it is line {entry.get('seq')} after {str(entry.get('previous'))[:12]}, expected {number} "
                f"after {head[:12]}. {after}"
            )
        if told != _hash(entry):
            raise TrailError(f"{wrong}its hash is {str(told)[:12]}, but its content gives {_hash(entry)[:12]}. {after}")
        head = told
        entries.append(entry)
    return Trail(tuple(entries), head, bool(rest))


class TrailWriter:
    """Adds lines to a trail; each is on the disk when `append` returns.

    Args:
        path: of the file, made when missing. One process at a time may have it open.
        reader: whose trail it is.

    Raises:
        TrailError: as `read_trail`.
        BusyError: where another process has it open.
    """

    def __init__(self, path: Path, reader: str) -> None:
        self.path, self.reader = path, reader
        path.parent.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(path)
        try:
            self.trail = read_trail(path)
            self._journal.read()  # cuts a torn line off
        except BaseException:
            self._journal.close()
            raise

    def append(self, content: Mapping[str, Any]) -> Entry:
        """Add a line.

        Args:
            content: plain data; number, time, reader and hashes are added.

        Returns:
            the line, without its own hash.

        Raises:
            OSError: where the disk fails; nothing was added then.
        """
        entry = {
            "seq": len(self.trail.entries) + 1,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "reader": self.reader,
            **content,
            "previous": self.trail.head,
        }
        head = _hash(entry)
        kept = self._journal.append({**entry, "sha256": head})
        kept.pop("sha256")
        self.trail = Trail((*self.trail.entries, kept), head, torn=False)
        return kept

    def close(self) -> None:
        """Let other processes have it."""
        self._journal.close()


def _hash(entry: Mapping[str, Any]) -> str:
    plain = json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()
