"""The hospital's least and most typical hips, each beside the simulated hips that the networks find most like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.evaluation.domain_gap.features import NEIGHBOURS, find_neighbours, list_hips, of_hips
from scripts.evaluation.domain_gap.observations import HipObservation, Observation

_SHOWN: Final = 4
"""Hips of either kind, of as many radiographs."""
_GAP: Final = 0.12
"""Between the two kinds, in widths of a crop."""
_INK, _ACCENT = "#1f4e79", "#c0392b"


@dataclass(frozen=True)
class Placed:
    """A hip of the hospital, `name` its radiograph's pseudonym, with its distance from the reference (1 is usual there) and the
    crops and radiographs of its nearest neighbours."""

    name: str
    hip: HipObservation
    distance: float
    neighbours: tuple[tuple[str, HipObservation], ...]


def place_hips(hospital: Sequence[Observation], reference: Sequence[Observation]) -> list[Placed]:
    """All of the hospital's hips, the least typical first; none where the reference has hips of fewer than four patients."""
    known = list_hips(reference)
    ours = list_hips(hospital)
    if not ours or len({one.patient for one, _ in known}) <= NEIGHBOURS:
        return []
    distances, nearest = find_neighbours(of_hips(hospital), of_hips(reference))
    placed = [
        Placed(one.name, hip, float(distance), tuple((known[index][0].name, known[index][1]) for index in row))
        for (one, hip), distance, row in zip(ours, distances, nearest, strict=True)
    ]
    return sorted(placed, key=lambda found: -found.distance)


def choose_shown(placed: Sequence[Placed]) -> tuple[list[Placed], list[Placed]]:
    """Of hips in order, those least and those most typical that are shown; no radiograph twice."""
    least = _first_of_radiographs(placed)[:_SHOWN]
    taken = {found.name for found in least}
    most = _first_of_radiographs([found for found in reversed(placed) if found.name not in taken])[:_SHOWN]
    return least, most


def draw_neighbours(placed: Sequence[Placed], title: str, reference: str) -> Figure:
    """The least typical hips on the left, the most typical on the right; beside each its neighbours.

    Args:
        placed: of `place_hips`, at least one.
        title: says what data these are.
        reference: what to call the neighbours, such as "simulated".
    """
    kinds = dict(zip(("Least typical", "Most typical"), choose_shown(placed), strict=True))
    width = 2 + NEIGHBOURS  # the last is empty, between both kinds
    rows = max(map(len, kinds.values()))
    figure = Figure(figsize=(2.6 * (width - 1) * len(kinds), 2.95 * rows + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=12)
    ratios = [1.0] * (width - 1) + [_GAP]
    panels = figure.subplots(rows, width * len(kinds), squeeze=False, width_ratios=ratios * len(kinds))
    for axes in panels.flat:
        axes.set_axis_off()
    for number, (kind, shown) in enumerate(kinds.items()):
        for row, found in zip(panels[:, number * width :], shown, strict=False):
            told = f"{kind}: distance {found.distance:.1f}\n{found.name}, {_described(found.hip)}"
            _show(row[0], found.hip.crop, told, _ACCENT)
            for axes, (_, hip) in zip(row[1:], found.neighbours, strict=False):
                _show(axes, hip.crop, f"{reference}, {_described(hip)}", _INK)
    return figure


def _described(hip: HipObservation) -> str:
    return f"{hip.side}, {hip.code}" if hip.code else hip.side


def _show(axes: Axes, crop: NDArray[np.uint8], told: str, colour: str) -> None:
    axes.imshow(crop, cmap="gray", vmin=0, vmax=255)
    axes.set_title(told, fontsize=8, color=colour, loc="left")


def _first_of_radiographs(placed: Sequence[Placed]) -> list[Placed]:
    first: dict[str, Placed] = {}
    for found in placed:
        first.setdefault(found.name, found)
    return list(first.values())
