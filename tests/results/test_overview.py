"""The table of all patients: sorted, filtered, small enough for a thousand, and by no server."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from scripts.clinical import CHANNELS
from scripts.results import write_report
from scripts.results.report import in_words

LARGEST = 20e6  # bytes, of a page of a thousand patients


@pytest.fixture
def page(browser: Browser, output: Path) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto((output / "index.html").as_uri())
    yield page
    page.close()


def shown(page: Page, column: int) -> list[str]:
    return page.eval_on_selector_all(
        "#overview tbody tr", f"rows => rows.filter(row => !row.hidden).map(row => row.cells[{column}].dataset.value ?? '')"
    )


def test_every_study_has_a_row_that_leads_to_its_page(page: Page, output: Path, document: dict[str, Any]) -> None:
    assert set(shown(page, 1)) == {study["study"] for study in document["studies"]}
    links = page.eval_on_selector_all("#overview tbody a", "links => links.map(link => link.getAttribute('href'))")
    assert len(links) == len(document["studies"]) and all((output / link).is_file() for link in links)
    pictures = page.eval_on_selector_all("#overview img", "images => images.map(image => image.src.slice(0, 15))")
    assert pictures and set(pictures) == {"data:image/jpeg"}


def test_a_click_sorts_and_another_turns_it_round_and_the_unknown_stay_last(page: Page) -> None:
    for clicks in (1, 2):
        page.get_by_role("button", name="Lowest T-score").click()
        found = shown(page, 5)
        known = [float(value) for value in found if value]
        assert len(known) >= 5 and found[len(known) :] == [""] * (len(found) - len(known))
        assert known == sorted(known, reverse=clicks == 2)
        order = page.eval_on_selector("#overview th[aria-sort]", "heading => heading.getAttribute('aria-sort')")
        assert order == ("ascending", "descending")[clicks - 1]
    page.get_by_role("button", name="Verdict").click()
    assert shown(page, 3) == sorted(shown(page, 3)) and page.locator("#overview th[aria-sort]").count() == 1


def test_words_and_verdicts_filter(page: Page, document: dict[str, Any]) -> None:
    page.get_by_label("Verdict").select_option("refused")
    assert set(shown(page, 3)) == {"refused"}
    page.get_by_label("Find").fill("fracture")
    codes = shown(page, 6)
    assert codes and all("FRACTURE" in code for code in codes)
    assert page.locator("#shown").inner_text() == f"{len(codes)} of {len(document['studies'])} studies"
    page.get_by_label("Find").fill("")
    page.get_by_label("Verdict").select_option("all")
    assert len(shown(page, 1)) == len(document["studies"])


def test_a_thousand_patients_are_a_page_that_opens(
    browser: Browser, output: Path, document: dict[str, Any], tmp_path: Path
) -> None:
    many = copy.deepcopy(document)
    (tmp_path / "overlays").symlink_to(output / "overlays")
    many["studies"] = [study for _ in range(1000 // len(document["studies"]) + 1) for study in document["studies"]][:1000]
    write_report(many, CHANNELS.table, tmp_path)
    assert (tmp_path / "index.html").stat().st_size < LARGEST
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri(), wait_until="load")
    page.get_by_role("button", name="Probability").click()
    assert page.locator("#overview tbody tr").count() == 1000
    print(page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart"), "ms to load")
    page.close()


def test_the_page_says_how_long_it_took(page: Page, document: dict[str, Any]) -> None:
    took = document["provenance"]["took"]
    assert took["studies"] == len(document["studies"])
    assert 0 < took["longest_seconds"] <= took["seconds"]
    said = page.locator("dt:text-is('Time taken') + dd").inner_text()
    assert said.startswith(f"{in_words(took['seconds'])} for {took['studies']} studies: ")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
