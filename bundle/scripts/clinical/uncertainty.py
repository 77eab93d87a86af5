"""How far the estimates of some weights are from DXA: their intervals, the true lowest T-score, and what triage makes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from scripts.clinical.anatomy import HIP
from scripts.clinical.diagnosis import Criteria, load_criteria
from scripts.clinical.fitted_file import read_fitted_file
from scripts.clinical.lowest_t import LowestT
from scripts.clinical.triage import Thresholds, find_thresholds

VERSION: Final = 1
"""Of the file's layout."""

GROUPS: Final = ("with_osteoporosis", "without_osteoporosis")
"""The patients whose probabilities the file keeps."""

_NUMBERS: Final = ("offset", "slope", "logit_slope", "sd_factor")

_UNFITTED: Final = (
    "Intervals and the probability of osteoporosis are as of a normal distribution: how far the estimates of the weights in use "
    "are from DXA {why}. Measure it for them by osteoxr calibrate-uncertainty."
)

_ELSEWHERE: Final = (
    "Probability of osteoporosis and triage are as of a normal distribution about the T-score that is told here, after a local "
    "calibration or by young men: how often they are right was measured without these."
)


@dataclass(frozen=True)
class Uncertainty:
    """Of some weights.

    quantiles: by site, the (low, high) between which (DXA - estimate) / SD of new patients lies as often as `Criteria.coverage`
    says. lowest_t: of the true lowest T-score; None where that is as the interval of the estimate says. thresholds: of triage, at
    the ``prevalence`` of osteoporosis, 0..1, which is None where they were not measured. patients: by whom it was measured; None
    where it was not. sha256: of the file; None where there is none. notes: what every result must tell of it.
    """

    quantiles: Mapping[str, tuple[float, float]]
    lowest_t: LowestT | None
    thresholds: Thresholds
    prevalence: float | None
    patients: int | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()

    def interval(self, site: str, bmd: float, sd: float) -> tuple[float, float]:
        """The (low, high) between which the DXA of a new patient lies, g/cm².

        Args:
            site: "neck" or "total".
            bmd: the estimate, g/cm².
            sd: its standard deviation, g/cm².
        """
        low, high = self.quantiles[site]
        return (bmd + low * sd, bmd + high * sd)

    def true_lowest_t(self, site: str, criteria: Criteria) -> LowestT:
        """How the lowest estimated T-score, which is of a site, tells of the true one."""
        if self.lowest_t:
            return self.lowest_t
        low, high = self.quantiles[site]
        normal_low, normal_high = criteria.normal_quantiles
        return LowestT(sd_factor=(high - low) / (normal_high - normal_low))

    def elsewhere(self, criteria: Criteria) -> Uncertainty:
        """The same where T-scores are others than those that it was measured for.

        Intervals stay, the true lowest T-score is as they say, and what triage makes of it was not measured.
        """
        if self.lowest_t is None:
            return self
        thresholds = Thresholds(criteria.likely_at_least, criteria.unlikely_below)
        return replace(self, lowest_t=None, thresholds=thresholds, prevalence=None, notes=(*self.notes, _ELSEWHERE))

    def describe(self) -> dict[str, Any]:
        """What a result's provenance holds of it."""
        return {
            "sha256": self.sha256,
            "patients": self.patients,
            "quantiles": {site: list(ends) for site, ends in self.quantiles.items()},
            "lowest_t": asdict(self.lowest_t) if self.lowest_t else None,
            "prevalence": self.prevalence,
            **asdict(self.thresholds),
        }


def load_uncertainty(
    file: str | Path | None = None,
    weights_sha256: str | None = None,
    prevalence: float | None = None,
    criteria: Criteria | None = None,
) -> Uncertainty:
    """Read how far the estimates of the weights in use are from DXA.

    Args:
        file: as the command calibrate-uncertainty writes it; None for none.
        weights_sha256: hash of the weights in use; None to take the file as it is.
        prevalence: of osteoporosis among those who are screened, above 0 and below 1; that of the criteria if None.
        criteria: what intervals and triage must keep; the shipped `diagnosis.json` if None.

    Returns:
        that of a normal distribution, with a sentence that says so, where there is no file, or it is of other weights.

    Raises:
        ValueError: where the file cannot be read, or has what it cannot have: field, value and what was expected are named; or
            where a prevalence is given that would have no effect.
    """
    criteria = criteria or load_criteria()
    if file is None:
        return _unfitted(criteria, prevalence, "was not measured")
    content, sha256 = read_uncertainty(file, criteria)
    if weights_sha256 not in (None, content["weights_sha256"]):
        return _unfitted(criteria, prevalence, "was measured for other weights")
    prevalence = criteria.prevalence if prevalence is None else prevalence
    probabilities = content["probabilities"]
    return Uncertainty(
        quantiles={site: (found["low"], found["high"]) for site, found in content["sites"].items()},
        lowest_t=LowestT(**{key: content["lowest_t"][key] for key in _NUMBERS}),
        thresholds=find_thresholds(
            with_osteoporosis=probabilities["with_osteoporosis"],
            without_osteoporosis=probabilities["without_osteoporosis"],
            prevalence=prevalence,
            ppv_at_least=criteria.ppv_at_least,
            npv_at_least=criteria.npv_at_least,
        ),
        prevalence=prevalence,
        patients=content["patients"],
        sha256=sha256,
    )


