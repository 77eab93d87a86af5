"""How the angles that the gate limits follow the true ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from scripts.evaluation.gate.radiographs import FINE, GateRadiograph
from scripts.files import write_table

_FEWEST: Final = 10


@dataclass(frozen=True)
class AngleFit:
    """One angle against the truth, degrees.

    of: radiographs or hips. slope: of the found angle over the true one, least squares: under 1, large angles are told too
    small. error: mean absolute.
    """

    angle: str
    of: int
    slope: float
    error: float


def measure_angles(radiographs: Sequence[GateRadiograph]) -> list[AngleFit]:
    """Turn and tilt of pelves with both hips found, and rotation of hips that are fine or turned; none of fewer than ten."""
    whole = [one for one in radiographs if len(one.hips) == 2 and all(hip.code != "NO_FEMUR" for hip in one.hips)]
    hips = [hip for one in radiographs for hip in one.hips if hip.truth in (FINE, "turned") and hip.code != "NO_FEMUR"]
    pairs = {
        "turn of the pelvis": [(one.turn_deg, one.values["pelvic_turn_deg"]) for one in whole],
        "tilt of the pelvis": [(one.tilt_deg, one.values["pelvic_tilt_deg"]) for one in whole],
        "outward rotation of the femur": [(hip.rotation_deg, hip.values["outward_rotation_deg"]) for hip in hips],
    }
    known = {name: [pair for pair in both if all(map(math.isfinite, pair))] for name, both in pairs.items()}
    return [_fit(name, np.array(both)) for name, both in known.items() if len(both) >= _FEWEST]


def write_angles(fits: Sequence[AngleFit], path: Path) -> None:
    """Write one row an angle."""
    write_table(path, [field.name for field in fields(AngleFit)], map(asdict, fits))


def format_angles(fits: Sequence[AngleFit]) -> str:
    """The same as Markdown; empty where there is nothing to tell."""
    if not fits:
        return ""
    lines = ["## Angles", "", "| Angle | Of | Slope over the true one | Mean absolute error, degrees |", "|---|---|---|---|"]
    lines += [f"| {fit.angle} | {fit.of} | {fit.slope:.2f} | {fit.error:.1f} |" for fit in fits]
    return "\n".join([*lines, ""])


def _fit(name: str, pairs: np.ndarray) -> AngleFit:
    truth, found = pairs.T
    slope = float(np.polyfit(truth, found, 1)[0]) if np.ptp(truth) > 0 else math.nan
    return AngleFit(name, len(pairs), slope, float(np.abs(found - truth).mean()))
