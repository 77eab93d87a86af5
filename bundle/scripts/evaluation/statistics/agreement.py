"""How well estimated BMD agrees with DXA."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEWEST = 3
"""Pairs; with fewer there is neither a correlation nor a limit of agreement."""
_FEWEST_FOR_FIFTHS = 20
_FIFTHS = ("lowest", "second", "third", "fourth", "highest")


def measure_bmd_agreement(
    estimate: Floats, dxa: Floats, low: Floats, high: Floats, patients: Sequence[Hashable], seed: int, resamples: int = 1000
) -> dict[str, Any]:
    """Compare estimated with measured BMD, one pair a hip.

    Args:
        estimate: (N,) g/cm².
        dxa: (N,) g/cm².
        low, high: (N,) bounds of the estimate's interval, g/cm².
        patients: (N,) whose hip it is; the bootstrap draws patients, since two hips of one are not independent.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Returns:
        hips, patients, pearson_r, mae, rmse, bias (estimate - DXA), limits_of_agreement (bias -+ 1.96 SD; Bland and
        Altman, Lancet 1986;327:307), slope (of DXA on the estimate: 1 is calibrated), slope_on_dxa (of the estimate on DXA: r²
        where the other one is 1, for what is uncertain leans to the mean), coverage (share of DXA values within their interval),
        fifths; `*_ci95` (of bias and coverage too) by the bootstrap's percentiles. NaN where there are fewer than three pairs. Of
        each fifth of the hips by DXA, lowest first, fifths hold hips, bias and coverage; there are none for fewer than 20 hips.
    """
    result: dict[str, Any] = {"hips": len(dxa), "patients": len(set(patients))}
    if len(dxa) < _FEWEST:
        return result | {
            **dict.fromkeys(("pearson_r", "mae", "rmse", "bias", "slope", "slope_on_dxa", "coverage"), math.nan),
            **dict.fromkeys((f"{name}_ci95" for name in ("pearson_r", "mae", "rmse", "bias", "coverage")), (math.nan, math.nan)),
            "limits_of_agreement": (math.nan, math.nan),
            "fifths": {},
        }
    inside = (low <= dxa) & (dxa <= high)
    for name, statistic, of in (
        ("pearson_r", pearson_r, estimate),
        ("mae", mean_absolute_error, estimate),
        ("rmse", root_mean_square_error, estimate),
        ("bias", mean_difference, estimate),
        ("coverage", _mean_of_first, inside.astype(float)),
    ):
        result[name] = statistic(of, dxa)
        result[f"{name}_ci95"] = bootstrap_ci95(statistic, of, dxa, patients, seed, resamples)
    return result | {
        "limits_of_agreement": limits_of_agreement(estimate, dxa)[1],
        "slope": slope_of_dxa(estimate, dxa),
        "slope_on_dxa": slope_of_dxa(dxa, estimate),
        "fifths": _fifths(estimate - dxa, inside, dxa),
    }


def _fifths(error: Floats, inside: NDArray[np.bool_], dxa: Floats) -> dict[str, dict[str, float]]:
    if len(dxa) < _FEWEST_FOR_FIFTHS:
        return {}
    return {
        name: {"hips": len(chosen), "bias": float(error[chosen].mean()), "coverage": float(inside[chosen].mean())}
        for name, chosen in zip(_FIFTHS, np.array_split(np.argsort(dxa, kind="stable"), len(_FIFTHS)), strict=True)
    }


def pearson_r(estimate: Floats, dxa: Floats) -> float:
    """Pearson's correlation; NaN where one of the two does not vary."""
    x, y = estimate - estimate.mean(), dxa - dxa.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale > 0 else math.nan


def mean_absolute_error(estimate: Floats, dxa: Floats) -> float:
    """Mean of |estimate - DXA|, g/cm²."""
    return float(np.abs(estimate - dxa).mean())


def root_mean_square_error(estimate: Floats, dxa: Floats) -> float:
    """Root of the mean of (estimate - DXA)², g/cm²."""
    return math.sqrt(float(((estimate - dxa) ** 2).mean()))


def mean_difference(estimate: Floats, dxa: Floats) -> float:
    """Mean of estimate - DXA, g/cm²."""
    return float((estimate - dxa).mean())


def _mean_of_first(first: Floats, _: Floats) -> float:
    return float(first.mean())


def limits_of_agreement(estimate: Floats, dxa: Floats) -> tuple[float, tuple[float, float]]:
    """Mean difference estimate - DXA, and that -+ 1.96 standard deviations of the difference, g/cm²."""
    difference = estimate - dxa
    bias, half = mean_difference(estimate, dxa), 1.96 * float(difference.std(ddof=1))
    return bias, (bias - half, bias + half)


def slope_of_dxa(estimate: Floats, dxa: Floats) -> float:
    """Slope of DXA on the estimate by least squares; NaN where the estimate does not vary."""
    apart = estimate - estimate.mean()
    spread = float(apart @ apart)
    return float(apart @ dxa) / spread if spread > 0 else math.nan


def bootstrap_ci95(
    statistic: Callable[[Floats, Floats], float],
    estimate: Floats,
    dxa: Floats,
    patients: Sequence[Hashable],
    seed: int,
    resamples: int,
) -> tuple[float, float]:
    """Percentile interval of a statistic over resamples of patients, each with all their hips."""
    hips_of: dict[Hashable, list[int]] = {}
    for index, patient in enumerate(patients):
        hips_of.setdefault(patient, []).append(index)
    groups = [np.array(hips) for hips in hips_of.values()]
    random = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = np.concatenate([groups[index] for index in random.integers(0, len(groups), len(groups))])
        values.append(statistic(estimate[drawn], dxa[drawn]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
