"""The command that measures how far the estimates of some weights are from DXA, and writes it beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from scripts.clinical import HIP, LowestT, Thresholds, Triage, find_thresholds, load_criteria
from scripts.clinical.uncertainty import GROUPS, VERSION
from scripts.evaluation.accuracy.metrics import data_kind
from scripts.evaluation.accuracy.tables import plain
from scripts.evaluation.local.pairs import Pairs, pair_with_dxa, study_dates
from scripts.evaluation.statistics.agreement import Floats
from scripts.evaluation.statistics.discrimination import brier_score
from scripts.evaluation.uncertainty.fit import apply_unseen, fit_lowest_t, fit_quantiles, predict_osteoporosis
from scripts.evaluation.uncertainty.patients import Patients, gather_patients
from scripts.evaluation.uncertainty.tables import describe_coverage, format_coverage, measure_coverage
from scripts.files import replacing
from scripts.screening.ledger import Ledger

FILE_NAME: Final = "uncertainty.json"

_DECIMALS: Final = 4
"""Of the probabilities that are kept."""


def calibrate_uncertainty(
    ledger: Ledger, output_dir: str, notice: str, fewest_patients: int = 50, folds: int = 5, seed: int = 0
) -> Path:
    """Write uncertainty.json by what a screen found beside DXA, and print what it changes.

    No name, ID or pseudonym is in it.

    Args:
        ledger: of the screen's finished run, with intervals as of a normal distribution and without any local calibration.
        output_dir: where to; it must exist.
        notice: the sentence that every result carries.
        fewest_patients: of each site, and with a T-score; at least 20.
        folds: of the cross-validation by patient, 2 to 10.
        seed: of the folds.

    Returns:
        the file.

    Raises:
        ValueError: where there are too few patients; nothing is written then.
        OSError: where the file cannot be written.
    """
    pairs, patients = pair_with_dxa(ledger), gather_patients(ledger)
    _check_numbers(pairs, patients, fewest_patients)
    try:
        quantiles = {site: fit_quantiles(of_site) for site, of_site in pairs.items()}
        unseen = {site: apply_unseen(of_site, folds, seed) for site, of_site in pairs.items()}
    except ValueError as error:
        raise ValueError(f"{error} No uncertainty was written.") from error
    coverage = {site: measure_coverage(of_site, unseen[site]) for site, of_site in pairs.items()}
    lowest_t = fit_lowest_t(patients)
    probability = predict_osteoporosis(patients, folds, seed).round(_DECIMALS)
    dates = study_dates(ledger)
    document = {
        "version": VERSION,
        "notice": notice,
        "weights_sha256": ledger.provenance["weights"]["sha256"],
        "patients": len(patients),
        "data": data_kind(hospital for of_site in pairs.values() for hospital in of_site.hospitals.tolist()),
        "first_study_date": dates and dates[0],
        "last_study_date": dates and dates[1],
        "coverage": load_criteria().coverage,
        "folds": folds,
        "sites": {
            site: {"low": low, "high": high, "coverage": describe_coverage(coverage[site])}
            for site, (low, high) in quantiles.items()
        },
        "lowest_t": asdict(lowest_t),
        "probabilities": {
            group: np.sort(probability[mask]).tolist()
            for group, mask in zip(GROUPS, (patients.positive, ~patients.positive), strict=True)
        },
        "provenance": dict(ledger.provenance),
    }
    file = Path(output_dir) / FILE_NAME
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(plain(document), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    print(format_coverage(coverage))
    print("\n" + "\n".join(_sentences(quantiles, lowest_t, patients, probability)))
    print(
        f"\nMeasured by {len(patients)} patients: {file}. It takes effect by: osteoxr screen FOLDER OUT --uncertainty_file {file}"
    )
    return file


def _check_numbers(pairs: Mapping[str, Pairs], patients: Patients, fewest: int) -> None:
    counts = {HIP.site_names[site].capitalize(): of_site.count_patients for site, of_site in pairs.items()}
    counts["Lowest T-score"] = len(patients)
    if few := [f"{name}: {count} patients have both an answer and DXA." for name, count in counts.items() if count < fewest]:
        raise ValueError(f"{' '.join(few)} Expected {fewest} or more of each. No uncertainty was written.")
    if patients.positive.all() or not patients.positive.any():
        with_it = "all" if patients.positive.all() else "none"
        raise ValueError(
            f"Of {len(patients)} patients {with_it} have osteoporosis by DXA; expected some with it and some without. "
            "No uncertainty was written."
        )


def _sentences(
    quantiles: Mapping[str, tuple[float, float]], lowest_t: LowestT, patients: Patients, probability: Floats
) -> list[str]:
    criteria = load_criteria()
    ends = [
        f"{HIP.site_names[site].capitalize()}: DXA lies within {high:.2f} SD of the estimate."
        for site, (_, high) in quantiles.items()
    ]
    positive = patients.positive
    thresholds = find_thresholds(
        probability[positive].tolist(),
        probability[~positive].tolist(),
        criteria.prevalence,
        criteria.ppv_at_least,
        criteria.npv_at_least,
    )
    before = patients.probabilities(LowestT())
    brier = [f"{brier_score(told, positive):.4f}" for told in (before, probability)]
    return [
        *ends,
        f"Lowest T-score: normal, mean {lowest_t.offset:+.3f} + {lowest_t.slope:.3f} x estimate {lowest_t.logit_slope:+.3f} x "
        f"logit of the classifier's probability, SD x {lowest_t.sd_factor:.2f}. Brier score of osteoporosis, {positive.sum()} of "
        f"{len(patients)} patients: {brier[0]} by the estimate alone, {brier[1]} now, in patients that it was not fitted to.",
        _advice(thresholds, probability, criteria.prevalence),
    ]


def _advice(thresholds: Thresholds, probability: Floats, prevalence: float) -> str:
    said = [thresholds.advise(float(value)) for value in probability]
    counts = ", ".join(f"{said.count(advice)} {advice}" for advice in Triage)
    likely = "never" if thresholds.likely_at_least is None else f"from {thresholds.likely_at_least:.4f} on"
    unlikely = "never" if thresholds.unlikely_below is None else f"below {thresholds.unlikely_below:.4f}"
    return f"Triage at a prevalence of {prevalence:.1%}: likely {likely}, unlikely {unlikely}. These patients: {counts}."
