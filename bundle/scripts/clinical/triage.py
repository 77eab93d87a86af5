"""Triage: what a screening radiograph advises next, by the probability of osteoporosis alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scripts.clinical.diagnosis import Category

FEWEST_FLAGGED: Final = 10
"""Patients, at least, of whom a threshold's predictive value is told."""

LEAST_LIKELY: Final = 0.5
MOST_UNLIKELY: Final = 0.2
"""Osteoporosis is never called likely at a probability below the one, nor unlikely at or above the other. The probability is that
of patients like those that it was measured on, whatever prevalence is stated."""

_EXACT: Final = 1e-12

_Floats = NDArray[np.float64]


class Triage(StrEnum):
    """What a screening radiograph advises next."""

    LIKELY = "osteoporosis likely"
    UNCERTAIN = "uncertain: DXA decides"
    UNLIKELY = "osteoporosis unlikely"

    def agrees(self, category: Category, low_bone_mass_probability: float) -> bool:
        """Whether the category of the lowest T-score says the same; where DXA decides, none does.

        Args:
            category: of the lowest T-score.
            low_bone_mass_probability: that the true one is below normal, 0..1.
        """
        if self is Triage.UNCERTAIN or (self is Triage.LIKELY) is not (category is Category.OSTEOPOROSIS):
            return False
        return (category is Category.NORMAL) is (low_bone_mass_probability < LEAST_LIKELY)


@dataclass(frozen=True)
class Thresholds:
    """Of the probability of osteoporosis, 0..1.

    likely_at_least: from it on osteoporosis is likely; None where that is never said. unlikely_below: below it osteoporosis is
    unlikely; None likewise. What is neither is left to DXA.
    """

    likely_at_least: float | None
    unlikely_below: float | None

    def advise(self, probability: float) -> Triage:
        """The advice at a probability of osteoporosis, 0..1."""
        if self.likely_at_least is not None and probability >= self.likely_at_least:
            return Triage.LIKELY
        if self.unlikely_below is not None and probability < self.unlikely_below:
            return Triage.UNLIKELY
        return Triage.UNCERTAIN


def find_thresholds(
    with_osteoporosis: Sequence[float],
    without_osteoporosis: Sequence[float],
    prevalence: float,
    ppv_at_least: float,
    npv_at_least: float,
) -> Thresholds:
    """Find the thresholds at which the advice is right as often as it must, by patients whose diagnosis is known.

    Patients with and without osteoporosis are weighed so that the former are the share ``prevalence`` of all. The threshold from
    which on osteoporosis is likely is the smallest probability, `LEAST_LIKELY` or more, from which on the share of patients with
    it (PPV) is at least ``ppv_at_least``; that below which it is unlikely is the largest, `MOST_UNLIKELY` or less, below which
    the share without it (NPV) is at least ``npv_at_least``. One patient more than there are counts as called so wrongly, and
    `FEWEST_FLAGGED` must be on that side.

    Args:
        with_osteoporosis: the probability that was told of each patient with it, 0..1; cross-validated.
        without_osteoporosis: the same of those without.
        prevalence: above 0 and below 1.
        ppv_at_least: 0..1.
        npv_at_least: 0..1.

    Returns:
        thresholds of None where there is no such probability, or no patient of one kind.

    Example:
        >>> find_thresholds([0.9] * 30, [0.1] * 100, 0.3, 0.95, 0.95)
        Thresholds(likely_at_least=0.5, unlikely_below=0.2)
    """
    ill, well = np.asarray(with_osteoporosis, dtype=np.float64), np.asarray(without_osteoporosis, dtype=np.float64)
    if not (len(ill) and len(well)):
        return Thresholds(None, None)
    candidates = np.unique(np.concatenate((ill, well, [LEAST_LIKELY, MOST_UNLIKELY])))
    above, below = candidates[candidates >= LEAST_LIKELY], candidates[candidates <= MOST_UNLIKELY][::-1]

    def keeps(right: _Floats, of_right: int, wrong: _Floats, of_wrong: int, weight: float, least: float) -> NDArray[np.bool_]:
        """Whether, of so many flagged rightly and wrongly at each candidate, enough are right; ``weight``: of the right kind."""
        share = weight * right / of_right
        wrongly = (1 - weight) * (wrong + 1) / (of_wrong + 1)
        enough: NDArray[np.bool_] = share >= least * (share + wrongly) - _EXACT
        return enough & (right + wrong >= FEWEST_FLAGGED)

    rule_in = keeps(_from(ill, above), len(ill), _from(well, above), len(well), prevalence, ppv_at_least)
    rule_out = keeps(_below(well, below), len(well), _below(ill, below), len(ill), 1 - prevalence, npv_at_least)
    return Thresholds(
        float(above[rule_in.argmax()]) if rule_in.any() else None,
        float(below[rule_out.argmax()]) if rule_out.any() else None,
    )


def _from(values: _Floats, limits: _Floats) -> _Floats:
    """How many values are at least each limit."""
    return (values[None] >= limits[:, None]).sum(axis=1).astype(np.float64)


def _below(values: _Floats, limits: _Floats) -> _Floats:
    """How many values are below each limit."""
    return len(values) - _from(values, limits)
