"""A fracture zone lies where the broken ends are seen, on both fragments, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scripts.simulation.anatomy.disease import FRACTURES, Fracture
from scripts.simulation.anatomy.displacement import displacement_mm
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.fractures import draw_fragments
from scripts.simulation.fracture_zone import fracture_zone
from scripts.simulation.physics.projection import ImagePlane, cast

WHOLE = Femur()
PLANE = ImagePlane(220, 160, 1.0, -110, -60)


def broken(fracture: Fracture, amount: float, seed: int = 0) -> Femur:
    return replace(WHOLE, fragments=draw_fragments(fracture, amount, WHOLE, np.random.default_rng(seed)))


@pytest.mark.parametrize("fracture", FRACTURES)
def test_a_zone_lies_on_bone_and_where_nothing_shows_there_is_none(fracture):
    femur = broken(fracture, 0.8)
    zone = fracture_zone([femur], PLANE)
    assert zone.shape == (220, 160)
    assert zone.any() == (displacement_mm(femur) >= 1)
    bone = sum(cast(part, PLANE, box, 1.0).path for part, box in femur.parts()).numpy() > 0
    assert not zone.any() or bone[zone].mean() > 0.5  # the rest is its rim, and the gap
    assert distance_transform_edt(~bone)[zone].max(initial=0) <= 7  # mm
    assert not fracture_zone([broken(fracture, 0.0), WHOLE], PLANE).any()
    assert np.array_equal(fracture_zone([WHOLE, femur], PLANE), zone)


def test_a_zone_follows_both_fragments():
    femur = broken(Fracture.SUBTROCHANTERIC_TRANSVERSE, 0.0)
    upper, lower = femur.fragments
    apart = replace(femur, fragments=(upper, replace(lower, motion=lower.motion.then((0.0, 0.0, 30.0)))))
    rows = np.flatnonzero(fracture_zone([apart], PLANE).any(axis=1))
    gap = np.flatnonzero(np.diff(rows) > 1)
    assert len(gap) == 1  # two zones, one a fragment, as far apart as these
    above, below = rows[: gap[0] + 1], rows[gap[0] + 1 :]
    assert below.mean() - above.mean() == pytest.approx(30.0, abs=1.5)
