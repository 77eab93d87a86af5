"""Features of a hip that lie far from those of all other hips of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from scripts.measurement.radiomics.hip import HIP_NAMES

FEWEST: Final = 20
"""Hips that have a feature; of fewer, none is told to be far."""
FAR: Final = 8.0
"""Interquartile ranges from the median; of a normal distribution one in 10^26 lies beyond, of long tails some do."""


@dataclass(frozen=True)
class Outlier:
    """A feature of one hip. distance: from the median, in interquartile ranges of all hips."""

    COLUMNS: ClassVar = ("name", "file", "side", "feature", "value", "median", "iqr", "distance")

    name: str
    file: str
    side: str
    feature: str
    value: float
    median: float
    iqr: float

    @property
    def distance(self) -> float:
        """See above; negative below it."""
        return (self.value - self.median) / self.iqr

    def row(self) -> dict[str, Any]:
        """Of a table with the columns `COLUMNS`."""
        numbers = (f"{number:.6g}" for number in (self.value, self.median, self.iqr, self.distance))
        return dict(zip(self.COLUMNS, (self.name, self.file, self.side, self.feature, *numbers), strict=True))


def find_outliers(rows: Sequence[Mapping[str, Any]]) -> list[Outlier]:
    """The features that are `FAR` from those of the other hips, the farthest first; none of a feature in which half are alike.

    Args:
        rows: of `radiomics.csv`, with None where a feature is not known.
    """
    found = []
    for feature in HIP_NAMES:
        known = [row for row in rows if row[feature] is not None]
        if len(known) < FEWEST:
            continue
        values = np.array([row[feature] for row in known], dtype=float)
        low, median, high = np.percentile(values, (25, 50, 75))
        iqr = float(high - low)
        for index in np.flatnonzero(np.abs(values - median) > FAR * iqr) if iqr > 0 else ():
            row = known[index]
            found.append(Outlier(row["name"], row["file"], row["side"], feature, float(values[index]), float(median), iqr))
    return sorted(found, key=lambda one: -abs(one.distance))
