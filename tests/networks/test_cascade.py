"""The cascade measures the hips that are there, masks out the others, and is the network that was trained."""

import math
from pathlib import Path

import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from scripts.clinical import CHANNELS
from scripts.networks import HipLocaliser, ScreeningNetwork, SegmentationNetwork
from scripts.networks.contours import between, mirrored, nudged
from scripts.training.losses import heat_maps
from test_localisation import hips

CONFIGS = Path(scripts.__file__).parents[1] / "configs"


def parse(name: str) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / name))
    return parser


class KnownLogits(torch.nn.Module):
    """Answers with given logits, whatever the radiograph, and with that many features of it."""

    def __init__(self, logits: torch.Tensor, features: int) -> None:
        super().__init__()
        self.logits, self.features = logits, features

    def look(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.nn.functional.pad(self.logits, (0, 40, 0, 40), value=-9.0)[:, :, : image.shape[2], : image.shape[3]]
        return logits, torch.nn.functional.adaptive_avg_pool2d(image, 4).expand(-1, self.features, -1, -1)


def logits(masks: torch.Tensor, heat: torch.Tensor) -> torch.Tensor:
    return torch.logit(torch.cat((masks, heat), dim=1).clamp(1e-4, 1 - 1e-4))


def cascade(
    metal_left: bool = False, show_left: bool = True, show_shaft: bool = True, points: torch.Tensor | None = None
) -> ScreeningNetwork:
    """A cascade with untrained hip networks whose looks find two template hips on a 900 x 1200 radiograph.

    What is drawn of a hip does not depend on its crop, so no crop is turned or enlarged.
    """
    torch.manual_seed(0)
    network = parse("inference.yaml").get_parsed_content("network_def").eval()
    network.search.turn, network.search.enlargement = 0.0, 1.0
    heat = heat_maps(((hips(5.0, 1.0) if points is None else points) + 0.5) / 6 - 0.5, 150, 200, 3.6)
    fine = heat_maps(network.search.framer.template.expand(2, -1, -1), 352, 224, 6.0)
    if not show_left:
        heat[:, 5:] *= 0.05
    if not show_shaft:
        heat[:, [4, 9]] *= 0.05
        fine[:, 4] *= 0.05
    masks = torch.zeros(2, 3, 352, 224)
    masks[:, 0] = 1.0
    if metal_left:
        masks[1, 0], masks[1, 1] = 0.0, 1.0
    network.search.localisation = KnownLogits(logits(torch.zeros(1, 3, 150, 200), heat), 160)
    network.search.segmentation = KnownLogits(logits(masks, torch.cat((fine, torch.zeros(2, 1, 352, 224)), dim=1)), 128)
    return network


def named(channels: torch.Tensor) -> dict[str, float]:
    return dict(zip(CHANNELS.names, channels[0].tolist(), strict=True))


def radiograph(rows: int = 900, cols: int = 1200) -> torch.Tensor:
    return torch.rand(1, 1, rows, cols, generator=torch.Generator().manual_seed(1))


def test_two_whole_hips_are_measured() -> None:
    found = named(cascade()(radiograph()))
    for side in ("right", "left"):
        assert found[f"{side}_landmark_confidence"] > 0.95
        assert found[f"{side}_metal_fraction"] == 0.0
        assert found[f"{side}_shaft_abduction_deg"] == pytest.approx(6.7, abs=0.3)
        assert found[f"{side}_neck_bmd_sd"] > 0 and found[f"{side}_total_bmd_sd"] > 0
    assert 0.0 < found["osteoporosis_probability"] < 1.0


@pytest.mark.parametrize("absent", [{"show_left": False}, {"metal_left": True}])
def test_an_absent_or_implanted_hip_is_masked_out_and_changes_nothing_else(absent: dict[str, bool]) -> None:
    network = cascade(**absent)
    one = radiograph()
    other = one.clone()
    other[..., 800:] = torch.rand(1, 1, 900, 400)  # another left hip, beyond what surrounds the right one
    found, again = named(network(one)), named(network(other))
    for site in ("neck_bmd", "neck_bmd_sd", "total_bmd", "total_bmd_sd"):
        assert found[f"left_{site}"] == 0.0
    own = (
        "left_femur_probability",
        "hip_view",
        "novelty",
        "pelvic_turn_deg",
        "pelvic_tilt_deg",
    )  # those are of that hip itself, or of the whole radiograph
    of_hips = [name for name in found if name not in own]
    assert [found[name] for name in of_hips] == pytest.approx([again[name] for name in of_hips])
    assert found["right_total_bmd"] != 0.0


def test_a_radiograph_that_ends_above_the_shaft_point_is_measured() -> None:
    found = named(cascade(show_shaft=False)(radiograph()))
    assert found["right_landmark_confidence"] > 0.95
    assert found["right_shaft_abduction_deg"] == pytest.approx(5.0, abs=0.5)
    assert found["right_total_bmd_sd"] > 0


def test_no_hip_no_probability() -> None:
    network = cascade()
    network.search.localisation = KnownLogits(torch.full((1, 13, 150, 200), -6.0), 160)
    found = network(radiograph())
    assert torch.isfinite(found).all()
    assert named(found)["osteoporosis_probability"] == 0.0


def test_unknown_covariates_are_the_default_and_known_ones_count() -> None:
    network, image = cascade(), radiograph()
    unknown = network(image, torch.full((1, 4), float("nan")))
    known = network(image, torch.tensor([[80.0, 0.0, 50.0, 155.0]]))
    assert torch.equal(network(image), unknown)
    assert torch.isfinite(known).all() and not torch.allclose(known, unknown)


def test_predict_lies_on_the_radiographs_own_grid() -> None:
    network = parse("inference.yaml").get_parsed_content("network_def").eval()
    with torch.no_grad():
        found = network.predict(radiograph(301, 517))
    assert found["mask_logits"].shape == (1, 3, 301, 517)
    assert found["landmarks"].shape == (1, 2, 5, 2)
    assert found["crops"].shape == (1, 2, 224, 224) and found["around"].shape == (1, 2, 64, 64)
    assert found["crop_transforms"].shape == (1, 2, 2, 3)
    assert found["fracture_logits"].shape == (1, 2, 352, 224) and found["fracture_transforms"].shape == (1, 2, 2, 3)
    assert torch.isfinite(found["channels"]).all()


def test_masks_are_not_shifted_by_the_coarser_grid() -> None:
    network = cascade()
    coarse = torch.full((1, 13, 150, 200), -6.0)
    coarse[:, 0, 50:100, 75:125] = 6.0
    network.search.localisation = KnownLogits(coarse, 160)
    mask = network.predict(radiograph())["mask_logits"][0, 0] > 0
    rows, cols = torch.nonzero(mask.any(dim=1)), torch.nonzero(mask.any(dim=0))
    assert (int(rows[0]), int(rows[-1]), int(cols[0]), int(cols[-1])) == (300, 599, 450, 749)


def test_the_crops_contours_take_the_place_of_the_first_looks() -> None:
    network = cascade()
    inside = torch.full((2, 9, 352, 224), -6.0)
    inside[:, 3:] = network.search.segmentation.logits[:, 3:]
    inside[:, 0, 100:200, 80:160] = 6.0  # a rectangle of 60 x 48 mm in the canonical pose
    network.search.segmentation = KnownLogits(inside, 128)
    found = network.predict(radiograph())
    mask = found["mask_logits"][0, 0] > 0
    assert float(mask.sum()) == pytest.approx(2 * 60 * 48 / 0.09, rel=0.02)
    frames = network.search.framer.fit(found["landmarks"], torch.ones(1, 2, 5))
    for hip in range(2):
        row, col = (frames[0, hip] @ torch.tensor([149.5, 119.5, 1.0])).round().int().tolist()
        assert mask[row, col]


def test_where_a_femur_looks_broken_is_told_of_its_own_hip_and_place() -> None:
    network = cascade()
    whole = network.search(network.searched(radiograph()))["breaks"]
    network.search.segmentation.logits[1, -1, 140:160, 60:100] = 8.0  # of the left hip, 288 mm²
    broken = network.search(network.searched(radiograph()))["breaks"]
    assert torch.equal(broken[0, 0], whole[0, 0]) and bool((whole < -1.5).all())
    assert broken[0, 1].tolist() == pytest.approx([8 / 5] * 3, rel=0.15)
    found = network.predict(radiograph())
    assert [bool((hip > 0).any()) for hip in found["fracture_logits"][0]] == [False, True]
    at = found["fracture_transforms"][0, 1] @ torch.tensor([149.5, 79.5, 1.0])
    expected = network.search.framer.fit(found["landmarks"], torch.ones(1, 2, 5))[0, 1] @ torch.tensor([149.5, 79.5, 1.0])
    assert torch.allclose(at, expected, atol=1.0)


def test_the_tip_of_the_greater_trochanter_tells_of_no_break() -> None:
    network = cascade()
    whole = network.search(network.searched(radiograph()))["breaks"]
    network.search.segmentation.logits[:, -1, 60:100, 40:110] = 8.0  # the tip lies at (73, 55), the head's centre at (70, 147)
    assert torch.allclose(network.search(network.searched(radiograph()))["breaks"], whole)
    network.search.segmentation.logits[:, -1, 60:100, 130:160] = 8.0
    assert bool((network.search(network.searched(radiograph()))["breaks"] > 1.0).all())


class BrightIsBone(KnownLogits):
    """Draws what is bright as femur, wherever the crop lies; the landmarks are given."""

    def look(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, features = super().look(image)
        return torch.cat((20 * (image - 0.5), logits[:, 1:]), dim=1), features


def test_contours_that_follow_the_picture_agree_and_others_do_not() -> None:
    network = cascade()
    network.search.turn, network.search.enlargement = math.radians(5.0), 1.05
    known = network.search.segmentation.logits
    known[:, 0] = -6.0
    known[:, 0, 60:290, 100:150] = 6.0  # drawn at one place of any crop
    assert 0.7 < named(network(radiograph()))["right_contour_agreement"] < 0.93
    network.search.segmentation = BrightIsBone(known, 128)
    bright = torch.zeros(1, 1, 900, 1200)
    bright[:, :, 250:650, 250:300] = bright[:, :, 250:650, 850:900] = 1.0
    screened = named(network(bright))
    assert screened["right_contour_agreement"] > 0.97 and screened["left_contour_agreement"] > 0.97


def test_a_hip_that_was_not_found_agrees_with_nothing() -> None:
    assert named(cascade(show_left=False)(radiograph()))["left_contour_agreement"] == 0.0


def test_a_nudged_crop_keeps_its_middle_and_lies_where_its_transform_says() -> None:
    localiser = HipLocaliser()
    frames = localiser.fit(hips(15.0, 1.1), torch.ones(1, 2, 5))
    turned = nudged(frames, 224, 224, math.radians(5.0), 1.05)
    middle, corner = torch.tensor([111.5, 111.5, 1.0]), torch.tensor([3.0, 200.0, 1.0])
    assert torch.allclose(turned @ middle, frames @ middle, atol=1e-3)
    before, after = localiser.poses(frames, 0.3), localiser.poses(turned, 0.3)
    assert torch.allclose(after[..., 0] - before[..., 0], torch.full((1, 2), math.log(1.05)), atol=1e-4)
    assert torch.allclose(torch.rad2deg(after[..., 1] - before[..., 1]).abs(), torch.full((1, 2), 5.0), atol=1e-3)
    on_first = between(frames, turned) @ corner
    assert torch.allclose(
        frames[:, :, :, :2] @ on_first.unsqueeze(3) + frames[:, :, :, 2:], (turned @ corner).unsqueeze(3), atol=1e-2
    )


def test_a_hip_that_runs_the_wrong_way_round_is_none() -> None:
    """A right hip found with a left hip's shape is never called right."""
    swapped = named(cascade(points=hips(5.0, 1.0).flip(1))(radiograph()))
    assert swapped["right_landmark_confidence"] == swapped["left_landmark_confidence"] == 0.0
    assert swapped["osteoporosis_probability"] == 0.0


def test_of_two_hips_in_the_wrong_order_only_one_is_believed() -> None:
    found = named(cascade(points=hips(5.0, 1.0, centres=((300.0, 800.0), (310.0, 400.0))))(radiograph()))
    assert sorted([found["right_landmark_confidence"] > 0.9, found["left_landmark_confidence"] > 0.9]) == [False, True]


def test_one_hip_that_is_found_as_a_right_and_as_a_left_one_is_one() -> None:
    """No adult's femoral heads lie 60 mm apart."""
    found = named(cascade(points=hips(5.0, 1.0, centres=((300.0, 500.0), (310.0, 700.0))))(radiograph()))
    present = {side for side in ("right", "left") if found[f"{side}_landmark_confidence"] > 0.9}
    assert len(present) == 1
    assert {side for side in ("right", "left") if found[f"{side}_contour_agreement"] > 0} == present


def test_a_mirrored_radiograph_has_its_pelvis_turned_the_other_way_and_tilted_as_far() -> None:
    network, image = cascade().heads["view"], radiograph(300, 400)
    heads = torch.tensor([[[150.0, 110.0], [156.0, 290.0]]])
    other = torch.stack((heads[..., 0], 399 - heads[..., 1]), dim=2).flip(1)
    features, both = torch.zeros(1, 320), torch.ones(1)
    (view, turn, tilt), (same, back, alike) = (
        network.radiograph(features, network.pelvis(*seen), both) for seen in ((image, heads), (image.flip(3), other))
    )
    assert float(turn.detach().abs()) > 1e-3
    torch.testing.assert_close(turn, -back, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(view, same, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(tilt, alike, atol=1e-4, rtol=1e-3)
    _, no_turn, no_tilt = network.radiograph(features, network.pelvis(image, heads), torch.zeros(1))
    assert float(no_turn.detach()) == float(no_tilt.detach()) == 0.0


def test_a_unets_levels_give_what_the_unet_gives() -> None:
    unet = parse("inference.yaml").get_parsed_content("segmentation_def#backbone").eval()
    network = SegmentationNetwork(unet, landmarks=5, fracture=True).eval()
    image = torch.rand(1, 1, 96, 64, generator=torch.Generator().manual_seed(0))
    logits, deep = network.look(image)
    torch.testing.assert_close(logits, unet(image) + network.bias)
    assert deep.shape == (1, 128, 3, 2)


@pytest.mark.parametrize("crossed", [False, True])
def test_mirrored_landmarks_are_told_by_their_order_round_the_hip(crossed: bool) -> None:
    points = hips(20.0, 1.1)
    wrong = mirrored(points.flip(1) if crossed else points, torch.ones(1, 2, 5))
    assert wrong.all() if crossed else not wrong.any()
