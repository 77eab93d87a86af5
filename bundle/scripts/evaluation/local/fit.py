"""Fitting a site's calibration: a line from the estimate to DXA, and the factor of its standard deviation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from scripts.clinical import load_criteria
from scripts.clinical.calibration import SLOPES, SiteCalibration
from scripts.evaluation.local.agreement import half_width_in_sd, slope_of_dxa
from scripts.evaluation.local.pairs import Pairs
from scripts.evaluation.statistics.agreement import Floats

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
    for seen, unseen in _split(pairs, folds, seed):
        made = fit(pairs.take(seen))
        found = [made.apply(*both) for both in zip(pairs.estimate[unseen], pairs.sd[unseen], strict=True)]
        estimate[unseen], sd[unseen] = np.array(found).T
    return Pairs(estimate, sd, pairs.dxa, pairs.patients)


def interval_factor(pairs: Pairs) -> float:
    """What the standard deviations are multiplied by so that a new patient's DXA lies in the interval as often as it must.

    The conformal quantile of |estimate - DXA| / SD, where each patient counts once, shared by the hips, and one more patient
    counts as an error without bounds (Lee, Barber and Willett, arXiv 2306.06342: hierarchical conformal prediction). How often:
    `Criteria.coverage`.

    Args:
        pairs: with estimates of fits that did not see the patient.

    Raises:
        ValueError: where there are too few patients for that.
    """
    wanted, patients = load_criteria().coverage, pairs.count_patients
    share = 1.0 / np.bincount(pairs.patients)[pairs.patients]
    score: Floats = np.abs(pairs.estimate - pairs.dxa) / pairs.sd
    order = np.argsort(score)
    place = int(np.searchsorted(np.cumsum(share[order]), wanted * (patients + 1) - 1e-9))
    if place >= len(order):
        fewest = math.ceil(wanted / (1 - wanted) - 1e-9)
        raise ValueError(
            f"{patients} patients do not tell a {100 * wanted:.0f}% interval; expected {fewest} or more. "
            "No calibration was written."
        )
    return float(score[order][place]) / half_width_in_sd()


def _split(pairs: Pairs, folds: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Indices of pairs to fit to and of those to predict, by patient."""
    return GroupKFold(folds, shuffle=True, random_state=seed).split(pairs.estimate, groups=pairs.patients)
