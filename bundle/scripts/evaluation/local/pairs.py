"""What a screen estimated of each hip beside what DXA measured, from the ledger of its run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.clinical.anatomy import HIP
from scripts.dataset.studies import iso_date
from scripts.dataset.truth import read_truth
from scripts.evaluation.statistics.agreement import Floats
from scripts.screening.ledger import Ledger

_Row = tuple[tuple[float, float, float, float, float], str, str]
"""Numbers, patient and hospital of a pair."""


@dataclass(frozen=True)
class Pairs:
    """Of one site, one pair a hip and radiograph.

    estimate, sd, dxa: (N,) g/cm²; sd is the standard deviation of the estimate. low, high: (N,) the ends of its interval, in
    standard deviations from the estimate. patients: (N,) whose hip it is, numbered from 0 by their first appearance.
    hospitals: (N,) where it was taken, the manifest's column `site`.
    """

    estimate: Floats
    sd: Floats
    dxa: Floats
    low: Floats
    high: Floats
    patients: NDArray[np.int64]
    hospitals: NDArray[np.str_]

    @property
    def count_patients(self) -> int:
        """How many patients they are of."""
        return len(np.unique(self.patients))

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether DXA lies in the interval, (N,)."""
        low, high = self.estimate + self.low * self.sd, self.estimate + self.high * self.sd
        return (low <= self.dxa) & (self.dxa <= high)

    def take(self, chosen: NDArray[Any]) -> Pairs:
        """Those of some indices or of a mask, with their patients numbered anew."""
        _, patients = np.unique(self.patients[chosen], return_inverse=True)
        numbers = (self.estimate[chosen], self.sd[chosen], self.dxa[chosen], self.low[chosen], self.high[chosen])
        return Pairs(*numbers, patients.astype(np.int64), self.hospitals[chosen])


def pair_with_dxa(ledger: Ledger) -> dict[str, Pairs]:
    """The pairs of every site, by name, of hips that were measured and have DXA in the manifest.

    Args:
        ledger: of a run that is finished; its radiographs carry their rows of the manifest.
    """
    rows: dict[str, list[_Row]] = {site: [] for site in HIP.sites}
    for item, record in _screened(ledger):
        truth = read_truth(item)
        for hip in record["hips"]:
            for site, found in hip["estimates"].items():
                dxa = truth.hips[hip["side"]].bmd[site]
                if math.isfinite(dxa):
                    bmd, sd, interval = (found[key] for key in ("bmd_g_cm2", "bmd_sd_g_cm2", "bmd_interval_g_cm2"))
                    low, high = ((end - bmd) / sd for end in interval)
                    rows[site].append(((bmd, sd, dxa, low, high), str(item["patient"]), truth.site))
    return {site: _joined(found) for site, found in rows.items()}


def study_dates(ledger: Ledger) -> tuple[str, str] | None:
    """The first and the last of the manifest's dates of measured radiographs, YYYY-MM-DD; None where it has none."""
    dates = sorted(filter(None, (iso_date(item.get("study_date") or "") for item, _ in _screened(ledger))))
    return (dates[0], dates[-1]) if dates else None


def _screened(ledger: Ledger) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The items of the radiographs that were measured, each with its record."""
    for entry in ledger.entries.values():
        for record in entry["content"]["radiographs"]:
            if record["status"] == "measured":
                yield ledger.items[record["name"]], record


def _joined(rows: list[_Row]) -> Pairs:
    numbers = np.array([row[0] for row in rows], dtype=np.float64).reshape(-1, 5)
    places = {patient: place for place, patient in enumerate(dict.fromkeys(row[1] for row in rows))}
    patients = np.array([places[row[1]] for row in rows], dtype=np.int64)
    estimate, sd, dxa, low, high = numbers.T
    return Pairs(estimate, sd, dxa, low, high, patients, np.array([row[2] for row in rows], dtype=np.str_))
