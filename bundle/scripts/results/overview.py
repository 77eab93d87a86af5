"""All patients of a run at a glance: rows for a table that can be sorted and filtered, and how their T-scores lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from scripts.clinical import Criteria
from scripts.results.document import Document
from scripts.results.doubts import doubts
from scripts.results.pictures import embedded
from scripts.results.record import Record

_THUMBNAIL: Final = (112, 80)
_QUALITY: Final = 70
_WIDTH, _HEIGHT, _BASE = 620, 120, 100
_LOW, _HIGH, _STEP = -6.0, 3.0, 0.5
_COLOURS: Final = ("#b3261e", "#8a5200", "#2a7348")
"""Of T-scores of osteoporosis, low bone mass and above; the marks stand beside them in words."""


@dataclass(frozen=True)
class Row:
    """One study, as the table shows it.

    sex, age: of the patient; "" and None where unknown. verdict: the badge's words. codes: of what was not measured, and of
    cautions. picture: address of a small one, "" where there is none.
    """

    study: str
    patient: str
    films: Sequence[str]
    sex: str
    age: float | None
    verdict: str
    probability: float | None
    lowest_t: float | None
    interval: Sequence[float] | None
    codes: Sequence[str]
    picture: Markup


def make_rows(document: Document, folder: Path) -> list[Row]:
    """The rows of a run.

    Args:
        document: what results.json holds.
        folder: of the results, with the overlays.
    """
    radiographs = {record["name"]: record for record in document["radiographs"]}
    return [_row(study, [radiographs[name] for name in study["films"]], folder) for study in document["studies"]]


def count_codes(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """Of how many studies each code stands, the most frequent first."""
    return Counter(code for row in rows for code in row.codes).most_common()


def draw_t_scores(rows: Sequence[Row], criteria: Criteria) -> Markup | None:
    """Draw how many studies have which lowest T-score, by half T-scores; None where none has any."""
    scores = [row.lowest_t for row in rows if row.lowest_t is not None]
    if not scores:
        return None
    bins = round((_HIGH - _LOW) / _STEP)
    counts = Counter(min(max(int((score - _LOW) // _STEP), 0), bins - 1) for score in scores)
    wide, most = _WIDTH / bins, max(counts.values())
    parts = []
    for index in range(bins):
        start = _LOW + index * _STEP
        middle = start + _STEP / 2
        kind = 0 if middle <= criteria.osteoporosis_at_most else 1 if middle < criteria.normal_at_least else 2
        high = (_BASE - 16) * counts[index] / most
        place = f'x="{index * wide + 1:.1f}" y="{_BASE - high:.1f}" width="{wide - 2:.1f}" height="{high:.1f}"'
        parts.append(f'<rect {place} fill="{_COLOURS[kind]}"/>')
        if counts[index]:
            parts.append(_text(index * wide + wide / 2, _BASE - high - 3, str(counts[index]), "middle"))
        if start == int(start):
            parts.append(_text(index * wide, _HEIGHT - 6, f"{start:.0f}", "start" if not index else "middle"))
    told = f"{len(scores)} studies with a T-score: the lowest {min(scores):.1f}, the highest {max(scores):.1f}"
    return Markup(f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}"><title>{told}</title>{"".join(parts)}</svg>')


def _row(study: Record, films: Sequence[Record], folder: Path) -> Row:
    outcome: Mapping[str, Any] = study["outcome"] or {}
    header = next((film["header"] for film in films if film["header"]), None)
    codes = [one.code for one in doubts(study, films) if one.kind != "unused"]
    verdict = "refused" if not outcome else outcome["triage"] or outcome["expectation"] or "too young for a T-score"
    overlay = next((film["outputs"]["overlay"] for film in films if film["outputs"]["overlay"]), None)
    return Row(
        study=study["study"],
        patient=study["patient"],
        films=study["films"],
        sex=(header["sex"] or "") if header else "",
        age=header["age_years"] if header else None,
        verdict=str(verdict),
        probability=outcome.get("osteoporosis_probability"),
        lowest_t=outcome.get("lowest_t_score"),
        interval=outcome.get("lowest_t_interval"),
        codes=list(dict.fromkeys(codes)),
        picture=embedded(folder / overlay, _THUMBNAIL, _QUALITY) if overlay and (folder / overlay).is_file() else Markup(""),
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" fill="#16212e">{text}</text>'
