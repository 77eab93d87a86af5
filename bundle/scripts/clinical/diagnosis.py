"""From a T-score to its WHO category and triage advice, from a Z-score to what is expected for age, and their intervals."""

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


class Triage(StrEnum):
    """What a screening radiograph advises next."""

    LIKELY = "osteoporosis likely"
    UNCERTAIN = "uncertain: DXA decides"
    UNLIKELY = "osteoporosis unlikely"


@dataclass(frozen=True)
class Criteria:
    """The cut points of a diagnosis.

    Args:
        osteoporosis_at_most: T-score at or below which the category is osteoporosis.
        normal_at_least: T-score at or above which it is normal; low bone mass lies between.
        youngest_age_years: below it there is no T-score and no category, but a Z-score.
        below_expected_at_most: Z-score at or below which a younger person's bone is below the expected range for age.
        rule_in_at_most: T-score at or below which triage says that osteoporosis is likely, if the classifier does not object.
        rule_out_above: T-score above which triage says that it is unlikely, if the classifier does not object.
        probability_at_least: the classifier's probability from which on it objects to "unlikely", and below which to "likely".
        coverage: probability that an interval holds the truth, 0..1.
    """

    osteoporosis_at_most: float
    normal_at_least: float
    youngest_age_years: float
    below_expected_at_most: float
    rule_in_at_most: float
    rule_out_above: float
    probability_at_least: float
    coverage: float

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

    def triage(self, t_score: float, probability: float) -> Triage:
        """Whether osteoporosis is likely or unlikely, by T-score and classifier alike; else a DXA scan is to say.

        Args:
            t_score: the lowest of the patient.
            probability: of osteoporosis, 0..1, of the classifier.
        """
        t_score, osteoporosis = round(t_score, _DECIMALS), probability >= self.probability_at_least
        if t_score <= self.rule_in_at_most and osteoporosis:
            return Triage.LIKELY
        return Triage.UNLIKELY if t_score > self.rule_out_above and not osteoporosis else Triage.UNCERTAIN

    def interval(self, mean: float, sd: float) -> tuple[float, float]:
        """The central interval, (low, high), that holds `coverage` of a normal distribution; in the units given."""
        half = NormalDist().inv_cdf(0.5 + self.coverage / 2) * sd
        return (mean - half, mean + half)


def load_criteria(path: Path = DIAGNOSIS_FILE) -> Criteria:
    """Read the cut points from their JSON file, which names the source of each."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Criteria(
        osteoporosis_at_most=content["categories"]["osteoporosis_at_most"],
        normal_at_least=content["categories"]["normal_at_least"],
        youngest_age_years=content["youngest_age_for_t_score_years"],
        below_expected_at_most=content["expected_range"]["z_score_below_at_most"],
        rule_in_at_most=content["triage"]["rule_in_at_most"],
        rule_out_above=content["triage"]["rule_out_above"],
        probability_at_least=content["triage"]["probability_at_least"],
        coverage=content["interval_coverage"],
    )


def classify(t_score: float) -> Category:
    """WHO category of a T-score by the shipped cut points: osteoporosis T <= -2.5, normal T >= -1.0."""
    return load_criteria().classify(t_score)
