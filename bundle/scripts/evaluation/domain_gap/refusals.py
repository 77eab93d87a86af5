"""How many radiographs and hips of a set are refused, by the code of the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scripts.evaluation.domain_gap.observations import MEASURED, Observation, found_none


@dataclass(frozen=True)
class Refusals:
    """Of one set; every radiograph of the sample is in one of them.

    radiographs: looked at. unread: refused by their header, or while they were read or scaled, by code. refused: of those that
    the networks saw, by code. hips: found. hips_refused: of these, by code. sides_without: sides of a radiograph that show no
    hip. scales: where the pixel sizes of those that the networks saw come from, with their numbers.
    """

    radiographs: int
    unread: Mapping[str, int]
    refused: Mapping[str, int]
    hips: int
    hips_refused: Mapping[str, int]
    sides_without: int
    scales: Mapping[str, int]

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> Refusals:
        """Count."""
        seen = [one for one in observations if one.seen]
        hips = [hip.code for one in seen for hip in one.hips]
        return cls(
            radiographs=len(observations),
            unread=_counted(one.code for one in observations if not one.seen),
            refused=_counted(one.code for one in seen if one.code != MEASURED),
            hips=len(hips),
            hips_refused=_counted(code for code in hips if code != MEASURED),
            sides_without=sum(found_none(one) for one in seen),
            scales=_counted(one.scale for one in seen),
        )

    @property
    def seen(self) -> int:
        """Radiographs that the networks saw."""
        return self.radiographs - sum(self.unread.values())


def _counted(codes: Iterable[str]) -> dict[str, int]:
    return dict(Counter(codes).most_common())
