"""Of a hip that is refused for a fracture the overlay shows where it looks broken; of another it does not."""

import numpy as np
import pytest
from fake_screening import RIGHT, FakeCascade, channels_of, item_of
from PIL import Image
from scripts.results.pictures import FRACTURE_COLOUR


@pytest.mark.parametrize(("right", "left"), [(0.99, 0.0), (0.0, 0.99), (0.0, 0.0)])
def test_where_a_femur_looks_broken_is_drawn_on_its_side(screening, right, left):
    hips = ({**RIGHT, "fracture_probability": probability} for probability in (right, left))
    output = screening([item_of(screening.folder, "hip.dcm")], FakeCascade(channels_of(*hips)))
    (path,) = (output / "overlays").iterdir()
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    drawn = (abs(picture - FRACTURE_COLOUR).sum(axis=2) < 30).any(axis=0)
    middle = len(drawn) // 2
    assert drawn[:middle].any() == (right > 0.5) and drawn[middle:].any() == (left > 0.5)
