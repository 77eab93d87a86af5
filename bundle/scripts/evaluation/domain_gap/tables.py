"""A domain gap as CSV, JSON and one page of Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from scripts.clinical import HIP, Of
from scripts.evaluation.accuracy.tables import plain, text
from scripts.evaluation.domain_gap.features import FeatureGap
from scripts.evaluation.domain_gap.neighbours import Placed, choose_shown
from scripts.evaluation.domain_gap.quantities import Distribution, QuantityGap
from scripts.evaluation.domain_gap.refusals import Refusals

COLUMNS: Final = (
    *("of", "quantity", "unit", "limits"),
    *(f"{whose}_{what}" for whose in ("hospital", "reference") for what in ("count", "p5", "median", "p95", "beyond")),
    *("ks", "auc", "auc_low", "auc_high"),
)
"""Of domain_gap.csv."""

_NAMED: Final = 3
"""Quantities that the page's first words name."""
_WORDS: Final = (
    (0.45, "can nearly always be told apart"),
    (0.3, "can mostly be told apart"),
    (0.1, "can sometimes be told apart"),
    (0.0, "can hardly be told apart"),
)
"""By how much an AUC is above 0.5, at least."""


@dataclass(frozen=True)
class Gap:
    """All that was found.

    names: what to call the two sets, such as ("hospital", "simulated"). quantities: those that differ most come first. placed:
    see `place_hips`. notes: of the gate, on its limits.
    """

    names: tuple[str, str]
    refusals: tuple[Refusals, Refusals]
    quantities: Sequence[QuantityGap]
    features: Sequence[FeatureGap]
    placed: Sequence[Placed]
    notes: Sequence[str]


def table_rows(gap: Gap) -> list[dict[str, Any]]:
    """One row a quantity, see `COLUMNS`; shares are 0..1."""
    return [
        {
            "of": _bearer(one),
            "quantity": one.asked.quantity.name,
            "unit": one.asked.quantity.unit,
            "limits": " ".join(f"{bound:g}" for bound in one.asked.bounds),
            **{f"hospital_{key}": value for key, value in asdict(one.hospital).items()},
            **{f"reference_{key}": value for key, value in asdict(one.reference).items()},
            "ks": one.ks,
            "auc": one.auc,
            "auc_low": one.auc_ci95[0],
            "auc_high": one.auc_ci95[1],
        }
        for one in gap.quantities
    ]


def make_document(gap: Gap, told: Mapping[str, Any]) -> dict[str, Any]:
    """All figures as plain data.

    Args:
        gap: what was found.
        told: what else the document is to hold: "notice", "provenance", ...
    """
    hospital, reference = (asdict(refusals) for refusals in gap.refusals)
    shown = [found for kind in choose_shown(gap.placed) for found in kind]
    neighbours = [
        {
            "name": found.name,
            "side": found.hip.side,
            "code": found.hip.code,
            "distance": found.distance,
            "nearest": [{"name": name, "side": hip.side} for name, hip in found.neighbours],
        }
        for found in shown
    ]
    document = {
        **told,
        "gate_notes": list(gap.notes),
        "hospital": hospital,
        "reference": reference,
        "quantities": table_rows(gap),
        "features": [{**asdict(one), "ratio": one.ratio} for one in gap.features],
        "neighbours": neighbours,
    }
    result: dict[str, Any] = plain(document)
    return result


def format_page(gap: Gap, notice: str, figures: Mapping[str, str]) -> str:
    """The same for people: what to conclude, then the figures and tables.

    Args:
        gap: what was found.
        notice: the sentence that every result carries.
        figures: names of the picture files by what they show.
    """
    ours, known = gap.names
    lines = [f"# Domain gap: {ours} and {known} radiographs", "", f"{notice}.", "", *(f"{note}\n" for note in gap.notes)]
    lines += ["## What to conclude", "", *(f"- {sentence}" for sentence in conclude(gap)), ""]
    lines += ["## Refusals", "", f"| | {ours} | {known} |", "|---|---|---|", *_refusal_rows(gap.refusals), ""]
    lines += ["## What the gate asks", "", *_quantity_table(gap), ""]
    lines += [f"![{what}]({file})\n" for what, file in figures.items()]
    lines += ["## What the networks see", "", *_feature_table(gap)]
    if gap.placed:
        lines += [
            "",
            "A hip's distance in the picture is the mean of those from the features of the nearest hips of three patients of the "
            f"{known} set; 1 is the median within that set. Left hips are mirrored; the codes are those of refusals.",
        ]
    return "\n".join([*lines, ""])


def conclude(gap: Gap) -> list[str]:
    """Sentences on what a reader should, and should not, conclude."""
    ours, known = gap.names
    told = [
        f"By the networks' features {ours} and {known} {one.level}s {_verdict(one.auc)} (AUC {text(one.auc, 2)}, 0.5 is alike); "
        f"they are {text(one.ratio, 1)} times as far apart as two halves of the {known} ones."
        for one in gap.features
        if math.isfinite(one.auc)
    ]
    differing = [one for one in gap.quantities if _differs(one)][:_NAMED]
    most = "; ".join(
        f"{one.asked.label.lower()} ({ours} median {_number(one.hospital.median)}, {known} "
        f"{_number(one.reference.median)}, AUC {text(one.auc, 2)})"
        for one in differing
    )
    told.append(f"Of what the gate asks, these differ most: {most}." if most else "Of what the gate asks, nothing differs.")
    told += [_refused(refusals, name) for refusals, name in zip(gap.refusals, gap.names, strict=True)]
    told += [
        "This page compares pictures and knows no truth, so it is no evidence of accuracy: that two sets can be told apart does "
        "not show that the networks err, nor does it show that they are right where the sets are alike. Only an evaluation "
        "against the DXA of the same patients tells.",
    ]
    return told


