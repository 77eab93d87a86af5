"""What augmentation may change, and what must move together."""

from pathlib import Path

import numpy as np
import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from scripts.clinical.anatomy import HIP
from scripts.networks import HipLocaliser, Surroundings
from scripts.networks.segmentation import coarser
from scripts.networks.view import OUTPUTS
from scripts.training import (
    HipMetald,
    LandmarkJitter,
    RandAppearanced,
    RandClutterd,
    RandContourCropd,
    RandDrawingd,
    RandEqualised,
    RandHipCropsd,
    RandRadiographPosed,
    RandRoughd,
    RandUnknownd,
    SeenRadiographsd,
    ToCoarserGridd,
    ViewTargetsd,
)
from scripts.training.hip_crops import to_radiograph

NAN = float("nan")


def item(rows: int = 300, cols: int = 400) -> dict[str, torch.Tensor]:
    """A dark film with a bright dot at every landmark; the right hip's dots are brighter, and are the first class."""
    template = torch.tensor([HIP.template_mm[name] for name in HIP.landmarks])
    left = template * torch.tensor([1.0, -1.0])
    landmarks = torch.stack((template + torch.tensor([90.0, 130.0]), left + torch.tensor([90.0, 270.0]))).round()
    image, label = torch.zeros(1, rows, cols), torch.zeros(2, rows, cols, dtype=torch.uint8)
    for side, brightness in enumerate((1.0, 0.5)):
        for row, col in landmarks[side].int().tolist():
            image[0, row - 3 : row + 4, col - 3 : col + 4] = brightness
            label[side, row - 3 : row + 4, col - 3 : col + 4] = 255
    return {"image": image, "label": label, "landmarks": landmarks}


@pytest.mark.parametrize("seed", range(12))
def test_mask_and_landmarks_move_with_the_film_and_sides_follow_the_mirror(seed: int) -> None:
    pose = RandRadiographPosed(size=(320, 384))
    pose.set_random_state(seed)
    posed = pose(item())
    assert posed["image"].shape == (1, 320, 384) and posed["label"].shape == (2, 320, 384)
    visible = torch.isfinite(posed["landmarks"]).all(dim=2)
    columns = []
    for side in range(2):
        for landmark in range(5):
            if visible[side, landmark]:
                row, col = posed["landmarks"][side, landmark].round().int().tolist()
                assert float(posed["label"][:, row, col].max()) > 0.9, "a landmark left its dot"
                column = int(posed["label"][:, row, col].argmax()) + 1
                columns.append((side, column))
                assert posed["image"][0, row, col] == pytest.approx({1: 1.0, 2: 0.5}[column], abs=0.1)
    # Either every hip kept its side, or the film was mirrored and every hip changed it.
    assert len({column - 1 == side for side, column in columns}) <= 1


def test_a_mirrored_film_has_its_right_hip_on_the_left() -> None:
    pose = RandRadiographPosed(size=(320, 384), degrees=0.0, one_hip=0.0, collimate=0.0, scale=(0.9, 0.9))
    for seed in range(6):
        pose.set_random_state(seed)
        landmarks = pose(item())["landmarks"]
        assert landmarks[0, 0, 1] < landmarks[1, 0, 1]


def test_what_a_collimator_covers_has_neither_mask_nor_landmarks() -> None:
    pose = RandRadiographPosed(size=(320, 384), collimate=1.0)
    covered = 0
    for seed in range(10):
        pose.set_random_state(seed)
        posed = pose(item())
        covered += int((~torch.isfinite(posed["landmarks"])).any())
        # A landmark is visible exactly when its dot's centre is in the mask.
        known = posed["landmarks"][torch.isfinite(posed["landmarks"]).all(dim=2)].round().long()
        assert (posed["label"].amax(dim=0)[known[:, 0], known[:, 1]] > 0).all()
    assert covered


