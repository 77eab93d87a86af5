"""Fitting a site's calibration: a line from the estimate to DXA, and the factor of its standard deviation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from scripts.clinical import load_criteria
from scripts.clinical.calibration import SLOPES, SiteCalibration
from scripts.evaluation.local.pairs import Pairs
from scripts.evaluation.statistics.agreement import slope_of_dxa
from scripts.evaluation.statistics.conformal import conformal_quantile

Fit = Callable[[Pairs], SiteCalibration]


def fit_line(pairs: Pairs) -> SiteCalibration:
    """DXA = offset + slope x estimate by least squares over the hips; a slope beyond `SLOPES` is set to the nearer of them."""
    slope = slope_of_dxa(pairs.estimate, pairs.dxa)
    slope = 1.0 if math.isnan(slope) else float(np.clip(slope, *SLOPES))
    return SiteCalibration(offset_g_cm2=float(pairs.dxa.mean() - slope * pairs.estimate.mean()), slope=slope)


def fit_with_line(pairs: Pairs, folds: int, seed: int) -> SiteCalibration:
    """The line of all pairs, and the factor by the errors of lines that did not see the patient in question.

    Args:
        pairs: of one site.
        folds: parts that the patients are split into.
        seed: of the split.

    Raises:
        ValueError: see `interval_factor`.
    """
    line = fit_line(pairs)
    return SiteCalibration(line.offset_g_cm2, line.slope, interval_factor(predict_unseen(pairs, fit_line, folds, seed)))


def fit_intervals(pairs: Pairs) -> SiteCalibration:
    """The factor alone: estimates stay as they are.

    Raises:
        ValueError: see `interval_factor`.
    """
    return SiteCalibration(sd_factor=interval_factor(pairs))


def predict_unseen(pairs: Pairs, fit: Fit, folds: int, seed: int) -> Pairs:
    """Calibrate each patient by a fit to the others, in so many folds.

    Args:
        pairs: of one site, of as many patients as there are folds, or more.
        fit: makes a calibration of pairs.
        folds: parts that the patients are split into.
        seed: of the split.

    Returns:
        the same pairs, in their order, as calibrated.
    """
    estimate, sd = np.empty_like(pairs.estimate), np.empty_like(pairs.sd)
    for seen, unseen in split_by_patient(pairs.patients, folds, seed):
        made = fit(pairs.take(seen))
        found = [made.apply(*both) for both in zip(pairs.estimate[unseen], pairs.sd[unseen], strict=True)]
        estimate[unseen], sd[unseen] = np.array(found).T
    return replace(pairs, estimate=estimate, sd=sd)


def interval_factor(pairs: Pairs) -> float:
    """What the standard deviations are multiplied by so that a new patient's DXA lies in the interval as often as it must.

    The `conformal_quantile` of the error over that end of the interval which lies on its side. How often: `Criteria.coverage`.

    Args:
        pairs: with estimates of fits that did not see the patient.

    Raises:
        ValueError: where there are too few patients for that.
    """
    error = (pairs.dxa - pairs.estimate) / pairs.sd
    with np.errstate(divide="ignore"):  # an end at the estimate itself is left by any error
        beyond = np.where(error == 0, 0.0, error / np.where(error > 0, pairs.high, pairs.low))
    wanted = load_criteria().coverage
    try:
        return conformal_quantile(beyond, pairs.patients, wanted)
    except ValueError as error_of_few:
        raise ValueError(f"No {100 * wanted:.0f}% interval: {error_of_few} No calibration was written.") from error_of_few


def split_by_patient(patients: NDArray[np.int64], folds: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Indices to fit to and indices to predict, so many times; each is predicted once, and no patient is in both.

    Args:
        patients: (N,) whose each is; at least as many as there are folds.
        folds: parts that the patients are split into.
        seed: of the split.
    """
    return GroupKFold(folds, shuffle=True, random_state=seed).split(patients, groups=patients)
