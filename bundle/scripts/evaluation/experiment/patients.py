"""Whom the experiment learns from and is judged on: what the screen finds on every radiograph, beside DXA."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from scripts.clinical import load_criteria, load_reference
from scripts.clinical.anatomy import COVARIATES
from scripts.dataset.manifest import SPLITS
from scripts.dataset.truth import is_osteoporosis, read_truth
from scripts.evaluation.looking import look_at
from scripts.files import replacing
from scripts.measurement.outline import Outline
from scripts.measurement.radiomics.hip import HIP_NAMES, hip_radiomics
from scripts.screening import RadiographFindings, Screen
from scripts.screening.explanation import told_of

Floats = NDArray[np.float64]

MEASURES: Final = {"cortical_thickness_index": "Cortical thickness index", "singh_grade": "Singh-like grade"}
"""Single measures that are compared too: of the worse hip, the lower the worse."""
TRAINING: Final = "train"
VALIDATION: Final = "validation"
_DIGITS: Final = 7


@dataclass(frozen=True)
class Patients:
    """Radiographs with an answer of the screen and DXA, one row each.

    name, patient: pseudonyms of both. split, site: of the manifest. first: whether it is its
    patient's first. positive: osteoporosis by DXA of the hips. covariates: (N, 4) `COVARIATES`, NaN = unknown. radiomics:
    (N, 2, 990) of each hip, NaN where it was not measured. measures: (N,) of each of `MEASURES`. valid: (N, 2). left_out: by
    reason, how many radiographs are not among them.
    """

    name: NDArray[np.str_]
    patient: NDArray[np.str_]
    split: NDArray[np.str_]
    site: NDArray[np.str_]
    first: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    covariates: Floats
    radiomics: Floats
    measures: Mapping[str, Floats]
    valid: Floats
    left_out: Mapping[str, int]

    def of(self, chosen: NDArray[np.bool_]) -> Patients:
        """Some of them, (N,)."""
        rows = {name: getattr(self, name)[chosen] for name in self.__dataclass_fields__ if name not in ("measures", "left_out")}
        return replace(self, **rows, measures={name: values[chosen] for name, values in self.measures.items()})

    @property
    def validating(self) -> NDArray[np.bool_]:
        """(N,), those to validate on, each patient once."""
        return np.asarray((self.split == VALIDATION) & self.first)

    @property
    def hand_made(self) -> dict[str, Floats]:
        """By group, features that no network gives: "clinical" (N, 4), "radiomics" (N, 1980), see `in_no_order`."""
        return {"clinical": self.covariates, "radiomics": in_no_order(self.radiomics)}

    @property
    def bmi(self) -> Floats:
        """kg/m²; NaN = unknown."""
        weight, height = (self.covariates[:, COVARIATES.index(name)] for name in ("weight_kg", "height_cm"))
        return np.asarray(weight / (height / 100) ** 2)


def in_no_order(hips: Floats) -> Floats:
    """Features of both hips (N, 2, F), NaN = unknown, as (N, 2 F): the mean of those known; the difference, 0 of one alone."""
    known = np.isfinite(hips)
    some = known.any(axis=1)
    mean = np.where(some, np.where(known, hips, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan)
    apart = np.where(known.all(axis=1), np.abs(hips[:, 0] - hips[:, 1]), 0.0)
    return np.hstack((mean, np.where(some, apart, np.nan)))


def eligible(radiographs: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The radiographs that can be compared, by name: those with DXA of a hip and a split.

    Args:
        radiographs: items of `scripts.dataset.studies.sort_studies`.

    Raises:
        ValueError: where a patient stands in several splits, or two radiographs of one day and one mineral in both classes; where
            a class is empty among those to learn from or to validate on, or nobody is there to judge on.
    """
    reference, criteria = load_reference(), load_criteria()
    items, splits, labels = {}, dict[str, set[str]](), dict[tuple[Any, ...], tuple[bool, str]]()
    kinds = {split: {True: set[str](), False: set[str]()} for split in SPLITS}
    for item in radiographs:
        truth, patient = read_truth(item), str(item["patient"])
        lowest = truth.lowest_t_score(reference)
        if not truth.split or math.isnan(lowest):
            continue
        positive, file = is_osteoporosis(lowest, criteria), Path(item["image"]).name
        items[str(item["name"])] = item
        splits.setdefault(patient, set()).add(truth.split)
        kinds[truth.split][positive].add(patient)
        before, other = labels.setdefault((patient, item["date"], truth.mineral), (positive, file))
        if before != positive:
            raise ValueError(
                f"manifest.csv: {other} and {file} show one patient on one day, and by their DXA results one has osteoporosis "
                "and the other has not; expected the same results in both rows. Nothing was trained."
            )
    if several := sum(len(of) > 1 for of in splits.values()):
        raise ValueError(
            f"manifest.csv, column split: {several} patients stand in more than one split; expected all radiographs of a patient "
            "in one, since who is learnt from must not judge. Nothing was trained."
        )
    for split, fewest in ((TRAINING, 2), (VALIDATION, 1)):
        counts = {kind: len(of) for kind, of in kinds[split].items()}
        if min(counts.values()) < fewest:
            raise ValueError(
                f"manifest.csv: of split {split} {counts[True]} patients with DXA have osteoporosis, and {counts[False]} have "
                f"not; expected {fewest} of each at least. Nothing was trained."
            )
    if not any(of for split in ("test", "external") for of in kinds[split].values()):
        raise ValueError("manifest.csv, column split: nobody with DXA is of test or external, to judge on. Nothing was trained.")
    return items


