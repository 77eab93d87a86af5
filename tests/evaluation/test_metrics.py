import csv
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import scripts
from monai.bundle import ConfigParser
from scripts.clinical import Triage, load_criteria
from scripts.evaluation.accuracy.figures import draw_figures, write_figures
from scripts.evaluation.accuracy.metrics import data_kind, measure_hips, summarise
from scripts.evaluation.accuracy.tables import format_report, write_metrics_json, write_metrics_table
from scripts.evaluation.statistics.baseline import covariate_bmd, covariate_probability

CONFIG = Path(scripts.__file__).parents[1] / "configs" / "evaluate.yaml"


def summarised(cases):
    """With the metrics that evaluate.yaml names."""
    names = ConfigParser.load_config_file(CONFIG)["writer"]["metrics"]
    metrics = ConfigParser({"metrics": names}, globals={"scripts": scripts}).get_parsed_content("metrics")
    return summarise(cases, load_criteria(), 0, metrics)


@pytest.fixture
def document(cases):
    return {"notice": "Research use only", "split": "test", **summarised(cases)}


def test_refused_radiographs_count_for_the_rejection_rate(document):
    admission = document["overall"]["radiographs"]
    assert admission["rejection_rate"] == 0.25
    assert admission["refused_by_code"] == {"NOT_AP": 1}
    assert (admission["hips_with_dxa"], admission["hips_with_dxa_measured"]) == (6, 4)
    assert admission["hips_measured_without_dxa"] == 0


def test_a_hip_measured_although_nobody_could_scan_it_is_counted(cases):
    right, left = cases[1].hips
    measured = dataclasses.replace(cases[1], hips=(right, dataclasses.replace(left, code="")))
    admission = summarised([measured])["overall"]["radiographs"]
    assert admission["hips_measured_without_dxa"] == 1


def test_auc_is_of_the_patients_not_refused_and_says_how_many_those_are(document):
    diagnosis = document["overall"]["osteoporosis"]
    assert (diagnosis["patients_with_dxa"], diagnosis["patients_with_osteoporosis"]) == (4, 2)
    assert (diagnosis["patients_measured"], diagnosis["measured_with_osteoporosis"]) == (3, 1)
    assert diagnosis["joint_probability"]["auc"] == 1.0
    assert diagnosis["joint_probability"]["specificity"] == 0.5  # b has 0.6
    assert diagnosis["lowest_t_score"]["specificity"] == 1.0


def test_the_probability_is_judged_by_brier_and_by_what_was_expected(document, tmp_path):
    found = document["overall"]["osteoporosis"]["joint_probability"]
    assert found["brier"] == pytest.approx((0.2**2 + 0.6**2 + 0.1**2) / 3)
    assert [(one["expected"], one["observed"]) for one in found["reliability"].values()] == [(0.1, 0.0), (0.6, 0.0), (0.8, 1.0)]
    assert "| Joint probability: Brier score | 0.137 |" in format_report(document)
    write_metrics_table(document, tmp_path / "metrics.csv")
    assert (
        "overall,simulated,osteoporosis.joint_probability.reliability.part_3.observed,1.0"
        in (tmp_path / "metrics.csv").read_text()
    )


def test_triage_is_judged_by_how_often_each_word_was_right(cases, document):
    found = document["overall"]["osteoporosis"]["triage"]
    assert (found["likely"], found["likely_with_osteoporosis"], found["ppv"]) == (2, 1, 0.5)
    assert (found["unlikely"], found["npv"], found["uncertain"]) == (1, 1.0, 0)
    assert "| Triage: osteoporosis likely, patients; with osteoporosis (PPV) | 2; 1, 0.500 (" in format_report(document)
    differing = dataclasses.replace(cases[1], name="b2", triage=Triage.UNLIKELY)
    silent = dataclasses.replace(cases[2], triage=None)
    found = summarised([*cases[:2], differing, silent])["overall"]["osteoporosis"]["triage"]
    assert (found["likely"], found["unlikely"], found["uncertain"], found["uncertain_with_osteoporosis"]) == (1, 0, 1, 0)
    assert math.isnan(found["npv"])


def test_bmd_is_of_the_measured_hips(document):
    total = document["overall"]["bmd"]["total"]
    assert (total["hips"], total["patients"]) == (4, 3)
    assert total["bias"] == pytest.approx((-0.02 - 0.06 + 0.0 + 0.02) / 4)
    assert total["coverage"] == 0.75
    assert document["overall"]["bmd"]["neck"]["hips"] == 0


def test_dice_and_landmarks(document):
    overall = document["overall"]
    femur = overall["segmentation"]["femur"]
    assert (femur["radiographs"], femur["dice_worst"]) == (3, 0.94)
    assert femur["dice_mean"] == pytest.approx(0.96)
    assert femur["dice_sd"] == pytest.approx(0.02)
    assert femur["iou_worst"] == pytest.approx(0.94 / 1.06)
    assert femur["iou_mean"] == pytest.approx((0.98 / 1.02 + 0.96 / 1.04 + 0.94 / 1.06) / 3)
    assert overall["segmentation"]["fixation"]["false_alarms"] == 4
    assert overall["landmarks"]["landmarks"] == 7 * 5
    assert (overall["landmarks"]["hips_missed"], overall["landmarks"]["hips_swapped"]) == (1, 1)


