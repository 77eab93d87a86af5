"""The page of a study in a real browser: whole everywhere, the same each time, and with nothing of what made it but hashes."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import CUT_OFF, SCREENS
from playwright.sync_api import Browser, Page
from studies import draw_patients, write_evaluation

SECTIONS = (
    "question", "methods", "flow", "cohort", "performance", "calibration", "decision", "agreement", "contours", "subgroups",
    "sensitivity", "failures", "limits", "provenance", "checklists",
)  # fmt: skip
LARGEST = 1.5e6  # bytes, of a page with all pictures
REFUSED = {"code": "IMPLANT", "probability": math.nan, "lowest_t": math.nan, "triage": None}
PATIENTS = draw_patients(30, refused=0)


def without(case, **nothing):
    """A case whose hips have no numbers of a kind."""
    hips = tuple(dataclasses.replace(hip, **{key: dict.fromkeys(hip.bmd, math.nan) for key in nothing}) for hip in case.hips)
    return dataclasses.replace(case, hips=hips, **{key: value for one in nothing.values() for key, value in one.items()})


ODD = {
    "one patient": PATIENTS[:1],
    "everybody refused": [without(case, bmd=REFUSED) for case in PATIENTS[:6]],
    "nobody with osteoporosis": [case for case in PATIENTS if case.dxa_lowest_t > -2.5],
    "nobody with DXA": [without(case, dxa={"dxa_lowest_t": math.nan}) for case in PATIENTS[:5]],
    "nothing known of them": [dataclasses.replace(case, covariates=(math.nan,) * 4, site="") for case in PATIENTS[:12]],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, provenance: dict) -> Path:
    made = {**provenance, "configuration": {"files": [], "overrides": {"checkpoint": "/home/jane-doe/model.pt", "seed": "0"}}}
    return write_evaluation(draw_patients(80), tmp_path_factory.mktemp("study") / "out", made)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, provenance: dict) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("odd")
    return {name: write_evaluation(cases, folder / name.replace(" ", "_"), provenance) for name, cases in ODD.items()}


@pytest.fixture
def page(browser: Browser, study: Path) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1024, "height": 768})
    page.goto((study / "study.html").as_uri())
    yield page
    page.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_it_is_whole_on_every_screen_and_passes_the_rules_of_accessibility(browser: Browser, study: Path, screen: str) -> None:
    width, height, medium = SCREENS[screen]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.emulate_media(media=medium)
    page.goto((study / "study.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT_OFF) == []
    if screen in ("phone", "desk"):  # where the tables differ
        found = Axe().run(page, options={})
        assert found.violations_count == 0, found.generate_report()
    assert not page.evaluate("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length")
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    page.close()


def test_every_section_is_there_and_every_link_leads_to_one(page: Page) -> None:
    assert page.eval_on_selector_all("section", "all => all.map(one => one.id)") == list(SECTIONS)
    assert page.evaluate("[...document.querySelectorAll('a')].every(a => document.getElementById(a.hash.slice(1)))")
    assert page.locator("section figure").count() == 8 and page.locator(".missing").count() == 0


def test_every_figure_says_in_words_what_it_shows(page: Page) -> None:
    said = page.eval_on_selector_all("figure img", "all => all.map(one => one.alt)")
    assert len(said) == 7 and all(re.search(r"[0-9]", one) or "in the table" in one or "line is" in one for one in said)
    assert "evaluated" in page.locator(".diagram svg title").text_content()


def test_the_same_evaluation_gives_the_same_bytes(study: Path, provenance: dict, tmp_path: Path) -> None:
    later = {**provenance, "created": "2031-05-06T07:08:09+00:00"}
    later["configuration"] = {"files": [], "overrides": {"checkpoint": "/srv/elsewhere/model.pt", "seed": "0"}}
    again = write_evaluation(draw_patients(80), tmp_path / "out", later)
    files = sorted(path.relative_to(study) for path in study.rglob("*") if path.suffix in (".html", ".svg", ".csv"))
    assert len(files) > 25
    assert [path for path in files if (study / path).read_bytes() != (again / path).read_bytes()] == []


def test_no_date_path_or_name_is_on_it(study: Path) -> None:
    written = (study / "study.html").read_text(encoding="utf-8")
    shown = re.sub(r"data:[a-z+/]+;base64,[A-Za-z0-9+/=]+", "", written)
    assert "jane-doe" not in shown and "checkpoint (a file)" in shown
    assert not re.search(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]", shown) and str(study) not in shown
    assert all(b"dc:date" not in path.read_bytes() for path in study.glob("*.svg"))


def test_it_is_small_enough_to_be_kept_beside_the_documentation(study: Path) -> None:
    assert (study / "study.html").stat().st_size < LARGEST


def test_tables_and_figures_are_files_too(page: Page, study: Path) -> None:
    captions = page.locator("section:not(#checklists):not(#failures) table").count()
    tables = {path.stem: list(csv.reader(path.open(encoding="utf-8", newline=""))) for path in (study / "study").glob("*.csv")}
    assert len(tables) == captions + 2 and all(len(rows) > 1 and len(set(map(len, rows))) == 1 for rows in tables.values())
    agreement = list(csv.DictReader((study / "study" / "agreement.csv").open(encoding="utf-8", newline="")))
    metrics = json.loads((study / "metrics.json").read_text())["overall"]["bmd"]["total"]
    assert [float(agreement[0][key]) for key in ("bias", "bias_ci95_low", "bias_ci95_high")] == [
        metrics["bias"],
        *metrics["bias_ci95"],
    ]
    figures = {path.stem for path in study.glob("*.svg")}
    assert {"flow", "roc", "calibration", "decision", "bmd_total", "lowest_t", "dice", "subgroups", "strata"} <= figures
    assert all(ElementTree.parse(path).getroot().tag.endswith("svg") for path in study.glob("*.svg"))


def test_the_flow_adds_up(page: Page, study: Path) -> None:
    rows = list(csv.DictReader((study / "study" / "flow.csv").open(encoding="utf-8", newline="")))
    count = {(row["step"], row["why"]): (int(row["radiographs"] or 0), int(row["patients"] or 0)) for row in rows}
    lost = {
        step: sum(count[key][0] for key in count if key[0] == step)
        for step in ("not evaluated", "not readable", "refused by the gate")
    }
    assert (count["found", ""][0], lost["not evaluated"], count["evaluated", ""][0]) == (82, 2, 80)
    assert count["readable", ""][0] == 80 - lost["not readable"] and lost["not readable"] > 0
    assert count["measured", ""][0] == count["readable", ""][0] - lost["refused by the gate"]
    analysed = count["analysed for osteoporosis", "DXA and an answer"][1]
    assert analysed == sum(number[1] for (step, _), number in count.items() if step.startswith("test "))
    drawn = page.locator(".diagram svg").text_content()
    assert "80 radiographs, 80 patients" in drawn and f"{analysed} patients" in drawn


def test_failures_have_pictures_and_each_refusal_one(page: Page, study: Path) -> None:
    cards = page.locator(".card")
    refused = {
        row["why"]
        for row in csv.DictReader((study / "study" / "flow.csv").open(newline=""))
        if "refused" in row["step"] or "not readable" in row["step"]
    }
    shown = page.eval_on_selector_all(".card .code", "all => all.map(one => one.textContent)")
    assert {one.removeprefix("refused: ") for one in shown if one.startswith("refused")} == refused
    assert {"density", "missed", "false alarm"} <= set(shown)
    assert cards.locator("img").count() == cards.count() - 1  # of the file that could not be read there is none
    assert "Made-up reason of EXPOSURE." in page.locator("#failures").text_content()


@pytest.mark.parametrize("name", ODD)
def test_an_odd_study_has_a_page_that_says_what_could_not_be_computed(browser: Browser, odd: dict[str, Path], name: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((odd[name] / "study.html").as_uri())
    assert page.eval_on_selector_all("section", "all => all.map(one => one.id)") == list(SECTIONS)
    assert page.evaluate(CUT_OFF) == [] and not re.search(r"\bnan\b|None", page.locator("main").inner_text())
    missing = {one: page.locator(f"#{one} .missing").count() for one in SECTIONS}
    if name in ("everybody refused", "nobody with DXA"):
        assert all(missing[one] for one in ("performance", "calibration", "decision", "agreement", "subgroups"))
        assert "Calibration: not computed" in page.locator("#checklists").inner_text()
    if name == "nobody with osteoporosis":
        assert "there is no AUC" in page.locator("#performance").inner_text()
    if name == "one patient":
        assert missing["agreement"] and missing["subgroups"]
    page.close()
