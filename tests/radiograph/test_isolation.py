"""A file that ruins the process that reads it costs itself only."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from misbehaviour import Misbehave
from monai.data import MetaTensor
from scripts.radiograph import IsolatedReader

LIMIT = 200 << 20


def item(what, name="film"):
    return {"image": what, "name": name, "study": "s"}


@pytest.fixture(scope="module")
def reader():
    return IsolatedReader(Misbehave(), seconds=3, memory_bytes=LIMIT, ahead=2)


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("crash", "UNREADABLE", "process that read the file ended"),
        ("abort", "UNREADABLE", "process that read the file ended"),
        ("exit", "UNREADABLE", "process that read the file ended"),
        ("raise exit", "UNREADABLE", "SystemExit at misbehaviour.py"),
        ("hang", "TOO_SLOW", "longer than the 3 seconds"),
        ("hang in C", "TOO_SLOW", "longer than the 3 seconds"),
        ("allocate", "TOO_LARGE", "more than the 200 MiB"),
        ("allocate in torch", "TOO_LARGE", "more than the 200 MiB"),
    ],
)
def test_it_is_refused_with_the_reason_and_the_next_file_is_read(reader, what, code, words):
    bad, good = reader([item(what, "bad"), item("good")])
    assert bad.keys() == {"name", "file", "refusal"}
    assert (bad["name"], bad["file"], bad["refusal"].code) == ("bad", what, code)
    assert words in bad["refusal"].sentence
    assert good["image"].shape == (1, 4, 5)


def test_what_comes_back_is_what_the_transform_made(reader):
    film, made = reader.read(item("good")), Misbehave()(item("good"))
    assert (film["name"], film["file"], film["study"]) == ("film", "good", "s")
    assert isinstance(film["image"], MetaTensor) and torch.equal(film["image"], made["image"])
    assert torch.equal(film["image"].affine, made["image"].affine)
    assert film["image"].meta["nothing"] is None and film["image"].meta["pair"] == (1.5, 2.5)
    assert film["covariates"][0] == 60 and film["covariates"][1].isnan()
    film["image"] += 1  # the memory is its own


def test_films_are_read_in_another_process_and_by_one_as_long_as_it_lives(reader):
    first, second = (film["image"].meta["pid"] for film in reader([item("good"), item("good")]))
    assert first == second != os.getpid()


def test_a_film_is_not_charged_with_what_earlier_ones_left_behind(reader):
    assert all("refusal" not in film for film in reader([item("leak")] * 4))


def test_nothing_of_a_header_is_printed_or_told(reader, capfd):
    printed, named = reader([item("print"), item("name")])
    assert "image" in printed
    assert "DOE" not in named["refusal"].sentence and "ValueError" in named["refusal"].sentence
    assert "DOE" not in "".join(capfd.readouterr())


def test_films_come_in_order_and_only_so_many_are_read_ahead(reader):
    taken = []

    def items():
        for index in range(8):
            taken.append(index)
            yield item("good", str(index))

    films = reader(items())
    assert next(films)["name"] == "0"
    time.sleep(1)
    assert len(taken) <= 4  # one given out, two read, one waiting for room
    assert [film["name"] for film in films] == [str(index) for index in range(1, 8)]


def test_an_iteration_that_is_given_up_leaves_the_reader_usable(reader):
    films = reader([item("good", str(index)) for index in range(5)])
    next(films)
    films.close()
    assert reader.read(item("good", "after"))["name"] == "after"


def test_an_error_of_the_items_reaches_who_iterates(reader):
    def items():
        yield item("good")
        raise ValueError("no more")

    films = reader(items())
    next(films)
    with pytest.raises(ValueError, match="no more"):
        next(films)


def test_a_process_that_does_not_start_is_an_error_and_no_refusal(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises((RuntimeError, OSError), match=r"did not start|Broken pipe"):
        IsolatedReader(Misbehave()).read(item("good"))


@pytest.mark.parametrize("bound", [{"seconds": 0}, {"memory_bytes": 0}, {"ahead": 0}])
def test_bounds_are_above_zero(bound):
    with pytest.raises(ValueError, match="above 0"):
        IsolatedReader(Misbehave(), **bound)


PROGRAM = """
import sys
from misbehaviour import Misbehave
from scripts.radiograph import IsolatedReader
reader = IsolatedReader(Misbehave(), seconds=600)
print(reader.read({"image": "good", "name": "a"})["image"].meta["pid"], flush=True)
try:
    list(reader([{"image": "hang in C", "name": "b"}]))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_parent_and_none_prints_a_traceback(how, tmp_path):
    path = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a job in the background ignores it
    )
    child = int(program.stdout.readline())
    server = int(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[1])
    time.sleep(1)
    os.killpg(program.pid, how)
    said, errors = program.communicate(timeout=300)
    assert errors == "" and (how == signal.SIGKILL or said == "interrupted\n")
    deadline = time.monotonic() + 30
    while any(_runs(process) for process in (child, server)):
        assert time.monotonic() < deadline, "a process is left behind"
        time.sleep(0.1)
    assert not list(tmp_path.iterdir())


def _runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
