"""The figures of an evaluation: agreement of BMD and T-score, ROC, calibration and decision curves, the distribution of Dice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from scripts.clinical import Criteria
from scripts.evaluation.accuracy.cases import Case
from scripts.evaluation.accuracy.decisions import covariates_only, probabilities_and_truth
from scripts.evaluation.accuracy.metrics import data_kind, measured_pairs
from scripts.evaluation.accuracy.patients import Patient, group_patients
from scripts.evaluation.statistics.agreement import Floats, limits_of_agreement, pearson_r
from scripts.evaluation.statistics.discrimination import auc_delong, reliability, wilson_interval
from scripts.evaluation.statistics.net_benefit import net_benefit, net_benefit_of_all

FIGURES: Final = ("bmd_total", "bmd_neck", "lowest_t", "roc", "calibration", "decision", "dice", "subgroups", "strata")
"""Names of all that an evaluation writes."""

_SITE_NAMES = {"total": "Total hip", "neck": "Femoral neck"}
_INK, _ACCENT, _PALE = "#1f4e79", "#c0392b", "#a9bdd1"
_FIFTHS: Final = "fifths of the patients, 95% interval"


def draw_figures(cases: Sequence[Case], criteria: Criteria) -> dict[str, Figure]:
    """Draw the figures for which there are enough data, by name; each names the kind of data.

    Returns:
        some of bmd_total, bmd_neck, lowest_t, roc, calibration, decision, dice.
    """
    kind = data_kind(case.site for case in cases)
    patients = [patient for patient in group_patients(cases, criteria) if patient.measured]
    drawn = {f"bmd_{site}": _bmd(cases, site, kind) for site in _SITE_NAMES}
    drawn |= {"lowest_t": _lowest_t(patients, kind), "roc": _roc(patients, kind)}
    drawn |= {"calibration": _calibration(patients, kind), "decision": _decision(patients, kind), "dice": _dice(cases, kind)}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def write_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each as NAME.png and NAME.svg into an existing folder, the same bytes each time; earlier ones go."""
    for name in FIGURES:
        for ending in ("png", "svg"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=150)
        figure.set_layout_engine("none")  # it is laid out now
        with rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _bmd(cases: Sequence[Case], site: str, kind: str) -> Figure | None:
    pairs = measured_pairs(cases, site)
    estimate = np.array([hip.bmd[site] for _, hip in pairs])
    dxa = np.array([hip.dxa[site] for _, hip in pairs])
    return _agreement(estimate, dxa, f"{_SITE_NAMES[site]} BMD, {len(pairs)} hips, {kind} data", ", g/cm²", 0.03)


def _lowest_t(patients: Sequence[Patient], kind: str) -> Figure | None:
    known = [patient for patient in patients if math.isfinite(patient.lowest_t)]
    estimate, dxa = (np.array([getattr(patient, name) for patient in known]) for name in ("lowest_t", "dxa_lowest_t"))
    return _agreement(estimate, dxa, f"Lowest T-score, {len(known)} patients, {kind} data", "", 0.3)


def _agreement(estimate: Floats, dxa: Floats, title: str, unit: str, margin: float) -> Figure | None:
    if len(estimate) < 3:
        return None
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    figure.suptitle(title)
    scatter, differences = figure.subplots(1, 2)
    ends = (min(estimate.min(), dxa.min()) - margin, max(estimate.max(), dxa.max()) + margin)
    scatter.plot(ends, ends, color="grey", linewidth=1)
    scatter.scatter(dxa, estimate, s=12, alpha=0.6, color=_INK, linewidths=0)
    scatter.set(xlim=ends, ylim=ends, xlabel=f"DXA{unit}", ylabel=f"Estimated from radiograph{unit}", aspect="equal")
    scatter.set_title(f"r = {pearson_r(estimate, dxa):.3f}")
    bias, (low, high) = limits_of_agreement(estimate, dxa)
    differences.scatter((estimate + dxa) / 2, estimate - dxa, s=12, alpha=0.6, color=_INK, linewidths=0)
    for value, style in ((bias, "-"), (low, "--"), (high, "--")):
        differences.axhline(value, color=_ACCENT, linestyle=style, linewidth=1)
    differences.set(xlabel=f"Mean of both{unit}", ylabel=f"Estimate - DXA{unit}")
    differences.set_title(f"Bland-Altman: bias {bias:+.3f}, limits {low:+.3f} to {high:+.3f}")
    return figure


