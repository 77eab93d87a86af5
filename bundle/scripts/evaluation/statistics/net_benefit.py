"""Decision curves: what it is worth to send to a further test whom a probability names.

Vickers AJ, Elkin EB. Decision curve analysis. Med Decis Making 2006;26:565.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts.evaluation.statistics.agreement import Floats


def net_benefit(probability: Floats, positive: NDArray[np.bool_], thresholds: Floats) -> Floats:
    """True positives less false ones, these weighed by the odds of the threshold, over all patients.

    Args:
        probability: (N,) of the disease, 0..1; at least one.
        positive: (N,) truth.
        thresholds: (T,) probabilities from which on a patient is sent, above 0 and below 1: at 0.2 one true positive is worth
            four false ones.

    Returns:
        (T,), at most the prevalence.

    Example:
        >>> net_benefit(np.array([0.9, 0.4, 0.1]), np.array([True, False, False]), np.array([0.2])).round(3).tolist()
        [0.25]
    """
    sent = probability[:, None] >= thresholds
    true = (sent & positive[:, None]).mean(axis=0)
    false = (sent & ~positive[:, None]).mean(axis=0)
    return np.asarray(true - false * thresholds / (1 - thresholds))


def net_benefit_of_all(positive: NDArray[np.bool_], thresholds: Floats) -> Floats:
    """The same where everybody is sent, (T,); where nobody is, it is 0."""
    return net_benefit(np.ones(len(positive)), positive, thresholds)
