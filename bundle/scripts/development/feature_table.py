"""Writes the table of all radiomic features into the page on them: part of `make dictionary`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.development.made import replace_table
from scripts.files import replacing
from scripts.measurement.radiomics.extract import FAMILIES
from scripts.measurement.radiomics.shape import SHAPE


def feature_table() -> Iterator[str]:
    """The lines of the table: family, name, code of the IBSI and meaning of every feature."""
    yield from ("| Family | Feature | IBSI | What |", "|---|---|---|---|")
    for family, features in {"shape": SHAPE, **FAMILIES}.items():
        for feature in features:
            yield f"| {family} | `{feature.name}` | {feature.code or '-'} | {feature.meaning} |"


def write_feature_table(page: Path) -> None:
    """Make the table of a page anew."""
    text = replace_table(page.read_text(encoding="utf-8"), "features", list(feature_table()), "make dictionary")
    with replacing(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_feature_table(Path(sys.argv[1]))
