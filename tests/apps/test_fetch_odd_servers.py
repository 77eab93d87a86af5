"""What servers may do against the standard, and without cause, costs what it concerns and nothing else."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pydicom
import pytest
from orthanc import free_ports
from own_command import ended
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt, sop_class
from scripts.apps.pacs.fetch import Fetched, fetch
from scripts.dataset.listing import FETCHED
from small_films import content_of, make_film

TOKEN = "s3cret-token"
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
NAME, ID = "DOE^JANE", "MRN-4711"


class Odd(BaseHTTPRequestHandler):
    """A DICOMweb service of the films, each in a study of its own, that does to each what its trouble says."""

    films: ClassVar[dict[str, tuple[Dataset, str]]]
    seen: ClassVar[Counter[str]]
    tokens: ClassVar[set[str]]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        parts = path.removeprefix("/dicom-web/").split("/")
        self.tokens.add(self.headers.get("Authorization", ""))
        film, trouble = self.films.get(parts[1] if len(parts) > 1 else "", (None, ""))
        self.seen[f"{trouble}: {'/'.join(parts[0::2])}"] += 1
        if len(parts) == 1:  # filters, limit and offset are ignored
            self.say([self.study(*one) for one in self.films.values()] + [{"garbage": 1}, "none", {}])
        elif trouble == "unknown attribute" and "includefield" in query:
            self.send_error(400)
        elif trouble == "study fails" or (trouble == "once busy" and self.seen[f"{trouble}: studies/series"] == 1):
            self.send_error(500 if trouble == "study fails" else 503)
        elif len(parts) == 3:
            told = self.tell(film, "SeriesInstanceUID", "Modality", "BodyPartExamined")
            self.say([told | {"00180015": {"vr": "IS", "Value": [5]}} if trouble == "number" else told])
        elif len(parts) == 5:
            told = self.tell(film, "SOPInstanceUID", "SOPClassUID")
            if trouble == "path":
                told["00080018"]["Value"] = ["../../../evil"]
            self.say([told, told])
        else:
            self.give(content_of(make_film() if trouble == "another" else film), trouble)

    def study(self, film: Dataset, trouble: str) -> Any:
        told = self.tell(film, "StudyInstanceUID", "StudyDate")
        if trouble == "no uid":
            del told["0020000D"]
        return told

    def tell(self, film: Dataset, *keywords: str) -> dict[str, Any]:
        told = Dataset()
        for keyword in keywords:
            if keyword in film:
                told[keyword] = film[keyword]
        return told.to_json_dict()

    def say(self, content: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/dicom+json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def give(self, content: bytes, trouble: str) -> None:
        if trouble == "dropped":
            self.connection.close()
            return
        only = trouble == "one syntax" and "transfer-syntax" in self.headers["Accept"]
        if trouble in ("fault", "gone") or only:
            self.send_error({"fault": 500, "gone": 404, "one syntax": 406}[trouble])
            return
        content = b"<html>log in</html>" if trouble == "html" else content
        self.send_response(200)
        if trouble == "single":
            self.send_header("Content-Type", "application/dicom")
            whole = content
        else:
            self.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=b0')
            whole = b"--b0\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b0--"
        self.end_headers()
        self.wfile.write(whole[: len(whole) // 2] if trouble == "cut" else whole)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd() -> Iterator[str]:
    Odd.films, Odd.seen, Odd.tokens = {}, Counter(), set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    server.shutdown()


def offer(*troubles: str, **attributes: Any) -> list[str]:
    films = [make_film(PatientName=NAME, PatientID=ID, **attributes) for _ in troubles]
    Odd.films |= {str(film.StudyInstanceUID): (film, trouble) for film, trouble in zip(films, troubles, strict=True)}
    return [str(film.SOPInstanceUID) for film in films]


def fetch_from(server: str, folder: Path, **options: Any) -> Fetched:
    asked: dict[str, Any] = {"modality": ["DX"], "body_part": None, "screened": False, "title": "OSTEOXR", "move_port": None}
    return fetch(str(folder), server, "today", **(asked | {"attempts": 2, "sleep": lambda _: None} | options))


def test_each_trouble_costs_one_radiograph_at_most(odd: str, tmp_path: Path) -> None:
    good = offer("", "dropped", "", "unknown attribute", "once busy", "single", "number", "one syntax", "")
    dropped = good.pop(1)
    offer("cut", "fault", "html", "path", "gone", "another", "no uid", "study fails")
    good += offer("")
    offer("elsewhen", StudyDate="20010101")
    offer("ct", Modality="CT")
    offer("chest", BodyPartExamined="CHEST")
    silent = make_film()
    del silent.Modality, silent.StudyDate, silent.BodyPartExamined
    Odd.films[silent.StudyInstanceUID] = (silent, "silent")
    twice = make_film(SOPInstanceUID=good[0], StudyInstanceUID=generate_uid())
    Odd.films[twice.StudyInstanceUID] = (twice, "twice")
    fetched = fetch_from(odd, tmp_path / "in")
    came = {file.stem for file in (tmp_path / "in").rglob("*.dcm")}
    assert came == {*good, str(silent.SOPInstanceUID)}
    for file in (tmp_path / "in").rglob("*.dcm"):
        assert pydicom.dcmread(file).pixel_array.shape == (80, 64)
    assert [file.name for file in tmp_path.iterdir()] == ["in"], "nothing is written beside the folder"
    assert fetched.new == len(came) and fetched.unanswered == 2, "dropped, and cut off"
    assert Counter(fetched.failed) == {
        "HTTP 500": 2,
        "HTTP 404": 1,
        "what came is no DICOM object": 1,
        "another object came": 1,
        "the server tells no proper UID of an object": 1,
        "the server tells no proper UID of a study": 1,
    }
    entries = [json.loads(line) for line in (tmp_path / "in" / FETCHED).read_text().splitlines()]
    assert sorted(entry["object"] for entry in entries if "file" in entry) == sorted(came)
    assert Counter(entry["failed"] for entry in entries if "failed" in entry) == {**Counter(fetched.failed), "ConnectionError": 2}
    assert not any(Odd.seen[f"{trouble}: studies/series/instances"] for trouble in ("ct", "chest", "elsewhen"))
    told = fetched.told()
    assert "2 failed: HTTP 500." in told and "2 are missing, since the server did not answer (ConnectionError)." in told
    Odd.films = {uid: (film, "") for uid, (film, trouble) in Odd.films.items() if trouble in ("dropped", "fault")}
    again = fetch_from(odd, tmp_path / "in")
    assert again.new == 2 and dropped in {file.stem for file in (tmp_path / "in").rglob("*.dcm")}


def test_radiographs_that_silence_a_server_keep_others_back_once(odd: str, tmp_path: Path) -> None:
    _, _, *good = offer("dropped", "dropped", "", "")
    first, second = (fetch_from(odd, tmp_path) for _ in range(2))
    assert (first.new, first.unanswered) == (0, 4) and (second.new, second.unanswered) == (2, 2)
    assert {file.stem for file in tmp_path.rglob("*.dcm")} == set(good)


def test_a_server_that_is_gone_is_not_asked_for_all_that_is_left(odd: str, tmp_path: Path) -> None:
    offer("", *["dropped"] * 30)
    fetched = fetch_from(odd, tmp_path, attempts=3)
    assert fetched.new == 1 and fetched.unanswered == 30
    assert Odd.seen["dropped: studies/series/instances"] == 30 * 2 + 3 + 1, "a search of two pages each, then two films"


@contextmanager
def entity(films: list[Dataset], end_at: str = "", without: str = "") -> Iterator[str]:
    """An application entity that ends the association where one of the films is asked for."""

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        for film in films:
            if all(not wanted.get(uid) or wanted[uid].value == film[uid].value for uid in UIDS):
                answer = Dataset()
                for element in wanted:
                    if element.keyword in film:
                        answer[element.tag] = film[element.tag]
                yield 0xFF00, answer

    def get(event: evt.Event) -> Iterator[Any]:
        found = [film for film in films if film.SOPInstanceUID == event.identifier.SOPInstanceUID]
        if end_at == found[0].SOPInstanceUID:
            event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        yield len(found)
        for film in found:
            yield 0xFF00, film

    server = AE("PACS")
    for service in ("Find", "Get"):
        if service != without:
            server.add_supported_context(getattr(sop_class, f"StudyRootQueryRetrieveInformationModel{service}"))
    server.add_supported_context(films[0].SOPClassUID, ExplicitVRLittleEndian, scu_role=True, scp_role=True)
    (port,) = free_ports(1)
    running = server.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_FIND, find), (evt.EVT_C_GET, get)])
    yield f"PACS@127.0.0.1:{port}"
    running.shutdown()


def test_a_radiograph_over_which_the_association_ends_keeps_no_other_back(tmp_path: Path) -> None:
    films = [make_film() for _ in range(4)]
    with entity(films, end_at=films[1].SOPInstanceUID) as server:
        fetched = fetch_from(server, tmp_path)
    assert {file.stem for file in tmp_path.rglob("*.dcm")} == {film.SOPInstanceUID for film in (films[0], *films[2:])}
    assert (fetched.new, fetched.unanswered, fetched.failed) == (3, 1, [])


def test_an_entity_that_lacks_a_service_is_told(tmp_path: Path) -> None:
    with entity([make_film(), make_film()], without="Get") as server:
        assert "2 failed: PACS offers no GET; give --move_port, for C-MOVE." in fetch_from(server, tmp_path).told()
    with entity([make_film()], without="Find") as server:
        assert "The server could not be searched (PACS offers no FIND)." in fetch_from(server, tmp_path).told()


@pytest.mark.parametrize("log", ["text", "json"])
def test_tokens_and_names_stay_where_they_belong(
    log: str, odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    offer("", "html", "fault", "path", "number", "dropped")
    monkeypatch.setenv("OSTEOXR_PACS_TOKEN", TOKEN)
    folder = tmp_path / "in"
    words = ("fetch", str(folder), "--server", odd, "--study_date", "today", "--attempts", "1", "--log", log)
    assert ended(*words) == 1
    said = capfd.readouterr()
    assert Odd.tokens == {f"Bearer {TOKEN}"}
    assert "2 radiographs were fetched" in said.out + said.err and "The same command fetches what is left." in said.out + said.err
    for secret in (TOKEN, NAME, "DOE", ID, *Odd.films):
        assert secret not in said.out + said.err
    assert "Traceback" not in said.out + said.err
    assert not [secret for secret in (TOKEN, NAME, ID) if secret in (folder / FETCHED).read_text()]


def test_a_token_never_goes_in_the_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTEOXR_PACS_TOKEN", TOKEN)
    with pytest.raises(ValueError, match="a token goes by https alone") as refused:
        fetch_from("http://pacs.hospital/dicom-web", tmp_path)
    assert TOKEN not in str(refused.value)
    monkeypatch.setenv("OSTEOXR_PACS_TOKEN", f"{TOKEN} and more")
    with pytest.raises(ValueError, match="OSTEOXR_PACS_TOKEN: holds what no token does") as refused:
        fetch_from("https://pacs.hospital/dicom-web", tmp_path)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    "where",
    ["pacs", "https://a:b@pacs/dicom-web", "https://pacs/d?token=x", "PACS@host", "ftp://pacs", "@h:104", " @h:104", "P@h:70000"],
)
def test_an_address_that_is_none_is_told(where: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the address of a DICOMweb service"):
        fetch_from(where, tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_a_host_without_an_address_is_told(tmp_path: Path) -> None:
    for server in ("PACS@nowhere.invalid:104", "https://nowhere.invalid/dicom-web"):
        assert "The server could not be searched (" in fetch_from(server, tmp_path).told()


def test_what_does_not_go_together_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--title 'A TITLE THAT IS TOO LONG': expected 1 to 16 letters"):
        fetch_from("PACS@host:104", tmp_path / "in", title="A TITLE THAT IS TOO LONG")
    with pytest.raises(ValueError, match="--move_port 11112: is for C-MOVE"):
        fetch_from("https://pacs/dicom-web", tmp_path / "in", move_port=11112)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("in", "--server is missing"),
        ("--server PACS@host:104", "FOLDER is missing (the folder of radiographs, made where it is missing)"),
        ("in --server PACS@host:104 --modality CT", "--modality is 'CT'; expected one of DX, CR, RG, RF, XR, OT"),
        ("in --server PACS@host:104 --modality DX,CRR", "--modality is 'CRR'; expected one of DX, CR, RG, RF, XR, OT; did you"),
        ("in --server PACS@host:104 --limit 0", "--limit is '0'; expected a whole number from 1"),
        ("in --server PACS@host:104 --move_port 70000", "--move_port is '70000'; expected a whole number from 1 to 65535"),
        ("in --server PACS@host:104 --attempts many", "--attempts is 'many'; expected a whole number"),
    ],
)
def test_what_is_mistyped_is_a_sentence(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ended("fetch", *words.split()) == 2
    assert said in capfd.readouterr().err and not list(tmp_path.iterdir())
