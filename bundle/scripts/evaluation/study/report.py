"""A study written out: tables as CSV, and what a page of it shows."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from scripts.evaluation.study.checklists import load_checklists, tabulate_checklists
from scripts.evaluation.study.content import Section, Study
from scripts.evaluation.study.sections import make_sections, summarise_study

FOLDER: Final = "study"
PAGE: Final = "study.html"

Content = Mapping[str, Any]
"""What a page shows: "notice", "data", "title", "tiles", "sections", "flow", "failures" and "checklists"."""


def write_study(study: Study, folder: Path, write_page: Callable[[Content, Path], None]) -> None:
    """Write the tables into FOLDER of an existing folder, and the page beside it.

    Args:
        study: what was found.
        folder: of the evaluation, with its figures as SVG.
        write_page: of the content and the page's path.
    """
    sections = make_sections(study)
    computed = {section.anchor: not section.missing for section in sections} | {"summary": True}
    checklists = load_checklists(computed, study.simulated)
    tables = [table for section in sections for table in section.tables]
    (folder / FOLDER).mkdir(exist_ok=True)
    for old in (folder / FOLDER).glob("*.csv"):
        old.unlink()  # of an earlier evaluation
    for table in (*tables, tabulate_checklists(checklists)):
        table.write(folder / FOLDER)
    title = "Deep-learning screening for osteoporosis on hip radiographs: accuracy against DXA"
    content = {
        "notice": study.document["notice"],
        "data": study.document["data"],
        "title": f"{title}, {len(study.patients)} patients",
        "tiles": summarise_study(study),
        "sections": [_shown(section, folder) for section in sections],
        "flow": study.flow,
        "failures": [
            {
                "name": own[0].name,
                "site": own[0].site,
                "told": [(one.kind, one.why) for one in own],
                "picture": _address(own[0].picture, "image/jpeg"),
            }
            for own in study.failures.listed()
        ],
        "checklists": checklists,
    }
    write_page(content, folder / PAGE)


def _shown(section: Section, folder: Path) -> dict[str, Any]:
    figures = [
        {"name": one.name, "says": one.says, "source": _address((folder / f"{one.name}.svg").read_bytes(), "image/svg+xml")}
        for one in section.figures
    ]
    return {**vars(section), "figures": figures, "tables": [table.shown() for table in section.tables]}


def _address(content: bytes, kind: str) -> str:
    """What holds a picture in itself; "" for none."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}" if content else ""
