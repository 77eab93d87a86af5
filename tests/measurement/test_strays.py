"""Only bone that belongs to a hip is shown."""

import pytest
import torch
from scripts.clinical.anatomy import HIP
from scripts.measurement.contours import fill_holes, remove_strays, trim_spurs

RIGHT = [[60.0, 150.0], [100.0, 120.0], [60.0, 90.0], [150.0, 120.0], [250.0, 110.0]]


def film() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits with the right femur alone, and the landmarks of both hips on a radiograph of 300 x 600."""
    logits = torch.full((3, 300, 600), -5.0)
    logits[0, 20:290, 80:180] = 5.0
    right = torch.tensor(RIGHT)
    return logits, torch.stack((right, right * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 599.0])))


def shown(
    logits: torch.Tensor, landmarks: torch.Tensor, found: tuple[bool, bool], image: torch.Tensor | None = None
) -> torch.Tensor:
    """What is left of the femurs; bone and metal are bright unless an image is given."""
    kept = remove_strays(logits, landmarks, found, 0.2 + 0.5 * (logits > 0).any(dim=0) if image is None else image)
    assert torch.equal(kept[1:], logits[1:])
    return kept[0] > 0


@pytest.mark.parametrize("found", [(True, True), (True, False)])
def test_what_lies_outside_the_hips_that_were_found_is_no_femur_however_large(found):
    logits, landmarks = film()
    logits[0, 0:290, 0:70] = 5.0
    mask = shown(logits, landmarks, found)
    assert mask[20:290, 80:180].all() and not mask[:, :70].any()


def test_bone_that_metal_cuts_off_is_kept_with_the_rest():
    logits, landmarks = film()
    logits[0, 200:210, 80:180] = -5.0
    logits[2, 200:210, 70:190] = 5.0
    logits[0, 270:280, 80:180] = -5.0  # a gap without metal: below it is no piece of this bone
    assert shown(logits, landmarks, (True, True)).nonzero()[:, 0].max() == 269


def test_of_a_hip_that_was_not_found_a_large_part_on_its_side_is_kept():
    logits, landmarks = film()
    logits[0, 100:290, 500:590] = 5.0
    logits[0, 0:20, 400:420] = 5.0
    mask = shown(logits, landmarks, (True, False))
    assert mask[100:290, 500:590].all() and not mask[0:20, 400:420].any()
    assert not shown(logits, landmarks, (True, True))[:, 300:].any()


def test_where_no_hip_was_found_only_what_is_large_is_left():
    logits, landmarks = film()
    logits[0, 0:20, 400:420] = 5.0
    mask = shown(logits, landmarks, (False, False))
    assert mask[20:290, 80:180].all() and not mask[:, 300:].any()


def test_where_no_hip_was_found_a_femur_without_an_edge_is_none_and_metal_stays():
    logits, landmarks = film()
    logits[0, 100:290, 500:590] = 5.0  # on nothing but soft tissue
    image = torch.full((300, 600), 0.5) + 0.01 * torch.rand(300, 600, generator=torch.Generator().manual_seed(0))
    image[:, 80:180] += 0.3
    mask = shown(logits, landmarks, (True, False), image)
    assert mask[20:290, 80:180].all() and not mask[:, 300:].any()
    assert not shown(logits, landmarks, (False, False), image)[:, 300:].any()
    logits[1, 150:170, 500:590] = 6.0
    assert shown(logits, landmarks, (True, False), image)[100:149, 500:590].all()


def test_a_femur_without_an_edge_is_none_wherever_the_hip_that_was_found_lies():
    logits, landmarks = film()
    logits, landmarks = logits.roll(220, 2), landmarks + torch.tensor([0.0, 220.0])  # most of the radiograph is lateral of it
    logits[0, 20:290, 500:590] = 5.0
    image = torch.full((300, 600), 0.5) + 0.01 * torch.rand(300, 600, generator=torch.Generator().manual_seed(0))
    mask = shown(logits, landmarks, (True, False), image)
    assert mask[20:290, 300:400].all() and not mask[:, 450:].any()


def test_a_hole_in_a_femur_is_filled_and_what_two_bones_enclose_is_not():
    logits, _ = film()
    logits[0, 150:180, 120:140] = -5.0  # marrow
    logits[0, 250:260, 100:140] = -5.0
    logits[2, 250:260, 100:140] = 5.0  # a screw
    logits[0, 20:30, 180:500] = logits[0, 280:290, 180:500] = 5.0  # a frame round 70 cm²
    logits[0, 20:290, 490:500] = 5.0
    filled = fill_holes(logits)
    assert bool((filled[0, 150:180, 120:140] > 0).all()) and not bool((filled[0, 30:280, 180:490] > 0).any())
    assert not bool((filled[0, 250:260, 100:140] > 0).any())


def corners() -> torch.Tensor:
    """Logits of a shaft 30 mm wide that runs into the lower edge of a film of 300 x 300, with a bump that is thick enough."""
    logits = torch.full((3, 300, 300), -5.0)
    logits[0, 50:, 100:200] = 5.0
    logits[0, 100:130, 200:225] = 5.0
    return logits


NOWHERE = torch.full((2, 5, 2), -1e4)


@pytest.mark.parametrize(
    "loop",
    [
        (slice(180, 192), slice(200, 240)),  # 3.6 mm wide, and 12 mm long
        (slice(293, 300), slice(200, 230)),  # along the film's edge
        (slice(30, 50), slice(140, 150)),
    ],
)
def test_a_thin_loop_beside_a_shaft_is_cut_off_and_nothing_else(loop):
    logits = corners()
    logits[0][loop] = 5.0
    kept = trim_spurs(logits, NOWHERE)
    differs = (kept[0] > 0) != (corners()[0] > 0)
    assert differs.sum() <= 0.25 * (loop[0].stop - loop[0].start) * (loop[1].stop - loop[1].start)
    assert not (differs & (corners()[0] > 0)).any()
    assert torch.equal(kept[1:], logits[1:])


def test_a_femur_without_a_loop_and_an_empty_film_stay_as_they_are():
    assert trim_spurs(corners(), NOWHERE) is not None and torch.equal(trim_spurs(corners(), NOWHERE), corners())
    assert (trim_spurs(torch.full((3, 80, 80), -5.0), NOWHERE) < 0).all()


def test_the_tip_of_a_lesser_trochanter_and_a_cortex_over_metal_are_no_loops():
    logits = corners()
    logits[0, 180:192, 200:240] = 5.0
    landmarks = NOWHERE.clone()
    landmarks[1, HIP.landmark("lesser_trochanter")] = torch.tensor([185.0, 215.0])
    assert torch.equal(trim_spurs(logits, landmarks), logits)
    logits = corners()
    logits[0, 100:, 110:190] = -5.0
    logits[1, 100:, 110:190] = 5.0
    assert torch.equal(trim_spurs(logits, NOWHERE), logits)
