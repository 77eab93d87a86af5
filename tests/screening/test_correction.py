"""What a person corrects counts in place of what the networks found, and what nobody touched stays as it was screened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scripts
from scipy.ndimage import binary_dilation
from scripts.clinical import HIP, Code
from scripts.radiograph import to_displayed_points
from scripts.screening import Correction, Screen, Seen, find_middle, load_screen
from scripts.screening.correction import of_hips

EXAMPLES = Path(scripts.__file__).parents[1] / "examples" / "images"
NOBODY = np.full((2, 5, 2), np.nan)
TOLERANCE = {
    "neck_shaft_deg": 0.5,
    "neck_axis_length_mm": 0.5,
    "neck_width_mm": 0.3,
    "cortical_thickness_index": 0.01,
    "canal_flare_index": 0.1,
    "singh_grade": 0.1,
    "head_diameter_mm": 0.2,
}
"""By so much a contour's way to a mask of whole pixels and back moves what is measured on it; estimates do not move."""


@pytest.fixture(scope="module")
def screen() -> Screen:
    return load_screen(device="cpu")


@pytest.fixture(scope="module")
def read(screen: Screen) -> dict[str, Any]:
    return screen.reader.read({"image": str(EXAMPLES / "normal.dcm"), "name": "normal"})


@pytest.fixture(scope="module")
def found(screen: Screen, read: dict[str, Any]) -> Seen:
    return screen.see(read).require()


@pytest.fixture(scope="module")
def as_found(found: Seen) -> dict[str, Any]:
    """The fields of a `Correction` that changes nothing."""
    meta = found.image.meta
    points = to_displayed_points(found.prediction["landmarks"].double().numpy(), meta["resample_scale"])
    mask = np.ascontiguousarray(meta["orientation"].to_display(found.mask))
    middle = find_middle(points, 0.3 / meta["resample_scale"][1], mask.shape[1])
    assert points[0, :, 1].max() < middle < points[1, :, 1].min()
    return {"mask": mask, "landmarks": NOBODY, "corrected": (False, False), "rejected": (False, False), "middle": middle}


def again(screen: Screen, read: dict[str, Any], as_found: dict[str, Any], **changes: Any) -> Seen:
    return screen.see({**read, "correction": Correction(**{**as_found, **changes})}).require()


def estimates_of(seen: Seen, side: int) -> list[float]:
    return [number for one in seen.screening.hips[side].estimates.values() for number in (one.bmd, *one.bmd_interval)]


def test_contours_that_nobody_moved_give_the_numbers_of_the_screening(
    screen: Screen, read: dict[str, Any], found: Seen, as_found: dict[str, Any]
) -> None:
    taken = again(screen, read, as_found, corrected=(True, True))
    assert (taken.mask == found.mask).all()
    for side in (0, 1):
        assert estimates_of(taken, side) == pytest.approx(estimates_of(found, side), abs=1e-4)
        for name, tolerance in TOLERANCE.items():
            before, after = (seen.screening.hips[side].values[name] for seen in (found, taken))
            assert after == pytest.approx(before, abs=tolerance), name
    assert taken.screening.osteoporosis_probability == pytest.approx(found.screening.osteoporosis_probability, rel=1e-3)
    assert taken.screening.triage == found.screening.triage


def test_a_wider_neck_is_measured_wider_and_the_other_hip_stays(
    screen: Screen, read: dict[str, Any], found: Seen, as_found: dict[str, Any]
) -> None:
    meta, mask = found.image.meta, as_found["mask"]
    points = to_displayed_points(found.prediction["landmarks"][0].double().numpy(), meta["resample_scale"])
    middle = points[[HIP.landmark("head_centre"), HIP.landmark("neck_base")]].mean(axis=0)
    rows, cols = np.ogrid[: mask.shape[0], : mask.shape[1]]
    at_neck = np.hypot(rows - middle[0], cols - middle[1]) < 80
    wider = np.where(at_neck & binary_dilation(mask == 1, iterations=8), 1, mask).astype(np.uint8)
    made = again(screen, read, as_found, mask=wider, corrected=(True, False))
    width = [[seen.screening.hips[side].values["neck_width_mm"] for side in (0, 1)] for seen in (found, made)]
    pixel_mm = 0.3 / meta["resample_scale"][1]
    grown = (width[1][0] - width[0][0]) / pixel_mm
    assert 16 / 2**0.5 - 3 < grown < 16 + 3  # a diamond of 8 pixels, along the diagonal or an axis
    assert width[1][1] == width[0][1]
    assert (meta["orientation"].to_display(made.mask) == wider).all()


def test_a_moved_landmark_moves_the_crop_and_is_certain(
    screen: Screen, read: dict[str, Any], found: Seen, as_found: dict[str, Any]
) -> None:
    head = HIP.landmark("head_centre")
    points = to_displayed_points(found.prediction["landmarks"].double().numpy(), found.image.meta["resample_scale"])
    moved = NOBODY.copy()
    moved[0, head] = points[0, head] + [20.0, 10.0]
    made = again(screen, read, as_found, landmarks=moved, corrected=(True, False))
    assert made.prediction["landmark_confidence"][0, head] == 1
    scale = found.image.meta["resample_scale"]
    assert made.prediction["landmarks"][0, head].numpy() == pytest.approx((moved[0, head] + 0.5) / scale - 0.5, abs=1e-3)
    shift = (made.prediction["crop_transforms"] - found.prediction["crop_transforms"])[:, :, 2].abs().amax(dim=1)
    assert shift[0] > 3 and shift[1] == 0
    assert estimates_of(made, 0) != pytest.approx(estimates_of(found, 0), abs=1e-4)


def test_a_rejected_hip_is_not_measured_and_lends_nothing(
    screen: Screen, read: dict[str, Any], found: Seen, as_found: dict[str, Any]
) -> None:
    made = again(screen, read, as_found, rejected=(True, False))
    right, left = made.screening.hips
    assert right.reason.code == Code.REJECTED and not right.estimates
    assert left.reason is None and estimates_of(made, 1) == pytest.approx(estimates_of(found, 1), abs=0.05)
    neither = again(screen, read, as_found, rejected=(True, True))
    assert neither.screening.reason.code == Code.REJECTED and neither.screening.triage is None


def test_a_radiograph_of_one_hip_belongs_to_it(as_found: dict[str, Any]) -> None:
    alone = np.full((2, 5, 2), np.nan)
    alone[1] = [100.0, 250.0]
    assert find_middle(alone, 0.3, 500) < 0 and not of_hips((2, 500), find_middle(alone, 0.3, 500))[0].any()
    assert find_middle(np.full((2, 5, 2), np.nan), 0.3, 500) == 249.5
