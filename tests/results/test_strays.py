"""Pieces of femur without a femur's landmarks."""

import torch
from scripts.results.postprocessing import without_strays


def test_a_small_piece_without_landmarks_goes_and_all_else_stays():
    logits = torch.full((3, 400, 500), -5.0)
    logits[0, 10:90, 10:90] = 5.0  # small, no landmark
    logits[0, 100:180, 300:380] = 5.0  # small, with a landmark
    logits[0, 200:380, 20:220] = 5.0  # large, as of a femur at the film's edge
    logits[2, 20:40, 20:40] = 5.0
    landmarks = torch.tensor([[[140.0, 340.0]] * 4 + [[900.0, -3.0]]])
    kept = without_strays(logits, landmarks)[0] > 0
    assert not kept[:95].any()
    assert kept[100:180, 300:380].all() and kept[200:380, 20:220].all()
    assert torch.equal(without_strays(logits, landmarks)[1:], logits[1:])


def test_a_film_without_hips_keeps_no_small_piece():
    logits = torch.full((3, 300, 300), -5.0)
    logits[0, 10:90, 10:90] = 5.0
    assert not (without_strays(logits, torch.zeros(0, 5, 2))[0] > 0).any()
