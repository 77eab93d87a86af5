"""Landmarks are found to a fraction of a pixel, and the crop of any hip is in the canonical pose."""

import math

import pytest
import torch
from scripts.clinical.anatomy import HIP
from scripts.networks import HipLocaliser
from scripts.networks.localisation import PEAKS, SHAPE, find_landmarks, find_peaks, shaft_angle
from scripts.training.losses import heat_maps

SPACING_MM = 0.3
TEMPLATE = torch.tensor([HIP.template_mm[name] for name in HIP.landmarks])


def hips(abduction_degrees: float, scale: float, centres: tuple = ((300.0, 350.0), (310.0, 800.0))) -> torch.Tensor:
    """Landmarks (1, 2, 5, 2) in pixels of two mirrored template hips, both abducted alike."""
    angle = math.radians(abduction_degrees)
    # Abducting a right hip turns its shaft towards the viewer's left.
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    right = scale / SPACING_MM * TEMPLATE @ turn.T
    left = right * torch.tensor([1.0, -1.0])
    return torch.stack((right + torch.tensor(centres[0]), left + torch.tensor(centres[1])))[None]


@pytest.mark.parametrize("degrees", [-10.0, 0.0, 45.0])
def test_fit_recovers_size_and_abduction_of_both_hips(degrees: float) -> None:
    localiser = HipLocaliser()
    points = hips(degrees, 1.15)
    poses = localiser.poses(localiser.fit(points, torch.ones(1, 2, 5)), SPACING_MM)
    assert torch.allclose(poses[0, :, 0], torch.full((2,), math.log(1.15 * 0.55)), atol=1e-4)
    assert torch.allclose(torch.rad2deg(poses[0, :, 1]), torch.full((2,), degrees), atol=1e-2)
    lean = math.degrees(math.atan2(2.0, 66.0))  # of the template's own shaft axis
    assert torch.allclose(shaft_angle(points), torch.full((1, 2), degrees + lean), atol=1e-2)


def test_transform_maps_the_template_onto_the_landmarks() -> None:
    localiser = HipLocaliser()
    points = hips(20.0, 0.9)
    matrix = localiser.fit(points, torch.ones(1, 2, 5))
    template = torch.cat((localiser.template, torch.ones(5, 1)), dim=1)
    assert torch.allclose(torch.einsum("bsij,kj->bski", matrix, template), points, atol=1e-2)


def test_a_landmark_without_confidence_does_not_pull() -> None:
    localiser = HipLocaliser()
    points, weight = hips(5.0, 1.0), torch.ones(1, 2, 5)
    expected = localiser.fit(points, weight)
    points[0, :, 4] += 500.0
    weight[0, :, 4] = 0.0
    assert torch.allclose(localiser.fit(points, weight), expected, atol=1e-3)


def test_left_and_right_hips_give_the_same_canonical_crop() -> None:
    """A film and its mirror image, sides swapped, differ in nothing that the hip networks see."""
    generator = torch.Generator().manual_seed(0)
    film = torch.nn.functional.interpolate(torch.rand(1, 1, 90, 120, generator=generator), size=(900, 1200), mode="bilinear")
    localiser = HipLocaliser()
    points = hips(15.0, 1.1)
    mirrored = torch.stack((points[..., 0], 1199 - points[..., 1]), dim=-1).flip(1)
    weight = torch.ones(1, 2, 5)
    crops = localiser.sample(film, localiser.fit(points, weight))
    again = localiser.sample(film.flip(3), localiser.fit(mirrored, weight))
    assert crops.shape == (1, 2, 1, 224, 224)
    assert torch.allclose(crops, again.flip(1), atol=2e-3)
    assert crops.std() > 0.1