def test_agreement_that_ranks_films_as_their_dice_does(cases):
    def agreeing(case, sign):
        agreement = 0.5 + sign * 0.4 * case.dice["femur"]
        return dataclasses.replace(case, hips=tuple(dataclasses.replace(hip, agreement=agreement) for hip in case.hips))

    for sign in (1, -1):
        overall = summarised([agreeing(case, sign) for case in cases])["overall"]
        assert overall["agreement"] == {"radiographs": 3, "rank_correlation": pytest.approx(sign)}
    assert math.isnan(summarised(cases)["overall"]["agreement"]["rank_correlation"])


def test_every_site_has_its_own_numbers(document):
    assert list(document["sites"]) == ["simulated-1", "simulated-2"]
    assert document["sites"]["simulated-2"]["radiographs"]["radiographs"] == 1


def test_two_radiographs_of_a_patient_are_one_patient(cases):
    again = dataclasses.replace(cases[1], name="b2", probability=0.2)
    diagnosis = summarised([*cases, again])["overall"]["osteoporosis"]
    assert diagnosis["patients_measured"] == 3
    assert diagnosis["joint_probability"]["false_positives"] == 0  # the mean of 0.6 and 0.2


def test_the_lowest_t_score_of_all_radiographs_is_the_patients_truth(cases):
    again = dataclasses.replace(cases[1], name="b2", dxa_lowest_t=-2.5)
    diagnosis = summarised([*cases, again])["overall"]["osteoporosis"]
    assert diagnosis["measured_with_osteoporosis"] == 2


def test_a_metric_that_is_not_named_is_neither_computed_nor_told(cases):
    document = summarise(cases, load_criteria(), 0, {"hips": measure_hips})
    assert set(document["overall"]) == {"data", "radiographs", "hips"}
    report = format_report({"notice": "Research use only", "split": "test", **document})
    assert "Femur IoU of each hip by itself" in report and "AUC" not in report.split("Intervals are")[0]
    assert "patients with DXA who got an answer" not in report


def test_a_metric_of_the_users_own_is_in_the_numbers(cases, tmp_path):
    document = {
        "notice": "",
        "split": "",
        **summarise(cases, load_criteria(), 7, {"own": lambda cases, criteria, seed: {"seed": seed}}),
    }
    write_metrics_table(document, tmp_path / "metrics.csv")
    assert "overall,simulated,own.seed,7" in (tmp_path / "metrics.csv").read_text()
    assert format_report(document)


def test_simulated_data_are_called_so():
    assert data_kind(["simulated-1", "simulated-4"]) == "simulated"
    assert data_kind(["hospital-1", ""]) == "patients"
    assert data_kind(["simulated-1", "hospital-1"]) == "partly simulated"


def test_files_hold_the_same_numbers(document, cases, tmp_path):
    write_metrics_json(document, tmp_path / "metrics.json")
    write_metrics_table(document, tmp_path / "metrics.csv")
    read = json.loads((tmp_path / "metrics.json").read_text())
    assert read["overall"]["bmd"]["neck"]["pearson_r"] is None
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = {(row["group"], row["metric"]): row for row in csv.DictReader(file)}
    mae = rows["overall", "bmd.total.mae"]
    assert float(mae["value"]) == read["overall"]["bmd"]["total"]["mae"]
    assert float(mae["ci95_low"]) <= float(mae["value"]) <= float(mae["ci95_high"])
    assert rows["simulated-2", "segmentation.femur.dice_mean"]["data"] == "simulated"
    report = format_report(document)
    assert "# Evaluation (simulated data)" in report
    assert "| Metric | overall | simulated-1 | simulated-2 |" in report
    assert "| Femur IoU, mean (worst); goal 0.97 | 0.924 (0.887), n = 3 |" in report
    assert read["goals"]["landmark_error_p95_mm"] == 5.0
    assert "nan" not in report
    write_figures(draw_figures(cases, load_criteria()), tmp_path)
    drawn = ("bmd_total", "lowest_t", "roc", "calibration", "decision", "dice")
    assert {path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".svg")} == {
        f"{name}.{ending}" for name in drawn for ending in ("png", "svg")
    }


def test_the_baseline_learns_from_covariates_and_says_none_for_few_patients():
    random = np.random.default_rng(0)
    age = random.uniform(50, 90, 200)
    covariates = np.stack([age, random.integers(0, 2, 200), random.normal(70, 10, 200), np.full(200, math.nan)], axis=1)
    bmd = 1.4 - 0.009 * age + random.normal(0, 0.03, 200)
    patients = [str(index) for index in range(200)]
    assert np.corrcoef(covariate_bmd(covariates, bmd, patients), bmd)[0, 1] > 0.9
    probability = covariate_probability(covariates, bmd < 0.7, patients)
    assert probability[age > 80].mean() > probability[age < 60].mean() + 0.5
    assert covariate_bmd(covariates[:10], bmd[:10], patients[:10]) is None
    assert covariate_probability(covariates, bmd < 0, patients) is None
