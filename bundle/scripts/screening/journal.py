"""The journal of a run: one line of JSON for each finished study, so that a killed run goes on where it stopped."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

JOURNAL_NAME: Final = "journal.jsonl"

Entry = dict[str, Any]


class BusyError(RuntimeError):
    """Raised where another process writes to the same journal."""


class Journal:
    """A file that only grows, by whole lines: an entry is in it, flushed to the disk, or it is not.

    Args:
        path: made when missing. One process at a time may have it open.

    Raises:
        BusyError: if another process has it open.
        OSError: if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise BusyError(f"{path}: another run writes to this folder") from error

    def read(self) -> list[Entry]:
        """Return all entries, oldest first; a last line that is torn is cut off, one that is damaged is left out."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
        entries = []
        for line in content[:whole].splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # of a disk that failed
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries

    def append(self, entry: Mapping[str, Any]) -> Entry:
        """Add an entry and wait until the disk has it.

        Returns:
            the entry as `read` will give it.

        Raises:
            OSError: if it could not be written whole, such as on a full disk; nothing of it is left then.
        """
        line = json.dumps(entry, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        before = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, line)
            # Short only where the disk has just become full: trying the rest brings the error that says so.
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise
        kept: Entry = json.loads(line)
        return kept

    def close(self) -> None:
        """Let other processes have it."""
        os.close(self._descriptor)
