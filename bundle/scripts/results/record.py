"""Outcomes as plain data, as `results.json` holds them, of radiographs and of studies; every other output is made from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.clinical import QUANTITIES, Estimate, FraxNeck, Of, Quantity, Reason, Screening
from scripts.clinical.anatomy import HIP
from scripts.measurement.regions import REGIONS, Region
from scripts.radiograph import to_displayed_points
from scripts.screening.findings import Seen, StudyFindings

Record = dict[str, Any]


def make_refused_record(item: Mapping[str, Any], file: str, reason: Reason) -> Record:
    """The record of a file that was refused by its header, or could not be read.

    Args:
        item: of `cli.find_radiographs`.
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


def make_screened_record(
    item: Mapping[str, Any],
    file: str,
    seen: Seen,
    outputs: Mapping[str, str | None],
    quantities: Sequence[Quantity] = QUANTITIES,
) -> Record:
    """The record of a radiograph that the network saw, measured or refused by the gate.

    Args:
        item: of `cli.find_radiographs`.
        file: its path, relative to the folder that was screened.
        seen: the findings. Names and patient IDs are not taken from the image's meta.
        outputs: paths of the pictures, relative to the output folder; None where there is none.
        quantities: of which there are values, see `Channels.table`.
    """
    screening, facts, meta = seen.screening, seen.facts, seen.image.meta
    spacing_mm = [size / scale for size, scale in zip(meta["spacing_mm"], meta["resample_scale"], strict=True)]
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
            "spacing_mm": spacing_mm,
            "spacing_source": str(meta["spacing_source"]),
        },
        **_grouped([quantity for quantity in quantities if quantity.of is Of.RADIOGRAPH], screening.values),
        "hips": [_hip(seen, index, quantities) for index in range(len(HIP.sides))],
        "notes": list(screening.notes),
        "outputs": {"mask": None, "overlay": None, **outputs},
    }


def make_passed_over_record(file: str, reason: Reason) -> Record:
    """The record of a file, or a folder, that nobody looked into.

    Args:
        file: its path, relative to the folder that was screened.
        reason: why.
    """
    return {"file": file, "reason": _reason(reason)}


def make_study_record(items: Sequence[Mapping[str, Any]], found: StudyFindings, outputs: Mapping[str, str | None]) -> Record:
    """The record of a study: one patient, by what its radiographs show.

    Args:
        items: of `cli.find_radiographs`, the study's radiographs that were read.
        found: on these radiographs together.
        outputs: paths of what was written of it, relative to the output folder, by kind; None where there is none.
    """
    names = [None if index is None else str(items[index]["name"]) for index in found.sources]
    return {
        "study": str(items[0]["study"]),
        "patient": str(items[0]["patient"]),
        "date": next((item["date"] for item in items if item.get("date")), None),
        "films": [str(item["name"]) for item in items],
        "status": "measured" if found.screening else "refused",
        "reason": _reason(found.reason),
        "hips": dict(zip(HIP.sides, names, strict=True)),
        "outcome": found.screening and _outcome(found.screening),
        "estimates": {
            hip.side: {site: _estimate(estimate) for site, estimate in hip.estimates.items()}
            for hip in (found.screening.hips if found.screening else ())
            if not hip.reason
        },
        "outputs": dict(outputs),
    }


def counting_estimates(study: Mapping[str, Any], record: Mapping[str, Any], hip: Mapping[str, Any]) -> Mapping[str, Any]:
    """The estimates of a hip by site: where it counts for the patient, those by the study's radiographs together, which differ
    from this radiograph's own where the other hip is of another one; else this radiograph's.

    Args:
        study: the record of the study.
        record: of one of its radiographs.
        hip: of that.
    """
    counts = study["hips"][hip["side"]] == record["name"]
    found: Mapping[str, Any] = study["estimates"][hip["side"]] if counts else hip["estimates"]
    return found


def to_stored(points: NDArray[np.float64], meta: Mapping[str, Any]) -> NDArray[np.float64]:
    """Points (n, 2), (row, col) of the image that the networks see, in pixels of the radiograph as its file stores it."""
    rows, cols = meta["displayed_shape"]
    stored_shape = (cols, rows) if meta["orientation"].transpose else (rows, cols)
    stored: NDArray[np.float64] = meta["orientation"].points_to_stored(
        to_displayed_points(points, meta["resample_scale"]), stored_shape
    )
    return stored


def _identity(item: Mapping[str, Any], file: str) -> dict[str, str]:
    return {**{key: str(item[key]) for key in ("name", "study", "patient")}, "file": file}


