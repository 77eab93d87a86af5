"""How radiographs are centred, exported by a viewer, and how the legs lie under a turned pelvis."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.hardware.implants import Implant
from scripts.simulation.imaging import take_radiograph
from scripts.simulation.phantom import Pose, draw_phantom
from scripts.simulation.physics.viewer import Export
from scripts.simulation.population import draw_person
from scripts.simulation.sites import load_sites
from scripts.simulation.view import askew, draw_view

EXPORT = Export(0.4, 0.0, 1.0, 0.0, 90, 0.0, "bottom", True, (24.0, 8.0, 40.0, 16.0))


def test_crests_and_shafts_are_cut_off_at_different_levels() -> None:
    rng = np.random.default_rng(0)
    views = [draw_view(rng, site, 0.5) for site in load_sites().values() for _ in range(100)]
    planes = [view.plane for view in views if not view.only]
    tops = np.array([plane.top for plane in planes])
    ends = np.array([plane.top + plane.rows * plane.spacing for plane in planes])
    assert (tops > -140).mean() > 0.15 and (tops < -165).mean() > 0.1  # the crests lie at about -155
    assert (ends < 120).mean() > 0.05 and (ends > 170).mean() > 0.1
    assert ends.max() < 203  # below that there is no femur


def test_a_quarter_comes_out_of_a_viewer_with_8_bits() -> None:
    rng = np.random.default_rng(1)
    views = [draw_view(rng, site, 0.5) for site in load_sites().values() for _ in range(300)]
    exported = [view for view in views if view.export]
    assert len(exported) / len(views) == pytest.approx(0.235, abs=0.03)  # not of what is for processing
    assert all(view.style.bits == 8 and not view.style.raw and not view.style.monochrome1 for view in exported)
    assert {view.style.bits for view in views if not view.export} >= {12, 14}


def test_legs_roll_with_a_turned_pelvis() -> None:
    straight = {side: Pose(-4.0, -10.0) for side in HIP.sides}
    turned = askew(straight, 20.0)
    assert turned["left"].rotation == pytest.approx(0.0) and turned["right"].rotation == pytest.approx(-20.0)


def test_a_viewers_bands_leave_mask_and_landmarks_on_the_bone() -> None:
    site = load_sites()["simulated-1"]
    site = replace(site, habits=replace(site.habits, one_hip=0.0, frog_leg=0.0, collimated=0.0))
    healthy, bare = {side: Disease() for side in HIP.sides}, dict.fromkeys(HIP.sides, Implant.NONE)
    rng = np.random.default_rng(4)
    phantom = replace(draw_phantom(draw_person(rng, site.population), rng, bare, healthy), objects=())
    view = replace(draw_view(np.random.default_rng(5), site, 0.8, "A"), marker=None)
    plain, framed = (take_radiograph(phantom, replace(view, export=export), 1) for export in (None, EXPORT))

    spacing = view.plane.spacing
    down, across = round(24.0 / spacing), round(16.0 / spacing)
    rows, columns = plain.mask.shape
    inner = framed.mask[down : down + rows, across : across + columns]
    assert framed.mask.shape[0] > rows + 40 and framed.mask.shape[1] > columns
    assert ((inner > 0) != (plain.mask > 0)).mean() < 0.004
    for name, point in plain.landmarks["left"].items():
        if point is not None:
            moved = framed.landmarks["left"][name]
            assert moved == pytest.approx([point[0] + 24.0 / spacing, point[1] + 16.0 / spacing], abs=0.02), name
    band = framed.rendering.displayed()[: down - 2]
    assert float(band.mean()) < 0.02 and torch.is_tensor(band)
