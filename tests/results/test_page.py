"""The page in a real browser: nothing is cut off, on a phone, a desk or paper, and it passes axe-core's rules."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import CUT_OFF, FILMS, SCREENS


@pytest.fixture(scope="module", params=SCREENS)
def page(request, browser, output):
    width, height, medium = SCREENS[request.param]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.emulate_media(media=medium)
    page.goto((output / "index.html").as_uri())
    yield page
    page.close()


def test_nothing_is_cut_off_nor_wider_than_the_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT_OFF) == []


def test_it_passes_the_rules_of_accessibility(page):
    found = Axe().run(page, options={})
    assert found.violations_count == 0, found.generate_report()
    unsure = [node["html"] for rule in found.response["incomplete"] if rule["id"] == "color-contrast" for node in rule["nodes"]]
    assert [html for html in unsure if not html.startswith("<text")] == [], "of text in a drawing axe never tells"
    assert {"color-contrast", "scope-attr-valid", "region"} <= {rule["id"] for rule in found.response["passes"]}


def test_every_header_of_a_table_says_what_it_heads(page):
    scopes = page.eval_on_selector_all("th", "headers => headers.map(header => header.scope)")
    assert set(scopes) == {"col", "row", "rowgroup"}


def test_on_paper_no_picture_is_missing(browser, output):
    page = browser.new_page()
    page.goto((output / "index.html").as_uri())
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    page.close()
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert len(re.findall(rb"/Subtype\s*/Image", printed)) >= len(list((output / "overlays").iterdir())) >= 8
    assert set(re.findall(rb"/MediaBox\s*\[0 0 (\d+)[.\d]* (\d+)", printed)) <= {
        (b"594", b"841"),
        (b"595", b"842"),
        (b"596", b"842"),
    }
    assert 3 <= pages <= 2 * len(FILMS)


def outcomes(document):
    names = {record["name"]: record["file"] for record in document["radiographs"]}
    return {names[study["films"][0]]: study["outcome"] for study in document["studies"] if study["outcome"]}


def test_score_category_and_probability_are_told_as_one_thing(document):
    told = {file: (outcome["triage"], outcome["category"]) for file, outcome in outcomes(document).items()}
    assert told == {
        "likely.dcm": ("osteoporosis likely", "osteoporosis"),
        "grey.dcm": ("uncertain: DXA decides", None),
        "contradicted.dcm": ("uncertain: DXA decides", None),
        "alarmed.dcm": ("osteoporosis likely", None),
        "unlikely.dcm": ("osteoporosis unlikely", "normal"),
        "young.dcm": (None, None),
        "right.dcm": ("osteoporosis likely", "osteoporosis"),
    }
    assert document["summary"]["triage"] == {
        "osteoporosis likely": 3,
        "uncertain: DXA decides": 2,
        "osteoporosis unlikely": 1,
    }


def test_the_page_says_that_one_thing_in_one_colour(browser, output, document):
    page = browser.new_page()
    page.goto((output / "index.html").as_uri())
    cards = page.eval_on_selector_all(
        "article",
        "cards => cards.map(card => [card.querySelector('h3').innerText, card.querySelector('.badge').innerText,"
        " getComputedStyle(card.querySelector('.badge')).backgroundColor, card.innerText])",
    )
    page.close()
    by_title = {re.sub("^Study ", "", title): rest for title, *rest in cards}
    colours = {}
    for study in document["studies"]:
        badge, colour, text = by_title[study["films"][0] if len(study["films"]) == 1 else study["study"]]
        outcome = study["outcome"]
        expected = "refused" if outcome is None else outcome["triage"] or outcome["expectation"]
        assert badge == expected
        colours.setdefault(badge, set()).add(tuple(int(part) for part in re.findall(r"\d+", colour)))
        verdicts = ("osteoporosis likely", "osteoporosis unlikely", "DXA decides")
        assert sum(verdict in text for verdict in verdicts) == (outcome is not None and outcome["triage"] is not None)
        if badge == "uncertain: DXA decides":
            assert text.count("osteoporosis") == 1 and "Probability of osteoporosis" in text and "bone mass" not in text
    assert all(len(found) == 1 for found in colours.values()) and len(set().union(*colours.values())) == 4
    (red,) = colours["osteoporosis likely"]
    assert np.argmax(red) == 0 and red[0] > 2 * max(red[1:])
