"""The server as the users of MONAI Label start it, `monailabel start_server --app FOLDER`; and landmarks as points."""

from __future__ import annotations

import copy
import csv
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from labelling import EXAMPLES, PROJECT, PYTHON, Server, wait_for
from scripts.clinical.anatomy import HIP
from scripts.dataset.labels import read_landmarks
from scripts.radiograph import read_radiograph

APP = PROJECT / "bundle" / "scripts" / "apps" / "monailabel"
COMMAND = PYTHON.with_name("monailabel")
FILMS = ("normal", "low_bone_mass", "osteoporosis")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("command")
    (folder / "studies").mkdir()
    for film in FILMS:
        shutil.copy(EXAMPLES / "images" / f"{film}.dcm", folder / "studies")
    before = set(APP.iterdir())
    server = Server(str(folder / "studies"), folder / "work", command=[COMMAND, "start_server", "--app", APP])
    yield server
    server.stop()
    for path in set(APP.iterdir()) - before:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def points_of(server: Server, film: str) -> dict[str, Any]:
    content: dict[str, Any] = server.get(f"/landmarks/{film}")
    return content


def put(server: Server, film: str, content: object) -> requests.Response:
    sent = content if isinstance(content, bytes) else json.dumps(content).encode()
    return requests.put(f"{server.url}/landmarks/{film}", files={"points": ("points.mrk.json", sent)}, timeout=600)


def listed(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {point["label"]: point for point in content["markups"][0]["controlPoints"]}


def test_it_is_this_app_and_only_this_machine_reaches_it(served: Server) -> None:
    info = served.get("/info/")
    assert info["name"] == "OsteoXR" and set(info["models"]) == {"segmentation", "screening"}
    assert info["datastore"]["total"] == len(FILMS)
    port = int(served.url.rpartition(":")[2])
    listening = [line.split()[1] for line in Path(f"/proc/{served.process.pid}/net/tcp").read_text().splitlines()[1:]]
    assert f"0100007F:{port:04X}" in listening and f"00000000:{port:04X}" not in listening
    assert requests.get(f"{served.url}/info/", headers={"Host": "elsewhere.example"}, timeout=60).status_code == 400


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--studies", "/no/such/folder"], "--studies /no/such/folder: labels and settings are written there"),
        ([], "--studies is missing"),
        (["--studies", "{films}", "--conf", "serch", "{}"], "serch is no setting of --conf; did you mean search?"),
        (["--studies", "{films}", "--conf", "models", "all"], "models is no setting of --conf. It takes search."),
        (["--studies", "{films}", "--conf", "search", "DX"], "--conf search DX: expected attributes as JSON"),
        (["--studies", "{films}", "--host", "0.0.0.0"], "--host 0.0.0.0: the server asks for no password"),
        (["--studies", "{films}", "-i", "192.168.1.7"], "--host 192.168.1.7: the server asks for no password"),
    ],
)
def test_a_wrong_argument_ends_it_with_one_sentence(words: list[str], said: str, tmp_path: Path) -> None:
    command = [COMMAND, "start_server", "--app", APP, *(word.replace("{films}", str(tmp_path)) for word in words)]
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(said) and ended.stderr.count("\n") == 1, ended.stderr


@pytest.mark.parametrize(
    ("path", "settings", "said"),
    [
        ("train/segmentation", {"lr": 1}, "lr is no setting of this training; did you mean learning_rate?"),
        ("train/segmentation", {"epochs": 5}, "epochs is no setting of this training; did you mean max_epochs?"),
        ("train/segmentation", {"bs": 2}, "bs is no setting of this training; did you mean batch_size?"),
        ("train/segmentation", {"learning-rate": 1e-3}, "did you mean learning_rate?"),
        ("train/segmentation", {"max_epochs": 2, "val_split": 0.2}, "It takes batch_size, learning_rate, max_epochs, seed"),
        ("activelearning/random", {"seconds": 5}, "seconds is no setting of a strategy. It takes none."),
        ("activelearning/least_certain", {"top": 5}, "top is no setting of a strategy. It takes none."),
    ],
)
def test_a_setting_that_there_is_not_is_refused_with_the_one_that_was_meant(
    path: str, settings: dict[str, Any], said: str, served: Server
) -> None:
    answer = served.post(f"/{path}", json=settings)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"] and answer.json()["detail"].endswith(("Nothing was trained.", "Nothing was chosen."))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"threshold": 0.4}, "threshold is no setting of this model. It takes result_extension."),
        ({"result_extention": ".nii"}, "did you mean result_extension?"),
        ({"extension": ".nii"}, "did you mean result_extension?"),
    ],
)
def test_a_model_too_refuses_a_setting_that_there_is_not(settings: dict[str, Any], said: str, served: Server) -> None:
    answer = served.post("/infer/segmentation", params={"image": "normal"}, data={"params": json.dumps(settings)})
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"] and answer.json()["detail"].endswith("Nothing was screened.")


def test_what_3d_slicer_adds_to_its_requests_is_none(served: Server) -> None:
    sent = {"result_extension": ".nrrd", "result_dtype": "uint8", "client_id": "user-xyz"}
    assert served.post("/infer/segmentation", params={"image": "normal"}, data={"params": json.dumps(sent)}).ok
    assert served.post("/activelearning/random", json={"client_id": "user-xyz"}).ok


def test_landmarks_come_as_points_over_the_film(served: Server) -> None:
    content = points_of(served, "normal")
    points = listed(content)
    assert set(points) == {f"{side} {name}" for side in HIP.sides for name in HIP.landmarks}
    assert {point["description"] for point in points.values()} == {"found by OsteoXR"}
    true = read_landmarks(EXAMPLES / "landmarks" / "normal.json")
    row_mm, col_mm = stored_spacing("normal")
    for i, side in enumerate(HIP.sides):
        for j, name in enumerate(HIP.landmarks):
            x, y, z = points[f"{side} {name}"]["position"]
            away = np.hypot(*(np.array([y / row_mm, x / col_mm]) - true[i, j])) * row_mm
            assert z == 0 and away < 8, (side, name, away)


