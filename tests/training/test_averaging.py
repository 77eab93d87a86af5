"""The mean of several checkpoints of one network."""

from pathlib import Path

import pytest
import torch
from scripts.files import sha256
from scripts.networks.checkpoint import read_checkpoint
from scripts.training import average_weights


def saved(path: Path, weight: float, steps: int = 1, key: str = "weight") -> str:
    state = {key: torch.full((2, 3), weight), "steps": torch.tensor(steps)}
    torch.save({"state_dict": state, "provenance": {"epoch": steps}}, path)
    return str(path)


def test_the_mean_of_the_weights_keeps_the_last_counters_and_names_its_sources(tmp_path: Path) -> None:
    files = [saved(tmp_path / "a.pt", 1.0, 1), saved(tmp_path / "b.pt", 4.0, 7)]
    state, provenance = read_checkpoint(average_weights(files, str(tmp_path / "mean.pt")))
    assert torch.equal(state["weight"], torch.full((2, 3), 2.5)) and int(state["steps"]) == 7
    assert provenance == {"epoch": 7, "averaged_sha256": [sha256(Path(file)) for file in files]}


def test_what_cannot_be_averaged_is_named_and_nothing_written(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "a.pt", 1.0), saved(tmp_path / "b.pt", 1.0, key="bias")
    for files, message in (([one], "two or more"), ([one, str(tmp_path / "c.pt")], "c.pt: there is no"), ([one, other], "a.pt")):
        with pytest.raises(ValueError, match=message):
            average_weights(files, str(tmp_path / "mean.pt"))
    assert not (tmp_path / "mean.pt").exists()
