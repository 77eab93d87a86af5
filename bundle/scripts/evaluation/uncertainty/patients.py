"""What a screen said of each patient beside the lowest T-score by DXA, from the ledger of its run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.clinical import LowestT, load_criteria, load_reference
from scripts.dataset.truth import is_osteoporosis, read_truth
from scripts.evaluation.statistics.agreement import Floats
from scripts.screening.ledger import Ledger


@dataclass(frozen=True)
class Patients:
    """Those who were measured and have DXA, one row a patient.

    t_score, t_sd: (N,) the lowest estimated T-score and its standard deviation. classifier: (N,) the classifier's probability of
    osteoporosis, 0..1. dxa_t: (N,) the lowest T-score by DXA over the sites and hips that have it.
    """

    t_score: Floats
    t_sd: Floats
    classifier: Floats
    dxa_t: Floats

    def __len__(self) -> int:
        """How many there are."""
        return len(self.dxa_t)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether DXA says osteoporosis, (N,)."""
        criteria = load_criteria()
        return np.array([is_osteoporosis(float(value), criteria) for value in self.dxa_t], dtype=np.bool_)

    def take(self, chosen: NDArray[Any]) -> Patients:
        """Those of some indices or of a mask."""
        return Patients(self.t_score[chosen], self.t_sd[chosen], self.classifier[chosen], self.dxa_t[chosen])

    def probabilities(self, lowest_t: LowestT) -> Floats:
        """What a distribution of the true lowest T-score says of osteoporosis, (N,), 0..1."""
        limit = load_criteria().osteoporosis_at_most
        rows = zip(self.t_score, self.t_sd, self.classifier, strict=True)
        return np.array([lowest_t.distribution(*map(float, row)).cdf(limit) for row in rows])


def gather_patients(ledger: Ledger) -> Patients:
    """Each patient's first study that was measured and whose radiographs have DXA in the manifest.

    Args:
        ledger: of a run that is finished; its radiographs carry their rows of the manifest.
    """
    reference = load_reference()
    rows: dict[str, tuple[float, float, float, float]] = {}
    for entry in ledger.entries.values():
        study = entry["content"]["study"]
        outcome = study["outcome"]
        if not outcome or outcome["lowest_t_score"] is None or study["patient"] in rows:
            continue
        lowest = [read_truth(ledger.items[name]).lowest_t_score(reference) for name in study["films"]]
        if known := [t_score for t_score in lowest if math.isfinite(t_score)]:
            found = (outcome[key] for key in ("lowest_t_score", "lowest_t_sd", "classifier_probability"))
            rows[study["patient"]] = (*found, min(known))
    t_score, t_sd, classifier, dxa_t = np.array(list(rows.values()), dtype=np.float64).reshape(-1, 4).T
    return Patients(t_score, t_sd, classifier, dxa_t)
