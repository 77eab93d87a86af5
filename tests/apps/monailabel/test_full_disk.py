"""The server's disk is full: it says so, keeps what it had, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from labelling import ROOM_FOR_AN_UPLOAD, Server, SmallDisk, nifti_mask, wait_for
from numpy.typing import NDArray
from PIL import Image

Masks = dict[str, NDArray[np.uint8]]


@pytest.fixture(scope="module")
def disk(may_mount: bool, studies: tuple[Path, Masks], tmp_path_factory: pytest.TempPathFactory) -> SmallDisk:
    if not may_mount:
        pytest.skip("this user may not mount a small file system")
    return SmallDisk(tmp_path_factory.mktemp("cramped") / "disk", 200, content=studies[0])


@pytest.fixture(scope="module")
def server(disk: SmallDisk) -> Iterator[Server]:
    server = Server(str(disk.folder / "studies"), disk.folder / "work", disk)
    yield server
    server.stop()


def left_behind(disk: SmallDisk) -> list[str]:
    """Temporary files of films and masks."""
    return [file.name for file in (disk.seen / "tmp").iterdir() if file.suffix in (".dcm", ".gz", ".png")]


@pytest.mark.parametrize("room", [0, ROOM_FOR_AN_UPLOAD])
def test_a_label_that_does_not_fit_in_costs_no_earlier_one(
    room: int, server: Server, disk: SmallDisk, masks: Masks, tmp_path: Path
) -> None:
    label, other = tmp_path / "label.png", tmp_path / "other.png"
    Image.fromarray(masks["volume"]).save(label)
    Image.fromarray(masks["volume"] * 0).save(other)
    assert server.submit("volume", label).ok
    with disk.full(leaving=room):
        answer = server.submit("volume", other)
        assert server.answers()
    assert answer.status_code == 507
    assert "No space left on device" in answer.json()["detail"]
    final = disk.seen / "studies" / "labels" / "final"
    np.testing.assert_array_equal(nifti_mask(final / "volume.nii.gz"), masks["volume"])
    assert [file.name for file in final.iterdir()] == ["volume.nii.gz"]


def test_contours_that_do_not_fit_in_are_not_half_drawn(server: Server, disk: SmallDisk) -> None:
    with disk.full():
        answer = server.post("/infer/segmentation", params={"image": "volume"})
        uploaded = server.post("/infer/segmentation", files={"file": ("film.dcm", b"no film at all" * 99)})
        following = server.post("/activelearning/random", json={})
    assert answer.status_code == uploaded.status_code == 507
    assert "No space left on device" in answer.json()["detail"]
    assert following.ok


def test_what_was_refused_does_not_stay_on_the_disk(server: Server, disk: SmallDisk, tmp_path: Path) -> None:
    for file in (disk.seen / "tmp").iterdir():
        assert file.stat().st_size == 0 or file.suffix not in (".dcm", ".gz", ".png")
    before = left_behind(disk)
    label = tmp_path / "small.png"
    Image.fromarray(np.ones((30, 40), np.uint8)).save(label)
    assert server.submit("volume", label).status_code == 422
    assert server.post("/infer/segmentation", files={"file": ("film.dcm", b"no film at all" * 99)}).status_code == 422
    assert left_behind(disk) == before


def test_weights_that_do_not_fit_in_leave_those_in_use(server: Server, disk: SmallDisk, masks: Masks, tmp_path: Path) -> None:
    for film, mask in masks.items():
        label = tmp_path / f"{film}.png"
        Image.fromarray(mask).save(label)
        assert server.submit(film, label).ok
    # So many epochs that the disk is full before they are over, however slow this process is.
    assert server.post("/train/segmentation", json={"max_epochs": 60, "batch_size": 2, "learning_rate": 1e-5}).ok
    wait_for(lambda: (disk.seen / "work/training/output/best.pt").exists() or "end_ts" in server.training(), server.log)
    with disk.full():
        ended = server.ended_training()
    assert ended["status"] == "ERROR", ended["details"]
    assert ended["details"][-1] == ("The fine-tuning stopped: No space left on device. The weights in use stay as they were.")
    assert not (disk.seen / "work/model/model_finetuned.pt").exists()
    assert server.infer("segmentation", "volume")[1]["weights"]["file"] == "model.pt"
