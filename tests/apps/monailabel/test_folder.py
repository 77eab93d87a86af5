"""A folder of films is labelled over the server's REST API, as 3D Slicer does it, and the networks learn from it."""

from __future__ import annotations

import hashlib
import json
import resource
from pathlib import Path

import numpy as np
import pytest
import requests
import torch
from labelling import PROJECT, Server, dice, nifti_mask, wait_for
from monai.bundle import ConfigParser
from numpy.typing import NDArray
from PIL import Image
from scripts.startup import load_weights

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


@pytest.mark.parametrize("film", ["picture", "volume", "mirrored"])
def test_a_mask_comes_back_on_the_grid_of_the_film(film: str, server: Server, masks: Masks) -> None:
    path, params = server.infer("segmentation", film)
    found = nifti_mask(path)
    assert found.shape == masks[film].shape
    assert found.shape[0] != found.shape[1]
    assert dice(found, masks[film]) > 0.9
    assert dice(found[:, ::-1], masks[film]) < 0.85
    assert params["label_names"] == {"femur": 1, "prosthesis": 2, "fixation": 3}
    assert params["weights"]["file"] == "model.pt"


def test_metal_stays_on_the_side_where_a_mirrored_film_has_it(server: Server, masks: Masks) -> None:
    found = nifti_mask(server.infer("segmentation", "mirrored")[0])
    assert dice(found, masks["mirrored"], 3) > 0.6
    assert dice(found[:, ::-1], masks["mirrored"], 3) < 0.1


def test_a_mask_comes_back_as_a_picture_when_asked_for(server: Server, masks: Masks) -> None:
    found = np.asarray(Image.open(server.infer("segmentation", "volume", ".png")[0]))
    assert found.dtype == np.uint8
    assert dice(found, masks["volume"]) > 0.9


def test_the_screen_returns_scores_and_says_what_they_are(server: Server, masks: Masks) -> None:
    path, params = server.infer("screening", "volume")
    assert dice(nifti_mask(path), masks["volume"]) > 0.9
    assert "research use only" in params["notice"].lower()
    assert "estimated from a radiograph" in params["notice"]
    assert params["summary"][-1] == f"{params['notice']}."
    hips = {hip["side"]: hip for hip in params["radiograph"]["hips"]}
    assert set(hips) == {"right", "left"}
    for hip in hips.values():
        assert hip["reason"] or set(hip["estimates"]) == {"neck", "total"}


def test_the_next_film_is_the_least_certain_one_that_has_no_label(server: Server) -> None:
    first = server.post("/activelearning/least_certain", json={}).json()
    assert first["id"] in ("picture", "volume", "mirrored")
    assert 0 <= first["confidence"] <= 1
    assert Path(first["path"]).is_file()
    assert server.post("/activelearning/random", json={}).json()["id"]


def test_a_label_of_another_size_is_refused(server: Server, tmp_path: Path) -> None:
    label = tmp_path / "small.png"
    Image.fromarray(np.ones((30, 40), np.uint8)).save(label)
    answer = server.submit("volume", label)
    assert answer.status_code == 422
    assert "(30, 40)" in answer.json()["detail"]


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


def test_a_file_that_is_no_radiograph_is_refused_with_its_code(server: Server) -> None:
    answer = server.post("/infer/segmentation", files={"file": ("film.dcm", b"no film at all" * 99)})
    assert answer.status_code == 422
    assert answer.json()["code"] == "UNREADABLE"


def test_training_without_labels_says_what_is_missing(server: Server) -> None:
    server.post("/train/segmentation", json={"max_epochs": 2})
    wait_for(lambda: server.training()["status"] == "ERROR", server.log)
    assert any("0 films have a final label" in line for line in server.training()["details"])
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


def test_a_disk_that_takes_no_more_costs_no_label(server: Server, masks: Masks, tmp_path: Path) -> None:
    kept = server.work_dir.parent / "studies" / "labels" / "final" / "volume.nii.gz"
    before, label = kept.read_bytes(), tmp_path / "label.png"
    Image.fromarray(masks["volume"]).save(label)
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        answer = server.submit("volume", label)
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
    assert answer.status_code in (500, 507)
    assert "disk" in answer.json()["detail"]
    assert kept.read_bytes() == before
    assert server.submit("volume", label).ok


def test_a_training_that_is_stopped_leaves_everything_as_it_was(server: Server) -> None:
    server.post("/train/segmentation", json={"max_epochs": 50})
    wait_for(lambda: server.training()["status"] == "RUNNING", server.log)
    second = server.post("/train/segmentation", json={"max_epochs": 2})
    assert second.status_code == 429
    assert "Already Running" in second.json()["detail"]
    wait_for((server.work_dir / "training" / "lesson").exists, server.log)
    requests.delete(f"{server.url}/train/", timeout=60)
    wait_for(lambda: server.training()["status"] == "STOPPED", server.log)
    assert not (server.work_dir / "model" / "model_finetuned.pt").exists()
    assert server.infer("segmentation", "volume")[1]["weights"]["file"] == "model.pt"


def test_training_makes_new_weights_that_the_server_and_the_main_job_use(server: Server, masks: Masks) -> None:
    settings = {"max_epochs": 2, "batch_size": 2, "learning_rate": 1e-5}
    assert server.post("/train/segmentation", json=settings).ok
    wait_for(lambda: server.training()["status"] not in ("SUBMITTED", "RUNNING"), server.log)
    assert server.training()["status"] == "DONE", server.training()["details"]

    weights = server.work_dir / "model" / "model_finetuned.pt"
    provenance = torch.load(weights, weights_only=True)["provenance"]["trainings"]
    shipped = torch.load(SHIPPED, weights_only=True)["provenance"]["trainings"]
    assert provenance["segmentation"]["epochs_trained"] == 2
    assert {**provenance, "segmentation": None} == {**shipped, "segmentation": None}
    assert not (server.work_dir / "training").exists()

    path, params = server.infer("segmentation", "volume")
    assert params["weights"]["file"] == weights.name
    assert params["weights"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert dice(nifti_mask(path), masks["volume"]) > 0.8

    network = ConfigParser(ConfigParser.load_config_file(PROJECT / "bundle" / "configs" / "inference.yaml"))
    assert load_weights(network.get_parsed_content("network_def"), str(weights))["sha256"] == params["weights"]["sha256"]


def test_damaged_new_weights_are_passed_over(server: Server) -> None:
    weights = server.work_dir / "model" / "model_finetuned.pt"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert server.infer("segmentation", "volume")[1]["weights"]["file"] == "model.pt"
