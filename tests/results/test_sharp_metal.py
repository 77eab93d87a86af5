import numpy as np
import torch
from scripts.results.postprocessing import classes, with_sharp_metal

ROWS, COLS = torch.meshgrid(torch.arange(300), torch.arange(260), indexing="ij")
FEMUR = (COLS - 130).abs() < 70
NO_FRAMES = torch.zeros(300, 260, dtype=torch.bool)
NAIL = ((COLS - 130).abs() < 20) & (ROWS > 40) & (ROWS < 260)


def test_the_metal_of_a_nail_is_one_class_and_bone_lies_beside_it() -> None:
    image = 0.2 + 0.3 * FEMUR + 0.6 * NAIL
    drawn = ((COLS - 132).abs() < 24) & (ROWS > 38) & (ROWS < 258)
    prosthesis = drawn & (ROWS < 90)  # a part of it mistaken
    logits = torch.stack([FEMUR & ~drawn, prosthesis, drawn & ~prosthesis]).float() * 6 - 3
    before = logits.clone()
    found = classes(with_sharp_metal(logits, image, NO_FRAMES), (300, 260))
    truth = np.where(NAIL, 3, np.where(FEMUR, 1, 0))
    assert (found != truth).mean() < 0.002
    assert torch.equal(logits, before)


def test_what_is_as_thick_as_a_head_is_a_prosthesis_though_most_of_it_was_taken_for_a_fixation() -> None:
    joint = (((COLS - 130) ** 2 + (ROWS - 80) ** 2) <= 50**2) | (((COLS - 130).abs() < 20) & (ROWS > 80) & (ROWS < 280))
    image = 0.2 + 0.3 * FEMUR + 0.6 * joint
    head = joint & (ROWS < 80)
    logits = torch.stack([FEMUR & ~joint, head, joint & ~head]).float() * 6 - 3
    found = classes(with_sharp_metal(logits, image, NO_FRAMES), (300, 260))
    assert not (found == 3).any() and ((found == 2) == joint.numpy()).mean() > 0.99


def test_a_ball_beside_a_nail_is_no_joint() -> None:
    ball = (((COLS - 195) ** 2 + (ROWS - 150) ** 2) <= 45**2) & ~NAIL
    image = 0.2 + 0.3 * FEMUR
    image = torch.where(NAIL | ball, 0.95, image)
    drawn = NAIL & (ROWS > 150)
    logits = torch.stack([FEMUR & ~drawn, FEMUR & False, drawn]).float() * 6 - 3
    assert not (classes(with_sharp_metal(logits, image, NO_FRAMES), (300, 260)) == 2).any()


def test_logits_without_metal_are_passed_on() -> None:
    logits = torch.stack([FEMUR, FEMUR & False, FEMUR & False]).float() * 6 - 3
    assert with_sharp_metal(logits, 0.3 * FEMUR, NO_FRAMES) is logits