def _roc(patients: Sequence[Patient], kind: str) -> Figure | None:
    probability, positive = probabilities_and_truth(patients)
    if positive.all() or not positive.any():
        return None
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes: Axes = figure.subplots()
    scores = {
        "Joint probability": probability,
        "Lowest estimated T-score": -np.array([patient.lowest_t for patient in patients]),
    }
    for (name, score), colour in zip(scores.items(), (_INK, _ACCENT), strict=True):
        false_positive, true_positive, _ = roc_curve(positive, score)
        auc = auc_delong(score, positive)
        low, high = auc.interval
        interval = f" ({low:.3f} to {high:.3f})" if math.isfinite(low) else ""
        axes.plot(false_positive, true_positive, color=colour, label=f"{name}: AUC {auc.value:.3f}{interval}")
    axes.plot((0, 1), (0, 1), color="grey", linewidth=1)
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_title(f"Osteoporosis, {len(patients)} patients ({int(positive.sum())} with), {kind} data")
    axes.legend(loc="lower right")
    return figure


def _calibration(patients: Sequence[Patient], kind: str) -> Figure | None:
    if not patients:
        return None
    probability, positive = probabilities_and_truth(patients)
    figure = Figure(figsize=(5.5, 6.2), layout="constrained")
    shares, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    shares.plot((0, 1), (0, 1), color="grey", linewidth=1, label="as expected")
    for part in reliability(probability, positive).values():
        expected, observed, count = part["expected"], part["observed"], int(part["patients"])
        low, high = wilson_interval(round(observed * count), count)
        shares.plot((expected, expected), (low, high), color=_INK, linewidth=1)
        shares.plot(expected, observed, "o", color=_INK, label=None if shares.get_legend_handles_labels()[1][1:] else _FIFTHS)
    shares.set(ylabel="Share with osteoporosis by DXA", xlim=(0, 1), ylim=(0, 1))
    shares.set_title(f"Calibration of the joint probability, {len(patients)} patients, {kind} data", fontsize=10)
    shares.legend(loc="lower right")
    bins = np.linspace(0, 1, 21).tolist()
    counts.hist([probability[positive], probability[~positive]], bins=bins, stacked=True, color=[_ACCENT, _PALE])
    counts.legend(("with osteoporosis", "without"), fontsize=8)
    counts.set(xlabel="Joint probability", ylabel="Patients")
    return figure


def _decision(patients: Sequence[Patient], kind: str) -> Figure | None:
    probability, positive = probabilities_and_truth(patients)
    if positive.all() or not positive.any():
        return None
    thresholds = np.linspace(0.01, 0.6, 60)
    by_covariates = covariates_only(patients)
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes: Axes = figure.subplots()
    axes.plot(thresholds, net_benefit_of_all(positive, thresholds), color="grey", linewidth=1, label="send all")
    axes.axhline(0, color="black", linewidth=1, label="send nobody")
    if by_covariates is not None:
        axes.plot(
            thresholds, net_benefit(by_covariates, positive, thresholds), color=_ACCENT, linestyle="--", label="covariates only"
        )
    axes.plot(thresholds, net_benefit(probability, positive, thresholds), color=_INK, label="joint probability")
    axes.set(xlabel="Probability from which on a patient is sent to DXA", ylabel="Net benefit", xlim=(0, 0.6))
    prevalence = float(positive.mean())
    axes.set_ylim(-0.25 * prevalence, 1.1 * prevalence)
    axes.set_title(
        f"Decision curves, {len(patients)} patients ({int(positive.sum())} with osteoporosis), {kind} data", fontsize=10
    )
    axes.legend(loc="upper right")
    return figure


def _dice(cases: Sequence[Case], kind: str) -> Figure | None:
    values = [case.dice["femur"] for case in cases if math.isfinite(case.dice["femur"])]
    if not values:
        return None
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes: Axes = figure.subplots()
    axes.hist(values, bins=np.linspace(min(0.8, *values), 1.0, 41).tolist(), color=_INK)
    axes.axvline(float(np.mean(values)), color=_ACCENT, linewidth=1)
    axes.set(xlabel="Femur Dice", ylabel="Radiographs")
    axes.set_title(f"Femur Dice, mean {np.mean(values):.3f}, {len(values)} radiographs, {kind} data")
    return figure
