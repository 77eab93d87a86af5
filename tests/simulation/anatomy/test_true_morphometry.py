"""Morphometry of a phantom: the bone's own, and what the rules for radiographs find on its shadow."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.clinical.anatomy import HIP
from scripts.measurement.hip_axes import find_axes
from scripts.measurement.morphometry import measure_morphometry
from scripts.measurement.outline import Outline
from scripts.measurement.regions import place_regions
from scripts.simulation.anatomy.dxa import Scan
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import FemurMineral
from scripts.simulation.anatomy.femurs_of_person import draw_shape
from scripts.simulation.anatomy.true_morphometry import MORPHOMETRY, measure_true_morphometry
from scripts.simulation.physics.projection import ImagePlane, cast
from scripts.simulation.physics.xray import CORTICAL_MINERAL
from scripts.simulation.population import Person

PLANE = ImagePlane(470, 300, 0.5, -110.0, -50.0)


def shadow(femur):
    """Mineral along parallel AP rays, the outline, landmarks and canonical pose of a femur that lies as for DXA."""
    seen = cast(femur, PLANE, femur.box(), step=2.0)
    mineral = seen.cortex * CORTICAL_MINERAL / 10 + seen.interior
    points = torch.tensor([femur.intact_landmarks[name] for name in HIP.landmarks]) * femur.size
    canonical = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return mineral.numpy(), Outline((seen.path > 0.6).numpy(), (0.5, 0.5)), PLANE.pixel_of(points).numpy(), canonical


@pytest.fixture(scope="module", params=[0, 1])
def drawn(request):
    shape = draw_shape(Person(60, "F", 162, 70, 1, 0.9), np.random.default_rng(request.param), 21.7)
    return Femur(**vars(shape), bone=FemurMineral(0.8))


def test_the_rules_find_the_measures_of_the_bone(drawn):
    image, outline, landmarks, canonical = shadow(drawn)
    found = measure_morphometry(image, outline, find_axes(outline, landmarks, canonical))
    true = measure_true_morphometry(drawn)
    assert tuple(true) == MORPHOMETRY
    assert found.neck_shaft_deg == pytest.approx(true["neck_shaft_deg"], abs=4.0)
    assert found.neck_axis_length_mm == pytest.approx(true["neck_axis_length_mm"], abs=3.0)
    assert found.neck_width_mm == pytest.approx(true["neck_width_mm"], abs=1.5)
    assert found.shaft_level_mm == 100.0
    index = 1 - true["canal_100_below_mm"] / true["shaft_100_below_mm"]
    assert found.cortical_thickness_index == pytest.approx(index, abs=0.06)


def test_the_regions_are_those_of_the_simulated_dxa(drawn):
    _, outline, landmarks, canonical = shadow(drawn)
    regions = place_regions(outline, find_axes(outline, landmarks, canonical), canonical, (10, 10))
    scan = Scan(drawn, spacing=0.5)
    for name, truth in (("neck_box", scan.neck_region), ("total_hip", scan.total_region)):
        area = float(truth.sum()) * 0.25
        assert regions[name].mask.sum() * 0.25 == pytest.approx(area, rel=0.05), name


def test_more_bone_is_thicker_cortex_and_the_outline_stays():
    weak, strong = (measure_true_morphometry(replace(Femur(), bone=FemurMineral(strength))) for strength in (0.6, 1.1))
    assert weak["canal_100_below_mm"] > strong["canal_100_below_mm"] + 2.0
    assert weak["shaft_100_below_mm"] == strong["shaft_100_below_mm"]
    assert weak["neck_width_mm"] == strong["neck_width_mm"]
    assert weak["singh_grade"] < 3.0 < strong["singh_grade"] == 6.0


def test_a_larger_femur_is_larger_in_all_lengths_and_of_the_same_angle():
    small, large = measure_true_morphometry(Femur()), measure_true_morphometry(Femur(size=1.1))
    assert small["neck_shaft_deg"] == large["neck_shaft_deg"]
    assert large["neck_width_mm"] == pytest.approx(1.1 * small["neck_width_mm"], rel=0.01)
    assert large["neck_axis_length_mm"] == pytest.approx(1.1 * small["neck_axis_length_mm"], rel=0.01)
