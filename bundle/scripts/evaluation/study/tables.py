"""The tables of a study, of the numbers in metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from scripts.evaluation.accuracy.decisions import RULES, TESTS, THRESHOLDS
from scripts.evaluation.accuracy.strata import Stratum
from scripts.evaluation.accuracy.subgroups import Subgroup
from scripts.evaluation.study.table import Cell, Estimate, Table

_MOST_SITES: Final = 4
_SCORES: Final = {
    "joint_probability": ("Joint probability", "at 0.5"),
    "lowest_t_score": ("Lowest estimated T-score", "at -2.5"),
    "covariates_only": ("Covariates only", "at 0.5"),
}
_TEST_NAMES: Final = dict(zip(TESTS, ("joint probability at 0.5", "lowest T-score at -2.5", "DXA unless unlikely"), strict=True))
_RULE_NAMES: Final = dict(
    zip(
        RULES,
        (
            "left out (main analysis)",
            "left out, with those of unknown age, sex, weight or height",
            "count as positive: sent to DXA",
            "count as negative: cleared",
            "count as wrong (worst case)",
        ),
        strict=True,
    )
)

Numbers = Mapping[str, Any]


def tabulate_performance(document: Numbers) -> Table:
    """Discrimination, operating points and triage, of all and of each site."""
    groups = {"overall": document["overall"]}
    if 1 < len(document["sites"]) <= _MOST_SITES:
        groups |= document["sites"]
    found = [group["osteoporosis"] for group in groups.values()]
    rows: list[list[Cell]] = [
        ["Patients with an answer and DXA", *(one["patients_measured"] for one in found)],
        ["of these with osteoporosis", *(one["measured_with_osteoporosis"] for one in found)],
    ]
    for key, (name, cut) in _SCORES.items():
        rows.append([f"{name}: AUC", *(_estimate(one[key], "auc") for one in found)])
        rows.append([f"{name}: sensitivity {cut}", *(_estimate(one[key], "sensitivity") for one in found)])
        rows.append([f"{name}: specificity {cut}", *(_estimate(one[key], "specificity") for one in found)])
    for word, value in (("likely", "ppv"), ("unlikely", "npv")):
        rows.append([f"Triage: patients called {word}", *(one["triage"][word] for one in found)])
        rows.append([f"Triage: {value.upper()} of {word}", *(_estimate(one["triage"], value) for one in found)])
    columns = {"measure": "Measure", **{name.replace(" ", "_"): name for name in groups}}
    return Table("performance", "Diagnosis of osteoporosis, by patient, with 95% intervals", columns, rows)


def tabulate_calibration(found: Numbers) -> Table:
    """Observed over expected, intercept, slope and Brier score."""
    names = {
        "observed_over_expected": ("Observed over expected", 1),
        "intercept": ("Calibration in the large (logit)", 0),
        "slope": ("Calibration slope", 1),
        "brier": ("Brier score", 0),
    }
    rows: list[list[Cell]] = [[name, _estimate(found, key), right] for key, (name, right) in names.items()]
    return Table(
        "calibration", "Calibration of the joint probability", {"measure": "Measure", "value": "Value", "right": "Right is"}, rows
    )


def tabulate_fifths(parts: Numbers) -> Table:
    """Expected and observed shares in parts of the patients by their probability."""
    rows = [
        [index, one["patients"], Estimate(one["expected"], decimals=2), Estimate(one["observed"], decimals=2)]
        for index, one in enumerate(parts.values(), start=1)
    ]
    columns = {"fifth": "Fifth", "patients": "Patients", "expected": "Expected with osteoporosis", "observed": "Observed"}
    return Table("fifths", "Fifths of the patients by their probability", columns, rows)


def tabulate_decisions(found: Numbers) -> Table:
    """Net benefit at each threshold."""
    rows: list[list[Cell]] = []
    for threshold in THRESHOLDS:
        one = found[f"at_{100 * threshold:02.0f}_percent"]
        others = [Estimate(one[key]) for key in ("net_benefit_of_covariates", "net_benefit_of_all")]
        rows.append([f"{threshold:.0%}", Estimate(one["share_sent"], decimals=2), _estimate(one, "net_benefit"), *others])
    columns = {
        "threshold": "Sent from",
        "share_sent": "Share sent",
        "net_benefit": "Net benefit: joint probability",
        "covariates": "Covariates only",
        "all": "Send all",
    }
    return Table("decision", "Net benefit, per patient; sending nobody is 0", columns, rows)


def tabulate_agreement(overall: Numbers) -> Table:
    """Agreement of density and of the lowest T-score with DXA."""
    named = {
        f"{name} BMD, g/cm²": overall.get("bmd", {}).get(key) for key, name in (("total", "Total hip"), ("neck", "Femoral neck"))
    }
    named["Lowest T-score, one a patient"] = overall.get("lowest_t")
    rows: list[list[Cell]] = []
    for name, found in named.items():
        if found:
            low, high = found["limits_of_agreement"]
            estimates = [_estimate(found, key) for key in ("bias", "mae", "rmse", "pearson_r", "coverage")]
            limits = [Estimate(low), Estimate(high)]
            rows.append(
                [
                    name,
                    found["hips"],
                    found["patients"],
                    estimates[0],
                    *limits,
                    *estimates[1:],
                    Estimate(found["slope"], decimals=2),
                ]
            )
    columns = {
        "quantity": "Quantity",
        "pairs": "Pairs",
        "patients": "Patients",
        "bias": "Bias",
        "limit_low": "Lower limit",
        "limit_high": "Upper limit",
        "mae": "MAE",
        "rmse": "RMSE",
        "r": "r",
        "coverage": "DXA in the 90% interval",
        "slope": "Slope of DXA",
    }
    return Table("agreement", "Estimate less DXA, with 95% intervals by a bootstrap of patients", columns, rows)


def tabulate_contours(overall: Numbers) -> Table:
    """Overlap by class, and landmark errors."""
    rows: list[list[Cell]] = []
    for name, one in overall.get("segmentation", {}).items():
        rows.append(
            [
                name.capitalize(),
                one["radiographs"],
                *(Estimate(one[key]) for key in ("dice_mean", "dice_worst", "iou_mean", "iou_worst")),
            ]
        )
    columns = {
        "class": "Class",
        "radiographs": "Radiographs",
        "dice_mean": "Dice, mean",
        "dice_worst": "Dice, worst",
        "iou_mean": "IoU, mean",
        "iou_worst": "IoU, worst",
    }
    return Table("contours", "Overlap of drawn and true areas, by radiograph", columns, rows)


def tabulate_strata(strata: Sequence[Stratum]) -> Table:
    """Contours and landmarks by groups of hips; strata.csv has more."""
    rows: list[list[Cell]] = [
        [one.by, one.group, one.hips, Estimate(one.femur_iou_mean), Estimate(one.landmark_median_mm, decimals=1), one.missed]
        for one in strata
    ]
    columns = {
        "by": "By",
        "group": "Group",
        "hips": "Hips",
        "femur_iou": "Femur IoU",
        "landmarks": "Landmarks, median, mm",
        "missed": "Missed",
    }
    return Table("contours_by_group", "Contours and landmarks by groups of hips", columns, rows)


def tabulate_subgroups(subgroups: Sequence[Subgroup]) -> Table:
    """Discrimination and density in each subgroup."""
    rows: list[list[Cell]] = [
        [
            one.by,
            one.group,
            one.patients,
            one.answered,
            one.with_osteoporosis,
            Estimate(one.auc, one.auc_ci95) if one.patients is not None else None,
            one.hips,
            Estimate(one.bias, one.bias_ci95),
            Estimate(one.rmse, one.rmse_ci95),
            Estimate(one.coverage, decimals=2),
        ]
        for one in subgroups
    ]
    columns = {
        "by": "By",
        "group": "Group",
        "patients": "Patients with DXA",
        "answered": "With an answer",
        "with_osteoporosis": "Of these with osteoporosis",
        "auc": "AUC",
        "hips": "Hips",
        "bias": "Total hip: bias, g/cm²",
        "rmse": "RMSE, g/cm²",
        "coverage": "DXA in the 90% interval",
    }
    return Table("subgroups", "Subgroups, with 95% intervals", columns, rows)


def tabulate_refusals(found: Numbers) -> Table:
    """Sensitivity and specificity by what becomes of patients without an answer."""
    rows: list[list[Cell]] = []
    for rule, rule_name in _RULE_NAMES.items():
        for test, test_name in _TEST_NAMES.items():
            one = found[rule][test]
            rows.append(
                [rule_name, found[rule]["patients"], test_name, _estimate(one, "sensitivity"), _estimate(one, "specificity")]
            )
    columns = {
        "without_an_answer": "Patients without an answer",
        "patients": "Patients",
        "test": "Test",
        "sensitivity": "Sensitivity",
        "specificity": "Specificity",
    }
    return Table("sensitivity", "Sensitivity and specificity, by how patients without an answer count", columns, rows)


def _estimate(found: Numbers | None, key: str) -> Estimate:
    if not found:
        return Estimate(float("nan"))
    return Estimate(found[key], tuple(found[f"{key}_ci95"])) if f"{key}_ci95" in found else Estimate(found[key])
