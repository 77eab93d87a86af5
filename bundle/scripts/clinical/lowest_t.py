"""One distribution of a patient's true lowest T-score, by what regressor and classifier say together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

LEAST_PROBABILITY: Final = 0.002
"""The classifier's probabilities are clipped to this, and to 1 less this, before their logit is taken."""

_LEAST_SD: Final = 1e-6
"""T-scores; an estimate that claims to be exact is not."""


@dataclass(frozen=True)
class LowestT:
    """How the estimates of some weights tell of a patient's true lowest T-score, which DXA would find.

    It is normal, with the mean offset + slope x t + logit_slope x logit(p) and the standard deviation sd_factor x SD of t; t is
    the lowest estimated T-score, p the classifier's probability of osteoporosis. The values by default take t alone, as it is.

    offset: T-scores. slope: 0 or more. logit_slope: T-scores, 0 or less: the surer the classifier is of osteoporosis, the lower
    is T. sd_factor: above 0.
    """

    offset: float = 0.0
    slope: float = 1.0
    logit_slope: float = 0.0
    sd_factor: float = 1.0

    def distribution(self, t_score: float, t_sd: float, probability: float) -> NormalDist:
        """The true lowest T-score of a patient.

        Args:
            t_score: the lowest estimated.
            t_sd: its standard deviation, T-scores.
            probability: of osteoporosis, by the classifier, 0..1.
        """
        mean = self.offset + self.slope * t_score + self.logit_slope * logit(probability)
        return NormalDist(mean, max(self.sd_factor * t_sd, _LEAST_SD))


def logit(probability: float) -> float:
    """ln(p / (1 - p)) of a probability that is clipped first, see `LEAST_PROBABILITY`."""
    clipped = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return math.log(clipped / (1 - clipped))
