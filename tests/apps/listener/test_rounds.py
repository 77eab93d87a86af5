"""Each study is screened once, when it is complete, as the main job would; what fails costs itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_screening import KEY, NOTICE, FakeCascade, FakeReader, fake_screen
from pydicom.uid import generate_uid
from scripts.apps.listener import inbox as inbox_module
from scripts.apps.listener.inbox import Inbox
from scripts.apps.listener.rounds import LISTENED, Rounds
from scripts.apps.listener.tally import Tally
from scripts.files import BusyError, read_journal
from scripts.results import MaskWriter, OverlayWriter, ResultsWriter, write_document, write_rejected_table, write_results_table
from scripts.results import writer as writer_module
from scripts.screening import Ledger
from scripts.screening.ledger import JOURNAL_NAME
from small_films import write_film

STUDIES = [str(generate_uid(entropy_srcs=[str(index)])) for index in range(6)]

START = 1000.0


class Once(threading.Event):
    """Ends `run` after one turn."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


class Listener:
    """Rounds over a folder "in" into "out", with stand-ins for files and network, by a clock of its own."""

    def __init__(self, folder: Path, provenance: dict[str, Any]) -> None:
        self.folder, self.out, self.seconds = folder / "in", folder / "out", START
        for each in (self.folder, self.out):
            each.mkdir(exist_ok=True)
        self.provenance = provenance
        self.written: list[Path] = []
        self.network: Any = FakeCascade()
        self.start()

    def start(self) -> None:
        """As a start of the listener does."""
        self.reader, self.tally = FakeReader(), Tally()
        self.inbox = Inbox(self.folder, self.out, 30.0, 10, 0.0)
        ledger = Ledger([], self.folder, self.out, self.provenance)
        screen = fake_screen(self.network, self.reader)
        tables = [write_results_table, write_rejected_table, write_document]
        writer = ResultsWriter(ledger, screen.interpretation.channels.table, NOTICE, [MaskWriter(), OverlayWriter()], tables)
        self.rounds = Rounds(self.inbox, screen, writer, KEY, self.tally, self.written.extend)
        self.rounds.begin()

    def restart(self) -> None:
        self.rounds.close()
        self.start()

    def put(self, study: int, film: int = 0, folder: str = "") -> Path:
        path = self.folder / (folder or str(study)) / f"{film}.dcm"
        write_film(path, 100 * study + film, StudyInstanceUID=STUDIES[study])
        return path

    def after(self, seconds: float) -> list[str]:
        """Let time go by, looking at the folder now and then; return the files that are read meanwhile."""
        self.reader.seen.clear()
        self.rounds.run(Once())
        for _ in range(3):
            self.seconds += seconds / 3
            self.rounds.run(Once())
        return list(self.reader.seen)

    @property
    def entered(self) -> list[str]:
        return [entry["study"] for entry in read_journal(self.out / JOURNAL_NAME)]


