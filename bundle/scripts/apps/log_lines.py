"""The log of a command for a machine to read: one JSON object a line, without bars and without what may name a patient."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from typing import Final, TextIO

_BAR: Final = re.compile(r"\d+%\||\d+it \[|\bit/s\]")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")


class LogLines(io.TextIOBase):
    """Takes what is printed and logged, and writes each line of it as {"time", "level", "message"}.

    Args:
        stream: where the lines go.
        level: of what is printed to it.
        places: folders and files by the option that named them, as they will be told of. In their place, and in that of anything
            below them, the option's name is written; of a line that names one, what stands in quotes is left out too.
    """

    def __init__(self, stream: TextIO, level: str, places: Mapping[str, str]) -> None:
        self._stream, self._level, self._places, self._rest = stream, level, places, ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Take a text, which need not be a whole line."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self.add(line.rpartition("\r")[2], self._level)
        return len(text)

    def flush(self) -> None:
        """Let the lines that are whole go on; what is none yet waits."""
        self._stream.flush()

    def add(self, message: str, level: str) -> None:
        """Write one line."""
        if not message.strip() or _BAR.search(message):
            return
        for name, path in sorted(self._places.items(), key=lambda place: -len(place[1])):
            found = re.sub(rf"(?<![\w/.-]){re.escape(path)}(?:/[^\s:;,'\"]*)?(?!\w)", f"<{name}>", message)
            message = message if found == message else _QUOTED.sub("'...'", found)
        record = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "level": level, "message": message.strip()}
        self._stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._stream.flush()


class _Handler(logging.Handler):
    def __init__(self, lines: LogLines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        for line in record.getMessage().splitlines():
            self._lines.add(line, record.levelname.lower())


@contextmanager
def log_lines() -> Iterator[dict[str, str]]:
    """Within it, all that is printed, logged and warned of goes to the standard output as `LogLines`.

    Yields:
        the places not to be told of, see `LogLines`: none yet.
    """
    os.environ["TQDM_DISABLE"] = "1"
    places: dict[str, str] = {}
    said, warned = (LogLines(sys.stdout, level, places) for level in ("info", "error"))
    logging.captureWarnings(True)
    handler = _Handler(said)
    logging.getLogger().addHandler(handler)
    with redirect_stdout(said), redirect_stderr(warned):
        try:
            yield places
        finally:
            for lines in (said, warned):
                lines.write("\n")
            logging.getLogger().removeHandler(handler)
            logging.captureWarnings(False)
            del os.environ["TQDM_DISABLE"]
