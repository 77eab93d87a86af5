"""What of a site's calibration is kept: what makes patients better who took no part in it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from scripts.clinical import load_criteria
from scripts.clinical.anatomy import HIP
from scripts.clinical.calibration import SiteCalibration
from scripts.evaluation.local.agreement import Agreement, measure_agreement
from scripts.evaluation.local.fit import fit_intervals, fit_with_line, predict_unseen
from scripts.evaluation.local.pairs import Pairs

_HARDLY: Final = 0.02
"""By how much of itself the RMSE may rise where a bias is taken out."""


class Kept(StrEnum):
    """What a calibration changes."""

    BOTH = "estimates and intervals"
    INTERVALS = "intervals"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Choice:
    """Of one site.

    kept: what is changed. calibration: that. before: agreement with DXA without it; None where there are too few patients.
    after: with it, of patients that it was not fitted to; as before where nothing is kept. why: a sentence where not all is kept,
    or "".
    """

    kept: Kept
    calibration: SiteCalibration
    before: Agreement | None
    after: Agreement | None
    why: str


def choose(site: str, pairs: Pairs, fewest: int, folds: int, seed: int) -> Choice:
    """Calibrate one site, and keep what cross-validation by patient bears out.

    Line and factor are kept where the cross-validated RMSE is below the present one, or hardly above it while a bias that is no
    chance is at least halved; else the factor alone, where it brings the coverage nearer to what it must be; else nothing.

    Args:
        site: of `HIP.sites`.
        pairs: of it.
        fewest: patients; with fewer nothing is fitted.
        folds: of the cross-validation.
        seed: of folds and bootstrap.
    """
    name, patients = HIP.site_names[site].capitalize(), pairs.count_patients
    if patients < fewest:
        why = f"{name}: {patients} patients have both an answer and DXA; expected {fewest} or more."
        return Choice(Kept.NOTHING, SiteCalibration(), None, None, why)
    before = measure_agreement(pairs, seed)
    fit = partial(fit_with_line, folds=folds, seed=seed)
    lined = measure_agreement(predict_unseen(pairs, fit, folds, seed), seed)
    if _is_better(lined, before):
        return Choice(Kept.BOTH, fit(pairs), before, lined, "")
    why = (
        f"{name}: a line does not make the estimates of other patients better, by an RMSE of {lined.rmse:.4f} g/cm² with it and "
        f"{before.rmse:.4f} without."
    )
    widened = measure_agreement(predict_unseen(pairs, fit_intervals, folds, seed), seed)
    if _off(widened) < _off(before):
        return Choice(Kept.INTERVALS, fit_intervals(pairs), before, widened, why)
    why += f" Nor do other intervals: they hold {widened.coverage:.1%} of the DXA values, the present ones {before.coverage:.1%}."
    return Choice(Kept.NOTHING, SiteCalibration(), before, before, why)


def choose_all(pairs: Mapping[str, Pairs], fewest: int, folds: int, seed: int) -> dict[str, Choice]:
    """Calibrate every site, by name.

    Raises:
        ValueError: where nothing is kept of any.
    """
    chosen = {site: choose(site, of_site, fewest, folds, seed) for site, of_site in pairs.items()}
    if all(choice.kept is Kept.NOTHING for choice in chosen.values()):
        raise ValueError(" ".join([*(choice.why for choice in chosen.values()), "No calibration was written."]))
    return chosen


def _is_better(lined: Agreement, before: Agreement) -> bool:
    low, high = before.bias_ci95
    certain = low > 0 or high < 0
    halved = certain and abs(lined.bias) <= abs(before.bias) / 2 and lined.rmse <= (1 + _HARDLY) * before.rmse
    return lined.rmse < before.rmse or halved


def _off(agreement: Agreement) -> float:
    """How far a coverage is from what it must be."""
    return abs(agreement.coverage - load_criteria().coverage)
