"""The benchmark measures every step that it lists."""

import pytest
from scripts.simulation.benchmark import time_simulation


def test_each_step_takes_time_and_all_of_them_less_than_the_whole(capsys):
    time_simulation(patients=1, spacings_mm=(1.0,))
    lines = [line for line in capsys.readouterr().out.splitlines() if line[-5:].strip().replace(".", "").isdigit()]
    seconds = {line[:36].strip(): float(line[36:]) for line in lines}
    assert len(seconds) == 9
    assert seconds["cast rays through bone and metal"] > 0
    assert sum(seconds.values()) - seconds["all"] <= seconds["all"] + 0.05


def test_none_is_refused():
    with pytest.raises(ValueError, match="patients is 0"):
        time_simulation(patients=0)
