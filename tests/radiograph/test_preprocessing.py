"""The chain that every network sees: values, points and masks stay on the same anatomy."""

import json
import math
import time

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, EnsureTyped
from PIL import Image
from radiograph_files import ramp, write
from scripts.clinical import Code, RefusedError
from scripts.dataset.labels import LoadFractureLabeld, LoadLabeld, LoadLandmarksd
from scripts.radiograph import (
    LoadRadiographd,
    NormaliseRadiographd,
    ResampleRadiographd,
    to_displayed_points,
    to_resampled_points,
)
from scripts.radiograph.exposure import find_exposed_field, find_white_frames
from scripts.radiograph.sampling import resample, resample_nearest
from scripts.radiograph.transforms import DisplayRadiographd

ISOTROPIC = {"EstimatedRadiographicMagnificationFactor": 1.0}


def film_with_spot(row, col, shape=(300, 220)):
    """A smooth radiograph with one small bright ball, so that its centre can be found after resampling."""
    rows, cols = np.indices(shape)
    return (100 + 3900 * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * 6.0**2))).astype(np.uint16)


def brightest(image):
    weight = np.clip(image - image.max() * 0.2, 0, None)
    rows, cols = np.indices(image.shape)
    return np.array([(rows * weight).sum(), (cols * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("spacing", [0.1, 0.143, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("orientation", [("L", "F"), ("R", "H"), ("F", "R")])
def test_landmark_and_mask_stay_on_the_anatomy(tmp_path, spacing, orientation):
    row, col = 211.0, 73.0
    film = film_with_spot(row, col)
    path = write(tmp_path, film, ImagerPixelSpacing=[spacing, spacing], PatientOrientation=list(orientation), **ISOTROPIC)
    rows, cols = np.indices(film.shape)
    mask = tmp_path / "mask.png"
    Image.fromarray(((rows - row) ** 2 + (cols - col) ** 2 < 30**2).astype(np.uint8)).save(mask)
    landmarks = tmp_path / "film.json"
    landmarks.write_text(json.dumps({"right": {"head_centre": [row, col], "shaft": None}, "left": None}))
    chain = Compose(
        [
            LoadRadiographd("image"),
            ResampleRadiographd("image"),
            LoadLabeld("label"),
            LoadLandmarksd("landmarks"),
            NormaliseRadiographd("image"),
        ]
    )
    item = chain({"image": str(path), "label": str(mask), "landmarks": str(landmarks)})
    image, points = item["image"], item["landmarks"]

    assert item["label"].dtype == torch.uint8 and item["label"].shape == image.shape
    assert points.shape == (2, 5, 2) and points.dtype == torch.float32
    assert torch.isfinite(points).all(dim=-1).sum() == 1
    spot = brightest(image[0].numpy())
    np.testing.assert_allclose(points[0, 0].numpy(), spot, atol=0.15)
    np.testing.assert_allclose(brightest(item["label"][0].numpy().astype(float)), spot, atol=0.3)

    meta = image.meta
    np.testing.assert_allclose(meta["spacing_mm"], (0.3, 0.3), rtol=0.01)
    assert image.affine[0, 0] == pytest.approx(meta["spacing_mm"][0])
    # Back through the whole way, to the pixel of the stored radiograph.
    shown = to_displayed_points(points[0, 0].numpy(), meta["resample_scale"])
    assert meta["orientation"].to_display(film)[tuple(np.round(shown).astype(int))] == film.max()
    np.testing.assert_allclose(to_resampled_points(shown, meta["resample_scale"]), points[0, 0].numpy(), atol=1e-5)


def test_affine_places_both_grids_alike(tmp_path):
    loaded = LoadRadiographd("image")({"image": str(write(tmp_path, ImagerPixelSpacing=[0.1, 0.15], **ISOTROPIC))})
    small = ResampleRadiographd("image")(loaded)["image"]
    film = np.array([10.0, 20.0, 0, 1])
    new = np.array([*to_resampled_points(film[:2], small.meta["resample_scale"]), 0, 1])
    np.testing.assert_allclose(small.affine.numpy() @ new, loaded["image"].affine.numpy() @ film, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "length", "expected"),
    [
        ([1, 3, 5, 7], 2, [2, 6]),
        ([3, 6, 9], 2, [(3 + 0.5 * 6) / 1.5, (0.5 * 6 + 9) / 1.5]),
        ([0, 1], 4, [0, 0.25, 0.75, 1]),
        ([4, 2, 9], 3, [4, 2, 9]),
        ([1, 2, 3], 1, [2]),
    ],
)
def test_resampling_averages_areas_and_interpolates_linearly(values, length, expected):
    image = np.tile(np.array(values, np.float32), (3, 1))
    np.testing.assert_allclose(resample(image, (3, length)), np.tile(expected, (3, 1)), atol=1e-6)
    np.testing.assert_allclose(resample(image.T, (length, 3)), np.tile(expected, (3, 1)).T, atol=1e-6)


def test_resampling_keeps_the_mean_and_a_constant():
    noise = np.random.default_rng(0).random((301, 203)).astype(np.float32)
    assert resample(noise, (97, 61)).mean() == pytest.approx(noise.mean(), abs=1e-6)
    np.testing.assert_allclose(resample(np.ones((301, 203)), (97, 61)), 1, atol=1e-6)


def test_nearest_takes_the_label_at_the_centre():
    assert resample_nearest(np.arange(6)[None], (1, 2)).tolist() == [[1, 4]]
    assert resample_nearest(np.arange(2)[None], (1, 4)).tolist() == [[0, 0, 1, 1]]


def test_no_spacing_is_refused(tmp_path):
    item = LoadRadiographd("image")({"image": str(write(tmp_path, ImagerPixelSpacing=None))})
    with pytest.raises(RefusedError) as caught:
        ResampleRadiographd("image")(item)
    assert caught.value.reason.code == Code.NO_SPACING
    with pytest.raises(ValueError, match="expected a pixel size"):
        ResampleRadiographd("image", spacing_mm=0)


def covariates(tmp_path, manifest=None, **attributes):
    item = LoadRadiographd("image")({"image": str(write(tmp_path, **attributes)), **(manifest or {})})
    return item["covariates"], item["image"].meta


def test_covariates_from_the_header(tmp_path):
    found, _ = covariates(tmp_path, PatientSex="M", PatientWeight=80, PatientSize=1.75)
    assert found.dtype == torch.float32
    assert found.tolist() == [63, 1, 80, 175]
    found, _ = covariates(tmp_path, PatientSex="", PatientAge=None)
    assert found.isnan().all()


def test_the_manifest_overrides_the_header_where_it_knows(tmp_path):
    found, meta = covariates(tmp_path, {"age_years": 71.0, "sex": "", "weight_kg": math.nan, "height_cm": 160.0})
    assert found[:2].tolist() == [71, 0] and found[3] == 160 and found[2].isnan()
    assert (meta["age_years"], meta["sex"], meta["height_cm"]) == (71.0, "F", 160.0)
    assert any("age_years" in note for note in meta["assumptions"])
    assert not any("height_cm" in note for note in meta["assumptions"]), "the header was silent: nothing was overruled"


def anatomy(shape=(400, 300)):
    """Noise between 0.3 and 0.7: 1st and 99th percentile are 0.304 and 0.696."""
    return np.random.default_rng(1).uniform(0.3, 0.7, shape).astype(np.float32)


def framed(kind):
    film = anatomy()
    if kind == "white frame":
        film[:60] = film[:, :50] = film[:, -40:] = 1.0
    elif kind == "black frame":
        film[:60] = film[-70:] = film[:, :50] = 0.0
    elif kind == "white frame in a black one":
        film[:80] = film[:, :70] = 1.0
        film[:40] = film[-30:] = film[:, :30] = 0.0
    elif kind == "tilted white collimation":
        rows, cols = np.indices(film.shape)
        film[rows + 0.4 * cols < 140] = 1.0
    elif kind == "a marker in the frame":
        film[:60] = 1.0
        film[20:25, 10:14] = 0.0
    return film


@pytest.mark.parametrize(
    "kind",
    ["no frame", "white frame", "black frame", "white frame in a black one", "tilted white collimation", "a marker in the frame"],
)
def test_normalising_sees_the_exposed_field_only(tmp_path, kind):
    path = write(tmp_path, np.round(framed(kind) * 4095).astype(np.uint16))
    item = NormaliseRadiographd("image")(LoadRadiographd("image")({"image": str(path)}))
    low, high = item["image"].meta["normalise_limits"]
    assert (low, high) == (pytest.approx(0.304, abs=0.01), pytest.approx(0.696, abs=0.01))
    inner = item["image"][0, 150:300, 120:250]
    assert inner.quantile(0.5) == pytest.approx(0.5, abs=0.03)
    assert item["image"].min() >= -0.25 and item["image"].max() <= 1.25


def test_normalising_undoes_brightness_and_contrast(tmp_path):
    normalised = []
    for attributes in ({}, {"WindowCenter": 2000, "WindowWidth": 9000}, {"RescaleSlope": 3, "RescaleIntercept": 7}):
        path = write(tmp_path, np.round(anatomy() * 4095).astype(np.uint16), **attributes)
        normalised.append(NormaliseRadiographd("image")(LoadRadiographd("image")({"image": str(path)}))["image"])
    for other in normalised[1:]:
        np.testing.assert_allclose(other.numpy(), normalised[0].numpy(), atol=2e-3)


def test_bright_bone_inside_the_field_stays():
    film = anatomy()
    film[100:200, 100:150] = 1.0
    assert find_exposed_field(film)[150, 120]


def test_white_frames_are_found_at_an_angle_and_uneven_but_metal_at_the_edge_is_none():
    rows, cols = np.indices((900, 700))
    noise = np.random.default_rng(0).normal(0, 0.01, rows.shape)
    left, top = cols < 60 + rows / 40, rows < 30
    stem = (abs(cols - 400) < 40) & (rows > 300)  # runs off the radiograph below
    image = np.where(left | top, 0.96 + rows / 20000, np.where(stem, 1.1, 0.4)) + noise
    found = find_white_frames(image.astype(np.float32))
    assert (found & (left | top)).sum() > 0.93 * (left | top).sum()  # not quite all of the corner
    assert (found & ~(left | top)).sum() < 0.01 * image.size and not (found & stem & (rows > 310)).any()


def test_a_white_frame_that_fades_towards_the_field_ends_with_it_beside_metal_too():
    rows, cols = np.indices((900, 700))
    frame = cols >= 560
    stem = (abs(rows - 450) < 70) & (cols > 350) & ~frame
    image = np.where(frame, 1.0 - (700 - cols) / 700, np.where(stem, 0.85, 0.2)).astype(np.float32)
    found = find_white_frames(image)
    assert (found == frame).mean() > 0.995


def test_a_radiograph_that_is_white_down_to_the_hips_or_grows_white_slowly_has_no_frame():
    rows = np.indices((900, 700))[0]
    assert not find_white_frames(np.where(rows < 400, 1.0, 0.5).astype(np.float32)).any()
    assert not find_white_frames((1.0 - rows / 900).astype(np.float32)).any()


def test_a_field_without_contrast_is_refused(tmp_path):
    flat = np.full((200, 200), 500, np.uint16)
    flat[100, 100] = 600
    item = LoadRadiographd("image")({"image": str(write(tmp_path, flat))})
    with pytest.raises(RefusedError, match="NOT_A_RADIOGRAPH"):
        NormaliseRadiographd("image")(item)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "the file holds"),
        ("no json", "cannot be read"),
        ('{"rigth": null}', "expected only right, left"),
        ('{"right": {"hed": [1, 2]}}', "expected only head_centre"),
        ('{"right": {"shaft": [1]}}', r"right.shaft is \[1\], expected \[row, col\]"),
        ('{"right": {"shaft": [1, NaN]}}', "expected"),
    ],
)
def test_bad_landmarks(tmp_path, content, said):
    path = tmp_path / "l.json"
    path.write_text(content)
    item = LoadRadiographd("image")({"image": str(write(tmp_path)), "landmarks": str(path)})
    with pytest.raises(ValueError, match=said) as caught:
        LoadLandmarksd()(item)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((96, 80), np.uint8), r"shape is \(96, 80\), expected \(80, 96\)"),
        (np.full((80, 96), 4, np.uint8), "value 4, expected 0 to 3"),
        (np.zeros((80, 96, 3), np.uint8), r"shape is \(80, 96, 3\)"),
        (None, "cannot be read"),
    ],
)
def test_bad_masks(tmp_path, mask, said):
    path = tmp_path / "m.png"
    path.write_text("no picture") if mask is None else Image.fromarray(mask).save(path)
    item = LoadRadiographd("image")({"image": str(write(tmp_path)), "label": str(path)})
    with pytest.raises(ValueError, match=said):
        LoadLabeld()(item)


