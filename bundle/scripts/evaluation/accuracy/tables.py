"""metrics.json, metrics.csv and metrics.md: the same numbers for machines, for a spreadsheet and for people."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_NO_VALUE = "-"
_MEASURE_NAMES = {
    "neck_shaft_deg": ("Neck-shaft angle", ", degrees", 1),
    "neck_axis_length_mm": ("Neck axis length", ", mm", 1),
    "neck_width_mm": ("Neck width", ", mm", 1),
    "cortical_thickness_index": ("Cortical thickness index", "", 3),
    "canal_flare_index": ("Canal flare index", "", 2),
    "singh_grade": ("Singh-like grade", ", grades", 2),
}
_GRADE_NAMES = {
    "rank_correlation": "rank correlation",
    "exact": "the same",
    "within_one": "within one grade",
    "weighted_kappa": "weighted kappa",
}


def write_metrics_json(document: Mapping[str, Any], path: Path) -> None:
    """Write the whole document; what could not be computed is null."""
    path.write_text(json.dumps(plain(document), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_metrics_table(document: Mapping[str, Any], path: Path) -> None:
    """Write one row a metric: group ("overall" or a site), data, metric (dotted path), value, 95% interval."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("group", "data", "metric", "value", "ci95_low", "ci95_high"))
        for group, metrics in _groups(document):
            writer.writerows((group, metrics["data"], *row) for row in _rows(plain(metrics)))


def format_report(document: Mapping[str, Any]) -> str:
    """The numbers as Markdown: what was evaluated, then one table with a column for "overall" and each site."""
    overall = document["overall"]
    admission = overall["radiographs"]
    groups = _groups(document)
    if len(groups) == 2:  # one site: its column would repeat the first
        groups = groups[:1]
    lines = [
        f"# Evaluation ({overall['data']} data)",
        "",
        f"{document['notice']}.",
        "",
        f"{admission['radiographs']} radiographs of {admission['patients']} patients, split {document['split']}, "
        f"site {', '.join(document['sites'])}.",
        "",
        f"| Metric | {' | '.join(name for name, _ in groups)} |",
        f"|---|{'---|' * len(groups)}",
    ]
    columns = [list(_statements(metrics, document["goals"])) for _, metrics in groups]
    names = dict.fromkeys(name for column in columns for name, _ in column)
    lines += [f"| {name} | {' | '.join(dict(column).get(name, _NO_VALUE) for column in columns)} |" for name in names]
    lines += [
        "",
        "Dice and IoU (intersection over union) are of whole radiographs, on the file's own grid; those of a hip by itself are "
        "of the part that is nearer to it than to the other, by the true landmarks. Landmark errors are of the hips found. All "
        "are of every radiograph that the networks saw, those that the gate refused afterwards included. BMD is of the hips that "
        "were measured and have DXA. Intervals are 95%: DeLong for AUC, Wilson for proportions, a bootstrap of patients for BMD. "
        "The covariates-only baseline (age, sex, weight, height) is fitted and cross-validated on these very patients, and so is "
        "that of covariates and shape (neck-shaft angle, length and width of the neck, cortical thickness, canal flare: the true "
        "ones where they are known, or else as measured on the radiograph). "
        "Morphometry is of the hips that were measured, against the simulated bone itself; a dash where fewer than three hips "
        "have such a truth.",
        "",
    ]
    if diagnosis := overall.get("osteoporosis"):
        lines += [
            f"AUC, sensitivity and specificity are of the {diagnosis['patients_measured']} patients with DXA who got an answer "
            f"({diagnosis['patients_with_dxa'] - diagnosis['patients_measured']} got none: refused, or too young for a T-score); "
            "the truth is osteoporosis by the lowest T-score of the hip sites with DXA (T <= -2.5). The joint probability is "
            "the one that results tell, by the lowest estimated T-score and the classifier together. Triage's predictive values "
            "are of these very patients, at their own prevalence of osteoporosis.",
            "",
        ]
    return "\n".join(lines)