def stored_spacing(film: str) -> tuple[float, float]:
    """As ITK reads it: that of the detector."""
    import pydicom

    found = pydicom.dcmread(EXAMPLES / "images" / f"{film}.dcm")
    row, col = found.get("PixelSpacing") or found.ImagerPixelSpacing
    return float(row), float(col)


def test_corrected_points_are_kept_in_pixels_of_the_film_and_come_back(served: Server) -> None:
    content = points_of(served, "normal")
    found = copy.deepcopy(listed(content))
    points = listed(content)
    points["left head_centre"]["position"][0] += 5.0
    points["right shaft"]["positionStatus"] = "undefined"
    assert put(served, "normal", content).json() == {"image": "normal", "landmarks": "normal"}

    kept = read_landmarks(served.work_dir.parent / "studies" / "landmarks" / "normal.json")
    row_mm, col_mm = stored_spacing("normal")
    x, y, _ = found["left head_centre"]["position"]
    assert kept[HIP.sides.index("left"), 0] == pytest.approx([y / row_mm, (x + 5.0) / col_mm], abs=0.02)
    assert np.isnan(kept[HIP.sides.index("right"), HIP.landmark("shaft")]).all()
    rows, cols = read_radiograph(EXAMPLES / "images" / "normal.dcm").shape[-2:]
    assert np.nanmax(kept[..., 0]) < rows and np.nanmax(kept[..., 1]) < cols

    again = listed(points_of(served, "normal"))
    assert again["left head_centre"]["position"] == pytest.approx([x + 5.0, y, 0.0], abs=0.005)
    assert again["right shaft"]["positionStatus"] == "undefined"
    assert {point["description"] for point in again.values()} == {"corrected"}


def test_points_in_slicers_own_axes_are_the_same(served: Server) -> None:
    content = points_of(served, "low_bone_mass")
    path = served.work_dir.parent / "studies" / "landmarks" / "low_bone_mass.json"
    kept = []
    for axes in ("LPS", "RAS"):
        content["markups"][0]["coordinateSystem"] = axes
        assert put(served, "low_bone_mass", content).ok
        kept.append(json.loads(path.read_text()))
        for point in listed(content).values():
            point["position"] = [-point["position"][0], -point["position"][1], point["position"][2]]
    assert kept[0] == kept[1]


def changed(content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    other = copy.deepcopy(content)
    other["markups"][0]["controlPoints"][0] |= fields
    return other


def test_points_that_do_not_fit_are_refused_and_the_earlier_stay(served: Server) -> None:
    content = points_of(served, "normal")
    assert put(served, "normal", content).ok
    path = served.work_dir.parent / "studies" / "landmarks" / "normal.json"
    before = path.read_bytes()
    twice = copy.deepcopy(content)
    twice["markups"][0]["controlPoints"].append(twice["markups"][0]["controlPoints"][0])
    empty = copy.deepcopy(content)
    empty["markups"][0]["controlPoints"] = []
    for wrong, said in (
        (changed(content, label="right head_center"), "'right head_center'; did you mean right head_centre?"),
        (changed(content, label="F-1"), "There is no landmark 'F-1'. Expected right head_centre"),
        (changed(content, label="middle head_centre"), "There is no landmark 'middle head_centre'"),
        (changed(content, position=[-90.0, 20.0, 0.0]), "outside normal.dcm"),
        (changed(content, position=[90.0, 1e6, 0.0]), "outside normal.dcm"),
        (changed(content, position=[90.0, float("nan"), 0.0]), "expected three numbers"),
        (changed(content, position=["90", 20.0, 0.0]), "expected three numbers"),
        (changed(content, position=[90.0, 20.0]), "expected three numbers"),
        (twice, "is there twice"),
        (empty, "no defined point"),
        ({"right": {"head_centre": [1, 2]}}, "cannot be read"),
        ([], "cannot be read"),
        (b"no points", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ):
        answer = put(served, "normal", wrong)
        assert answer.status_code == 422 and said in answer.json()["detail"], (said, answer.text)
        assert "not saved" in answer.json()["detail"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("film", ["nobody", "..%2fnormal", "normal.dcm"])
def test_points_of_a_film_that_is_not_there_are_not_found(film: str, served: Server) -> None:
    assert requests.get(f"{served.url}/landmarks/{film}", timeout=60).status_code == 404
    assert put(served, film, b"{}").status_code == 404


def test_corrected_landmarks_are_taught_and_the_rest_as_the_networks_find_it(served: Server) -> None:
    for film in ("normal", "osteoporosis"):
        content = points_of(served, film)
        listed(content)["right neck_base"]["position"][1] += 3.0
        assert put(served, film, content).ok
    assert served.post("/train/segmentation", json={"max_epochs": 50, "client_id": "user-xyz"}).ok
    lesson = APP / "training" / "lesson"
    wait_for((lesson / "manifest.csv").exists, served.log)
    os.kill(served.training_process(), signal.SIGKILL)
    with (lesson / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3  # low_bone_mass was corrected above
    taught = [read_landmarks(lesson / row["landmarks"]) for row in rows]
    for film in ("normal", "osteoporosis"):
        kept = read_landmarks(served.work_dir.parent / "studies" / "landmarks" / f"{film}.json")
        assert any(np.allclose(kept, other, atol=0.02, equal_nan=True) for other in taught)
    assert all((lesson / row["label"]).is_file() for row in rows)
    assert served.ended_training()["status"] == "ERROR"
