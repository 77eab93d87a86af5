"""An audit trail is whole or says where it is not."""

import json
from pathlib import Path

import pytest
from scripts.apps.review.trail import START, TrailError, TrailWriter, read_trail
from scripts.files import BusyError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "r1" / "trail.jsonl"
    writer = TrailWriter(file, "r1")
    for number in range(4):
        writer.append({"film": "a", "action": "confirm", "number": number})
    writer.close()
    return file


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, lines: list[dict]) -> None:
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def test_every_line_tells_of_all_before_it(path: Path) -> None:
    lines, trail = lines_of(path), read_trail(path)
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    assert [line["previous"] for line in lines] == [START, *(line["sha256"] for line in lines[:-1])]
    assert trail.head == lines[-1]["sha256"] and not trail.torn
    assert {line["reader"] for line in lines} == {"r1"} and all(line["time"].endswith("+00:00") for line in lines)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_line_that_was_altered_is_named(path: Path, number: int) -> None:
    lines = lines_of(path)
    lines[number - 1]["number"] = 17
    write(path, lines)
    with pytest.raises(TrailError, match=rf"trail.jsonl, line {number}: its hash"):
        read_trail(path)
    with pytest.raises(TrailError, match=f"line {number}"):
        TrailWriter(path, "r1")


@pytest.mark.parametrize(
    ("order", "first"),
    [((1, 2, 3), 1), ((0, 2, 3), 2), ((0, 2, 1, 3), 2), ((0, 1, 1, 2, 3), 3)],
    ids=["cut", "lost", "swapped", "twice"],
)
def test_lines_that_are_lost_moved_or_repeated_are_named(path: Path, order: tuple[int, ...], first: int) -> None:
    lines = lines_of(path)
    write(path, [lines[index] for index in order])
    with pytest.raises(TrailError, match=rf"line {first}: it says that it is line"):
        read_trail(path)


def test_what_is_no_line_is_named(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + "not json\n" + "".join(lines[2:]))
    with pytest.raises(TrailError, match="line 2: it is no line of an audit trail"):
        read_trail(path)


def test_a_last_line_that_was_not_written_whole_counts_for_nothing(path: Path) -> None:
    with path.open("a") as file:
        file.write('{"seq": 5, "acti')
    assert read_trail(path).torn and len(read_trail(path).entries) == 4
    writer = TrailWriter(path, "r1")
    writer.append({"film": "a", "action": "reopen"})
    writer.close()
    assert [entry["seq"] for entry in read_trail(path).entries] == [1, 2, 3, 4, 5]


def test_one_process_writes_at_a_time(path: Path) -> None:
    writer = TrailWriter(path, "r1")
    with pytest.raises(BusyError):
        TrailWriter(path, "r1")
    writer.close()
