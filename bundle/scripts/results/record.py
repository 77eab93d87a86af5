"""Outcomes as plain data, as `results.json` holds them, of radiographs and of studies; every other output is made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scripts.clinical import Estimate, Hip, RadiographFacts, Reason, Screening
from scripts.clinical.anatomy import HIP
from scripts.measurement.hip_geometry import HipGeometry
from scripts.measurement.regions import REGIONS, Region
from scripts.radiograph import to_film_points
from scripts.screening.study import StudyOutcome

Record = dict[str, Any]


def refused_record(item: Mapping[str, Any], file: str, reason: Reason) -> Record:
    """The record of a file that was refused by its header, or could not be read.

    Args:
        item: of `startup.find_radiographs`.
        file: its path, relative to the folder that was screened.
        reason: why.
    """
    return {
        **_identity(item, file),
        "status": "refused",
        "reason": _reason(reason),
        "header": None,
        "picture": None,
        "hips": [],
        "notes": [],
        "outputs": {"mask": None, "overlay": None},
    }


def screened_record(
    item: Mapping[str, Any],
    file: str,
    screening: Screening,
    facts: RadiographFacts,
    meta: Mapping[str, Any],
    outputs: Mapping[str, str | None],
    geometry: Sequence[HipGeometry] = (HipGeometry(), HipGeometry()),
) -> Record:
    """The record of a radiograph that the network saw, measured or refused by the gate.

    Args:
        item: of `startup.find_radiographs`.
        file: its path, relative to the folder that was screened.
        screening: the findings.
        facts: age, sex, view and laterality, as used.
        meta: of the resampled `MetaTensor`. Names and patient IDs are not taken from it.
        outputs: paths of "mask" and "overlay", relative to the output folder; None where there is none.
        geometry: of the right and the left hip.
    """
    film_spacing = [size / scale for size, scale in zip(meta["spacing_mm"], meta["resample_scale"], strict=True)]
    return {
        **_identity(item, file),
        "status": "refused" if screening.reason else "measured",
        "reason": _reason(screening.reason),
        "header": {
            "study_uid": str(meta["study_uid"]),
            "series_uid": str(meta["series_uid"]),
            "sop_uid": str(meta["sop_uid"]),
            "age_years": facts.age_years,
            "sex": facts.sex,
            "view": facts.view,
            "laterality": facts.laterality,
            "spacing_mm": film_spacing,
            "spacing_source": str(meta["spacing_source"]),
        },
        "picture": {
            "hip_view": _number(screening.hip_view),
            "novelty": _number(screening.novelty),
            "pelvic_turn_deg": _number(screening.pelvic_turn),
        },
        "hips": [_hip(hip, found, meta) for hip, found in zip(screening.hips, geometry, strict=True)],
        "notes": list(screening.notes),
        "outputs": dict(outputs),
    }


def study_record(items: Sequence[Mapping[str, Any]], outcome: StudyOutcome) -> Record:
    """The record of a study: one patient, by what its films show.

    Args:
        items: of `startup.find_radiographs`, the study's films that were read.
        outcome: of these films together.
    """
    names = [None if film is None else str(items[film]["name"]) for film in outcome.films]
    return {
        "study": str(items[0]["study"]),
        "patient": str(items[0]["patient"]),
        "films": [str(item["name"]) for item in items],
        "status": "measured" if outcome.screening else "refused",
        "reason": _reason(outcome.reason),
        "hips": dict(zip(HIP.sides, names, strict=True)),
        "outcome": outcome.screening and _outcome(outcome.screening),
    }


def _identity(item: Mapping[str, Any], file: str) -> dict[str, str]:
    return {**{key: str(item[key]) for key in ("name", "study", "patient")}, "file": file}


def _outcome(screening: Screening) -> dict[str, Any]:
    lowest = screening.lowest
    return {
        "lowest_t_score": lowest and lowest.t_score,
        "lowest_t_interval": lowest and list(lowest.t_interval),
        "lowest_site": lowest and f"{lowest.side} {lowest.site}",
        "category": screening.category,
        "expectation": screening.expectation,
        "triage": screening.triage,
        "osteoporosis_probability": screening.osteoporosis_probability,
    }


def _hip(hip: Hip, geometry: HipGeometry, meta: Mapping[str, Any]) -> dict[str, Any]:
    # A landmark that was not found has no angle: 0..1 confidences are kept, NaN is not JSON.
    return {
        "side": hip.side,
        "status": "refused" if hip.reason else "measured",
        "reason": _reason(hip.reason),
        "landmark_confidence": _number(hip.present),
        "femur_probability": _number(hip.femur),
        "metal_fraction": _number(hip.implant),
        "fracture_probability": _number(hip.fracture),
        "shaft_abduction_deg": _number(hip.shaft_angle) if hip.shown else None,
        "outward_rotation_deg": _number(hip.rotation) if hip.shown else None,
        "contour_agreement": _number(hip.agreement),
        "exposure": asdict(hip.exposure) if hip.exposure else None,
        "head_diameter_mm": hip.head_diameter_mm,
        "regions": {name: _region(geometry.regions.get(name), meta) for name in REGIONS},
        "morphometry": {name: _number(float(value)) for name, value in asdict(geometry.morphometry).items()},
        "estimates": {site: _estimate(estimate) for site, estimate in hip.estimates.items()},
    }


def _region(region: Region | None, meta: Mapping[str, Any]) -> dict[str, Any] | None:
    if region is None:
        return None
    pixels = to_film_points(region.corners / np.asarray(meta["spacing_mm"]) - 0.5, meta["resample_scale"])
    rows, cols = meta["film_shape"]
    stored_shape = (cols, rows) if meta["orientation"].transpose else (rows, cols)
    stored = meta["orientation"].points_to_stored(pixels, stored_shape)
    return {"corners_mm": region.corners.round(2).tolist(), "corners_px": stored.round(2).tolist()}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "bmd_g_cm2": estimate.bmd,
        "bmd_sd_g_cm2": estimate.bmd_sd,
        "bmd_interval_g_cm2": list(estimate.bmd_interval),
        "t_score": estimate.t_score,
        "t_interval": None if estimate.t_interval is None else list(estimate.t_interval),
        "category": estimate.category,
        "z_score": estimate.z_score,
        "z_interval": None if estimate.z_interval is None else list(estimate.z_interval),
    }


def _reason(reason: Reason | None) -> dict[str, str] | None:
    return None if reason is None else {"code": str(reason.code), "sentence": reason.sentence}


def _number(value: float) -> float | None:
    return value if value == value else None