def read_uncertainty(file: str | Path, criteria: Criteria) -> tuple[dict[str, Any], str]:
    """Read the whole content of such a file, and its SHA-256.

    Args:
        file: as the command calibrate-uncertainty writes it.
        criteria: whose coverage its intervals must have.

    Raises:
        ValueError: see `load_uncertainty`.
    """
    content, sha256 = read_fitted_file(file, "how far the estimates are from DXA", "osteoxr calibrate-uncertainty")
    if fault := _fault(content, criteria):
        raise ValueError(f"{file}: {fault}, as osteoxr calibrate-uncertainty writes it. Nothing was analysed.")
    return content, sha256


def _unfitted(criteria: Criteria, prevalence: float | None, why: str) -> Uncertainty:
    if prevalence is not None:
        raise ValueError(
            f"prevalence is {prevalence:g}, but how far the estimates of the weights in use are from DXA {why}, so it would "
            "change nothing; name their file by --uncertainty_file, or leave the prevalence out. Nothing was analysed."
        )
    return Uncertainty(
        quantiles=dict.fromkeys(HIP.sites, criteria.normal_quantiles),
        lowest_t=None,
        thresholds=Thresholds(criteria.likely_at_least, criteria.unlikely_below),
        prevalence=None,
        notes=(_UNFITTED.format(why=why),),
    )


def _fault(content: Any, criteria: Criteria) -> str:
    """What a file has that it cannot have, and what was expected; "" where it is as it must be."""
    if not isinstance(content, dict) or content.get("version") != VERSION:
        found = content.get("version") if isinstance(content, dict) else content
        return f"version is {found!r}; expected {VERSION}"
    weights, patients = content.get("weights_sha256"), content.get("patients")
    if not isinstance(weights, str):
        return f"weights_sha256 is {weights!r}; expected a SHA-256"
    if not isinstance(patients, int) or isinstance(patients, bool) or patients < 1:
        return f"patients is {patients!r}; expected a whole number from 1"
    if content.get("coverage") != criteria.coverage:
        return f"coverage is {content.get('coverage')!r}; expected {criteria.coverage:g}, as the intervals of all results have"
    return _fault_of_sites(content.get("sites")) or _fault_of_lowest_t(content.get("lowest_t")) or _fault_of_groups(content)


def _fault_of_sites(sites: Any) -> str:
    if not isinstance(sites, dict) or set(sites) != set(HIP.sites):
        return f"sites is {sorted(sites) if isinstance(sites, dict) else sites!r}; expected {' and '.join(HIP.sites)}"
    for site, found in sites.items():
        for key in ("low", "high"):
            number = found.get(key) if isinstance(found, dict) else None
            if not _is_number(number):
                return f"{key} of {site} is {number!r}; expected a number"
        if not found["low"] <= 0 <= found["high"] or found["low"] == found["high"]:
            return f"low and high of {site} are {found['low']:g} and {found['high']:g}; expected 0 or less and 0 or more"
    return ""


def _fault_of_lowest_t(lowest_t: Any) -> str:
    numbers = lowest_t if isinstance(lowest_t, dict) else {}
    for key in _NUMBERS:
        if not _is_number(numbers.get(key)):
            return f"{key} of lowest_t is {numbers.get(key)!r}; expected a number"
    if numbers["slope"] < 0 or numbers["logit_slope"] > 0 or numbers["sd_factor"] <= 0:
        found = ", ".join(f"{key} {numbers[key]:g}" for key in _NUMBERS[1:])
        return f"lowest_t has {found}; expected a slope of 0 or more, a logit_slope of 0 or less, an sd_factor above 0"
    return ""


def _fault_of_groups(content: Mapping[str, Any]) -> str:
    groups = content.get("probabilities")
    for group in GROUPS:
        values = groups.get(group) if isinstance(groups, dict) else None
        if not isinstance(values, list) or not values:
            return f"probabilities {group} is {values!r}; expected a list of one probability or more"
        for value in values:
            if not (_is_number(value) and 0 <= value <= 1):
                return f"probabilities {group} has {value!r}; expected numbers from 0 to 1"
    return ""


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False
