"""Readers of a simulated cohort: what they would score who see Singh's pattern, and hardly agree on it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from scripts.dataset import list_radiographs
from scripts.dataset.truth import read_truth
from scripts.files import write_table

_BIAS_SD: Final = 0.7  # scores that one reader gives more than another
_NOISE_SD: Final = 2.0
"""Scores. So scattered, two readers of a simulated cohort agree by a weighted kappa of some 0.26, as two radiologists did on
Singh's grades of 130 women (Soontrapa et al., Srinagarind Medical Journal 19(4):215-219)."""
_HELPED: Final = 0.5  # of the scatter, with help: made up
_WORST, _BEST = 1.0, 6.0  # of Singh's grades


def simulate_readers(dataset_dir: str, output_file: str, readers: int = 6, seed: int = 0) -> list[dict[str, Any]]:
    """Write a table for `osteoxr readers`.

    Each scores every patient whose pattern is known, alone and with help. The score falls evenly with the lower Singh grade of
    the two hips, from 5 at grade I to 1 at grade VI, but for the reader's own bias and chance. That help halves both is made up:
    it says nothing of what help does to people.

    Args:
        dataset_dir: a cohort of simulate.yaml.
        output_file: the table, with the columns reader, patient, score and reading.
        readers: how many.
        seed: of bias and chance.

    Returns:
        the rows.

    Raises:
        ValueError: where no patient of the folder has a grade.
    """
    grades: dict[str, float] = {}
    for item in list_radiographs(Path(dataset_dir)):
        truth = read_truth(item)
        known = [grade for hip in truth.hips.values() if math.isfinite(grade := hip.number("singh_grade"))]
        if truth.patient and known:
            grades[truth.patient] = min(*known, grades.get(truth.patient, math.inf))
    if not grades:
        raise ValueError(
            f"{dataset_dir}: no patient has a Singh grade in the manifest, as simulated ones have. Nothing was written."
        )
    random = np.random.default_rng(seed)
    worse = np.array([(_BEST - grade) / (_BEST - _WORST) for grade in grades.values()])
    rows = []
    for reader in range(1, readers + 1):
        bias = random.normal(0, _BIAS_SD)
        for way, share in (("alone", 1.0), ("aided", _HELPED)):
            given = 1 + 4 * worse + share * (bias + random.normal(0, _NOISE_SD, len(worse)))
            scores = np.rint(given).clip(1, 5).astype(int)
            rows += [
                {"reader": f"reader {reader}", "patient": patient, "score": int(score), "reading": way}
                for patient, score in zip(grades, scores, strict=True)
            ]
    write_table(Path(output_file), ["reader", "patient", "score", "reading"], rows)
    print(f"{readers} readers of {len(grades)} patients, alone and with help: {output_file}")
    return rows
