"""The listener's page, health and counts tell what is done and what is wrong, to this machine alone, and name nobody."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import CUT_OFF, SCREENS
from playwright.sync_api import Browser
from scripts.apps.listener import tally as tally_module
from scripts.apps.listener.inbox import Inbox
from scripts.apps.listener.page import ListenerPage
from scripts.apps.listener.tally import REFUSED, Outcome, Tally
from small_films import write_film

FACTS = {
    "Complete after": "30 seconds without anything new",
    "Senders": ", ".join(f"MODALITY{index}" for index in range(12)),
    "Listens as": "OSTEOXR on 0.0.0.0:11112, by TLS",
    "Sends to": "https://pacs.hospital.example/a-path-that-is-quite-long/dicom-web, PACS@pacs.hospital.example:104",
}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[ListenerPage]:
    """Of a listener with something to tell."""
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    write_film(tmp_path / "in" / "1.2.3" / "4.dcm", 1)
    inbox, tally = Inbox(tmp_path / "in", tmp_path / "out", 30.0, 2, 0.0), Tally()
    inbox.look()
    tally.gauges |= {"studies_waiting": lambda: inbox.waiting, "disk_free_bytes": inbox.free}
    tally.count("objects_received", 7)
    tally.in_hand = "f" * 16
    codes = ("CUT_OFF", "IMPLANT", "SIDE_CONTRADICTION", "UNSURE_CONTOUR")
    for index, verdict in enumerate(("refused", "osteoporosis likely", "uncertain: DXA decides") * 7):
        tally.add(Outcome("2026-11-30T02:00:00+00:00", f"{index:016x}", 2, verdict, codes[: index % 5], 1.25, index == 1))
    for reason in REFUSED:
        tally.refuse(reason, "STRANGER at 10.0.0.7")
    server = ListenerPage(tally, inbox, FACTS, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(page: ListenerPage, path: str, method: str = "GET", **headers: str) -> tuple[int, str, Any]:
    connection = HTTPConnection("127.0.0.1", page.port)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.read().decode()
    connection.close()
    return answer.status, found, answer.headers


def test_the_page_tells_what_waits_what_was_done_and_what_was_not_taken(page: ListenerPage) -> None:
    status, told, headers = ask(page, "/")
    assert status == 200 and headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert "f" * 16 in told and "CUT_OFF, IMPLANT" in told and told.count("(screened again)") == 1
    assert told.count('<th scope="row"') == 20 and f"{20:016x}" in told, "the last twenty, newest first"
    assert all(words in told for words in REFUSED.values()) and "All is well." in told
    assert "1.2.3" not in told


def test_health_is_for_a_supervisor(page: ListenerPage, monkeypatch: pytest.MonkeyPatch) -> None:
    status, told, _ = ask(page, "/health")
    assert (status, json.loads(told)) == (200, {"healthy": True, "troubles": [], "waiting": 1})
    page.tally.trouble("disk", "Too little is free.")
    status, told, _ = ask(page, "/health")
    assert status == 503 and json.loads(told)["troubles"] == ["Too little is free."]
    assert "Too little is free." in ask(page, "/")[1] and "osteoxr_healthy 0" in ask(page, "/metrics")[1]
    page.tally.trouble("disk", "")
    assert ask(page, "/health")[0] == 200
    monkeypatch.setattr(tally_module, "_HUNG_S", -1.0)
    assert ask(page, "/health")[0] == 503, "a screening that hangs"


def test_counts_are_in_the_format_of_prometheus(page: ListenerPage) -> None:
    status, told, headers = ask(page, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values: dict[str, float] = {}
    kinds: dict[str, str] = {}
    for line in told.splitlines():
        if found := re.fullmatch(r"# TYPE (\w+) (counter|gauge)", line):
            kinds[found[1]] = found[2]
        elif not re.fullmatch(r"# HELP \w+ .+", line):
            found = re.fullmatch(r'(\w+)(\{\w+="\w*"\})? (-?[0-9.e+]+)', line)
            assert found and found[1] in kinds, line
            values[found[1] + (found[2] or "")] = float(found[3])
    assert told.endswith("\n") and all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())
    assert values["osteoxr_objects_received_total"] == 7 and values["osteoxr_studies_waiting"] == 1
    assert values['osteoxr_refused_total{reason="disk_low"}'] == 1
    assert values['osteoxr_studies_screened_total{outcome="refused"}'] == 7
    assert values['osteoxr_studies_screened_total{outcome="measured"}'] == 14
    assert values["osteoxr_screening_seconds_total"] == pytest.approx(21 * 1.25)
    assert values["osteoxr_disk_free_bytes"] > 1e6 and values["osteoxr_healthy"] == 1


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}], ids=["rebound", "another page"]
)
def test_pages_elsewhere_get_nothing(page: ListenerPage, headers: dict[str, str]) -> None:
    for path in ("/", "/metrics", "/health"):
        status, told, _ = ask(page, path, **headers)
        assert status == 403 and "answers only pages of" in told
    assert page.server_address[0] == "127.0.0.1"


def test_nothing_else_is_there_and_nothing_is_taken(page: ListenerPage) -> None:
    for path in ("/x", "/../job.py", "/listener.html.jinja", "/listener.css/../job.py"):
        assert ask(page, path)[0] == 404
    assert ask(page, "/", "POST")[0] == 405


def test_a_log_of_many_refusals_stays_short(caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally()
    for _ in range(1000):
        tally.refuse("calling_title", "STRANGER at 10.0.0.7")
    assert len(caplog.records) == 1 and tally.counted("refused") == 1000


@pytest.mark.parametrize("screen", ["phone", "tablet", "desk"])
def test_the_page_is_clean_and_asks_for_nothing_from_elsewhere(page: ListenerPage, browser: Browser, screen: str) -> None:
    width, height, _ = SCREENS[screen]
    page.tally.trouble("screening", "The screening cannot go on, and is tried again: No space left on device.")
    tab = browser.new_page(viewport={"width": width, "height": height})
    faults: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.address)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width and tab.evaluate(CUT_OFF) == []
    found = [violation for violation in Axe().run(tab).response["violations"] if violation["id"] != "meta-refresh"]
    assert found == []
    tab.close()
    assert [fault for fault in faults if "favicon" not in fault] == []
    assert all(url.startswith(page.address) for url in asked)
