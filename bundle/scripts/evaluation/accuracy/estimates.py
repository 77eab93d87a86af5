"""estimates.csv: what was estimated of each hip beside its DXA, one row a hip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.clinical import Reference
from scripts.clinical.anatomy import HIP
from scripts.evaluation.accuracy.cases import Case, HipCase
from scripts.files import write_table

_IDENTITY: Final = ("name", "file", "site", "side", "code")
_DECIMALS: Final = {
    "dxa_g_cm2": 4,
    "bmd_g_cm2": 4,
    "bmd_low_g_cm2": 4,
    "bmd_high_g_cm2": 4,
    "bmd_error_g_cm2": 4,
    "dxa_t_score": 2,
    "t_score": 2,
    "t_low": 2,
    "t_high": 2,
    "t_error": 2,
}
"""Of the numbers of each region, whose name stands before them."""

COLUMNS: Final = (*_IDENTITY, *(f"{region}_{column}" for region in HIP.sites for column in _DECIMALS))


def write_estimates(
    cases: Sequence[Case], files: Mapping[str, str], reference: Reference, sex_specific: bool, path: Path
) -> None:
    """Write both hips of every radiograph, measured or refused, with DXA or without; what is unknown is empty.

    Args:
        cases: of the radiographs.
        files: their paths in the folder evaluated, by name.
        reference: young adults, for the T-score of DXA.
        sex_specific: whether that of a man is from young men.
        path: of the table.
    """
    rows = (
        {
            "name": case.name,
            "file": files[case.name],
            "site": case.site,
            "side": hip.side,
            "code": hip.code,
            **_numbers(hip, reference, "M" if sex_specific and case.covariates[1] == 1 else "F"),
        }
        for case in cases
        for hip in case.hips
    )
    write_table(path, COLUMNS, rows)


def _numbers(hip: HipCase, reference: Reference, sex: str) -> dict[str, str]:
    """The cells of both regions; an error is the estimate less DXA."""
    cells = {}
    for region in HIP.sites:
        dxa, bmd = hip.dxa[region], hip.bmd[region]
        t_score, t_low, t_high = hip.t_scores.get(region, (math.nan,) * 3)
        dxa_t = reference.t_score(dxa, region, sex)
        numbers = (dxa, bmd, hip.low[region], hip.high[region], bmd - dxa, dxa_t, t_score, t_low, t_high, t_score - dxa_t)
        for (column, decimals), number in zip(_DECIMALS.items(), numbers, strict=True):
            cells[f"{region}_{column}"] = "" if math.isnan(number) else f"{number:.{decimals}f}"
    return cells