def test_appearance_stays_in_range_and_zero_strength_keeps_the_order_of_grey_values() -> None:
    image = torch.linspace(-0.25, 1.25, 96 * 128).view(1, 96, 128)
    wild = RandAppearanced()
    for seed in range(10):
        wild.set_random_state(seed)
        out = wild({"image": image})["image"]
        assert out.shape == image.shape and float(out.min()) >= -0.25 and float(out.max()) <= 1.25
        assert not torch.allclose(out, image, atol=0.01)
    tame = RandAppearanced(strength=0.0, invert=0.0, objects=0.0)
    assert torch.allclose(tame({"image": image})["image"], image, atol=0.01)


def test_a_coarser_grid_keeps_the_landmarks_on_their_dots_and_the_area_of_the_mask() -> None:
    fine = item(900, 1200)
    classes = (fine["label"][:1] > 0).to(torch.uint8) + 2 * (fine["label"][1:] > 0).to(torch.uint8)
    coarse = ToCoarserGridd(lambda image: coarser(image, 3), 3)({**fine, "label": classes})
    assert coarse["image"].shape == (1, 300, 400) and coarse["label"].shape == (3, 300, 400)
    for row, col in coarse["landmarks"][0].round().int().tolist():
        assert coarse["image"][0, row, col] == 1.0 and coarse["label"][0, row, col] == 255
    assert torch.allclose(coarse["landmarks"], (fine["landmarks"] - 1) / 3)
    assert float(coarse["label"][1].float().sum()) * 9 / 255 == pytest.approx(float((classes == 2).sum()), rel=0.01)


def test_a_further_mask_becomes_the_labels_last_channel() -> None:
    fine = item(900, 1200)
    broken = torch.zeros(1, 900, 1200, dtype=torch.uint8)
    broken[:, 300:303, 300:306] = 1
    label = (fine["label"][:1] > 0).to(torch.uint8)
    grid = ToCoarserGridd(lambda image: coarser(image, 3), 3, further="fracture_label")
    out = grid({**fine, "label": label, "fracture_label": broken})["label"]
    assert out.shape == (4, 300, 400)
    assert out[3].nonzero().tolist() == [[100, 100], [100, 101]] and int(out[3].max()) == 255


CONFIGS = Path(scripts.__file__).parents[1] / "configs"
FRAMER = HipLocaliser((352, 224), 0.6, (-42.0, -88.0))
SURROUNDINGS = Surroundings(HipLocaliser((64, 64), 4.0, (-90.0, -150.0)), 12)


def test_without_jitter_a_contour_crop_is_the_cascades_own() -> None:
    data = item()
    out = RandContourCropd(FRAMER, 1.0, random_side=False)(data)
    transforms = FRAMER.fit(data["landmarks"][None], torch.ones(1, 2, 5))
    film = torch.cat((data["image"], data["label"].float() / 255))
    expected = FRAMER.sample(film[None], transforms)[0, 0]
    assert torch.allclose(out["image"], expected[:1], atol=1e-4) and torch.allclose(out["label"], expected[1:], atol=1e-4)
    assert torch.allclose(to_radiograph(transforms[0, 0], out["landmarks"]), data["landmarks"][0], atol=1e-3)


def test_the_hip_with_metal_or_a_fracture_is_drawn_more_often() -> None:
    data = item()
    data["label"] = torch.zeros(4, *data["label"].shape[1:], dtype=torch.uint8)
    row, col = data["landmarks"][1, 0].int().tolist()
    data["label"][3, row : row + 5, col : col + 5] = 255  # where the left hip is broken
    crop = RandContourCropd(FRAMER, 1.0, rare_share=0.9)
    crop.set_random_state(0)
    broken = [bool(crop(data)["label"][3].any()) for _ in range(60)]
    assert 48 <= sum(broken) < 60


@pytest.mark.parametrize("seed", range(8))
def test_the_landmarks_of_a_jittered_and_sheared_crop_stay_on_their_dots(seed: int) -> None:
    crop = RandContourCropd(FRAMER, 1.0, jitter=LandmarkJitter(2.0, 3.0, 0.05, 4.0), shear_sd=0.05)
    crop.set_random_state(seed)
    out = crop(item())
    seen = out["landmarks"][torch.isfinite(out["landmarks"]).all(dim=1)].round().long()
    assert len(seen) >= 4
    assert (out["image"][0, seen[:, 0], seen[:, 1]] > 0.4).all()
    # Right or left, a crop shows a right hip: its trochanter is at the viewer's left of the head.
    if torch.isfinite(out["landmarks"][[0, 2]]).all():
        assert out["landmarks"][2, 1] < out["landmarks"][0, 1]


