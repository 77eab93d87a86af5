"""How far each change of a radiograph can go before contours and landmarks suffer, where the truth is known."""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from monai.data import MetaTensor
from tqdm import tqdm

from scripts.clinical import HIP
from scripts.clinical.anatomy import NETWORK_SPACING_MM
from scripts.dataset.labels import LoadLabeld, LoadLandmarksd
from scripts.dataset.studies import spread_evenly
from scripts.dataset.truth import held_out_radiographs
from scripts.evaluation.accuracy.metrics import data_kind
from scripts.evaluation.accuracy.overlap import dice
from scripts.evaluation.accuracy.points import distances_mm
from scripts.evaluation.accuracy.tables import plain
from scripts.evaluation.robustness.perturbations import LabelledImage, Perturbation, choose_perturbations
from scripts.evaluation.robustness.tables import Step, write_robustness
from scripts.files import Journal
from scripts.radiograph import REFUSAL, Orientation
from scripts.screening import Screen

UNCHANGED: Final = "none"
JOURNAL: Final = "outcomes.jsonl"

Item = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What was found on one radiograph, changed in one way: femur ``dice`` (NaN where none is left on the radiograph),
    ``errors_mm`` of the landmarks of hips found, and of ``hips`` with a head on the radiograph, how many were ``missed``."""

    perturbation: str
    level: float
    dice: float
    errors_mm: tuple[float, ...]
    hips: int
    missed: int


def measure_robustness(
    radiographs: Sequence[Mapping[str, Any]],
    screen: Screen,
    output_dir: str,
    provenance: Mapping[str, Any],
    notice: str,
    sample: int = 40,
    split: str | None = None,
    seed: int = 0,
    changes: Sequence[str] | None = None,
) -> list[Step]:
    """Change radiographs step by step, run the cascade on each, and write robustness.json, .csv, .md and .png.

    Each radiograph's outcomes are kept in outcomes.jsonl as soon as it is finished: the same call goes on where it was stopped.

    Args:
        radiographs: items of `scripts.dataset.studies.sort_studies`, of a folder whose manifest gives masks.
        screen: of `inference.yaml`.
        output_dir: where to; it must exist.
        provenance: plain data on what made the results.
        notice: the sentence that every result carries.
        sample: of them, how many at most, evenly over the folder.
        split: as for `held_out_radiographs`.
        seed: of what is random about a change; the same for all steps of one radiograph and kind.
        changes: names of the `PERTURBATIONS` to apply; all for None.

    Raises:
        ValueError: when no radiograph has a mask, ``sample`` is below 1, a change has an unknown name, none can be read, a mask
            or landmark file is bad, or output_dir holds outcomes of other settings.
        BusyError: when another run writes to output_dir.
    """
    if not isinstance(sample, int) or sample < 1:
        raise ValueError(f"sample is {sample!r}; expected a whole number of at least 1. Nothing was run.")
    perturbations = choose_perturbations(changes)
    chosen = spread_evenly([item for item in held_out_radiographs(radiographs, split) if item.get("label")], sample)
    if not chosen:
        raise ValueError("None of the radiographs has a label; expected a manifest.csv that names masks. Nothing was run.")
    settings = {"seed": seed, "weights": provenance.get("weights", {}).get("sha256"), "perturbations": _described(perturbations)}
    with closing(Journal(Path(output_dir) / JOURNAL)) as journal:
        finished = {entry["name"]: _read(entry["outcomes"]) for entry in journal.resume(settings)}
        pending = [(number, item) for number, item in enumerate(chosen) if item["name"] not in finished]
        with tqdm(total=len(chosen), initial=len(chosen) - len(pending), desc="Radiographs", unit="", file=sys.stderr) as bar:
            for (number, truth), item in zip(pending, screen.reader([item for _, item in pending]), strict=True):
                outcomes = _outcomes(number, truth, item, screen, perturbations, seed)
                finished[truth["name"]] = outcomes
                journal.append({"name": truth["name"], "outcomes": [plain(asdict(outcome)) for outcome in outcomes]})
                bar.update()
    measured = [finished[item["name"]] for item in chosen if finished[item["name"]]]
    if not measured:
        raise ValueError(f"None of the {len(chosen)} radiographs could be read, with a pixel size. Nothing was measured.")
    steps = summarise_steps([outcome for outcomes in measured for outcome in outcomes], perturbations)
    data = data_kind(str(item.get("site", "")) for item in chosen)
    document = {"notice": notice, "data": data, "radiographs": len(measured), "provenance": dict(provenance)}
    written = write_robustness(steps, perturbations, document, Path(output_dir))
    left = len(chosen) - len(measured)
    print((Path(output_dir) / "robustness.md").read_text(encoding="utf-8"))
    print(
        f"{len(measured)} radiographs ({data}), {left} more could not be used, each changed in {len(steps) - 1} ways; written to "
        f"{output_dir}: {', '.join(written)}; each radiograph's outcomes in {JOURNAL}."
    )
    return steps


def summarise_steps(outcomes: Sequence[Outcome], perturbations: Sequence[Perturbation]) -> list[Step]:
    """The unchanged radiographs, then each kind's steps from weak to strong."""
    steps = [Step.of(UNCHANGED, 0.0, True, [found for found in outcomes if found.perturbation == UNCHANGED])]
    for kind in perturbations:
        for level in kind.levels:
            of_step = [found for found in outcomes if (found.perturbation, found.level) == (kind.name, level)]
            steps.append(Step.of(kind.name, level, level <= kind.hospital, of_step))
    return steps


