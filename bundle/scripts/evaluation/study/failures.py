"""The radiographs on which the screen failed most, and one refused for each reason, each with its picture and why it is shown."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from PIL import Image

from scripts.clinical import Criteria
from scripts.dataset.truth import is_osteoporosis
from scripts.evaluation.accuracy.cases import Case
from scripts.evaluation.accuracy.metrics import OPERATING_PROBABILITY
from scripts.evaluation.study.table import Table
from scripts.screening.findings import RadiographFindings, Seen

_SIZE: Final = (620, 420)
_QUALITY: Final = 68
_SITE_NAMES: Final = {"total": "total hip", "neck": "femoral neck"}
_KEPT: Final = {"density": 6, "missed": 3, "false alarm": 3}
"""How many of each kind; of refusals one a code."""


@dataclass(frozen=True)
class Failure:
    """One radiograph. score: the worse, the higher. why: a sentence. picture: JPEG as the screen draws it; b"" for none."""

    kind: str
    name: str
    site: str
    score: float
    why: str
    picture: bytes


@dataclass
class Failures:
    """Keeps the worst radiographs of each kind seen so far.

    Args:
        criteria: cut points of the diagnosis.
        draw: the picture of what was seen, as the screen draws it, without names; None where there is nothing to draw.
    """

    criteria: Criteria
    draw: Callable[[Seen], Image.Image | None]
    kept: dict[str, list[Failure]] = field(default_factory=dict)

    def add(self, case: Case, found: RadiographFindings) -> None:
        """Look at one more radiograph and what was found on it."""
        picture: bytes | None = None
        for kind, score, most, why in self._judge(case, found):
            kept = self.kept.setdefault(kind, [])
            if len(kept) == most and score <= kept[-1].score:
                continue
            picture = self._draw(found.seen) if picture is None else picture
            kept.append(Failure(kind, case.name, case.site, score, why, picture))
            self.kept[kind] = sorted(kept, key=lambda one: -one.score)[:most]

    @classmethod
    def join(cls, parts: Sequence[Self], place: Mapping[str, int]) -> Self:
        """Bring together what several processes kept; equals stand as their names are placed."""
        joined = cls(parts[0].criteria, parts[0].draw)
        for kind in dict.fromkeys(kind for part in parts for kind in part.kept):
            ranked = sorted(
                (one for part in parts for one in part.kept.get(kind, ())), key=lambda one: (-one.score, place[one.name])
            )
            joined.kept[kind] = ranked[: _KEPT.get(kind, 1)]
        return joined

    def listed(self) -> list[list[Failure]]:
        """By radiograph, each with all that it is shown for: the worst densities first, refusals last, by code."""
        kinds = [*(kind for kind in _KEPT if kind in self.kept), *sorted(set(self.kept) - set(_KEPT))]
        by_name: dict[str, list[Failure]] = {}
        for kind in kinds:
            for one in self.kept[kind]:
                by_name.setdefault(one.name, []).append(one)
        return list(by_name.values())

    def tabulate(self) -> Table:
        """What the page shows, without the pictures."""
        rows = [(one.kind, one.name, one.site, one.why, "yes" if one.picture else "no") for own in self.listed() for one in own]
        columns = {"kind": "Shown for", "name": "Name", "site": "Site", "why": "Why", "picture": "Picture"}
        return Table("failures", "Failures and refusals that are shown", columns, rows)

    def _judge(self, case: Case, seen: RadiographFindings) -> list[tuple[str, float, int, str]]:
        """Kind, score, how many of that kind are kept, and a sentence, of all that a radiograph is to be shown for."""
        if case.code:
            sentence = seen.reason.sentence if seen.reason else ""
            return [(f"refused: {case.code}", float(seen.seen is not None), 1, f"Refused. {sentence}".strip())]
        found = []
        errors = [(abs(hip.bmd[site] - hip.dxa[site]), hip, site) for hip in case.hips for site in _SITE_NAMES]
        known = [one for one in errors if math.isfinite(one[0])]
        if known:
            error, hip, site = max(known, key=lambda one: one[0])
            why = f"{hip.side.capitalize()} {_SITE_NAMES[site]}: estimated {hip.bmd[site]:.3f} g/cm², {hip.dxa[site]:.3f} by DXA."
            found.append(("density", error, _KEPT["density"], why))
        if math.isfinite(case.probability) and math.isfinite(case.dxa_lowest_t):
            has = is_osteoporosis(case.dxa_lowest_t, self.criteria)
            told = f"lowest T-score {case.dxa_lowest_t:.1f} by DXA, {case.lowest_t:.1f} estimated; "
            told += f"probability {case.probability:.2f}."
            if has and case.probability < OPERATING_PROBABILITY:
                found.append(("missed", -case.probability, _KEPT["missed"], f"Osteoporosis, not found: {told}"))
            if not has and case.probability >= OPERATING_PROBABILITY:
                found.append(("false alarm", case.probability, _KEPT["false alarm"], f"No osteoporosis, flagged: {told}"))
        return found

    def _draw(self, seen: Seen | None) -> bytes:
        picture = self.draw(seen) if seen else None
        if picture is None:
            return b""
        small = picture.convert("RGB")
        small.thumbnail(_SIZE)
        stream = io.BytesIO()
        small.save(stream, "JPEG", quality=_QUALITY)
        return stream.getvalue()
