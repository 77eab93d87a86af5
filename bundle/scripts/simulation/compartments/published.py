"""What has been published of patients: correlations with hip aBMD, to lay beside the simulated ones."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Finding:
    """A published correlation ``r`` with the aBMD of the hip: of how many hips or people (``count``), ``who`` they were, and its
    ``source``, a number of the references of docs/simulation.md."""

    r: float
    count: int
    who: str
    source: int


@dataclass(frozen=True)
class Published:
    """What is known of a measure: the ``findings``, and a ``note`` with what else there is; either may be empty."""

    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest correlation found; of one finding alone its 95% interval (Fisher); NaN without any."""
        found = [finding.r for finding in self.findings]
        if len(found) != 1:
            return (min(found), max(found)) if found else (math.nan, math.nan)
        width = 1.96 / math.sqrt(self.findings[0].count - 3)
        return math.tanh(math.atanh(found[0]) - width), math.tanh(math.atanh(found[0]) + width)

    def told(self) -> str:
        """All of it in a line, each finding with the number of its source in brackets."""
        told = [f"{finding.r:.2f} [{finding.source}]" for finding in sorted(self.findings, key=lambda finding: finding.r)]
        return "; ".join([*told, *([self.note] if self.note else [])])


def load_published() -> dict[str, Published]:
    """Read what is published, by the name of a measure or a set of measures."""
    relations = json.loads(_FILE.read_text(encoding="utf-8"))["relations"]
    return {
        name: Published(tuple(Finding(**finding) for finding in known.get("findings", ())), known.get("note", ""))
        for name, known in relations.items()
    }


def load_sources() -> dict[int, str]:
    """Read the references of docs/simulation.md that the findings are from, by their number."""
    sources = json.loads(_FILE.read_text(encoding="utf-8"))["sources"]
    return {int(number): text for number, text in sources.items()}
