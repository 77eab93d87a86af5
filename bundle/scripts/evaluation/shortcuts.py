"""Shortcuts: what tells of bone density without showing bone.

Where the exposure, the vendor's processing or the image's size goes with the truth, a network learns that instead of the bone. So
simple models are fitted to the covariates alone, then to the covariates and one suspect group of features; what a group adds
is what a network could steal.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from tqdm import tqdm

from scripts.clinical import Criteria, Reference, RefusedError, load_criteria, load_reference
from scripts.dataset.truth import is_osteoporosis, read_truth
from scripts.evaluation.statistics.agreement import bootstrap_ci95
from scripts.evaluation.statistics.baseline import covariate_bmd, covariate_probability
from scripts.evaluation.statistics.discrimination import auc_delong
from scripts.files import write_table
from scripts.radiograph import LoadRadiographd
from scripts.radiograph.dicom import is_dicom

Floats = NDArray[np.float64]

NOTABLE_GAIN: Final = 0.02
"""Of AUC or R²: more than this is worth a look."""

_PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)
_BINS: Final = 16
_PENALTIES: Final = np.logspace(-4, 1, 11)
"""Inverse strengths tried."""
_MOST_CATEGORIES: Final = 20  # a text with more values is an identifier
_NUMBERS: Final = frozenset({"DS", "IS", "FL", "FD", "US", "SS", "UL", "SL"})
_TECHNIQUE: Final = frozenset({0x0008, 0x0018, 0x0028, 0x0054, 0x2050})
"""Groups of a header on the equipment, the acquisition and the image; not the patient, nor the study's identifiers."""
_SIZE: Final = frozenset({
    "Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "NumberOfFrames",
})  # fmt: skip


@dataclass(frozen=True)
class RadiographFeatures:
    """One radiograph: its patient, covariates (4,), truths (None or NaN where unknown), and features by group and name."""

    patient: str
    covariates: Floats
    osteoporosis: bool | None
    total_bmd: float
    features: Mapping[str, Mapping[str, float | str]]


@dataclass(frozen=True)
class Gain:
    """What a group of features adds to the covariates: a cross-validated ``metric`` ("AUC" of osteoporosis, "R2" of the total
    hip's BMD), its ``gain`` over covariates alone and the 95% interval of that; NaN where it cannot be told."""

    group: str
    metric: str
    radiographs: int
    features: int
    value: float
    gain: float
    ci95_low: float
    ci95_high: float


def find_shortcuts(radiographs: Sequence[Mapping[str, Any]], output_dir: str, seed: int = 0, resamples: int = 1000) -> list[Gain]:
    """Measure what each group of features tells, print a table and write it to ``shortcuts.csv``.

    Args:
        radiographs: items of `scripts.dataset.listing.list_radiographs`, of a folder whose manifest gives total-hip BMD.
        output_dir: where to; it must exist.
        seed: of the bootstrap, which draws patients.
        resamples: of the bootstrap.

    Raises:
        ValueError: when too few radiographs have a BMD and can be read.
    """
    known = [item for item in radiographs if read_truth(item).has_bmd]
    criteria, reference = load_criteria(), load_reference()
    described = []
    for item in tqdm(known, desc="radiographs", unit="", file=sys.stderr):
        try:
            described.append(_describe(item, criteria, reference))
        except RefusedError:
            continue
    gains = measure_gains(described, seed, resamples)
    if all(math.isnan(gain.value) for gain in gains):
        raise ValueError(
            f"{len(described)} of {len(radiographs)} radiographs have a total-hip BMD and could be read: too few for any model; "
            "expected 30 hips, and 10 radiographs with and without osteoporosis. Nothing was written."
        )
    path = Path(output_dir) / "shortcuts.csv"
    rows = ({name: round(cell, 5) if isinstance(cell, float) else cell for name, cell in asdict(gain).items()} for gain in gains)
    write_table(path, [field.name for field in fields(Gain)], rows)
    print(shortcut_table(gains))
    print(f"{len(described)} radiographs, {len(known) - len(described)} more refused. Table: {path}")
    return gains


