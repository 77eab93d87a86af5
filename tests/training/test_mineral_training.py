"""The regressor that draws a map of the mineral: what it learns from, that it learns, and its place in the cascade."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scripts
import torch
from bundle_command import bundle, exported, laid
from monai.data import MetaTensor
from PIL import Image
from scripts.dataset.minerals import MINERAL_STEP, LoadMineralMapsd
from scripts.networks import HipLocaliser, MineralHead, Surroundings
from scripts.networks.checkpoint import read_checkpoint
from scripts.networks.mineral import TYPICAL_GAIN
from scripts.radiograph import Orientation
from scripts.training import HipMetald, MeasureGaind, MineralLoss, RandMineralCropsd
from scripts.training.mineral_crops import measure_gain

BUNDLE = Path(scripts.__file__).parents[1]
WEIGHTS = BUNDLE / "models" / "model.pt"


def small_head() -> MineralHead:
    torch.manual_seed(0)
    close, around = HipLocaliser((64, 64), 1.95), Surroundings(HipLocaliser((32, 32), 8.0, (-90.0, -150.0)), 6)
    return MineralHead(["neck_bmd", "total_bmd"], close, around).eval()


@pytest.fixture(scope="module")
def mapped(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny cohort, with maps: the more BMD, the more mineral, all of it cortex; the upper half of the head is the neck."""
    folder = tmp_path_factory.mktemp("mapped")
    shutil.copytree(cohort, folder, dirs_exist_ok=True)
    for name in ("minerals", "regions"):
        (folder / name).mkdir()
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        bone = np.asarray(Image.open(folder / row["label"])) == 1
        mineral = np.zeros((*bone.shape, 3), np.uint8)
        mineral[bone, 0] = round(float(row["right_total_bmd"]) / MINERAL_STEP)
        regions = bone * np.uint8(2)
        regions[:70][bone[:70]] |= 1
        for kind, drawn in (("mineral", mineral), ("region", regions)):
            row[f"{kind}_label"] = f"{kind}s/{row['patient_id']}.png"
            Image.fromarray(drawn).save(folder / row[f"{kind}_label"])
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def joined(mapped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights that ship, but the regressor of density after two epochs on radiographs with maps."""
    work = tmp_path_factory.mktemp("mineral")
    bundle(
        work, "run", "--config_file", laid("inference", "mineral", "train", "train_bmd", "train_mineral"), "--dataset_dir",
        str(mapped), "--output_dir", str(work / "bmd"), "--cache_dir", str(work / "cache"), "--epochs", "2", "--batch_size", "2",
    )  # fmt: skip
    bundle(
        work, "run", "--config_file", laid("inference", "assemble", "mineral"), "--base_file", str(WEIGHTS), "--bmd_file",
        str(work / "bmd" / "best.pt"), "--output_file", str(work / "model.pt"),
    )  # fmt: skip
    return work / "model.pt"


def test_the_joined_weights_tell_what_made_the_regressor_and_hold_the_others_unchanged(joined: Path) -> None:
    (state, told), (before, _) = read_checkpoint(joined), read_checkpoint(WEIGHTS)
    assert told["trainings"]["bmd"]["config"][-1] == "train_mineral.yaml"
    assert all(torch.equal(state[key], value) for key, value in before.items() if not key.startswith(("heads.bmd", "_extra")))


def test_it_screens_and_is_exported(joined: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(BUNDLE / "examples" / "images" / "normal.dcm", folder)
    bundle(
        tmp_path, "run", "--config_file", laid("inference", "mineral"), "--checkpoint", str(joined), "--dataset_dir", str(folder),
        "--output_dir", str(tmp_path / "out"),
    )  # fmt: skip
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [entry["file"] for entry in document["provenance"]["configuration"]["files"]] == ["inference.yaml", "mineral.yaml"]
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open(newline="")))
    assert all(0 < float(row["total_bmd_g_cm2"]) < 3 and float(row["total_bmd_sd_g_cm2"]) >= 0.0294 for row in rows)
    with torch.no_grad():
        assert exported(tmp_path, joined, "inference", "mineral")(torch.rand(1, 1, 300, 400)).shape == (1, 33)


def test_the_density_is_the_maps_mean_over_its_region_before_anything_is_learnt() -> None:
    found = small_head()(torch.rand(2, 2, 64, 64), torch.rand(2, 2, 32, 32), torch.zeros(2, 2, 2), torch.ones(2, 2),
                         torch.full((2, 4), torch.nan))  # fmt: skip
    weight = torch.sigmoid(found["regions"])
    femur = found["mineral"][:, :, :2].sum(dim=2, keepdim=True)
    mean = (femur * weight).sum(dim=(3, 4)) / weight.sum(dim=(3, 4))
    assert torch.allclose(found["read"], mean, atol=1e-5)
    assert torch.allclose(found["estimates"][..., 0], mean, rtol=0.02), "but for what the members differ about the gain"


def test_a_hip_that_is_not_valid_leaves_the_other_as_it_is() -> None:
    head, valid = small_head(), torch.tensor([[1.0, 0.0]])
    crops, around, poses = torch.rand(1, 2, 64, 64), torch.rand(1, 2, 32, 32), torch.zeros(1, 2, 2)
    unknown = torch.full((1, 4), torch.nan)
    first = head(crops, around, poses, valid, unknown)["estimates"][:, 0]
    changed = head(crops * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), around, poses, valid, unknown)["estimates"][:, 0]
    assert torch.allclose(first, changed, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "named"), [((["total_bmd"],), "1 quantities"), ((["neck_bmd", "total_bmd"], 60), "60 x 64")]
)
def test_what_does_not_fit_is_refused(arguments, named) -> None:
    sites, rows = (*arguments, 64)[:2]
    with pytest.raises(ValueError, match=named):
        MineralHead(sites, HipLocaliser((rows, 64), 1.95), Surroundings(HipLocaliser((32, 32), 8.0), 6))


def test_the_gain_is_the_grey_that_a_gram_of_mineral_makes_whatever_lies_over_it() -> None:
    torch.manual_seed(1)
    mineral = torch.zeros(2, 52, 52)
    mineral[:, 10:40, 20:30] = torch.tensor([0.8, 1.2]).view(2, 1, 1)
    tissue = torch.linspace(0, 0.3, 52).view(1, 1, 52)
    grey = tissue + mineral * TYPICAL_GAIN * torch.tensor([1.0, 0.5]).view(2, 1, 1)
    found = measure_gain(grey, mineral, 2.4)
    assert found.tolist() == pytest.approx([0.0, np.log(0.5)], abs=0.05)
    assert measure_gain(grey, torch.zeros_like(mineral), 2.4).isnan().all()


def item_of(shape: tuple[int, int], files: dict[str, str]) -> dict:
    meta = {"displayed_shape": shape, "orientation": Orientation(), "filename_or_obj": "film.dcm"}
    return {"image": MetaTensor(torch.zeros(1, *shape), meta=meta), **files}


def test_maps_are_read_onto_a_quarter_of_the_image(tmp_path: Path) -> None:
    mineral, region = np.zeros((50, 42, 3), np.uint8), np.zeros((50, 42), np.uint8)
    mineral[:24, :, 0], mineral[:, :20, 2], region[8:16, 8:16], region[40:44, :] = 50, 100, 3, 2
    files = {"mineral_label": str(tmp_path / "m.png"), "region_label": str(tmp_path / "r.png")}
    Image.fromarray(mineral).save(files["mineral_label"])
    Image.fromarray(region).save(files["region_label"])
    maps = LoadMineralMapsd()(item_of((50, 42), files))["maps"]
    assert maps.shape == (5, 12, 10) and maps.dtype == torch.uint8
    assert (
        (maps[0, :6] == 50).all() and (maps[0, 6:] == 0).all() and (maps[2, :, :5] == 100).all() and (maps[2, :, 5:] == 0).all()
    )
    assert (maps[3, 2:4, 2:4] == 255).all() and maps[3].float().sum() == 255 * 4
    assert (maps[4, 10] == 255).all() and (maps[4, 2:4, 2:4] == 255).all()


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("alone", "film.dcm: has a region_label and no mineral_label"),
        ("text", "cannot be read"),
        ("shape", r"uint8 \(40, 42, 3\), expected uint8 \(50, 42, 3\)"),
    ],
)
def test_a_bad_map_is_named(broken: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "m.png"
    if broken == "text":
        file.write_text("no picture")
    else:
        Image.fromarray(np.zeros((40, 42, 3), np.uint8)).save(file)
    files = {"mineral_label": "" if broken == "alone" else str(file), "region_label": str(file)}
    with pytest.raises(ValueError, match=named):
        LoadMineralMapsd()(item_of((50, 42), files))


def test_crops_and_their_maps_show_the_same_place() -> None:
    """A bright square of the image lies in the crop where its mineral lies in the map, on both sides."""
    close = HipLocaliser((416, 416), 0.3)
    head = MineralHead(["neck_bmd", "total_bmd"], close, Surroundings(HipLocaliser((128, 128), 2.0, (-90.0, -150.0)), 6))
    # A right hip whose crop is a part of the image, pixel by pixel, and its mirror image.
    landmarks = torch.stack(
        [close.template * torch.tensor([1.0, sign]) + torch.tensor([90.0, col]) for sign, col in ((1, 30.0), (-1, 969.0))]
    )
    image, maps = torch.zeros(1, 600, 1000), torch.zeros(5, 150, 250)
    image[:, 280:320, 200:240] = image[:, 280:320, 760:800] = TYPICAL_GAIN
    maps[0, 70:80, 50:60] = maps[0, 70:80, 190:200] = 50
    maps[4] = 255
    label, bmd = (image > 0).to(torch.uint8), torch.full((2, 2), 0.8)
    whole = {"image": image, "label": label, "landmarks": landmarks, "maps": maps, "bmd": bmd}
    item = MeasureGaind(0.3)(RandMineralCropsd(head.close, head.around)(HipMetald(head.close)(whole)))
    assert (
        item["valid"].tolist() == [1, 1] and item["mineral"].shape == (2, 3, 52, 52) and item["regions"].shape == (2, 2, 52, 52)
    )
    seen = torch.nn.functional.avg_pool2d(item["image"], 8) / TYPICAL_GAIN
    assert (seen - item["mineral"][:, 0]).abs().mean() < 0.004 and item["mineral"][:, 0].sum() == pytest.approx(50, rel=0.05)
    assert torch.allclose(item["mineral"][0], item["mineral"][1], atol=1e-3)
    assert item["gain"].tolist() == pytest.approx([0.0, 0.0], abs=0.06)
    fainter = MeasureGaind(0.3)({**item, "image": 0.5 * item["image"], "valid": torch.tensor([1.0, 0.0])})["gain"]
    assert float(fainter[0]) == pytest.approx(float(item["gain"][0]) + np.log(0.5), abs=1e-4) and fainter[1].isnan()


def test_crops_stay_on_the_processor_whatever_device_the_head_goes_to() -> None:
    head = small_head()
    crops = RandMineralCropsd(head.close, head.around)
    head.to("meta")
    item = {"image": torch.rand(1, 600, 1000), "landmarks": torch.rand(2, 5, 2) * 500, "maps": torch.zeros(5, 150, 250)}
    made = crops({**item, "metal": torch.zeros(2), "bmd": torch.full((2, 2), 0.8)})
    assert made["around"].device.type == "cpu" and made["around"].shape == (2, 32, 32)


def test_a_broken_femur_has_no_regions_and_teaches_none() -> None:
    head = small_head()
    found = head(
        torch.rand(1, 2, 64, 64), torch.rand(1, 2, 32, 32), torch.zeros(1, 2, 2), torch.ones(1, 2), torch.full((1, 4), torch.nan)
    )
    regions = torch.zeros(1, 2, 2, 8, 8)
    regions[:, 0, :, :4] = 1.0
    target = {
        "bmd": torch.full((1, 2, 2), torch.nan),
        "mineral": torch.zeros(1, 2, 3, 8, 8),
        "regions": regions,
        "gain": torch.zeros(1, 2),
    }
    loss = MineralLoss()
    before = loss(found, target)
    other = {**found, "regions": torch.cat((found["regions"][:, :1], found["regions"][:, 1:] + 3.0), dim=1)}
    assert loss(other, target) == before
    assert loss({**found, "regions": found["regions"] + 3.0}, target) != before


def test_what_is_not_known_of_a_hip_teaches_nothing() -> None:
    head = small_head()
    told = (
        torch.rand(1, 2, 64, 64),
        torch.rand(1, 2, 32, 32),
        torch.zeros(1, 2, 2),
        torch.ones(1, 2),
        torch.full((1, 4), torch.nan),
    )
    found = head(*told)
    target = {
        "bmd": torch.tensor([[[0.7, 0.8], [torch.nan, torch.nan]]]),
        "mineral": torch.zeros(1, 2, 3, 8, 8),
        "regions": torch.zeros(1, 2, 2, 8, 8),
        "gain": torch.tensor([[0.1, torch.nan]]),
    }
    known = MineralLoss()(found, target)
    assert torch.isfinite(known)
    for name in ("mineral", "regions"):
        target[name] = torch.cat((target[name][:, :1], torch.ones_like(target[name][:, 1:])), dim=1)
    assert MineralLoss()(found, target) == known


def test_the_members_differ_and_their_mixture_has_the_variance_of_both_kinds() -> None:
    head = small_head()
    with torch.no_grad():
        for correction in head.corrections.each:
            torch.nn.init.normal_(correction[-1].weight, std=0.1)
        found = head(torch.rand(1, 2, 64, 64), torch.rand(1, 2, 32, 32), torch.zeros(1, 2, 2), torch.ones(1, 2),
                     torch.full((1, 4), torch.nan))  # fmt: skip
    means, sds = found["members"].unbind(dim=4)  # (1, 2, K, sites)
    mean, sd, epistemic = found["estimates"].unbind(dim=3)
    assert torch.allclose(mean, means.mean(dim=2)) and (epistemic > 0).all()
    assert torch.allclose(epistemic, means.var(dim=2, unbiased=False).sqrt(), atol=1e-6)
    assert torch.allclose(sd**2, sds.square().mean(dim=2) + epistemic**2, atol=1e-6)
    assert torch.allclose(found["gain"], found["gains"].mean(dim=2))
    halves = head.gains.halves
    assert len({tuple(half.tolist()) for half in halves}) == 5 and (halves.mean(dim=1) - 0.5).abs().max() < 0.01
    assert torch.equal(halves[0] + halves[1], torch.ones(halves.shape[1])), "what one does not see the other does"
    assert head.corrections.halves[:, -3:].all(), "what the map says, and the gain, all are told"


def test_without_maps_dxa_alone_teaches() -> None:
    close = HipLocaliser((416, 416), 0.3)
    head = MineralHead(["neck_bmd", "total_bmd"], close, Surroundings(HipLocaliser((128, 128), 2.0, (-90.0, -150.0)), 6))
    landmarks = torch.stack(
        [close.template * torch.tensor([1.0, sign]) + torch.tensor([90.0, col]) for sign, col in ((1, 30.0), (-1, 969.0))]
    )
    item = LoadMineralMapsd()(item_of((600, 1000), {"mineral_label": "", "region_label": ""}))
    assert item["maps"].shape == (5, 150, 250) and not item["maps"].any()
    whole = {"image": torch.rand(1, 600, 1000), "landmarks": landmarks, "maps": item["maps"], "bmd": torch.full((2, 2), 0.8)}
    seen = MeasureGaind(0.3)(RandMineralCropsd(head.close, head.around)(whole))
    assert seen["gain"].isnan().all()
    batch = {key: value[None] for key, value in seen.items()}
    found = head(batch["image"], batch["around"], batch["poses"], batch["valid"], torch.full((1, 4), torch.nan))
    MineralLoss()(found, {key: batch[key] for key in ("bmd", "mineral", "regions", "gain")}).backward()
    grown = {name for name, weight in head.named_parameters() if weight.grad is not None and weight.grad.abs().sum() > 0}
    assert any(name.startswith("draw") for name in grown) and not any(name.startswith("gains") for name in grown)
