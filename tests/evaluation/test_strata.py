import csv
import dataclasses
import math

import numpy as np
import pytest
from scripts.dataset.truth import read_truth
from scripts.evaluation.accuracy.figures import write_figures
from scripts.evaluation.accuracy.strata import hip_strata, stratify
from scripts.evaluation.accuracy.strata_tables import draw_strata, format_strata, write_strata

WHOLE = np.arange(10.0).reshape(5, 2)
SIMULATED = {
    "site": "simulated-4",
    "view": "AP",
    "pelvic_turn_deg": "-17.2",
    "right_rotation_deg": "22.0",
    "left_rotation_deg": "-50.0",
    "right_implant": "none",
    "left_implant": "total_hip",
    "right_osteoarthritis": "0.7",
    "left_osteoarthritis": "0.0",
    "right_fracture": "neck_fracture",
    "left_fracture": "none",
    "weight_kg": 100.0,
    "height_cm": 170.0,
}


def test_each_hip_belongs_to_the_groups_of_its_own_columns():
    assert hip_strata(read_truth(SIMULATED), "right", WHOLE) == {
        "site": "simulated-4",
        "view": "AP",
        "pelvic turn": "over 15°",
        "femoral rotation": "15 to 40° outward",
        "shown": "whole",
        "implant": "none",
        "osteoarthritis": "over 0.5",
        "fracture": "neck fracture",
        "build": "BMI over 30",
    }
    left = hip_strata(read_truth(SIMULATED), "left", WHOLE)
    assert (left["femoral rotation"], left["implant"], left["osteoarthritis"]) == ("over 40° inward", "prosthesis", "none")


def test_what_a_hospital_does_not_know_gives_no_group():
    unknown = {"site": "", "weight_kg": math.nan, "height_cm": 0.0, "left_implant": "", "left_rotation_deg": "about ten"}
    assert hip_strata(read_truth(unknown), "left", np.full((5, 2), np.nan)) == {}


@pytest.mark.parametrize(("hidden", "group"), [([4], "shaft cut off"), ([3, 4], "proximal part cut off"), ([], "whole")])
def test_what_is_cut_off_is_told_by_the_landmarks(hidden, group):
    landmarks = WHOLE.copy()
    landmarks[hidden] = np.nan
    assert hip_strata(read_truth({}), "left", landmarks) == {"shown": group}


@pytest.fixture
def hips(cases):
    """Eight hips, two with known overlap: a fine one, and one with a prosthesis."""
    every = [hip for case in cases for hip in case.hips]
    fine = {"dice": {"femur": 1.0, "prosthesis": math.nan, "fixation": math.nan}, "strata": {"implant": "none", "shown": "whole"}}
    metal = {"dice": {"femur": 0.8, "prosthesis": 0.9}, "strata": {"implant": "prosthesis", "shown": "whole"}}
    return [
        dataclasses.replace(every[0], **fine),
        dataclasses.replace(every[3], **metal),  # swapped
        dataclasses.replace(every[5], **metal, landmark_errors_mm=(math.nan,) * 5),  # missed
        *every[6:],  # of which no landmark is known
    ]


def test_groups_are_of_hips(hips):
    strata = {(row.by, row.group): row for row in stratify(hips)}
    assert list(strata) == [("all", ""), ("implant", "none"), ("implant", "prosthesis"), ("shown", "whole")]
    every, none, metal = (strata[key] for key in (("all", ""), ("implant", "none"), ("implant", "prosthesis")))
    assert (every.hips, none.hips, metal.hips) == (3, 1, 2)
    assert none.femur_iou_mean == 1.0 and none.prosthesis_hips == 0 and math.isnan(none.prosthesis_iou_mean)
    assert metal.femur_iou_worst == pytest.approx(0.8 / 1.2)
    assert metal.prosthesis_iou_mean == pytest.approx(0.9 / 1.1)
    assert (metal.with_head, metal.missed, metal.swapped) == (2, 1, 1)
    assert metal.landmark_median_mm == 1.0


def test_tables_and_figure(hips, tmp_path):
    strata = stratify(hips)
    write_strata(strata, tmp_path / "strata.csv")
    with (tmp_path / "strata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["group"] for row in rows] == ["", "none", "prosthesis", "whole"]
    assert rows[1]["prosthesis_iou_mean"] == ""
    page = format_strata(strata, "simulated", "Research use only")
    assert "| implant | prosthesis | 2 | 0.800 | 0.667 (0.667) | 0.818, n = 2 | - | 1.0 / 1.0 | 1 of 2 | 1 |" in page
    assert "nan" not in page
    write_figures({"strata": draw_strata(strata, "simulated")}, tmp_path)
    assert {path.name for path in tmp_path.glob("strata.*")} == {"strata.csv", "strata.png", "strata.svg"}
    write_figures({}, tmp_path)  # of an evaluation without strata
    assert {path.name for path in tmp_path.glob("strata.*")} == {"strata.csv"}
