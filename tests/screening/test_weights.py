"""Weights are loaded whole, with their provenance, into the network that they were made for, or refused in a sentence."""

from pathlib import Path

import pytest
import scripts
import torch
from scripts.screening import load_weights
from weights_files import save

BUNDLE = Path(scripts.__file__).parents[1]


def test_weights_are_loaded_with_their_provenance(untrained_network, untrained_weights):
    with torch.no_grad():
        saved = next(iter(untrained_network.parameters())).clone()
        next(iter(untrained_network.parameters())).zero_()
    untrained_network.provenance = {}
    described = load_weights(untrained_network, str(untrained_weights))
    assert torch.equal(next(iter(untrained_network.parameters())), saved)
    assert described["file"] == "model.pt" and len(described["sha256"]) == 64
    assert described["provenance"] == untrained_network.provenance == {"seed": 7, "data": "none"}


def test_missing_weights_are_refused(untrained_network, tmp_path):
    with pytest.raises(SystemExit, match="there is no such file"):
        load_weights(untrained_network, str(tmp_path / "model.pt"))


def test_weights_that_are_not_those_of_their_checksum_are_refused(untrained_network, untrained_weights, tmp_path):
    content = bytearray(untrained_weights.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(SystemExit, match=r"model\.pt\.sha256 beside them, is missing.*sha256sum model\.pt > model\.pt\.sha256"):
        load_weights(untrained_network, str(tmp_path / "model.pt"))
    (tmp_path / "model.pt.sha256").write_bytes(untrained_weights.with_name("model.pt.sha256").read_bytes())
    with pytest.raises(SystemExit, match="the file is damaged or another one"):
        load_weights(untrained_network, str(tmp_path / "model.pt"))


def test_the_checksum_may_lie_elsewhere(untrained_network, untrained_weights, tmp_path):
    alone = tmp_path / "model" / "model.pt"
    alone.parent.mkdir()
    alone.write_bytes(untrained_weights.read_bytes())
    (tmp_path / "sealed").write_bytes(untrained_weights.with_name("model.pt.sha256").read_bytes())
    assert load_weights(untrained_network, str(alone), str(tmp_path / "sealed"))["file"] == "model.pt"
    (tmp_path / "sealed").write_text(f"{0:064}  model.pt")
    with pytest.raises(SystemExit, match="sealed says 0000"):
        load_weights(untrained_network, str(alone), str(tmp_path / "sealed"))


def test_the_shipped_weights_have_their_checksum(untrained_network):
    load_weights(untrained_network, str(BUNDLE / "models" / "model.pt"))


@pytest.mark.parametrize("content", [b"not weights", b"", {"weight": torch.zeros(1)}])
def test_a_file_that_holds_no_weights_is_refused(untrained_network, tmp_path, content):
    save(content, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match="not a weights file of OsteoXR"):
        load_weights(untrained_network, str(tmp_path / "model.pt"))


def test_weights_of_another_network_are_refused_by_the_keys_that_differ(untrained_network, tmp_path):
    state = {key.replace("heads.", "old."): value for key, value in untrained_network.state_dict().items()}
    save(state, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match=r"do not fit the network.*is missing.*and \d+ more"):
        load_weights(untrained_network, str(tmp_path / "model.pt"))
    key = next(key for key, value in untrained_network.state_dict().items() if value.ndim == 4)
    other = {**untrained_network.state_dict(), key: torch.zeros(1, 2, 3, 4)}
    save(other, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match=f"{key} is .* instead of"):
        load_weights(untrained_network, str(tmp_path / "model.pt"))
