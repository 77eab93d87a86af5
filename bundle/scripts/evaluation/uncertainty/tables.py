"""The table that calibrate-uncertainty prints: how often the intervals held DXA, once and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.clinical.anatomy import HIP
from scripts.evaluation.accuracy.tables import text
from scripts.evaluation.local.pairs import Pairs
from scripts.evaluation.statistics.conformal import share_by_patient

_FIFTHS = 5


@dataclass(frozen=True)
class Coverage:
    """How often intervals held DXA in a group of hips, each patient counting once.

    group: in words. patients, hips: how many. before, after: share of DXA values in the interval, 0..1, as of a normal
    distribution and by quantiles that were fitted to other patients. width_before, width_after: mean width, g/cm².
    """

    group: str
    patients: int
    hips: int
    before: float
    after: float
    width_before: float
    width_after: float


def measure_coverage(before: Pairs, after: Pairs) -> list[Coverage]:
    """Of all hips of a site, of each fifth of them by DXA, and of each hospital.

    Args:
        before: with the intervals as they were.
        after: the same pairs, with others.
    """
    return [_measure(group, before.take(mask), after.take(mask)) for group, mask in _groups(before)]


def format_coverage(sites: Mapping[str, list[Coverage]]) -> str:
    """A table in Markdown.

    Args:
        sites: by name.
    """
    lines = [
        "| | patients, hips | DXA in a normal interval | in one by quantiles of other patients | mean width of both, g/cm² |",
        "|---|---|---|---|---|",
    ]
    for site, found in sites.items():
        name = HIP.site_names[site].capitalize()
        lines += [
            f"| {name}, {one.group} | {one.patients}, {one.hips} | {one.before:.1%} | {one.after:.1%} | "
            f"{text(one.width_before)} and {text(one.width_after)} |"
            for one in found
        ]
    return "\n".join(lines)


def describe_coverage(found: list[Coverage]) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [asdict(one) for one in found]


def _groups(pairs: Pairs) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each group in words, and which pairs are of it; without those that nobody is of."""
    yield "all", np.ones(len(pairs.dxa), dtype=np.bool_)
    ends = np.quantile(pairs.dxa, np.linspace(0, 1, _FIFTHS + 1))
    fifth = np.clip(np.searchsorted(ends, pairs.dxa, side="right") - 1, 0, _FIFTHS - 1)
    for number in range(_FIFTHS):
        if (mask := fifth == number).any():
            yield f"DXA {ends[number]:.3f} to {ends[number + 1]:.3f} g/cm²", mask
    hospitals = np.unique(pairs.hospitals)
    if len(hospitals) > 1:
        yield from ((f"site {hospital or 'unnamed'}", pairs.hospitals == hospital) for hospital in hospitals)


def _measure(group: str, before: Pairs, after: Pairs) -> Coverage:
    share = share_by_patient(before.patients)

    def mean(values: NDArray[Any]) -> float:
        return float(np.average(values, weights=share))

    return Coverage(
        group=group,
        patients=before.count_patients,
        hips=len(before.dxa),
        before=mean(before.inside),
        after=mean(after.inside),
        width_before=mean((before.high - before.low) * before.sd),
        width_after=mean((after.high - after.low) * after.sd),
    )
