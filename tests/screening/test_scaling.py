"""A film without pixel size is measured on its femoral heads, says so, and has wider intervals."""

import math
from pathlib import Path

import numpy as np
import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose
from readings import reading
from scripts.clinical import CHANNELS, Code, Doubt
from scripts.radiograph import LoadRadiographd, NormaliseRadiographd, ResampleRadiographd
from scripts.screening.heads import measure_heads
from scripts.screening.scaling import predict_scaled, widen_intervals
from scripts.screening.weights import load_weights

BUNDLE = Path(scripts.__file__).parents[1]


def diameter_mm(prediction):
    heads = measure_heads(prediction)
    return heads and heads.diameter_mm


@pytest.fixture(scope="module")
def network():
    parser = ConfigParser()
    parser.read_config(BUNDLE / "configs/inference.yaml")
    network = parser.get_parsed_content("network_def").eval()
    load_weights(network, str(BUNDLE / "models/model.pt"))
    return network


@pytest.fixture(scope="module")
def film():
    return LoadRadiographd("image")({"image": str(sorted((BUNDLE / "examples/images").glob("*.dcm"))[0])})


def prepared(film, spacing_mm):
    image = film["image"].clone()
    image.meta = {**film["image"].meta, "spacing_mm": spacing_mm, "spacing_source": "none" if spacing_mm is None else "given"}
    chain = Compose([ResampleRadiographd("image", admit_unscaled=True), NormaliseRadiographd("image")])
    return chain({**film, "image": image})


def predictor(network, item):
    @torch.no_grad()
    def predict(image):
        return network.predict(image, item["covariates"][None])

    return predict


def test_film_without_pixel_size_is_scaled_by_its_heads(network, film):
    true = film["image"].meta["spacing_mm"]
    known = prepared(film, true)
    reference = predict_scaled(known, predictor(network, known))
    item = prepared(film, None)
    found = predict_scaled(item, predictor(network, item))

    meta = item["image"].meta
    pixel = meta["spacing_mm"][0] / meta["resample_scale"][0]
    assert pixel == pytest.approx(true[0], rel=0.2)
    assert meta["spacing_mm"] == pytest.approx((0.3, 0.3), rel=0.01)
    assert meta["spacing_source"] == "femoral heads" and meta["spacing_sd"] == 0.06
    assert any("femoral heads were assumed" in note for note in meta["assumptions"])
    scaled = predictor(network, item)(item["image"].as_tensor()[None])
    assert diameter_mm(scaled) == pytest.approx(43.3 if item["covariates"][1] == 0 else 48.5, rel=0.05)
    assert diameter_mm(reference) * pixel / true[0] == pytest.approx(diameter_mm(scaled), rel=0.06)
    plain = scaled["channels"]
    measured = [index for index, name in enumerate(CHANNELS.names) if name.endswith("_bmd") and plain[0, index] > 0]
    assert measured
    for index in measured:
        assert found["channels"][0, index] == plain[0, index]
        assert found["channels"][0, index + 1] > plain[0, index + 1]


def test_a_film_that_shows_no_hip_has_no_scale(network, film):
    item = prepared(film, None)
    grey = torch.rand(1, 600, 500, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    item["image"] = MetaTensor(grey, meta=item["image"].meta)
    assert predict_scaled(item, predictor(network, item)) == {}
    assert item["refusal"].code == Code.NO_FEMUR and "whatever the size of its pixels" in item["refusal"].sentence


@pytest.mark.parametrize(("radii", "side"), [((80, 78), ""), ((80, 66), "left")])
def test_heads_that_differ_make_the_scale_doubtful(film, radii, side):
    item = prepared(film, None)
    given = reading({"fracture_probability": 0.5}, radii=radii)
    predict_scaled(item, lambda _: given)
    meta = item["image"].meta
    cautions = meta.get("cautions", [])
    assert [caution.code for caution in cautions] == ([Doubt.ONE_HEAD] if side else [])
    apart = (radii[0] - radii[1]) / np.mean(radii)
    assert meta["spacing_sd"] == pytest.approx(math.hypot(0.06, apart / 2) if side else 0.06, rel=0.1)
    assert not side or f"taken from the {side} one alone" in cautions[0].sentence


def test_intervals_grow_by_what_the_scale_changes():
    index, sd = (CHANNELS.index(f"neck_{name}", "left") for name in ("bmd", "bmd_sd"))

    def predict(image):
        """A network whose estimate grows by 0.5 for each unit of relative size; one end misses the right hip."""
        channels = torch.zeros(1, len(CHANNELS.names))
        size = image.shape[-1] / 1000
        channels[0, index], channels[0, sd] = 0.8 + 0.5 * (size - 1), 0.03
        right = CHANNELS.index("neck_bmd", "right")
        channels[0, right], channels[0, right + 1] = (0.7 + 0.5 * (size - 1) if size < 1.05 else 0.0), 0.03
        return {"channels": channels}

    image = torch.zeros(1, 1, 1000, 1000)
    wide = widen_intervals(predict(image), image, 0.08, predict)
    assert wide["channels"][0, sd] == pytest.approx(math.hypot(0.03, 0.04), rel=1e-3)
    assert wide["channels"][0, CHANNELS.index("neck_bmd_sd", "right")] == pytest.approx(math.hypot(0.03, 0.04), rel=1e-3)
    assert wide["channels"][0, CHANNELS.index("total_bmd_sd", "left")] == 0  # not measured


def test_head_is_measured_on_the_side_turned_from_the_neck():
    rows, cols = np.indices((600, 600))
    femur = np.hypot(rows - 200, cols - 300) < 72.5
    femur |= (np.abs(rows - 200 - (300 - cols)) < 60) & (cols < 300) & (rows < 500)  # the neck
    logits = torch.full((1, 3, 600, 600), -5.0)
    logits[0, 0][torch.from_numpy(femur)] = 5.0
    landmarks = torch.zeros(1, 2, 5, 2)
    landmarks[0, 0, :2] = torch.tensor([[200.0, 300.0], [310.0, 190.0]])
    prediction = {"mask_logits": logits, "landmarks": landmarks, "valid": torch.tensor([[1.0, 0.0]])}
    assert diameter_mm(prediction) == pytest.approx(2 * 72.5 * 0.3, rel=0.02)
    assert diameter_mm({**prediction, "valid": torch.zeros(1, 2)}) is None
