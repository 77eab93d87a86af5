"""What a study found, and the sections of its page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.clinical import Criteria, Reference
from scripts.evaluation.accuracy.cases import Case
from scripts.evaluation.accuracy.metrics import SIMULATED
from scripts.evaluation.accuracy.patients import Patient
from scripts.evaluation.accuracy.strata import Stratum
from scripts.evaluation.accuracy.subgroups import Subgroup
from scripts.evaluation.study.failures import Failures
from scripts.evaluation.study.flow import Flow
from scripts.evaluation.study.table import Table


@dataclass(frozen=True)
class Study:
    """What an evaluation found. document: as in metrics.json. figures: names of those that were drawn."""

    document: Mapping[str, Any]
    cases: Sequence[Case]
    patients: Sequence[Patient]
    flow: Flow
    subgroups: Sequence[Subgroup]
    strata: Sequence[Stratum]
    failures: Failures
    criteria: Criteria
    reference: Reference
    figures: Sequence[str] = field(default_factory=list)

    @property
    def overall(self) -> Mapping[str, Any]:
        """The metrics of all."""
        found: Mapping[str, Any] = self.document["overall"]
        return found

    @property
    def simulated(self) -> bool:
        """Whether all patients are."""
        return bool(self.document["data"] == SIMULATED)


@dataclass(frozen=True)
class Shown:
    """A figure: its name, and what it shows in words."""

    name: str
    says: str


@dataclass(frozen=True)
class Section:
    """One section. texts: paragraphs. terms: (word, what it means here). missing: why it could not be computed, or ""."""

    anchor: str
    heading: str
    texts: Sequence[str] = ()
    terms: Sequence[tuple[str, str]] = ()
    figures: Sequence[Shown] = ()
    tables: Sequence[Table] = ()
    missing: str = ""


def load_words() -> dict[str, Any]:
    """The page's sentences, by section."""
    words: dict[str, Any] = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))
    return words
