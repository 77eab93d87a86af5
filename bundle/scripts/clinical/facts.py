"""What is known of a radiograph besides the cascade's channels: its header, its manifest and statistics of its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.clinical.laterality import SideMarker
from scripts.clinical.outcomes import Caution


@dataclass(frozen=True)
class RadiographFacts:
    """What header, manifest and picture say of a radiograph.

    Args:
        age_years: None where unknown.
        sex: "F", "M", or None where unknown.
        view: "AP", another projection, or "" where unknown.
        laterality: "R", "L", "B" (both) or "" where unknown.
        assumptions: sentences on what the reader had to assume.
        cautions: of each bone (`HIP.sides`), what reading or scale make doubtful about it.
        markers: burned-in side markers, as the radiograph is displayed.
        measured: what was measured on the picture of each bone (`HIP.sides`), by the name of its quantity (`Source.MEASURED`);
            one that is not there is unknown.
        rejected: of each bone (`HIP.sides`), whether a person who looked at it said that it is not to be measured.
    """

    age_years: float | None = None
    sex: str | None = None
    view: str = ""
    laterality: str = ""
    assumptions: tuple[str, ...] = ()
    cautions: tuple[tuple[Caution, ...], ...] = ((), ())
    markers: tuple[SideMarker, ...] = ()
    measured: tuple[Mapping[str, float], ...] = ({}, {})
    rejected: tuple[bool, ...] = (False, False)
