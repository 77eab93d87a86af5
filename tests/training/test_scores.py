"""Validation metrics of what is known, and NaN where nothing is."""

import math

import pytest
import torch
from scripts.training import area_under_roc, correlation, mean_absolute_error


def test_the_auc_counts_pairs_in_order_and_is_unknown_for_one_class_or_none():
    scores = torch.tensor([0.1, 0.4, 0.35, 0.8])
    assert area_under_roc(scores, torch.tensor([0.0, 0.0, 1.0, 1.0])) == pytest.approx(0.75)
    assert math.isnan(area_under_roc(scores, torch.ones(4)))
    assert math.isnan(area_under_roc(torch.zeros(0), torch.zeros(0)))


def test_the_error_of_nothing_is_unknown():
    assert mean_absolute_error(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 1.0])) == pytest.approx(1.5)
    assert math.isnan(mean_absolute_error(torch.zeros(0), torch.zeros(0)))


def test_the_correlation_is_that_of_values_that_hardly_differ_too_and_unknown_of_none():
    truth = torch.tensor([0.5, 0.7, 0.9, 0.6])
    assert correlation(0.8 + 1e-4 * truth, truth) == pytest.approx(1.0, abs=1e-5)
    assert correlation(-truth, truth) == pytest.approx(-1.0)
    assert math.isnan(correlation(torch.ones(4), truth)) and math.isnan(correlation(truth[:1], truth[:1]))
