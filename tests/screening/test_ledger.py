"""What a stopped run had finished is kept, what has changed is done anew, nothing is done or told twice."""

import errno
import json
import os
import re
import zipfile

import pytest
from fake_screening import KEY, MainJob, item_of
from scripts.dataset.pseudonyms import pseudonymise
from scripts.files import Journal
from scripts.results import OverlayWriter
from scripts.screening import ledger as ledger_module
from scripts.screening.ledger import JOURNAL_NAME

FILES = tuple(f"film{index}.dcm" for index in range(5))
NAMES = [pseudonymise(KEY, file) for file in FILES]
TABLES = ("results.csv", "columns.csv", "rejected.csv", "follow_up.csv", "results.json", "results.schema.json", "index.html")


@pytest.fixture
def items(screening):
    screening.folder.mkdir()
    for file in FILES:
        (screening.folder / file).write_bytes(b"pixels")
    return [item_of(screening.folder, file) for file in FILES]


def tables(out):
    """What they hold, but how long it took."""
    took = re.compile(rb'"took": \{[^}]*\}|<dt>Time taken</dt>.*')
    return {name: took.sub(b"", (out / name).read_bytes()) for name in TABLES}


class KilledError(BaseException):
    pass


class DyingWriter(OverlayWriter):
    """Dies while it writes the overlay of the third film."""

    def __call__(self, name, seen, folder):
        if name == NAMES[2]:
            (folder / "overlays" / f".{name}.{os.getpid()}.png").write_bytes(b"half a picture")
            raise KilledError
        return super().__call__(name, seen, folder)


@pytest.fixture
def killed(screening, items):
    """A run that died while it wrote a picture."""
    (mask, overlay), screening.pictures[1] = screening.pictures, DyingWriter()
    with pytest.raises(KilledError):
        screening(items)
    screening.pictures = [mask, overlay]
    release(screening.out)
    screening.screened.clear()
    return screening


def release(out):
    """Close the journals that this process still has open, as the death of a process does."""
    for number in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{number}") == str(out / JOURNAL_NAME):
            os.close(int(number))


def test_a_killed_run_goes_on_and_ends_like_an_undisturbed_one(killed, items, tmp_path, provenance, capsys):
    assert not (killed.out / "results.csv").exists()
    killed(items)
    assert killed.screened == list(FILES[2:])
    assert "2 radiographs are finished already, 3 are to do" in capsys.readouterr().out
    undisturbed = MainJob(tmp_path, provenance)
    undisturbed.out = tmp_path / "other"
    undisturbed(items)
    assert tables(killed.out) == tables(undisturbed.out)
    assert not list(killed.out.rglob(".*")), "half a picture is left"
    assert len((killed.out / JOURNAL_NAME).read_bytes().splitlines()) == len(FILES)


@pytest.mark.parametrize("torn", [b'{"study":"', b'{"study": "x"}', b"\xff\xfe"])
def test_a_torn_last_line_is_dropped(killed, items, torn):
    with (killed.out / JOURNAL_NAME).open("ab") as file:
        file.write(torn)
    killed(items)
    assert killed.screened == list(FILES[2:])
    for line in (killed.out / JOURNAL_NAME).read_bytes().splitlines():
        json.loads(line)


def test_a_finished_run_only_writes_its_tables_again(screening, items, capsys):
    before = tables(screening(items))
    screening.screened.clear()
    (screening.out / "results.csv").unlink()
    assert tables(screening(items)) == before
    assert screening.screened == [] and "all radiographs are finished already" in capsys.readouterr().out


def touched(screening, items):
    (screening.folder / FILES[1]).write_bytes(b"other pixels")
    return items


def reweighted(screening, items):
    screening.provenance = {**screening.provenance, "weights": {**screening.provenance["weights"], "sha256": "1" * 64}}
    return items


def overridden(screening, items):
    screening.provenance = {**screening.provenance, "configuration": {"files": [], "overrides": {"sex_specific": "True"}}}
    return items


