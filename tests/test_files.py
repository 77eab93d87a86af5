import pytest
from scripts.files import BusyError, Journal, replacing


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with replacing(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("earlier")
    with pytest.raises(OSError, match="disk full"), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_journal_gives_back_its_entries_to_one_run_at_a_time(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    assert journal.resume({"seed": 1}) == []
    assert journal.append({"name": "a", "pair": (1, 2)}) == {"name": "a", "pair": [1, 2]}
    with pytest.raises(BusyError, match="another run"):
        Journal(path)
    journal.close()
    with path.open("a") as stream:
        stream.write('{"name": "b", "pa')  # as a killed run leaves it
    journal = Journal(path)
    assert journal.resume({"seed": 1}) == [{"name": "a", "pair": [1, 2]}]
    journal.append({"name": "b"})
    assert [entry.get("name") for entry in journal.read()] == [None, "a", "b"]
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"other settings \(seed\)"):
        journal.resume({"seed": 2})
    assert path.read_bytes() == before
