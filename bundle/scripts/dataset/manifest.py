"""manifest.csv: what a research group knows of its radiographs beyond their headers, one row a radiograph."""

from __future__ import annotations

import csv
import difflib
import math
import os
import re
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from scripts.radiograph.patient import AGES_YEARS, HEIGHTS_CM, WEIGHTS_KG

MANIFEST_NAME: Final = "manifest.csv"

BMD_COLUMNS: Final = ("left_neck_bmd", "left_total_bmd", "right_neck_bmd", "right_total_bmd", "lumbar_bmd")
"""Areal bone mineral density by DXA, g/cm²."""

LABEL_COLUMNS: Final = ("label", "left_label", "right_label", "landmarks", "fracture_label")
"""Files with a radiograph's mask (of both hips, or of one), its landmarks, and the mask of where a femur is broken, relative to
the manifest's folder."""

SPLITS: Final = ("train", "validation", "test", "external")

_BMDS: Final = (0.1, 3.0)


def read_manifest(path: Path) -> dict[Path, dict[str, Any]]:
    """Read and check a manifest: UTF-8, comma separated, with at least the column `image`.

    Args:
        path: of the CSV file. Paths in it are relative to its folder.

    Returns:
        For each image (absolute path): every column but `image`. Numbers are float, NaN where empty; texts are "" where
        empty; label files are absolute paths. Columns that are not the bundle's are kept as text. So the rows can be
        collated into batches.

    Raises:
        ValueError: for the first bad cell, naming file, row, column, value and what was expected; a misspelt or missing
            column; two rows of one image.

    Example:
        >>> from pathlib import Path
        >>> import scripts
        >>> examples = Path(scripts.__file__).parents[1] / "examples"
        >>> rows = read_manifest(examples / "manifest.csv")
        >>> rows[examples / "images" / "normal.dcm"]["left_total_bmd"]
        1.0275
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            columns = rows.fieldnames or []
            _check_columns(path, columns)
            entries: dict[Path, dict[str, Any]] = {}
            for cells in rows:
                where = f"{path}, row {rows.line_num}"
                if None in cells or None in cells.values():
                    raise ValueError(
                        f"{where}: found more or fewer cells than the {len(columns)} columns; nothing was read. "
                        "Quote a text that holds a comma."
                    )
                entry = {column: _parse(where, column, cells[column].strip(), path.parent) for column in columns}
                image = Path(entry.pop("image"))
                if image in entries:
                    raise ValueError(
                        f"{where}, column image: {cells['image']!r} has a row already; expected one row a radiograph. "
                        "Nothing was read."
                    )
                entries[image] = entry
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path}: is no CSV file in UTF-8 ({type(error).__name__}); nothing was read. Save it again as 'CSV UTF-8'."
        ) from error
    return entries


def make_blank_entry(columns: list[str]) -> dict[str, Any]:
    """Return the entry of a radiograph without a row, so that every item has the same keys."""
    return {column: math.nan if column in _NUMBERS else "" for column in columns}


def _check_columns(path: Path, columns: list[str] | Any) -> None:
    if "image" not in columns:
        found = ", ".join(columns[:8]) or "nothing"
        raise ValueError(
            f"{path}, row 1: has no column 'image' (found: {found}); expected a comma-separated header. Nothing was read."
        )
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path}, row 1: names a column twice; expected each once. Nothing was read.")
    for column in columns:
        if column in _PARSERS:
            continue
        close = difflib.get_close_matches(column.lower().replace(" ", "_"), set(_PARSERS) - set(columns), n=1, cutoff=0.88)
        if close:
            raise ValueError(f"{path}, row 1: unknown column {column!r}; expected {close[0]!r}? Nothing was read.")


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
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    good = low <= value <= high
    return value, "" if good else f"a number from {low:g} to {high:g} ({unit}; decimal point, not comma) or nothing"


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
    good = bool(cell) and path.is_file() and path.is_relative_to(folder.absolute())
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
    **{column: _label for column in LABEL_COLUMNS},
}
