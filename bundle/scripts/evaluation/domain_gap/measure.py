"""The command that tells how far a hospital's radiographs are from those that the networks were trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from scripts.clinical import Limits, load_gate
from scripts.dataset.studies import spread_evenly
from scripts.evaluation.accuracy.metrics import data_kind
from scripts.evaluation.domain_gap.asked import ask
from scripts.evaluation.domain_gap.features import FeatureSet, compare_features, of_hips, of_radiographs
from scripts.evaluation.domain_gap.figures import draw_distributions, draw_feature_map
from scripts.evaluation.domain_gap.neighbours import draw_neighbours, place_hips
from scripts.evaluation.domain_gap.observations import Observation, from_entry, observe, to_entry
from scripts.evaluation.domain_gap.quantities import compare_quantity
from scripts.evaluation.domain_gap.refusals import Refusals
from scripts.evaluation.domain_gap.tables import COLUMNS, Gap, format_page, make_document, table_rows
from scripts.evaluation.looking import look_at
from scripts.files import replacing, write_table
from scripts.radiograph import REFUSAL
from scripts.screening import RadiographFindings, Screen

FEWEST: Final = 10
"""Radiographs of either set that the networks must have seen."""
JOURNAL: Final = "observations.jsonl"

_RESAMPLES: Final = 1000
_LEVELS: Final = {"radiograph": of_radiographs, "hip": of_hips}
_NO_SETTINGS: Final = ("sample", "reference_sample")
"""What may change from one call to the next that goes on with it."""

Items = Sequence[Mapping[str, Any]]
Sets = tuple[list[Observation], list[Observation]]


def measure_domain_gap(
    radiographs: Items,
    reference: Items,
    screen: Screen,
    output_dir: str,
    provenance: Mapping[str, Any],
    notice: str,
    sample: int = 200,
    reference_sample: int = 200,
    seed: int = 0,
) -> Gap:
    """Screen both sets, and write domain_gap.md, .csv and .json and its figures.

    What was seen of each radiograph is kept in observations.jsonl as soon as it is finished: the same call goes on where it was
    stopped.

    Args:
        radiographs: the hospital's, items of `scripts.dataset.studies.sort_studies`.
        reference: those to compare with, such as a simulated cohort; items as well.
        screen: of `inference.yaml`.
        output_dir: where to; it must exist.
        provenance: plain data on what made the results.
        notice: the sentence that every result carries.
        sample, reference_sample: of either set, how many at most, evenly over the folder. Those that the header alone refuses do
            not count.
        seed: of the draws and the bootstrap.

    Raises:
        ValueError: when a sample is below `FEWEST`, the networks saw fewer radiographs of a set, or output_dir holds observations
            of other settings.
        BusyError: when another run writes to output_dir.
    """
    for name, count in (("sample", sample), ("reference_sample", reference_sample)):
        if not isinstance(count, int) or count < FEWEST:
            raise ValueError(f"{name} is {count!r}; expected a whole number of at least {FEWEST}. Nothing was run.")
    chosen = {"hospital": _sampled(radiographs, sample), "reference": _sampled(reference, reference_sample)}
    hospital, known = _observe(chosen, screen, Path(output_dir), provenance)
    for name, option, seen in (("hospital", "dataset_dir", hospital), ("reference", "reference_dir", known)):
        if (count := sum(one.seen for one in seen)) < FEWEST:
            codes = Refusals.of(seen).unread
            raise ValueError(
                f"--{option}: the networks could look at {count} of the {len(seen)} {name} radiographs"
                f"{' (' + ', '.join(f'{code} {of}' for code, of in codes.items()) + ')' if codes else ''}; expected at least "
                f"{FEWEST} to compare. No report was written."
            )
    gate = screen.interpretation.gate or load_gate()
    names = _names(chosen["reference"])
    gap = compare(hospital, known, names, gate.limits, gate.notes, seed)
    written = _write(gap, (hospital, known), provenance, notice, Path(output_dir), reference_data=names[1])
    print((Path(output_dir) / "domain_gap.md").read_text(encoding="utf-8"))
    print(
        f"{len(hospital)} of {len(radiographs)} {names[0]} and {len(known)} of {len(reference)} {names[1]} radiographs; "
        f"written to {output_dir}: {', '.join(written)}; what was seen of each radiograph in {JOURNAL}."
    )
    return gap


def compare(
    hospital: Sequence[Observation],
    reference: Sequence[Observation],
    names: tuple[str, str],
    limits: Limits,
    notes: Sequence[str],
    seed: int,
    resamples: int = _RESAMPLES,
) -> Gap:
    """Compare what was seen of both sets.

    Args:
        hospital, reference: radiographs, those that could not be read included.
        names: what to call the two sets.
        limits: of the gate.
        notes: of the gate, on them.
        seed: of the draws and the bootstrap.
        resamples: of the bootstrap.
    """
    quantities = [compare_quantity(asked, hospital, reference, seed, resamples) for asked in ask(limits)]
    return Gap(
        names=names,
        refusals=(Refusals.of(hospital), Refusals.of(reference)),
        quantities=sorted(quantities, key=lambda one: -one.strength),
        features=[
            compare_features(level, of_set(hospital), of_set(reference), seed, resamples) for level, of_set in _LEVELS.items()
        ],
        placed=place_hips(hospital, reference),
        notes=notes,
    )


def _sampled(items: Items, count: int) -> list[dict[str, Any]]:
    """So many of those to be read, evenly over the folder, and all that the header alone refuses."""
    refused = [dict(item) for item in items if REFUSAL in item]
    return [*spread_evenly([dict(item) for item in items if REFUSAL not in item], count), *refused]


def _observe(chosen: Mapping[str, list[dict[str, Any]]], screen: Screen, folder: Path, provenance: Mapping[str, Any]) -> Sets:
    """Look at all of both sets, but for what the journal knows."""
    estimated = {name for head in screen.network.heads.values() for name in head.names}

    def keep(found: RadiographFindings, item: Mapping[str, Any]) -> dict[str, Any]:
        return to_entry(observe(found, str(item["patient"]), estimated))

    items = {f"{which} {item['name']}": item for which, of in chosen.items() for item in of}
    seen = look_at(items, screen, folder / JOURNAL, provenance, keep, free=_NO_SETTINGS)
    hospital, reference = ([from_entry(seen[f"{which} {item['name']}"]) for item in of] for which, of in chosen.items())
    return hospital, reference


def _names(reference: Items) -> tuple[str, str]:
    """What to call the two sets: the reference by its kind of data."""
    kind = data_kind(str(item.get("site", "")) for item in reference)
    return "hospital", kind if kind == "simulated" else f"reference ({kind})"


def _write(gap: Gap, sets: Sets, provenance: Mapping[str, Any], notice: str, folder: Path, reference_data: str) -> list[str]:
    """Write all files, and return their names."""
    figures = _figures(gap, sets)
    described = {
        "Every quantity that the gate asks for, in both sets": "domain_gap.png",
        "The networks' features of both sets": "features.png",
        "The least and the most typical hips, and what is nearest to them": "neighbours.png",
    }
    for name in described.values():
        (folder / name).unlink(missing_ok=True)  # of an earlier report
    for name, figure in figures.items():
        with replacing(folder / name) as temporary:
            figure.savefig(temporary, dpi=110)
    document = make_document(gap, {"notice": notice, "reference_data": reference_data, "provenance": dict(provenance)})
    with replacing(folder / "domain_gap.json") as temporary:
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    write_table(folder / "domain_gap.csv", COLUMNS, table_rows(gap))
    page = format_page(gap, notice, {what: name for what, name in described.items() if name in figures})
    with replacing(folder / "domain_gap.md") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return [f"domain_gap.{ending}" for ending in ("md", "csv", "json")] + list(figures)


def _figures(gap: Gap, sets: Sets) -> dict[str, Figure]:
    """By the names of their files; that of the neighbours only where there are any."""
    ours, known = gap.names
    title = f"{ours.capitalize()} and {known} radiographs"
    features: list[tuple[FeatureSet, FeatureSet]] = [(of_set(sets[0]), of_set(sets[1])) for of_set in _LEVELS.values()]
    figures = {
        "domain_gap.png": draw_distributions(gap.quantities, *sets, gap.names, f"{title}: what the gate asks"),
        "features.png": draw_feature_map(gap.features, features, gap.names, f"{title}: the networks' features"),
    }
    if gap.placed:
        title = f"{ours.capitalize()} hips (red), each with the {known} hips nearest to it; left hips are mirrored"
        figures["neighbours.png"] = draw_neighbours(gap.placed, title, known)
    return figures