def test_ridges_stay_in_the_bone_and_folds_go_on_beyond_it() -> None:
    image, femur = torch.full((1, 200, 160), 0.5), torch.zeros(1, 200, 160)
    femur[:, 60:140, 50:110] = 1.0
    for seed in range(8):
        drawn = {}
        for name in ("ridges", "folds"):
            off = dict.fromkeys(("bone", "texture", "overlaid", "ridges", "folds"), 0.0)
            clutter = RandClutterd(**(off | {name: 1.0}), ridge_sd=0.3, fold_sd=0.3)
            clutter.set_random_state(seed)
            drawn[name] = (clutter({"image": image, "label": femur})["image"] - image).abs() > 0.02
        near = torch.nn.functional.max_pool2d(femur, 11, 1, 5) > 0
        assert drawn["ridges"].any() and not drawn["ridges"][~near].any()
        assert drawn["folds"][~near].any()


def test_knobs_and_notches_move_bone_and_picture_alike() -> None:
    label = torch.zeros(4, 200, 160)
    label[0, 40:160, 50:110], label[3, 90:100, 50:110] = 1.0, 1.0
    image = 0.2 + 0.6 * label[:1]
    rough = RandRoughd(prob=1.0, height_sd=3.0)
    rough.set_random_state(1)
    out = rough({"image": image, "label": label})
    assert torch.allclose(out["image"][:, 5:-5, 5:-5], 0.2 + 0.6 * out["label"][:1, 5:-5, 5:-5], atol=1e-5)
    moved = (out["label"][0] > 0.5) != (label[0] > 0.5)
    near = torch.nn.functional.max_pool2d(label[:1], 31, 1, 15)[0] > 0
    assert 50 < int(moved.sum()) < 3000 and not moved[~near].any() and not moved[60:140, 75:85].any()
    empty = {"image": image, "label": torch.zeros(4, 200, 160)}
    assert rough(empty)["image"] is image, "without a bone there is nothing to move"


def test_clutter_changes_the_picture_and_not_the_labels() -> None:
    clutter = RandClutterd(bone=1.0, texture=1.0, overlaid=1.0)
    clutter.set_random_state(3)
    first, second = ({**item(), "label": item()["label"] / 255.0} for _ in range(2))
    clutter(first)
    out = clutter(second)
    assert not torch.equal(out["image"], second["image"])
    assert torch.equal(out["label"], second["label"]) and torch.equal(out["landmarks"], second["landmarks"])
    assert float(out["image"].min()) >= -0.25 and float(out["image"].max()) <= 1.25


class KnownSearch:
    """Finds both hips where a film of `item` has them, the left one this far off."""

    def __init__(self, off_mm: float = 0.0) -> None:
        self.off = off_mm

    def __call__(self, film: torch.Tensor) -> dict[str, torch.Tensor]:
        found = item()["landmarks"][None].clone()
        found[:, 1] += self.off
        return {
            "small": film,
            "landmarks": found,
            "heads": found[:, :, 0],
            "radiograph_features": film.mean().view(1, 1),
            "hip_features": torch.ones(1, 2, 3),
            "shapes": torch.zeros(1, 2, 12),
            "breaks": torch.rand(1, 2, 3),
            "found": torch.ones(1, 2),
        }


def seen(target: list[float], landmarks: torch.Tensor, off_mm: float = 0.0, spoilt: float = 0.0) -> dict[str, torch.Tensor]:
    """What is seen of an unmoved film whose targets are these: two drawings."""
    pose = RandRadiographPosed(size=(300, 400), degrees=0.0, one_hip=0.0, collimate=0.0, scale=(1.0, 1.0), mirror=0.0)
    pose._affine = lambda *_: (torch.eye(2), torch.tensor([149.5, 199.5]))  # not shifted or sheared either
    look = SeenRadiographsd(
        KnownSearch(off_mm), lambda film, heads: film[:, :, :8, :8], pose,
        RandClutterd(overlaid=0.0), RandAppearanced(), 2, spoilt=spoilt, spacing_mm=1.0,
    )  # fmt: skip
    return look(
        {
            **item(),
            "name": "P0.dcm",
            "landmarks": landmarks,
            "view": torch.tensor(target),
            "implanted": torch.zeros(2, dtype=torch.bool),
        }
    )