def test_a_crop_shows_the_image_where_its_transform_says() -> None:
    rows = torch.arange(900.0).view(-1, 1).expand(900, 1200)
    cols = torch.arange(1200.0).view(1, -1).expand(900, 1200)
    localiser = HipLocaliser()
    matrix = localiser.fit(hips(10.0, 1.0), torch.ones(1, 2, 5))
    crops = localiser.sample(torch.stack((rows, cols))[None], matrix)
    expected = matrix[0, 1] @ torch.tensor([100.0, 40.0, 1.0])
    assert torch.allclose(crops[0, 1, :, 100, 40], expected, atol=1e-2)


def test_find_landmarks_is_exact_to_a_quarter_of_a_pixel() -> None:
    truth = hips(0.0, 0.9, centres=((100.0, 100.0), (103.3, 270.6))) / 3 + 60.0
    probability = heat_maps(truth, 320, 384, 7.5).clamp(1e-4, 1 - 1e-4)
    points, confidence = find_landmarks(torch.logit(probability), 13.0)
    assert torch.allclose(points, truth.flatten(1, 2), atol=0.25)
    assert (confidence > 0.99).all()


def test_an_empty_heat_map_has_no_confidence() -> None:
    _, confidence = find_landmarks(torch.full((2, 10, 40, 50), -6.0), 13.0)
    assert confidence.shape == (2, 10)
    assert (confidence < 0.01).all()


def test_misfit_tells_a_femur_from_scattered_points() -> None:
    localiser = HipLocaliser()
    confidence = torch.ones(1, 2, 5)
    right = torch.tensor([HIP.template_mm[name] for name in HIP.landmarks])
    hips = torch.stack((right + 200.0, right * torch.tensor([1.0, -1.0]) + 300.0))[None] / 0.3
    assert (localiser.misfit(hips, confidence, localiser.fit(hips, confidence)) < 0.01).all()
    scattered = hips[:, :, [2, 4, 0, 1, 3]]
    assert (localiser.misfit(scattered, confidence, localiser.fit(scattered, confidence)) > 25.0).all()


