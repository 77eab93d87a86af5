import csv
import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image
from scripts.dataset.truth import read_truth
from scripts.evaluation.accuracy.reasons import explain
from scripts.evaluation.accuracy.strata import hip_strata
from scripts.evaluation.accuracy.worst import WorstRadiographs
from scripts.radiograph import Orientation

SIDE = 200  # of a film with pixels of 1 mm
RIGHT = np.array([[40.0, 50.0], [60.0, 40.0], [50.0, 30.0], [80.0, 45.0], [120.0, 40.0]])
LEFT = np.stack([RIGHT[:, 0], SIDE - RIGHT[:, 1]], axis=1)
BOTH = np.stack([RIGHT, LEFT])


@pytest.fixture
def true():
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    mask[30:130, 30:60] = mask[30:130, 140:170] = 1
    return mask


@pytest.fixture
def told(cases, true):
    """Says why, for what was found; the hips are those of an ordinary film unless others are given."""

    def tell(mask, truth=None, points=BOTH, **of_left):
        truth = truth or {}
        right, left = (
            dataclasses.replace(hip, strata=hip_strata(read_truth(truth), side, points[index]))
            for index, (side, hip) in enumerate(zip(("right", "left"), cases[0].hips, strict=True))
        )
        hips = (right, dataclasses.replace(left, **of_left))
        return explain(read_truth(truth), hips, mask, true, points, np.nanmean(points, axis=1), (1.0, 1.0))

    return tell


def test_a_missed_hip_is_told_with_what_is_known_of_it(told, true):
    found = true.copy()
    found[:, 100:] = 0
    points = BOTH.copy()
    points[1, 4] = np.nan
    truth = {"site": "simulated-4", "view": "frog-leg", "left_implant": "total_hip"}
    assert told(found, truth, points, found=False) == (
        "The left hip was missed; 30 cm² of femur left out, most of it near the left lesser trochanter "
        "(site simulated-4; frog-leg view; left hip: total hip replacement, cut off 51 mm below the lesser trochanter)."
    )


def test_what_was_drawn_in_place_of_what_is_told_with_its_place(told, true):
    found = true.copy()
    found[30:60, 60:90] = 1
    said = told(found)
    assert said == (
        "9 cm² beside the bone outlined as femur, most of it near the right femoral head "
        "(nothing else is known of this radiograph)."
    )
    true[110:130, 140:170] = 2
    assert told(true.clip(0, 1)).startswith("6 cm² of prosthesis outlined as femur, most of it near the left shaft")


def test_small_errors_in_many_places_have_no_place(told, true):
    found = true.copy()
    found[30:130:10, 30:60] = 0
    assert told(found).startswith("3 cm² of femur left out, in several places")
    assert told(true).startswith("No error of 1 cm² or more")


def test_the_worst_are_kept_drawn_and_listed(cases, true, tmp_path):
    Image.fromarray(true).save(tmp_path / "mask.png")
    meta = {"orientation": Orientation(), "spacing_mm": (1.0, 1.0), "resample_scale": (1.0, 1.0), "displayed_shape": (SIDE, SIDE)}
    seen = SimpleNamespace(image=MetaTensor(torch.rand(1, SIDE, SIDE), meta=meta), mask=true.clip(0, 1))
    worst = WorstRadiographs(count=2)
    for name, dice in (("a", 0.9), ("b", math.nan), ("c", 0.2), ("d", 0.95), ("e", 0.5)):
        case = dataclasses.replace(cases[0], name=name, dice={"femur": dice})
        worst.add(case, read_truth({"label": str(tmp_path / "mask.png")}), seen)
    assert worst.write(tmp_path, "simulated", "Research use only")
    with (tmp_path / "worst.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["rank"], row["name"], row["femur_iou"]) for row in rows] == [("1", "c", "0.1111"), ("2", "e", "0.3333")]
    assert "| 2 | e | 0.5000 | 0.3333 | No error" in (tmp_path / "worst.md").read_text()
    assert (tmp_path / "worst.png").stat().st_size > 10_000
    assert not WorstRadiographs().write(tmp_path, "simulated", "Research use only")
    assert not (tmp_path / "worst.png").exists()