@pytest.fixture
def listener(tmp_path: Path, provenance: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    made: list[Listener] = []
    monkeypatch.setattr(inbox_module, "time", SimpleNamespace(monotonic=lambda: made[0].seconds if made else START))
    made.append(Listener(tmp_path, provenance))
    yield made[0]
    made[0].rounds.close()


def test_a_study_is_screened_once_when_nothing_came_for_a_while(listener: Listener) -> None:
    listener.put(0, 0)
    assert listener.after(29) == []
    listener.put(0, 1)
    assert listener.after(29) == [] and listener.inbox.waiting == 1
    assert listener.after(3) == ["0.dcm", "1.dcm"] and listener.inbox.waiting == 0
    assert listener.after(300) == [] and len(listener.entered) == 1
    (outcome,) = listener.tally.lately
    assert (outcome.radiographs, outcome.study, outcome.again) == (2, listener.entered[0], False)
    assert len((listener.out / "results.csv").read_text().splitlines()) == 1 + 2 * 2
    assert set(listener.written) == {*listener.out.glob("*/*.png")}
    listener.restart()
    assert listener.after(300) == [] and len(listener.entered) == 1


def test_a_file_that_still_grows_is_waited_for(listener: Listener) -> None:
    path = listener.put(0)
    content = path.read_bytes()
    for share in (4, 2, 1):
        path.write_bytes(content[: len(content) // share])
        assert listener.after(20) == []
    assert listener.after(31) == ["0.dcm"]


def test_what_a_killed_listener_had_taken_is_screened_by_the_next(listener: Listener) -> None:
    listener.put(0)
    listener.after(31)
    listener.put(1)
    listener.restart()
    assert listener.after(31) == ["0.dcm"] and len(listener.entered) == 2
    assert len((listener.out / "results.csv").read_text().splitlines()) == 1 + 2 * 2


def test_tables_that_a_killed_listener_did_not_write_are_written_by_the_next(listener: Listener) -> None:
    listener.put(0)
    listener.after(31)
    (listener.out / "results.csv").unlink()
    listener.restart()
    assert (listener.out / "results.csv").exists() and len(listener.entered) == 1


def test_an_object_that_comes_late_has_its_study_screened_again_whole(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    listener.put(0, 0)
    assert listener.after(31) == ["0.dcm"]
    listener.put(0, 1)
    listener.put(1)
    listener.after(15)
    listener.put(0, 2)
    assert listener.after(18) == ["0.dcm"], "the other study, while this one waits"
    assert len((listener.out / "results.csv").read_text().splitlines()) == 1 + 2 * 2, "its results are still there"
    assert listener.after(31) == ["0.dcm", "1.dcm", "2.dcm"]
    study = listener.entered[0]
    assert listener.entered.count(study) == 2 and listener.tally.lately[0].again
    assert f"Study {study}: what it holds has changed since it was screened" in caplog.text
    assert listener.tally.counted("studies_again") == 1 and listener.after(300) == []


def test_an_object_that_comes_while_its_study_is_screened_is_not_forgotten(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.put(0, 0)
    finish = Rounds._finish
    with monkeypatch.context() as patched:
        patched.setattr(Rounds, "_finish", lambda *told: (listener.put(0, 1), finish(*told)))
        assert listener.after(31) == ["0.dcm"]
    assert listener.after(31) == ["0.dcm", "1.dcm"]
    assert listener.tally.lately[0].radiographs == 2 and listener.tally.lately[0].again


class FailingCascade(FakeCascade):
    """Fails at its first looks."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def predict(self, *given: Any) -> Any:
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError("of DOE^JANE")
        return super().predict(*given)


def test_a_study_over_which_the_screen_fails_is_put_aside_and_the_others_go_on(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    listener.network = FailingCascade(1)
    listener.restart()
    for study in range(3):
        listener.put(study)
    assert len(listener.after(31)) == 3 and listener.inbox.waiting == 0
    rejected = (listener.out / "rejected.csv").read_text()
    assert rejected.count("The screen failed over this study (RuntimeError at test_rounds.py:") == 1 and "DOE" not in rejected
    assert [outcome.codes for outcome in listener.tally.lately].count(["UNREADABLE"]) == 1
    assert listener.tally.counted("studies_put_aside") == 1 and "DOE" not in caplog.text
    assert listener.after(300) == [] and listener.tally.troubles() == []


def test_a_screen_that_fails_over_everything_refuses_no_more(listener: Listener) -> None:
    listener.network = FailingCascade(100)
    listener.restart()
    for study in range(5):
        listener.put(study)
    with pytest.raises(RuntimeError):
        listener.after(31)
    assert len(listener.entered) == 2


def test_a_study_in_which_the_listener_died_three_times_is_put_aside(listener: Listener) -> None:
    class Killed(BaseException):
        pass

    class Deadly(FakeCascade):
        def predict(self, *given: Any) -> Any:
            raise Killed

    listener.network = Deadly()
    listener.put(0)
    for _ in range(3):
        listener.restart()
        with pytest.raises(Killed):
            listener.after(31)
        listener.rounds.ledger.close()
    listener.restart()
    assert listener.after(31) == ["0.dcm"] and len(listener.entered) == 1
    assert "the listener ended 3 times in the middle of it" in (listener.out / "rejected.csv").read_text()


def test_a_disk_that_is_full_is_waited_for(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    listener.put(0)
    listener.inbox.free_bytes = 1e18
    assert listener.after(31) == [] and listener.inbox.waiting == 1
    assert listener.tally.troubles() == ["Too little is free on the disk; what waits is screened when there is room."]
    listener.inbox.free_bytes = 0

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", f"/in/{STUDIES[0]}")

    with monkeypatch.context() as patched:
        patched.setattr(ResultsWriter, "write", full)
        listener.after(1)
    assert listener.tally.troubles() == ["The screening cannot go on, and is tried again: No space left on device."]
    assert listener.after(1) == ["0.dcm"] and listener.tally.troubles() == [] and len(listener.entered) == 1
    with monkeypatch.context() as patched:
        patched.setattr(writer_module, "make_document", full)
        listener.put(1)
        listener.after(31)
        assert listener.tally.troubles()
    assert listener.after(1) == [] and len(listener.entered) == 2 and listener.tally.troubles() == []
    assert len((listener.out / "results.csv").read_text().splitlines()) == 1 + 2 * 2, "the tables are made up for"


def test_a_disk_that_becomes_full_within_a_round_leaves_the_rest_for_when_there_is_room(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for study in range(2):
        listener.put(study)

    def fill(*told: Any) -> Any:
        listener.inbox.free_bytes = 1e18
        return before(*told)

    for name, entered in (("_list", 0), ("_finish", 1)):
        before = getattr(Rounds, name)
        with monkeypatch.context() as patched:
            patched.setattr(Rounds, name, fill)
            listener.after(31)
        listener.inbox.free_bytes = 0
        assert len(listener.entered) == entered and listener.inbox.waiting == 2 - entered
    assert len(listener.after(1)) == 1 and len(listener.entered) == 2 and listener.inbox.waiting == 0


def test_a_folder_that_is_not_as_it_must_be_is_told_without_what_is_in_it(listener: Listener) -> None:
    listener.put(0)
    (listener.folder / "manifest.csv").write_text("image,age_years\n0/0.dcm,DOE JANE\n")
    assert listener.after(31) == []
    (trouble,) = listener.tally.troubles()
    assert "osteoxr check FOLDER tells more" in trouble and "DOE" not in trouble
    (listener.folder / "manifest.csv").unlink()
    assert listener.after(31) == ["0.dcm"] and listener.tally.troubles() == []


def test_a_listener_that_is_stopped_finishes_the_study_in_hand_and_leaves_the_others(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for study in range(4):
        listener.put(study)
    listener.after(28)
    stop = threading.Event()
    finish = Rounds._finish
    monkeypatch.setattr(Rounds, "_finish", lambda *told: (finish(*told), stop.set()))
    listener.seconds += 10
    listener.rounds.run(stop)
    assert len(listener.entered) == 1 and listener.inbox.waiting == 3
    assert len((listener.out / "results.csv").read_text().splitlines()) == 1 + 2, "the tables are of what is finished"


def test_two_listeners_never_share_results(listener: Listener) -> None:
    with pytest.raises(BusyError, match="another run writes to this folder"):
        Rounds(listener.inbox, listener.rounds.screen, listener.rounds.writer, KEY, Tally(), list)
    assert (listener.out / LISTENED).exists()


def test_what_is_no_radiograph_is_refused_and_not_waited_for(listener: Listener) -> None:
    write_film(listener.folder / "0" / "chest.dcm", 1, BodyPartExamined="CHEST")
    (listener.folder / "notes.txt").write_text("of the technician")
    (listener.folder / "gone.dcm").symlink_to(listener.folder / "absent.dcm")
    assert listener.after(31) == [] and listener.inbox.waiting == 0
    assert {tuple(outcome.codes) for outcome in listener.tally.lately} == {("NOT_A_HIP",), ("UNREADABLE",)}
    assert (listener.out / "rejected.csv").read_text().count("\n") == 1 + 3
