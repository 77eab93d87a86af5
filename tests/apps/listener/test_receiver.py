"""The DICOM side of the listener takes radiographs alone, tells why it does not, and is held up by nobody."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates, make_certificates
from dicom_sender import associated, echoes, received, statuses
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.sop_class import Verification
from scripts.apps.listener import inbox as inbox_module
from scripts.apps.listener.inbox import Inbox
from scripts.apps.listener.receiver import Receiver, check_allowed
from scripts.apps.listener.tally import Tally
from scripts.apps.pacs.credentials import Credentials
from scripts.radiograph import quiet
from small_films import make_clouds

IN_THE_CLEAR = Credentials("PACS", "", "", "", "")
SILENT_S = 0.5


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Callable[..., Receiver]]:
    """Starts a receiver for a folder "in"."""
    begun: list[Receiver] = []
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()

    def begin(credentials: Credentials = IN_THE_CLEAR, **settings: Any) -> Receiver:
        told = {"quiet_seconds": 1.0, "max_waiting": 3, "free_bytes": 0.0}
        told |= {key: settings.pop(key) for key in told if key in settings}
        settings = {"allowed": None, "object_bytes": 1_000_000, "associations": 4, "silent_s": SILENT_S} | settings
        inbox = Inbox(tmp_path / "in", tmp_path / "out", **told)
        receiver = Receiver(inbox, Tally(), "127.0.0.1", 0, "OSTEOXR", credentials=credentials, **settings)
        receiver.start()
        begun.append(receiver)
        return receiver

    yield begin
    for receiver in begun:
        receiver.close()


def film(**attributes: Any) -> Dataset:
    """A small one of a study of its own."""
    return make_clouds(1, **{"StudyInstanceUID": generate_uid(), "SOPInstanceUID": generate_uid(), **attributes})


def refused(receiver: Receiver) -> dict[str, float]:
    counts = receiver.tally._counts
    return {value: amount for (name, _, value), amount in counts.items() if name == "refused" and amount}


def test_what_is_acknowledged_is_on_the_disk_as_it_was_sent(listening: Callable[..., Receiver], tmp_path: Path) -> None:
    receiver, sent = listening(), film()
    with associated(receiver.port, [sent]) as association:
        assert association.send_c_store(sent).Status == 0x0000
        path = tmp_path / "in" / sent.StudyInstanceUID / f"{sent.SOPInstanceUID}.dcm"
        assert path.read_bytes()[132:] and path.read_bytes().endswith(sent.PixelData)
    assert statuses(receiver.port, [sent]) == [(0, "")], "it is sent again, as after a broken connection"
    other = film(StudyInstanceUID=sent.StudyInstanceUID, SOPInstanceUID=sent.SOPInstanceUID, PatientAge="071Y")
    assert statuses(receiver.port, [other]) == [(0, "")]
    first, second = received(tmp_path / "in")
    assert second == f"{sent.SOPInstanceUID}.dcm" and first.startswith(f"{sent.SOPInstanceUID}-"), (
        "neither takes the other's place"
    )
    assert receiver.tally.counted("objects_received") == 2 and receiver.tally.counted("objects_repeated") == 1


def test_it_is_on_the_disk_before_the_sender_is_told(
    listening: Callable[..., Receiver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(os.readlink(f"/proc/self/fd/{number}")), fsync(number)))
    receiver, sent = listening(), film()
    assert statuses(receiver.port, [sent]) == [(0, "")]
    folder = tmp_path / "in" / sent.StudyInstanceUID
    assert [Path(name).parent for name in synced[:1]] == [folder] and synced[1:] == [str(folder), str(folder.parent)]


def test_unknown_titles_and_other_names_of_ours_are_turned_away(listening: Callable[..., Receiver]) -> None:
    receiver = listening(allowed=["PACS", "DX1"])
    assert not echoes(receiver.port, title="STRANGER") and not echoes(receiver.port, title="PACS", called="OTHER")
    assert echoes(receiver.port, title="PACS") and echoes(receiver.port, title="DX1")
    assert refused(receiver) == {"calling_title": 1, "called_title": 1}


@pytest.mark.parametrize(("host", "allowed"), [("0.0.0.0", None), ("10.0.0.5", []), ("::", None), ("127.evil.example", None)])
def test_nobody_else_reaches_it_unless_titles_are_allowed(host: str, allowed: list[str] | None) -> None:
    with pytest.raises(ValueError, match=f"--host {host}: others can reach this address; name the titles"):
        check_allowed(host, allowed)
    check_allowed(host, ["PACS"])
    for local in ("127.0.0.1", "::1", "localhost"):
        check_allowed(local, None)


def test_other_kinds_and_our_own_results_are_not_kept(listening: Callable[..., Receiver], tmp_path: Path) -> None:
    receiver = listening()
    slice_of_ct = film(SOPClassUID=CTImageStorage)
    with associated(receiver.port, [slice_of_ct, film()]) as association:
        assert [context.abstract_syntax for context in association.rejected_contexts] == [CTImageStorage]
    ours = film(SOPClassUID=SecondaryCaptureImageStorage, SeriesDescription="OsteoXR, picture; research use only")
    assert statuses(receiver.port, [ours]) == [(0xB006, "a result of OsteoXR")]
    assert received(tmp_path / "in") == [] and refused(receiver) == {"kind": 1, "ours": 1}


def test_an_object_without_a_proper_uid_cannot_name_a_file(listening: Callable[..., Receiver], tmp_path: Path) -> None:
    receiver = listening()
    for study in ("../../evil", "1.2/3", ""):
        assert statuses(receiver.port, [film(StudyInstanceUID=study)])[0][0] == 0xC000
    assert received(tmp_path) == []


def test_an_object_that_is_too_large_is_refused_and_the_next_is_taken(listening: Callable[..., Receiver]) -> None:
    receiver = listening(object_bytes=60_000)
    large = film(Rows=280, PixelData=b"\0\1" * 280 * 130)
    answers = statuses(receiver.port, [large, film(), large])
    assert [code for code, _ in answers] == [0xC001, 0, 0xC001] and answers[0][1] == "an object larger than --max_object_mb"
    with associated(receiver.port, [large]) as association:
        endless = film(Rows=2800, PixelData=b"\0\1" * 2800 * 1300)
        assert association.send_c_store(endless).get("Status") is None, "one without end is not read to its end"
    assert refused(receiver) == {"too_large": 2, "broken": 1} and echoes(receiver.port)


def test_senders_are_asked_to_come_later_where_too_many_studies_wait(listening: Callable[..., Receiver]) -> None:
    receiver = listening(max_waiting=3)
    films = [film() for _ in range(3)]
    again = film(StudyInstanceUID=films[0].StudyInstanceUID)
    answers = statuses(receiver.port, [*films, film(), again])
    assert [code for code, _ in answers] == [0, 0, 0, 0xA700, 0], "what belongs to a study that waits still comes"
    assert answers[3][1] == "--max_waiting studies waited"
    receiver.inbox.look()
    assert receiver.inbox.waiting == 3
    receiver.inbox.settle([str(path) for path in receiver.inbox.folder.rglob("*.dcm")])
    assert receiver.inbox.waiting == 0 and statuses(receiver.port, [film()]) == [(0, "")]


def test_a_disk_that_is_full_or_fails_takes_nothing_and_says_so(
    listening: Callable[..., Receiver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = listening(free_bytes=1e18)
    assert statuses(receiver.port, [film()]) == [(0xA700, "less than --free_gb was free")]
    receiver.inbox.free_bytes = 0.0

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(inbox_module, "write_durably", full)
        assert statuses(receiver.port, [film()]) == [(0xA700, "the disk failed")]
    assert receiver.inbox.waiting == 0 and received(tmp_path / "in") == []
    assert statuses(receiver.port, [film()]) == [(0, "")]


def request_of(title: str = "SENDER") -> bytes:
    """The PDU that asks for an association."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = title, "OSTEOXR"
    length = MaximumLengthNotification()
    length.maximum_length_received = 16382
    named = ImplementationClassUIDNotification()
    named.implementation_class_uid = "1.2.3"
    primitive.user_information = [length, named]
    context = build_context(Verification)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    asked = A_ASSOCIATE_RQ()
    asked.from_primitive(primitive)
    return bytes(asked.encode())


