"""Calibration of the gate: the thresholds on the networks' outputs, chosen on radiographs that no weights were fitted to."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.clinical import Limits, load_gate
from scripts.clinical.limits import clinical_limits
from scripts.dataset.truth import GROWING
from scripts.evaluation.gate.evaluation import read_radiographs
from scripts.evaluation.gate.radiographs import FINE, GateRadiograph, weights_of
from scripts.files import replacing

_ANGLES = ("rotation_outward_at_most_deg", "rotation_inward_at_most_deg", "pelvic_turn_at_most_deg")
_BROKEN = ("fracture", "deform")
"""Kinds of radiographs whose name begins so show a broken or deformed femur."""
_DIGITS = 4
_EVEN = 0.5
"""No hip that is more likely broken than not is let pass, and none that is more likely an adult's is refused as a child's."""
_FURTHER = 1.1
"""Novelty of other hospitals' radiographs, beyond that of the ones that are known."""
_LESS_AGREED = 3.0
"""Disagreement of two drawings of a contour there, beyond that of the ones that are known."""
_LESS_CERTAIN = 2.0
"""Odds of a judgement of them, below those of the ones that are known."""


def calibrate_gate(
    valid_dir: str,
    valid_results: str,
    refusable_dir: str,
    refusable_results: str,
    gate_file: str,
    output_file: str,
    splits: Sequence[str],
    accept: float = 0.99,
    accept_hips: float = 0.995,
    accept_unbroken: float = 0.96,
    faulty_dir: str | None = None,
    faulty_results: str | None = None,
) -> None:
    """Write the thresholds for the weights that made the results, and print them.

    Args:
        valid_dir, valid_results, refusable_dir, refusable_results: as for `evaluate_gate`.
        gate_file: the thresholds in force; those that are no matter of calibration are kept.
        output_file: JSON, as `gate_file`; the two may be one.
        splits: of the manifests: those that the gate may learn from.
        accept, accept_hips, accept_unbroken: see `thresholds`.
        faulty_dir, faulty_results: as the valid ones, of a second cohort, of broken and badly positioned hips; or None.

    Raises:
        ValueError: see `scripts.evaluation.gate.radiographs`; where no valid radiograph has values.
    """
    radiographs = read_radiographs(valid_dir, valid_results, refusable_dir, refusable_results, splits, faulty_dir, faulty_results)
    content = json.loads(Path(gate_file).read_text(encoding="utf-8"))
    # Angles that earlier weights could not tell so well are no matter of these.
    clinical = clinical_limits()
    limits = Limits(**vars(load_gate(gate_file).limits) | {name: clinical[name] for name in _ANGLES})
    found = thresholds(radiographs, limits, accept, accept_hips, accept_unbroken)
    document = {
        "version": content["version"],
        "weights_sha256": weights_of(valid_results),
        "calibration": {
            "splits": list(splits),
            "accepted_of_valid": accept,
            "accepted_of_fine_hips": accept_hips,
            "unbroken_of_fine_hips": accept_unbroken,
            "valid_radiographs": sum(one.kind == FINE for one in radiographs),
            "radiographs_to_be_refused": sum(one.kind != FINE for one in radiographs),
            "command": "calibrate_gate.yaml",
        },
        "limits": {**content["limits"], **found},
    }
    with replacing(Path(output_file)) as temporary:
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    for name, limit in found.items():
        print(f"{name} {limit['value']}: {limit['source']}")
    print(f"Thresholds for weights {document['weights_sha256'][:12]}...: {output_file}")