def _outcomes(
    number: int,
    truth: Mapping[str, Any],
    item: Item,
    screen: Screen,
    perturbations: Sequence[Perturbation],
    seed: int,
) -> list[Outcome]:
    """All outcomes of one radiograph; none where it was refused, or its scale is unknown."""
    if REFUSAL in item or item["image"].meta["spacing_mm"] is None:
        return []
    labels: dict[Hashable, Any] = {"image": item["image"], "label": truth["label"], "landmarks": truth.get("landmarks") or ""}
    loaded = LoadLandmarksd(keys="landmarks")(LoadLabeld(keys="label")(labels))
    given = LabelledImage(
        np.asarray(item["image"][0], dtype=np.float32),
        np.asarray(loaded["label"][0], dtype=np.uint8),
        np.asarray(loaded["landmarks"], dtype=np.float64),
    )
    found = [_outcome(UNCHANGED, 0.0, given, item, screen)]
    for index, kind in enumerate(perturbations):
        for level in kind.levels:
            changed = kind(given, level, np.random.default_rng([seed, number, index]))
            found.append(_outcome(kind.name, level, changed, item, screen))
    return found


def _outcome(name: str, level: float, given: LabelledImage, item: Item, screen: Screen) -> Outcome:
    """Screen a changed radiograph as it were one that the hospital sent, already at the network's pixel size, and compare."""
    meta = {
        **item["image"].meta,
        "displayed_shape": given.image.shape,
        "resample_scale": (1.0, 1.0),
        "orientation": Orientation(),
    }
    image = MetaTensor(torch.from_numpy(np.ascontiguousarray(given.image))[None], meta=meta)
    seen = screen.see({**item, "image": image}).require()
    screening, points = seen.screening, np.asarray(seen.prediction["landmarks"], dtype=np.float64)
    errors: list[float] = []
    for index, hip in enumerate(screening.hips):
        if hip.shown:
            distances = distances_mm(points[index], given.landmarks[index], (NETWORK_SPACING_MM, NETWORK_SPACING_MM))
            errors += [round(float(distance), 3) for distance in distances if math.isfinite(distance)]
    heads = np.asarray(np.isfinite(given.landmarks[:, HIP.landmark("head_centre")]).all(axis=1))
    return Outcome(
        perturbation=name,
        level=level,
        dice=round(dice(seen.mask == 1, given.label == 1), 5),
        errors_mm=tuple(errors),
        hips=int(heads.sum()),
        missed=sum(bool(head) and not hip.shown for head, hip in zip(heads, screening.hips, strict=True)),
    )


def _described(perturbations: Sequence[Perturbation]) -> list[list[Any]]:
    return [[kind.name, list(kind.levels)] for kind in perturbations]


def _read(outcomes: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """What the journal keeps of one radiograph; it has null for NaN."""
    return [
        Outcome(**{**found, "dice": math.nan if found["dice"] is None else found["dice"], "errors_mm": tuple(found["errors_mm"])})
        for found in outcomes
    ]
