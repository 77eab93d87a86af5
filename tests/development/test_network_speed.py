"""The benchmark of the networks measures them, and says what it was given wrong."""

import re
from pathlib import Path

import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from scripts.development.network_speed import time_networks

INFERENCE = Path(scripts.__file__).parents[1] / "configs" / "inference.yaml"


@pytest.fixture(scope="module")
def network():
    return ConfigParser(ConfigParser.load_config_file(INFERENCE)).get_parsed_content("network_def")


def test_a_part_is_less_work_than_the_whole(network, capsys):
    threads = torch.get_num_threads()
    seconds = time_networks(network, rows=700, cols=650, repeats=1)
    assert list(seconds) == ["find the hips and draw their contours", "the whole screen"] and min(seconds.values()) > 0
    assert torch.get_num_threads() == threads
    said = capsys.readouterr().out
    assert "700 x 650 pixels, 292 x 271 at 0.3 mm" in said
    part, whole = (float(number) for number in re.findall(r"([\d.]+) GFLOP take", said))
    assert 0 < part < whole


@pytest.mark.parametrize(("wrong", "words"), [({"rows": 0}, "rows is 0"), ({"cols": 300}, "expected 256 or more")])
def test_a_film_that_is_none_is_a_sentence(network, wrong, words):
    with pytest.raises(ValueError, match=words):
        time_networks(network, **wrong)
