"""From a T-score to its WHO category, from a Z-score to what is expected for age, and what is asked of intervals and triage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import NormalDist
from typing import Final

DIAGNOSIS_FILE: Final = Path(__file__).with_name("diagnosis.json")

_DECIMALS: Final = 6
"""T- and Z-scores are compared after rounding to this, so that -2.5 is -2.5 whatever the last bit of a division says."""


class Category(StrEnum):
    """The WHO's categories of a T-score."""

    NORMAL = "normal"
    LOW_BONE_MASS = "low bone mass"
    OSTEOPOROSIS = "osteoporosis"


class Expectation(StrEnum):
    """What the ISCD calls a Z-score of a person too young for a T-score."""

    WITHIN = "within the expected range for age"
    BELOW = "below the expected range for age"


@dataclass(frozen=True)
class Criteria:
    """The cut points of a diagnosis, and what its intervals and its triage must keep.

    Args:
        osteoporosis_at_most: T-score at or below which the category is osteoporosis.
        normal_at_least: T-score at or above which it is normal; low bone mass lies between.
        youngest_age_years: below it there is no T-score and no category, but a Z-score.
        below_expected_at_most: Z-score at or below which a younger person's bone is below the expected range for age.
        coverage: probability that an interval holds the truth, 0..1.
        ppv_at_least: share with osteoporosis, at least, of the patients of whom triage says that it is likely.
        npv_at_least: share without, at least, of those of whom it says that it is unlikely.
        prevalence: of osteoporosis among those who are screened, at which these shares are meant, 0..1.
        likely_at_least: probability from which on osteoporosis is likely, where no patients of the weights in use tell more.
        unlikely_below: probability below which it is unlikely, likewise.
    """

    osteoporosis_at_most: float
    normal_at_least: float
    youngest_age_years: float
    below_expected_at_most: float
    coverage: float
    ppv_at_least: float
    npv_at_least: float
    prevalence: float
    likely_at_least: float
    unlikely_below: float

    def classify(self, t_score: float) -> Category:
        """WHO category of a T-score."""
        t_score = round(t_score, _DECIMALS)
        if t_score <= self.osteoporosis_at_most:
            return Category.OSTEOPOROSIS
        return Category.NORMAL if t_score >= self.normal_at_least else Category.LOW_BONE_MASS

    def expectation(self, z_score: float) -> Expectation:
        """What a Z-score says of a person too young for a T-score."""
        below = round(z_score, _DECIMALS) <= self.below_expected_at_most
        return Expectation.BELOW if below else Expectation.WITHIN

    @property
    def normal_quantiles(self) -> tuple[float, float]:
        """(low, high), in standard deviations: the central interval that holds `coverage` of a normal distribution."""
        high = NormalDist().inv_cdf(0.5 + self.coverage / 2)
        return (-high, high)


def load_criteria(path: Path = DIAGNOSIS_FILE) -> Criteria:
    """Read the cut points from their JSON file, which names the source of each."""
    content = json.loads(path.read_text(encoding="utf-8"))
    triage = content["triage"]
    return Criteria(
        osteoporosis_at_most=content["categories"]["osteoporosis_at_most"],
        normal_at_least=content["categories"]["normal_at_least"],
        youngest_age_years=content["youngest_age_for_t_score_years"],
        below_expected_at_most=content["expected_range"]["z_score_below_at_most"],
        coverage=content["interval_coverage"],
        ppv_at_least=triage["ppv_at_least"],
        npv_at_least=triage["npv_at_least"],
        prevalence=triage["prevalence"],
        likely_at_least=triage["unfitted"]["likely_at_least"],
        unlikely_below=triage["unfitted"]["unlikely_below"],
    )


def classify(t_score: float) -> Category:
    """WHO category of a T-score by the shipped cut points: osteoporosis T <= -2.5, normal T >= -1.0."""
    return load_criteria().classify(t_score)
