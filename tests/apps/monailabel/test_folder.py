"""A folder of films is labelled over the server's REST API, as 3D Slicer does it, and the networks learn from it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import requests
from labelling import PROJECT, Server, dice, nifti_mask, wait_for
from monai.bundle import ConfigParser
from numpy.typing import NDArray
from PIL import Image
from scripts.networks.checkpoint import read_checkpoint

Masks = dict[str, NDArray[np.uint8]]
SHIPPED = PROJECT / "bundle" / "models" / "model.pt"


@pytest.fixture(scope="module", autouse=True)
def shipped_weights_are_left_alone() -> object:
    before = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    yield
    assert hashlib.sha256(SHIPPED.read_bytes()).hexdigest() == before


def test_the_server_says_what_it_can_do(server: Server) -> None:
    info = server.get("/info/")
    assert set(info["models"]) == {"segmentation", "screening"}
    assert set(info["strategies"]) == {"least_certain", "random"}
    assert set(info["trainers"]) == {"segmentation"}
    assert info["labels"] == ["femur", "prosthesis", "fixation"]
    assert info["datastore"] == {"total": 3, "completed": 0, "label_tags": {}}


def test_only_this_machine_and_this_servers_own_pages_are_answered(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    listening = [line.split()[1] for line in Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()[1:]]
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening
    assert requests.get(f"{server.url}/info/", headers={"Host": "elsewhere.example"}, timeout=60).status_code == 400
    answer = requests.get(f"{server.url}/info/", headers={"Origin": "http://elsewhere.example"}, timeout=60)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("film", ["picture", "volume", "mirrored"])
def test_a_mask_comes_back_on_the_grid_of_the_film(film: str, server: Server, masks: Masks) -> None:
    path, params = server.infer("segmentation", film)
    found = nifti_mask(path)
    assert found.shape == masks[film].shape
    assert found.shape[0] != found.shape[1]
    assert dice(found, masks[film]) > 0.9
    assert dice(found[:, ::-1], masks[film]) < 0.85
    if film == "mirrored":  # the metal of one hip tells the sides apart
        assert dice(found, masks[film], 3) > 0.6
        assert dice(found[:, ::-1], masks[film], 3) < 0.1
    assert params["label_names"] == {"femur": 1, "prosthesis": 2, "fixation": 3}
    assert params["weights"]["file"] == "model.pt"


def test_a_mask_comes_back_as_a_picture_when_asked_for(server: Server, masks: Masks) -> None:
    found = np.asarray(Image.open(server.infer("segmentation", "volume", ".png")[0]))
    assert found.dtype == np.uint8
    assert dice(found, masks["volume"]) > 0.9


@pytest.fixture(scope="module")
def screened(server: Server, masks: Masks) -> dict[str, tuple[Path, dict[str, Any]]]:
    """What the model `screening` answers of each film."""
    return {film: server.infer("screening", film) for film in masks}


def test_the_screen_returns_scores_and_says_what_they_are(screened: dict[str, tuple[Path, dict[str, Any]]], masks: Masks) -> None:
    path, params = screened["volume"]
    assert dice(nifti_mask(path), masks["volume"]) > 0.9
    assert "research use only" in params["notice"].lower()
    assert "estimated from a radiograph" in params["notice"]
    assert params["summary"][-1] == f"{params['notice']}."
    hips = {hip["side"]: hip for hip in params["radiograph"]["hips"]}
    assert set(hips) == {"right", "left"}
    for hip in hips.values():
        assert hip["reason"] or set(hip["estimates"]) == {"neck", "total"}
        agreement = f"{hip['side']} contour: two drawings of it agree by {hip['contour_agreement']:.2f} (Dice)"
        assert hip["reason"] or params["radiograph"]["reason"] or agreement in params["summary"]


def test_the_next_film_is_the_one_whose_contours_are_least_certain(
    server: Server, screened: dict[str, tuple[Path, dict[str, Any]]], masks: Masks
) -> None:
    certain = {film: certainty(params["radiograph"]) for film, (_, params) in screened.items()}
    for _ in masks:  # on a slow machine each request looks at one film more
        first = server.post("/activelearning/least_certain", json={}).json()
    assert first["id"] == min(certain, key=lambda film: certain[film])
    assert first["confidence"] == pytest.approx(certain[first["id"]])
    assert Path(first["path"]).is_file()
    assert server.post("/activelearning/random", json={}).json()["id"] in masks


def certainty(radiograph: dict[str, Any]) -> float:
    """Of the hip that is worse, of those found."""
    found = [hip for hip in radiograph["hips"] if hip["shaft_abduction_deg"] is not None]
    return min(hip["contour_agreement"] for hip in found)


def test_a_label_of_another_size_is_refused(server: Server, tmp_path: Path) -> None:
    label = tmp_path / "small.png"
    Image.fromarray(np.ones((30, 40), np.uint8)).save(label)
    answer = server.submit("volume", label)
    assert answer.status_code == 422
    assert "(30, 40)" in answer.json()["detail"]


def test_a_label_that_does_not_lie_on_the_film_is_refused(server: Server, masks: Masks, tmp_path: Path) -> None:
    label = tmp_path / "mirrored.nii.gz"
    nib.save(nib.Nifti1Image(masks["volume"].T[:, :, None], np.diag([-0.2, 0.2, 1, 1])), label)
    answer = server.submit("volume", label)
    assert answer.status_code == 422
    assert "mirrored or turned" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["label.nii.gz", "label.png", "label.exe", "label"])
def test_a_file_that_is_no_label_is_refused(name: str, server: Server, tmp_path: Path) -> None:
    label = tmp_path / name
    label.write_bytes(b"no label at all" * 99)
    answer = server.submit("volume", label)
    assert answer.status_code == 422
    assert "The label cannot be read" in answer.json()["detail"]


@pytest.mark.parametrize("params", ["[]", "{", '{"label_info": [1]}', '{"label_info": [{"name": "femur"}]}'])
def test_a_label_with_params_that_make_no_sense_is_refused(params: str, server: Server, masks: Masks, tmp_path: Path) -> None:
    label = tmp_path / "label.png"
    Image.fromarray(masks["volume"]).save(label)
    assert server.submit("volume", label, params).status_code == 422


def test_a_label_stays_in_its_folder(server: Server, masks: Masks, tmp_path: Path) -> None:
    label = tmp_path / "label.png"
    Image.fromarray(masks["volume"]).save(label)
    answer = server.submit("volume", label, tag="../..")
    assert answer.status_code == 422
    assert "expected final or original" in answer.json()["detail"]


def test_a_value_that_stands_for_nothing_is_refused(server: Server, masks: Masks, tmp_path: Path) -> None:
    label = tmp_path / "label.png"
    Image.fromarray(masks["volume"] * 7).save(label)
    answer = server.submit("volume", label)
    assert answer.status_code == 422
    assert "holds the value 7" in answer.json()["detail"]


def test_a_segment_that_nobody_knows_is_refused(server: Server, masks: Masks, tmp_path: Path) -> None:
    label = tmp_path / "unknown.png"
    Image.fromarray(masks["volume"]).save(label)
    answer = server.submit("volume", label, json.dumps({"label_info": [{"name": "Segment_1", "idx": 1}]}))
    assert answer.status_code == 422
    assert "Segment_1" in answer.json()["detail"]


def test_a_film_that_is_not_there_is_not_found(server: Server, masks: Masks, tmp_path: Path) -> None:
    label = tmp_path / "label.png"
    Image.fromarray(masks["volume"]).save(label)
    for answer in (
        server.submit("nobody", label),
        server.post("/infer/segmentation", params={"image": "nobody"}),
        server.post("/infer/segmentation", params={"image": "/etc/hostname"}),
        requests.get(f"{server.url}/datastore/image", params={"image": "nobody"}, timeout=60),
    ):
        assert answer.status_code == 404, answer.text
        assert "nobody" in answer.json()["detail"] or "/etc/hostname" in answer.json()["detail"]


def test_a_model_strategy_or_training_that_is_not_there_is_told(server: Server) -> None:
    for path, status in (
        ("/infer/nothing?image=volume", 400),
        ("/activelearning/nothing", 400),
        ("/train/nothing", 404),
    ):
        answer = server.post(path)
        assert answer.status_code == status, answer.text
        assert "nothing" in answer.json()["detail"]


def test_a_file_that_is_no_radiograph_is_refused_with_its_code(server: Server) -> None:
    answer = server.post("/infer/segmentation", files={"file": ("film.dcm", b"no film at all" * 99)})
    assert answer.status_code == 422
    assert answer.json()["code"] == "UNREADABLE"


@pytest.mark.parametrize(
    ("name", "value"), [("max_epochs", "many"), ("max_epochs", 0), ("learning_rate", -1), ("validation_fraction", 1)]
)
def test_a_training_with_a_setting_that_cannot_be_is_not_begun(name: str, value: object, server: Server) -> None:
    answer = server.post("/train/segmentation", json={name: value})
    assert answer.status_code == 422
    assert f"{name} is {value!r}" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("lr", "learning_rate"), ("epochs", "max_epochs"), ("batchsize", "batch_size"), ("gpus", "")],
)
def test_a_training_with_a_setting_that_there_is_not_is_not_begun(name: str, meant: str, server: Server) -> None:
    answer = server.post("/train/segmentation", json={name: 1})
    assert answer.status_code == 422
    said = answer.json()["detail"]
    assert said.startswith(f"{name} is no setting of this training") and (
        f"did you mean {meant}?" in said if meant else "seed" in said
    )


def test_training_without_labels_says_what_is_missing(server: Server) -> None:
    server.post("/train/segmentation", json={"max_epochs": 2})
    ended = server.ended_training()
    assert ended["status"] == "ERROR"
    assert any("0 radiographs have a final label" in line for line in ended["details"])
    assert server.answers()


def test_corrected_labels_are_kept_with_the_film(server: Server, masks: Masks) -> None:
    for film, mask in masks.items():
        label = server.work_dir / f"{film}.png"
        Image.fromarray(mask).save(label)
        answer = server.submit(film, label)
        assert answer.json() == {"image": film, "label": film}, answer.text
    assert server.get("/datastore/")["completed"] == 3
    for film, mask in masks.items():
        kept = requests.get(f"{server.url}/datastore/label", params={"label": film, "tag": "final"}, timeout=60)
        path = server.work_dir / "kept.nii.gz"
        path.write_bytes(kept.content)
        np.testing.assert_array_equal(nifti_mask(path), mask)
    assert server.post("/activelearning/random", json={}).json() == {}


def test_the_order_of_the_segments_in_the_viewer_does_not_matter(server: Server, masks: Masks, tmp_path: Path) -> None:
    label = tmp_path / "swapped.png"
    Image.fromarray(np.array([0, 2, 3, 1], np.uint8)[masks["mirrored"]]).save(label)
    names = [{"name": "fixation", "idx": 1}, {"name": "femur", "idx": 2}, {"name": "prosthesis", "idx": 3}]
    assert server.submit("mirrored", label, json.dumps({"label_info": names})).ok
    studies = server.work_dir.parent / "studies"
    np.testing.assert_array_equal(nifti_mask(studies / "labels" / "final" / "mirrored.nii.gz"), masks["mirrored"])


def test_a_training_that_is_stopped_or_killed_leaves_everything_as_it_was(server: Server) -> None:
    begun = server.post("/train/segmentation", json={"max_epochs": 50}).json()
    for how in ({}, {"enqueue": "true"}, {"run_sync": "true"}):
        second = server.post("/train/segmentation", json={"max_epochs": 2}, params=how)
        assert second.status_code == 429
        assert f"running already, since {begun['start_ts']}" in second.json()["detail"]
    wait_for(lambda: server.training()["status"] == "RUNNING", server.log)
    requests.delete(f"{server.url}/train/", timeout=60)
    assert server.ended_training()["status"] == "STOPPED"

    server.post("/train/segmentation", json={"max_epochs": 50})
    wait_for((server.work_dir / "training" / "lesson" / "manifest.csv").exists, server.log)
    os.kill(server.training_process(), signal.SIGKILL)
    killed = server.ended_training()
    assert killed["status"] == "ERROR"
    assert "its process was killed" in killed["details"][-1]
    assert killed["details"] == server.training()["details"]
    assert not (server.work_dir / "model" / "model_finetuned.pt").exists()
    assert server.infer("segmentation", "volume")[1]["weights"]["file"] == "model.pt"


def test_training_makes_new_weights_that_the_server_and_the_main_job_use(server: Server, masks: Masks) -> None:
    settings = {"max_epochs": 2, "batch_size": 2, "learning_rate": 1e-5}
    assert server.post("/train/segmentation", json=settings).ok
    ended = server.ended_training()
    assert ended["status"] == "DONE", ended["details"]

    weights = server.work_dir / "model" / "model_finetuned.pt"
    provenance = read_checkpoint(weights)[1]["trainings"]
    shipped = read_checkpoint(SHIPPED)[1]["trainings"]
    assert provenance["segmentation"]["settings"]["epochs"] == 2
    assert provenance["segmentation"]["epochs_trained"] in (1, 2)  # whichever was better
    assert {**provenance, "segmentation": None} == {**shipped, "segmentation": None}
    assert not (server.work_dir / "training").exists()

    path, params = server.infer("segmentation", "volume")
    assert params["weights"]["file"] == weights.name
    assert params["weights"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert dice(nifti_mask(path), masks["volume"]) > 0.8

    main_job = ConfigParser(ConfigParser.load_config_file(PROJECT / "bundle" / "configs" / "inference.yaml"))
    main_job.update({"checkpoint": str(weights)})
    assert main_job.get_parsed_content("weights")["sha256"] == params["weights"]["sha256"]


def test_damaged_new_weights_are_passed_over(server: Server) -> None:
    weights = server.work_dir / "model" / "model_finetuned.pt"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert server.infer("segmentation", "volume")[1]["weights"]["file"] == "model.pt"
