"""Regions and morphometry as the results hold them: in millimetres, in the file's pixels, and null where there are none."""

import csv
import json

import numpy as np
import pytest
import torch
from fake_screening import ABSENT, RIGHT, FakeCascade, channels_of, item_of
from PIL import Image
from scripts.measurement.regions import REGIONS
from scripts.results.document import check_document
from scripts.results.pictures import REGION_COLOUR

MEASURES = ("neck_shaft_deg", "neck_axis_length_mm", "neck_width_mm", "shaft_level_mm", "cortical_thickness_index")


class DrawnHip(FakeCascade):
    """A right femur of simple forms, in the middle of the fake film of 310 x 420 pixels of 0.3 mm, smaller than life by the
    film's size: head, neck and shaft."""

    def predict(self, image, covariates):
        found = super().predict(image, covariates)
        rows, cols = np.meshgrid(np.arange(image.shape[-2]), np.arange(image.shape[-1]), indexing="ij")
        head, base = np.array([80.0, 230.0]), np.array([160.0, 130.0])
        axis = (base - head) / np.linalg.norm(base - head)
        along = (rows - head[0]) * axis[0] + (cols - head[1]) * axis[1]
        up = (rows - head[0]) * axis[1] - (cols - head[1]) * axis[0]
        neck = (np.abs(up) <= 45 + 0.002 * (along - 85) ** 2) & (along >= 0) & (along <= 190)
        femur = (np.hypot(rows - head[0], cols - head[1]) <= 60) | neck | ((np.abs(cols - 130) <= 45) & (rows >= 160))
        masks = torch.full_like(found["mask_logits"], -5.0)
        masks[0, 0][torch.from_numpy(femur)] = 5.0
        image[0, 0][torch.from_numpy(femur)] += 0.5  # denser than what lies beside it
        points = torch.tensor([[80.0, 230.0], [160.0, 130.0], [70.0, 90.0], [190.0, 180.0], [250.0, 130.0]])
        landmarks = found["landmarks"].clone()
        landmarks[0, 0] = points
        transforms = found["crop_transforms"].clone()
        transforms[0, 0] = torch.tensor([[1.8, 0.0, 20.0], [0.0, 1.8, 20.0]])
        return {**found, "mask_logits": masks, "landmarks": landmarks, "crop_transforms": transforms}


@pytest.fixture
def output(screening):
    items = [item_of(screening.folder, file) for file in ("hip.dcm", "transposed.dcm")]
    return screening(items, DrawnHip(channels_of(RIGHT, ABSENT)))


@pytest.fixture
def hips(output):
    document = json.loads((output / "results.json").read_text())
    check_document(document, json.loads((output / "results.schema.json").read_text()))
    return {record["file"]: record["hips"] for record in document["radiographs"]}


def test_a_measured_hip_has_regions_in_mm_and_in_pixels_of_the_film(hips):
    right = hips["hip.dcm"][0]
    box = right["regions"]["neck_box"]
    mm, pixels = np.array(box["corners_mm"]), np.array(box["corners_px"])
    assert np.linalg.norm(mm[1] - mm[0]) == pytest.approx(49.0, abs=0.05)
    assert np.allclose((pixels + 0.5) * 0.15, mm, atol=0.02), "the fake film's pixels are half as large as the image's"
    assert set(right["regions"]) == set(REGIONS)


def test_pixels_are_those_of_the_file_as_it_is_stored(hips):
    shown, stored = (np.array(hips[file][0]["regions"]["crop"]["corners_px"]) for file in ("hip.dcm", "transposed.dcm"))
    assert np.allclose(stored, shown[:, ::-1])


def test_a_hip_that_was_refused_has_neither(hips):
    left = hips["hip.dcm"][1]
    assert left["status"] == "refused"
    assert set(left["regions"].values()) == {None} and set(left["morphometry"].values()) == {None}


def test_the_table_has_the_measures_with_their_units_and_empty_cells_where_there_are_none(output, hips):
    with (output / "results.csv").open(newline="") as file:
        right, left = (row for row in csv.DictReader(file) if row["file"] == "hip.dcm")
    assert float(right["neck_width_mm"]) == pytest.approx(hips["hip.dcm"][0]["morphometry"]["neck_width_mm"], abs=0.05)
    assert right["shaft_level_mm"] == "", "too little of the shaft is shown"
    assert all(left[name] == "" for name in MEASURES)


def test_regions_are_drawn_on_the_overlay(output):
    for path in (output / "overlays").iterdir():
        picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert (abs(picture - REGION_COLOUR).sum(axis=2) < 30).sum() > 100
