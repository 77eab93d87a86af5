"""The map of the mineral: of measured hips, in its place, and as much mineral as was estimated."""

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from scripts.dataset.minerals import MAP_LABELS, MINERAL_STEP, REGION_BITS
from scripts.development.made import BUNDLE
from scripts.evaluation.explanation.minerals import compare_one, has_map, summarise_maps, tell_of_maps
from scripts.results.mineral_maps import draw_mineral_map
from scripts.screening import MineralMap, MineralMapper, Seen, load_screen
from scripts.screening.explanation import on_image
from scripts.screening.screen import CONFIG_FILE
from scripts.screening.weights import load_part

IMAGES = BUNDLE / "examples/images"


@pytest.fixture(scope="module")
def mapper() -> MineralMapper:
    parser = ConfigParser(ConfigParser.load_config_files([CONFIG_FILE]))
    head = parser.get_parsed_content("mineral_def")
    load_part(head, str(BUNDLE / "models" / "mineral.pt"), "--mineral_file")
    return MineralMapper(head, parser["search_def#presence_threshold"])


@pytest.fixture(scope="module")
def seen() -> dict[str, Seen]:
    screen = load_screen()
    return {name: screen.files([IMAGES / f"{name}.dcm"]).radiographs[0].require() for name in ("normal", "hip_screw")}


def mean_of(found: MineralMap, side: int) -> float:
    return float((found.mineral[side] * found.region[side]).sum() / found.region[side].sum())


def test_its_mean_over_the_total_hip_is_the_estimate_and_it_lies_in_the_femur(
    mapper: MineralMapper, seen: dict[str, Seen]
) -> None:
    film = seen["normal"]
    found = mapper(film)
    assert found is not None and found.drawn == (True, True)
    femur = film.prediction["mask_logits"][0] > 0
    for side, hip in enumerate(film.screening.hips):
        assert mean_of(found, side) == pytest.approx(hip.estimates["total"].bmd, abs=1e-3)
        shape = (film.image.shape[-2], film.image.shape[-1])
        wide = torch.nn.functional.interpolate(found.mineral[None, side : side + 1], scale_factor=8.0)[0, 0]
        placed = on_image(wide, found.transforms[side], shape)
        assert float(placed[femur].sum() / placed.sum()) > 0.8, "2.4 mm and an edge"


def test_a_hip_that_is_not_measured_has_none(mapper: MineralMapper, seen: dict[str, Seen]) -> None:
    film = seen["hip_screw"]
    found = mapper(film)
    assert found is not None
    assert list(found.drawn) == [hip.reason is None for hip in film.screening.hips] and sum(found.drawn) == 1


def test_sides_lie_as_on_the_radiograph_and_the_left_hip_is_turned_back() -> None:
    mineral, region, crops = torch.zeros(2, 52, 52), torch.zeros(2, 52, 52), torch.zeros(2, 416, 416)
    mineral[:, :10, :10], region[:, 20:30, 20:30] = 2.5, 1.0
    both = np.asarray(draw_mineral_map(MineralMap((True, True), mineral, region, crops, torch.zeros(2, 2, 3))))
    tile = both.shape[1] // 4
    bright = both.astype(int).sum(axis=2) > 500
    right, left = bright[60:70, tile : 2 * tile], bright[60:70, 3 * tile :]
    assert right[:, : tile // 6].all() and not right[:, tile // 2 :].any()
    assert left[:, -tile // 6 :].all() and not left[:, : tile // 2].any()
    one = np.asarray(draw_mineral_map(MineralMap((False, True), mineral, region, crops, torch.zeros(2, 2, 3))))
    assert (one[60:tile, : 2 * tile] == 0).all() and (one[:tile, 2 * tile :] == both[:tile, 2 * tile :]).all()


def test_a_map_that_is_the_true_one_is_found_to_be_so(mapper: MineralMapper, seen: dict[str, Seen], tmp_path: Path) -> None:
    film = seen["normal"]
    found = mapper(film)
    assert found is not None
    item = true_maps_as_drawn(film, found, tmp_path)
    assert has_map(item) and not has_map({"mineral_label": "", "region_label": ""})
    hips = compare_one(mapper, film, item)
    assert len(hips) == 2 and {hip["site"] for hip in hips} == {"a"}
    for hip in hips:
        assert np.corrcoef(hip["drawn"], hip["true"])[0, 1] > 0.97
        assert np.mean(hip["drawn"]) == pytest.approx(np.mean(hip["true"]), rel=0.1)


def true_maps_as_drawn(film: Seen, found: MineralMap, folder: Path) -> dict[str, str]:
    """Files that tell what was drawn as the truth, on the radiograph's own grid."""
    shape = (film.image.shape[-2], film.image.shape[-1])
    rows, cols = film.image.meta["displayed_shape"]

    def placed(values: torch.Tensor) -> np.ndarray:
        wide = torch.nn.functional.interpolate(values[:, None], scale_factor=8.0)[:, 0]
        both = sum(on_image(one, transform, shape) for one, transform in zip(wide, found.transforms, strict=True))
        return np.asarray(Image.fromarray(np.asarray(both, dtype=np.float32)).resize((cols, rows)))

    mineral = np.zeros((rows, cols, 3), np.uint8)
    mineral[..., 0] = np.clip(placed(found.mineral) / MINERAL_STEP, 0, 255).round()
    region = (placed(found.region) > 0.5) * np.uint8(REGION_BITS[1])
    item = {"site": "a", **{label: str(folder / f"{label}.png") for label in MAP_LABELS}}
    for label, drawn in zip(MAP_LABELS, (mineral, region), strict=True):
        Image.fromarray(film.image.meta["orientation"].to_stored(drawn)).save(item[label])
    return item


def test_what_is_told_says_how_much_is_known_without_the_radiograph() -> None:
    random = np.random.default_rng(0)
    usual, pixels = random.random(200), list(range(200))
    true = [usual + 0.3 * random.random(200) for _ in range(6)]
    hips = [{"site": "a", "pixels": pixels, "drawn": list(one + 0.1), "true": list(one)} for one in true]
    found = summarise_maps(hips)
    assert found is not None and found["hips"] == 6
    assert found["r"] == pytest.approx(1.0) and found["rmse"] == pytest.approx(0.0, abs=1e-9), "a mean of its own does not count"
    assert 0.9 < found["r_other"] < 0.99
    assert "6 hips" in "\n".join(tell_of_maps(found))
    assert summarise_maps(hips[:1]) is None
