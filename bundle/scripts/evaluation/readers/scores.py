"""The table of a reader study: who gave which patient which score, by themselves or with help."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.dataset.spreadsheet import read_table

LEAST, MOST = 1, 5
"""Of a score: 1 = surely no osteoporosis, 5 = surely osteoporosis."""
WAYS: Final = ("alone", "aided")

_COLUMNS: Final = ("reader", "patient", "score")
_OPTIONAL: Final = "reading"


@dataclass(frozen=True)
class Scores:
    """What was scored.

    readers: in the order of their first row. by_way: of each of `WAYS` that there is, the scores by reader and patient.
    """

    readers: tuple[str, ...]
    by_way: Mapping[str, Mapping[tuple[str, str], int]]


def read_scores(path: Path, patients: Collection[str]) -> Scores:
    """Read a table with the columns reader, patient and score, and perhaps reading: one of `WAYS`, alone where it is absent.

    Args:
        path: of a CSV file as spreadsheet programs write it.
        patients: `patient_id` of the radiographs' manifest; no other may be in the table.

    Raises:
        ValueError: for the first bad cell, naming file, row, column, value and what was expected; for a missing column; for a
            patient whom a reader scores twice in one way; for a table of fewer than two readers, or of readers with help who
            never read alone.
        OSError: if it cannot be read.
    """
    table = read_table(path, "reader")
    if missing := [name for name in _COLUMNS if name not in table.columns]:
        found = ", ".join(table.columns[:8]) or "nothing"
        raise ValueError(f"{path}, row {table.line}: has no column {missing[0]!r} (found: {found}). Nothing was compared.")
    known = frozenset(patients)
    by_way: dict[str, dict[tuple[str, str], int]] = {}
    for row, cells in table.rows:
        cell = dict(zip(table.columns, cells, strict=True))
        where = f"{path}, row {row}, column"
        if not cell["reader"]:
            raise ValueError(f"{where} reader: is empty; expected who gave the score. Nothing was compared.")
        if cell["patient"] not in known:
            raise ValueError(
                f"{where} patient: {cell['patient']!r} is no patient_id of the folder's manifest.csv. Nothing was compared."
            )
        if cell["score"] not in {str(score) for score in range(LEAST, MOST + 1)}:
            raise ValueError(
                f"{where} score: {cell['score']!r}; expected a whole number from {LEAST} to {MOST}. Nothing was compared."
            )
        way = (cell.get(_OPTIONAL) or WAYS[0]).lower()
        if way not in WAYS:
            raise ValueError(f"{where} {_OPTIONAL}: {way!r}; expected {' or '.join(WAYS)}. Nothing was compared.")
        place = (cell["reader"], cell["patient"])
        if place in by_way.setdefault(way, {}):
            raise ValueError(
                f"{where} patient: reader {place[0]!r} has scored {place[1]!r} already, {way}; expected once. Nothing was "
                "compared."
            )
        by_way[way][place] = int(cell["score"])
    readers = tuple(dict.fromkeys(reader for reader, _ in by_way.get(WAYS[0], {})))
    if len(readers) < 2:
        raise ValueError(f"{path}: {len(readers)} readers read alone; expected 2 or more. Nothing was compared.")
    if strangers := {reader for reader, _ in by_way.get(WAYS[1], {})} - set(readers):
        raise ValueError(f"{path}: reader {min(strangers)!r} read with help and never alone. Nothing was compared.")
    return Scores(readers, by_way)