def aged(screening, items):
    return [{**item, "age_years": 50.0} if item["name"] == NAMES[1] else item for item in items]


def without_a_picture(screening, items):
    (screening.out / "masks" / f"{NAMES[1]}.png").unlink()
    return items


def renamed(screening, items):
    return [{**item, "name": pseudonymise(b"another key", item["name"])} if item["name"] == NAMES[1] else item for item in items]


CHANGES = [(touched, 1), (reweighted, 5), (overridden, 5), (aged, 1), (without_a_picture, 1), (renamed, 1)]


@pytest.mark.parametrize(("change", "count"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_what_has_changed_is_done_again_and_it_says_so(screening, items, change, count, capsys):
    screening(items)
    screening.screened.clear()
    screening(change(screening, items))
    assert screening.screened == (list(FILES) if count == 5 else [FILES[1]])
    assert f"{count} finished studies are screened again" in capsys.readouterr().out


def test_members_of_an_archive_are_done_again_when_it_changes(screening):
    screening.folder.mkdir()
    (screening.folder / "b.dcm").write_bytes(b"pixels")
    files = ("b.dcm", "films.zip/x/a.dcm", "films.zip/c.dcm")
    items = [item_of(screening.folder, file) for file in files]
    for content, done in ((b"pixels", ["b.dcm", "a.dcm", "c.dcm"]), (b"", []), (b"others", ["a.dcm", "c.dcm"])):
        if content:
            with zipfile.ZipFile(screening.folder / "films.zip", "w") as archive:
                archive.writestr("x/a.dcm", content)
                archive.writestr("c.dcm", content)
        screening.screened.clear()
        screening(items)
        assert screening.screened == done


def test_other_code_is_noticed(screening, items, monkeypatch, tmp_path):
    screening(items)
    screening.screened.clear()
    monkeypatch.setattr("scripts.screening.provenance._CODE", tmp_path / "code")
    package = tmp_path / "code" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for file, done in (("changed.py", FILES), ("numbers.json", FILES), ("logs/server.json", ()), ("logs/server.py", ())):
        (package / file).parent.mkdir(exist_ok=True)
        (package / file).write_text("1\n")
        screening.screened.clear()
        screening(items)
        assert screening.screened == list(done)


def test_a_radiograph_that_is_gone_leaves_nothing_behind(screening, items):
    screening(items)
    (screening.out / "masks" / "mine.png").write_bytes(b"of the user")
    screening(items[1:])
    assert {path.stem for path in screening.out.rglob("*.png")} == {*NAMES[1:], "mine"}
    assert FILES[0].encode() not in b"".join(tables(screening.out).values())


def test_two_runs_never_share_a_folder(screening, items):
    screening.out.mkdir()
    journal = Journal(screening.out / JOURNAL_NAME)
    with pytest.raises(SystemExit, match="another run writes to this folder"):
        screening(items)
    journal.close()
    screening(items)


def test_a_disk_that_fails_ends_the_run_with_one_sentence_and_no_half_line(screening, items, monkeypatch, capsys):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: full(descriptor) if count(screening.out) == 4 else before(descriptor))
    with pytest.raises(SystemExit) as ended:
        screening(items)
    monkeypatch.undo()
    assert ended.value.code == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"cannot be written: No space left on device\. 3 of 5 radiographs are finished and safe", said)
    assert count(screening.out) == 3 and not (screening.out / "results.csv").exists()
    release(screening.out)
    screening.screened.clear()
    screening(items)
    assert screening.screened == list(FILES[3:])


def count(out):
    return (out / JOURNAL_NAME).read_bytes().count(b"\n")


def test_the_films_of_a_study_are_entered_together_or_not_at_all(screening, items):
    screening.out.mkdir()
    ledger = ledger_module.Ledger(items, screening.folder, screening.out, screening.provenance)
    ledger.open()
    with pytest.raises(ValueError, match="expected all of the study and no others"):
        ledger.add(NAMES[:2], {}, 0.0)
