"""A page for each patient's study: self-contained, on one sheet of A4, in the user's language."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from scripts.clinical import Code, Criteria, Quantity, Reference, load_criteria, load_reference
from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.results.document import Document
from scripts.results.doubts import doubts
from scripts.results.pictures import embedded
from scripts.results.record import Record
from scripts.results.reference_chart import Point, draw_chart
from scripts.results.templates import template_environment

FOLDER: Final = "patients"
_PAGE: Final = re.compile(r"[0-9a-f]{16}\.html")
_WORDS: Final = Path(__file__).with_name("words")
LANGUAGES: Final = ("en", "de")
_PICTURE_PX, _QUALITY = 900, 82
_TONES: Final = {"osteoporosis likely": "likely", "uncertain: DXA decides": "uncertain", "osteoporosis unlikely": "unlikely"}


def load_words(language: str) -> dict[str, Any]:
    """The words of the page in a language of `LANGUAGES`; "codes" has those of each `Code` and `Doubt`."""
    words: dict[str, Any] = json.loads((_WORDS / f"{language}.json").read_text(encoding="utf-8"))
    return words


def write_patient_pages(document: Document, quantities: Sequence[Quantity], folder: Path, language: str = "en") -> None:
    """Write `patients/STUDY.html` of each study, and clear away those of studies that are no longer there.

    Args:
        document: what results.json holds.
        quantities: of no use here.
        folder: of the results, with the pictures that are put into the pages.
        language: of `LANGUAGES`. Sentences of the gate stay English, each beside its code's name in the language.
    """
    words, reference, criteria = load_words(language), load_reference(), load_criteria()
    environment = template_environment()
    environment.filters["decimals"] = lambda value, count: _decimals(value, count).replace(".", words["decimal_mark"])
    template = environment.get_template("patient.html.jinja")
    radiographs = {record["name"]: record for record in document["radiographs"]}
    written = set()
    for study in tqdm(document["studies"], "Pages", unit="", file=sys.stderr, disable=len(document["studies"]) < 20):
        films = [radiographs[name] for name in study["films"]]
        page = template.render(
            words=words,
            language=language,
            document=document,
            study=study,
            films=films,
            person=_person(films, words),
            verdict=_verdict(study, words),
            alarms=(alarms := _alarms(films, study, words)),
            broken=any(alarm["code"] == Code.FRACTURE for alarm in alarms),
            charts=_charts(films, study, reference, criteria, words),
            pictures=_pictures(films, folder, words),
            reference=reference,
            coverage=f"{criteria.coverage:.0%}",
        )
        written.add(f"{study['study']}.html")
        with replacing(folder / FOLDER / f"{study['study']}.html") as temporary:
            temporary.write_text(page, encoding="utf-8")
    if (folder / FOLDER).is_dir():
        for path in list((folder / FOLDER).iterdir()):
            if _PAGE.fullmatch(path.name) and path.name not in written:
                path.unlink()


def _person(films: Sequence[Record], words: Mapping[str, Any]) -> str:
    header = next((film["header"] for film in films if film["header"]), None)
    sex = {"F": words["woman"], "M": words["man"]}.get(header["sex"] if header else "", words["sex_unknown"])
    age = header["age_years"] if header else None
    return f"{sex}, {words['years'].format(age=f'{age:.0f}') if age is not None else words['age_unknown']}"


def _verdict(study: Record, words: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says first: a word, its tone, and what to do."""
    outcome = study["outcome"]
    if outcome is None:
        return {"word": words["not_measured"], "tone": "refused", "advice": words["advice_refused"]}
    if outcome["triage"] is None:
        word = words[str(outcome["expectation"])] if outcome["expectation"] else words["too_young"]
        return {"word": word, "tone": "refused", "advice": words["advice_young"]}
    tone = _TONES[str(outcome["triage"])]
    return {"word": words[str(outcome["triage"])], "tone": tone, "advice": words[f"advice_{tone}"]}


def _alarms(films: Sequence[Record], study: Record, words: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is to be known before any number, see `doubts`."""
    return [
        {
            "heading": words[f"told_{one.kind}"].format(
                place=words[f"{one.side}_hip"] if one.side else words["all"], film=one.film
            ),
            "mild": one.kind in ("caution", "unused"),
            "code": one.code,
            "name": words["codes"][one.code],
            "sentence": one.sentence,
        }
        for one in doubts(study, films)
    ]


def _charts(
    films: Sequence[Record], study: Record, reference: Reference, criteria: Criteria, words: Mapping[str, Any]
) -> list[dict[str, Any]]:
    header = next((film["header"] for film in films if film["header"]), None)
    if not study["estimates"] or header is None or header["age_years"] is None:
        return []
    known = header["sex"] in reference.by_age
    sex = header["sex"] if known else "F"
    who = words[f"chart_who_{sex}"] if known else f"{words[f'chart_who_{sex}']} ({words['sex_unknown']})"
    charts = []
    for site in HIP.sites:
        points = []
        for side, estimates in study["estimates"].items():
            points.append(Point(side, estimates[site]["bmd_g_cm2"], tuple(estimates[site]["bmd_interval_g_cm2"])))
        told = "; ".join(_in_words(point, words) for point in points)
        described = words["chart_long"].format(site=words[site], points=told, who=who)
        drawn = draw_chart(points, site, header["age_years"], sex, reference, criteria, words, described)
        charts.append({"heading": words["chart"].format(site=words[site]), "drawn": drawn, "who": who})
    return charts


def _in_words(point: Point, words: Mapping[str, Any]) -> str:
    bmd, low, high = (_decimals(value, 3).replace(".", words["decimal_mark"]) for value in (point.bmd, *point.interval))
    return str(words["chart_point"].format(side=words[f"{point.side}_hip"], bmd=bmd, low=low, high=high))


def _decimals(value: float, count: int) -> str:
    """A number with so many decimals; one that rounds to nothing has no sign."""
    return f"{round(value, count) + 0.0:.{count}f}"


def _pictures(films: Sequence[Record], folder: Path, words: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for film in films:
        for kind, said in (("overlay", "picture"), ("explanation", "explanation"), ("mineral_map", "mineral_map")):
            path = film["outputs"].get(kind)
            if path and (folder / path).is_file():
                source = embedded(folder / path, (_PICTURE_PX, _PICTURE_PX), _QUALITY)
                found.append({"kind": kind, "source": source, "said": words[said].format(name=film["name"])})
    return found
