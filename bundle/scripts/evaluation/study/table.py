"""A table of a study: one set of cells, written as CSV and shown on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.evaluation.accuracy.tables import text
from scripts.files import write_table

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval; NaN = none. decimals: as the page shows it."""

    value: float
    interval: Interval = (math.nan, math.nan)
    decimals: int = 3

    def __str__(self) -> str:
        """As the page shows it."""
        low, high = self.interval
        ends = f" ({text(low, self.decimals)} to {text(high, self.decimals)})" if math.isfinite(low) else ""
        return text(self.value, self.decimals) + ends


Cell = str | int | Estimate | None


@dataclass(frozen=True)
class Table:
    """One table.

    name: of its file. title: above it. columns: heading by key. rows: cells in the order of the columns, None = not told.
    """

    name: str
    title: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Cell]]

    def shown(self) -> dict[str, Any]:
        """What the page needs: title, headings, and rows of texts."""
        rows = [["" if cell is None else str(cell) for cell in row] for row in self.rows]
        return {"title": self.title, "headings": list(self.columns.values()), "rows": rows}

    def write(self, folder: Path) -> None:
        """Write NAME.csv: of a column with intervals also KEY_ci95_low and KEY_ci95_high; what is not told is empty."""
        has_intervals = [any(_has_interval(row[index]) for row in self.rows) for index in range(len(self.columns))]
        names: list[str] = []
        for key, wide in zip(self.columns, has_intervals, strict=True):
            names += [key, f"{key}_ci95_low", f"{key}_ci95_high"] if wide else [key]
        rows = []
        for row in self.rows:
            cells: list[Any] = []
            for cell, wide in zip(row, has_intervals, strict=True):
                cells.append(cell.value if isinstance(cell, Estimate) else cell)
                if wide:
                    cells += cell.interval if isinstance(cell, Estimate) else ("", "")
            rows.append(dict(zip(names, cells, strict=True)))
        write_table(folder / f"{self.name}.csv", names, rows)


def _has_interval(cell: Cell) -> bool:
    return isinstance(cell, Estimate) and math.isfinite(cell.interval[0])
