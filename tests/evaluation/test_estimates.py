"""estimates.csv: DXA and estimate side by side, one row a hip, whether or not both are known."""

import csv
import math
from dataclasses import replace

import pytest
from evaluation_cases import make_case, make_hip
from scripts.clinical import load_reference
from scripts.evaluation.accuracy.estimates import COLUMNS, write_estimates

REFERENCE = load_reference()


def written(cases, tmp_path, sex_specific=False):
    path = tmp_path / "estimates.csv"
    files = {case.name: f"films/{case.name}.dcm" for case in cases}
    write_estimates(cases, files, REFERENCE, sex_specific, path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    return {(row["name"], row["side"]): row for row in rows}


def test_every_hip_has_a_row_with_its_file_and_site(cases, tmp_path):
    rows = written(cases, tmp_path)
    assert len(rows) == 2 * len(cases)
    assert {key: rows["c", "right"][key] for key in ("file", "site", "code")} == {
        "file": "films/c.dcm",
        "site": "simulated-2",
        "code": "",
    }


def test_estimate_and_dxa_stand_beside_each_other_with_the_error(cases, tmp_path):
    row = written(cases, tmp_path)["a", "left"]
    found = {column.removeprefix("total_"): cell for column, cell in row.items() if column.startswith("total_")}
    assert found == {
        "dxa_g_cm2": "0.6400",
        "bmd_g_cm2": "0.5800",
        "bmd_low_g_cm2": "0.5300",
        "bmd_high_g_cm2": "0.6300",
        "bmd_error_g_cm2": "-0.0600",
        "dxa_t_score": f"{(0.64 - 0.942) / 0.122:.2f}",
        "t_score": "",
        "t_low": "",
        "t_high": "",
        "t_error": "",
    }
    assert all(cell == "" for column, cell in row.items() if column.startswith("neck_"))


def test_t_scores_are_told_with_interval_and_error(tmp_path):
    hip = replace(make_hip("right", total=0.70, dxa=0.942), t_scores={"total": (-1.98, -2.5, -1.4)})
    case = make_case("t", hips=(hip, make_hip("left")), dxa_lowest_t=math.nan, probability=0.1, lowest_t=-1.98)
    row = written([case], tmp_path)["t", "right"]
    assert [row[f"total_{name}"] for name in ("dxa_t_score", "t_score", "t_low", "t_high", "t_error")] == [
        "0.00",
        "-1.98",
        "-2.50",
        "-1.40",
        "-1.98",
    ]


@pytest.mark.parametrize(("sex", "sex_specific", "reference"), [(1.0, True, "M"), (1.0, False, "F"), (0.0, True, "F")])
def test_the_t_score_of_dxa_is_by_the_reference_of_the_estimate(sex, sex_specific, reference, tmp_path):
    case = make_case(
        "t", hips=(make_hip("right", dxa=0.7), make_hip("left")), dxa_lowest_t=math.nan, probability=0.1, lowest_t=math.nan
    )
    case = replace(case, covariates=(70.0, sex, 65.0, 160.0))
    row = written([case], tmp_path, sex_specific)["t", "right"]
    assert row["total_dxa_t_score"] == f"{REFERENCE.t_score(0.7, 'total', reference):.2f}"


def test_a_refused_hip_keeps_its_dxa_and_tells_its_code(cases, tmp_path):
    row = written(cases, tmp_path)["d", "right"]
    assert (row["code"], row["total_dxa_g_cm2"], row["total_bmd_g_cm2"], row["total_bmd_error_g_cm2"]) == (
        "NOT_AP",
        "0.5000",
        "",
        "",
    )
