"""Made-up patients, of whom it is known what tells of their illness."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.evaluation.experiment.patients import MEASURES, Patients

SPLITS = ("train", "validation", "test", "external")


@pytest.fixture(scope="session")
def made_up() -> tuple[Patients, np.ndarray]:
    """720 radiographs of as many patients, of whom age tells a little, two radiomic features more, and deep features most."""
    random = np.random.default_rng(0)
    count = 720
    ill = random.normal(size=count)
    positive = ill > 0.7
    radiomics = random.normal(size=(count, 2, 60)).astype(float)
    radiomics[:, :, :2] += 1.2 * ill[:, None, None]
    valid = np.ones((count, 2))
    radiomics[::7, 1], valid[::7, 1] = np.nan, 0.0
    age, weight = 70 + 8 * (0.5 * ill + random.normal(size=count)), random.normal(70, 12, count)
    covariates = np.column_stack((age, random.random(count) < 0.3, weight, np.full(count, np.nan)))
    covariates[random.random(count) < 0.1] = np.nan
    deep = random.normal(size=(count, 12))
    deep[:, 3] += 2.0 * ill
    split = np.repeat(SPLITS, [300, 120, 120, 180])
    site = np.where(split == "external", np.where(np.arange(count) % 2, "simulated-4", "simulated-5"), "simulated-1")
    names = np.array([f"p{index:03d}" for index in range(count)])
    measures = {name: -ill + random.normal(size=count) for name in MEASURES}
    return Patients(
        names, names, split, site, np.ones(count, dtype=bool), positive, covariates, radiomics, measures, valid,
        {"without DXA": 3}
    ), deep  # fmt: skip