def thresholds(
    radiographs: Sequence[GateRadiograph], clinical: Limits, accept: float, accept_hips: float, accept_unbroken: float
) -> dict[str, dict[str, Any]]:
    """Choose the thresholds.

    A probability's lies half way, in logits, between the valid and the others where these are apart; where they overlap, the
    valid decide, with a margin for other hospitals. Fractures have no such margin, since a broken hip that is measured is the
    worse mistake. The valid decide for novelty too, since nobody knows all that may come. Angles are refused from the clinical
    limit on, or from where the networks' own scatter on valid radiographs ends if that is further.

    Args:
        radiographs: valid and others.
        clinical: the limits in force.
        accept: share of the valid radiographs that each threshold of a radiograph lets pass.
        accept_hips: share of the fine hips that each threshold of a hip, of which there are more, lets pass.
        accept_unbroken: share of them that the threshold of fractures lets pass: less, since a radiologist's look at a sound hip
            costs less than the T-score of a broken one.

    Raises:
        ValueError: where no valid radiograph, or no fine hip, has values.
    """
    valid = [one for one in radiographs if one.kind == FINE]
    fine = [hip.values for one in valid for hip in one.hips if hip.truth == FINE and _complete(hip.values, clinical)]
    if not fine:
        raise ValueError("None of the valid radiographs shows a fine hip that the networks found; nothing was calibrated.")
    broken = [
        hip.values
        for one in radiographs
        for hip in one.hips
        if (hip.truth.startswith(_BROKEN) or one.kind.lower().startswith(_BROKEN)) and hip.values["landmark_confidence"] > 0
    ]
    growing = [hip.values for one in radiographs for hip in one.hips if one.kind in GROWING and _found(hip.values, clinical)]
    pictures = [one.values for one in valid]
    # What another limit refuses, or a femur by itself does not tell, says nothing of this one.
    others = [one.values for one in radiographs if one.kind != FINE and one.code in ("", "NOT_A_HIP")]
    no_femurs = [
        hip.values
        for one in radiographs
        for hip in one.hips
        if one.kind != FINE and hip.truth == "" and hip.code in ("", "NO_FEMUR") and _found(hip.values, clinical)
    ]
    rotations = _finite(fine, "outward_rotation_deg")
    turns = [abs(turn) for turn in _finite(pictures, "pelvic_turn_deg")]
    share, hip_share = f"{100 * accept:g}%", f"{100 * accept_hips:g}%"
    hips, cohort = f"{len(fine)} fine hips", f"{len(valid)} valid radiographs"

    view = _between(_finite(pictures, "hip_view"), _finite(others, "hip_view"), accept)
    femur = _between(_finite(fine, "femur_probability"), _finite(no_femurs, "femur_probability"), accept_hips)
    fracture = _below(_finite(fine, "fracture_probability"), _finite(broken, "fracture_probability"), accept_unbroken, 1.0)
    fracture = min(fracture, _EVEN)
    growth = _below(_finite(fine, "growth_probability"), _finite(growing, "growth_probability"), accept_hips)
    growth = max(growth, _EVEN)
    agreement = 1 - _LESS_AGREED * _upper([1 - value for value in _finite(fine, "contour_agreement")], accept_hips)
    agreement = max(agreement, clinical.drawn_at_least)  # below that it is no femur, and not asked
    return {
        "hip_view_at_least": _limit(view, f"accepts {share} or more of {cohort}; {len(others)} others"),
        "novelty_at_most": _limit(
            _FURTHER * _upper(_finite(pictures, "novelty"), accept), f"{_FURTHER:g} x what accepts {share} of {cohort}"
        ),
        "femur_at_least": _limit(femur, f"accepts {hip_share} or more of {hips}; {len(no_femurs)} others"),
        "fracture_at_most": _limit(
            fracture, f"accepts {100 * accept_unbroken:g}% of {hips}, {_EVEN} at most; {len(broken)} broken or deformed ones"
        ),
        "growth_at_most": _limit(growth, f"accepts {hip_share} or more of {hips}, {_EVEN} at least; {len(growing)} of children"),
        "agreement_at_least": _limit(
            agreement,
            f"{_LESS_AGREED:g} x the disagreement that accepts {hip_share} of {hips}, {clinical.drawn_at_least:g} at least",
        ),
        "rotation_outward_at_most_deg": _limit(
            max(clinical.rotation_outward_at_most_deg, _upper(rotations, accept_hips)),
            f"the clinical limit, or what accepts {hip_share} of {hips}",
        ),
        "rotation_inward_at_most_deg": _limit(
            max(clinical.rotation_inward_at_most_deg, _upper([-value for value in rotations], accept_hips)),
            f"the clinical limit, or what accepts {hip_share} of {hips}",
        ),
        "pelvic_turn_at_most_deg": _limit(
            max(clinical.pelvic_turn_at_most_deg, _upper(turns, accept)),
            f"the clinical limit, or what accepts {share} of {cohort}",
        ),
    }


def _complete(values: Mapping[str, float], limits: Limits) -> bool:
    return bool(values["landmark_confidence"] >= limits.complete_at_least)


def _found(values: Mapping[str, float], limits: Limits) -> bool:
    return bool(values["landmark_confidence"] >= limits.present_at_least)


def _finite(rows: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [row[name] for row in rows if math.isfinite(row[name])]


def _upper(values: Sequence[float], accept: float) -> float:
    """The smallest value that `accept` of the values do not exceed, rounded up."""
    found = float(np.quantile(values, accept, method="higher"))
    return math.ceil(found * 10**_DIGITS) / 10**_DIGITS


def _between(high: Sequence[float], low: Sequence[float], accept: float, margin: float = _LESS_CERTAIN) -> float:
    """Half way, in logits, from what `accept` of the high probabilities reach to what `accept` of the low do not exceed.

    Where these overlap, what `accept` of the high ones reach at `margin` times the odds.
    """
    bound = float(np.quantile(high, 1 - accept, method="lower"))
    other = float(np.quantile(low, accept, method="higher")) if low else bound
    if other < bound:
        ends = np.clip([bound, other], 1e-6, 1 - 1e-6)
        bound = float(1 / (1 + np.exp(-np.log(ends / (1 - ends)).mean())))
    else:
        bound = bound / (bound + margin * (1 - bound))
    return math.floor(bound * 10**_DIGITS) / 10**_DIGITS


def _below(low: Sequence[float], high: Sequence[float], accept: float, margin: float = _LESS_CERTAIN) -> float:
    """As `_between`, for probabilities that are low where a hip is fine."""
    return 1 - _between([1 - value for value in low], [1 - value for value in high], accept, margin)


def _limit(value: float, source: str) -> dict[str, Any]:
    return {"value": round(value, _DIGITS), "source": source}
