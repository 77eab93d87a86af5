"""One radiograph's outcome beside its truth: the plain numbers that every metric is computed from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from monai.data import MetaTensor
from numpy.typing import NDArray

from scripts.clinical import Hip, Reason, Reference, Triage
from scripts.clinical.anatomy import HIP
from scripts.dataset.labels import LoadLandmarksd, read_label
from scripts.dataset.truth import TrueHip, Truth
from scripts.evaluation.accuracy.overlap import count_confusion_by_hip, dice, dice_of, false_alarm
from scripts.evaluation.accuracy.points import distances_mm, is_swapped
from scripts.evaluation.accuracy.strata import hip_strata
from scripts.radiograph import to_displayed_points
from scripts.screening.findings import Seen

MASK_CLASSES = HIP.classes[1:]
"""femur, prosthesis, fixation: the values 1, 2, 3 of a mask."""


@dataclass(frozen=True)
class HipCase:
    """One hip of a radiograph.

    found: whether the cascade found a femur on that side. drawn: whether the truth has its head centre.
    code: why it was not measured, "" if it was. bmd, low, high: estimate and 90% interval by site, g/cm²; NaN = none.
    dxa: the truth by site, g/cm²; NaN = none. t_scores: the estimated T-score and its 90% interval by site; NaN = none.
    landmark_errors_mm: in the order of `LANDMARKS`; NaN where the truth has no
    such point, or the hip was not found. swapped: found at the other hip's place. agreement: Dice of the two drawings of its
    femur; NaN where not found. measures, true_measures: its quantities by name; NaN =
    none. dice: by class, of the part of the radiograph that is nearer to this hip than to the other, by the true landmarks; NaN
    where the truth has no landmark of it, or none of that class. strata: the groups that it belongs to, see
    `scripts.evaluation.accuracy.strata`.
    """

    side: str
    found: bool
    drawn: bool
    code: str
    bmd: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    dxa: Mapping[str, float]
    landmark_errors_mm: tuple[float, ...]
    swapped: bool
    agreement: float = math.nan
    t_scores: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    true_measures: Mapping[str, float] = field(default_factory=dict)
    dice: Mapping[str, float] = field(default_factory=dict)
    strata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One radiograph.

    patient: groups a patient's radiographs; it is never written anywhere. seen: whether the networks saw it at all.
    code: why no hip was measured, "" if one was. probability: of osteoporosis, 0..1. triage: what it advises; None where there
    is no T-score. lowest_t, dxa_lowest_t: the deciding T-score, estimated and true. lowest_t_interval: 90%, of the estimated one.
    covariates: age (years), sex (0 female, 1 male), weight (kg), height (cm). NaN = unknown everywhere. dice: by class; NaN where
    the truth has none of it. false_alarms: by class, whether it was drawn where the truth has none of it; False where there is no
    mask to compare with. repeat_of, split: see `Truth`.
    """

    name: str
    patient: str
    site: str
    seen: bool
    code: str
    probability: float
    lowest_t: float
    dxa_lowest_t: float
    covariates: tuple[float, float, float, float]
    dice: Mapping[str, float]
    false_alarms: Mapping[str, bool]
    hips: tuple[HipCase, HipCase]
    repeat_of: tuple[str, ...] = ()
    triage: Triage | None = None
    lowest_t_interval: tuple[float, float] = (math.nan, math.nan)
    split: str = ""


def make_refused_case(truth: Truth, reason: Reason, reference: Reference) -> Case:
    """The case of a file that was refused before any network saw it.

    Args:
        truth: of the same radiograph.
        reason: of the refusal.
        reference: young adults, for the true T-score.
    """
    nothing = dict.fromkeys(HIP.sites, math.nan)
    right, left = (
        HipCase(side, False, False, str(reason.code), nothing, nothing, nothing, truth.hips[side].bmd, (), False)
        for side in HIP.sides
    )
    return Case(
        **_identity(truth),
        seen=False,
        code=str(reason.code),
        probability=math.nan,
        lowest_t=math.nan,
        dxa_lowest_t=truth.lowest_t_score(reference),
        covariates=truth.covariates,
        dice=dict.fromkeys(MASK_CLASSES, math.nan),
        false_alarms=dict.fromkeys(MASK_CLASSES, False),
        hips=(right, left),
        repeat_of=truth.repeat_of,
        triage=None,
    )


