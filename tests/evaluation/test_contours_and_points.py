import math

import numpy as np
import pytest
from scripts.evaluation.accuracy.overlap import count_confusion_by_hip, dice, dice_of, false_alarm, iou
from scripts.evaluation.accuracy.points import distances_mm, is_swapped

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


def test_intersection_over_union_follows_from_dice():
    true, found = mask((0, 0), (0, 1), (1, 1)), mask((0, 0), (0, 1), (2, 2))
    assert iou(dice(found, true)) == pytest.approx(2 / 4)  # 2 pixels in both, 4 in either
    assert iou(np.array([1.0, 0.0])).tolist() == [1.0, 0.0]
    assert math.isnan(iou(math.nan))


def test_each_pixel_counts_for_the_nearer_hip():
    true = np.zeros((10, 20), dtype=np.uint8)
    true[:, 2:4] = 1
    true[:, 14:18] = 1
    found = true.copy()
    found[:, 16:] = 0
    found[5:, 2:4] = 2
    centres = np.array([[4.0, 3.0], [5.0, 15.0]])
    right, left = count_confusion_by_hip(found, true, centres, 3)
    assert (right[1, 1], right[2, 1], left[1, 1], left[0, 1]) == (10, 10, 20, 20)
    assert dice_of(right, 1) == pytest.approx(2 * 10 / 30)
    assert dice_of(left, 1) == pytest.approx(2 * 20 / 60)
    assert math.isnan(dice_of(left, 2))
    assert right.sum() + left.sum() == true.size


def test_a_film_of_one_hip_is_all_that_hips():
    true = np.ones((4, 4), dtype=np.uint8)
    right, left = count_confusion_by_hip(true, true, np.array([[np.nan, np.nan], [1.0, 1.0]]), 2)
    assert (right.sum(), left.sum()) == (0, 16)
    assert not count_confusion_by_hip(true, true, np.full((2, 2), np.nan), 2).any()


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
