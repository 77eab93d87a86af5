"""Radiographs that the gate judged, beside what it should have said: read from folders of results and their manifests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from scripts.clinical import QUANTITIES, Limits, Of, load_gate
from scripts.clinical.anatomy import HIP
from scripts.dataset.labels import read_landmarks
from scripts.dataset.manifest import MANIFEST_NAME, find_manifest, read_manifest
from scripts.dataset.truth import TrueHip, Truth, read_truth

FINE: Final = "fine"
"""What a hip is that must be measured, and the kind of a radiograph that must be accepted."""

SLIGHT: Final = "slight"
"""What a hip is whose fracture or deformity a radiograph hardly tells: whether it is measured is neither right nor wrong."""


@dataclass(frozen=True)
class GateHip:
    """One hip.

    truth: `FINE`, "implant", "fracture", "deformity", `SLIGHT`, "cut off", "turned", or "" where it is not known or the
        radiograph is none of hips.
    measured: whether it was. code: why not, "" if it was. values: what the gate compared, by name; NaN where there is none.
    fracture: its true kind, "" for none. displacement_mm, rotation_deg: the true ones, NaN where unknown.
    """

    side: str
    truth: str
    measured: bool
    code: str
    values: Mapping[str, float]
    fracture: str = ""
    displacement_mm: float = math.nan
    rotation_deg: float = math.nan


@dataclass(frozen=True)
class GateRadiograph:
    """One radiograph.

    kind: `FINE` where at least one hip must be measured, else what it is. site: "" where unknown. accepted: whether a hip was
    measured. code: why none was, "" if one was. values: what the gate compared; NaN where the file was not read. turn_deg,
    tilt_deg: of the pelvis, the true ones, NaN where unknown.
    """

    file: str
    kind: str
    site: str
    accepted: bool
    code: str
    values: Mapping[str, float]
    hips: tuple[GateHip, ...]
    turn_deg: float = math.nan
    tilt_deg: float = math.nan

    @property
    def right(self) -> bool:
        """Whether the gate did what it should."""
        return self.accepted == (self.kind == FINE)


def read_valid(dataset_dir: str, results_dir: str, splits: Sequence[str]) -> list[GateRadiograph]:
    """Read a cohort of hips: valid are adults' AP views of a flat pelvis, with a hip that is fine.

    A fine hip is neither implanted nor broken, deformed, cut off or turned beyond the clinical limit. A radiograph without a
    fine hip that has a slight fracture or deformity is neither valid nor to be refused, and is left out.

    Args:
        dataset_dir: folder with a manifest that has landmarks, and `view`, `pelvic_turn_deg`, `<side>_implant`,
            `<side>_fracture`, `<side>_deformity` and `<side>_rotation_deg` where known.
        results_dir: what inference wrote about that folder.
        splits: of the manifest, those to take; "" is a radiograph without one.

    Raises:
        ValueError: where results or manifest are missing or do not belong together, or none is left.
    """
    entries = _manifest(dataset_dir)
    limits = load_gate().limits
    radiographs = []
    for file, record in _records(results_dir).items():
        entry = entries.get(Path(dataset_dir).absolute() / file)
        if entry is None:
            raise ValueError(f"{results_dir}: {file} has no row in the manifest of {dataset_dir}; nothing was evaluated.")
        shown = read_truth(entry)
        if shown.split not in splits:
            continue
        truths = _hip_truths(shown, limits)
        view = shown.view or "AP"
        if shown.age_years < limits.youngest_age_years:
            kind = f"under {limits.youngest_age_years:.0f}"
        elif view != "AP":
            kind = view
        elif abs(shown.pelvic_turn_deg) > limits.pelvic_turn_at_most_deg:
            kind = "turned pelvis"
        elif FINE in truths:
            kind = FINE
        elif SLIGHT in truths:
            continue
        else:
            kind = " and ".join(sorted(set(truths)))
        radiographs.append(_radiograph(file, record, kind, shown, truths if view == "AP" else ("", "")))
    if not radiographs:
        raise _none_left(results_dir, splits)
    return radiographs


def read_refusable(dataset_dir: str, results_dir: str, splits: Sequence[str]) -> list[GateRadiograph]:
    """Read radiographs that must all be refused.

    Args:
        dataset_dir: folder with a manifest that has `kind`; without a manifest, the sub-folder is the kind.
        results_dir: what inference wrote about that folder.
        splits: of the manifest, where it has that column.

    Raises:
        ValueError: as `read_valid`.
    """
    entries = _manifest(dataset_dir) if find_manifest(Path(dataset_dir)) else {}
    radiographs = []
    for file, record in _records(results_dir).items():
        entry = entries.get(Path(dataset_dir).absolute() / file, {})
        if entry.get("split", splits[0]) not in splits:
            continue
        folder = Path(file).parent.name
        shown = read_truth(entry)
        kind = shown.kind or folder or "other"
        radiographs.append(_radiograph(file, record, kind, shown, ("", "")))
    if not radiographs:
        raise _none_left(results_dir, splits)
    return radiographs


def weights_of(results_dir: str) -> str:
    """The SHA-256 of the weights that made some results."""
    return str(_document(results_dir)["provenance"]["weights"]["sha256"])


def check_same_weights(results_dir: str, other_dir: str) -> None:
    """Raise ValueError where two folders of results were made with different weights."""
    if weights_of(results_dir) != weights_of(other_dir):
        raise ValueError(
            f"{results_dir} and {other_dir} are results of different weights; expected the same. Nothing was evaluated."
        )


def _none_left(results_dir: str, splits: Sequence[str]) -> ValueError:
    named = ", ".join(split or "none" for split in splits)
    return ValueError(f"{results_dir}: no radiograph is in split {named}; expected some. Nothing was evaluated.")


def _document(results_dir: str) -> dict[str, Any]:
    path = Path(results_dir) / "results.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document["radiographs"], document["provenance"]["weights"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: no results can be read ({type(error).__name__}); expected those of inference.yaml. Nothing was evaluated."
        ) from error
    return document


def _records(results_dir: str) -> dict[str, dict[str, Any]]:
    return {str(record["file"]): record for record in _document(results_dir)["radiographs"]}


def _manifest(dataset_dir: str) -> dict[Path, dict[str, Any]]:
    folder = Path(dataset_dir).absolute()
    path = find_manifest(folder)
    if path is None:
        raise ValueError(
            f"{folder / MANIFEST_NAME}: there is no manifest; expected one that says what each file shows. Nothing was evaluated."
        )
    return read_manifest(path)


def _hip_truths(shown: Truth, limits: Limits) -> tuple[str, str]:
    points = read_landmarks(shown.landmarks) if shown.landmarks else np.full((2, 5, 2), np.nan)
    truths = []
    for index, hip in enumerate(shown.hips.values()):
        if hip.is_implanted:
            truths.append("implant")
        elif hip.looks_broken == 1:
            truths.append("fracture" if hip.is_broken else "deformity")
        elif math.isnan(hip.looks_broken) and (hip.is_broken or hip.deformity):
            truths.append(SLIGHT)
        elif not np.isfinite(points[index, : HIP.locating]).all():
            truths.append("cut off")
        else:
            turn = hip.rotation_deg
            flat = not (turn > limits.rotation_outward_at_most_deg or -turn > limits.rotation_inward_at_most_deg)
            truths.append(FINE if flat else "turned")
    return (truths[0], truths[1])


def _radiograph(file: str, record: Mapping[str, Any], kind: str, shown: Truth, truths: tuple[str, str]) -> GateRadiograph:
    hips = tuple(_hip(hip, truth, shown.hips[hip["side"]]) for hip, truth in zip(record["hips"], truths, strict=False))
    code = record["reason"]["code"] if record["reason"] else ""
    values, accepted = _values(record, Of.RADIOGRAPH), record["status"] == "measured"
    return GateRadiograph(file, kind, shown.site, accepted, code, values, hips, shown.pelvic_turn_deg, shown.pelvic_tilt_deg)


def _hip(hip: Mapping[str, Any], truth: str, shown: TrueHip) -> GateHip:
    return GateHip(
        side=hip["side"],
        truth=truth,
        measured=hip["status"] == "measured",
        code=hip["reason"]["code"] if hip["reason"] else "",
        values=_values(hip, Of.BONE),
        fracture=shown.fracture if shown.is_broken else "",
        displacement_mm=shown.number("fracture_displacement_mm"),
        rotation_deg=shown.rotation_deg,
    )


def _values(record: Mapping[str, Any], of: Of) -> dict[str, float]:
    """Numbers by the name of their quantity; NaN where there is none."""
    found = {row.name: row.find(record) for row in QUANTITIES if row.of is of and row.group != "estimates"}
    return {name: math.nan if value is None else float(value) for name, value in found.items()}
