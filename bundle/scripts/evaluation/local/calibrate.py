"""The command that calibrates the estimates of some weights to a hospital's DXA."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from scripts.clinical.anatomy import HIP
from scripts.clinical.calibration import VERSION
from scripts.evaluation.accuracy.tables import plain
from scripts.evaluation.local.choice import Choice, Kept, choose_all
from scripts.evaluation.local.pairs import pair_with_dxa, study_dates
from scripts.evaluation.local.tables import format_agreement
from scripts.files import replacing
from scripts.screening.ledger import Ledger

FILE_NAME: Final = "calibration.json"


def calibrate(ledger: Ledger, output_dir: str, notice: str, fewest_patients: int = 50, folds: int = 5, seed: int = 0) -> Path:
    """Write calibration.json by what a screen found beside DXA, and print what it changes.

    Nothing in it tells of a single patient.

    Args:
        ledger: of the screen's finished run, without any calibration.
        output_dir: where to; it must exist.
        notice: the sentence that every result carries.
        fewest_patients: of a site, at least 20; with fewer that site stays as it is.
        folds: of the cross-validation by patient, 2 to 10.
        seed: of folds and bootstrap.

    Returns:
        the file.

    Raises:
        ValueError: where no site has enough patients, or none gets better; nothing is written then.
        OSError: where the file cannot be written.
    """
    pairs = pair_with_dxa(ledger)
    chosen = choose_all(pairs, fewest_patients, folds, seed)
    patients = max(pairs[site].count_patients for site, choice in chosen.items() if choice.kept is not Kept.NOTHING)
    dates = study_dates(ledger)
    document = {
        "version": VERSION,
        "notice": notice,
        "weights_sha256": ledger.provenance["weights"]["sha256"],
        "uncertainty_sha256": ledger.provenance["uncertainty"]["sha256"],
        "patients": patients,
        "hips": max(len(of_site.dxa) for of_site in pairs.values()),
        "first_study_date": dates and dates[0],
        "last_study_date": dates and dates[1],
        "folds": folds,
        "sites": {site: _described(choice) for site, choice in chosen.items()},
        "provenance": dict(ledger.provenance),
    }
    file = Path(output_dir) / FILE_NAME
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(plain(document), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    compared = {site: (one.before, one.after) for site, one in chosen.items() if one.before and one.after}
    print(format_agreement(("before", "after, in patients that it was not fitted to"), compared))
    print("\n".join(f"\n{_sentence(site, choice)}" for site, choice in chosen.items()))
    print(f"\nCalibrated by {patients} patients: {file}. It takes effect by: osteoxr screen FOLDER OUT --calibration_file {file}")
    return file


def _described(choice: Choice) -> dict[str, Any]:
    found = asdict(choice)
    return {**found.pop("calibration"), **found}


def _sentence(site: str, choice: Choice) -> str:
    name, made = HIP.site_names[site].capitalize(), choice.calibration
    if choice.kept is Kept.NOTHING:
        return f"{choice.why} It stays as it is."
    width = f"the intervals become {made.sd_factor:.2f} times as wide"
    if choice.kept is Kept.INTERVALS:
        return f"{choice.why} The estimates stay as they are, and {width}."
    return f"{name}: the estimate becomes {made.offset_g_cm2:.3f} g/cm² + {made.slope:.3f} x estimate, and {width}."
