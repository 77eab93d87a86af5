"""The losses reward the truth and ignore what is unknown."""

import math

import pytest
import torch
from scripts.training import GaussianLoss, SegmentationLoss, SiameseLoss, ViewLoss
from scripts.training.losses import heat_maps

NAN = float("nan")


def test_heat_maps_peak_at_the_landmark_and_are_empty_for_an_invisible_one() -> None:
    landmarks = torch.full((1, 2, 5, 2), NAN)
    landmarks[0, 1, 2] = torch.tensor([10.0, 20.0])
    maps = heat_maps(landmarks, 40, 50, 3.0)
    assert maps.shape == (1, 10, 40, 50)
    assert maps[0, 7, 10, 20] == 1.0
    assert maps[0, 7, 13, 20] == pytest.approx(0.6065, abs=1e-3)  # exp(-1/2), one sigma away
    assert maps.sum() == maps[0, 7].sum()


def test_segmentation_loss_prefers_the_truth() -> None:
    masks = torch.zeros(1, 3, 64, 64)
    masks[:, 0, 20:40, 20:40] = 1.0
    landmarks = torch.full((1, 2, 5, 2), 30.0)
    target = {"label": masks, "landmarks": landmarks}
    perfect = torch.logit(torch.cat((masks, heat_maps(landmarks, 64, 64, 7.5)), dim=1).clamp(1e-4, 1 - 1e-4))
    loss = SegmentationLoss()
    right, shifted, nothing = loss(perfect, target), loss(perfect.roll(8, 3), target), loss(torch.zeros_like(perfect), target)
    assert right < shifted < nothing + 10 and right < nothing


def test_segmentation_loss_asks_where_a_femur_is_broken_if_that_is_told() -> None:
    masks, landmarks = torch.zeros(1, 4, 64, 64), torch.full((1, 1, 5, 2), 30.0)
    masks[:, 0, 20:40, 20:40], masks[:, 3, 28:32, 20:40] = 1.0, 1.0
    target = {"label": masks, "landmarks": landmarks}
    maps = torch.cat((masks[:, :3], heat_maps(landmarks, 64, 64, 7.5), masks[:, 3:]), dim=1)
    perfect = torch.logit(maps.clamp(1e-4, 1 - 1e-4))
    elsewhere = torch.cat((perfect[:, :-1], perfect[:, -1:].roll(16, 2)), dim=1)
    right, wrong = (SegmentationLoss()(logits, target) for logits in (perfect, elsewhere))
    assert wrong > right + 0.5
    assert SegmentationLoss(fracture_weight=0.0)(elsewhere, target) == pytest.approx(
        float(SegmentationLoss(fracture_weight=0.0)(perfect, target))
    )


def test_losses_are_computed_where_the_predictions_are() -> None:
    """As on a GPU; the meta device mixes with no other either."""
    target = {"label": torch.zeros(2, 3, 32, 32, device="meta"), "landmarks": torch.zeros(2, 5, 2, device="meta")}
    assert SegmentationLoss()(torch.zeros(2, 8, 32, 32, device="meta"), target).device.type == "meta"
    assert ViewLoss()(torch.zeros(2, 11, device="meta"), torch.zeros(2, 11, device="meta")).device.type == "meta"


def test_view_loss_prefers_the_truth_and_ignores_what_is_unknown() -> None:
    truth = torch.tensor([[1.0, 5.0, -8.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -10.0, 20.0], [0.0, *[NAN] * 10]])
    good = torch.tensor([[6.0, 5.0, -8.0, 6.0, -6.0, -6.0, 6.0, -6.0, 6.0, -10.0, 20.0], [-6.0, 80.0, *[9.0] * 7, 50.0, -50.0]])
    loss = ViewLoss()
    assert float(loss(good, truth)) < 0.1
    for column in range(11):
        worse = good.clone()
        worse[0, column] = -good[0, column]
        assert float(loss(worse, truth)) > float(loss(good, truth)) + 0.3
    all_unknown = torch.full((2, 11), NAN)
    assert float(loss(good, all_unknown)) == 0.0


def test_the_classifiers_loss_ignores_unknown_labels() -> None:
    logits, labels = torch.tensor([[2.0], [-1.0], [50.0]]), torch.tensor([[1.0], [0.0], [NAN]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:2], labels[:2])
    assert SiameseLoss()({"logit": logits, "deep": torch.rand(3, 4)}, labels) == pytest.approx(float(expected))


def test_a_logit_means_the_probability_among_all_patients_however_often_some_are_shown() -> None:
    # One in ten is ill; shown nine times each, every second. The loss is least where the logit says one in ten.
    labels = torch.tensor([1.0] * 9 + [0.0] * 9)[:, None]
    loss = SiameseLoss(triplet_weight=0.0, log_odds=math.log(9))
    logit = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([logit], max_iter=50)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        value: torch.Tensor = loss({"logit": logit.expand(18, 1), "deep": torch.zeros(18, 2)}, labels)
        value.backward()
        return value

    optimizer.step(step)
    assert float(torch.sigmoid(logit.detach())) == pytest.approx(0.1, abs=1e-3)


def test_patients_alike_are_to_lie_nearer_than_others_by_a_margin() -> None:
    labels, logits = torch.tensor([[0.0], [0.0], [1.0], [1.0], [NAN]]), torch.zeros(5, 1)

    def triplet(deep: torch.Tensor) -> float:
        return float(SiameseLoss()({"logit": logits, "deep": deep}, labels)) - math.log(2.0)

    apart = torch.tensor([[0.0, 0.0], [0.1, 0.0], [3.0, 0.0], [3.1, 0.0], [1.0, 1.0]])
    assert triplet(apart) == pytest.approx(0.0, abs=1e-5)
    assert triplet(torch.zeros(5, 2)) == pytest.approx(2.0, abs=1e-4)  # the margin, of weight 2
    one = {"logit": torch.zeros(2, 1), "deep": torch.rand(2, 3, requires_grad=True)}
    assert float(SiameseLoss()(one, torch.tensor([[0.0], [1.0]]))) == pytest.approx(math.log(2.0)), "no pair is alike"


def test_losses_of_a_batch_without_truth_are_zero_and_finite_in_gradient() -> None:
    logits = torch.randn(3, 1, requires_grad=True)
    SiameseLoss()({"logit": logits, "deep": torch.rand(3, 4)}, torch.full((3, 1), NAN)).backward()
    predicted = torch.rand(3, 2, 5, 2, 2, requires_grad=True)
    loss = GaussianLoss()({"members": predicted}, torch.full((3, 2, 2), NAN))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros(3, 1)) and torch.equal(predicted.grad, torch.zeros(3, 2, 5, 2, 2))


def test_bmd_loss_ignores_unknown_and_is_least_at_the_true_mean_and_spread() -> None:
    truth = torch.full((1, 2, 2), NAN)
    truth[0, 0, 1] = 0.8

    def at(mean: float, sd: float) -> float:
        members = torch.full((1, 2, 3, 2, 2), 9.0)
        members[0, 0, :, 1] = torch.tensor([mean, sd])
        return float(GaussianLoss(beta=0.0)({"members": members}, truth))

    assert at(0.8, 0.1) < at(0.9, 0.1)
    assert at(0.9, 0.1) < at(0.9, 0.3) and at(0.9, 0.1) < at(0.9, 0.03)
