"""Results that cannot be reviewed say why: each in a sentence, and films one by one where the others can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_review import items_of
from scripts.apps.review.job import check_trails, review
from scripts.apps.review.results import ScreenedResults, folder_of, open_results, read_document
from scripts.apps.review.server import ReviewServer
from scripts.files import read_journal


def opened(run: Path, provenance: dict[str, Any] | None = None) -> ScreenedResults:
    recorded = read_document(run / "out")["provenance"]
    return open_results(str(run / "out"), str(run / "in"), items_of(run), provenance or recorded)


def test_the_folder_that_was_screened_is_known(run: Path, screened: Path) -> None:
    assert folder_of(str(run / "out")) == str(screened / "in"), "as the journal was written"
    (run / "out" / "journal.jsonl").unlink()
    with pytest.raises(SystemExit, match="does not tell which folder was screened"):
        folder_of(str(run / "out"))


@pytest.mark.parametrize(
    "content", [None, "{", "[]", '{"provenance": {}}'], ids=["missing", "half", "a list", "another document"]
)
def test_a_folder_without_results_is_none(run: Path, content: str | None) -> None:
    path = run / "out" / "results.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(ValueError, match=r"results.json: (there is no such file|it is no results.json)"):
        opened(run)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weights": {"file": "m.pt", "sha256": "1" * 64, "provenance": {}}}, "weights: 0000000000.* there, 1111111"),
        ({"configuration": {"files": [], "overrides": {"sex_specific": "True"}}}, "options sex_specific: none there, True here"),
        ({"configuration": {"files": [{"file": "own.yaml", "sha256": "2"}], "overrides": {}}}, "configuration own.yaml"),
        ({"calibration": {"sha256": "3"}}, "calibration: none there"),
    ],
)
def test_results_of_another_screen_are_refused(run: Path, change: dict[str, Any], told: str) -> None:
    recorded = read_document(run / "out")["provenance"]
    with pytest.raises(ValueError, match=told):
        opened(run, {**recorded, **change})


def test_what_changes_no_number_is_no_other_screen(run: Path) -> None:
    recorded = read_document(run / "out")["provenance"]
    overrides = {"reader": "r2", "port": "1", "export_dir": "x", "device": "cuda", "nifti": "True"}
    files = [{"file": "review.yaml", "sha256": "4"}]
    assert not opened(run, {**recorded, "configuration": {"files": files, "overrides": overrides}}).lost


def test_results_of_other_software_are_refused(run: Path) -> None:
    journal = run / "out" / "journal.jsonl"
    entries = [{**entry, "settings": "0" * 64} for entry in read_journal(journal)]
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    with pytest.raises(ValueError, match="another version of the software"):
        opened(run)


def test_films_that_are_gone_or_changed_are_named_and_the_others_reviewed(run: Path, serve: Callable[..., ReviewServer]) -> None:
    (run / "in" / "grey.dcm").write_bytes(b"another film")
    results = opened(run)
    ((name, why),) = results.lost.items()
    assert results.films[name]["file"] == "grey.dcm" and "was changed after the screening" in why
    server = serve(run)
    films = [film for study in server.page.overview()["studies"] for film in study["films"]]
    assert [bool(film["lost"]) for film in films] == [True, False, True] and films[1]["open"] == ["right", "left"]
    with pytest.raises(ValueError, match="was changed after"):
        server.page.film(name)
    (run / "in" / "fractured.dcm").write_bytes(b"and one more")
    with pytest.raises(ValueError, match="there is no film to review"):
        opened(run)


def test_a_film_that_is_not_listed_is_missing(run: Path) -> None:
    recorded = read_document(run / "out")["provenance"]
    results = open_results(str(run / "out"), str(run / "in"), items_of(run)[1:], recorded)
    (why,) = results.lost.values()
    assert "grey.dcm is not in" in why and "--dataset_dir" in why


def test_trails_are_checked_and_what_does_not_fit_is_named(
    run: Path, serve: Callable[..., ReviewServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(run)
    film = server.page.shelf.open(server.page.overview()["studies"][0]["films"][0]["name"])
    told = server.page.film(film.name)
    edit = {"action": "edit", "tool": "brush", "mask": [1, film.shape[0] * film.shape[1]], "landmarks": told["landmarks"]}
    server.page.session.act(film.name, {**edit, "version": 0})
    server.page.session.act(film.name, {"action": "confirm", "hip": "right", "version": 1})
    with pytest.raises(SystemExit) as ended:
        check_trails(str(run / "out"))
    assert ended.value.code == 0 and "2 lines, whole and in order" in capsys.readouterr().out
    (mask,) = (run / "out" / "review" / "r1" / "masks").iterdir()
    kept = mask.read_bytes()
    mask.write_bytes(kept[:-1] + b"x")
    with pytest.raises(SystemExit, match="the mask was altered"):
        check_trails(str(run / "out"))
    mask.write_bytes(kept)
    trail = run / "out" / "review" / "r1" / "trail.jsonl"
    trail.write_text(trail.read_text().replace('"confirm"', '"reject"'))
    with pytest.raises(SystemExit, match=r"trail.jsonl, line 2: its hash"):
        check_trails(str(run / "out"))


def test_a_reader_is_a_pseudonym(run: Path) -> None:
    for name in ("", "../r1", "Dr. A", "x" * 33):
        with pytest.raises(ValueError, match="expected a pseudonym"):
            review(opened(run), None, None, (), name, 0, True, None, False)  # type: ignore[arg-type]
