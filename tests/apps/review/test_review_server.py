"""The server answers its own page alone, takes only what fits, and goes on whatever it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from scripts.apps.review.drawing import read_runs, to_runs
from scripts.apps.review.server import LARGEST, TOKEN_HEADER, ReviewServer
from scripts.apps.review.trail import read_trail

FILM_SIZE = 620 * 840


@pytest.fixture
def server(run: Path, serve: Callable[..., ReviewServer]) -> ReviewServer:
    return serve(run)


def ask(server: ReviewServer, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", server.port)
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    connection.request("POST" if content is not None else "GET", path, content, {TOKEN_HEADER: server.token, **headers})
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    return answer.status, json.loads(found) if answer.headers["Content-Type"] == "application/json" else found


def film_of(server: ReviewServer) -> str:
    return str(server.page.overview()["studies"][0]["films"][0]["name"])


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
    ids=["rebound name", "rebound port", "another page", "a page of a file"],
)
def test_pages_elsewhere_get_nothing(server: ReviewServer, headers: dict[str, str]) -> None:
    for path in ("/", "/api/overview"):
        status, told = ask(server, path, **headers)
        assert status == 403 and "answers only pages of" in told["detail"]


def test_who_lacks_the_token_gets_nothing_but_the_empty_page(server: ReviewServer) -> None:
    for token in ("", "wrong", server.token[:-1]):
        status, told = ask(server, "/api/overview", **{TOKEN_HEADER: token})
        assert status == 403 and "token" in told["detail"]
        assert ask(server, f"/api/films/{film_of(server)}", {"version": 0}, **{TOKEN_HEADER: token})[0] == 403
    assert ask(server, "/", **{TOKEN_HEADER: ""})[0] == 200
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["/../server.py", "/openseadragon/../../server.py", "/review.yaml", "/api/nothing", "/api/films/none", "/x"]
)
def test_what_is_not_there_is_not_found(server: ReviewServer, path: str) -> None:
    status, told = ask(server, path)
    assert status == 404 and told["detail"]


def test_no_page_from_elsewhere_on_the_disk_is_served(server: ReviewServer, tmp_path: Path) -> None:
    (tmp_path / "of_a_patient.html").write_text("secret")
    for slashes in ("", "/", "//", "///"):
        assert ask(server, f"{slashes}{tmp_path}/of_a_patient.html")[0] == 404


def test_grey_values_come_in_full(server: ReviewServer) -> None:
    status, content = ask(server, f"/api/films/{film_of(server)}/grey")
    assert status == 200 and len(content) == 2 * FILM_SIZE
    assert len({content[i : i + 2] for i in range(0, len(content), 2)}) > 10_000, "more than 8 bits hold"


def edit(server: ReviewServer, **changes: object) -> dict[str, Any]:
    film = server.page.film(film_of(server))
    told = {"version": film["version"], "action": "edit", "tool": "brush", "mask": film["mask"], "landmarks": film["landmarks"]}
    return {**told, **changes}


def moved(server: ReviewServer, point: object) -> dict[str, Any]:
    landmarks = dict(server.page.film(film_of(server))["landmarks"])
    return {**landmarks, "right": {**landmarks["right"], "shaft": point}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda _: {"mask": [0, 5]}, "5 pixels, expected 620 x 840"),
        (lambda _: {"mask": [7, FILM_SIZE]}, "holds the value 7, expected 0 to 3"),
        (lambda _: {"mask": [0, -5]}, "no list of values and counts"),
        (lambda _: {"mask": "x"}, "no list of values and counts"),
        (lambda _: {"landmarks": {}}, "landmarks of the right hip"),
        (lambda server: {"landmarks": moved(server, [900, 5])}, "lies outside the film, at row 900"),
        (lambda server: {"landmarks": moved(server, ["a", None])}, "expected \\[row, column\\]"),
        (lambda server: {"landmarks": moved(server, [float("nan"), 1])}, "expected \\[row, column\\]"),
        (lambda _: {"tool": "axe"}, "expected one of contour"),
        (lambda _: {"action": "burn", "hip": "right"}, "means nothing"),
        (lambda _: {"action": "confirm", "hip": "middle"}, "means nothing"),
        (lambda _: {"action": "reject", "hip": "right", "reason": "dislike"}, "The reason is 'dislike'"),
        (lambda _: {"action": "reject", "hip": "right", "reason": "other", "text": "x" * 501}, "at most 500 characters"),
    ],
)
def test_what_does_not_fit_is_not_saved(server: ReviewServer, change: Callable[[ReviewServer], dict], sentence: str) -> None:
    status, told = ask(server, f"/api/films/{film_of(server)}", edit(server, **change(server)))
    assert status == 422
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(told["detail"])
    assert server.page.session.writer.trail.entries == ()
    assert ask(server, f"/api/films/{film_of(server)}", edit(server))[0] == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000], ids=["empty", "half", "list", "no text", "deep"]
)
def test_what_is_no_json_is_refused(server: ReviewServer, body: bytes) -> None:
    status, told = ask(server, f"/api/films/{film_of(server)}", body)
    assert status == 400 and "JSON" in told["detail"]
    assert ask(server, "/api/overview")[0] == 200


def test_a_huge_request_is_not_even_read(server: ReviewServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", f"/api/films/{film_of(server)}")
    connection.putheader(TOKEN_HEADER, server.token)
    connection.putheader("Content-Length", str(LARGEST + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413 and str(LARGEST + 1) in json.loads(answer.read())["detail"]
    connection.close()
    assert ask(server, "/api/overview")[0] == 200


def test_an_empty_contour_is_not_confirmed(server: ReviewServer) -> None:
    film = film_of(server)
    assert ask(server, f"/api/films/{film}", edit(server, mask=[0, FILM_SIZE]))[0] == 200
    status, told = ask(server, f"/api/films/{film}", {"version": 1, "action": "confirm", "hip": "right"})
    assert status == 422 and "contour of the right hip is empty" in told["detail"]


def test_an_older_version_changes_nothing(server: ReviewServer) -> None:
    film = film_of(server)
    confirm = {"version": 0, "action": "confirm", "hip": "right"}
    assert ask(server, f"/api/films/{film}", confirm)[0] == 200
    status, told = ask(server, f"/api/films/{film}", {**confirm, "hip": "left"})
    assert status == 409 and told["changed"] and len(server.page.session.writer.trail.entries) == 1


def test_a_full_disk_is_told_and_nothing_counts(server: ReviewServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(content: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(server.page.session.writer, "append", full)
    status, told = ask(server, f"/api/films/{film_of(server)}", {"version": 0, "action": "confirm", "hip": "right"})
    assert status == 507 and "No space left on device" in told["detail"]
    assert server.page.session.state(film_of(server)).version == 0


def test_estimates_are_held_back_until_a_hip_is_confirmed(run: Path, serve: Callable[..., ReviewServer]) -> None:
    server = serve(run)
    film = film_of(server)
    study = server.page.film(film)["study"]

    def hips() -> list[dict]:
        return ask(server, f"/api/studies/{study}/numbers")[1]["screened"]["films"][film]["hips"]

    assert [hip["estimates"] for hip in hips()] == [{}, {}]
    ask(server, f"/api/films/{film}", {"version": 0, "action": "confirm", "hip": "right"})
    right, left = hips()
    assert set(right["estimates"]) == {"neck", "total"} and left["estimates"] == {}
    assert ask(server, f"/api/studies/{study}/numbers")[1]["screened"]["study"]["outcome"] is None
    ask(server, f"/api/films/{film}", {"version": 1, "action": "confirm", "hip": "left"})
    assert ask(server, f"/api/studies/{study}/numbers")[1]["screened"]["study"]["outcome"]["triage"]
    other = serve(run, "r2", confirm_first=False)
    assert ask(other, f"/api/studies/{study}/numbers")[1]["screened"]["films"][film]["hips"][0]["estimates"]
    assert ask(other, f"/api/films/{film}")[1]["version"] == 0, "r2 sees nothing of r1"
    assert read_trail(run / "out" / "review" / "r2" / "trail.jsonl").entries == ()


def test_runs_give_back_the_mask(server: ReviewServer) -> None:
    film = server.page.shelf.open(film_of(server))
    assert (read_runs(to_runs(film.found.mask), film.shape) == film.found.mask).all()
