"""Films of a real PACS are labelled by DICOMweb, and the labels go back to it as Segmentations."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from labelling import (
    EXAMPLES,
    PATIENCE,
    ROOM_FOR_AN_UPLOAD,
    Server,
    SmallDisk,
    dice,
    nifti_mask,
    true_mask,
    wait_for,
)
from numpy.typing import NDArray
from PIL import Image
from scripts.results.dicom_seg import extract_mask, make_segmentation, source_radiograph

NAMES = ("normal", "hip_screw")


@pytest.fixture(scope="module")
def films(pacs: str) -> dict[str, pydicom.Dataset]:
    """Films in the PACS, by SOP Instance UID. It holds a broken segmentation too, which must trouble nobody."""
    stored = {}
    broken = io.BytesIO()
    film = pydicom.dcmread(EXAMPLES / "images" / f"{NAMES[0]}.dcm")
    segmentation = make_segmentation(film, true_mask(NAMES[0]), "broken", corrected=True)
    del segmentation.SegmentSequence
    segmentation.save_as(broken)
    assert requests.post(f"{pacs.removesuffix('/dicom-web')}/instances", data=broken.getvalue(), timeout=60).ok
    for name in NAMES:
        content = (EXAMPLES / "images" / f"{name}.dcm").read_bytes()
        assert requests.post(f"{pacs.removesuffix('/dicom-web')}/instances", data=content, timeout=60).ok
        film = pydicom.dcmread(io.BytesIO(content))
        film.name = name
        stored[str(film.SOPInstanceUID)] = film
    return stored


@pytest.fixture(scope="module")
def server(pacs: str, films: dict[str, pydicom.Dataset], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(pacs, tmp_path_factory.mktemp("label") / "work")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def disk(may_mount: bool, tmp_path_factory: pytest.TempPathFactory) -> SmallDisk | None:
    """Of another workstation, where that is possible."""
    return SmallDisk(tmp_path_factory.mktemp("other") / "disk", 100) if may_mount else None


@pytest.fixture(scope="module")
def other(pacs: str, disk: SmallDisk | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of another workstation."""
    folder = disk.folder if disk else tmp_path_factory.mktemp("other")
    other = Server(pacs, folder / "work", disk)
    yield other
    other.stop()


def uid_of(films: dict[str, pydicom.Dataset], name: str) -> str:
    return next(uid for uid, film in films.items() if film.name == name)


def kept(server: Server, uid: str, folder: Path) -> NDArray[np.uint8]:
    """The final label of a film as the server gives it out."""
    answer = requests.get(f"{server.url}/datastore/label", params={"label": uid, "tag": "final"}, timeout=PATIENCE)
    path = folder / "kept.nii.gz"
    path.write_bytes(answer.content)
    return nifti_mask(path)


def segmentations(pacs: str) -> list[pydicom.Dataset]:
    """What the PACS holds of them, but for the broken one."""
    orthanc = pacs.removesuffix("/dicom-web")
    found = []
    for instance in requests.get(f"{orthanc}/instances", timeout=60).json():
        dataset = pydicom.dcmread(io.BytesIO(requests.get(f"{orthanc}/instances/{instance}/file", timeout=60).content))
        found += [dataset] if dataset.Modality == "SEG" and "SegmentSequence" in dataset else []
    return found


def test_the_films_of_the_pacs_are_offered(server: Server, films: dict[str, pydicom.Dataset]) -> None:
    assert server.get("/info/")["datastore"]["total"] == len(films)
    assert server.post("/activelearning/random", json={}).json()["id"] in films


def test_a_mask_comes_back_on_the_grid_of_the_film(server: Server, films: dict[str, pydicom.Dataset]) -> None:
    uid = uid_of(films, "hip_screw")
    found = nifti_mask(server.infer("segmentation", uid)[0])
    assert found.shape == (films[uid].Rows, films[uid].Columns)
    assert dice(found, true_mask("hip_screw")) > 0.9


