"""Fitting the weights of the Singh-like grade on a simulated cohort, by its true masks, landmarks and grades."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from monai.transforms import Compose
from sklearn.linear_model import Ridge
from tqdm import tqdm

from scripts.clinical.anatomy import NETWORK_SPACING_MM
from scripts.dataset.labels import LoadLabeld, LoadLandmarksd
from scripts.dataset.listing import list_radiographs
from scripts.dataset.truth import read_truth
from scripts.files import replacing
from scripts.measurement.hip_axes import find_axes
from scripts.measurement.outline import Outline
from scripts.measurement.singh import CONTRASTS, measure_contrasts
from scripts.networks import HipLocaliser
from scripts.radiograph.transforms import LoadRadiographd, NormaliseRadiographd, ResampleRadiographd

_PENALTY: Final = 5.0  # on weights of contrasts with an SD of 1
_FEWEST: Final = 60  # hips
_FEMUR: Final = 1  # in a mask


def fit_singh(dataset_dir: str, output_file: str, cohort: str) -> None:
    """Write the weights of `scripts.measurement.singh` and print them.

    A ridge regression of the true grade on the contrasts, whose result is stretched to the SD of the truth: else hardly a hip
    would be graded I or II, since a regression draws what is uncertain to the mean.

    Args:
        dataset_dir: a cohort of simulate.yaml.
        output_file: JSON, as `WEIGHTS_FILE`.
        cohort: how it was simulated, which is told in the file.

    Raises:
        ValueError: where fewer than 60 hips have a true grade and contrasts, or these do not vary.
    """
    rows = [row for row in _hips(dataset_dir) if np.isfinite(row).all()]
    if len(rows) < _FEWEST:
        raise ValueError(
            f"{dataset_dir}: {len(rows)} hips have masks, landmarks and a singh_grade in the manifest and show all places; "
            f"expected at least {_FEWEST}. Nothing was fitted."
        )
    contrasts, grades = np.array(rows)[:, :-1], np.array(rows)[:, -1]
    if not np.ptp(np.array(rows), axis=0).all():
        raise ValueError(f"{dataset_dir}: the true grade or a contrast is the same in all hips. Nothing was fitted.")
    weights = fitted_weights(contrasts, grades)
    document = {"source": f"fit_singh.yaml on {len(rows)} hips of: {cohort}", "weights": weights}
    with replacing(Path(output_file)) as temporary:
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    print(f"Weights from {len(rows)} hips: {output_file}\n{json.dumps(weights)}")


def fitted_weights(contrasts: Any, grades: Any) -> dict[str, float]:
    """The weights for contrasts (N, 5), in the order of `CONTRASTS`, and true grades (N,); "intercept" and by name."""
    contrasts, grades = np.asarray(contrasts), np.asarray(grades)
    mean, sd = contrasts.mean(axis=0), contrasts.std(axis=0)
    model = Ridge(alpha=_PENALTY).fit((contrasts - mean) / sd, grades)
    slopes = model.coef_ / sd * (grades.std() / model.predict((contrasts - mean) / sd).std())
    named = dict(zip(CONTRASTS, slopes.tolist(), strict=True))
    weights = {"intercept": float(grades.mean() - slopes @ mean), **named}
    return {name: round(weight, 4) for name, weight in weights.items()}


def _hips(dataset_dir: str) -> Iterator[list[float]]:
    """The contrasts and, last, the true grade of each hip that has all that is needed."""
    read = Compose([
        LoadRadiographd("image"), ResampleRadiographd("image", spacing_mm=NETWORK_SPACING_MM), NormaliseRadiographd("image"),
        LoadLabeld("label"), LoadLandmarksd("landmarks"),
    ])  # fmt: skip
    localiser = HipLocaliser()
    for item in tqdm(list_radiographs(dataset_dir), desc="radiographs"):
        truth = read_truth(item)
        grades = [hip.number("singh_grade") for hip in truth.hips.values()]
        if not np.isfinite(grades).any() or not (truth.label and truth.landmarks):
            continue
        radiograph = read({name: item[name] for name in ("image", "label", "landmarks")})
        points = torch.as_tensor(np.asarray(radiograph["landmarks"]), dtype=torch.float32)
        seen = torch.isfinite(points).all(dim=-1).float()
        poses = localiser.fit(torch.nan_to_num(points)[None], seen[None])[0].numpy()
        femur = np.asarray(radiograph["label"][0]) == _FEMUR
        outline = Outline(femur, tuple(radiograph["image"].meta["spacing_mm"]))
        for grade, landmarks, pose in zip(grades, points.numpy(), poses, strict=True):
            axes = find_axes(outline, landmarks, pose) if np.isfinite(grade) else None
            if axes is not None:
                yield [*measure_contrasts(radiograph["image"][0].numpy(), outline, axes).values(), grade]
