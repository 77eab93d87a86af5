"""The picture of an evaluated gate: every channel for what should be accepted and refused, with its limits, and ROC curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from scripts.clinical import Limits
from scripts.evaluation.gate.radiographs import FINE, GateRadiograph
from scripts.evaluation.statistics.discrimination import auc_delong

_ACCEPT, _REFUSE, _LIMIT = "#1f4e79", "#c0392b", "#222222"
_BINS = 50
_BEYOND = 0.04
_HIGHEST = 99.5  # percentile of the drawn range: a few far ones would squeeze all others

Values = tuple[list[float], list[float]]
"""Of what should be accepted, and of what should be refused for this very reason."""


def write_gate_figure(radiographs: Sequence[GateRadiograph], limits: Limits, path: Path) -> None:
    """Draw one panel a channel, and the ROC curves of those that tell one class from another.

    Args:
        radiographs: see `scripts.evaluation.gate.radiographs`.
        limits: drawn as dashed lines.
        path: of the PNG.
    """
    turn, inward = limits.pelvic_turn_at_most_deg, -limits.rotation_inward_at_most_deg
    panels: dict[str, tuple[Values, list[float]]] = {
        "Hip view (probability)": (_of_radiographs(radiographs, "hip_view"), [limits.hip_view_at_least]),
        "Novelty (distance)": (_of_radiographs(radiographs, "novelty"), [limits.novelty_at_most]),
        "Turn of the pelvis, degrees": (_of_radiographs(radiographs, "pelvic_turn_deg"), [-turn, turn]),
        "Femur (probability)": (_of_femurs(radiographs, limits.present_at_least), [limits.femur_at_least]),
        "Fracture (probability)": (_of_hips(radiographs, "fracture_probability", "fracture"), [limits.fracture_at_most]),
        "Metal (fraction)": (_of_hips(radiographs, "metal_fraction", "implant"), [limits.implant_at_most]),
        "Landmarks (confidence)": (_of_hips(radiographs, "landmark_confidence", "cut off"), [limits.complete_at_least]),
        "Agreement (Dice of two drawings)": (_of_hips(radiographs, "contour_agreement", ""), [limits.agreement_at_least]),
        "Outward rotation, degrees": (
            _of_hips(radiographs, "outward_rotation_deg", ""), [inward, limits.rotation_outward_at_most_deg]
        ),
        "Head, mm": (
            _of_hips(radiographs, "head_diameter_mm", ""), [limits.head_diameter_at_least_mm, limits.head_diameter_at_most_mm]
        ),
        "Flat black (share of the femur)": (_of_hips(radiographs, "exposure_black", ""), [limits.flat_at_most]),
        "Flat white (share of the femur)": (_of_hips(radiographs, "exposure_white", ""), [limits.flat_at_most]),
        "Contrast of the femur": (_of_hips(radiographs, "exposure_contrast", ""), [limits.contrast_at_least]),
    }  # fmt: skip
    figure = Figure(figsize=(18, 10), layout="constrained")
    axes = figure.subplots(3, 5).ravel().tolist()
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    roc = axes[len(panels)]
    roc.set_axis_on()
    for axis, (title, (values, lines)) in zip(axes, panels.items(), strict=False):
        _draw_panel(axis, title, values, lines)
    _draw_roc(roc, {title.split(" (")[0]: panels[title][0] for title in list(panels)[:7] if "degrees" not in title})
    figure.suptitle("The gate: blue should be measured, red should not; dashed: the limits")
    figure.savefig(path, dpi=110)


def _of_radiographs(radiographs: Sequence[GateRadiograph], name: str) -> Values:
    pairs = [(one.values[name], one.kind == FINE) for one in radiographs if math.isfinite(one.values[name])]
    return [value for value, fine in pairs if fine], [value for value, fine in pairs if not fine]


def _of_femurs(radiographs: Sequence[GateRadiograph], present: float) -> Values:
    """Of what was found by landmarks: fine hips, against whatever is on radiographs to be refused."""
    found = [(one, hip) for one in radiographs for hip in one.hips if hip.values["landmark_confidence"] >= present]
    fine = [hip.values["femur_probability"] for one, hip in found if one.kind == FINE and hip.truth == FINE]
    return fine, [hip.values["femur_probability"] for one, hip in found if one.kind != FINE]


def _of_hips(radiographs: Sequence[GateRadiograph], name: str, truth: str) -> Values:
    """Fine hips against those of one truth; for "", which no truth tells, against those of radiographs to be refused."""
    values: Values = ([], [])
    for one in radiographs:
        for hip in one.hips:
            # A channel says nothing of a hip that is not there.
            if math.isfinite(hip.values[name]) and not (hip.code == "NO_FEMUR" and truth != "cut off"):
                if one.kind == FINE and hip.truth == FINE:
                    values[0].append(hip.values[name])
                elif hip.truth == truth and (truth or one.kind != FINE):
                    values[1].append(hip.values[name])
    return values


def _draw_panel(axes: Axes, title: str, values: Values, limits: Sequence[float]) -> None:
    axes.set_title(f"{title}; {len(values[0])} / {len(values[1])}", fontsize=10)
    shown = [limit for limit in limits if math.isfinite(limit)]
    both = [value for part in values for value in part]
    if not both:
        return
    low, high = min(*both, *shown), max(float(np.percentile(both, _HIGHEST)), *shown)
    high += _BEYOND * (high - low)  # so that what exceeds the range piles up beyond a limit, not before it
    bins = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    for part, colour in zip(values, (_ACCEPT, _REFUSE), strict=True):
        axes.hist(np.clip(part, low, high), bins=bins.tolist(), color=colour, alpha=0.55)
    for limit in shown:
        axes.axvline(limit, color=_LIMIT, linestyle="--", linewidth=1)
    axes.set_yscale("symlog", linthresh=1)  # the few that overlap are what matters
    axes.set_ylim(bottom=0)


def _draw_roc(axes: Axes, curves: dict[str, Values]) -> None:
    for name, (accept, refuse) in curves.items():
        if len(accept) < 2 or len(refuse) < 2:
            continue
        score = np.array([*accept, *refuse])
        positive = np.arange(len(score)) >= len(accept)
        # Hip view, femur and landmarks are high for what should be accepted.
        score = -score if name in ("Hip view", "Femur", "Landmarks") else score
        false_refusal, refusal, _ = roc_curve(positive, score)
        axes.plot(false_refusal, refusal, label=f"{name} {auc_delong(score, positive).value:.3f}")
    axes.set(xlabel="Refused of those to be accepted", ylabel="Refused of those to be refused", xlim=(0, 0.2), ylim=(0, 1.01))
    axes.set_title("ROC (AUC), up to 20%", fontsize=10)
    if axes.lines:
        axes.legend(fontsize=8, loc="lower right")
