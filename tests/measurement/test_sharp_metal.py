import numpy as np
import torch
from scripts.measurement.contours import classify_pixels, sharpen_metal

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
    found = classify_pixels(sharpen_metal(logits, image, NO_FRAMES), (300, 260))
    truth = np.where(NAIL, 3, np.where(FEMUR, 1, 0))
    assert (found != truth).mean() < 0.002
    assert torch.equal(logits, before)


def test_what_is_as_thick_as_a_head_is_a_prosthesis_though_most_of_it_was_taken_for_a_fixation() -> None:
    joint = (((COLS - 130) ** 2 + (ROWS - 80) ** 2) <= 50**2) | (((COLS - 130).abs() < 20) & (ROWS > 80) & (ROWS < 280))
    image = 0.2 + 0.3 * FEMUR + 0.6 * joint
    head = joint & (ROWS < 80)
    logits = torch.stack([FEMUR & ~joint, head, joint & ~head]).float() * 6 - 3
    found = classify_pixels(sharpen_metal(logits, image, NO_FRAMES), (300, 260))
    assert not (found == 3).any() and ((found == 2) == joint.numpy()).mean() > 0.99


def test_what_was_hardly_drawn_is_no_joint_however_thick() -> None:
    block = (COLS > 130) & (COLS < 240) & (ROWS > 100) & (ROWS < 210)
    image = 0.2 + 0.7 * block
    drawn = block & (ROWS < 130)
    logits = torch.stack([FEMUR & ~block, FEMUR & False, drawn]).float() * 6 - 3
    assert not (classify_pixels(sharpen_metal(logits, image, NO_FRAMES), (300, 260)) == 2).any()


def test_the_cement_below_a_stem_is_no_prosthesis() -> None:
    rows, cols = torch.meshgrid(torch.arange(560), torch.arange(300), indexing="ij")
    joint = (((cols - 150) ** 2 + (rows - 80) ** 2) <= 50**2) | (((cols - 150).abs() < 18) & (rows > 80) & (rows < 420))
    plug = ((cols - 150).abs() < 24) & (rows >= 420) & (rows < 490)
    shaft = ((cols - 150).abs() < 60) & (rows > 150)
    image = 0.2 + 0.2 * shaft + 0.3 * plug * shaft
    image = torch.where(joint, 0.95, image)
    logits = torch.stack([shaft & ~(joint | plug), joint | plug, shaft & False]).float() * 6 - 3
    found = classify_pixels(sharpen_metal(logits, image, torch.zeros_like(shaft)), (560, 300))
    assert ((found == 2) == joint.numpy()).mean() > 0.995


def test_a_ball_of_which_a_part_was_drawn_is_no_implant() -> None:
    ball = ((COLS - 60) ** 2 + (ROWS - 80) ** 2) <= 42**2
    nail = NAIL & (COLS > 115)
    image = torch.where(nail | ball, 0.95, 0.2 + 0.3 * FEMUR)
    drawn = nail | (ball & (ROWS > 70))
    logits = torch.stack([FEMUR & ~drawn, FEMUR & False, drawn]).float() * 6 - 3
    found = classify_pixels(sharpen_metal(logits, image, NO_FRAMES), (300, 260))
    assert ((found == 3) == nail.numpy()).mean() > 0.998 and not (found == 2).any()


def test_logits_without_metal_are_passed_on() -> None:
    logits = torch.stack([FEMUR, FEMUR & False, FEMUR & False]).float() * 6 - 3
    assert sharpen_metal(logits, 0.3 * FEMUR, NO_FRAMES) is logits
