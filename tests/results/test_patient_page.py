"""The page of a patient in a real browser: whole on a phone, a desk and one sheet of paper; what counts comes first."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import CUT_OFF, SCREENS
from PIL import Image
from playwright.sync_api import Browser
from scripts.clinical import Category, Code, Doubt, Expectation, Triage
from scripts.results.patient_page import FOLDER, LANGUAGES, load_words, write_patient_pages

STUDIES = ("likely", "grey", "unlikely", "young", "right", "none", "fractured", "chest")
"""By the first radiograph of each, see `pages.FILMS`."""


def page_of(output: Path, document: dict[str, Any], film: str) -> Path:
    (name,) = [one["name"] for one in document["radiographs"] if Path(one["file"]).stem == film]
    (study,) = [one["study"] for one in document["studies"] if name in one["films"]]
    return output / FOLDER / f"{study}.html"


class Words(HTMLParser):
    """What a page says, without its style."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.said, self.silent = "", False
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.silent = tag == "style"

    def handle_data(self, data: str) -> None:
        self.said += "" if self.silent else f" {data.strip()}"


@pytest.mark.parametrize("film", STUDIES)
def test_it_is_whole_everywhere_and_passes_the_rules_of_accessibility(
    browser: Browser,
    output: Path,
    document: dict[str, Any],
    film: str,
) -> None:
    for name, (width, height, medium) in SCREENS.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.emulate_media(media=medium)
        page.goto(page_of(output, document, film).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate(CUT_OFF) == [], name
        if name == "desk":
            found = Axe().run(page, options={})
            assert found.violations_count == 0, found.generate_report()
        if name == "A4":
            printed = page.pdf(format="A4", prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
        assert not page.evaluate("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length")
        page.close()


@pytest.mark.parametrize("film", ("likely", "right", "contradicted"))
def test_what_an_explained_run_draws_still_goes_on_one_sheet(
    browser: Browser, output: Path, document: dict[str, Any], tmp_path: Path, film: str
) -> None:
    document = copy.deepcopy(document)
    for record in document["radiographs"]:
        for kind, size in (("overlay", (1200, 700)), ("explanation", (1200, 1000)), ("mineral_map", (1600, 496))):
            if record["status"] == "measured":
                record["outputs"][kind] = f"{record['name']}_{kind}.png"
                Image.new("RGB", size, (90, 90, 90)).save(tmp_path / record["outputs"][kind])
    write_patient_pages(document, (), tmp_path)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(page_of(tmp_path, document, film).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and page.evaluate(CUT_OFF) == []
    assert page.locator("figure").count() == (6 if film == "right" else 3)
    page.emulate_media(media="print")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", prefer_css_page_size=True))) == 1
    assert Axe().run(page, options={}).violations_count == 0
    page.close()


def test_every_study_has_one_that_names_its_verdict(output: Path, document: dict[str, Any]) -> None:
    words = load_words("en")
    assert {path.stem for path in (output / FOLDER).iterdir()} == {study["study"] for study in document["studies"]}
    for study in document["studies"]:
        said = Words(output / FOLDER / f"{study['study']}.html").said
        outcome = study["outcome"]
        expected = words["not_measured"] if outcome is None else outcome["triage"] or outcome["expectation"] or words["too_young"]
        assert expected in said and document["notice"] in said and document["provenance"]["weights"]["sha256"][:16] in said
        if outcome and outcome["lowest_t_score"] is not None:
            assert f"{outcome['lowest_t_score']:.1f}" in said
        assert f"patients/{study['study']}.html" in (output / "index.html").read_text()


def test_a_broken_hip_comes_before_all_numbers_and_is_itself_a_reason_for_dxa(
    output: Path,
    document: dict[str, Any],
) -> None:
    said = Words(page_of(output, document, "fractured")).said
    assert said.index("FRACTURE") < said.index("IMPLANT") < said.rindex("not measured")
    assert load_words("en")["advice_fracture"] in said


def test_each_hip_stands_on_the_curve_and_in_words(output: Path, document: dict[str, Any]) -> None:
    both = page_of(output, document, "contradicted").read_text()
    assert both.count("<svg") == 2 and both.count("<circle") == 2 and both.count('width="7" height="7"') == 2
    one = page_of(output, document, "likely").read_text()
    assert one.count("<circle") == 2 and 'width="7" height="7"' not in one
    (hip,) = [
        hip
        for one in document["radiographs"]
        if one["file"] == "likely.dcm"
        for hip in one["hips"]
        if hip["status"] == "measured"
    ]
    assert f"Right hip {hip['estimates']['neck']['bmd_g_cm2']:.3f}, interval" in one
    assert "<svg" not in page_of(output, document, "none").read_text()


def test_every_language_says_everything(output: Path, document: dict[str, Any], tmp_path: Path) -> None:
    english = load_words("en")
    asked = {*map(str, Triage), *map(str, Category), *map(str, Expectation)}
    for language in LANGUAGES:
        words = load_words(language)
        assert list(words) == list(english) and set(words["codes"]) == {*map(str, Code), *map(str, Doubt)}
        assert asked <= set(words) and all(value for value in (*words.values(), *words["codes"].values()))
        for key, value in words.items():
            if key != "codes":
                assert set(re.findall(r"\{\w+\}", value)) == set(re.findall(r"\{\w+\}", english[key])), key
    write_patient_pages(document, (), tmp_path, language="de")
    page = page_of(tmp_path, document, "likely")
    assert '<html lang="de">' in page.read_text() and "Osteoporose wahrscheinlich" in Words(page).said


def test_pages_of_studies_that_are_gone_go(output: Path, document: dict[str, Any], tmp_path: Path) -> None:
    write_patient_pages(document, (), tmp_path)
    left = json.loads(json.dumps(document))
    left["studies"] = left["studies"][:1]
    (tmp_path / FOLDER / "mine.txt").write_text("kept")
    write_patient_pages(left, (), tmp_path)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == sorted(
        [f"{left['studies'][0]['study']}.html", "mine.txt"]
    )
