"""Side markers: a clear R or L is read with its side and mirroring, everything else is passed over."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from scripts.clinical.laterality import SideMarker
from scripts.radiograph.markers import FindSideMarkersd, find_markers

SPACING = (0.3, 0.3)


def film(rows=900, cols=1200):
    """Uneven soft tissue with noise, darker to the sides."""
    row, col = np.indices((rows, cols))
    tissue = 0.5 - 0.35 * ((col - cols / 2) / cols) ** 2 + 0.1 * np.sin(row / 150)
    return (tissue + np.random.default_rng(0).normal(0, 0.01, (rows, cols))).astype(np.float32)


def marked(text="R", at=(150, 130), size=60, turn=0.0, weight=1, brightness=0.4, onto=None):
    """A radiograph with a text laid on it, (row, col) of its centre."""
    canvas = Image.new("L", (600, 600))
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(canvas).text((300, 300), text, 255, font, anchor="mm", stroke_width=weight, stroke_fill=255)
    letter = np.asarray(canvas.rotate(turn, resample=Image.Resampling.BILINEAR), np.float32) / 255
    image = film() if onto is None else onto
    padded = np.pad(image, 300)
    padded[at[0] : at[0] + 600, at[1] : at[1] + 600] += brightness * letter
    return padded[300:-300, 300:-300]


def side_markers(image):
    item = {"image": MetaTensor(torch.from_numpy(np.ascontiguousarray(image))[None], meta={"spacing_mm": SPACING})}
    return FindSideMarkersd("image")(item)["image"].meta["side_markers"]


@pytest.mark.parametrize("letter", ["R", "L"])
@pytest.mark.parametrize(("size", "turn", "weight", "brightness"), [(45, 0, 0, 0.5), (60, 10, 2, 0.4), (80, -12, 4, 0.15)])
def test_letter_is_read_where_it_lies(letter, size, turn, weight, brightness):
    image = marked(letter, (150, 130), size, turn, weight, brightness)
    (found,) = find_markers(image, SPACING)
    assert (found.row, found.col) == (pytest.approx(150, abs=6), pytest.approx(130, abs=6))
    assert side_markers(image) == [SideMarker(letter, "left")]


@pytest.mark.parametrize("letter", ["R", "L"])
def test_mirrored_radiograph_shows_a_mirrored_letter(letter):
    assert side_markers(marked(letter)[:, ::-1]) == [SideMarker(letter, "right", mirrored=True)]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_r_is_no_mirrored_one(quarters):
    (found,) = side_markers(np.rot90(marked("R"), quarters))
    assert (found.letter, found.mirrored) == ("R", False)


def test_both_sides_may_be_marked():
    both = marked("L", (160, 1080), onto=marked("R"))
    assert sorted(side_markers(both), key=lambda marker: marker.letter) == [SideMarker("L", "right"), SideMarker("R", "left")]


def test_size_of_a_pixel_need_not_be_known():
    image = MetaTensor(torch.from_numpy(marked("R"))[None], meta={"spacing_mm": None})
    assert FindSideMarkersd("image")({"image": image})["image"].meta["side_markers"] == [SideMarker("R", "left")]


@pytest.mark.parametrize("text", [*" KBPA471JIFEOD+", "PORTABLE", "LATERAL"])
def test_what_is_no_single_r_or_l_is_passed_over(text):
    assert side_markers(marked(text, (150, 300))) == []


def test_bones_and_screws_are_no_letters():
    image = film()
    rows, cols = np.indices(image.shape)
    image += 0.3 * (np.abs(np.hypot(rows - 400, cols - 300) - 70) < 4)  # a ring
    image += 0.5 * ((np.abs(cols - 900 - 0.2 * rows) < 6) & (rows > 200) & (rows < 500))  # a nail
    image += 0.4 * (ndimage.gaussian_filter(np.random.default_rng(1).normal(size=image.shape), 12) > 0.05)  # patches
    assert side_markers(image.astype(np.float32)) == []
