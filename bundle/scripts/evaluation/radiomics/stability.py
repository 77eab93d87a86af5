"""How stable a feature is where a hip is radiographed again: in another pose, by another exposure, processed in another way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from scripts.evaluation.accuracy.tables import text
from scripts.measurement.radiomics.hip import HIP_NAMES

Floats = NDArray[np.float64]

_ROUNDING: Final = 1e-9
"""Of the greatest value: what varies less does not."""
FEWEST: Final = 10
"""Hips that are there more than once; of fewer, nothing is told."""
GRADES: Final = {"excellent": 0.9, "good": 0.75, "moderate": 0.5}
"""From which ICC on (Koo and Li, J Chiropr Med 2016;15:155); below, it is poor."""


@dataclass(frozen=True)
class Stability:
    """Of one feature.

    name: of `HIP_NAMES`. icc: `intraclass_correlation`, NaN where unknown. hips, images: how many it was measured on; a
    radiograph of both hips shows two images.
    """

    COLUMNS: ClassVar = ("region", "image", "family", "feature", "icc", "grade", "hips", "images")

    name: str
    icc: float
    hips: int
    images: int

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Region, image ("" for shape), family and feature."""
        region, *image, family, feature = self.name.split(".")
        return region, image[0] if image else "", family, feature

    @property
    def grade(self) -> str:
        """In a word."""
        if not math.isfinite(self.icc):
            return ""
        return next((word for word, least in GRADES.items() if self.icc >= least), "poor")

    def row(self) -> dict[str, Any]:
        """Of a table with the columns `COLUMNS`."""
        icc = f"{self.icc:.4f}" if math.isfinite(self.icc) else ""
        return dict(zip(self.COLUMNS, (*self.place, icc, self.grade, self.hips, self.images), strict=True))


def measure_stability(repeated: Sequence[tuple[Hashable, Mapping[str, float | None]]]) -> list[Stability]:
    """Measure every feature.

    Args:
        repeated: what hip a radiograph shows, and its features by name; None = unknown. Hips that are there once do not count.

    Returns:
        in the order of `HIP_NAMES`; none where fewer than `FEWEST` hips are there twice.
    """
    hips = [hip for hip, _ in repeated]
    times = Counter(hips)
    chosen = [index for index, hip in enumerate(hips) if times[hip] > 1]
    if len({hips[index] for index in chosen}) < FEWEST:
        return []
    of = [hips[index] for index in chosen]
    table = np.array([[repeated[index][1][name] for name in HIP_NAMES] for index in chosen], dtype=float)
    found = []
    for name, values in zip(HIP_NAMES, table.T, strict=True):
        known = np.isfinite(values)
        on = {hip for hip, is_known in zip(of, known, strict=True) if is_known}
        found.append(Stability(name, intraclass_correlation(values, of), len(on), int(known.sum())))
    return found


def intraclass_correlation(values: Floats, hips: Sequence[Hashable]) -> float:
    """The share of a feature's variance that lies between hips: 1 = always alike on one hip, 0 = as different as on two.

    ICC(1, 1), of one-way random effects; where hips have unlike numbers of radiographs these are weighted as by Donner (Int Stat
    Rev 1986;54:67). It may be below 0.

    Args:
        values: (N,); NaN is left out.
        hips: (N,) what each is of.

    Returns:
        NaN where fewer than two hips are known, none of them twice, or nothing varies.

    Example:
        >>> round(intraclass_correlation(np.array([9.0, 10.0, 20.0, 21.0]), ["a", "a", "b", "b"]), 3)
        0.992
    """
    known = np.isfinite(values)
    numbers = {hip: index for index, hip in enumerate(dict.fromkeys(hip for hip, one in zip(hips, known, strict=True) if one))}
    of = np.array([numbers[hip] for hip, one in zip(hips, known, strict=True) if one], dtype=int)
    found, groups = values[known], len(numbers)
    if groups < 2 or len(found) == groups or np.ptp(found) <= _ROUNDING * np.abs(found).max():
        return math.nan
    counts = np.bincount(of).astype(float)
    means = np.bincount(of, weights=found) / counts
    between = float((counts * (means - found.mean()) ** 2).sum()) / (groups - 1)
    within = float(((found - means[of]) ** 2).sum()) / (len(found) - groups)
    size = (len(found) - float((counts**2).sum()) / len(found)) / (groups - 1)
    whole = between + (size - 1) * within
    return (between - within) / whole if whole > 0 else math.nan


def format_stability(found: Sequence[Stability], notice: str) -> str:
    """A page in Markdown: shares of stable features by region, image and family, and the most and the least stable ones."""
    hips, images = max(one.hips for one in found), max(one.images for one in found)
    lines = [
        "# Stability of radiomics",
        "",
        f"{notice}.",
        "",
        f"{hips} hips, {images} images of them. ICC(1, 1): the share of a feature's variance that lies between hips, not "
        "between radiographs of one. Excellent from 0.9 on, good from 0.75, moderate from 0.5 (Koo and Li 2016). Every feature: "
        "stability.csv.",
        "",
        *_shares(found),
    ]
    ranked = sorted((one for one in found if math.isfinite(one.icc)), key=lambda one: -one.icc)
    for title, some in (("The most stable", ranked[:10]), ("The least stable", ranked[-10:])):
        lines += ["", f"{title}:", "", "| Region | Image | Family | Feature | ICC |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(part or '-' for part in one.place)} | {text(one.icc, 2)} |" for one in some]
    return "\n".join([*lines, ""])


def _shares(found: Sequence[Stability]) -> Iterator[str]:
    yield "| Region | Image | Family | Features | Median ICC | Excellent | Good | Moderate | Poor |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for group in dict.fromkeys(one.place[:3] for one in found):
        of = [one for one in found if one.place[:3] == group and math.isfinite(one.icc)]
        middle = text(float(np.median([one.icc for one in of])), 2) if of else "-"
        counts = [sum(one.grade == grade for one in of) for grade in (*GRADES, "poor")]
        yield f"| {' | '.join(part or '-' for part in group)} | {len(of)} | {middle} | {' | '.join(map(str, counts))} |"
