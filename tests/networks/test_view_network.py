"""What the view network concludes of two hips together, by construction."""

from pathlib import Path

import pytest
import scripts
import torch
from monai.bundle import ConfigParser

CONFIGS = Path(scripts.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def view():
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.yaml"))
    torch.manual_seed(0)
    return parser.get_parsed_content("view_def").eval()


@pytest.fixture
def hips(view):
    """Features, shapes and signs of a break of one patient's two hips."""
    torch.manual_seed(1)
    return torch.rand(1, 2, view.hip_norm.normalized_shape[0]), torch.rand(1, 2, 12), torch.rand(1, 2, 3)


@torch.no_grad()
def test_growth_plates_are_open_on_both_sides_or_on_neither(view, hips):
    features, shapes, breaks = hips
    one = torch.tensor([1.0, 0.0]).view(1, 2, 1)
    other = 1 - one
    alone = [view.hips(features, shapes * shown, breaks * shown)[2] for shown in (one, other)]
    assert alone[0][0, 0] != alone[1][0, 1]
    growth = view.hips(features, shapes, breaks)[2]
    assert growth[0, 0] == pytest.approx(float(growth[0, 1]), abs=1e-6)


@torch.no_grad()
def test_a_fracture_is_judged_by_the_signs_of_a_break_alone(view, hips):
    features, shapes, breaks = hips
    fracture = view.hips(features, shapes, breaks)[1]
    assert torch.equal(view.hips(features + 1, shapes * 2, breaks)[1], fracture)
    assert not torch.equal(view.hips(features, shapes, breaks + 1)[1], fracture)


@torch.no_grad()
def test_a_hip_that_looks_broken_by_itself_is_no_measure_of_the_other(view, hips):
    features, shapes, breaks = hips
    judge, lasting = view.fracture_judge[-1].bias, view.fracture_judge[-1].bias.clone()
    alone = view.hips(features, shapes * torch.tensor([1.0, 0.0]).view(1, 2, 1), breaks)[1][0, 0]
    try:
        judge.fill_(lasting.item() + 50)
        broken = view.hips(features, shapes, breaks)[1][0, 0]
        judge.fill_(lasting.item() - 50)
        fine = view.hips(features, shapes, breaks)[1][0, 0]
    finally:
        judge.copy_(lasting)
    assert broken - 50 == pytest.approx(float(alone), abs=1e-4)
    assert fine + 50 != pytest.approx(float(alone), abs=1e-4)


@torch.no_grad()
def test_a_hip_is_judged_beside_the_other_only_where_that_is_shown(view, hips):
    features, shapes, breaks = hips
    other = torch.tensor([0.0, 1.0]).view(1, 2, 1)
    shown = view.hips(features, shapes, breaks + other)
    assert shown[1][0, 0] != view.hips(features, shapes, breaks)[1][0, 0]
    hidden = [view.hips(features, shapes * (1 - other), (breaks + shift * other))[1][0, 0] for shift in (0, 1)]
    assert hidden[0] == hidden[1]
