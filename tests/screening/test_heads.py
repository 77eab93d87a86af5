"""Of two femoral heads that differ, that of the hip which is drawn more surely and looks less broken counts alone."""

import pytest
from readings import reading
from scripts.screening.heads import measure_heads


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
