import math

import numpy as np
import pytest
from scripts.evaluation.overlap import dice, false_alarm
from scripts.evaluation.points import distances_mm, is_swapped

HIP = np.array([[100.0, 50.0], [120.0, 40.0], [110.0, 30.0], [140.0, 45.0], [190.0, 40.0]])
OTHER = HIP + np.array([0.0, 200.0])
UNKNOWN = np.full((5, 2), np.nan)


def mask(*pixels):
    shown = np.zeros((3, 3), dtype=bool)
    for pixel in pixels:
        shown[pixel] = True
    return shown


def test_dice_of_tiny_masks():
    true = mask((0, 0), (0, 1), (1, 1))
    assert dice(mask((0, 0), (0, 1), (2, 2)), true) == pytest.approx(2 * 2 / 6)
    assert dice(true, true) == 1.0
    assert dice(mask(), true) == 0.0
    assert math.isnan(dice(true, mask()))


def test_a_false_alarm_is_more_than_a_speck_where_nothing_is():
    found = mask((0, 0), (0, 1), (1, 1))
    assert false_alarm(found, mask(), pixel_mm2=40.0)
    assert not false_alarm(found, mask(), pixel_mm2=1.0)
    assert not false_alarm(found, mask((2, 2)), pixel_mm2=40.0)


def test_distances_are_in_mm_of_pixels_that_are_not_square():
    points = np.array([[10.0, 10.0], [0.0, 0.0]])
    true = np.array([[16.0, 14.0], [np.nan, 0.0]])
    near, unknown = distances_mm(points, true, spacing_mm=(0.5, 1.0))
    assert near == pytest.approx(5.0)
    assert math.isnan(unknown)


def test_hips_taken_for_each_other():
    spacing = (1.0, 1.0)
    assert not is_swapped(HIP + 5, HIP, OTHER, spacing)
    assert is_swapped(OTHER + 5, HIP, OTHER, spacing)
    assert is_swapped(OTHER + 5, UNKNOWN, OTHER, spacing)  # the hip's own side is not on the film
    assert not is_swapped(HIP, UNKNOWN, OTHER, spacing)
    assert not is_swapped(HIP, HIP, UNKNOWN, spacing)