def with_peaks(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Peaks (1, 2, 5, 3, 2) whose first are these points and whose others are none, and their weights."""
    peaks = points.unsqueeze(3).repeat(1, 1, 1, PEAKS, 1)
    weight = torch.zeros(1, 2, 5, PEAKS)
    weight[..., 0] = 1.0
    return peaks, weight


@pytest.mark.parametrize("wrong", [(), (3,), (0, 2)])
def test_landmarks_far_from_where_a_femur_has_them_are_left_out(wrong: tuple[int, ...]) -> None:
    peaks, weight = with_peaks(hips(8.0, 1.1))
    for landmark in wrong:
        peaks[:, :, landmark] += torch.tensor([250.0, -400.0])
    _, kept = HipLocaliser().likeliest(peaks, weight, SPACING_MM)
    expected = torch.tensor([[float(landmark not in wrong) for landmark in range(5)]] * 2)
    assert torch.equal(kept[0], expected)


@pytest.mark.parametrize("wrong", [(1,), (0, 4), (0, 2, 4)])
def test_where_the_first_peak_is_elsewhere_a_lower_one_is_the_landmark(wrong: tuple[int, ...]) -> None:
    true = hips(8.0, 1.1)
    peaks, weight = with_peaks(true)
    for landmark in wrong:
        lower = 1 + landmark % (PEAKS - 1)
        peaks[:, :, landmark, 0] += torch.tensor([250.0 - 100.0 * landmark, -400.0])
        peaks[:, :, landmark, lower] = true[:, :, landmark]
        weight[:, :, landmark, lower] = 0.6
    points, kept = HipLocaliser().likeliest(peaks, weight, SPACING_MM)
    assert torch.equal(points, true)
    expected = torch.tensor([[0.6 if landmark in wrong else 1.0 for landmark in range(5)]] * 2)
    assert torch.equal(kept[0], expected)


def test_a_lower_peak_that_is_a_little_nearer_to_the_usual_shape_is_not_taken() -> None:
    true = hips(8.0, 1.1)
    peaks, weight = with_peaks(true)
    peaks[:, :, 2, 0] += 3.0 / SPACING_MM
    peaks[:, :, 2, 1] = true[:, :, 2]
    weight[:, :, 2, 1] = 0.9
    points, kept = HipLocaliser().likeliest(peaks, weight, SPACING_MM)
    assert torch.equal(points[:, :, 2], peaks[:, :, 2, 0]) and torch.equal(kept, torch.ones(1, 2, 5))


def test_a_hip_whose_maps_echo_at_the_other_one_is_its_own() -> None:
    true = hips(8.0, 1.1)
    peaks, weight = with_peaks(true)
    scatter = 6.0 / SPACING_MM * torch.randn(5, 2, generator=torch.Generator().manual_seed(3))
    peaks[0, 0, :, 0] = true[0, 0] + scatter
    peaks[0, 0, :, 1] = true[0, 1]
    weight[0, 0, :, 1] = 0.5
    points, kept = HipLocaliser().likeliest(peaks, weight, SPACING_MM)
    assert (kept[0, 0] > 0).sum() >= 3 and torch.equal(points[0, 0][kept[0, 0] > 0], peaks[0, 0, :, 0][kept[0, 0] > 0])


def test_a_hip_of_the_other_side_is_none() -> None:
    peaks, weight = with_peaks(hips(8.0, 1.1).flip(1))
    _, kept = HipLocaliser().likeliest(peaks, weight, SPACING_MM)
    assert not kept.any()


def test_peaks_are_the_highest_places_that_lie_apart() -> None:
    rows, cols = torch.meshgrid(torch.arange(60.0), torch.arange(80.0), indexing="ij")
    heat = torch.full((1, 1, 60, 80), -8.0)
    for row, col, height in ((20, 20, 3.0), (24, 23, 2.5), (40, 60, 2.0), (10, 60, 1.0), (50, 10, 0.0)):
        heat = torch.maximum(heat, height - 0.5 * ((rows - row) ** 2 + (cols - col) ** 2))
    points, confidence = find_peaks(heat, 2.0, 8.0, 3)
    assert torch.allclose(points[0, 0], torch.tensor([[20.0, 20.0], [40.0, 60.0], [10.0, 60.0]]), atol=0.1)
    assert torch.allclose(confidence[0, 0], torch.sigmoid(torch.tensor([3.0, 2.0, 1.0])))


def test_the_form_of_a_hip_is_the_same_wherever_it_lies_and_whichever_side_it_is() -> None:
    localiser, generator = HipLocaliser(), torch.Generator().manual_seed(0)
    right = torch.tensor([HIP.template_mm[name] for name in HIP.landmarks]) + 4 * torch.randn(5, 2, generator=generator)
    turn = torch.tensor([[math.cos(0.2), -math.sin(0.2)], [math.sin(0.2), math.cos(0.2)]])
    mirror = torch.tensor([1.0, -1.0])
    places = torch.stack((right, right * mirror))[None] + 200.0
    moved = torch.stack((1.1 * right @ turn.T, 1.1 * right @ turn.T * mirror))[None] + 340.0

    def form(points: torch.Tensor) -> torch.Tensor:
        return localiser.shape(points, localiser.fit(points, torch.ones(1, 2, 5)), 1.0)

    first, second = form(places), form(moved)
    assert first.shape == (1, 2, SHAPE)
    torch.testing.assert_close(first[:, 0], first[:, 1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(second[:, :, :10], first[:, :, :10], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(second[:, :, 10] - first[:, :, 10], torch.full((1, 2), 10 * math.log(1.1)), atol=1e-4, rtol=1e-4)
    turned = (second[:, :, 11] - first[:, :, 11]).abs()
    torch.testing.assert_close(turned, torch.full((1, 2), math.degrees(0.2) / 10), atol=1e-4, rtol=1e-4)
    assert first[:, :, :10].abs().max() > 0.1
