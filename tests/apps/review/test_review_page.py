"""The page of a review in a real browser: what a reader corrects, confirms and rejects is kept, whatever happens."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_review
import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import CUT_OFF, SCREENS
from playwright.sync_api import Browser, Page, expect
from scripts.apps.review.server import ReviewServer
from scripts.apps.review.trail import read_trail

ANSWERED = re.compile(r"status of 409|ERR_CONNECTION_REFUSED")
"""What a browser tells of answers that the page has a sentence for."""

SLOW = 20_000  # ms; an answer takes a tenth of it on a quiet machine


@pytest.fixture
def tab(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an address in a tab of its own, and waits for the film; a fault of the page fails the test."""
    faults: list[str] = []
    context = browser.new_context(viewport={"width": 1920, "height": 1080})

    def begin(address: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console", lambda said: faults.append(said.text) if said.type == "error" and not ANSWERED.search(said.text) else None
        )
        page.goto(address)
        expect(page.locator("#saved")).to_contain_text("As ", timeout=SLOW)
        return page

    yield begin
    context.close()
    assert faults == []


def place(page: Page, row: float, col: float) -> tuple[float, float]:
    """Where a pixel of the film lies in the window: the film is whole in the middle of its frame."""
    box = page.locator("#film").bounding_box()
    assert box
    rows, cols = 620, 840
    scale = min(box["width"] / cols, box["height"] / rows)
    return box["x"] + box["width"] / 2 + (col + 0.5 - cols / 2) * scale, box["y"] + box["height"] / 2 + (
        row + 0.5 - rows / 2
    ) * scale


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from (row, col) to (row, col) of the film."""
    page.mouse.move(*place(page, *start))
    page.mouse.down()
    page.mouse.move(*place(page, *end), steps=8)
    page.mouse.up()


def pull_right_contour(page: Page) -> None:
    """Pull the lateral edge of the right femur, which lies in columns 120 to 399, outward by 60 pixels."""
    page.keyboard.press("c")
    drag(page, (260, 120), (260, 60))


def hip(page: Page, side: str):
    return page.get_by_role("article", name=f"{side} hip")


def numbers_of(page: Page, row: str) -> list[str]:
    cells = page.locator("#numbers table").first.get_by_role("row").filter(has_text=row).get_by_role("cell")
    return [cell.split("\n")[0] for cell in cells.all_inner_texts()]


def trail_of(run: Path, reader: str = "r1") -> list[tuple[str, object]]:
    entries = read_trail(run / "out" / "review" / reader / "trail.jsonl").entries
    return [(entry["action"], entry.get("hip", entry.get("hips"))) for entry in entries]


def test_a_contour_is_dragged_confirmed_and_there_after_a_reload_with_its_numbers(
    run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]
) -> None:
    page = tab(serve(run).address)
    expect(page.locator("#numbers")).to_contain_text("not confirmed", timeout=SLOW)
    assert numbers_of(page, "Femoral neck: BMD") == ["not confirmed"]
    pull_right_contour(page)
    expect(page.locator("#saved")).to_have_text("Saved: version 1 of this film.", timeout=SLOW)
    page.get_by_role("button", name="Confirm the right hip").click()
    expect(hip(page, "Right")).to_contain_text("confirmed as corrected", timeout=SLOW)
    expect(page.locator("#numbers-state")).to_contain_text("Computed anew", timeout=SLOW)
    screened, now = map(float, numbers_of(page, "Femoral neck: BMD"))
    assert screened == pytest.approx(0.534, abs=0.001) and now > screened * 1.01, "the network of this test weighs the contour"
    assert numbers_of(page, "Femoral neck: T-score")[0] != numbers_of(page, "Femoral neck: T-score")[1]
    expect(page.locator("#numbers table").nth(1)).to_contain_text("not confirmed")  # the left hip, which is open

    page.reload()
    expect(page.locator("#saved")).to_have_text("As you left it: version 2.", timeout=SLOW)
    expect(hip(page, "Right")).to_contain_text("confirmed as corrected")
    expect(page.locator("#numbers-state")).to_contain_text("Computed anew", timeout=SLOW)
    assert float(numbers_of(page, "Femoral neck: BMD")[1]) == now
    assert trail_of(run) == [("edit", ["right"]), ("confirm", "right")]


def test_a_server_that_is_killed_loses_nothing_that_was_called_saved(
    run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]
) -> None:
    shared = Path(fake_review.__file__)
    path = os.pathsep.join([str(shared.parent), *sys.path])
    command = [sys.executable, str(shared), str(run), "r1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    try:
        assert server.stdout
        page = tab(json.loads(server.stdout.readline())["address"])
        pull_right_contour(page)
        expect(page.locator("#saved")).to_have_text("Saved: version 1 of this film.", timeout=SLOW)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    page.get_by_role("button", name="Reject the left hip").click()
    page.get_by_role("button", name="Reject the hip").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer", timeout=SLOW)
    with (run / "out" / "review" / "r1" / "trail.jsonl").open("a") as file:
        file.write('{"seq": 2, "action": "con')  # as a process that is killed in the middle of a line leaves it
    again = tab(serve(run).address)
    expect(again.locator("#saved")).to_have_text("As you left it: version 1.", timeout=SLOW)
    expect(hip(again, "Right")).to_contain_text("Differs from the screening.")
    again.get_by_role("button", name="Confirm the right hip").click()
    expect(hip(again, "Right")).to_contain_text("confirmed as corrected", timeout=SLOW)
    assert trail_of(run) == [("edit", ["right"]), ("confirm", "right")]


def test_two_tabs_do_not_overwrite_each_other(run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]) -> None:
    server = serve(run)
    one, other = tab(server.address), tab(server.address)
    pull_right_contour(one)
    expect(one.locator("#saved")).to_have_text("Saved: version 1 of this film.", timeout=SLOW)
    other.get_by_role("button", name="Reject the left hip").click()
    other.get_by_role("button", name="Reject the hip").click()
    expect(other.get_by_role("alert")).to_contain_text("changed elsewhere", timeout=SLOW)
    assert trail_of(run) == [("edit", ["right"])]
    other.get_by_role("button", name="Reload the film").click()
    expect(hip(other, "Right")).to_contain_text("Differs from the screening.", timeout=SLOW)
    expect(other.get_by_role("alert")).to_be_hidden()


def test_it_is_worked_by_the_keyboard_and_undone(
    run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]
) -> None:
    page = tab(serve(run, confirm_first=False).address)
    for key in ("l", "1", "Shift+ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#saved")).to_have_text("Saved: version 1 of this film.", timeout=SLOW)
    (entry,) = read_trail(run / "out" / "review" / "r1" / "trail.jsonl").entries
    assert entry["hips"] == ["left"] and entry["edited"] == [False, True] and entry["tool"] == "landmark"
    found = json.loads((run / "out" / "results.json").read_text())["radiographs"][0]["hips"][1]["landmarks"]["head_centre"]["px"]
    assert entry["landmarks"]["left"]["head_centre"] == pytest.approx([found[0] + 10, found[1] + 1], abs=0.02)
    page.keyboard.press("u")
    expect(page.locator("#saved")).to_have_text("Saved: version 2 of this film.", timeout=SLOW)
    expect(page.locator("#hips")).not_to_contain_text("Differs")
    page.keyboard.press("Control+y")
    expect(page.locator("#hips")).to_contain_text("Differs", timeout=SLOW)
    page.keyboard.press("x")
    page.get_by_label("Reason").select_option("turned")
    page.get_by_label("Remark").fill("knee outward")
    page.get_by_role("button", name="Reject the hip").click()
    expect(hip(page, "Left")).to_contain_text("Reason: turned (knee outward)", timeout=SLOW)
    expect(page.locator("#numbers")).to_contain_text("REJECTED", timeout=SLOW)
    page.keyboard.press("k")  # a hip that is decided is not confirmed over that
    page.keyboard.press("n")
    expect(page.locator("#decide-title")).to_contain_text(page.locator("#studies button").nth(1).inner_text().split("\n")[0])
    assert [action for action, _ in trail_of(run)] == ["edit", "edit", "edit", "reject"]


def test_a_contour_neither_crosses_itself_nor_leaves_the_film_and_the_brush_paints(
    run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]
) -> None:
    page = tab(serve(run).address)
    page.keyboard.press("c")
    drag(page, (260, 120), (260, 480))
    expect(page.locator("#saved")).to_contain_text("cross itself")
    drag(page, (260, 120), (260, -60))
    expect(page.locator("#saved")).to_have_text("Saved: version 1 of this film.", timeout=SLOW)
    page.keyboard.press("e")
    drag(page, (300, 200), (300, 260))
    expect(page.locator("#saved")).to_have_text("Saved: version 2 of this film.", timeout=SLOW)
    entries = read_trail(run / "out" / "review" / "r1" / "trail.jsonl").entries
    assert [entry["tool"] for entry in entries] == ["contour", "brush"] and len({entry["mask"] for entry in entries}) == 2


def test_it_is_whole_everywhere_and_passes_the_rules_of_accessibility(
    run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]
) -> None:
    page = tab(serve(run).address)
    expect(page.locator("#numbers-state")).to_contain_text("As screened", timeout=SLOW)
    for name in ("phone", "tablet", "desk"):
        width, height, _ = SCREENS[name]
        page.set_viewport_size({"width": width, "height": height})
        for tool in ("v", "c", "b"):
            page.keyboard.press(tool)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            assert page.evaluate(CUT_OFF) == [], name
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.keyboard.press("?")
    assert Axe().run(page).violations_count == 0
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    assert Axe().run(page).violations_count == 0
    assert not page.evaluate(
        "performance.getEntriesByType('resource').filter(e => new URL(e.name).host !== location.host).length"
    )


def test_a_film_that_cannot_be_seen_says_why(run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]) -> None:
    page = tab(serve(run).address)
    page.locator("#filter").select_option("flag NOT_A_HIP")
    page.locator("#studies button").click()
    expect(page.locator("#lost")).to_contain_text("The header says body part CHEST")
    expect(page.locator("#hips")).to_be_empty()


def test_an_outline_gives_back_the_very_pixels_and_a_pull_moves_only_what_is_in_reach(
    run: Path, serve: Callable[..., ReviewServer], tab: Callable[[str], Page]
) -> None:
    page = tab(serve(run).address)
    told = page.evaluate(
        """async () => {
          const { decode, encode, outlines } = await import("/mask.js");
          const { crosses, pull, redraw } = await import("/contour.js");
          const [rows, cols] = [60, 70];
          let seed = 7;
          const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
          const faults = [];
          for (let round = 0; round < 20; round++) {
            const mask = new Uint8Array(rows * cols);
            for (let i = 0; i < mask.length; i++) mask[i] = random() < 0.3 + 0.02 * round ? 1 : 0;
            const made = new Uint8Array(rows * cols);
            const found = outlines(mask, rows, cols, 1);  // what lies within another comes after it
            const width = ({ points }) => Math.max(...points.map(([x]) => x)) - Math.min(...points.map(([x]) => x));
            found.sort((one, other) => width(other) - width(one));
            for (const { points, hole } of found) redraw(made, rows, cols, [], points, hole, 1, 0);
            if (made.some((value, i) => value !== mask[i])) faults.push(`outline ${round}`);
            if (decode(encode(mask), mask.length).some((value, i) => value !== mask[i])) faults.push(`runs ${round}`);
          }
          const inside = (i) => Math.hypot((i % cols) - 35, Math.floor(i / cols) - 30) < 20;
          const disc = new Uint8Array(rows * cols).map((_, i) => (inside(i) ? 1 : 0));
          const [{ points }] = outlines(disc, rows, cols, 1);
          const index = points.findIndex(([x, y]) => x > 54 && y === 30);
          const far = pull(points, index, 900, 0, 15, rows, cols);
          const away = far.points.filter(([x, y], i) => x !== points[i][0] || y !== points[i][1]).length;
          return {
            faults,
            reach: far.moved.length / points.length,
            away: away <= far.moved.length,
            right: Math.max(...far.points.map(([x]) => x)),
            outward: crosses(pull(points, index, 8, 0, 15, rows, cols).points, far.moved),
            through: crosses(pull(points, index, -60, 0, 15, rows, cols).points, far.moved),
          };
        }"""
    )
    assert told["faults"] == []
    assert 0.1 < told["reach"] < 0.4 and told["away"] and told["right"] == 69.5, (
        "15 of 126 pixels to both sides; kept on the film"
    )
    assert told["through"] and not told["outward"]
