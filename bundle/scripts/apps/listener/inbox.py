"""The folder of radiographs, as the listener sees it: what comes into it, and what of it has been still long enough."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.files import write_durably

_LEFTOVER: Final = re.compile(r"\.[0-9.]+(?:-[0-9a-f]{8})?\.\d+\.dcm")
"""A file that was being written when the process was killed; its sender was told nothing."""


class NoRoomError(Exception):
    """Raised where nothing more can be taken now; its text is a reason of `tally.REFUSED`."""


@dataclass
class _Seen:
    """A file: its size and time of change, since when these are so, and whether a round has taken it as it is."""

    state: tuple[int, int]
    since: float
    settled: bool = False


class Inbox:
    """A folder of radiographs. One thread looks at it and settles what it has done; any may write to it.

    Nothing of it need be kept in a journal: what is in the folder and not in the ledger of the results is to do.

    Args:
        folder: with all below it, but for hidden files and folders.
        output_dir: of the results; is not looked at where it lies in the folder.
        quiet_seconds: for which a file must not have changed, nor a study have got another.
        max_waiting: studies that may wait.
        free_bytes: that must be free on the disks of both folders.
    """

    def __init__(self, folder: Path, output_dir: Path, quiet_seconds: float, max_waiting: int, free_bytes: float) -> None:
        self.folder, self.output_dir, self.quiet_seconds = folder, output_dir, quiet_seconds
        self.max_waiting, self.free_bytes = max_waiting, free_bytes
        self._seen: dict[str, _Seen] = {}
        self._waiting: set[str] = set()
        self._arrived: set[str] = set()
        self._lock, self._writing = threading.Lock(), threading.Lock()
        for leftover in folder.glob("*/.*.dcm"):
            if _LEFTOVER.fullmatch(leftover.name):
                leftover.unlink(missing_ok=True)

    @property
    def waiting(self) -> int:
        """How many studies wait; in a folder that others write to, how many of its folders and loose files."""
        with self._lock:
            return len(self._waiting)

    def free(self) -> int:
        """Bytes that are free on the disk that has least."""
        return min(shutil.disk_usage(folder).free for folder in (self.folder, self.output_dir))

    def has_room(self) -> bool:
        """Whether enough is free to write anything."""
        return self.free() >= self.free_bytes

    def receive(self, study: str, uid: str, content: bytes) -> bool:
        """Write an object to STUDY/UID.dcm; when this returns it is on the disk.

        One with the UID of another but other content is kept beside it: some programs give a UID twice.

        Args:
            study, uid: proper UIDs, fit for names.
            content: as a file has it.

        Returns:
            whether it is new; not where it had come before.

        Raises:
            NoRoomError: where too many studies wait, and this is none of them, or too little is free.
            OSError: where the disk fails.
        """
        if not self.has_room():
            raise NoRoomError("disk_low")
        with self._lock:
            if study not in self._waiting and len(self._waiting) >= self.max_waiting:
                raise NoRoomError("queue_full")
            fresh = study not in self._waiting
            self._waiting.add(study)
            self._arrived.add(study)
        path = self.folder / study / f"{uid}.dcm"
        try:
            with self._writing:  # two senders may have the same object
                for each in (path, path.with_stem(f"{uid}-{hashlib.sha256(content).hexdigest()[:8]}")):
                    if not each.exists():
                        write_durably(each, content)
                        return True
                    if each.read_bytes() == content:
                        self._forget(study, fresh)
                        return False
        except OSError:
            self._forget(study, fresh)
            raise
        return False

    def _forget(self, study: str, fresh: bool) -> None:
        if fresh:
            with self._lock:
                self._waiting.discard(study)
                self._arrived.discard(study)

    def look(self) -> None:
        """Look at all files.

        Raises:
            OSError: where a folder cannot be listed.
        """
        with self._lock:
            self._arrived.clear()
        now = time.monotonic()
        seen = {}
        for path, state in _files(self.folder, os.path.realpath(self.output_dir)):
            before = self._seen.get(path)
            seen[path] = before if before is not None and before.state == state else _Seen(state, now)
        self._seen = seen
        self._count_waiting()

    def fresh(self) -> frozenset[str]:
        """Paths of the files that are still, and that no round has taken as they are."""
        return frozenset(path for path, file in self._seen.items() if not file.settled and self.is_still(path))

    def is_still(self, path: str) -> bool:
        """Whether a file, as it was looked at last, has not changed for long enough; one that was not there has not."""
        file = self._seen.get(path)
        return file is not None and time.monotonic() - file.since >= self.quiet_seconds

    def is_settled(self, path: str) -> bool:
        """Whether a round has taken a file as it was looked at last."""
        file = self._seen.get(path)
        return file is not None and file.settled

    def settle(self, paths: Collection[str]) -> None:
        """Note that these are done, as they were looked at last."""
        for path in paths:
            if path in self._seen:
                self._seen[path].settled = True
        self._count_waiting()

    def _count_waiting(self) -> None:
        waiting = {self._group(path) for path, file in self._seen.items() if not file.settled}
        with self._lock:
            self._waiting = waiting | self._arrived

    def _group(self, path: str) -> str:
        """What stands for a file's study until its header is read: the folder it lies in, or itself."""
        place = Path(path).relative_to(self.folder)
        return str(place.parent if len(place.parts) > 1 else place)


def _files(folder: str | os.PathLike[str], without: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """The files below a folder, but for hidden ones and those of one folder, with size and time of change."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if not entry.is_dir(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=os.path.exists(entry.path))  # a link may lead nowhere
                    yield entry.path, (status.st_size, status.st_mtime_ns)
                elif os.path.realpath(entry.path) != without:
                    yield from _files(entry.path, without)
            except FileNotFoundError:  # it has just gone
                continue
