"""How well broken and deformed hips are told from fine ones, by kind and by how far the fragments are apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from scripts.evaluation.gate.radiographs import FINE, GateHip, GateRadiograph
from scripts.evaluation.statistics.discrimination import auc_delong
from scripts.files import write_table

SPECIFICITY: Final = 0.95
"""At which sensitivities are compared: so many fine hips must pass."""

_APART_MM: Final = (1.0, 3.0, 6.0, 12.0, math.inf)


@dataclass(frozen=True)
class FractureShare:
    """Of one group of broken or deformed hips that were found on radiographs of a good view.

    of: how many. auc: of the fracture probability against that of fine hips, with its 95% interval (DeLong). sensitivity: share
    above what `SPECIFICITY` of the fine hips stay below. refused: share that was not measured, for whatever reason.
    """

    group: str
    of: int
    auc: float
    ci95_low: float
    ci95_high: float
    sensitivity: float
    refused: float


def measure_fractures(radiographs: Sequence[GateRadiograph]) -> list[FractureShare]:
    """All visible fractures, each kind, each range of displacement, and deformities; none where no fine hip was found."""
    hips = [hip for one in radiographs for hip in one.hips if math.isfinite(_probability(hip)) and hip.code != "NO_FEMUR"]
    fine = np.array([_probability(hip) for hip in hips if hip.truth == FINE])
    if not len(fine):
        return []
    limit = float(np.quantile(fine, SPECIFICITY))
    return [_share(group, part, fine, limit) for group, part in _groups(hips) if part]


def write_fractures(shares: Sequence[FractureShare], path: Path) -> None:
    """Write one row a group."""
    write_table(path, [field.name for field in fields(FractureShare)], map(asdict, shares))


def format_fractures(shares: Sequence[FractureShare]) -> str:
    """The same as Markdown; empty where there is nothing to tell."""
    if not shares:
        return ""
    lines = [
        "## Broken and deformed hips",
        "",
        "The fracture probability of hips that were found, against that of fine ones. A fracture is one whose fragments are seen "
        f"to be 1 mm or more apart. Sensitivity is at a specificity of {SPECIFICITY:.0%}.",
        "",
        "| Group | Hips | AUC (95%) | Sensitivity | Refused, for whatever reason |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {share.group} | {share.of} | {share.auc:.3f} ({share.ci95_low:.3f} to {share.ci95_high:.3f}) "
        f"| {share.sensitivity:.0%} | {share.refused:.0%} |"
        for share in shares
    ]
    return "\n".join([*lines, ""])


def _groups(hips: Sequence[GateHip]) -> Iterator[tuple[str, list[GateHip]]]:
    broken = [hip for hip in hips if hip.truth == "fracture"]
    yield "fracture", broken
    for kind in sorted({hip.fracture for hip in broken}):
        yield kind, [hip for hip in broken if hip.fracture == kind]
    for low, high in pairwise(_APART_MM):
        name = f"{low:g} to {high:g} mm apart" if math.isfinite(high) else f"{low:g} mm apart and more"
        yield name, [hip for hip in broken if low <= hip.displacement_mm < high]
    yield "deformity", [hip for hip in hips if hip.truth == "deformity"]


def _share(group: str, part: Sequence[GateHip], fine: np.ndarray, limit: float) -> FractureShare:
    found = np.array([_probability(hip) for hip in part])
    auc = auc_delong(np.concatenate((found, fine)), np.arange(len(found) + len(fine)) < len(found))
    refused = float(np.mean([not hip.measured for hip in part]))
    return FractureShare(group, len(part), auc.value, *auc.interval, float((found > limit).mean()), refused)


def _probability(hip: GateHip) -> float:
    return hip.values["fracture_probability"]