def _statements(metrics: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """The table's rows, (name, text), of one group: those of the metrics that were computed."""
    yield "Data", metrics["data"]
    for name, rows in _ROWS.items():
        if name in metrics:
            yield from rows(metrics[name], goals)


def _admission_rows(admission: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    codes = ", ".join(f"{code} {count}" for code, count in admission["refused_by_code"].items())
    yield "Radiographs / patients", f"{admission['radiographs']} / {admission['patients']}"
    yield "Radiographs refused", f"{admission['refused']} ({admission['rejection_rate']:.1%}){': ' + codes if codes else ''}"
    codes = ", ".join(f"{code} {count}" for code, count in admission["hips_with_dxa_refused_by_code"].items())
    yield (
        "Hips with DXA that were measured",
        f"{admission['hips_with_dxa_measured']} of {admission['hips_with_dxa']}{'; refused: ' + codes if codes else ''}",
    )
    yield "Hips measured that have no DXA (not scanned, or implanted)", str(admission["hips_measured_without_dxa"])


def _overlap_rows(classes: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for name, overlap in classes.items():
        yield (
            f"{name.capitalize()} Dice, mean ± SD (worst)",
            (
                f"{text(overlap['dice_mean'])} ± {text(overlap['dice_sd'])} ({text(overlap['dice_worst'])}), "
                if overlap["radiographs"]
                else ""
            )
            + f"n = {overlap['radiographs']}, false alarms {overlap['false_alarms']}",
        )
        yield (
            f"{name.capitalize()} IoU, mean (worst); goal {goals[f'{name}_iou_mean']}",
            f"{text(overlap['iou_mean'])} ({text(overlap['iou_worst'])}), n = {overlap['radiographs']}"
            if overlap["radiographs"]
            else f"n = {overlap['radiographs']}",
        )


def _hip_rows(hips: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    yield (
        "Femur IoU of each hip by itself, mean (worst)",
        f"{text(hips['femur_iou_mean'])} ({text(hips['femur_iou_worst'])}), n = {hips['hips']}",
    )


def _agreement_rows(agreement: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    yield (
        "Agreement of two drawings with the true femur Dice: rank correlation",
        f"{text(agreement['rank_correlation'], 2)}, n = {agreement['radiographs']}",
    )


def _landmark_rows(landmarks: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    yield (
        f"Landmark error, median / 95th percentile, mm; goal {goals['landmark_error_median_mm']} / "
        f"{goals['landmark_error_p95_mm']}",
        f"{text(landmarks['error_median_mm'], 1)} / {text(landmarks['error_p95_mm'], 1)}, n = {landmarks['landmarks']}",
    )
    yield (
        f"Hips missed / left and right swapped; goal for swaps {goals['hips_swapped']}",
        f"{landmarks['hips_missed']} / {landmarks['hips_swapped']} of {landmarks['hips_with_landmarks']}",
    )


def _diagnosis_rows(diagnosis: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    yield (
        "Patients measured (with osteoporosis)",
        f"{diagnosis['patients_measured']} ({diagnosis['measured_with_osteoporosis']}) of {diagnosis['patients_with_dxa']} "
        f"({diagnosis['patients_with_osteoporosis']})",
    )
    triage = diagnosis["triage"]
    for word, right, value, value_name in (
        ("likely", "likely_with_osteoporosis", "ppv", "with osteoporosis (PPV)"),
        ("unlikely", "unlikely_without_osteoporosis", "npv", "without (NPV)"),
    ):
        told = f"{triage[word]}; {triage[right]}, {_with_interval(triage, value)}" if triage[word] else "0"
        yield f"Triage: osteoporosis {word}, patients; {value_name}", told
    yield (
        "Triage: uncertain, patients (with osteoporosis)",
        f"{triage['uncertain']} ({triage['uncertain_with_osteoporosis']})",
    )
    for key, name, point in (
        ("joint_probability", "Joint probability", "probability >= 0.5"),
        ("lowest_t_score", "Lowest estimated T-score", "T <= -2.5"),
        ("covariates_only", "Covariates only", "probability >= 0.5"),
    ):
        found = diagnosis[key]
        yield f"{name}: AUC", _with_interval(found, "auc") if found else _NO_VALUE
        yield f"{name}: sensitivity at {point}", _with_interval(found, "sensitivity") if found else _NO_VALUE
        yield f"{name}: specificity at {point}", _with_interval(found, "specificity") if found else _NO_VALUE
        if found and "brier" in found:
            yield f"{name}: Brier score", text(found["brier"])
            fifths = (f"{100 * one['expected']:.0f}/{100 * one['observed']:.0f}" for one in found["reliability"].values())
            yield f"{name}: expected / observed with osteoporosis in fifths of patients, %", ", ".join(fifths)


def _bmd_rows(sites: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for key, name in (("total", "Total hip"), ("neck", "Femoral neck")):
        bmd = sites[key]
        low, high = bmd["limits_of_agreement"]
        baseline = bmd["covariates_only"]
        yield f"{name} BMD: Pearson r", f"{_with_interval(bmd, 'pearson_r')}, {bmd['hips']} hips"
        yield f"{name} BMD: MAE, g/cm²", _with_interval(bmd, "mae")
        yield f"{name} BMD: RMSE, g/cm²", _with_interval(bmd, "rmse")
        yield (
            f"{name} BMD: bias (limits of agreement), g/cm²",
            f"{text(bmd['bias'])} ({text(low)} to {text(high)})" if math.isfinite(low) else _NO_VALUE,
        )
        yield f"{name} BMD: slope of DXA on the estimate / of the estimate on DXA", _pair(bmd["slope"], bmd["slope_on_dxa"], 2)
        yield f"{name} BMD: coverage of the 90% interval", text(bmd["coverage"])
        told = (_pair(one["bias"], one["coverage"], 2) for one in bmd["fifths"].values())
        yield f"{name} BMD: bias, g/cm² / coverage in fifths by DXA, lowest first", ", ".join(told) or _NO_VALUE
        yield (
            f"{name} BMD, covariates only: r / MAE, g/cm²",
            f"{text(baseline['pearson_r'])} / {text(baseline['mae'])}" if baseline else _NO_VALUE,
        )
        beyond = bmd["beyond_shape"]
        yield (
            f"{name} BMD: r of covariates and shape / of these and the estimate; partial r of the estimate given these",
            f"{text(beyond['known_r'])} / {text(beyond['with_estimate_r'])}; {text(beyond['partial_r'])}"
            if beyond
            else _NO_VALUE,
        )


def _repeat_rows(sites: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for key, name in (("total", "Total hip"), ("neck", "Femoral neck")):
        found = sites[key]
        yield (
            f"{name} BMD of repeated radiographs: RMS-SD (least significant change), g/cm²; RMS-CV",
            f"{text(found['rms_sd'])} ({text(found['least_significant_change'])}); {found['rms_cv']:.1%}, {found['hips']} hips, "
            f"{found['degrees_of_freedom']} degrees of freedom"
            if found["hips"]
            else _NO_VALUE,
        )


def _measure_rows(measures: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for key, found in measures.items():
        name, unit, decimals = _MEASURE_NAMES.get(key, (key.replace("_", " ").capitalize(), "", 3))
        bias, sd = (text(found[value], decimals) for value in ("bias", "sd"))
        line = f"{bias} ± {sd}; {text(found['pearson_r'])}, {found['hips']} hips" if math.isfinite(found["bias"]) else _NO_VALUE
        yield f"{name}: bias ± SD{unit}; r", line


def _grade_rows(grade: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    shares = (f"{name} {text(grade[key], 2)}" for key, name in _GRADE_NAMES.items())
    yield "Singh-like grade, agreement", ", ".join(shares) if math.isfinite(grade["exact"]) else _NO_VALUE


_ROWS: Final = {
    "radiographs": _admission_rows,
    "segmentation": _overlap_rows,
    "hips": _hip_rows,
    "agreement": _agreement_rows,
    "landmarks": _landmark_rows,
    "osteoporosis": _diagnosis_rows,
    "bmd": _bmd_rows,
    "repeatability": _repeat_rows,
    "morphometry": _measure_rows,
    "singh_grade": _grade_rows,
}
"""How each metric of evaluate.yaml is told."""


def _with_interval(values: Mapping[str, Any], key: str) -> str:
    low, high = values[f"{key}_ci95"]
    interval = f" ({text(low)} to {text(high)})" if math.isfinite(low) else ""
    return text(values[key]) + interval


def _pair(first: float, second: float, decimals: int) -> str:
    return f"{text(first, decimals)} / {text(second, decimals)}"


def text(value: float, decimals: int = 3) -> str:
    """A number as tables show it; a dash where there is none."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else _NO_VALUE


def interval_text(interval: Sequence[float]) -> str:
    """Both ends of an interval as tables show it."""
    low, high = interval
    return f"{text(low)} to {text(high)}"


def p_text(p: float) -> str:
    """A p-value as tables show it; a dash where there is none."""
    return _NO_VALUE if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _groups(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [("overall", document["overall"]), *document["sites"].items()]


def _rows(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[Any, ...]]:
    for key, value in metrics.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _rows(value, f"{name}.")
        elif isinstance(value, list):
            if not key.endswith("_ci95"):  # an interval stands beside its value
                yield from ((f"{name}.{end}", number, "", "") for end, number in zip(("low", "high"), value, strict=True))
        elif key != "data":
            yield (name, value, *(metrics.get(f"{key}_ci95") or ("", "")))


def plain(value: Any) -> Any:
    """JSON's types only: NaN becomes None, a tuple a list."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
