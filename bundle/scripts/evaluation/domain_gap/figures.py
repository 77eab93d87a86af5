"""The figures of a domain gap: every quantity that the gate asks for in both sets, and a map of the networks' features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from scripts.clinical import Of
from scripts.evaluation.domain_gap.asked import Asked
from scripts.evaluation.domain_gap.features import FeatureGap, FeatureSet, draw_map
from scripts.evaluation.domain_gap.observations import Observation
from scripts.evaluation.domain_gap.quantities import QuantityGap, Sample

_HOSPITAL, _REFERENCE, _LIMIT = "#c0392b", "#1f4e79", "#222222"
_COLUMNS: Final = 4
_BINS: Final = 30
_REACH: Final = 1.5
"""A limit further from the values than so many of their ranges is told, not drawn."""
_HIGHEST: Final = 99.0  # percentile of the drawn range, and its counterpart: a few far ones would squeeze all others


def draw_distributions(
    gaps: Sequence[QuantityGap],
    hospital: Sequence[Observation],
    reference: Sequence[Observation],
    names: tuple[str, str],
    title: str,
) -> Figure:
    """One panel a quantity: histograms of both sets, each adding up to 100%, with the gate's limits.

    Args:
        gaps: in the order of the panels.
        hospital, reference: the radiographs of both sets.
        names: what to call the two sets.
        title: of the figure.
    """
    rows = math.ceil(len(gaps) / _COLUMNS)
    figure = Figure(figsize=(3.6 * _COLUMNS, 2.7 * rows + 1.0), layout="constrained")
    figure.suptitle(title)
    panels = list(np.atleast_1d(figure.subplots(rows, _COLUMNS)).flat)
    for axes, gap in zip(panels, gaps, strict=False):
        _draw_quantity(axes, gap, Sample.of(gap.asked, hospital).values, Sample.of(gap.asked, reference).values)
    for axes in panels[len(gaps) :]:
        axes.set_axis_off()
    figure.supylabel("Share of the hips, or radiographs, %")
    figure.legend(
        handles=[
            Patch(color=_HOSPITAL, alpha=0.55, label=names[0]),
            Patch(color=_REFERENCE, alpha=0.55, label=names[1]),
            Line2D([], [], color=_LIMIT, linestyle="--", label="limit of the gate"),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure


def _draw_quantity(axes: Axes, gap: QuantityGap, hospital: NDArray[np.float64], reference: NDArray[np.float64]) -> None:
    kind = "hip" if gap.asked.quantity.of is Of.BONE else "radiograph"
    axes.set_title(f"{gap.asked.label} ({kind})", fontsize=9)
    both = np.concatenate((hospital, reference))
    if not both.size:
        return
    low, high, near = _range(gap.asked, both)
    bins = np.linspace(low, high, _BINS + 1)
    for values, colour in ((reference, _REFERENCE), (hospital, _HOSPITAL)):
        if values.size:
            share = np.full(values.size, 100 / values.size)
            axes.hist(np.clip(values, low, high), bins=bins.tolist(), weights=share, color=colour, alpha=0.55)
    for bound in near:
        axes.axvline(bound, color=_LIMIT, linestyle="--", linewidth=1)
    below, above = ([f"{bound:g}" for bound in gap.asked.bounds if beside(bound)] for beside in (low.__gt__, high.__lt__))
    for bounds, place, side, told in ((below, 0.03, "left", "\u2190 limit {}"), (above, 0.97, "right", "limit {} \u2192")):
        if bounds:
            axes.text(place, 0.95, told.format(", ".join(bounds)), transform=axes.transAxes, ha=side, va="top", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_xlabel(_told(gap), fontsize=8)


def _range(asked: Asked, both: NDArray[np.float64]) -> tuple[float, float, list[float]]:
    """The range to draw, and the limits in it: those that lie so near that the values are not squeezed."""
    low, high = (float(value) for value in np.percentile(both, [100 - _HIGHEST, _HIGHEST]))
    reach = _REACH * (high - low)
    near = [bound for bound in asked.bounds if low - reach <= bound <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.03 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin, near


def _told(gap: QuantityGap) -> str:
    auc = f"AUC {gap.auc:.2f}" if math.isfinite(gap.auc) else "not compared"
    return f"{auc}; beyond {gap.hospital.beyond:.0%} / {gap.reference.beyond:.0%}" if gap.strength else auc


def draw_feature_map(
    gaps: Sequence[FeatureGap], sets: Sequence[tuple[FeatureSet, FeatureSet]], names: tuple[str, str], title: str
) -> Figure:
    """One panel a network: both sets in the plane of their first two principal components.

    Args:
        gaps: one a network.
        sets: of each, the hospital's and the reference's features, at least two rows together.
        names: what to call the two sets.
        title: of the figure.
    """
    figure = Figure(figsize=(6 * len(gaps), 5.8), layout="constrained")
    figure.suptitle(title)
    for axes, gap, (hospital, reference) in zip(figure.subplots(1, len(gaps), squeeze=False).flat, gaps, sets, strict=True):
        _draw_plane(axes, gap, hospital, reference)
    figure.legend(
        handles=[
            Line2D([], [], color=colour, marker="o", linestyle="", label=name)
            for colour, name in zip((_HOSPITAL, _REFERENCE), names, strict=True)
        ],
        loc="outside lower center",
        ncols=2,
    )
    return figure


def _draw_plane(axes: Axes, gap: FeatureGap, hospital: FeatureSet, reference: FeatureSet) -> None:
    auc = f"; AUC {gap.auc:.2f}" if math.isfinite(gap.auc) else ""
    ratio = f"; distance {gap.ratio:.1f} times that of two halves of the latter" if math.isfinite(gap.ratio) else ""
    axes.set_title(f"{gap.hospital} and {gap.reference} {gap.level}s{auc}{ratio}", fontsize=9)
    if not (hospital.patients and reference.patients):
        return
    ours, known, (first, second) = draw_map(hospital, reference)
    for placed, colour in ((known, _REFERENCE), (ours, _HOSPITAL)):
        axes.scatter(placed[:, 0], placed[:, 1], s=18, alpha=0.6, color=colour, linewidths=0)
    axes.set_xlabel(f"First component ({first:.0%} of the variance)")
    axes.set_ylabel(f"Second component ({second:.0%})")