TARGET = [1.0, 3.0, -6.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 10.0, 20.0]


def column(*names: str) -> list[int]:
    """Of the targets."""
    return [index for index, name in enumerate(OUTPUTS) if name in names]


def test_what_is_seen_of_a_film_is_told_by_its_manifest_and_the_same_each_time() -> None:
    out = seen(TARGET, item()["landmarks"])
    assert out["view"].tolist() == [TARGET, TARGET]
    assert out["hip_features"].shape == (2, 2, 3) and out["pelvis"].shape == (2, 1, 8, 8)
    assert out["shapes"].shape == (2, 2, 12) and out["breaks"].shape == (2, 2, 3)
    assert not torch.equal(out["radiograph_features"][0], out["radiograph_features"][1])
    assert torch.equal(out["radiograph_features"], seen(TARGET, item()["landmarks"])["radiograph_features"])
    drawn = RandDrawingd(("radiograph_features", "view"))(out)
    assert drawn["view"].shape == (11,) and drawn["radiograph_features"] in out["radiograph_features"]


def test_a_spoilt_film_is_no_view_of_a_hip_and_what_is_found_on_it_no_femur() -> None:
    out = seen(TARGET, item()["landmarks"], spoilt=1.0)["view"]
    known = column("view", "femur")
    assert (out[:, known] == 0).all() and torch.isnan(np.delete(out, known, axis=1)).all()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_hip_found_where_none_is_is_no_femur(hidden: bool) -> None:
    landmarks = item()["landmarks"]
    if hidden:
        landmarks[1] = NAN
    out = seen(TARGET, landmarks, off_mm=0.0 if hidden else 60.0)["view"][0]
    known = [*column("view", "femur"), *(column(name)[0] for name in ("fracture", "growth", "rotation"))]
    assert out[known].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 10.0]
    assert torch.isnan(np.delete(out, known)).all()  # the pelvis is turned and tilted by what both heads tell


def test_of_a_hip_that_is_shown_in_part_nothing_is_known() -> None:
    landmarks = item()["landmarks"]
    landmarks[0, 0] = NAN
    out = seen(TARGET, landmarks)["view"][0]
    known = [0, *(column(name)[1] for name in ("femur", "fracture", "growth", "rotation"))]
    assert out[known].tolist() == [1.0, 1.0, 1.0, 0.0, 20.0] and torch.isnan(np.delete(out, known)).all()


def test_a_child_grows_wherever_a_hip_of_it_is_found() -> None:
    child = ViewTargetsd()({"kind": "child_pelvis"})["view"]
    out = seen(child.tolist(), torch.full((2, 5, 2), NAN))["view"][0]
    assert out[column("growth")].tolist() == [1.0, 1.0] and out[column("view", "femur")].tolist() == [0.0, 0.0, 0.0]
    assert ViewTargetsd()({"view": "AP"})["view"][column("growth")].tolist() == [0.0, 0.0]
    assert torch.isnan(ViewTargetsd()({"kind": "hand"})["view"][column("growth")]).all()


@pytest.mark.parametrize(
    ("row", "femurs", "view"),
    [
        ({"view": "AP"}, [1.0, 1.0], 1.0),
        ({"view": "AP", "left_implant": "total"}, [1.0, NAN], 1.0),
        ({"view": "FROG LEG"}, [NAN, NAN], 0.0),
        ({"kind": "hand"}, [0.0, 0.0], 0.0),
        ({"kind": "turned_pelvis"}, [NAN, NAN], 0.0),
        ({"kind": "wrong_scale"}, [NAN, NAN], 0.0),
        ({"view": "AP", "pelvic_turn_deg": "14"}, [1.0, 1.0], 1.0),
        ({"view": "AP", "pelvic_turn_deg": "-20"}, [1.0, 1.0], NAN),
        ({"view": "AP", "pelvic_turn_deg": "-25"}, [1.0, 1.0], 0.0),
    ],
)
def test_a_manifest_tells_what_a_film_shows(row: dict[str, str], femurs: list[float], view: float) -> None:
    target = ViewTargetsd()(row)["view"].numpy()
    np.testing.assert_equal(target[column("view", "femur")], [view, *femurs])


