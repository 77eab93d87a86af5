"""The subgroups as a figure: discrimination and error of density, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from scripts.evaluation.accuracy.subgroups import Subgroup

_INK, _ACCENT = "#1f4e79", "#c0392b"


def draw_subgroups(subgroups: Sequence[Subgroup], kind: str) -> Figure | None:
    """Draw AUC and bias of total-hip BMD of each subgroup with 95% intervals; None where none has either.

    Args:
        subgroups: of `find_subgroups`.
        kind: of data, which is named.
    """
    shown = [one for one in subgroups if math.isfinite(one.bias) or math.isfinite(one.auc)]
    if not shown:
        return None
    figure = Figure(figsize=(9, 1.5 + 0.27 * len(shown)), layout="constrained")
    figure.suptitle(f"Subgroups, {kind} data (line: all patients)")
    auc, bias = figure.subplots(1, 2, sharey=True)
    for axes, name, label in (
        (auc, "auc", "AUC of the joint probability"),
        (bias, "bias", "Total hip BMD: estimate - DXA, g/cm²"),
    ):
        for place, one in enumerate(shown):
            value, ends = getattr(one, name), getattr(one, f"{name}_ci95")
            if math.isfinite(ends[0]):
                axes.plot(ends, (place, place), color=_INK, linewidth=1.2)
            axes.plot(value, place, "o", color=_INK, markersize=4, markerfacecolor=_INK if math.isfinite(ends[0]) else "white")
        axes.axvline(getattr(shown[0], name), color=_ACCENT, linewidth=1)
        axes.set(xlabel=label, yticks=range(len(shown)), yticklabels=[_name(one) for one in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
    return figure


def _name(one: Subgroup) -> str:
    count = f"{one.hips} hips" if one.patients is None else f"{one.patients} patients"
    return f"{one.by}: {one.group} ({count})" if one.group else f"{one.by} ({count})"
