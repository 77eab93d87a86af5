"""The command that changes one thing at a time of simulated patients, and compares what the screen finds with what it should."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from scripts.evaluation.accuracy.tables import plain
from scripts.evaluation.interventions.changes import Kind, choose_kinds
from scripts.evaluation.interventions.effects import Effect, summarise_effects, summarise_reference
from scripts.evaluation.interventions.exam import draw_exam
from scripts.evaluation.interventions.observations import Observation, from_entry, observe
from scripts.evaluation.interventions.tables import write_interventions
from scripts.files import Journal, sha256
from scripts.screening import Screen
from scripts.simulation.production import check_whole, chosen_sites
from scripts.simulation.sites import SITES_FILE, Site

JOURNAL: Final = "observations.jsonl"


def measure_interventions(
    screen: Screen,
    output_dir: str,
    provenance: Mapping[str, Any],
    notice: str,
    patients: int = 20,
    seed: int = 0,
    changes: Sequence[str] | None = None,
    sites: Sequence[str] | None = None,
) -> list[Effect]:
    """Simulate patients, change one thing at a time, screen each radiograph, and write interventions.md, .csv, .json and .png.

    Each patient's observations are kept in observations.jsonl as soon as it is finished: the same call goes on where it was
    stopped, with more patients too.

    Args:
        screen: of `inference.yaml`.
        output_dir: where to; it must exist.
        provenance: plain data on what made the results.
        notice: the sentence that every result carries.
        patients: how many, at least 1.
        seed: of the patients, their radiographs and the bootstrap.
        changes: names of the `KINDS` to apply; all for None.
        sites: names of those to take patients from, in turn; for None those that are external to training.

    Raises:
        ValueError: when an argument is out of its range, a change or site has an unknown name, output_dir holds observations of
            other settings, or no reference radiograph was measured.
        BusyError: when another run writes to output_dir.
        OSError: a radiograph or a result cannot be written.
    """
    check_whole("patients", patients, 1)
    check_whole("seed", seed, 0)
    kinds = choose_kinds(changes)
    chosen = [site for site in chosen_sites(SITES_FILE, sites) if sites is not None or site.external]
    settings = {
        "seed": seed,
        "weights": provenance.get("weights", {}).get("sha256"),
        "calibration": (provenance.get("calibration") or {}).get("sha256"),
        "sites": [site.name for site in chosen],
        "sites_sha256": sha256(SITES_FILE),
        "changes": [[kind.name, [kind.told(level) for level in kind.levels]] for kind in kinds],
    }
    with closing(Journal(Path(output_dir) / JOURNAL)) as journal:
        observations = _observe_all(journal, settings, chosen, kinds, screen, patients)
    measured = {one.patient for one in observations if not one.code}
    if not measured:
        raise ValueError(
            f"None of the reference radiographs of {patients} patients gave a measurement to compare with; expected one or more. "
            "Name more --patients, which go on from there. No table was written."
        )
    effects = summarise_effects(observations, kinds, seed)
    names = [site.name for site in chosen]
    document = {
        "notice": notice,
        "data": "simulated",
        "patients": patients,
        "measured": len(measured),
        "sites": names,
        "provenance": dict(provenance),
    }
    written = write_interventions(effects, summarise_reference(observations), kinds, document, Path(output_dir))
    print((Path(output_dir) / "interventions.md").read_text(encoding="utf-8"))
    print(
        f"{patients} simulated patients, {patients - len(measured)} of whom could not be measured, each with "
        f"{sum(len(kind.levels) for kind in kinds)} changes; written to {output_dir}: {', '.join(written)}; what was found on "
        f"each radiograph in {JOURNAL}."
    )
    return effects


def _observe_all(
    journal: Journal, settings: Mapping[str, Any], sites: Sequence[Site], kinds: Sequence[Kind], screen: Screen, patients: int
) -> list[Observation]:
    """What the journal has of the patients, and what it lacks, which is entered."""
    finished = {entry["patient"]: list(map(from_entry, entry["observations"])) for entry in journal.resume(settings)}
    each = 1 + sum(len(kind.levels) for kind in kinds)
    pending = [index for index in range(patients) if index not in finished]
    done = each * (patients - len(pending))
    with tqdm(total=each * patients, initial=done, desc="Radiographs", unit="", file=sys.stderr) as bar:
        for place, index in enumerate(pending, 1):
            exam, found = draw_exam(index, settings["seed"], sites), list[Observation]()
            for hips in observe(exam, kinds, screen):
                found += hips
                bar.update()
            bar.update(done + each * place - bar.n)  # a patient that is not measured has no more
            journal.append({"patient": index, "observations": [plain(asdict(one)) for one in found]})
            finished[index] = found
    return [one for index in range(patients) for one in finished[index]]
