"""The command that tells, by a newer folder with DXA, whether a hospital's calibration still holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from scripts.clinical.anatomy import HIP
from scripts.clinical.calibration import read_calibration
from scripts.evaluation.accuracy.tables import plain
from scripts.evaluation.local.agreement import Agreement, Interval, measure_agreement
from scripts.evaluation.local.pairs import Pairs, pair_with_dxa, study_dates
from scripts.evaluation.local.tables import format_agreement
from scripts.files import replacing
from scripts.screening.ledger import Ledger

FILE_NAME: Final = "drift.json"

_WORDS: Final = {
    "bias": "estimate - DXA, g/cm²,",
    "slope": "slope of DXA on the estimate",
    "coverage": "coverage of the intervals",
}


@dataclass(frozen=True)
class Change:
    """Of one figure of one site since the calibration.

    figure: "bias" (g/cm²), "slope" or "coverage" (0..1), see `Agreement`. then, now: its value. difference: now - then, with its
    95% interval. drifted: whether the interval is without 0, and the difference of consequence.
    """

    site: str
    figure: str
    then: float
    now: float
    difference: float
    difference_ci95: Interval
    drifted: bool


def check_calibration(
    ledger: Ledger,
    expected: Mapping[str, Agreement],
    output_dir: str,
    notice: str,
    consequence: Mapping[str, float],
    fewest_patients: int = 20,
    seed: int = 0,
) -> list[Change]:
    """Compare the agreement with DXA of calibrated estimates with what the calibration had found, write drift.json, and print it.

    Args:
        ledger: of the finished run of a screen that applied the calibration.
        expected: what that calibration had found, see `read_expected`.
        output_dir: where to; it must exist.
        notice: the sentence that every result carries.
        consequence: differences that matter, of "bias" (g/cm²), "slope" and "coverage".
        fewest_patients: of a site, at least 3; one with fewer is not compared.
        seed: of the bootstrap.

    Raises:
        ValueError: where no site has enough patients.
        OSError: where the file cannot be written.
    """
    known = {site: of_site for site, of_site in pair_with_dxa(ledger).items() if site in expected}
    enough = {site: of_site for site, of_site in known.items() if of_site.count_patients >= fewest_patients}
    if not enough:
        counts = ", ".join(f"{HIP.site_names[site]} {of_site.count_patients}" for site, of_site in known.items())
        raise ValueError(
            f"Too few patients have both an answer and DXA ({counts or 'none of a site that was calibrated'}); expected "
            f"{fewest_patients} or more of a site. The calibration was not checked."
        )
    now = {site: measure_agreement(of_site, seed) for site, of_site in enough.items()}
    changes = [change for site, found in now.items() for change in compare(site, expected[site], found, consequence)]
    drifted = [change for change in changes if change.drifted]
    dates = study_dates(ledger)
    document = {
        "notice": notice,
        "verdict": "recalibrate" if drifted else "holds",
        "first_study_date": dates and dates[0],
        "last_study_date": dates and dates[1],
        "consequence": dict(consequence),
        "changes": [asdict(change) for change in changes],
        "now": {site: asdict(found) for site, found in now.items()},
        "provenance": dict(ledger.provenance),
    }
    file = Path(output_dir) / FILE_NAME
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(plain(document), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    print(format_agreement(("at calibration", "now"), {site: (expected[site], found) for site, found in now.items()}))
    print("\n" + "\n".join(map(_sentence, changes)))
    print(f"\n{_verdict(drifted, enough, consequence)} Numbers: {file}")
    return changes


def read_expected(calibration_file: str) -> dict[str, Agreement]:
    """What a calibration had found of patients that it was not fitted to, by site; sites with too few patients have none.

    Raises:
        ValueError: where the file is no calibration, or does not tell.
    """
    content, _ = read_calibration(calibration_file)
    expected = {}
    for site, found in content["sites"].items():
        after = found.get("after", {})
        if after is None:
            continue
        if missing := [field.name for field in fields(Agreement) if after.get(field.name) is None]:
            raise ValueError(
                f"{calibration_file}: does not tell {missing[0]} of {site} after calibration; expected a file that osteoxr "
                "calibrate wrote. Nothing was analysed."
            )
        figures: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in after.items()}
        expected[site] = Agreement(**figures)
    return expected


def compare(site: str, then: Agreement, now: Agreement, consequence: Mapping[str, float]) -> list[Change]:
    """Compare each figure of a site that is among ``consequence`` with what it was in other patients."""
    return [_compare(site, figure, asdict(then), asdict(now), least) for figure, least in consequence.items()]


def _compare(site: str, figure: str, then: Mapping[str, Any], now: Mapping[str, Any], least: float) -> Change:
    difference = now[figure] - then[figure]
    low, high = difference_interval(then[figure], then[f"{figure}_ci95"], now[figure], now[f"{figure}_ci95"])
    drifted = (low > 0 or high < 0) and abs(difference) >= least
    return Change(site, figure, then[figure], now[figure], difference, (low, high), drifted)


def difference_interval(then: float, then_ci95: Interval, now: float, now_ci95: Interval) -> Interval:
    """The 95% interval of now - then, of independent patients, by the interval of each.

    Source: Zou and Donner, Stat Med 2008;27:1693.
    """
    difference = now - then
    below = math.hypot(now - now_ci95[0], then_ci95[1] - then)
    above = math.hypot(now_ci95[1] - now, then - then_ci95[0])
    return difference - below, difference + above


def _sentence(change: Change) -> str:
    low, high = change.difference_ci95
    return (
        f"{HIP.site_names[change.site].capitalize()}: {_WORDS[change.figure]} was {change.then:.3f} and is {change.now:.3f}; "
        f"difference {change.difference:+.3f} (95% interval {low:+.3f} to {high:+.3f})."
    )


def _verdict(drifted: list[Change], enough: Mapping[str, Pairs], consequence: Mapping[str, float]) -> str:
    if drifted:
        which = " and ".join(f"{_WORDS[change.figure].rstrip(',')} ({HIP.site_names[change.site]})" for change in drifted)
        return f"Recalibrate: {which} changed by more than chance and by as much as matters."
    matter = ", ".join(f"{_WORDS[figure].rstrip(',')} {least:g}" for figure, least in consequence.items())
    patients = max(of_site.count_patients for of_site in enough.values())
    return (
        f"The calibration holds, as far as {patients} patients tell: nothing changed by more than chance and by as much as "
        f"matters ({matter})."
    )
