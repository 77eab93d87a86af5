"""The limits of what is measured: clinical ones beside this file, and those of the networks beside their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from scripts.clinical.findings import QUANTITIES
from scripts.clinical.fitted_file import read_fitted_file

GATE_FILE: Final = Path(__file__).with_name("gate.json")
"""Limits that hold for any weights: {"version", "limits": {name: {"value", "why", "source"}}}."""

NETWORK_GATE_FILE: Final = Path(__file__).parents[2] / "models" / "gate.json"
"""Thresholds on the outputs of the shipped weights: {"version", "weights_sha256", "calibration", "limits": as above}."""


_OTHERS: Final = ("youngest_age_years", "views", "head_diameter_at_least_mm", "head_diameter_at_most_mm", "doubt_widens_by")
"""Numbers that are asked of no single quantity."""


class Limits(SimpleNamespace):
    """Every number that the gate compares with; "at least" and "at most" belong to what is allowed.

    youngest_age_years: below it the radiograph is refused. views: the projections that are measured ("" = unknown).
    head_diameter_at_least_mm, head_diameter_at_most_mm: of an adult's femoral head in the patient. doubt_widens_by: factor of the
    standard deviations of a hip that is measured with a caution. All others: see the limits
    of `scripts.clinical.findings.QUANTITIES`; what each is good for stands beside its value in the gate's JSON files.
    """


def load_limits(network_file: str | Path, weights_sha256: str | None = None) -> tuple[Limits, tuple[str, ...]]:
    """Read all limits of the gate; one that stands in both files is taken from the network's.

    Args:
        network_file: thresholds of the networks, as `NETWORK_GATE_FILE`.
        weights_sha256: hash of the weights in use; None to take the thresholds as they are.

    Returns:
        The limits, and a sentence where the thresholds are of other weights: a distance between features then means nothing,
        so novelty is not judged.

    Raises:
        ValueError: where a file cannot be read, lacks a limit (named), or has an unknown one or one that is no number.
    """
    path = Path(network_file)
    network = _read(path)
    values = {**_values(_read(GATE_FILE), GATE_FILE), **_values(network, path)}
    asked = [limit for quantity in QUANTITIES for limit in quantity.limits]
    expected = {*_OTHERS, *(limit.name for limit in asked), *(limit.beside[1] for limit in asked if limit.beside)}
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
    content, _ = read_fitted_file(path, "the gate's thresholds", "calibrate_gate.yaml")
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
