"""Which radiographs are evaluated, and what DXA and the annotators say of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scripts.clinical import SIDES, SITES, Category, Criteria, Reference

HELD_OUT: Final = ("test", "external", "")
"""The splits evaluated where none is named: whatever no training has seen. "" is a radiograph without a split."""

ALL: Final = "all"

_TRUTHS: Final = ("label", "landmarks", *(f"{side}_{site}_bmd" for side in SIDES for site in SITES))


def held_out_radiographs(radiographs: Sequence[Mapping[str, Any]], split: str | None = None) -> list[dict[str, Any]]:
    """Choose the radiographs to evaluate: those of the split for which the manifest gives any truth.

    Args:
        radiographs: items of `scripts.radiograph.list_radiographs`.
        split: one of the manifest's, or "all"; by default all but train and validation.

    Raises:
        ValueError: when none is left.
    """
    known = [dict(item) for item in radiographs if any(_given(item.get(truth)) for truth in _TRUTHS)]
    if not known:
        raise ValueError(
            f"None of the {len(radiographs)} radiographs has a label, landmarks or a hip BMD; expected a manifest.csv that "
            "gives them. Nothing was evaluated."
        )
    wanted = HELD_OUT if split is None else (split,)
    chosen = [item for item in known if split == ALL or item.get("split", "") in wanted]
    if not chosen:
        found = ", ".join(sorted({item.get("split", "") or "none" for item in known}))
        raise ValueError(
            f"None of the {len(known)} radiographs with a truth is in split {split or 'test, external or none'!r}; the manifest "
            f"has {found}. Name one by --split, or take --split all. Nothing was evaluated."
        )
    return chosen


def dxa_bmd(item: Mapping[str, Any], side: str) -> dict[str, float]:
    """The DXA result of one hip by site ("neck", "total"), g/cm²; NaN where unknown."""
    values: dict[str, Any] = {site: item.get(f"{side}_{site}_bmd") for site in SITES}
    return {site: float(value) if _given(value) else math.nan for site, value in values.items()}


def lowest_t_score(bmds: Sequence[Mapping[str, float]], reference: Reference) -> float:
    """The lowest T-score over hips and sites, with the female reference for both sexes; NaN where no BMD is known.

    Args:
        bmds: of each hip, by site, g/cm²; NaN = unknown.
        reference: young adults.
    """
    scores = [reference.t_score(value, site) for bmd in bmds for site, value in bmd.items() if math.isfinite(value)]
    return min(scores, default=math.nan)


def is_osteoporosis(t_score: float, criteria: Criteria) -> bool:
    """Whether a (known) lowest T-score means osteoporosis."""
    return criteria.classify(t_score) is Category.OSTEOPOROSIS


def _given(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))
