"""Results reach a real PACS, each once, whatever happens in between; what is secret stays so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orthanc
import pydicom
import pytest
from own_command import ended
from PIL import Image
from pydicom.uid import generate_uid
from scripts.apps.pacs import send
from scripts.apps.pacs.send import SENT, send_results
from scripts.development.made import BUNDLE
from scripts.results.dicom_writer import make_capture

MANY = 50


def write_objects(out: Path, number: int) -> set[str]:
    """As many small objects of one study; returns their UIDs."""
    (out / "dicom").mkdir(parents=True)
    Image.new("RGB", (64, 48), "navy").save(out / "picture.png")
    film = pydicom.dcmread(BUNDLE / "examples" / "images" / "normal.dcm", stop_before_pixels=True)
    series, uids = generate_uid(), [str(generate_uid()) for _ in range(number)]
    for index, uid in enumerate(uids):
        capture = make_capture(film, out / "picture.png", (series, uid), index + 1)
        capture.save_as(out / "dicom" / f"{index:016x}.sc.dcm", enforce_file_format=True)
    return set(uids)


def address(pacs: orthanc.Orthanc, kind: str) -> str:
    return pacs.dicomweb if kind == "dicomweb" else pacs.entity


@pytest.mark.parametrize("kind", ["dicomweb", "c-store"])
def test_a_pacs_that_dies_and_comes_back_has_every_object_once(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uids, out = write_objects(tmp_path / "out", MANY), tmp_path / "out"
    waits: list[float] = []
    failed: list[BaseException] = []

    def patient(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(0.5)

    store = send._store

    def slow(*told: Any) -> None:
        time.sleep(0.1)  # else all are sent before the PACS is gone
        store(*told)

    monkeypatch.setattr(send, "_store", slow)

    def run() -> None:
        try:
            send.send_results(str(out), where, None, "OSTEOXR", attempts=100, sleep=patient)
        except BaseException as error:
            failed.append(error)

    with orthanc.running(tmp_path) as pacs:
        where = address(pacs, kind)
        thread = threading.Thread(target=run)
        thread.start()
        while len(pacs.held()) < MANY // 3:
            assert thread.is_alive()
    while not waits:
        assert thread.is_alive(), "the PACS was gone before all were sent"
        time.sleep(0.05)
    with orthanc.running(tmp_path, again=pacs):
        thread.join(120)
        assert not thread.is_alive() and not failed
        found = pacs.held()
        assert sorted(found) == sorted(uids)
        assert f"{MANY} objects were sent to {where}, 0 had been" in capsys.readouterr().out
        send_results(str(out), where, None, "OSTEOXR", attempts=1)
        assert f"0 objects were sent to {where}, {MANY} had been" in capsys.readouterr().out
        assert len(pacs.held()) == MANY


def test_a_server_that_is_not_there_is_told_and_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_objects(tmp_path / "out", 3)
    waits: list[float] = []
    for where in ("http://127.0.0.1:9/dicom-web", "PACS@127.0.0.1:9"):
        with pytest.raises(SystemExit) as end:
            send_results(str(tmp_path / "out"), where, None, "OSTEOXR", attempts=3, sleep=waits.append)
        assert "0 objects were sent" in str(end.value) and "3 were not sent, since the server did not answer" in str(end.value)
    assert waits == [1.0, 2.0, 1.0, 2.0] and (tmp_path / "out" / SENT).read_bytes() == b""


class Gate(BaseHTTPRequestHandler):
    """Takes nothing without the token, is busy once, and refuses the second object."""

    seen: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(self.headers.get("Authorization", ""))
        busy, second = len(self.seen) == 1, len(self.seen) == 3
        self.send_response(401 if self.seen[-1] != "Bearer s3cret" else 503 if busy else 409 if second else 200)
        self.send_header("Content-Type", "application/dicom+json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[str]:
    Gate.seen = []
    server = HTTPServer(("127.0.0.1", 0), Gate)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    server.shutdown()


def test_the_token_goes_to_the_server_and_nowhere_else(
    gate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    write_objects(out, 3)
    monkeypatch.setenv("OSTEOXR_PACS_TOKEN", "s3cret")
    assert ended("send", str(out), "--server", gate) == 1
    said = capfd.readouterr()
    assert "2 objects were sent" in said.err and "1 were refused" in said.err and "sc.dcm was refused: HTTP 409" in said.err
    assert len(Gate.seen) == 4 and set(Gate.seen) == {"Bearer s3cret"}
    assert "s3cret" not in said.out + said.err + (out / SENT).read_text()
    assert ended("send", str(out), "--server", gate) == 0 and len(Gate.seen) == 5, "what was refused is tried again"
    monkeypatch.delenv("OSTEOXR_PACS_TOKEN")
    write_objects(tmp_path / "more", 1)
    assert ended("send", str(tmp_path / "more"), "--server", gate) == 1
    assert "was refused: HTTP 401" in capfd.readouterr().err


@pytest.mark.parametrize(
    "where", ["pacs.hospital", "https://user:word@pacs/dicom-web", "PACS@host", "ftp://pacs", "PACS@host:1:2"]
)
def test_an_address_that_is_none_is_a_sentence(where: str, tmp_path: Path) -> None:
    write_objects(tmp_path / "out", 1)
    with pytest.raises(ValueError, match="expected the address of a DICOMweb service"):
        send_results(str(tmp_path / "out"), where, None, "OSTEOXR", attempts=1)


def test_a_folder_without_objects_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no DICOM objects \(osteoxr screen --dicom reproducible\)\."):
        send_results(str(tmp_path), "PACS@host:104", None, "OSTEOXR", attempts=1)
