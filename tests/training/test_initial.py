"""A training may start from the weights of another one."""

from pathlib import Path

import pytest
import torch
from scripts.training import start_from
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
    assert len(start_from(pupil, saved(teacher, tmp_path), "encoder") or "") == 64
    assert torch.equal(pupil.encoder.weight, teacher.encoder.weight)
    assert torch.equal(pupil.fusion.weight, fusion)


def test_a_network_is_found_in_a_cascade_s_weights(tmp_path):
    cascade, pupil = nn.ModuleDict({"search": nn.ModuleDict({"it": Network()}), "other": Network()}), Network()
    start_from(pupil, saved(cascade, tmp_path), place="search.it")
    assert torch.equal(pupil.fusion.weight, cascade["search"]["it"].fusion.weight)
    fusion = pupil.fusion.weight.clone()
    start_from(pupil, saved(cascade, tmp_path), "encoder", "other")
    assert torch.equal(pupil.encoder.weight, cascade["other"].encoder.weight)
    assert torch.equal(pupil.fusion.weight, fusion)


def test_without_a_file_nothing_changes():
    assert start_from(Network(), None) is None


def test_an_encoder_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="its weights are of another encoder"):
        start_from(Network(4), saved(Network(3), tmp_path), "encoder")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no\.pt: there is no such checkpoint"):
        start_from(Network(), str(tmp_path / "no.pt"))


def test_a_whole_network_is_taken_over_for_fine_tuning(tmp_path):
    teacher, pupil = Network(), Network()
    start_from(pupil, saved(teacher, tmp_path))
    assert torch.equal(pupil.fusion.weight, teacher.fusion.weight)
