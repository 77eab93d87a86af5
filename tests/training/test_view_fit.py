"""What is fitted to a trained view network: how usual radiographs look, and how much too small it tells angles."""

import pytest
import torch
from scripts.networks.view import OUTPUTS
from scripts.training.views import fit_view
from torch import nn

FEATURES = 6


class Shrinking(nn.Module):
    """Tells turn and tilt as shares of the true ones, which stand in the first two features of the pelvis."""

    def __init__(self, turn: float, tilt: float) -> None:
        super().__init__()
        self.shares = torch.tensor((turn, tilt))
        self.register_buffer("feature_mean", torch.zeros(FEATURES))
        self.register_buffer("feature_whitening", torch.eye(FEATURES))
        self.register_buffer("angle_scale", torch.ones(2))

    def forward(self, radiograph_features, hip_features, pelvis, shapes, breaks):
        assert not self.training
        told = torch.zeros(len(pelvis), len(OUTPUTS))
        told[:, 1:3] = pelvis[:, :2] * self.shares * self.angle_scale
        return told


def drawings(count: int, known: bool = True) -> list[dict[str, torch.Tensor]]:
    """Radiographs of two drawings each, all of them hip views."""
    random = torch.Generator().manual_seed(0)
    seen = []
    for _ in range(count):
        angles = torch.randn(2, 2, generator=random) * 8
        view = torch.full((2, len(OUTPUTS)), torch.nan)
        view[:, 0] = 1
        if known:
            view[:, 1:3] = angles
        other = {name: torch.zeros(2, 2) for name in ("hip_features", "shapes", "breaks")}
        seen.append({**other, "radiograph_features": torch.randn(2, FEATURES, generator=random), "pelvis": angles, "view": view})
    return seen


def fitted(tmp_path, network, held_out):
    file = tmp_path / "best.pt"
    torch.save({"state_dict": network.state_dict(), "provenance": {"seed": 1}}, file)
    fit_view(network, drawings(30), held_out, str(file))
    return torch.load(file, weights_only=True)


def test_angles_that_are_told_too_small_are_scaled_by_those_that_were_held_out(tmp_path):
    saved = fitted(tmp_path, Shrinking(0.5, 0.8), drawings(10))
    assert saved["state_dict"]["angle_scale"].tolist() == pytest.approx([2.0, 1.25])
    assert saved["provenance"] == {"seed": 1, "novelty_drawings": 60, "angle_drawings": 20}
    assert not torch.equal(saved["state_dict"]["feature_whitening"], torch.eye(FEATURES))


@pytest.mark.parametrize(
    ("network", "held_out"), [(Shrinking(-0.5, 0.0), drawings(10)), (Shrinking(0.5, 0.8), drawings(4, known=False))]
)
def test_angles_that_tell_nothing_or_are_not_known_stay_as_they_are(tmp_path, network, held_out):
    assert fitted(tmp_path, network, held_out)["state_dict"]["angle_scale"].tolist() == [1.0, 1.0]


def test_fitting_again_gives_the_same(tmp_path):
    network = Shrinking(0.5, 0.8)
    network.angle_scale.copy_(torch.tensor((2.0, 1.25)))
    assert fitted(tmp_path, network, drawings(10))["state_dict"]["angle_scale"].tolist() == pytest.approx([2.0, 1.25])