def make_screened_case(truth: Truth, seen: Seen, reference: Reference) -> Case:
    """The case of a radiograph that the networks saw, measured or refused by the gate.

    Args:
        truth: of the same radiograph.
        seen: what was found on the same radiograph.
        reference: young adults, for the true T-score.

    Raises:
        ValueError: when a mask or landmark file of the manifest is bad.
    """
    screening, mask, meta = seen.screening, seen.mask, seen.image.meta
    label = read_label(truth.label, mask.shape) if truth.label else None
    true_points = true_landmarks(truth, seen.image)
    points = np.asarray(seen.prediction["landmarks"], dtype=np.float64)
    overlaps = measure_hip_overlaps(mask, label, true_points, meta)
    hips = tuple(
        replace(
            _hip_case(hip, truth.hips[hip.side].bmd, points[index], true_points[[index, 1 - index]], meta["spacing_mm"]),
            measures=hip.values,
            true_measures=_true_measures(truth.hips[hip.side], hip),
            dice=overlaps[index],
            strata=hip_strata(truth, hip.side, true_points[index]),
        )
        for index, hip in enumerate(screening.hips)
    )
    age, sex, weight, height = (float(value) for value in seen.covariates)
    classes = {name: value for value, name in enumerate(MASK_CLASSES, start=1)}
    area_mm2 = pixel_area_mm2(meta)
    return Case(
        **_identity(truth),
        seen=True,
        code=str(screening.reason.code) if screening.reason else "",
        probability=_number(screening.osteoporosis_probability),
        lowest_t=screening.lowest.t_score if screening.lowest else math.nan,
        lowest_t_interval=screening.lowest.t_interval if screening.lowest else (math.nan, math.nan),
        dxa_lowest_t=truth.lowest_t_score(reference),
        covariates=(age, sex, weight, height),
        dice={name: math.nan if label is None else dice(mask == value, label == value) for name, value in classes.items()},
        false_alarms={
            name: label is not None and false_alarm(mask == value, label == value, area_mm2) for name, value in classes.items()
        },
        hips=(hips[0], hips[1]),
        repeat_of=truth.repeat_of,
        triage=screening.triage,
    )


def measure_hip_overlaps(
    mask: NDArray[np.uint8], label: NDArray[np.uint8] | None, true_points: NDArray[np.float64], meta: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, float]]:
    """Dice by class of the right and the left hip's part of a radiograph, see `HipCase`.

    Args:
        mask: (rows, cols) on the grid of the file.
        label: the truth on the same grid; None = unknown.
        true_points: (2, 5, 2) landmarks in pixels of the resampled image; NaN = unknown.
        meta: of that image.
    """
    if label is None:
        right, left = (dict.fromkeys(MASK_CLASSES, math.nan) for _ in HIP.sides)
        return right, left
    confusion = count_confusion_by_hip(
        meta["orientation"].to_display(mask),
        meta["orientation"].to_display(label),
        to_displayed_points(hip_centres(true_points), meta["resample_scale"]),
        len(HIP.classes),
    )
    right, left = ({name: dice_of(counts, value) for value, name in enumerate(MASK_CLASSES, start=1)} for counts in confusion)
    return right, left


def hip_centres(true_points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each hip's known landmarks: (2, 5, 2) -> (2, 2); NaN where it has none."""
    known = np.isfinite(true_points).all(axis=2, keepdims=True)
    count = known.sum(axis=1)
    total = np.where(known, true_points, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def pixel_area_mm2(meta: Mapping[str, Any]) -> float:
    """The area of one pixel of the radiograph, mm² in the patient, by the meta of a resampled image."""
    (row_mm, col_mm), (rows, cols) = meta["spacing_mm"], meta["resample_scale"]
    return float(row_mm * col_mm / (rows * cols))


def _hip_case(
    hip: Hip,
    dxa: Mapping[str, float],
    points: NDArray[np.float64],
    true_points: NDArray[np.float64],
    spacing_mm: tuple[float, float],
) -> HipCase:
    """`points` (5, 2) of this hip; `true_points` (2, 5, 2) of this one and the other."""
    errors = distances_mm(points, true_points[0], spacing_mm)
    estimates = hip.estimates
    return HipCase(
        side=hip.side,
        found=hip.shown,
        drawn=bool(np.isfinite(true_points[0, HIP.landmark("head_centre")]).all()),
        code=str(hip.reason.code) if hip.reason else "",
        bmd={site: estimates[site].bmd if site in estimates else math.nan for site in HIP.sites},
        low={site: estimates[site].bmd_interval[0] if site in estimates else math.nan for site in HIP.sites},
        high={site: estimates[site].bmd_interval[1] if site in estimates else math.nan for site in HIP.sites},
        dxa=dxa,
        landmark_errors_mm=tuple(float(error) if hip.shown else math.nan for error in errors),
        swapped=hip.shown and is_swapped(points, true_points[0], true_points[1], spacing_mm),
        agreement=hip.values["contour_agreement"] if hip.shown else math.nan,
        t_scores={
            site: (estimate.t_score, *estimate.t_interval)
            for site, estimate in estimates.items()
            if estimate.t_score is not None and estimate.t_interval is not None
        },
    )


def true_landmarks(truth: Truth, image: MetaTensor) -> NDArray[np.float64]:
    """The true landmarks, (2, 5, 2) in the pixels of the image that the networks saw; NaN where unknown."""
    if not truth.landmarks:
        return np.full((2, 5, 2), np.nan)
    loaded = LoadLandmarksd(keys="landmarks")({"image": image, "landmarks": truth.landmarks})
    return np.asarray(loaded["landmarks"], dtype=np.float64)


def _true_measures(truth: TrueHip, hip: Hip) -> dict[str, float]:
    measured = {name: truth.number(name) for name in hip.values if "_bmd" not in name}
    return measured | truth.measures(hip.values["shaft_level_mm"])


def _identity(truth: Truth) -> dict[str, Any]:
    return {"name": truth.name, "patient": truth.patient or truth.name, "site": truth.site, "split": truth.split}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
