"""The page, the table, the JSON file and the figure of what bone holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from scripts.clinical.anatomy import HIP
from scripts.files import replacing, write_table
from scripts.simulation.compartments.hip import MEASURES
from scripts.simulation.compartments.published import Published, load_published, load_sources
from scripts.simulation.compartments.relations import PEOPLE, SETS, TOGETHER, Relation, Worth

_COLOURS: Final = {"all": "#333333", "women": "#c0392b", "men": "#1f4e79"}
_COLUMNS: Final = (
    "what", "unit", "site", "people", "count", "mean", "sd", "r", "low", "high", "published_low", "published_high",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """What was found of some simulated people.

    ``settings`` are those of the command; ``described``, mean and SD of each measure by people; ``relations`` of the measures and
    of sets of them with aBMD; ``shares``, mean and SD of the cortex's part of aBMD, by site and people; ``worths`` of the
    compartments; ``together``, correlations of compartments with one another.
    """

    settings: Mapping[str, int]
    described: Mapping[str, Mapping[str, tuple[float, float]]]
    relations: Sequence[Relation]
    shares: Mapping[str, Mapping[str, tuple[float, float]]]
    worths: Sequence[Worth]
    together: pd.DataFrame

    def relation(self, what: str, site: str, people: str) -> Relation:
        """Return that of a measure or a set."""
        return next(one for one in self.relations if (one.what, one.site, one.people) == (what, site, people))


def write_study(study: Study, folder: Path) -> Path:
    """Write ``compartments.md``, ``.csv``, ``.json`` and ``.png`` into a folder and return the path of the page."""
    published = load_published()
    write_table(folder / "compartments.csv", _COLUMNS, (_row(study, one, published) for one in study.relations))
    with replacing(folder / "compartments.json") as temporary:
        temporary.write_text(json.dumps(_document(study, published), indent=2) + "\n", encoding="utf-8")
    with replacing(folder / "compartments.png") as temporary:
        _figure(study, published).savefig(temporary, dpi=110)
    page = folder / "compartments.md"
    with replacing(page) as temporary:
        temporary.write_text(_page(study, published), encoding="utf-8")
    return page


def _row(study: Study, one: Relation, published: Mapping[str, Published]) -> dict[str, Any]:
    mean, sd = study.described.get(one.what, {}).get(one.people, (math.nan, math.nan))
    bounds = published.get(one.what, Published()).bounds if one.site == "total" else (math.nan, math.nan)
    unit = MEASURES[one.what].unit if one.what in MEASURES else ""
    row = asdict(one) | {"unit": unit, "mean": mean, "sd": sd, "published_low": bounds[0], "published_high": bounds[1]}
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}


def _document(study: Study, published: Mapping[str, Published]) -> dict[str, Any]:
    document = {
        "data": "simulated",
        "settings": dict(study.settings),
        "described": study.described,
        "relations": [asdict(one) for one in study.relations],
        "cortical_shares": study.shares,
        "worths": [asdict(worth) for worth in study.worths],
        "together": study.together.to_dict(),
        "published": {name: asdict(known) for name, known in published.items()},
        "sources": load_sources(),
    }
    return {name: _rounded(value) for name, value in document.items()}


def _rounded(value: Any) -> Any:
    """A value as JSON can hold it: five decimals, None for NaN."""
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value


def _page(study: Study, published: Mapping[str, Published]) -> str:
    parts = [
        "# What bone holds (simulated)",
        f"{study.settings['people']} simulated people of 50 years and older, seed {study.settings['seed']}: the right hip "
        "without disease, its shape and mineral as they are, no radiograph. r is Pearson's, in brackets its 95% interval. What "
        "is published is of patients; numbers in square brackets are the references of docs/simulation.md.",
        "## With aBMD",
        _measures_table(study, published),
        "All measures of some kinds together, by ridge regression in 10-fold cross-validation; below 0, they tell nothing:",
        _sets_table(study, published),
        "## By compartment",
        "Part of the aBMD that is in the cortex, and what one SD of a compartment is worth with all else as it is:",
        _shares_table(study),
        _worths_table(study),
        "Among people of one sex, r of the compartments with one another:",
        _together_table(study.together),
        "## References",
        "\n".join(f"{number}. {text}" for number, text in sorted(load_sources().items())),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _measures_table(study: Study, published: Mapping[str, Published]) -> str:
    rows = []
    for name, measure in MEASURES.items():
        spreads = [_spread(*study.described[name][people], measure.decimals) for people in ("women", "men")]
        total = study.relation(name, "total", "all")
        others = [
            _r(study.relation(name, site, people)) for site, people in (("total", "women"), ("total", "men"), ("neck", "all"))
        ]
        label = f"{measure.label}, {measure.unit}" if measure.unit else measure.label
        rows.append([label, *spreads, _with_interval(total), *others, published.get(name, Published()).told() or "-"])
    head = ("", "Women", "Men", "Total hip, all: r", "women", "men", "Neck, all: r", "Published r with hip aBMD")
    return _table(head, rows)


def _sets_table(study: Study, published: Mapping[str, Published]) -> str:
    rows = []
    for name in SETS:
        found = [_with_interval(study.relation(name, "total", people)) for people in PEOPLE]
        rows.append([name, *found, _r(study.relation(name, "neck", "all")), published.get(name, Published()).told() or "-"])
    return _table(("", "Total hip, all: r", "women", "men", "Neck, all: r", "Published r with hip aBMD"), rows)


def _shares_table(study: Study) -> str:
    rows = [
        [
            HIP.site_names[site],
            *(_spread(100 * mean, 100 * sd, 0) for mean, sd in (study.shares[site][people] for people in PEOPLE)),
        ]
        for site in HIP.sites
    ]
    return _table(("In the cortex, %", *PEOPLE), rows)


def _worths_table(study: Study) -> str:
    rows = [
        [
            MEASURES[worth.compartment].label,
            f"{worth.sd:.0f}",
            f"{worth.sd_of_one_bmd:.0f}",
            f"{worth.neck:+z.1f}",
            f"{worth.total:+z.1f}",
        ]
        for worth in study.worths
    ]
    head = ("", "SD in one sex, %", "SD at one sex and aBMD, %", "worth at the neck, %", "at the total hip, %")
    return _table(head, rows)


def _together_table(together: pd.DataFrame) -> str:
    names = [MEASURES[name].label if name in MEASURES else "age" for name in TOGETHER]
    rows = [
        [name, *("" if column > row else f"{together.iloc[row, column]:z.2f}" for column in range(row))]
        for row, name in enumerate(names)
        if row
    ]
    return _table(("", *names[:-1]), [[*cells, *[""] * (len(names) - len(cells))] for cells in rows])


def _spread(mean: float, sd: float, decimals: int) -> str:
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def _r(one: Relation) -> str:
    return "-" if math.isnan(one.r) else f"{one.r:z.2f}"


def _with_interval(one: Relation) -> str:
    return "-" if math.isnan(one.r) else f"{one.r:z.2f} ({one.low:z.2f} to {one.high:z.2f})"


def _figure(study: Study, published: Mapping[str, Published]) -> Figure:
    figure = Figure(figsize=(13.0, 8.5), layout="constrained")
    figure.suptitle(f"What bone holds: {study.settings['people']} simulated people of 50 years and older")
    panels = figure.subplot_mosaic([["relations", "worths"], ["relations", "shares"]], width_ratios=(1.5, 1.0))
    _draw_relations(panels["relations"], study, published)
    _draw_worths(panels["worths"], study)
    _draw_shares(panels["shares"], study)
    return figure


def _draw_relations(axes: Any, study: Study, published: Mapping[str, Published]) -> None:
    """r of each measure and set with total-hip aBMD, and what is published."""
    names = [*MEASURES, *SETS]
    bounds = {row: published.get(name, Published()).bounds for row, name in enumerate(names)}
    known = {row: ends for row, ends in bounds.items() if math.isfinite(ends[0])}
    axes.barh(list(known), [high - low for low, high in known.values()], left=[low for low, _ in known.values()], height=0.7,
              color="#f39c12", alpha=0.4, label="published")  # fmt: skip
    for shift, (people, colour) in zip((-0.22, 0.0, 0.22), _COLOURS.items(), strict=True):
        found = [study.relation(name, "total", people) for name in names]
        errors = [[one.r - one.low for one in found], [one.high - one.r for one in found]]
        places = [row + shift for row in range(len(names))]
        axes.errorbar(
            [one.r for one in found], places, xerr=errors, fmt="o", markersize=3, linewidth=0.8, color=colour, label=people
        )
    axes.axvline(0, color="#999999", linewidth=0.8)
    labels = [MEASURES[name].label if name in MEASURES else f"{name}, together" for name in names]
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.set(xlim=(-0.8, 1), ylim=(len(names) - 0.4, -0.6), xlabel="r with total-hip aBMD")
    axes.legend(fontsize=8)


def _draw_worths(axes: Any, study: Study) -> None:
    """What one SD of each compartment is worth."""
    for shift, site in zip((-0.18, 0.18), HIP.sites, strict=True):
        places = [row + shift for row in range(len(study.worths))]
        axes.barh(places, [getattr(worth, site) for worth in study.worths], height=0.34, label=HIP.site_names[site])
    axes.set_yticks(range(len(study.worths)), [MEASURES[worth.compartment].label for worth in study.worths], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="One SD more of it, all else as it is: aBMD, %")
    axes.legend(fontsize=8)


def _draw_shares(axes: Any, study: Study) -> None:
    """The cortex's part of aBMD, mean and SD."""
    for shift, (people, colour) in zip((-0.25, 0.0, 0.25), _COLOURS.items(), strict=True):
        means, sds = zip(*(study.shares[site][people] for site in HIP.sites), strict=True)
        places = [row + shift for row in range(len(HIP.sites))]
        axes.barh(places, [100 * mean for mean in means], xerr=[100 * sd for sd in sds], height=0.22, color=colour, label=people)
    axes.set_yticks(range(len(HIP.sites)), [HIP.site_names[site] for site in HIP.sites], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="In the cortex: % of aBMD, mean and SD")
    axes.legend(fontsize=8, loc="lower left")
