"""Results are sent on once to each server, whatever is down in between; nothing waits for a server."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dicom_receiver
import fhir_service
import orthanc
import pytest
from pydicom.uid import generate_uid
from scripts.apps.listener import outbox as outbox_module
from scripts.apps.listener.outbox import Outbox
from scripts.apps.listener.tally import Tally
from scripts.apps.pacs.send import SENT
from scripts.files import Journal, read_journal
from small_films import content_of, make_clouds


def write_objects(out: Path, count: int, begin: int = 0) -> list[Path]:
    (out / "dicom").mkdir(parents=True, exist_ok=True)
    files = [out / "dicom" / f"{begin + index:016x}.sc.dcm" for index in range(count)]
    for file in files:
        file.write_bytes(content_of(make_clouds(0, SOPInstanceUID=generate_uid())))
    return files


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_FIRST_S", 0.2)


def test_a_server_that_was_gone_has_everything_once_when_it_is_back(tmp_path: Path) -> None:
    (port,) = orthanc.free_ports(1)
    write_objects(tmp_path, 2)
    tally = Tally()
    outbox = Outbox(tmp_path, [f"PACS@127.0.0.1:{port}"], None, "OSTEOXR", tally)
    outbox.start()
    began = time.monotonic()
    outbox.add(write_objects(tmp_path, 2, begin=2))
    assert time.monotonic() - began < 1, "nobody waits for a server"
    time.sleep(0.5)
    assert tally.gauges["files_unsent"]() == 4
    with dicom_receiver.serving(port) as taken:
        until(lambda: tally.gauges["files_unsent"]() == 0)
        outbox.add(write_objects(tmp_path, 1, begin=4))
        until(lambda: len(taken) == 5)
    outbox.close()
    assert set(Counter(taken).values()) == {1} and tally.counted("files_sent") == 5
    assert len(read_journal(tmp_path / SENT)) == 5
    with dicom_receiver.serving(port) as taken:
        again = Outbox(tmp_path, [f"PACS@127.0.0.1:{port}"], None, "OSTEOXR", Tally())
        again.start()
        until(lambda: again.tally.gauges["files_unsent"]() == 0)
        again.close()
        assert taken == [], "the next start sends nothing twice"


def test_what_a_server_refuses_keeps_nothing_else_back_and_is_tried_again(tmp_path: Path) -> None:
    (port,) = orthanc.free_ports(1)
    asked: Counter[str] = Counter()
    bad = []

    def status(uid: str) -> int:
        asked[uid] += 1
        bad[:] = bad or [uid]
        return 0xA900 if uid == bad[0] and asked[uid] < 3 else 0

    with dicom_receiver.serving(port, status) as taken:
        write_objects(tmp_path, 3)
        outbox = Outbox(tmp_path, [f"PACS@127.0.0.1:{port}"], None, "OSTEOXR", Tally())
        outbox.start()
        until(lambda: len(taken) == 3)
        outbox.close()
    assert set(Counter(taken).values()) == {1} and outbox.tally.counted("files_not_taken") == 2


def test_each_server_gets_its_kind_and_a_file_that_is_written_anew_is_sent_anew(tmp_path: Path) -> None:
    first, second = orthanc.free_ports(2)
    with dicom_receiver.serving(first) as one, dicom_receiver.serving(second) as other, fhir_service.serving() as fhir:
        addresses = [f"PACS@127.0.0.1:{port}" for port in (first, second)]
        outbox = Outbox(tmp_path, addresses, fhir.url, "OSTEOXR", Tally())
        outbox.start()
        files = write_objects(tmp_path, 2)
        outbox.add([*files, tmp_path / "masks" / "x.png"])
        until(lambda: len(one) == len(other) == 2)
        outbox.add(write_objects(tmp_path, 1))
        until(lambda: len(one) == len(other) == 3)
        outbox.close()
    assert one == other and fhir.tokens == []


def test_somebody_who_sends_from_the_same_folder_is_waited_for(tmp_path: Path) -> None:
    (port,) = orthanc.free_ports(1)
    write_objects(tmp_path, 1)
    with dicom_receiver.serving(port) as taken:
        journal = Journal(tmp_path / SENT)
        outbox = Outbox(tmp_path, [f"PACS@127.0.0.1:{port}"], None, "OSTEOXR", Tally())
        outbox.start()
        until(lambda: bool(outbox.tally.troubles()))
        journal.close()
        until(lambda: len(taken) == 1 and not outbox.tally.troubles())
        outbox.close()
