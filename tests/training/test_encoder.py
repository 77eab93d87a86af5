"""The classifier may start from the regressor's encoder."""

from pathlib import Path

import pytest
import torch
from scripts.training import load_encoder
from torch import nn


class Network(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, width)
        self.fusion = nn.Linear(width, 1)


def saved(network: nn.Module, folder: Path) -> str:
    torch.save({"state_dict": network.state_dict(), "provenance": {}}, folder / "best.pt")
    return str(folder / "best.pt")


def test_the_encoder_is_taken_over_and_nothing_else(tmp_path):
    teacher, pupil = Network(), Network()
    fusion = pupil.fusion.weight.clone()
    assert len(load_encoder(pupil, saved(teacher, tmp_path)) or "") == 64
    assert torch.equal(pupil.encoder.weight, teacher.encoder.weight)
    assert torch.equal(pupil.fusion.weight, fusion)


def test_without_a_file_nothing_changes():
    assert load_encoder(Network(), None) is None


def test_an_encoder_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="its encoder is another one"):
        load_encoder(Network(4), saved(Network(3), tmp_path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no\.pt: there is no such file"):
        load_encoder(Network(), str(tmp_path / "no.pt"))
