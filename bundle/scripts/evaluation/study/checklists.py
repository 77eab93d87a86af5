"""The checklists of reporting guidelines, and where each item is answered: on the page, in the documentation, or by a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.evaluation.study.table import Table

FILE: Final = Path(__file__).with_name("checklists.json")

ANSWERED, IN_PART, PERSON = "answered", "in part", "a person must"


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    here: sections of the page that answer it. not_here: those that would, but could not be computed. docs: where in the
    documentation. person: what only a person can say; "" where nothing. note: what is said in place of a person.
    """

    number: str
    topic: str
    asks: str
    here: Sequence[str]
    not_here: Sequence[str]
    docs: str
    person: str
    note: str

    @property
    def status(self) -> str:
        """One of the three words."""
        told = bool(self.here or self.docs or self.note)
        return PERSON if not told else IN_PART if self.person or self.not_here else ANSWERED


@dataclass(frozen=True)
class Checklist:
    """One guideline: its items under headings, with its source and how the items were checked against it."""

    name: str
    title: str
    source: str
    doi: str
    checked: str
    sections: Mapping[str, Sequence[Item]]

    @property
    def items(self) -> list[Item]:
        """All, in order."""
        return [item for items in self.sections.values() for item in items]

    def count(self) -> dict[str, int]:
        """How many items have each status."""
        found = [item.status for item in self.items]
        return {status: found.count(status) for status in (ANSWERED, IN_PART, PERSON)}


def load_checklists(computed: Mapping[str, bool], simulated: bool) -> list[Checklist]:
    """Read them, and say where each item is answered.

    Args:
        computed: of every section of the page, whether there was anything to say.
        simulated: whether all patients are simulated, of whom persons have less to say.

    Raises:
        KeyError: where an item names a section that the page does not have.
    """
    return [
        Checklist(
            **{key: one[key] for key in ("name", "title", "source", "doi", "checked")},
            sections={
                section["heading"]: [_item(item, computed, simulated) for item in section["items"]] for section in one["sections"]
            },
        )
        for one in json.loads(FILE.read_text(encoding="utf-8"))["checklists"]
    ]


def tabulate_checklists(checklists: Sequence[Checklist]) -> Table:
    """All items of all, one row each."""
    columns = {
        "checklist": "Checklist",
        "number": "Item",
        "topic": "Topic",
        "asks": "Asks for",
        "status": "Status",
        "section": "Section of the page",
        "documentation": "Documentation",
        "note": "Note",
        "person": "A person must say",
    }
    rows = [
        (one.name, item.number, item.topic, item.asks, item.status, " ".join(item.here), item.docs, item.note, item.person)
        for one in checklists
        for item in one.items
    ]
    return Table("checklists", "Items of the checklists", columns, rows)


def _item(item: Mapping[str, Any], computed: Mapping[str, bool], simulated: bool) -> Item:
    spared = simulated and "simulated" in item
    return Item(
        number=item["number"],
        topic=item["topic"],
        asks=item["asks"],
        here=[section for section in item["here"] if computed[section]],
        not_here=[section for section in item["here"] if not computed[section]],
        docs=item["docs"],
        person="" if spared else item["person"],
        note=item["simulated"] if spared else "",
    )