def test_masks_of_either_side_are_joined(tmp_path):
    left, right = np.zeros((2, 80, 96), np.uint8)
    left[10, 10], right[20, 20] = 1, 2
    for name, mask in (("left", left), ("right", right)):
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    item = LoadRadiographd("image")({"image": str(write(tmp_path)), "label": ""})
    with pytest.raises(ValueError, match="has no label"):
        LoadLabeld()(item)
    item |= {"left_label": str(tmp_path / "left.png"), "right_label": str(tmp_path / "right.png")}
    assert np.array_equal(LoadLabeld()(item)["label"][0].numpy(), left + right)


def test_where_a_femur_is_broken_is_read_and_no_mask_says_nowhere(tmp_path):
    zone = np.zeros((80, 96), np.uint8)
    zone[10:12, 20] = 1
    Image.fromarray(zone).save(tmp_path / "zone.png")
    item = LoadRadiographd("image")({"image": str(write(tmp_path)), "fracture_label": ""})
    nowhere = LoadFractureLabeld()(item)["fracture_label"]
    assert nowhere.shape == (1, 80, 96) and not nowhere.any()
    item["fracture_label"] = str(tmp_path / "zone.png")
    assert np.array_equal(LoadFractureLabeld()(item)["fracture_label"][0].numpy(), zone)
    Image.fromarray(2 * zone).save(tmp_path / "zone.png")
    with pytest.raises(ValueError, match=r"value 2, expected 0 to 1 \(background, fracture\)"):
        LoadFractureLabeld()(item)


