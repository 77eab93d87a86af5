"""The figure of all changes: responses where the truth moves, and how far the estimates move where it stays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scripts.clinical.anatomy import HIP
from scripts.evaluation.interventions.effects import Effect

_COLOURS: Final = {"total": "#1f4e79", "neck": "#c0392b"}
_SHIFT: Final = {"total": -0.17, "neck": 0.17}  # of a row, so that the sites do not hide each other
_BAND, _LINE = "#f0f3f6", "#444444"
_ROW_INCHES: Final = 0.21

Row = tuple[str, str]
"""Name and level of a change."""


def draw_effects(effects: Sequence[Effect], title: str) -> Figure:
    """Draw one row a change: the mean with its 95% interval, and pale the SD between hips.

    Args:
        effects: of `summarise_effects`.
        title: of the figure.
    """
    of_kind = [([effect for effect in effects if effect.moves_truth is moved], moved) for moved in (True, False)]
    panels = [panel for panel in of_kind if panel[0]]
    heights = [len(_rows(of_panel)) + 3 for of_panel, _ in panels]
    figure = Figure(figsize=(9.5, _ROW_INCHES * sum(heights) + 1.2), layout="constrained")
    figure.suptitle(title)
    for axes, (of_panel, is_response) in zip(
        figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights).flat, panels, strict=True
    ):
        _draw_panel(axes, of_panel, is_response)
    figure.legend(
        handles=[
            *(Line2D([], [], color=_COLOURS[site], marker="o", label=HIP.site_names[site]) for site in reversed(HIP.sites)),
            Line2D([], [], color=_LINE, linewidth=2.2, label="95% interval of the mean"),
            Line2D([], [], color=_LINE, linewidth=4, alpha=0.25, label="± 1 SD between hips"),
        ],
        loc="outside lower center",
        ncols=4,
        fontsize=8,
    )
    return figure


def _draw_panel(axes: Axes, effects: Sequence[Effect], is_response: bool) -> None:
    rows = _rows(effects)
    axes.axvline(1.0 if is_response else 0.0, color=_LINE, linewidth=0.8, linestyle="--")
    for effect in effects:
        if math.isfinite(effect.error_mean):
            _draw_effect(axes, effect, rows.index((effect.change, effect.level)), is_response)
    groups = {(effect.change, effect.level): effect.group for effect in effects}
    for band, (group, of_group) in enumerate(groupby(range(len(rows)), lambda place: groups[rows[place]])):
        places = list(of_group)
        if band % 2 == 0:
            axes.axhspan(places[0] - 0.5, places[-1] + 0.5, color=_BAND, linewidth=0, zorder=0)
        axes.text(1.01, (places[0] + places[-1]) / 2, group, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    refused = {(effect.change, effect.level): effect for effect in effects if effect.refused}
    told = {row: f" ({effect.refused} of {effect.measured} refused)" for row, effect in refused.items()}
    axes.set_yticks(range(len(rows)), [f"{'  '.join(row)}{told.get(row, '')}" for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(
        "Response: change of the estimate over that of DXA" if is_response else "Change of estimate - DXA where DXA stays, g/cm²",
        fontsize=9,
    )


def _draw_effect(axes: Axes, effect: Effect, row: int, is_response: bool) -> None:
    place, colour = row + _SHIFT[effect.site], _COLOURS[effect.site]
    if is_response:
        mean, low, high = effect.response_mean, effect.response_low, effect.response_high
    else:
        mean, low, high = effect.error_mean, effect.error_low, effect.error_high
        if math.isfinite(effect.error_sd):
            reach = (mean - effect.error_sd, mean + effect.error_sd)
            axes.plot(reach, (place, place), color=colour, alpha=0.25, linewidth=4, solid_capstyle="butt")
    if math.isfinite(low):
        axes.plot((low, high), (place, place), color=colour, linewidth=2.2, solid_capstyle="butt")
    axes.plot(mean, place, color=colour, marker="o", markersize=3.5)


def _rows(effects: Sequence[Effect]) -> list[Row]:
    return list(dict.fromkeys((effect.change, effect.level) for effect in effects))
