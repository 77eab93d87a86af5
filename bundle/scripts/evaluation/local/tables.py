"""The tables that the commands print: a site's agreement with DXA, once and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.clinical.anatomy import HIP
from scripts.evaluation.accuracy.tables import text
from scripts.evaluation.local.agreement import Agreement, Interval


def format_agreement(columns: Sequence[str], sites: Mapping[str, Sequence[Agreement]]) -> str:
    """A table in Markdown, with a row for each figure of each site.

    Args:
        columns: what heads each agreement, such as "before" and "after".
        sites: by name, as many agreements as there are columns.
    """
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for site, found in sites.items():
        name = HIP.site_names[site].capitalize()
        figures = {
            "patients, hips": [f"{one.patients}, {one.hips}" for one in found],
            "estimate - DXA, g/cm²": [_with_interval(one.bias, one.bias_ci95) for one in found],
            "slope of DXA on the estimate": [_with_interval(one.slope, one.slope_ci95) for one in found],
            "mean absolute error, g/cm²": [text(one.mae, 4) for one in found],
            "root mean square error, g/cm²": [text(one.rmse, 4) for one in found],
            "coverage of the intervals": [_with_interval(one.coverage, one.coverage_ci95) for one in found],
        }
        lines += [f"| {name}: {label} | {' | '.join(cells)} |" for label, cells in figures.items()]
    return "\n".join(lines)


def _with_interval(value: float, interval: Interval) -> str:
    return f"{text(value)} ({text(interval[0])} to {text(interval[1])})"