def measured_item() -> dict:
    return HipMetald(HipLocaliser())(hip_item())


def hip_item() -> dict[str, torch.Tensor]:
    template = torch.tensor([HIP.template_mm[name] for name in HIP.landmarks]) / 0.3
    left = template * torch.tensor([1.0, -1.0])
    film = torch.rand(1, 60, 80, generator=torch.Generator().manual_seed(0))
    return {
        "image": torch.nn.functional.interpolate(film[None], size=(600, 1000), mode="bilinear")[0],
        "label": torch.ones(1, 600, 1000, dtype=torch.uint8),
        "landmarks": torch.stack((template + torch.tensor([150.0, 330.0]), left + torch.tensor([150.0, 670.0]))),
        "bmd": torch.tensor([[0.7, 0.8], [0.71, 0.81]]),
        "osteoporosis": torch.tensor([0.0]),
    }


def test_without_jitter_the_crops_are_the_cascades_own() -> None:
    data, localiser = measured_item(), HipLocaliser()
    out = RandHipCropsd(localiser, SURROUNDINGS)(data)
    transforms = localiser.fit(data["landmarks"][None], torch.ones(1, 2, 5))
    assert torch.equal(out["image"], localiser.sample(data["image"][None], transforms)[0, :, 0])
    assert torch.equal(out["around"], SURROUNDINGS(data["image"][None], data["landmarks"][None], torch.ones(1, 2, 5))[0])
    assert torch.equal(out["poses"], localiser.poses(transforms, 0.3)[0])
    assert out["valid"].tolist() == [1.0, 1.0]


def test_what_surrounds_a_hip_lies_where_its_localiser_says_and_the_left_one_is_mirrored() -> None:
    data = measured_item()
    film = torch.zeros(1, 600, 1000)
    for side, sign in ((0, 1.0), (1, -1.0)):  # 30 mm lateral of each head centre, and 12 mm below it
        row, col = (data["landmarks"][side, 0] + torch.tensor([40.0, -100.0 * sign])).round().int().tolist()
        film[:, row - 12 : row + 13, col - 12 : col + 13] = 1.0
    around = RandHipCropsd(HipLocaliser(), SURROUNDINGS)({**data, "image": film})["around"]
    centre = torch.tensor(HIP.template_mm["head_centre"])
    expected = (centre + torch.tensor([12.0, -30.0]) + torch.tensor([90.0, 150.0])) / 4.0
    for side in range(2):
        rows, cols = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
        found = torch.stack([(around[side] * place).sum() / around[side].sum() for place in (rows, cols)])
        assert (found - expected).abs().max() < 0.3, (side, found, expected)


def test_jitter_moves_the_crops_a_little_and_differently_each_time() -> None:
    crops = RandHipCropsd(HipLocaliser(), SURROUNDINGS, jitter=LandmarkJitter(2.0, 1.5, 0.03, 2.5))
    crops.set_random_state(0)
    first, second, exact = (
        crops(measured_item()),
        crops(measured_item()),
        RandHipCropsd(HipLocaliser(), SURROUNDINGS)(measured_item()),
    )
    assert not torch.equal(first["image"], second["image"])
    assert (first["poses"] - exact["poses"]).abs().max() < 0.3


def test_an_implanted_hip_teaches_nothing() -> None:
    data = hip_item()
    data["label"][:, :, 500:] = 2
    out = RandHipCropsd(HipLocaliser(), SURROUNDINGS)(HipMetald(HipLocaliser())(data))
    assert out["valid"].tolist() == [1.0, 0.0]
    np.testing.assert_allclose(out["bmd"].numpy(), [[0.7, 0.8], [NAN, NAN]], rtol=1e-6)
    assert float(out["osteoporosis"]) == 0.0
    assert float(out["image"][1].abs().max()) == 0.0


