"""The dictionary of a run's tables, as a page of the documentation: what each column and each number of results.json means.

It is made from the table of quantities (`scripts.clinical.QUANTITIES`) by `make dictionary`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.clinical import QUANTITIES, Of, Quantity
from scripts.files import replacing
from scripts.results.follow_up import FOLLOW_UP_COLUMNS
from scripts.results.tables import REJECTED_COLUMNS, describe_columns

_HEAD = """\
# What each number means

`make dictionary` makes this page from the table of quantities, `scripts/clinical/findings.py`. The same words stand in the
`columns.csv` and `results.schema.json` of every run. Where the numbers come from: [data.md](data.md),
[morphometry.md](morphometry.md). An empty cell, and null in `results.json`, means unknown, or not measured.

## results.csv

Two rows, right and left hip, for every radiograph that was not refused whole.

"""
_REJECTED = """
## rejected.csv

One row for every radiograph that was refused whole, and for every refused hip of one that was measured. The codes:
[data.md](data.md#what-is-refused).

"""
_FOLLOW_UP = """
## follow_up.csv

One row for every site of every hip that was measured on several dated studies of a patient: see
[data.md](data.md#output-and-privacy).

"""
_DOCUMENT = """
## Numbers of results.json alone

`hips` and `picture` are of each item of `radiographs`. The rest of the document describes itself in `results.schema.json`.

"""


def make_dictionary(quantities: Sequence[Quantity]) -> str:
    """The page, in Markdown.

    Args:
        quantities: of which there are values, see `Channels.table`.
    """
    bounds = {quantity.name: _range(quantity) for quantity in quantities}
    results = ((f"`{name}`", unit, bounds.get(name, ""), says) for name, (unit, says) in describe_columns(quantities).items())
    rejected = ((f"`{name}`", says) for name, says in REJECTED_COLUMNS.items())
    follow_up = ((f"`{name}`", unit, says) for name, (unit, says) in FOLLOW_UP_COLUMNS.items())
    document = (
        (f"`{_place(quantity)}`", quantity.unit, _range(quantity), quantity.meaning)
        for quantity in quantities
        if quantity.decimals is None
    )
    titles = ("Column", "Unit", "Range", "Meaning")
    return "".join(
        (
            _HEAD,
            _table(titles, results),
            _REJECTED,
            _table(("Column", "Meaning"), rejected),
            _FOLLOW_UP,
            _table(("Column", "Unit", "Meaning"), follow_up),
            _DOCUMENT,
            _table(("Number", *titles[1:]), document),
        )
    )


def _place(quantity: Quantity) -> str:
    """Where results.json has a quantity."""
    owner = "hips" if quantity.of is Of.BONE else ""
    return ".".join(filter(None, (owner, quantity.group, quantity.key)))


def _range(quantity: Quantity) -> str:
    least, greatest = quantity.bounds
    if least is None:
        return "" if greatest is None else f"to {greatest:g}"
    return f"{least:g} or more" if greatest is None else f"{least:g} to {greatest:g}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (titles, ["---"] * len(titles), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    with replacing(Path(sys.argv[1])) as _temporary:
        _temporary.write_text(make_dictionary(QUANTITIES), encoding="utf-8")
