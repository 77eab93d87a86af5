"""Reading a table as spreadsheet programs write CSV: their separators, encodings, blank rows and columns."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SEPARATORS: Final = ",;\t|"
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?[,;\t|]*\r?\n', re.IGNORECASE)
"""The first line by which a file tells Excel its separator."""

_WORKBOOKS: Final = (b"PK", b"\xd0\xcf\x11\xe0")  # xlsx and ods, xls
_MARKS: Final = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


@dataclass(frozen=True)
class Table:
    """A table of texts, without white space at both ends.

    line: of the file, with the names of the columns. columns: their names.
    rows: each with its (last) line of the file, and a cell for each column.
    """

    line: int
    columns: list[str]
    rows: list[tuple[int, list[str]]]


def read_table(path: Path, wanted: str) -> Table:
    """Read a table: comma, semicolon, tabulator or vertical bar between cells; UTF-8, or UTF-16 with its mark.

    Rows without any text, and columns with neither a name nor a text, are those of an empty spreadsheet and no part of the table.

    Args:
        path: of the file.
        wanted: a column that the table should have, which tells the separator; it may lack it.

    Raises:
        ValueError: naming the file, the row and what was expected, if it is no such table; a text without a column.
        OSError: if it cannot be read.
    """
    text = _decode(path)
    told = _SEPARATOR_LINE.match(text)
    separator = told[1] if told else _separator(text, wanted)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in lines:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not (told and lines.line_num == 1):
                rows.append((lines.line_num, stripped))
    except csv.Error as error:
        raise ValueError(
            f"{path}, row {lines.line_num}: is no row of a CSV file ({error}); nothing was read. Close every quotation mark, and "
            "write one inside a text twice."
        ) from error
    if not rows:
        return Table(1, [], [])
    (line, names), *others = rows
    kept = [index for index, name in enumerate(names) if name]
    return Table(line, [names[index] for index in kept], [(row, _cells(path, row, cells, names)) for row, cells in others])


def _cells(path: Path, row: int, cells: list[str], names: list[str]) -> list[str]:
    """The cells of the columns that have a name."""
    for index, cell in enumerate(cells):
        if cell and (index >= len(names) or not names[index]):
            raise ValueError(
                f"{path}, row {row}: {cell!r} stands in column {index + 1}, to which the header gives no name; nothing was read. "
                "Name the column, empty the cell, or quote a text that holds a separator."
            )
    kept = [cells[index] for index, name in enumerate(names) if name and index < len(cells)]
    if len(kept) < sum(map(bool, names)):
        raise ValueError(
            f"{path}, row {row}: has {len(cells)} cells, expected {len(names)}, one for each column of the header; nothing was "
            "read. Leave a cell empty where nothing is known, with its separator."
        )
    return kept


def _decode(path: Path) -> str:
    content = path.read_bytes()
    save = "Save it again as 'CSV UTF-8'."
    if content.startswith(_WORKBOOKS):
        raise ValueError(f"{path}: is a spreadsheet program's own file, expected CSV; nothing was read. {save}")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, row {row}: holds bytes that are no {encoding}; nothing was read. {save}") from error
    if "\0" in text:
        raise ValueError(f"{path}: holds zero bytes, which no CSV file in UTF-8 has; nothing was read. {save}")
    return text.removeprefix("\ufeff")


def _separator(text: str, wanted: str) -> str:
    first = next((line for line in text.splitlines() if line.strip(f"{_SEPARATORS} ")), "")

    def fits(separator: str) -> tuple[bool, int]:
        cells = [cell.strip(' "').lower() for cell in first.split(separator)]
        return wanted in cells, len(cells)

    return max(_SEPARATORS, key=fits)  # the first of equals