def test_a_hip_needs_no_shaft_landmark_but_every_other() -> None:
    data = measured_item()
    data["landmarks"][:, 4] = NAN
    assert RandHipCropsd(HipLocaliser(), SURROUNDINGS)(data)["valid"].tolist() == [1.0, 1.0]
    data["landmarks"][0, 0] = NAN
    assert RandHipCropsd(HipLocaliser(), SURROUNDINGS)(data)["valid"].tolist() == [0.0, 1.0]


def test_covariates_are_hidden_at_about_the_given_rate() -> None:
    hide = RandUnknownd(key="covariates", each=0.3, all_of_them=0.0)
    hide.set_random_state(0)
    hidden = [torch.isnan(hide({"covariates": torch.ones(4)})["covariates"]).float().mean() for _ in range(200)]
    assert 0.25 < float(torch.stack(hidden).mean()) < 0.35


def test_what_is_cut_from_the_same_radiograph_gets_the_same_curve_and_nothing_else() -> None:
    level = torch.linspace(0.0, 1.0, 64).expand(1, 64, 64)
    plain = RandAppearanced(also=["around"], blur=0.0, field=0.0, objects=0.0, noise=0.0)
    busy = RandAppearanced(also=["around"], blur=0.0, field=1.0, objects=0.0, noise=1.0)
    for appearance in (plain, busy):
        appearance.set_random_state(3)
    out = plain({"image": level, "around": level, "other": level})
    assert torch.equal(out["image"][..., 1:], out["around"][..., 1:]) and not torch.equal(out["image"], level)
    assert out["other"] is level
    out = busy({"image": level, "around": level})
    assert not torch.equal(out["image"], out["around"])
    assert torch.equal(out["around"], out["around"][:, :1].expand(1, 64, 64)), "neither noise nor field"
    assert float(out["around"][0, 0, 0]) == 0.0, "what lies outside the radiograph stays"


def test_the_regressor_learns_from_hips_and_surroundings_of_one_tone_curve() -> None:
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / name) for name in ("inference.yaml", "train.yaml", "train_bmd.yaml")])
    crops, appearance = (parser.get_parsed_content(f"augmentation#{index}") for index in range(2))
    film = torch.full((1, 600, 1000), 0.6)
    for step in (crops, appearance):
        step.set_random_state(1)
    appearance.blur = appearance.objects = appearance.noise = 0.0
    for _ in range(5):
        out = appearance(crops({**measured_item(), "image": film}))
        tone = float(out["image"][0, 112, 112])
        inside = out["around"][0][out["around"][0] != 0]
        assert tone != 0.6 and float(out["around"][0, 32, 32]) == pytest.approx(tone, abs=1e-3) and len(inside) > 1000


def test_equalising_takes_out_what_is_slow_and_keeps_detail_and_range() -> None:
    across = torch.linspace(0.0, 1.0, 800).expand(1, 640, 800)
    detail = torch.zeros(1, 640, 800)
    detail[:, 300:340, ::40] = 0.1
    equalise = RandEqualised(prob=1.0, amount=(0.5, 0.5), slow_mm=(30.0, 30.0))
    out = equalise({"image": across + detail, "other": 1})
    stretch = float((out["image"][0, 320, 400] - out["image"][0, 250, 400]) / 0.1)
    assert out["other"] == 1 and 1.2 < stretch < 2.1, "what is left of the range is stretched to all of it, detail with it"
    assert torch.allclose(
        out["image"].quantile(torch.tensor([0.02, 0.98])), across.quantile(torch.tensor([0.02, 0.98])), atol=0.03
    )
    rise = out["image"][0, 100, 600] - out["image"][0, 100, 200]
    assert float(rise) / stretch < 0.35, "of 0.5 about half is taken out"
    assert torch.equal(RandEqualised(prob=0.0)({"image": across})["image"], across)


def test_metal_is_measured_whatever_device_the_network_goes_to_and_a_mask_is_no_metal() -> None:
    localiser = HipLocaliser()
    metal = HipMetald(localiser)
    localiser.to("meta")
    assert metal(hip_item())["metal"].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="Give another --cache_dir"):
        RandHipCropsd(HipLocaliser(), SURROUNDINGS)(hip_item())