def measure_gains(described: Sequence[RadiographFeatures], seed: int = 0, resamples: int = 1000) -> list[Gain]:
    """Fit and cross-validate, in folds of patients, a logistic and a ridge model for the covariates alone and for each group.

    Args:
        described: the radiographs; groups are taken in the order of the first one.
        seed, resamples: of the bootstrap of patients.
    """
    positive = np.array([one.osteoporosis is True for one in described])
    total = np.array([one.total_bmd for one in described])
    tasks: tuple[
        tuple[str, NDArray[Any], NDArray[np.bool_], Callable[..., Floats | None], Callable[[Floats, Any], float]], ...
    ] = (
        ("AUC", positive, np.array([one.osteoporosis is not None for one in described], dtype=bool), _probability, _auc),
        ("R2", total, np.isfinite(total), _bmd, _r2),
    )
    gains = []
    for metric, truth, usable, model, score in tasks:
        of_task = [one for one, use in zip(described, usable, strict=True) if use]
        if not of_task:
            continue
        patients: list[Hashable] = [one.patient for one in of_task]
        covariates = np.stack([one.covariates for one in of_task])
        alone = model(covariates, truth[usable], patients)
        value = math.nan if alone is None else score(alone, truth[usable])
        gains.append(Gain("covariates", metric, len(of_task), covariates.shape[1], value, *(math.nan,) * 3))
        for group in of_task[0].features:
            matrix = np.hstack([covariates, feature_matrix([one.features[group] for one in of_task])])
            added = matrix.shape[1] - covariates.shape[1]
            both = model(matrix, truth[usable], patients) if added and alone is not None else None
            if alone is None or both is None:
                gains.append(Gain(group, metric, len(of_task), added, *(math.nan,) * 4))
                continue

            def gain(pair: Floats, truth: Any, score: Callable[[Floats, Any], float] = score) -> float:
                return score(pair[:, 1], truth) - score(pair[:, 0], truth)

            pair = np.stack([alone, both], axis=1)
            low, high = bootstrap_ci95(gain, pair, truth[usable], patients, seed, resamples)
            value = score(both, truth[usable])
            gains.append(Gain(group, metric, len(of_task), added, value, gain(pair, truth[usable]), low, high))
    return gains


def shortcut_table(gains: Sequence[Gain]) -> str:
    """The gains as a Markdown table, and a sentence on those above `NOTABLE_GAIN`."""
    lines = ["| Features | Metric | Radiographs | Added | Value | Gain (95% interval) |", "|---|---|---|---|---|---|"]
    for row in gains:
        interval = "-" if math.isnan(row.gain) else f"{row.gain:+.3f} ({row.ci95_low:+.3f} to {row.ci95_high:+.3f})"
        name, added = (row.group, "-") if row.group == "covariates" else (f"covariates + {row.group}", str(row.features))
        value = "-" if math.isnan(row.value) else f"{row.value:.3f}"
        lines.append(f"| {name} | {row.metric} | {row.radiographs} | {added} | {value} | {interval} |")
    notable = [f"{row.group} ({row.metric} {row.gain:+.3f})" for row in gains if row.gain > NOTABLE_GAIN]
    told = f"{', '.join(notable)}. A network can learn these instead of bone." if notable else "none."
    return "\n".join([*lines, "", f"Groups that add more than {NOTABLE_GAIN} to what the covariates tell: {told}"])


def intensity_features(image: NDArray[np.float32]) -> dict[str, float]:
    """Global statistics of a displayed image (rows, columns) in 0..1: mean, SD, percentiles, histogram, entropy in bits."""
    shares = np.histogram(image, bins=_BINS, range=(0, 1))[0] / image.size
    of_grey = np.histogram(image, bins=256, range=(0, 1))[0] / image.size
    percentiles = np.percentile(image, _PERCENTILES)
    return {
        "mean": float(image.mean()),
        "sd": float(image.std()),
        "entropy": float(-(of_grey[of_grey > 0] * np.log2(of_grey[of_grey > 0])).sum()),
        **{f"percentile_{at}": float(value) for at, value in zip(_PERCENTILES, percentiles, strict=True)},
        **{f"share_{index}": float(share) for index, share in enumerate(shares)},
    }