def ends(connection: socket.socket, send: bytes = b"", every: float = 0.0, within: float = 6.0) -> bool:
    """Whether a connection is ended by the other side, which gets a byte now and then."""
    deadline = time.monotonic() + within
    connection.settimeout(every or within)
    while time.monotonic() < deadline:
        try:
            if send:
                connection.sendall(send[:1])
                send = send[1:] + send[:1]
            if connection.recv(4096) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


DRIPS = {
    "says nothing": (b"", b"", 0.0),
    "half a header": (b"\x01\x00\x00", b"", 0.0),
    "a request by drops": (b"", b"\x01\x00\x00\x00\x0f\x00" + b"\0" * 4000, 0.2),
    "no DICOM": (b"GET / HTTP/1.1\r\n\r\n", b"", 0.0),
    "an association and no more": (request_of(), b"", 0.0),
    "half a PDU of an association": (request_of() + b"\x04\x00\x00\x00\x40\x00\x00", b"", 0.0),
    "a PDU of an association by drops": (request_of() + b"\x04\x00\x00\x00\x40\x00", b"\0" * 4000, 0.2),
}


@pytest.mark.parametrize("name", DRIPS)
def test_who_is_slow_or_sends_nonsense_is_cut_off_and_holds_up_nobody(name: str, listening: Callable[..., Receiver]) -> None:
    receiver = listening(associations=2)
    first, drops, every = DRIPS[name]
    with socket.create_connection(("127.0.0.1", receiver.port)) as slow:
        slow.sendall(first)
        assert echoes(receiver.port)
        assert ends(slow, drops, every)
    assert echoes(receiver.port)


