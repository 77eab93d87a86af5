"""Of two femoral heads that differ, that of the hip which is drawn more surely and looks less broken counts alone."""

import pytest
import torch
from monai.data import MetaTensor
from readings import SIZE, reading
from scripts.screening.heads import measure_heads
from scripts.screening.interpretation import measure_picture


def test_heads_that_are_alike_count_together():
    heads = measure_heads(reading(radii=(80, 77)))
    assert heads.side == "" and heads.diameter_mm == pytest.approx(0.3 * 157, rel=0.01)
    assert heads.apart == pytest.approx(3 / 78.5, abs=0.01)


@pytest.mark.parametrize(
    ("right", "left", "side"),
    [
        ({"fracture_probability": 0.6}, {}, "left"),
        ({}, {"fracture_probability": 0.6}, "right"),
        ({"contour_agreement": 0.9}, {"contour_agreement": 0.98}, "left"),
    ],
)
def test_of_heads_that_differ_the_surer_one_counts(right, left, side):
    heads = measure_heads(reading(right, left, radii=(80, 68)))
    assert heads.side == side and heads.apart == pytest.approx(12 / 74, abs=0.02)
    assert heads.diameter_mm == pytest.approx(0.3 * 2 * {"right": 80, "left": 68}[side], rel=0.01)


@pytest.mark.parametrize(("radii", "counted"), [((50, 48), (50, 48)), ((50, 38), (50, 50)), ((38, 52), (52, 52))])
def test_a_head_that_is_much_smaller_than_the_other_is_no_childs(radii, counted):
    known = {key: value[0] for key, value in reading(radii=radii).items()}
    image = MetaTensor(torch.rand(1, *SIZE), meta={"spacing_mm": (0.3, 0.3)})
    shares = [hip["head_share"] for hip in measure_picture({**known, "image": image}, both=True)]
    assert shares == pytest.approx([2 * radius / 240 for radius in counted], rel=0.03)
    assert all("head_share" not in hip for hip in measure_picture({**known, "image": image}, both=False))


@pytest.mark.parametrize("levels", [(0.2, 0.8), (0.8, 0.2)])
def test_of_two_heads_the_denser_one_tells_whether_they_are_a_childs(levels):
    known = {key: value[0] for key, value in reading(radii=(80, 80)).items()}
    pixels = 0.5 + 0.01 * torch.rand(1, *SIZE)
    rows, cols = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    for (row, col), level in zip(known["landmarks"][:, 0].tolist(), levels, strict=True):
        pixels[0, (rows - row) ** 2 + (cols - col) ** 2 <= 40**2] = level
    image = MetaTensor(pixels, meta={"spacing_mm": (0.3, 0.3)})
    densities = [hip["head_density"] for hip in measure_picture({**known, "image": image}, both=True)]
    assert densities[0] == densities[1] > 0.5
