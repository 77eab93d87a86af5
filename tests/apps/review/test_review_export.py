"""What a reader confirmed becomes a folder that trainings and MONAI Label take; two readers are compared once both are done."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_review import FakeFilmReader
from PIL import Image
from scripts.apps.review.agreement import write_agreement
from scripts.apps.review.drawing import to_places, to_runs
from scripts.apps.review.export import export_corrections
from scripts.apps.review.film import FilmShelf
from scripts.apps.review.job import review
from scripts.apps.review.server import ReviewServer
from scripts.clinical import HIP
from scripts.dataset import list_radiographs
from scripts.dataset.labels import read_label, read_landmarks


def decide(server: ReviewServer, film: str, grow: int = 0, reject: str = "") -> None:
    """Confirm both hips of a film, but for one to reject; the right one's contour made wider by some pixels before."""
    session = server.page.session
    if grow:
        found = server.page.shelf.open(film).found
        mask = found.mask.copy()
        mask[120:400, 120 - grow : 120] = 1
        moved = found.landmarks.copy()
        moved[0, 0] += [0.0, grow]
        edit = {"action": "edit", "tool": "brush", "mask": to_runs(mask), "landmarks": to_places(moved)}
        session.act(film, {**edit, "version": session.state(film).version})
    for side in HIP.sides:
        action = {"action": "reject", "reason": "turned"} if side == reject else {"action": "confirm"}
        session.act(film, {**action, "hip": side, "version": session.state(film).version})


def films_of(server: ReviewServer) -> list[str]:
    return [film["name"] for study in server.page.overview()["studies"] for film in study["films"] if not film["lost"]]


def test_what_was_confirmed_is_a_folder_to_learn_from(
    run: Path, serve: Callable[..., ReviewServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(run)
    first, second = films_of(server)
    page, folder = server.page, tmp_path / "corrected"
    with pytest.raises(ValueError, match="has confirmed no film whole"):
        export_corrections(page.session, page.shelf, folder)
    decide(server, first, grow=30)
    decide(server, second, reject="left")
    page.session.close()
    review(page.results, None, page.shelf.reader, (), "r1", 0, True, str(folder), False)  # type: ignore[arg-type]
    assert "1 films with masks and landmarks, 1 of them corrected; 1 were left out" in capsys.readouterr().out
    (item,) = list_radiographs(folder)
    assert Path(item["image"]).read_bytes() == b"grey.dcm" and item["label_by"] == "reader r1"
    assert Path(item["label"]) == folder / "labels" / "final" / f"{first}.png"
    mask = read_label(item["label"], (620, 840))
    found = np.asarray(Image.open(run / "out" / "masks" / f"{first}.png"))
    assert (mask == 1).sum() - (found == 1).sum() == 280 * 30
    points = read_landmarks(item["landmarks"])
    assert points[0, 0] - page.shelf.open(first).found.landmarks[0, 0] == pytest.approx([0.0, 30.0])
    with pytest.raises(ValueError, match="is no empty folder"):
        export_corrections(page.session, page.shelf, folder)


def test_readers_are_compared_once_both_are_done(run: Path, serve: Callable[..., ReviewServer]) -> None:
    one, other = serve(run, "r1"), serve(run, "r2")
    results = one.page.results
    for film in films_of(one):
        decide(one, film, grow=30)
    shelf = FilmShelf(results, FakeFilmReader())
    first, second = films_of(one)
    decide(other, first)
    for server in (one, other):
        server.page.session.close()
    with pytest.raises(ValueError, match=r"1 readers have decided on every hip, expected two or more \(open: r2\)"):
        write_agreement(results, shelf)
    again = serve(run, "r2")
    decide(again, second, reject="right")
    again.page.session.close()
    review(results, None, shelf.reader, (), "r1", 0, True, None, True)  # type: ignore[arg-type]
    with (run / "out" / "review" / "agreement.csv").open() as file:
        rows = {(row["film"], row["hip"]): row for row in csv.DictReader(file)}
    assert len(rows) == 4 and {row["reader"] + row["other_reader"] for row in rows.values()} == {"r1r2"}
    grown = rows[first, "right"]
    assert float(grown["femur_dice"]) == pytest.approx(2 * 280 / (2 * 280 + 30), abs=1e-3)
    assert float(grown["landmarks_mm"]) == pytest.approx(30 * 0.15 / 5, abs=0.01)
    assert float(rows[first, "left"]["femur_dice"]) == 1 and float(rows[first, "left"]["landmarks_mm"]) == 0
    assert rows[second, "right"]["other_decision"] == "rejected" and rows[second, "right"]["femur_dice"] == ""
