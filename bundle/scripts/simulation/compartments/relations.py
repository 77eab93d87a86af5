"""How what is measured of hips goes with the aBMD that DXA reads of them and with each other, and what a compartment is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import pearsonr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scripts.clinical.anatomy import HIP
from scripts.simulation.compartments.hip import COMPARTMENTS, MEASURES

PEOPLE: Final = {"all": ("F", "M"), "women": ("F",), "men": ("M",)}
"""Whom a figure is of, by name."""
SETS: Final = {
    "outer shape": ("shape",),
    "shape and shaft": ("shape", "shaft"),
    "all geometry": ("shape", "shaft", "neck"),
}
"""Sets of `MEASURES` that are taken together, by the kinds that are in them."""
TOGETHER: Final = (
    "age_years", "cortex_mm", "cortical_mineral_g_cm3", "spongy_mineral_g_cm3", "singh_grade", "strand_number", "marrow_fat",
)  # fmt: skip
"""What is related with one another."""

_FOLDS: Final = 10
_PENALTIES: Final = np.logspace(-2, 3, 11)
_FEWEST: Final = 4
"""People, with fewer of whom Fisher's interval of a correlation has no width."""


@dataclass(frozen=True)
class Relation:
    """How ``what`` goes with the aBMD of a ``site`` ("neck" or "total") among ``people`` (one of `PEOPLE`), ``count`` of them.

    ``r`` is Pearson's, ``low`` and ``high`` its 95% interval by Fisher; NaN where one of the two does not vary.
    """

    what: str
    site: str
    people: str
    count: int
    r: float
    low: float
    high: float


@dataclass(frozen=True)
class Worth:
    """What one SD of a ``compartment`` is worth with all else as it is.

    ``sd`` is its SD among people of one sex and ``sd_of_one_bmd`` that among people of one sex and total-hip aBMD, in percent;
    ``neck`` and ``total`` are by how many percent the first raises aBMD there.
    """

    compartment: str
    sd: float
    sd_of_one_bmd: float
    neck: float
    total: float


def relate(what: str, site: str, people: str, values: Iterable[float], bmd: Iterable[float]) -> Relation:
    """Correlate ``values`` with ``bmd``, g/cm², pair by pair; pairs with NaN are left out."""
    pairs = np.column_stack([np.asarray(list(values), float), np.asarray(list(bmd), float)])
    x, y = pairs[np.isfinite(pairs).all(axis=1)].T
    if len(x) < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Relation(what, site, people, len(x), *(math.nan,) * 3)
    found = pearsonr(x, y)
    low, high = found.confidence_interval(0.95)
    return Relation(what, site, people, len(x), float(found.statistic), float(low), float(high))


def relate_measures(hips: pd.DataFrame) -> list[Relation]:
    """Correlate each of `MEASURES` with the aBMD of each site.

    Args:
        hips: a row a hip, as `measure_hip` gives it.
    """
    return [
        relate(name, site, people, of[name], of[f"{site}_bmd"])
        for name in MEASURES
        for site in HIP.sites
        for people, of in _groups(hips)
    ]


def relate_sets(hips: pd.DataFrame, seed: int = 0) -> list[Relation]:
    """Correlate the aBMD of each site with what ridge regression says of it from each of `SETS`, in 10-fold cross-validation.

    Args:
        hips: a row a hip, as `measure_hip` gives it; those that lack a measure are left out.
        seed: of the folds.
    """
    found = []
    for name, kinds in SETS.items():
        features = [measure for measure, about in MEASURES.items() if about.kind in kinds]
        for people, group in _groups(hips.dropna(subset=features)):
            for site in HIP.sites:
                bmd = group[f"{site}_bmd"].to_numpy()
                model = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))
                folds = KFold(_FOLDS, shuffle=True, random_state=seed)
                told = cross_val_predict(model, group[features].to_numpy(), bmd, cv=folds)
                found.append(relate(name, site, people, told, bmd))
    return found


def weigh(hips: pd.DataFrame) -> list[Worth]:
    """Tell what one SD of each compartment is worth.

    Args:
        hips: a row a hip, as `measure_hip` gives it.
    """
    bmd = _of_one_sex(hips, np.log(hips["total_bmd"]))
    found = []
    for name in COMPARTMENTS:
        compartment = _of_one_sex(hips, np.log(hips[name]))
        slope = float(compartment @ bmd) / float(bmd @ bmd)
        spread = float(compartment.std(ddof=2))
        worth = {site: 100 * math.expm1(float(hips[f"{name}:{site}"].mean()) * spread) for site in HIP.sites}
        found.append(Worth(name, 100 * spread, 100 * float((compartment - slope * bmd).std(ddof=3)), **worth))
    return found


def relate_together(hips: pd.DataFrame) -> pd.DataFrame:
    """Correlate each of `TOGETHER` with each other among people of one sex: both sexes together, each about its own mean."""
    return pd.DataFrame({name: _of_one_sex(hips, hips[name]) for name in TOGETHER}).corr()


def share_in_cortex(hips: pd.DataFrame) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and SD of the part of a site's aBMD that is in the cortex, by site and people."""
    return {
        site: {people: _mean_sd(of[f"cortical_share_{site}"]) for people, of in _groups(hips)}
        for site in HIP.sites
    }  # fmt: skip


def describe(hips: pd.DataFrame) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and SD of each of `MEASURES`, by people."""
    return {name: {people: _mean_sd(of[name]) for people, of in _groups(hips)} for name in MEASURES}


def _groups(hips: pd.DataFrame) -> Sequence[tuple[str, pd.DataFrame]]:
    return [(people, hips[hips["sex"].isin(sexes)]) for people, sexes in PEOPLE.items()]


def _of_one_sex(hips: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Values less the mean of their sex."""
    return values - values.groupby(hips["sex"]).transform("mean")


def _mean_sd(values: pd.Series) -> tuple[float, float]:
    return float(values.mean()), float(values.std())
