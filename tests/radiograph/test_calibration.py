"""The calibration ball: measured to 1%, and nothing else taken for one."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage
from scripts.radiograph.calibration import CalibrateRadiographd, find_ball

SHAPE = (1000, 1400)


def film(extra=0.0, blur=1.0):
    rows, cols = np.indices(SHAPE)
    tissue = 0.4 + 0.2 * np.cos((cols - 700) / 500) * np.cos((rows - 500) / 600)
    image = ndimage.gaussian_filter(np.minimum(tissue + extra, 1.25), blur)
    return (image + np.random.default_rng(0).normal(0, 0.01, SHAPE)).astype(np.float32)


def ball(row, col, diameter, opacity=0.8):
    """The path through a ball, which saturates as metal does."""
    rows, cols = np.indices(SHAPE)
    path = np.sqrt(np.clip((diameter / 2) ** 2 - (rows - row) ** 2 - (cols - col) ** 2, 0, None)) * 2 * 0.3
    return opacity * (1 - np.exp(-path / 4))


@pytest.mark.parametrize("diameter", [84.0, 91.3, 100.7])
@pytest.mark.parametrize("blur", [0.5, 1.5])
def test_ball_is_measured_to_one_percent(diameter, blur):
    found = find_ball(film(ball(830.4, 702.7, diameter), blur))
    assert found is not None
    assert found.centre == pytest.approx((830.4, 702.7), abs=0.5)
    assert found.diameter == pytest.approx(diameter, rel=0.01)


def disc(row, col, height, width):
    rows, cols = np.indices(SHAPE)
    return 0.7 * (((rows - row) / height) ** 2 + ((cols - col) / width) ** 2 < 0.25)


@pytest.mark.parametrize(
    "extra",
    [
        0.0,
        disc(500, 300, 90, 82),  # a coin, tilted
        disc(500, 300, 30, 30),  # a screw head or button
        disc(500, 300, 260, 260),  # larger than any ball
        ball(990, 700, 90),  # cut by the radiograph's edge
        np.maximum(ball(500, 300, 90), np.pad(np.full((30, 200), 0.7), ((485, 485), (300, 900)))),  # on a stem
        ball(500, 200, 84) + ball(500, 1200, 100),  # two sizes: which is it?
    ],
    ids=["nothing", "oval", "small", "large", "cut", "stem", "two"],
)
def test_what_is_no_ball_is_not_measured(extra):
    assert find_ball(film(extra)) is None


def unscaled(image, spacing_mm=None):
    meta = {"spacing_mm": spacing_mm, "spacing_source": "none", "assumptions": [], "resample_scale": (2.0, 2.0)}
    return {"image": MetaTensor(torch.from_numpy(image)[None], meta=meta)}


def test_radiograph_without_pixel_size_is_scaled_by_the_ball():
    image = CalibrateRadiographd("image", ball_mm=30.0)(unscaled(film(ball(830, 702, 120.0))))["image"]
    assert image.meta["spacing_mm"] == pytest.approx((0.3, 0.3), rel=0.01)
    assert image.shape[1:] == pytest.approx((1000 * 0.25 / 0.3, 1400 * 0.25 / 0.3), rel=0.01)
    film_pixel = image.meta["spacing_mm"][0] / image.meta["resample_scale"][0]
    assert film_pixel == pytest.approx(30.0 / 120.0 / 2, rel=0.01)
    assert image.meta["spacing_source"] == "calibration" and image.meta["spacing_sd"] == 0.01
    assert "assumed 30 mm wide" in image.meta["assumptions"][0]


def test_a_radiograph_with_pixel_size_or_without_ball_stays_as_it_is():
    for item in (unscaled(film(ball(830, 702, 100.0)), (0.3, 0.3)), unscaled(film())):
        before = item["image"]
        assert CalibrateRadiographd("image")(item)["image"] is before
    with pytest.raises(ValueError, match="expected the diameter"):
        CalibrateRadiographd("image", ball_mm=0.025)
