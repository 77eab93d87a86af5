"""The mean of two networks' weights."""

import pytest
import torch
from scripts.training import average


def test_weights_are_averaged_the_bias_shifted_and_the_sources_named(tmp_path):
    files = []
    for index, value in enumerate((1.0, 3.0)):
        state = {"weight": torch.full((2,), value), "steps": torch.tensor(7), "bias": torch.zeros(1, 4, 1, 1)}
        files.append(str(tmp_path / f"{index}.pt"))
        torch.save({"state_dict": state, "provenance": {"seed": index}}, files[-1])
    saved = torch.load(average(files, [0.25, 0.75], [0.0, 2.0], str(tmp_path / "mean.pt")), weights_only=True)
    assert saved["state_dict"]["weight"].tolist() == [2.5, 2.5]
    assert saved["state_dict"]["bias"].flatten().tolist() == [0.0, 2.0, 0.0, 0.0]
    assert [source["seed"] for source in saved["provenance"]["averaged"]] == [0, 1]


def test_shares_must_add_up(tmp_path):
    with pytest.raises(ValueError, match="add up to 1"):
        average(["a.pt", "b.pt"], [0.5, 0.6], [], str(tmp_path / "mean.pt"))
