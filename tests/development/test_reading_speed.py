"""The benchmark of reading runs through every transfer syntax, and what it writes is read back exactly."""

import numpy as np
import pytest
from monai.transforms import Compose
from scripts.development.reading_speed import _draw_radiograph, _variants, time_reading
from scripts.radiograph import LoadRadiographd, NormaliseRadiographd, ResampleRadiographd, read_radiograph

CHAIN = Compose([LoadRadiographd("image"), ResampleRadiographd("image"), NormaliseRadiographd("image")])


def test_each_syntax_has_a_row(capsys):
    time_reading(CHAIN, megabytes=1, repeats=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(_variants(1))
    assert all(float(line.split()[-1]) > 0 for line in lines[2:])


@pytest.mark.parametrize(
    "name", ["uncompressed, linear window", "deflated", "JPEG lossless", "JPEG-LS lossless", "JPEG 2000 lossless"]
)
def test_all_lossless_syntaxes_hold_the_same_film(tmp_path, name):
    _variants(1)[name](tmp_path / "film.dcm")
    expected = np.clip((_draw_radiograph(1) - 2047.5) / 4095 + 0.5, 0, 1)
    np.testing.assert_allclose(read_radiograph(tmp_path / "film.dcm")[0].numpy(), expected, atol=1e-6)


def test_nothing_to_measure():
    with pytest.raises(ValueError, match="repeats is 0"):
        time_reading(CHAIN, repeats=0)
