"""A doubtful reading is compared with that of the mirror image: ghosts go, and the better drawing stays."""

import pytest
import torch
from readings import LOCALISER, SIZE, landmarks, reading
from scripts.clinical import CHANNELS
from scripts.screening import SecondReader
from scripts.screening.second_reader import evidence, of_sides, unmirrored


def mirror(known: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a network that is the same on both sides gives of the mirrored image."""
    return unmirrored(known, SIZE[1])


def reader(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], int]:
    """The reading that is kept of two, and how often the network was asked."""
    given = iter((first, mirror(second)))
    asked: list[torch.Tensor] = []

    def predict(image: torch.Tensor) -> dict[str, torch.Tensor]:
        asked.append(image)
        return next(given)

    image = torch.rand(1, 1, *SIZE)
    kept = SecondReader()(image, predict)
    if len(asked) > 1:
        assert torch.equal(asked[1], image.flip(3))
    return kept, len(asked)


def test_a_mirrored_reading_turned_back_is_that_of_the_image() -> None:
    known = reading({"shaft_abduction_deg": 12.0}, {"contour_agreement": 0.97}, pelvic_turn_deg=7.0)
    turned = unmirrored(known, SIZE[1])
    values = dict(zip(CHANNELS.names, turned["channels"][0].tolist(), strict=True))
    assert values["left_shaft_abduction_deg"] == 12.0 and values["right_contour_agreement"] == pytest.approx(0.97)
    assert values["pelvic_turn_deg"] == -7.0 and values["pelvic_tilt_deg"] == 4.0
    # The crop of the right hip in the mirror is that of the left hip, wherever its pixels lie.
    expected = LOCALISER.fit(turned["landmarks"], torch.ones(1, 2, 5))
    torch.testing.assert_close(turned["crop_transforms"], expected, atol=1e-2, rtol=1e-4)
    torch.testing.assert_close(turned["poses"], LOCALISER.poses(expected, 0.3), atol=1e-3, rtol=1e-3)
    assert all(torch.equal(turned[key], known[key].flip(1)) for key in ("crops", "around"))
    back = unmirrored(turned, SIZE[1])
    for key, value in known.items():
        torch.testing.assert_close(back[key], value, atol=1e-3, rtol=1e-4)


def test_a_reading_that_is_sure_is_not_repeated() -> None:
    known = reading()
    kept, asked = reader(known, reading({"contour_agreement": 0.5}))
    assert kept is known and asked == 1


@pytest.mark.parametrize("first", [reading({"contour_agreement": 0.93}), reading(radii=(80, 70))])
def test_a_doubtful_reading_gives_way_to_one_that_is_drawn_better(first: dict[str, torch.Tensor]) -> None:
    better = reading({"contour_agreement": 0.99}, {"contour_agreement": 0.99})
    kept, asked = reader(first, better)
    assert asked == 2 and evidence(kept) == pytest.approx(evidence(better))
    torch.testing.assert_close(kept["channels"], better["channels"])
    kept, _ = reader(first, reading({"contour_agreement": 0.7}, {"contour_agreement": 0.7}))
    torch.testing.assert_close(kept["channels"], first["channels"])


def test_a_ghost_is_taken_out_and_a_hip_that_both_readings_find_stays() -> None:
    ghost = reading(left={"contour_agreement": 0.86})
    kept, _ = reader(ghost, reading(left={"landmark_confidence": 0.0, "contour_agreement": 0.0}))
    assert of_sides(kept, "landmark_confidence").tolist() == [pytest.approx(0.9), 0.0] and kept["valid"].tolist() == [[1.0, 0.0]]
    assert of_sides(kept, "neck_bmd").tolist() == [0.75, 0.0]
    elsewhere = reading(left={"contour_agreement": 0.85}, places=landmarks(left_col=520.0))
    assert of_sides(reader(ghost, elsewhere)[0], "landmark_confidence").tolist() == [pytest.approx(0.9), 0.0]
    again = reading(left={"contour_agreement": 0.85})
    assert (of_sides(reader(ghost, again)[0], "landmark_confidence") > 0.8).all()
