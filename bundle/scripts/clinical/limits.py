"""The limits of what is measured: clinical ones beside this file, and those of the networks beside their weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

GATE_FILE: Final = Path(__file__).with_name("gate.json")
"""Limits that hold for any weights: {"version", "limits": {name: {"value", "why", "source"}}}."""

NETWORK_GATE_FILE: Final = Path(__file__).parents[2] / "models" / "gate.json"
"""Thresholds on the outputs of the shipped weights: {"version", "weights_sha256", "calibration", "limits": as above}."""


@dataclass(frozen=True)
class Limits:
    """Every number that the gate compares with; "at least" and "at most" belong to what is allowed.

    Args:
        youngest_age_years: below it the radiograph is refused.
        views: the projections that are measured ("" = unknown).
        shaft_angle_at_most_deg: abduction or adduction of the shaft, degrees, beyond which it is no AP view.
        rotation_outward_at_most_deg, rotation_inward_at_most_deg: turn of the femur about its long axis, degrees, both positive.
        pelvic_turn_at_most_deg: turn of the pelvis to either side, degrees.
        head_diameter_at_least_mm, head_diameter_at_most_mm: of an adult's femoral head in the patient.
        flat_at_most: share of the femur, 0..1, that may be one flat black or white tone.
        contrast_at_least: see `Exposure.contrast`.
        noise_at_most: see `Exposure.noise`.
        edge_at_least: see `Exposure.edge`.
        present_at_least: landmark confidence, 0..1, below which there is no proximal femur.
        complete_at_least: landmark confidence, 0..1, below which a part of the femur is not shown.
        femur_at_least: probability, 0..1, below which what was found is no adult's proximal femur seen from the front.
        agreement_at_least: Dice, 0..1, of two drawings of a femur's contour, below which neither is to be trusted.
        implant_at_most: fraction of metal in the proximal femur, 0..1, above which it is an implant.
        fracture_at_most: probability, 0..1, above which the femur counts as broken or deformed.
        hip_view_at_least: probability, 0..1, below which the picture is no upright AP view of an adult's hip.
        novelty_at_most: distance beyond which the picture is unlike all that the networks learnt from.
    """

    youngest_age_years: float
    views: tuple[str, ...]
    shaft_angle_at_most_deg: float
    rotation_outward_at_most_deg: float
    rotation_inward_at_most_deg: float
    pelvic_turn_at_most_deg: float
    head_diameter_at_least_mm: float
    head_diameter_at_most_mm: float
    flat_at_most: float
    contrast_at_least: float
    noise_at_most: float
    edge_at_least: float
    present_at_least: float
    complete_at_least: float
    femur_at_least: float
    agreement_at_least: float
    implant_at_most: float
    fracture_at_most: float
    hip_view_at_least: float
    novelty_at_most: float


def load_limits(network_file: str | Path, weights_sha256: str | None = None) -> tuple[Limits, tuple[str, ...]]:
    """Read all limits; where both files name one, the networks' counts.

    Args:
        network_file: thresholds of the networks, as `NETWORK_GATE_FILE`.
        weights_sha256: hash of the weights in use; None if that is not to be compared.

    Returns:
        The limits, and a sentence where the thresholds are of other weights: a distance between features then means nothing,
        so novelty is not judged.

    Raises:
        ValueError: where a file cannot be read, or misses a limit, or has one that is none, naming it.
    """
    path = Path(network_file)
    network = _read(path)
    values = {**_values(_read(GATE_FILE), GATE_FILE), **_values(network, path)}
    expected = {field.name for field in fields(Limits)}
    if missing := sorted(expected - set(values)):
        raise ValueError(f"{path}: the gate has no limit {', '.join(missing)}; expected all. Nothing was analysed.")
    if unknown := sorted(set(values) - expected):
        raise ValueError(f"{path}: the gate knows no limit {', '.join(unknown)}. Nothing was analysed.")
    limits = {**values, "views": tuple(values["views"])}
    notes: tuple[str, ...] = ()
    if weights_sha256 is not None and weights_sha256 != network.get("weights_sha256"):
        limits["novelty_at_most"] = math.inf
        notes = (
            "The quality gate was calibrated for other weights than those in use: its thresholds may not fit, and unusual "
            "radiographs are not recognised as such. Calibrate it for these weights.",
        )
    return Limits(**limits), notes


def clinical_limits() -> dict[str, Any]:
    """The limits that hold for any weights, by name."""
    return _values(_read(GATE_FILE), GATE_FILE)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: the gate's thresholds cannot be read ({type(error).__name__}); expected a JSON file, as "
            "calibrate_gate.yaml writes it. Nothing was analysed."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: the gate's thresholds are no JSON object. Nothing was analysed.")
    return content


def _values(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    limits = content.get("limits")
    if not isinstance(limits, dict):
        raise ValueError(f"{path}: has no 'limits'; expected name: {{value, why, source}}. Nothing was analysed.")
    for name, limit in limits.items():
        value = limit.get("value") if isinstance(limit, dict) else None
        number = isinstance(value, (int, float)) and math.isfinite(value)
        names = name == "views" and isinstance(value, list)
        if not (number or names):
            raise ValueError(f"{path}: limit {name!r} has value {value!r}, expected a number. Nothing was analysed.")
    return {name: limit["value"] for name, limit in limits.items()}
