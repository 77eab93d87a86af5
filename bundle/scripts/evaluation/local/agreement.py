"""How estimates with their intervals agree with DXA, each figure with its 95% interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from scripts.evaluation.local.pairs import Pairs
from scripts.evaluation.statistics.agreement import (
    Floats,
    bootstrap_ci95,
    mean_absolute_error,
    root_mean_square_error,
    slope_of_dxa,
)

Interval = tuple[float, float]

RESAMPLES: Final = 1000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Agreement:
    """Of one site.

    patients, hips: how many. bias: mean of estimate - DXA. slope: of DXA on the estimate, by least squares. mae, rmse: of the
    estimate. coverage: share of the DXA values that lie in the estimate's interval, 0..1. bias, mae, rmse: g/cm². `*_ci95`: 95%
    interval, by resampling patients.
    """

    patients: int
    hips: int
    bias: float
    bias_ci95: Interval
    slope: float
    slope_ci95: Interval
    mae: float
    rmse: float
    coverage: float
    coverage_ci95: Interval


def measure_agreement(pairs: Pairs, seed: int) -> Agreement:
    """Compare estimates and their intervals with DXA.

    Args:
        pairs: of one site, at least three.
        seed: of the bootstrap.
    """
    inside = pairs.inside.astype(np.float64)
    people, dxa = pairs.patients.tolist(), pairs.dxa
    return Agreement(
        patients=pairs.count_patients,
        hips=len(dxa),
        bias=_bias(pairs.estimate, dxa),
        bias_ci95=bootstrap_ci95(_bias, pairs.estimate, dxa, people, seed, RESAMPLES),
        slope=slope_of_dxa(pairs.estimate, dxa),
        slope_ci95=bootstrap_ci95(slope_of_dxa, pairs.estimate, dxa, people, seed, RESAMPLES),
        mae=mean_absolute_error(pairs.estimate, dxa),
        rmse=root_mean_square_error(pairs.estimate, dxa),
        coverage=float(inside.mean()),
        coverage_ci95=bootstrap_ci95(_first_mean, inside, dxa, people, seed, RESAMPLES),
    )


def _bias(estimate: Floats, dxa: Floats) -> float:
    return float((estimate - dxa).mean())


def _first_mean(first: Floats, _: Floats) -> float:
    return float(first.mean())