def header_features(header: pydicom.Dataset) -> dict[str, float | str]:
    """The technique in a DICOM header: every number, and every short text; neither the patient, nor dates, UIDs or sizes."""
    found: dict[str, float | str] = {}
    for element in header:
        known = element.tag.group in _TECHNIQUE and element.keyword and element.keyword not in _SIZE
        if not known or element.is_empty or element.VR not in _NUMBERS | {"CS", "LO", "SH", "ST"}:
            continue
        values = element.value if element.VM > 1 else [element.value]
        if element.VR in _NUMBERS:
            found |= {f"{element.keyword}_{index}": float(value) for index, value in enumerate(values)}
        else:
            found[element.keyword] = "\\".join(map(str, values))
    return found


def feature_matrix(rows: Sequence[Mapping[str, float | str]]) -> Floats:
    """Numbers as they are (NaN where missing), texts as one column a category; constant and identifying columns are dropped."""
    columns = []
    for name in sorted({name for row in rows for name in row}):
        values = [row.get(name) for row in rows]
        if any(isinstance(value, str) for value in values):
            categories = sorted({str(value or "") for value in values})
            if len(categories) <= _MOST_CATEGORIES:
                columns += [np.array([str(value or "") == category for value in values], float) for category in categories]
        else:
            columns.append(np.array([math.nan if value is None else value for value in values], float))
            missing = np.isnan(columns[-1])
            if missing.any():
                columns.append(missing.astype(float))  # whether a field is there tells something, too
    varied = [column for column in columns if len(np.unique(column[~np.isnan(column)])) > 1]
    return np.stack(varied, axis=1) if varied else np.zeros((len(rows), 0))


def _describe(item: Mapping[str, Any], criteria: Criteria, reference: Reference) -> RadiographFeatures:
    given: dict[Hashable, Any] = {key: value for key, value in item.items()}
    loaded = LoadRadiographd("image")(given)
    image = loaded["image"]
    path = Path(item["image"])
    header = pydicom.dcmread(path, stop_before_pixels=True) if is_dicom(path) else pydicom.Dataset()
    rows, columns = image.meta["displayed_shape"]
    spacing = image.meta["spacing_detector_mm"] or image.meta["spacing_mm"] or (math.nan, math.nan)
    at_patient = image.meta["spacing_mm"] or (math.nan, math.nan)
    truth = read_truth(item)
    lowest = truth.lowest_t_score(reference)
    totals = [hip.bmd["total"] for hip in truth.hips.values() if math.isfinite(hip.bmd["total"])]
    return RadiographFeatures(
        patient=item.get("patient_id") or item["image"],
        covariates=loaded["covariates"].numpy().astype(float),
        osteoporosis=None if math.isnan(lowest) else is_osteoporosis(lowest, criteria),
        total_bmd=float(np.mean(totals)) if totals else math.nan,
        features={
            "intensity": intensity_features(image[0].numpy()),
            "header": header_features(header),
            "size": {
                "rows": float(rows),
                "columns": float(columns),
                "spacing_mm": spacing[0],
                "height_mm": rows * at_patient[0],
                "width_mm": columns * at_patient[1],
            },
        },
    )


# Many weak features overfit under a fixed penalty, which would hide a gain; so the penalty is chosen within each fold.


def _probability(features: Floats, positive: NDArray[np.bool_], patients: Sequence[Hashable]) -> Floats | None:
    model = LogisticRegressionCV(Cs=_PENALTIES, l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False)
    return covariate_probability(features, positive, patients, model)


def _bmd(features: Floats, bmd: Floats, patients: Sequence[Hashable]) -> Floats | None:
    return covariate_bmd(features, bmd, patients, RidgeCV(alphas=1 / _PENALTIES))


def _auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    return auc_delong(score, positive).value


def _r2(predicted: Floats, truth: Floats) -> float:
    """Share of the truth's variance that the prediction explains; below 0 where it is worse than the mean."""
    return 1 - float(((predicted - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
