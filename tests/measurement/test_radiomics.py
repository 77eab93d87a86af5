"""Radiomic features are the IBSI's: its phantom's values, and another program's on odd regions of noise and of radiographs."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scripts
import torch
from monai.transforms import Compose
from odd_regions import REGIONS, odd_region
from scipy.spatial.distance import pdist
from scripts.dataset import LoadLabeld, LoadLandmarksd
from scripts.measurement.hip_axes import find_axes
from scripts.measurement.hip_geometry import HipGeometry
from scripts.measurement.outline import Outline
from scripts.measurement.radiomics import NAMES, extract
from scripts.measurement.radiomics.co_occurrence import CO_OCCURRENCE, co_occurrence
from scripts.measurement.radiomics.extract import FAMILIES
from scripts.measurement.radiomics.first_order import first_order
from scripts.measurement.radiomics.grey_levels import to_levels
from scripts.measurement.radiomics.hip import HIP_NAMES, hip_radiomics
from scripts.measurement.radiomics.run_length import run_length
from scripts.measurement.radiomics.shape import SHAPE, shape
from scripts.measurement.radiomics.size_zone import size_zone
from scripts.measurement.radiomics.tone_difference import tone_difference
from scripts.measurement.radiomics.wavelet import IMAGES, sub_bands
from scripts.measurement.regions import place_regions
from scripts.radiograph import LoadRadiographd, ResampleRadiographd
from skimage.measure import find_contours

PHANTOM = torch.tensor([
    [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
    [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
    [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
    [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
])  # fmt: skip
"""The digital phantom of the IBSI, slice by slice; 0 = not of the region."""
REFERENCE = {
    "co_occurrence": {
        "joint_maximum": 0.519, "joint_average": 2.14, "joint_variance": 2.69, "joint_entropy": 2.05, "difference_average": 1.42,
        "difference_variance": 2.90, "difference_entropy": 1.40, "sum_average": 4.28, "sum_entropy": 1.60, "joint_energy": 0.368,
        "contrast": 5.28, "inverse_difference": 0.678, "inverse_difference_normalised": 0.851, "inverse_difference_moment": 0.619,
        "inverse_difference_moment_normalised": 0.899, "inverse_variance": 0.0567, "correlation": -0.0121,
        "autocorrelation": 5.09,
        "cluster_tendency": 5.47, "cluster_shade": 7.00, "cluster_prominence": 79.1, "information_correlation_1": -0.155,
        "information_correlation_2": 0.487,
    },
    "run_length": {
        "short_run_emphasis": 0.641, "long_run_emphasis": 3.78, "low_grey_level_run_emphasis": 0.604,
        "high_grey_level_run_emphasis": 9.82, "short_run_low_grey_level_emphasis": 0.294,
        "short_run_high_grey_level_emphasis": 8.57, "long_run_low_grey_level_emphasis": 3.14,
        "long_run_high_grey_level_emphasis": 17.4, "grey_level_non_uniformity": 5.20,
        "grey_level_non_uniformity_normalised": 0.460, "run_length_non_uniformity": 6.12,
        "run_length_non_uniformity_normalised": 0.492, "run_percentage": 0.627, "grey_level_variance": 3.35,
        "run_length_variance": 0.761, "run_entropy": 2.17,
    },
    "size_zone": {
        "small_zone_emphasis": 0.363, "large_zone_emphasis": 43.9, "low_grey_level_zone_emphasis": 0.371,
        "high_grey_level_zone_emphasis": 16.4, "small_zone_low_grey_level_emphasis": 0.0259,
        "small_zone_high_grey_level_emphasis": 10.3, "large_zone_low_grey_level_emphasis": 40.4,
        "large_zone_high_grey_level_emphasis": 113.0, "grey_level_non_uniformity": 1.41,
        "grey_level_non_uniformity_normalised": 0.323, "zone_size_non_uniformity": 1.49,
        "zone_size_non_uniformity_normalised": 0.333, "zone_percentage": 0.240, "grey_level_variance": 3.97,
        "zone_size_variance": 21.0, "zone_size_entropy": 1.93,
    },
    "tone_difference": {"coarseness": 0.121, "contrast": 0.925, "busyness": 2.99, "complexity": 10.4, "strength": 2.88},
    "first_order": {
        "mean": 2.15, "variance": 3.05, "skewness": 1.08, "kurtosis": -0.355, "median": 1.0, "minimum": 1.0, "percentile_10": 1.0,
        "percentile_90": 4.0, "maximum": 6.0, "interquartile_range": 3.0, "range": 5.0, "mean_absolute_deviation": 1.55,
        "robust_mean_absolute_deviation": 1.11, "energy": 567.0, "root_mean_square": 2.77, "entropy": 1.27, "uniformity": 0.512,
    },
}  # fmt: skip
"""The values that the IBSI agreed on, with its three digits: texture slice by slice, averaged over slices (and directions); first
order of the whole phantom (arXiv 1612.07003, tables of section 5)."""
MIRP_VALUES = json.loads((Path(__file__).parent / "radiomics_by_mirp.json").read_text(encoding="utf-8"))
"""By kind and seed of a region, and by feature; `tests/shared/radiomics_by_mirp.py` makes them."""


def named(features, values):
    """Values by the names of their features."""
    return dict(zip((feature.name for feature in features), values, strict=True))


@pytest.mark.parametrize("family", REFERENCE)
def test_the_phantom_of_the_ibsi_has_its_values(family):
    region = PHANTOM[PHANTOM > 0][None, None]  # first order does not ask where values lie
    found = {
        "co_occurrence": lambda: co_occurrence(PHANTOM, 6),
        "run_length": lambda: run_length(PHANTOM),
        "size_zone": lambda: size_zone(PHANTOM),
        "tone_difference": lambda: tone_difference(PHANTOM, 6),
        "first_order": lambda: first_order(region.float(), region, 6, torch.ones(1)),
    }[family]().mean(0)
    values = named(FAMILIES[family], found.tolist())
    assert {name: float(f"{values[name]:.3g}") for name in REFERENCE[family]} == pytest.approx(REFERENCE[family], rel=5e-3)


@pytest.mark.parametrize("name", MIRP_VALUES)
def test_odd_regions_have_the_features_that_mirp_finds(name):
    kind, seed = name.split()
    ours = of_region(*REGIONS[kind](int(seed)))
    theirs = MIRP_VALUES[name]
    assert len(theirs) == 17 + 23 + 16 + 16 + 5 + 4
    for feature, value in theirs.items():
        assert ours[feature] == pytest.approx(value, rel=1e-4, abs=1e-9), feature


def of_region(image, mask):
    """The features of the image itself, by family and name."""
    (found,) = extract([torch.tensor(image)], [torch.tensor(mask)], (1.0, 1.0))
    return {
        name.removeprefix("original."): value for name, value in zip(NAMES, found.tolist(), strict=True) if "wavelet" not in name
    }


@pytest.mark.parametrize("seed", range(8))
def test_form_is_that_of_the_outline(seed):
    _, mask = odd_region(100 + seed)
    outlines = find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="low")
    down, right = 0.3, 0.5
    points = [outline * (down, right) for outline in outlines]
    found = dict(
        zip((feature.name for feature in SHAPE), shape(torch.tensor(mask)[None], (down, right))[0].tolist(), strict=True)
    )
    assert found["perimeter"] == pytest.approx(sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in points))
    turns = [np.sum(line[:-1, 0] * line[1:, 1] - line[1:, 0] * line[:-1, 1]) / 2 for line in points]
    assert found["area"] == pytest.approx(abs(sum(turns)))
    assert found["maximum_diameter"] == pytest.approx(pdist(np.vstack(points)).max())
    assert found["pixel_area"] == pytest.approx(mask.sum() * down * right)
    rows, cols = np.argwhere(mask).T
    assert found["height"] == pytest.approx((np.ptp(rows) + 1) * down) and found["width"] == pytest.approx(
        (np.ptp(cols) + 1) * right
    )


def test_a_circle_is_round():
    rows, cols = np.mgrid[:201, :201]
    disc = torch.tensor((rows - 100) ** 2 + (cols - 100) ** 2 < 90**2)[None]
    found = named(SHAPE, shape(disc, (1.0, 1.0))[0].tolist())
    assert found["elongation"] == pytest.approx(1, abs=1e-3) and found["ellipse_density"] == pytest.approx(1, abs=1e-3)
    assert found["circularity"] == pytest.approx(0.95, abs=0.02)  # an outline of half pixels is 5% too long
    assert found["box_density"] == pytest.approx(math.pi / 4, abs=0.01)


def test_sub_bands_are_those_of_the_stationary_wavelet():
    import pywt

    image = np.random.default_rng(0).normal(size=(40, 32))
    found = dict(zip(IMAGES, sub_bands(torch.tensor(image)[None])[0].numpy(), strict=True))
    ((_, (horizontal, vertical, diagonal)),) = pywt.swt2(image, "bior1.3", level=1)
    inside = (slice(6, -6), slice(6, -6))  # pywt takes the far edge for what lies beyond this one
    for name, theirs in (("wavelet_lh", horizontal), ("wavelet_hl", vertical), ("wavelet_hh", diagonal)):
        assert found[name][inside] == pytest.approx(theirs[inside]), name
    assert (found["original"] == image).all()


def test_a_batch_gives_what_each_region_gives_alone():
    regions = [odd_region(seed) for seed in range(12)]
    images, masks = ([torch.tensor(one) for one in column] for column in zip(*regions, strict=True))
    together = extract(images, masks, (0.3, 0.3))
    alone = torch.cat([extract([image], [mask], (0.3, 0.3)) for image, mask in zip(images, masks, strict=True)])
    assert together.shape == (12, 330) and torch.allclose(together, alone, rtol=1e-9, atol=1e-9, equal_nan=True)


def test_grey_values_that_are_all_alike_give_finite_features():
    mask = torch.zeros(12, 12, dtype=torch.bool)
    mask[2:9, 3:10] = True
    (found,) = extract([torch.full((12, 12), 3.0)], [mask], (1.0, 1.0))
    assert found.isfinite().all()
    values = dict(zip(NAMES, found.tolist(), strict=True))
    assert values["original.co_occurrence.correlation"] == 1 and values["original.tone_difference.coarseness"] == 1e6
    assert values["original.first_order.skewness"] == 0 and values["original.first_order.entropy"] == 0


def test_a_region_of_too_few_pixels_has_none():
    small, empty = torch.zeros(2, 20, 20, dtype=torch.bool)
    small[3, 3:18] = True
    assert extract([torch.rand(20, 20)] * 2, [small, empty], (1.0, 1.0)).isnan().all()


def test_texture_does_not_depend_on_the_scale_of_grey_values():
    image, mask = odd_region(3)
    one, other = of_region(image, mask), of_region(7 * image - 100, mask)
    for name, value in one.items():
        if not name.startswith("first_order"):
            assert other[name] == pytest.approx(value, rel=1e-6), name


def test_levels_are_a_fixed_number():
    image = torch.linspace(-3, 5, 33)[None, None]
    mask = torch.ones(1, 1, 33, dtype=torch.bool)
    assert to_levels(image, mask, 4)[0, 0].tolist() == [1] * 8 + [2] * 8 + [3] * 8 + [4] * 9


def test_names_are_those_of_the_paper():
    assert len(NAMES) == len(set(NAMES)) == 14 + 4 * 79
    assert {family: len(features) for family, features in FAMILIES.items()} == {
        "first_order": 18, "co_occurrence": 24, "run_length": 16, "size_zone": 16, "tone_difference": 5,
    }  # fmt: skip


def test_what_is_not_finite_leaves_its_region_without_features_and_no_other():
    image, mask = (torch.tensor(one) for one in odd_region(1))
    for value in (math.nan, math.inf):
        spoilt = image.clone()
        row, col = mask.nonzero()[0].tolist()
        spoilt[row, col] = value
        found = extract([image, spoilt, image], [mask] * 3, (0.3, 0.3))
        assert found[1].isnan().all() and found[0].isfinite().all() and torch.equal(found[0], found[2])


def test_the_kind_of_number_does_not_matter():
    image, mask = (torch.tensor(one) for one in odd_region(2))
    whole = (image / image.abs().max() * 100).round()
    kinds = [extract([whole.to(kind)], [mask], (0.3, 0.3)) for kind in (torch.float64, torch.float32, torch.int16)]
    assert torch.allclose(kinds[0], kinds[1], equal_nan=True) and torch.allclose(kinds[0], kinds[2], equal_nan=True)


@pytest.mark.parametrize(("shapes", "levels"), [(((20, 20), (20, 21)), 32), (((3, 30), (3, 30)), 32), (((20, 20), (20, 20)), 1)])
def test_what_does_not_fit_is_refused(shapes, levels):
    image, mask = torch.rand(shapes[0]), torch.ones(shapes[1], dtype=torch.bool)
    with pytest.raises(ValueError, match="expected"):
        extract([image], [mask], (0.3, 0.3), levels)
    with pytest.raises(ValueError, match="expected as many masks"):
        extract([image, image], [mask], (0.3, 0.3))


def test_directions_without_pairs_do_not_count():
    row = torch.randint(1, 9, (1, 1, 40), generator=torch.Generator().manual_seed(0))
    values = named(CO_OCCURRENCE, co_occurrence(row, 8)[0].tolist())
    block = torch.cat((row, torch.zeros_like(row)), dim=1)
    assert 0 < values["maximal_correlation"] <= 1 and torch.equal(co_occurrence(block, 8), co_occurrence(row, 8))
    apart = torch.zeros(1, 9, 9, dtype=torch.long)
    apart[:, ::2, ::2] = 3
    assert co_occurrence(apart, 8).isnan().all() and tone_difference(apart, 8).isnan().all()


def test_many_small_regions_are_measured_in_parts_and_in_their_order():
    pieces = [odd_region(seed) for seed in range(3)]
    images, masks = ([torch.tensor(one) for one in column] for column in zip(*pieces, strict=True))
    found = extract(images * 300, masks * 300, (0.3, 0.3))
    assert torch.allclose(found[:3], extract(images, masks, (0.3, 0.3)), equal_nan=True)
    assert torch.allclose(found, found[:3].repeat(300, 1), equal_nan=True)


@pytest.fixture(scope="module")
def item():
    examples = Path(scripts.__file__).parents[1] / "examples"
    read = Compose([LoadRadiographd("image"), ResampleRadiographd("image"), LoadLabeld("label"), LoadLandmarksd("landmarks")])
    files = {"image": "images/normal.dcm", "label": "masks/normal.png", "landmarks": "landmarks/normal.json"}
    return read({key: str(examples / file) for key, file in files.items()})


def test_a_mirrored_hip_has_the_same_features(item):
    image, femur = item["image"][0].numpy(), item["label"][0].numpy() == 1
    points, spacing = item["landmarks"][0].numpy(), item["image"].meta["spacing_mm"]
    mirrored = points.copy()
    mirrored[:, 1] = image.shape[1] - 1 - points[:, 1]
    left = np.array([[1.0, 0, 0], [0, -1, 0]])

    def features(grey, mask, landmarks, canonical):
        outline = Outline(mask, spacing)
        axes = find_axes(outline, landmarks, canonical)
        return hip_radiomics(grey, outline, HipGeometry(axes, place_regions(outline, axes, canonical, (400, 400))))

    one = features(image, femur, points, np.eye(2, 3))
    other = features(image[:, ::-1].copy(), femur[:, ::-1].copy(), mirrored, left)
    assert np.isfinite(one).all() and other == pytest.approx(one, rel=2e-2, abs=1e-3)


def test_a_femur_whose_head_is_cut_off_is_not_measured_as_a_whole(item):
    spacing = item["image"].meta["spacing_mm"]
    points = item["landmarks"][0].numpy()
    end = round(points[0, 1] + 20 / spacing[1])
    outline = Outline(item["label"][0].numpy()[:, :end] == 1, spacing)
    axes = find_axes(outline, points, np.eye(2, 3))
    regions = place_regions(outline, axes, np.eye(2, 3), (400, 400))
    found = dict(
        zip(HIP_NAMES, hip_radiomics(item["image"][0].numpy()[:, :end], outline, HipGeometry(axes, regions)), strict=True)
    )
    assert math.isnan(found["proximal_femur.shape.area"]) and math.isfinite(found["medial_cortex.shape.area"])
