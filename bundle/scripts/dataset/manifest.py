"""manifest.csv: what a research group knows of its radiographs beyond their headers, one row a radiograph."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from scripts.clinical import Maker
from scripts.dataset.columns import BMD_COLUMNS, LABEL_COLUMNS, is_known, meant_column
from scripts.dataset.spreadsheet import read_table
from scripts.radiograph.archives import source_of
from scripts.radiograph.elements import number
from scripts.radiograph.patient import AGES_YEARS, HEIGHTS_CM, WEIGHTS_KG

MANIFEST_NAME: Final = "manifest.csv"

SPLITS: Final = ("train", "validation", "test", "external")

_BMDS: Final = (0.1, 3.0)

_ENDINGS: Final = re.compile(r"(.+?)((?:\.(?:csv|tsv|txt|xls|xlsx|xlsm|ods|numbers|gz))+)")
_OF_A_COPY: Final = frozenset({"copy", "of", "kopie", "copie", "final", "new", "old", "v"})
"""A table's name and endings, and words that a name gets when the file is copied."""


def find_manifest(folder: Path) -> Path | None:
    """Find the manifest of a folder: `MANIFEST_NAME`, else the one file that differs from it by capitals; None without one.

    Raises:
        ValueError: if several files differ from it by capitals alone.
    """
    exact = folder / MANIFEST_NAME
    if exact.is_file():
        return exact
    alike = sorted(path for path in folder.glob("*") if path.name.lower() == MANIFEST_NAME and path.is_file())
    if len(alike) > 1:
        raise ValueError(f"{folder}: holds {' and '.join(path.name for path in alike)}; expected one manifest. Nothing was read.")
    return alike[0] if alike else None


def is_like_manifest(name: str) -> bool:
    """Whether a file's name is that of a manifest, or one that was mistyped, copied or saved in another format.

    Example:
        >>> [is_like_manifest(name) for name in ("manifest (1).csv", "Manifest.xlsx", "manifset.csv", "manifest-md5.txt")]
        [True, True, True, False]
    """
    parts = _ENDINGS.fullmatch(name.lower())
    words = [word for word in re.findall(r"[^\W\d_]+", parts[1]) if word not in _OF_A_COPY] if parts else []
    return len(words) == 1 and bool(difflib.get_close_matches(words[0], ["manifest"], cutoff=0.85))


def read_manifest(path: Path) -> dict[Path, dict[str, Any]]:
    """Read and check a manifest: a CSV file as spreadsheet programs write it, with at least the column `image`.

    Args:
        path: of the CSV file. Paths in it are relative to its folder.

    Returns:
        For each image (absolute path): every column but `image`. Numbers are float, NaN where empty; texts are "" where
        empty; label files are absolute paths. Columns that are not the bundle's are kept as text. So the rows can be
        collated into batches.

    Raises:
        ValueError: for the first bad cell, naming file, row, column, value and what was expected; a column whose name is much
            like that of a missing one, or means the same; two rows of one image; a file that is no such table.

    Example:
        >>> from pathlib import Path
        >>> import scripts
        >>> examples = Path(scripts.__file__).parents[1] / "examples"
        >>> rows = read_manifest(examples / "manifest.csv")
        >>> rows[examples / "images" / "normal.dcm"]["left_total_bmd"]
        1.0625
    """
    table = read_table(path, "image")
    _check_columns(path, table.line, table.columns)
    entries: dict[Path, dict[str, Any]] = {}
    for row, cells in table.rows:
        where = f"{path}, row {row}"
        entry = {column: _parse(where, column, cell, path.parent) for column, cell in zip(table.columns, cells, strict=True)}
        image = Path(entry.pop("image"))
        if image in entries:
            cell = cells[table.columns.index("image")]
            raise ValueError(
                f"{where}, column image: {cell!r} has a row already; expected one row a radiograph. Nothing was read."
            )
        for column in LABEL_COLUMNS:
            if entry.get(column) == str(image):
                raise ValueError(
                    f"{where}, column {column}: names the radiograph itself; expected a file of its own. Nothing was read."
                )
        entries[image] = entry
    return entries