def test_a_pdu_that_claims_4_gb_is_not_waited_for(listening: Callable[..., Receiver]) -> None:
    receiver = listening(silent_s=60)
    with socket.create_connection(("127.0.0.1", receiver.port)) as greedy:
        greedy.sendall(b"\x04\x00\xff\xff\xff\xff" + b"\0" * 100)
        assert ends(greedy, within=5)


def test_an_object_in_small_pieces_without_end_is_cut_off(listening: Callable[..., Receiver]) -> None:
    receiver = listening(silent_s=0.3)  # so that an object may take three seconds
    piece = struct.pack(">BBLLBB", 4, 0, 6, 2, 1, 0)  # a whole PDU: a piece of a command, and never the last
    with socket.create_connection(("127.0.0.1", receiver.port)) as slow:
        slow.sendall(request_of())
        assert slow.recv(4096)[:1] == b"\x02", "the association is accepted"
        began = time.monotonic()
        slow.settimeout(0.1)
        while time.monotonic() - began < 8:
            try:
                slow.sendall(piece)
                if slow.recv(4096) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert 2 < time.monotonic() - began < 7
    assert echoes(receiver.port)


def test_connections_are_bounded(listening: Callable[..., Receiver]) -> None:
    receiver = listening(associations=1, silent_s=1.5)
    idle = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(4)]
    time.sleep(0.3)
    assert not echoes(receiver.port)
    assert refused(receiver)["connections"] >= 2
    assert all(ends(one) for one in idle)
    assert echoes(receiver.port)
    for one in idle:
        one.close()


def test_by_tls_only_who_has_a_certificate_sends_and_a_slow_handshake_holds_up_nobody(
    listening: Callable[..., Receiver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Certificates = make_certificates(tmp_path / "certificates")
    for name, value in made.environment("PACS").items():
        monkeypatch.setenv(name, value)
    credentials = Credentials.from_environment("PACS")
    receiver, sent = listening(credentials), film()
    with socket.create_connection(("127.0.0.1", receiver.port)) as slow:
        assert statuses(receiver.port, [sent], context=credentials.client_context()) == [(0, "")]
        assert ends(slow)
    assert received(tmp_path / "in") == [f"{sent.SOPInstanceUID}.dcm"]
    nobody = ssl.create_default_context(cafile=str(made.authority))
    with associated(receiver.port, context=nobody) as association:
        assert not association.is_established or association.send_c_echo().get("Status") is None
    assert not echoes(receiver.port), "in the clear"
    assert refused(receiver)["tls"] >= 2
    monkeypatch.delenv("OSTEOXR_PACS_CERTIFICATE")
    monkeypatch.delenv("OSTEOXR_PACS_KEY")
    with pytest.raises(ValueError, match="--port: by TLS one sends only to who has a certificate"):
        Credentials.from_environment("PACS").server_context("--port")


def test_who_is_sending_when_it_stops_is_told_and_nobody_can_delay_it(
    listening: Callable[..., Receiver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, sent = listening(silent_s=60), film()
    with (
        associated(receiver.port, [sent]) as association,
        socket.create_connection(("127.0.0.1", receiver.port)) as silent,
        socket.create_connection(("127.0.0.1", receiver.port)) as slow,
    ):
        slow.sendall(request_of() + b"\x04\x00")
        assert association.send_c_store(sent).Status == 0
        began = time.monotonic()
        stopping = threading.Thread(target=receiver.close)
        stopping.start()
        while not receiver.stopping:
            time.sleep(0.01)
        answer = association.send_c_store(film())
        assert (answer.Status, answer.ErrorComment) == (0xA700, "the listener was being stopped")
        stopping.join(10)
        assert time.monotonic() - began < 8 and ends(silent) and ends(slow)
    assert len(received(tmp_path / "in")) == 1 and not echoes(receiver.port)


def test_a_port_that_is_taken_is_a_sentence(listening: Callable[..., Receiver]) -> None:
    receiver = listening()
    with pytest.raises(
        OSError, match=rf"--host 127.0.0.1 --port {receiver.port}: cannot be listened on \(Address already in use\)"
    ):
        Receiver(receiver.inbox, Tally(), "127.0.0.1", receiver.port, "OSTEOXR", None, IN_THE_CLEAR, 1000, 1, 1.0)


def test_nothing_that_is_said_names_anybody(listening: Callable[..., Receiver], caplog: pytest.LogCaptureFixture) -> None:
    receiver = listening(allowed=["PACS"])
    caplog.set_level("DEBUG")
    sent = film(PatientName="DOE^JANE", PatientID="MRN-4711", SeriesDescription="OsteoXR")
    with quiet():  # as in `listen`
        statuses(receiver.port, [sent, film(StudyInstanceUID="x/y", PatientName="DOE^JANE")], title="PACS")
        echoes(receiver.port, title="EV<IL>")
    said = caplog.text + receiver.tally.metrics()
    assert "a result of OsteoXR" in said and "EV?IL? at 127.0.0.1" in said
    assert not [word for word in ("DOE", "MRN-4711", sent.StudyInstanceUID, sent.SOPInstanceUID) if word in said]
