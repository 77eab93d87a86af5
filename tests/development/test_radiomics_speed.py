"""The time of our own radiomics is told with or without the other programs."""

import pytest
from scripts.development.radiomics_speed import time_radiomics


def test_ours_is_timed_and_what_is_not_installed_is_said(capsys):
    seconds = time_radiomics(regions=2, side=32, threads=1)
    assert seconds["osteoxr"] > 0
    said = capsys.readouterr().out
    assert "2 regions in 32 x 32 pixels, 330 features each" in said
    for name in ("mirp", "flash_radiomics"):
        assert name in seconds or f"{name:16} is not installed" in said


@pytest.mark.parametrize("wrong", [{"regions": 0}, {"side": 15}, {"threads": 0}])
def test_numbers_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="Nothing was measured"):
        time_radiomics(**wrong)
