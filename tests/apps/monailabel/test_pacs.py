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
from labelling import EXAMPLES, Server, dice, nifti_mask, true_mask
from PIL import Image
from scripts.results.dicom_seg import mask_of, source_film

NAMES = ("normal", "hip_screw")


@pytest.fixture(scope="module")
def films(pacs: str) -> dict[str, pydicom.Dataset]:
    """Films in the PACS, by SOP Instance UID."""
    stored = {}
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


def segmentations(pacs: str) -> list[pydicom.Dataset]:
    """What the PACS holds of them."""
    orthanc = pacs.removesuffix("/dicom-web")
    found = []
    for instance in requests.get(f"{orthanc}/instances", timeout=60).json():
        dataset = pydicom.dcmread(io.BytesIO(requests.get(f"{orthanc}/instances/{instance}/file", timeout=60).content))
        found += [dataset] if dataset.Modality == "SEG" else []
    return found


def test_the_films_of_the_pacs_are_offered(server: Server, films: dict[str, pydicom.Dataset]) -> None:
    assert server.get("/info/")["datastore"]["total"] == len(films)
    assert server.post("/activelearning/random", json={}).json()["id"] in films


def test_a_mask_comes_back_on_the_grid_of_the_film(server: Server, films: dict[str, pydicom.Dataset]) -> None:
    uid = next(uid for uid, film in films.items() if film.name == "hip_screw")
    found = nifti_mask(server.infer("segmentation", uid)[0])
    assert found.shape == (films[uid].Rows, films[uid].Columns)
    assert dice(found, true_mask("hip_screw")) > 0.9


def test_a_corrected_label_is_a_valid_segmentation_in_the_pacs(
    server: Server, pacs: str, films: dict[str, pydicom.Dataset], tmp_path: Path
) -> None:
    uid = next(uid for uid, film in films.items() if film.name == "hip_screw")
    label = tmp_path / "label.png"
    Image.fromarray(true_mask("hip_screw")).save(label)
    answer = server.submit(uid, label)
    assert answer.ok, answer.text

    (segmentation,) = segmentations(pacs)
    assert source_film(segmentation) == uid
    assert segmentation.StudyInstanceUID == films[uid].StudyInstanceUID
    np.testing.assert_array_equal(mask_of(segmentation), true_mask("hip_screw"))
    if shutil.which("dciodvfy"):
        file = tmp_path / "segmentation.dcm"
        segmentation.save_as(file, enforce_file_format=True)
        said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")], said


def test_a_segmentation_that_another_workstation_stored_is_taken_over(
    server: Server, pacs: str, films: dict[str, pydicom.Dataset]
) -> None:
    uid = next(uid for uid, film in films.items() if film.name == "hip_screw")
    other = Server(pacs, server.work_dir.with_name("other"))
    try:
        assert other.get("/info/")["datastore"]["completed"] == 1
        kept = requests.get(f"{other.url}/datastore/label", params={"label": uid, "tag": "final"}, timeout=60)
    finally:
        other.stop()
    path = server.work_dir / "kept.nii.gz"
    path.write_bytes(kept.content)
    np.testing.assert_array_equal(nifti_mask(path), true_mask("hip_screw"))


def test_an_empty_label_is_refused_since_dicom_knows_none(
    server: Server, pacs: str, films: dict[str, pydicom.Dataset], tmp_path: Path
) -> None:
    uid, label = next(iter(films)), tmp_path / "empty.png"
    Image.fromarray(np.zeros((films[uid].Rows, films[uid].Columns), np.uint8)).save(label)
    answer = server.submit(uid, label)
    assert answer.status_code == 422
    assert "empty" in answer.json()["detail"]
    assert len(segmentations(pacs)) == 1
