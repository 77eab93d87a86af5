"""`osteoxr listen` as a process: what was acknowledged is screened and sent, once, whatever happens to it in between."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dicom_receiver
import orthanc
import pytest
from dicom_sender import associated, echoes, statuses, store
from own_command import ended
from pydicom.dataset import Dataset
from scripts.apps.pacs.send import SENT
from scripts.development.made import BUNDLE
from scripts.files import read_journal
from scripts.screening.ledger import JOURNAL_NAME
from small_films import make_clouds

NAMED = {"PatientName": "DOE^JANE", "PatientID": "MRN-4711"}
SENDERS, STUDIES = 4, 8


class Running:
    """The command in a process of its own, and what it says."""

    def __init__(self, folder: Path, port: int, page_port: int, *words: str) -> None:
        self.port, self.page, self.log = port, f"http://127.0.0.1:{page_port}", folder / "log.jsonl"
        line = [sys.executable, "-P", "-m", "scripts.apps.command", "listen", str(folder / "in"), str(folder / "out")]
        line += ["--port", str(port), "--page_port", str(page_port), "--free_gb", "0", "--log", "json", *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(BUNDLE)}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(line, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def said(self) -> str:
        return self.log.read_text()

    def await_ready(self, times: int = 1) -> None:
        self.until(lambda: self.said().count("The listener is ready") == times)

    def until(self, condition: Any, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def ask(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.page}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        (line,) = [line for line in self.ask("/metrics").splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(120)


@pytest.fixture
def processes() -> Iterator[list[Running]]:
    begun: list[Running] = []
    yield begun
    for one in begun:
        one.process.kill()
        one.process.wait()


def send_all(port: int, films: list[Dataset]) -> int:
    """Send as a modality does, one study after another: what was not acknowledged is sent again, until it is. Returns how often
    that was."""
    again = 0
    for index in range(0, len(films), 2):
        left = films[index : index + 2]
        while left := unacknowledged(port, left):
            again += 1
            time.sleep(0.2)
        time.sleep(0.5)
    return again


def unacknowledged(port: int, films: list[Dataset]) -> list[Dataset]:
    with associated(port, films) as association:
        return [film for film in films if store(association, film)[0] != 0]


def entered(out: Path) -> list[str]:
    return [entry["study"] for entry in read_journal(out / JOURNAL_NAME)]


def test_four_senders_and_a_kill_in_the_middle_leave_each_study_screened_and_sent_once(
    tmp_path: Path, processes: list[Running], capfd: pytest.CaptureFixture[str]
) -> None:
    port, page_port, pacs_port = orthanc.free_ports(3)
    films = [make_clouds(seed, **NAMED) for seed in range(2 * STUDIES)]  # in studies of two
    shares = [[film for seed, film in enumerate(films) if seed // 2 % SENDERS == sender] for sender in range(SENDERS)]
    words = ("--quiet_seconds", "5", "--dicom", "reproducible", "--send_to", f"PACS@127.0.0.1:{pacs_port}")
    out = tmp_path / "out"
    with dicom_receiver.serving(pacs_port) as taken, ThreadPoolExecutor(SENDERS) as pool:
        processes.append(first := Running(tmp_path, port, page_port, *words))
        first.await_ready()
        send_all(port, shares[0][:2])
        first.until(lambda: entered(out) and read_journal(out / SENT))
        sending = [pool.submit(send_all, port, share) for share in shares]
        first.until(lambda: len(list((tmp_path / "in").rglob("*.dcm"))) >= 2 + SENDERS)
        first.end(signal.SIGKILL)
        processes.append(second := Running(tmp_path, port, page_port, *words))
        assert sum(one.result(300) for one in sending) > 0, "it was killed while they sent"
        second.until(lambda: len(set(entered(out))) == STUDIES and second.metric("osteoxr_studies_waiting") == 0)
        second.until(lambda: second.metric("osteoxr_files_unsent") == 0)
        health, page = json.loads(second.ask("/health")), second.ask("/")
        assert second.end() == 0
    assert health == {"healthy": True, "troubles": [], "waiting": 0}
    assert sorted(Counter(entered(out)).values()) == [1] * STUDIES, "each study once"
    written = sorted(path.name for path in (out / "dicom").iterdir())
    assert len(written) >= STUDIES and Counter(entry["file"] for entry in read_journal(out / SENT)) == Counter(written)
    assert len(taken) == len(set(taken)) == len(written), "each object once"
    document = json.loads((out / "results.json").read_text())
    assert sorted(study["study"] for study in document["studies"]) == sorted(entered(out))
    assert len(document["radiographs"]) == len(films)

    said = second.said()
    assert all(json.loads(line).keys() == {"time", "level", "message"} for line in said.splitlines())
    uids = [uid for film in films for uid in (film.StudyInstanceUID, film.SOPInstanceUID)]
    assert not [word for word in ("DOE", "MRN-4711", str(tmp_path), *uids) if word in said + page]

    assert ended("screen", str(tmp_path / "in"), str(out), "--dicom", "reproducible") == 0
    assert "all radiographs are finished already" in capfd.readouterr().out, "the results are those of the main job"


def test_a_listener_that_is_told_to_stop_leaves_the_rest_for_the_next_start(tmp_path: Path, processes: list[Running]) -> None:
    port, page_port = orthanc.free_ports(2)
    processes.append(running := Running(tmp_path, port, page_port, "--quiet_seconds", "60"))
    running.await_ready()
    assert statuses(port, [make_clouds(0)]) == [(0, "")]
    with socket.create_connection(("127.0.0.1", port)):  # which says nothing
        assert running.end(signal.SIGINT) == 0
    assert "1 objects were taken, 0 studies screened, and 1 wait for its next start." in running.said()
    assert not echoes(port) and len(list((tmp_path / "in").rglob("*.dcm"))) == 1


def test_what_it_cannot_start_with_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("listen", str(tmp_path / "in"), str(tmp_path / "out"), "--page_port", "0", "--port", "0")
    for more, said in (
        (("--host", "0.0.0.0"), "--host 0.0.0.0: others can reach this address; name the titles of those who may send"),
        (("--allowed", "A\\B"), "--allowed 'A\\\\B': expected 1 to 16 letters"),
        (("--send_to", "PACS@host:104"), "--send_to: there would be nothing to send; give --dicom reproducible too."),
        (("--fhir_server", "https://host/r4"), "--fhir_server: there would be nothing to send; give --fhir true too."),
        (("--send_to", "host", "--dicom", "new"), "expected the address of a DICOMweb service"),
    ):
        assert ended(*words, *more) == 1
        assert said in capfd.readouterr().err and not (tmp_path / "out").exists()
    monkeypatch.setenv("OSTEOXR_PACS_CERTIFICATE", str(tmp_path / "nowhere.pem"))
    assert ended(*words) == 1
    assert "OSTEOXR_PACS_CERTIFICATE: there is no file" in capfd.readouterr().err
    monkeypatch.delenv("OSTEOXR_PACS_CERTIFICATE")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert ended(*words[:-1], port) == 1
    assert f"--port {port}: cannot be listened on (Address already in use)" in capfd.readouterr().err