def test_a_corrected_label_is_a_valid_segmentation_in_the_pacs(
    server: Server, pacs: str, films: dict[str, pydicom.Dataset], tmp_path: Path
) -> None:
    uid = uid_of(films, "hip_screw")
    label = tmp_path / "label.png"
    Image.fromarray(true_mask("hip_screw")).save(label)
    answer = server.submit(uid, label)
    assert answer.ok, answer.text

    (segmentation,) = segmentations(pacs)
    assert source_radiograph(segmentation) == uid
    assert segmentation.StudyInstanceUID == films[uid].StudyInstanceUID
    np.testing.assert_array_equal(extract_mask(segmentation), true_mask("hip_screw"))
    if shutil.which("dciodvfy"):
        file = tmp_path / "segmentation.dcm"
        segmentation.save_as(file, enforce_file_format=True)
        said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")], said


def test_a_segmentation_that_another_workstation_stored_is_taken_over(
    other: Server, films: dict[str, pydicom.Dataset], tmp_path: Path
) -> None:
    assert other.get("/info/")["datastore"]["completed"] == 1
    np.testing.assert_array_equal(kept(other, uid_of(films, "hip_screw"), tmp_path), true_mask("hip_screw"))


def test_a_label_that_the_pacs_takes_but_the_full_disk_does_not_comes_when_there_is_room(
    other: Server, disk: SmallDisk | None, pacs: str, films: dict[str, pydicom.Dataset], tmp_path: Path
) -> None:
    if disk is None:
        pytest.skip("this user may not mount a small file system")
    uid, label = uid_of(films, "normal"), tmp_path / "label.png"
    Image.fromarray(true_mask("normal")).save(label)
    with disk.full():
        assert requests.get(f"{other.url}/datastore/image", params={"image": uid}, timeout=PATIENCE).status_code == 507
    assert requests.get(f"{other.url}/datastore/image", params={"image": uid}, timeout=PATIENCE).ok
    with disk.full(leaving=ROOM_FOR_AN_UPLOAD):
        answer = other.submit(uid, label)
    assert answer.status_code == 507
    assert "the PACS has the label" in answer.json()["detail"]
    assert {source_radiograph(segmentation) for segmentation in segmentations(pacs)} == set(films)
    wait_for(lambda: other.get("/datastore/")["completed"] == 2, other.log)
    np.testing.assert_array_equal(kept(other, uid, tmp_path), true_mask("normal"))


def test_an_empty_label_is_refused_since_dicom_knows_none(
    server: Server, pacs: str, films: dict[str, pydicom.Dataset], tmp_path: Path
) -> None:
    uid, label, before = next(iter(films)), tmp_path / "empty.png", len(segmentations(pacs))
    Image.fromarray(np.zeros((films[uid].Rows, films[uid].Columns), np.uint8)).save(label)
    answer = server.submit(uid, label)
    assert answer.status_code == 422
    assert "empty" in answer.json()["detail"]
    assert len(segmentations(pacs)) == before


def test_a_pacs_that_is_gone_is_told_and_nothing_is_saved(
    server: Server, pacs: str, films: dict[str, pydicom.Dataset], tmp_path: Path
) -> None:
    """The last test here: the PACS does not come back."""
    uid, label = uid_of(films, "normal"), tmp_path / "label.png"
    Image.fromarray(true_mask("normal")).save(label)

    def of_film() -> list[Path]:
        return sorted(path for path in server.work_dir.rglob("*") if uid in path.name)

    before = of_film()
    assert requests.post(f"{pacs.removesuffix('/dicom-web')}/tools/shutdown", timeout=60).ok

    def gone() -> bool:
        try:
            return not requests.get(f"{pacs}/studies", timeout=10)
        except requests.ConnectionError:
            return True

    wait_for(gone, server.log)
    answer = server.submit(uid, label)
    assert answer.status_code == 502
    assert "The PACS did not answer" in answer.json()["detail"] and "Nothing was saved" in answer.json()["detail"]
    assert of_film() == before
    wait_for(lambda: requests.get(f"{server.url}/info/", timeout=PATIENCE).status_code == 502, server.log)
    assert server.process.poll() is None