def _refused(refusals: Refusals, name: str) -> str:
    refused, unread = sum(refusals.hips_refused.values()), sum(refusals.unread.values())
    share = f" ({refused / refusals.hips:.0%})" if refusals.hips else ""
    sentence = f"Of the {refusals.hips} hips found on {refusals.seen} {name} radiographs, {refused}{share} would be refused"
    sentence += f": {_codes(refusals.hips_refused)}." if refused else "."
    return f"{sentence} {unread} more radiographs got no further: {_codes(refusals.unread)}." if unread else sentence


def _refusal_rows(refusals: tuple[Refusals, Refusals]) -> list[str]:
    rows: dict[str, list[str]] = {
        "Radiographs looked at": [str(one.radiographs) for one in refusals],
        "refused by header, reader or scale": [_count(one.unread) for one in refusals],
        "seen by the networks": [str(one.seen) for one in refusals],
        "refused of those seen": [_count(one.refused) for one in refusals],
        "Pixel size from": [_codes(one.scales) or "-" for one in refusals],
        "Hips found": [str(one.hips) for one in refusals],
        "refused of those found": [_count(one.hips_refused) for one in refusals],
        "Sides that show no hip": [str(one.sides_without) for one in refusals],
    }
    return [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]


def _quantity_table(gap: Gap) -> list[str]:
    ours, known = gap.names
    lines = [
        "Median (5th to 95th percentile) of hips found and radiographs seen. AUC: how often a value of the "
        f"{ours} set is higher than one of the {known} set; 0.5 is alike, 0 and 1 are apart; 95% interval by a bootstrap of "
        "patients. KS: Kolmogorov-Smirnov statistic, 0 is alike. Beyond: share beyond the gate's limits. What differs most comes "
        "first.",
        "",
        f"| Quantity | Limits | {ours} | {known} | AUC | KS | Beyond: {ours} | {known} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in gap.quantities:
        of = "" if one.asked.quantity.of is Of.BONE else f", of the {_bearer(one)}"
        bounds = ", ".join(f"{bound:g}" for bound in one.asked.bounds) or "-"
        auc = f"{text(one.auc, 2)} ({text(one.auc_ci95[0], 2)} to {text(one.auc_ci95[1], 2)})"
        lines.append(
            f"| {one.asked.label}{of} | {bounds} | {_spread(one.hospital)} | {_spread(one.reference)} | {auc} "
            f"| {text(one.ks, 2)} | {_share(one.hospital)} | {_share(one.reference)} |"
        )
    return lines


def _feature_table(gap: Gap) -> list[str]:
    ours, known = gap.names
    lines = [
        "The distance is Fréchet's, between normal distributions of the features on principal components of both sets "
        "(median, and 5th to 95th percentile, of 100 draws of equally many patients); beside it that of two halves of the "
        f"{known} ones. The AUC is of a linear classifier that tells both sets apart, cross-validated by patient.",
        "",
        f"| Features of | {ours} / {known} | Components (variance) | Patients drawn | Distance | Of halves | Ratio | AUC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in gap.features:
        low, high = one.auc_ci95
        lines.append(
            f"| {one.level} | {one.hospital} / {one.reference} | {one.components} ({text(100 * one.explained, 0)}%) "
            f"| {one.patients} | {_interval(one.distance, one.distance_range)} | {_interval(one.yardstick, one.yardstick_range)} "
            f"| {text(one.ratio, 1)} | {text(one.auc, 2)} ({text(low, 2)} to {text(high, 2)}) |"
        )
    return lines


def _bearer(one: QuantityGap) -> str:
    """What has the quantity, for people."""
    return HIP.name if one.asked.quantity.of is Of.BONE else str(one.asked.quantity.of)


def _verdict(auc: float) -> str:
    return next(words for least, words in _WORDS if auc - 0.5 >= least or not least)


def _differs(one: QuantityGap) -> bool:
    """Whether the interval of the AUC does not hold 0.5."""
    low, high = one.auc_ci95
    return math.isfinite(one.auc) and not low <= 0.5 <= high


def _codes(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in counts.items())


def _count(counts: Mapping[str, int]) -> str:
    return f"{sum(counts.values())}{': ' + _codes(counts) if counts else ''}"


def _number(value: float) -> str:
    """With three significant digits, of small ones four decimals; a dash where there is none."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.3g}" if value == 0 or abs(value) >= 0.001 else f"{value:.4f}"


def _spread(found: Distribution) -> str:
    return f"{_number(found.median)} ({_number(found.p5)} to {_number(found.p95)}), n = {found.count}"


def _share(found: Distribution) -> str:
    return f"{found.beyond:.0%}" if math.isfinite(found.beyond) else "-"


def _interval(value: float, ends: tuple[float, float]) -> str:
    return f"{text(value, 1)} ({text(ends[0], 1)} to {text(ends[1], 1)})"
