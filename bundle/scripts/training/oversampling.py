"""What the Siamese classifier learns from: the rarer patients oftener."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.clinical import Reference, load_criteria
from scripts.dataset.truth import is_osteoporosis, read_truth


class Oversampled(list[dict[str, Any]]):
    """The radiographs of a split, those of patients with osteoporosis several times, so that both kinds are about as many.

    Its ``log_odds`` is the logarithm of how much oftener that is; ``times`` the number of times.

    Args:
        items: with DXA results.
        reference: young adults.
        times: how often each of osteoporosis stands; None for what balances best.

    Raises:
        ValueError: when all are of one kind.
    """

    def __init__(self, items: Sequence[Mapping[str, Any]], reference: Reference, times: int | None = None) -> None:
        criteria = load_criteria()
        lowest = [read_truth(item).lowest_t_score(reference) for item in items]
        ill = [not math.isnan(score) and is_osteoporosis(score, criteria) for score in lowest]
        well = [not math.isnan(score) and not is_osteoporosis(score, criteria) for score in lowest]
        if not any(ill) or not any(well):
            raise ValueError(
                f"{len(items)} radiographs to learn from: {sum(ill)} of patients with osteoporosis (T <= -2.5) and {sum(well)} "
                "of others; expected both. Nothing was trained."
            )
        self.times = times or max(1, round(sum(well) / sum(ill)))
        self.log_odds = math.log(self.times)
        super().__init__(dict(item) for item, rare in zip(items, ill, strict=True) for _ in range(self.times if rare else 1))