def _outcome(screening: Screening) -> dict[str, Any]:
    lowest = screening.lowest
    return {
        "lowest_t_score": lowest and lowest.t_score,
        "lowest_t_sd": lowest and lowest.t_sd,
        "lowest_t_interval": lowest and list(lowest.t_interval),
        "lowest_site": lowest and f"{lowest.side} {lowest.site}",
        "category": screening.category,
        "expectation": screening.expectation,
        "triage": screening.triage,
        "osteoporosis_probability": screening.osteoporosis_probability,
        "low_bone_mass_probability": screening.low_bone_mass_probability,
        "classifier_probability": screening.classifier_probability,
        "frax": screening.frax and _frax(screening.frax),
    }


def _frax(neck: FraxNeck) -> dict[str, Any]:
    return {"neck_t_score": neck.t_score, "neck_t_interval": list(neck.t_interval), "side": neck.side, "expects": neck.expects}


def _hip(seen: Seen, index: int, quantities: Sequence[Quantity]) -> dict[str, Any]:
    hip, geometry, meta = seen.screening.hips[index], seen.geometry[index], seen.image.meta
    plain = [quantity for quantity in quantities if quantity.of is Of.BONE and quantity.group != "estimates"]
    values = {**hip.values, **({} if hip.shown else {quantity.name: math.nan for quantity in plain if quantity.of_shown})}
    return {
        "side": hip.side,
        "status": "refused" if hip.reason else "measured",
        "reason": _reason(hip.reason),
        "cautions": [{"code": str(caution.code), "sentence": caution.sentence} for caution in hip.cautions],
        **_grouped(plain, values),
        "crop": _crop(seen, index) if hip.shown else None,
        "landmarks": _landmarks(seen, index) if hip.shown else None,
        "regions": {name: _region(geometry.regions.get(name), meta) for name in REGIONS},
        "estimates": {site: _estimate(estimate) for site, estimate in hip.estimates.items()},
    }


def _grouped(quantities: Sequence[Quantity], values: Mapping[str, float]) -> dict[str, Any]:
    """Values by key, in an object a group; one of which nothing was looked for is null, and so is each unknown number."""
    looked_for = {quantity.group for quantity in quantities if quantity.name in values}
    found: dict[str, Any] = {}
    for quantity in quantities:
        value = values.get(quantity.name, math.nan)
        number = None if math.isnan(value) else value
        if not quantity.group:
            found[quantity.key] = number
        elif quantity.group in looked_for:
            found.setdefault(quantity.group, {})[quantity.key] = number
        else:
            found[quantity.group] = None
    return found


def _region(region: Region | None, meta: Mapping[str, Any]) -> dict[str, Any] | None:
    if region is None:
        return None
    pixels = to_stored(region.corners / np.asarray(meta["spacing_mm"]) - 0.5, meta)
    return {"corners_mm": region.corners.round(2).tolist(), "corners_px": pixels.round(2).tolist()}


def _landmarks(seen: Seen, index: int) -> dict[str, Any]:
    """Of a hip that was found: its landmarks by name, null for one that was not."""
    points = seen.prediction["landmarks"][index].double().numpy()
    matrix = seen.prediction["crop_transforms"][index].double().numpy()
    confidence = seen.prediction["landmark_confidence"][index].tolist()
    places = {
        "mm": (points + 0.5) * np.asarray(seen.image.meta["spacing_mm"]),
        "px": to_stored(points, seen.image.meta),
        "crop_px": np.linalg.solve(matrix[:, :2], (points - matrix[:, 2]).T).T,
    }
    return {
        name: {**{key: found[i].round(2).tolist() for key, found in places.items()}, "confidence": round(confidence[i], 4)}
        if confidence[i] > 0
        else None
        for i, name in enumerate(HIP.landmarks)
    }


def _crop(seen: Seen, index: int) -> dict[str, Any]:
    """The field of a hip that the networks looked at, and how its pixels lie on the radiograph's."""
    matrix = seen.prediction["crop_transforms"][index].double().numpy()
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # of an affine map these three tell all
    origin, row, col = to_stored(corners @ matrix[:, :2].T + matrix[:, 2], seen.image.meta)
    spacing_mm = np.linalg.norm(matrix[:, :2] * np.asarray(seen.image.meta["spacing_mm"])[:, None], axis=0)
    return {
        "shape": list(seen.prediction["crops"].shape[-2:]),
        "spacing_mm": spacing_mm.round(4).tolist(),
        "to_px": np.column_stack((row - origin, col - origin, origin)).round(6).tolist(),
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "bmd_g_cm2": estimate.bmd,
        "bmd_sd_g_cm2": estimate.bmd_sd,
        "bmd_interval_g_cm2": list(estimate.bmd_interval),
        "t_score": estimate.t_score,
        "t_interval": None if estimate.t_interval is None else list(estimate.t_interval),
        "z_score": estimate.z_score,
        "z_interval": None if estimate.z_interval is None else list(estimate.z_interval),
    }


def _reason(reason: Reason | None) -> dict[str, str] | None:
    return None if reason is None else {"code": str(reason.code), "sentence": reason.sentence}
