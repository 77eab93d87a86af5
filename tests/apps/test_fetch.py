"""Radiographs come from a real PACS as they were stored there, each once, whatever happens in between."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orthanc
import pydicom
import pytest
from own_command import ended
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)
from scripts.apps.pacs import fetch as fetching
from scripts.apps.pacs.answers import DeclinedError, UnreachableError
from scripts.apps.pacs.fetch import Fetched, fetch
from scripts.apps.pacs.servers import open_server
from scripts.dataset.listing import FETCHED
from small_films import content_of, make_film

KINDS = ("dicomweb", "c-get", "c-move")
SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless,
)  # fmt: skip
MANY = 50


def store(pacs: orthanc.Orthanc, *films: Dataset) -> list[str]:
    for film in films:
        pacs.store(content_of(film))
    return [str(film.SOPInstanceUID) for film in films]


def fetch_by(kind: str, pacs: orthanc.Orthanc, folder: Path, study_date: str = "all", **options: Any) -> Fetched:
    """As the command does, without long waits."""
    asked: dict[str, Any] = {"modality": ["DX", "CR"], "body_part": None, "screened": False, "title": "OSTEOXR", "attempts": 2}
    asked |= {"move_port": pacs.mover if kind == "c-move" else None, "sleep": lambda _: None} | options
    return fetch(str(folder), pacs.dicomweb if kind == "dicomweb" else pacs.entity, study_date, **asked)


def files_in(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in folder.rglob("[!.]*.dcm")}


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[orthanc.Orthanc]:
    with orthanc.running(tmp_path_factory.mktemp("pacs")) as running:
        yield running


@pytest.fixture
def empty(pacs: orthanc.Orthanc) -> orthanc.Orthanc:
    pacs.clear()
    return pacs


@pytest.mark.parametrize("kind", KINDS)
def test_a_radiograph_comes_as_it_was_stored(kind: str, empty: orthanc.Orthanc, tmp_path: Path) -> None:
    films = [make_film(syntax) for syntax in SYNTAXES]
    uids = store(empty, *films)
    fetched = fetch_by(kind, empty, tmp_path)
    assert fetched.complete and (fetched.new, fetched.there) == (len(films), 0)
    files = files_in(tmp_path)
    assert sorted(files) == sorted(uids)
    for film, syntax in zip(films, SYNTAXES, strict=True):
        came = pydicom.dcmread(files[film.SOPInstanceUID])
        assert came.file_meta.TransferSyntaxUID == syntax
        assert files[film.SOPInstanceUID].parent.name == film.StudyInstanceUID
        assert came.pixel_array.tolist() == film.pixel_array.tolist()
        del came.PixelData, film.PixelData
        assert came == film
    again = fetch_by(kind, empty, tmp_path)
    assert again.complete and (again.new, again.there) == (0, len(films))


@pytest.mark.parametrize("kind", KINDS[:2])
def test_only_what_is_wanted_comes(kind: str, empty: orthanc.Orthanc, tmp_path: Path) -> None:
    yesterday = f"{date.today() - timedelta(1):%Y%m%d}"
    hip, part_unknown, chest = make_film(), make_film(BodyPartExamined=""), make_film(BodyPartExamined="CHEST")
    cr, old = make_film(Modality="CR", StudyDate=yesterday), make_film(StudyDate="20200101")
    ct = [make_film(Modality="CT", SOPClassUID=CTImageStorage, StudyInstanceUID=hip.StudyInstanceUID) for _ in range(3)]
    presentation = make_film(SOPClassUID=CTImageStorage, StudyInstanceUID=hip.StudyInstanceUID)
    ours = make_film(StudyInstanceUID=hip.StudyInstanceUID, SeriesDescription="OsteoXR, picture; research use only")
    done = make_film()
    report = make_film(
        Modality="SR", SeriesDescription="OsteoXR, report; research use only", StudyInstanceUID=done.StudyInstanceUID
    )
    anothers = make_film(Modality="SR", SeriesDescription="Dose", StudyInstanceUID=hip.StudyInstanceUID)
    store(empty, hip, part_unknown, chest, cr, old, *ct, presentation, ours, done, report, anothers)

    def came(folder: str, *days: str, **options: Any) -> set[str]:
        fetched = fetch_by(kind, empty, tmp_path / folder, *days, **options)
        assert fetched.complete and fetched.screened == (0 if options.get("screened") or "yesterday" in days else 1)
        return set(files_in(tmp_path / folder))

    today = {hip.SOPInstanceUID, part_unknown.SOPInstanceUID}
    assert came("today", "today") == today
    assert came("two days", "2") == {*today, cr.SOPInstanceUID}
    assert came("yesterday", "yesterday") == {cr.SOPInstanceUID}
    assert came("all") == {*today, cr.SOPInstanceUID, old.SOPInstanceUID}
    assert came("dx", f"{yesterday}-", modality=["DX"]) == today
    assert came("chests", "today", body_part=["chest"]) == {chest.SOPInstanceUID, part_unknown.SOPInstanceUID}
    assert came("screened too", "today", screened=True) == {*today, done.SOPInstanceUID}


def test_a_limit_is_of_studies_and_the_next_run_goes_on(empty: orthanc.Orthanc, tmp_path: Path) -> None:
    uids = store(empty, *(make_film() for _ in range(5)))
    counts = [(found.new, found.left) for found in (fetch_by("dicomweb", empty, tmp_path, limit=2) for _ in range(3))]
    assert counts == [(2, 3), (2, 1), (1, 0)] and sorted(files_in(tmp_path)) == sorted(uids)


def test_what_was_removed_to_make_room_does_not_come_again(empty: orthanc.Orthanc, tmp_path: Path) -> None:
    store(empty, make_film())
    fetch_by("c-get", empty, tmp_path)
    next(iter(files_in(tmp_path).values())).unlink()
    again = fetch_by("c-get", empty, tmp_path)
    assert (again.new, again.there) == (0, 1) and not files_in(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pacs_that_dies_and_comes_back_gives_every_radiograph_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, waits, outcome = tmp_path / "in", list[float](), list[Any]()
    get = fetching._Run._get

    def slow(*told: Any) -> None:
        time.sleep(0.05)  # else all are there before the PACS is gone
        get(*told)

    monkeypatch.setattr(fetching._Run, "_get", slow)

    def patient(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(0.3)

    def run() -> None:
        try:
            outcome.append(fetch_by(kind, pacs, folder, attempts=100, sleep=patient))
        except BaseException as error:
            outcome.append(error)

    with orthanc.running(tmp_path) as pacs:
        studies = [generate_uid() for _ in range(MANY if kind == "dicomweb" else MANY // 5)]  # each takes longer by the others
        uids = store(pacs, *(make_film(StudyInstanceUID=studies[index % len(studies)]) for index in range(MANY)))
        thread = threading.Thread(target=run)
        thread.start()
        while len(files_in(folder)) < MANY // 3:
            assert thread.is_alive(), outcome
    while not waits:
        assert thread.is_alive(), f"the PACS was gone before all were fetched: {outcome}"
        time.sleep(0.05)
    with orthanc.running(tmp_path, again=pacs):
        thread.join(120)
    assert isinstance(outcome[0], Fetched) and outcome[0].complete and outcome[0].new == MANY, outcome
    entered = [json.loads(line)["object"] for line in (folder / FETCHED).read_text().splitlines()]
    assert sorted(entered) == sorted(files_in(folder)) == sorted(uids)


def test_a_run_that_is_killed_goes_on_where_it_was(
    empty: orthanc.Orthanc, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    uids, folder = store(empty, *(make_film() for _ in range(MANY))), tmp_path / "in"
    process = multiprocessing.get_context("fork").Process(target=fetch_by, args=("dicomweb", empty, folder))
    process.start()
    while len(files_in(folder)) < 5:
        assert process.is_alive()
        time.sleep(0.005)
    process.kill()
    process.join()
    before = len(files_in(folder))
    assert before < MANY
    (next(folder.glob("*.*.*")) / ".torn.4711.dcm").write_bytes(b"half")
    assert ended("fetch", str(folder), "--server", empty.dicomweb, "--study_date", "today") == 0
    assert sorted(files_in(folder)) == sorted(uids) and not list(folder.rglob(".torn*"))
    told = f"{MANY - before} radiographs were fetched from {empty.dicomweb} to {folder}, {before} had been."
    assert told in capfd.readouterr().out
    entered = [json.loads(line)["object"] for line in (folder / FETCHED).read_text().splitlines()]
    assert sorted(entered) == sorted(uids)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    (port,) = orthanc.free_ports(1)
    gone = orthanc.Orthanc("", f"http://127.0.0.1:{port}/dicom-web", port, 0)
    for kind in KINDS[:2]:
        fetched = fetch_by(kind, gone, tmp_path)
        assert not fetched.complete and "The server could not be searched (" in fetched.told()
    assert "Connection refused" in fetched.told()


def test_a_pacs_that_does_not_know_where_we_are_is_told(empty: orthanc.Orthanc, tmp_path: Path) -> None:
    store(empty, make_film(), make_film())
    fetched = fetch_by("c-move", empty, tmp_path, title="NOBODY")
    assert not files_in(tmp_path)
    told = "2 failed: the server did not send it (status 0xC000); it must know NOBODY with our host and --move_port."
    assert told in fetched.told()


def test_a_port_that_is_taken_is_a_sentence(empty: orthanc.Orthanc, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"--move_port {empty.port}: cannot be opened \(Address already in use\)"):
        fetch_by("c-move", empty, tmp_path, move_port=empty.port)


def test_what_nobody_asked_for_is_turned_away(empty: orthanc.Orthanc) -> None:
    with closing(open_server(empty.entity, "OSTEOXR", empty.mover)):
        for title, said in (("OSTEOXR", "status 0x0124"), ("ANYBODY", "called ae title not recognised")):
            stranger = open_server(f"{title}@127.0.0.1:{empty.mover}", "STRANGER")
            with closing(stranger), pytest.raises((DeclinedError, UnreachableError), match=said):
                stranger.store(make_film())


@pytest.mark.parametrize(
    "days", ["", "tomorrow", "2026", "20261301", "2026-02-30", "20261130-20261101", "-", "1.5", "20261101/20261130", "last week"]
)
def test_days_that_are_none_are_a_sentence(days: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--study_date is .*; expected today, yesterday, a number of days such as 3,"):
        fetch_by("c-get", orthanc.Orthanc("", "", 9, 0), tmp_path / "in", days)
    assert not (tmp_path / "in").exists()