def make_blank_entry(columns: list[str]) -> dict[str, Any]:
    """Return the entry of a radiograph without a row, so that every item has the same keys."""
    return {column: math.nan if column in _NUMBERS else "" for column in columns}


def _check_columns(path: Path, line: int, columns: list[str]) -> None:
    where = f"{path}, row {line}"
    for column in columns:
        if column not in _PARSERS and not is_known(column) and (meant := meant_column(column, columns)):
            raise ValueError(
                f"{where}: unknown column {column!r}; expected {meant!r}? Nothing was read. Give it that name, or another "
                "one if it is something else."
            )
    if "image" not in columns:
        found = ", ".join(columns[:8]) or "nothing"
        raise ValueError(f"{where}: has no column 'image' (found: {found}); expected it in the header. Nothing was read.")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{where}: names a column twice; expected each once. Nothing was read.")


def _parse(where: str, column: str, cell: str, folder: Path) -> Any:
    parser = _PARSERS.get(column)
    if parser is None:
        return cell
    value, expected = parser(cell, folder)
    if expected:
        raise ValueError(f"{where}, column {column}: found {cell!r}, expected {expected}. Nothing was read.")
    return value


# A parser takes a cell and the manifest's folder, and returns the value and "", or what was expected.


def _number(cell: str, _: Path, low: float, high: float, unit: str) -> tuple[float, str]:
    if not cell:
        return math.nan, ""
    value = number(cell)
    if value is None:
        value = math.nan
    return value, "" if low <= value <= high else f"a number from {low:g} to {high:g} ({unit}) or nothing"


def _choice(cell: str, _: Path, choices: tuple[str, ...]) -> tuple[str, str]:
    return cell, "" if not cell or cell in choices else f"one of {', '.join(choices)} or nothing"


def _date(cell: str, _: Path) -> tuple[str, str]:
    good = not cell or re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", cell) is not None
    try:
        if cell and good:
            date.fromisoformat(cell)
    except ValueError:
        good = False
    return cell, "" if good else "a date as YYYY-MM-DD or nothing"


def _text(cell: str, _: Path) -> tuple[str, str]:
    return cell, ""


def _label(cell: str, folder: Path) -> tuple[str, str]:
    if not cell:
        return "", ""
    path = _absolute(cell, folder)
    return str(path), "" if path.is_file() else f"an existing file, relative to {folder}, or nothing"


def _image(cell: str, folder: Path) -> tuple[str, str]:
    path = _absolute(cell, folder)
    good = bool(cell) and source_of(path).is_file() and path.is_relative_to(folder.absolute())
    return str(path), "" if good else f"an existing file inside {folder}"


def _absolute(cell: str, folder: Path) -> Path:
    # Not resolved: links stay as the user wrote them, so that the paths equal those of the listing.
    return Path(os.path.abspath(folder / cell.replace("\\", "/")))


_NUMBERS: Final[dict[str, Callable[[str, Path], tuple[Any, str]]]] = {
    "age_years": partial(_number, low=AGES_YEARS[0], high=AGES_YEARS[1], unit="years"),
    "weight_kg": partial(_number, low=WEIGHTS_KG[0], high=WEIGHTS_KG[1], unit="kg"),
    "height_cm": partial(_number, low=HEIGHTS_CM[0], high=HEIGHTS_CM[1], unit="cm"),
    **{column: partial(_number, low=_BMDS[0], high=_BMDS[1], unit="g/cm²") for column in BMD_COLUMNS},
}
_PARSERS: Final[dict[str, Callable[[str, Path], tuple[Any, str]]]] = {
    "image": _image,
    "patient_id": _text,
    "study_date": _date,
    "site": _text,
    "split": partial(_choice, choices=SPLITS),
    "sex": partial(_choice, choices=("F", "M")),
    **_NUMBERS,
    "dxa_maker": partial(_choice, choices=tuple(Maker)),
    **{column: _label for column in LABEL_COLUMNS},
}
