"""The cascade of the configuration, untrained, and a file of its weights."""

from pathlib import Path

import pytest
import scripts
from monai.bundle import ConfigParser
from weights_files import save

BUNDLE = Path(scripts.__file__).parents[1]


@pytest.fixture(scope="session")
def untrained_network():
    parser = ConfigParser()
    parser.read_config(str(BUNDLE / "configs/inference.yaml"))
    return parser.get_parsed_content("network_def")


@pytest.fixture(scope="session")
def untrained_weights(untrained_network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    untrained_network.provenance = {"seed": 7, "data": "none"}
    save(dict(untrained_network.state_dict()), path)
    return path
