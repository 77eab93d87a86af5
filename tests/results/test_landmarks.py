"""The landmarks of results.json: in the pixels of the file, in those of the hip's crop, in mm, and how all these lie together."""

import json

import numpy as np
import pytest
import torch
from fake_preprocessing import FILM_SHAPE
from fake_screening import ABSENT, IMPLANTED, RIGHT, FakeCascade, channels_of, item_of
from scripts.clinical.anatomy import HIP
from scripts.results.document import check_document

HEAD = {"right": (90.0, 140.0), "left": (90.0, FILM_SHAPE[1] / 2 - 1 - 140.0)}
"""The centre of the head (row, col) in the image that the networks see, of half the film's resolution."""


class UnsureOfTheShaft(FakeCascade):
    def predict(self, image, covariates):
        found = super().predict(image, covariates)
        found["landmark_confidence"][:, :, HIP.landmark("shaft")] = torch.tensor(0.0)
        return found


@pytest.fixture
def output(screening):
    items = [item_of(screening.folder, file) for file in ("hip.dcm", "transposed.dcm", "one.dcm", "chest.dcm")]
    both, one = channels_of(RIGHT, IMPLANTED), channels_of(RIGHT, ABSENT)
    return screening(items, UnsureOfTheShaft(both, both, one))


@pytest.fixture
def hips(output):
    document = json.loads((output / "results.json").read_text())
    check_document(document, json.loads((output / "results.schema.json").read_text()))
    return {record["file"]: record["hips"] for record in document["radiographs"]}


@pytest.mark.parametrize("index", [0, 1], ids=HIP.sides)
def test_a_landmark_is_told_in_pixels_of_the_file_and_in_mm(hips, index):
    head = hips["hip.dcm"][index]["landmarks"]["head_centre"]
    row, col = HEAD[HIP.sides[index]]
    assert head["px"] == pytest.approx([2 * row + 0.5, 2 * col + 0.5]), "the first pixel's centre is (0, 0) in either"
    assert head["mm"] == pytest.approx([(row + 0.5) * 0.3, (col + 0.5) * 0.3], abs=0.006)
    assert head["confidence"] == pytest.approx(0.9)


def test_pixels_are_those_of_the_file_as_it_is_stored(hips):
    shown, stored = (hips[file][1]["landmarks"]["head_centre"] for file in ("hip.dcm", "transposed.dcm"))
    assert stored["px"] == shown["px"][::-1] and stored["mm"] == shown["mm"] and stored["crop_px"] == shown["crop_px"]


@pytest.mark.parametrize("file", ["hip.dcm", "transposed.dcm"])
@pytest.mark.parametrize("index", [0, 1], ids=HIP.sides)
def test_the_crops_matrix_brings_its_pixels_to_the_files(hips, file, index):
    hip = hips[file][index]
    crop = hip["crop"]
    assert crop["shape"] == [100, 100]
    assert crop["spacing_mm"] == pytest.approx([1.6 * 0.3, 1.4 * 0.3])
    for name, found in hip["landmarks"].items():
        if found is not None:
            placed = np.array(crop["to_px"]) @ [*found["crop_px"], 1.0]
            assert placed == pytest.approx(found["px"], abs=0.05), name
    medial = {side: np.linalg.det(np.array(hips["hip.dcm"][i]["crop"]["to_px"])[:, :2]) for i, side in enumerate(HIP.sides)}
    assert medial["right"] > 0 > medial["left"], "a left hip is mirrored"


def test_both_hips_look_alike_in_their_crops(hips):
    right, left = (hip["landmarks"]["head_centre"]["crop_px"] for hip in hips["hip.dcm"])
    assert right == pytest.approx(left, abs=0.02)


def test_a_landmark_that_was_not_found_is_null_and_so_are_all_of_a_hip_that_was_not(hips):
    right, left = hips["one.dcm"]
    assert right["landmarks"]["shaft"] is None and right["landmarks"]["lesser_trochanter"] is not None
    assert left["landmarks"] is left["crop"] is None
    assert hips["chest.dcm"] == []


def test_a_refused_hip_that_was_found_keeps_its_landmarks(hips):
    left = hips["hip.dcm"][1]
    assert left["reason"]["code"] == "IMPLANT" and left["landmarks"]["greater_trochanter"]["px"]


def test_they_can_be_taken_over_as_a_manifests_landmarks(hips, tmp_path):
    from monai.data import MetaTensor
    from scripts.dataset.labels import LoadLandmarksd
    from scripts.radiograph.geometry import Orientation

    path = tmp_path / "landmarks.json"
    written = {
        hip["side"]: {name: found and found["px"] for name, found in hip["landmarks"].items()} for hip in hips["transposed.dcm"]
    }
    path.write_text(json.dumps(written))
    meta = {"displayed_shape": FILM_SHAPE, "resample_scale": (2.0, 2.0), "orientation": Orientation(transpose=True)}
    loaded = LoadLandmarksd(keys="landmarks")({"image": MetaTensor(torch.zeros(1, 310, 420), meta=meta), "landmarks": str(path)})
    for index, side in enumerate(HIP.sides):
        assert np.asarray(loaded["landmarks"])[index, HIP.landmark("head_centre")] == pytest.approx(HEAD[side])
