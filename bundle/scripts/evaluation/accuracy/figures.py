"""The figures of an evaluation, as PNG: agreement of BMD, ROC curves, and the distribution of Dice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from scripts.clinical import Criteria
from scripts.evaluation.accuracy.cases import Case
from scripts.evaluation.accuracy.metrics import data_kind, measured_pairs
from scripts.evaluation.accuracy.patients import group_patients
from scripts.evaluation.statistics.agreement import limits_of_agreement, pearson_r
from scripts.evaluation.statistics.discrimination import auc_delong

_SITE_NAMES = {"total": "Total hip", "neck": "Femoral neck"}
_INK, _ACCENT = "#1f4e79", "#c0392b"


def write_figures(cases: Sequence[Case], criteria: Criteria, folder: Path) -> list[Path]:
    """Write the figures for which there are enough data, into an existing folder; each names the kind of data.

    Returns:
        the files written: bmd_total.png, bmd_neck.png, roc.png, dice.png.
    """
    kind = data_kind(case.site for case in cases)
    figures = {f"bmd_{site}.png": _agreement(cases, site, kind) for site in _SITE_NAMES}
    figures |= {"roc.png": _roc(cases, criteria, kind), "dice.png": _dice(cases, kind)}
    written = []
    for name, figure in figures.items():
        (folder / name).unlink(missing_ok=True)  # of an earlier evaluation
        if figure is not None:
            figure.savefig(folder / name, dpi=150)
            written.append(folder / name)
    return written


def _agreement(cases: Sequence[Case], site: str, kind: str) -> Figure | None:
    pairs = measured_pairs(cases, site)
    if len(pairs) < 3:
        return None
    estimate = np.array([hip.bmd[site] for _, hip in pairs])
    dxa = np.array([hip.dxa[site] for _, hip in pairs])
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    figure.suptitle(f"{_SITE_NAMES[site]} BMD, {len(pairs)} hips, {kind} data")
    scatter, differences = figure.subplots(1, 2)
    ends = (min(estimate.min(), dxa.min()) - 0.03, max(estimate.max(), dxa.max()) + 0.03)
    scatter.plot(ends, ends, color="grey", linewidth=1)
    scatter.scatter(dxa, estimate, s=12, alpha=0.6, color=_INK, linewidths=0)
    scatter.set(xlim=ends, ylim=ends, xlabel="DXA, g/cm²", ylabel="Estimated from radiograph, g/cm²", aspect="equal")
    scatter.set_title(f"r = {pearson_r(estimate, dxa):.3f}")
    bias, (low, high) = limits_of_agreement(estimate, dxa)
    differences.scatter((estimate + dxa) / 2, estimate - dxa, s=12, alpha=0.6, color=_INK, linewidths=0)
    for value, style in ((bias, "-"), (low, "--"), (high, "--")):
        differences.axhline(value, color=_ACCENT, linestyle=style, linewidth=1)
    differences.set(xlabel="Mean of both, g/cm²", ylabel="Estimate - DXA, g/cm²")
    differences.set_title(f"Bland-Altman: bias {bias:+.3f}, limits {low:+.3f} to {high:+.3f}")
    return figure


def _roc(cases: Sequence[Case], criteria: Criteria, kind: str) -> Figure | None:
    measured = [patient for patient in group_patients(cases, criteria) if patient.measured]
    positive = np.array([patient.positive for patient in measured], dtype=bool)
    if positive.all() or not positive.any():
        return None
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes: Axes = figure.subplots()
    scores = {
        "Joint probability": np.array([patient.probability for patient in measured]),
        "Lowest estimated T-score": -np.array([patient.lowest_t for patient in measured]),
    }
    for (name, score), colour in zip(scores.items(), (_INK, _ACCENT), strict=True):
        false_positive, true_positive, _ = roc_curve(positive, score)
        auc = auc_delong(score, positive)
        low, high = auc.interval
        interval = f" ({low:.3f} to {high:.3f})" if math.isfinite(low) else ""
        axes.plot(false_positive, true_positive, color=colour, label=f"{name}: AUC {auc.value:.3f}{interval}")
    axes.plot((0, 1), (0, 1), color="grey", linewidth=1)
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_title(f"Osteoporosis, {len(measured)} patients ({int(positive.sum())} with), {kind} data")
    axes.legend(loc="lower right")
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