def look_at_patients(
    radiographs: Sequence[Mapping[str, Any]],
    screen: Screen,
    output_dir: str,
    provenance: Mapping[str, Any],
    free: Collection[str],
) -> Patients:
    """Screen every radiograph that can be compared, by itself; what is finished is not done again.

    Args:
        radiographs: items of `scripts.dataset.studies.sort_studies`.
        screen: of `inference.yaml`.
        output_dir: where the journal, and the crops of the hips for the networks, are kept.
        provenance: plain data on what makes the results.
        free: settings of the command line that change nothing of what is seen.

    Raises:
        ValueError: see `eligible`; where no hip is measured, or the journal is of other settings.
    """
    items = eligible(radiographs)
    crops = Path(output_dir) / "crops"
    crops.mkdir(exist_ok=True)

    def observe(found: RadiographFindings, item: Mapping[str, Any]) -> dict[str, Any]:
        return _observe(found, crops / f"{item['name']}.pt")

    seen = look_at(items, screen, Path(output_dir) / "experiment.jsonl", provenance, observe, free)
    reference, criteria, rows, first = load_reference(), load_criteria(), [], set[str]()
    for name, found in seen.items():
        if not any(found["valid"]):
            continue
        truth, patient = read_truth(items[name]), str(items[name]["patient"])
        rows.append({
            "name": name, "patient": patient, "split": truth.split, "site": truth.site, "first": patient not in first,
            "positive": is_osteoporosis(truth.lowest_t_score(reference), criteria),
            **{key: np.array(found[key], dtype=float) for key in ("covariates", "radiomics", "valid")},
            "measures": found["measures"],
        })  # fmt: skip
        first.add(patient)
    if not rows:
        raise ValueError(f"No hip of the {len(items)} radiographs with DXA and a split was measured. Nothing was compared.")
    columns: dict[str, Any] = {key: np.array([row[key] for row in rows]) for key in rows[0] if key != "measures"}
    measures = {key: np.array([row["measures"][key] for row in rows], dtype=float) for key in MEASURES}
    counts = {
        "without DXA of a hip or a split": len(radiographs) - len(items),
        "without a hip that is measured": len(items) - len(rows),
    }
    return Patients(**columns, measures=measures, left_out=counts)


def deep_features(network: torch.nn.Module, names: Sequence[str], folder: Path) -> tuple[Floats, Floats]:
    """What a classifier sees in radiographs, and what it says.

    Args:
        network: a `scripts.networks.SiameseNetwork`.
        names: of the radiographs.
        folder: `crops` of `look_at_patients`.

    Returns:
        deep features (N, F); probability of osteoporosis (N,).

    Raises:
        FileNotFoundError: where a radiograph's crops are gone.
    """
    deep, said = [], []
    network.eval()
    with torch.no_grad():
        for name in names:
            told = torch.load(folder / f"{name}.pt", weights_only=True)
            found = network(**{key: value.float() for key, value in told.items()})
            deep.append(found["deep"][0].double().numpy())
            said.append(float(torch.sigmoid(found["logit"][0, 0])))
    return np.array(deep), np.array(said)


def _observe(found: RadiographFindings, crops: Path) -> dict[str, Any]:
    """Plain numbers of both hips; what the networks see of them goes to a file."""
    seen = found.seen
    if seen is None:
        return {"valid": [0.0, 0.0]}
    good = [float(hip.reason is None) for hip in seen.screening.hips]
    if any(good):
        told = told_of(seen)
        halved = {key: told[key].half() for key in ("crops", "around")}
        with replacing(crops) as temporary:
            torch.save({**told, **halved}, temporary)
    outline = Outline(torch.sigmoid(seen.prediction["mask_logits"][0]).numpy(), tuple(seen.image.meta["spacing_mm"]))
    radiomics = [
        hip_radiomics(seen.image[0].numpy(), outline, geometry) if measured else np.full(len(HIP_NAMES), np.nan)
        for measured, geometry in zip(good, seen.geometry, strict=True)
    ]
    measures = {name: _worse([hip.values.get(name, math.nan) for hip in seen.screening.hips]) for name in MEASURES}
    return {
        "valid": good,
        "covariates": [_plain(value) for value in seen.covariates.tolist()],
        "radiomics": [[_plain(value) for value in hip] for hip in radiomics],
        "measures": {name: _plain(value) for name, value in measures.items()},
    }


def _worse(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return min(known, default=math.nan)


def _plain(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
