"""Weights are loaded whole, with their provenance, into the network that they were made for, or refused in a sentence."""

from pathlib import Path

import pytest
import scripts
import torch
from scripts.screening import load_weights
from weights_files import save

BUNDLE = Path(scripts.__file__).parents[1]


@pytest.fixture(scope="module")
def network(untrained_network):
    return untrained_network


@pytest.fixture(scope="module")
def weights(untrained_weights):
    return untrained_weights


def test_weights_are_loaded_with_their_provenance(network, weights):
    with torch.no_grad():
        saved = next(iter(network.parameters())).clone()
        next(iter(network.parameters())).zero_()
    network.provenance = {}
    described = load_weights(network, str(weights))
    assert torch.equal(next(iter(network.parameters())), saved)
    assert described["file"] == "model.pt" and len(described["sha256"]) == 64
    assert described["provenance"] == network.provenance == {"seed": 7, "data": "none"}


def test_missing_weights_are_refused(network, tmp_path):
    with pytest.raises(SystemExit, match="there is no such file"):
        load_weights(network, str(tmp_path / "model.pt"))


def test_weights_that_are_not_those_of_their_checksum_are_refused(network, weights, tmp_path):
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(SystemExit, match=r"model\.pt\.sha256 beside them, is missing.*sha256sum model\.pt > model\.pt\.sha256"):
        load_weights(network, str(tmp_path / "model.pt"))
    (tmp_path / "model.pt.sha256").write_bytes(weights.with_name("model.pt.sha256").read_bytes())
    with pytest.raises(SystemExit, match="the file is damaged or another one"):
        load_weights(network, str(tmp_path / "model.pt"))


def test_the_shipped_weights_have_their_checksum(network):
    load_weights(network, str(BUNDLE / "models" / "model.pt"))


@pytest.mark.parametrize("content", [b"not weights", b"", {"weight": torch.zeros(1)}])
def test_a_file_that_holds_no_weights_is_refused(network, tmp_path, content):
    save(content, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match="not a weights file of OsteoXR"):
        load_weights(network, str(tmp_path / "model.pt"))


def test_weights_of_another_network_are_refused_by_the_keys_that_differ(network, tmp_path):
    state = {key.replace("heads.", "old."): value for key, value in network.state_dict().items()}
    save(state, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match=r"do not fit the network.*is missing.*and \d+ more"):
        load_weights(network, str(tmp_path / "model.pt"))
    key = next(key for key, value in network.state_dict().items() if value.ndim == 4)
    other = {**network.state_dict(), key: torch.zeros(1, 2, 3, 4)}
    save(other, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match=f"{key} is .* instead of"):
        load_weights(network, str(tmp_path / "model.pt"))
