"""Files: written so that nobody ever finds half of one, tables, hashes, and the journal of a run."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it takes the place of `path` in one step.

    Missing parent folders are made. On an error the temporary file is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, since image libraries choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file in one step, see `replacing`, that is on the disk, and not in a cache alone, when this returns; so is its
    name, in a folder that was there or was made for it.

    Raises:
        OSError: where the disk fails; nothing was written then, or nobody knows.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def place_in(folder: Path, path: str | Path) -> str:
    """A file's path in a folder, fit for a table, see `in_utf8`."""
    return in_utf8(Path(os.path.relpath(path, folder)).as_posix())


def in_utf8(path: str) -> str:
    """A path fit for a table: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file in one step; what is missing, None or NaN is left empty.

    Args:
        path: see `replacing`.
        columns: of its first line.
        rows: cells by column.

    Raises:
        ValueError: if a row has a cell of no column.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: "" if isinstance(cell, float) and math.isnan(cell) else cell for name, cell in row.items()})


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_journal(path: Path) -> list[Entry]:
    """Return the entries of a `Journal` as `Journal.read` does, whoever has it open; none where there is no file."""
    content = path.read_bytes() if path.is_file() else b""
    return _entries(content[: content.rfind(b"\n") + 1])


def _entries(lines: bytes) -> list[Entry]:
    entries = []
    for line in lines.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # of a disk that failed
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


class BusyError(OSError):
    """Raised where another process writes to the same journal."""


class Journal:
    """What a run has finished, so that a killed run goes on where it stopped: a file that only grows, by a line of JSON for each
    entry, which is in it, flushed to the disk, or is not.

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
            raise BusyError(
                f"{path}: another run writes to this folder; wait for it, or name another folder. Nothing was run."
            ) from error

    def read(self) -> list[Entry]:
        """Return all entries, oldest first; a last line that is torn is cut off, one that is damaged is left out."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
        return _entries(content[:whole])

    def resume(self, settings: Mapping[str, Any]) -> list[Entry]:
        """Return the entries of a run with these settings, which are the file's first line; a new journal gets it.

        Args:
            settings: plain data, as JSON gives it back.

        Raises:
            ValueError: if the journal is that of a run with others.
        """
        first, *entries = self.read() or [self.append(settings)]
        if first != settings:
            other = ", ".join(key for key, value in settings.items() if first.get(key) != value)
            raise ValueError(
                f"{self.path}: holds a run with other settings ({other}). Name another folder or remove it. Nothing was run."
            )
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
        """Let other processes have it; once closed, it stays so."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