def test_a_training_chain_makes_batches(tmp_path):
    items = [
        {"image": str(write(tmp_path, name=f"{sex}.dcm", PatientSex=sex, PatientOrientation=codes)), "age_years": math.nan}
        for sex, codes in (("F", ["L", "F"]), ("", ""))
    ]
    chain = [LoadRadiographd("image"), ResampleRadiographd("image"), NormaliseRadiographd("image")]
    data = Dataset(items, Compose([*chain, EnsureTyped("image", track_meta=False)]))
    batch = next(iter(DataLoader(data, batch_size=2)))
    assert batch["image"].shape[:2] == (2, 1)
    assert batch["covariates"].shape == (2, 4)


def test_a_large_radiograph_takes_well_under_a_second(tmp_path):
    film = np.resize(ramp(), (3000, 2500))
    path = write(tmp_path, film, ImagerPixelSpacing=[0.139, 0.139], WindowCenter=2000, WindowWidth=3000)
    chain = Compose([LoadRadiographd("image"), ResampleRadiographd("image"), NormaliseRadiographd("image")])
    chain({"image": str(path)})
    start = time.process_time()
    item = chain({"image": str(path)})
    assert time.process_time() - start < 1.5, "about 0.2 s; processor time, so that a busy machine does not matter"
    assert item["image"].shape == (1, round(3000 * 0.139 / 1.15 / 0.3), round(2500 * 0.139 / 1.15 / 0.3))


def test_a_radiograph_for_the_eye_is_the_one_that_is_read_at_its_full_size(tmp_path):
    file = write(tmp_path, ramp())
    lazy = LoadRadiographd("image", lazy=True)({"image": file})
    shown = DisplayRadiographd("image")(lazy)
    assert torch.equal(shown["image"].as_tensor(), LoadRadiographd("image")({"image": file})["image"].as_tensor())
    assert shown["image"].meta["orientation"] == lazy["image"].meta["orientation"] and shown["covariates"] is lazy["covariates"]
