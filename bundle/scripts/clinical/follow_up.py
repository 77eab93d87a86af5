"""Whether the change between two estimates of one hip is more than the error of two radiographs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.clinical.anatomy import HIP

LEAST_SIGNIFICANT: Final = 2.77
"""Times the RMS-SD: a change between two measurements beyond their error with 95% confidence, 1.96 times the root of 2."""


@dataclass(frozen=True)
class Precision:
    """How far repeated radiographs of one hip lie apart with some weights.

    rms_sd: by site, g/cm². degrees_of_freedom: by site. data: of whom: "patients", "simulated" or "partly simulated".
    """

    rms_sd: Mapping[str, float]
    degrees_of_freedom: Mapping[str, int]
    data: str


@dataclass(frozen=True)
class Change:
    """Of one site of one hip from an earlier study to a later one.

    change, least_significant: g/cm²; least_significant and significant are None where the precision is unknown.
    sentence: all of it for a report's reader; it names no date.
    """

    change: float
    least_significant: float | None
    significant: bool | None
    sentence: str


def judge_change(before: float, after: float, side: str, site: str, years: float, precision: Precision | None) -> Change:
    """Compare two estimates of one site of one hip.

    Args:
        before, after: areal BMD, g/cm².
        side: "right" or "left".
        site: "neck" or "total".
        years: between both.
        precision: of the weights that made both; None where it was not measured, and nothing is told of significance.

    Example:
        >>> judge_change(0.800, 0.755, "right", "total", 2.0, Precision({"total": 0.02}, {"total": 30}, "patients")).sentence
        'Right total hip over 2.0 years: -0.045 g/cm²; least significant change 0.055: no change that can be told from error.'
    """
    change = after - before
    measured = f"{side.capitalize()} {HIP.site_names[site].lower()} over {years:.1f} years: {change:+.3f} g/cm²; "
    if precision is None:
        unknown = "how far repeated radiographs lie apart is not known, so that it cannot be told from error."
        return Change(change, None, None, measured + unknown)
    least = LEAST_SIGNIFICANT * precision.rms_sd[site]
    significant = abs(change) >= least
    way = "gain" if change > 0 else "loss"
    verdict = f"a {way} beyond the error of two radiographs." if significant else "no change that can be told from error."
    whose = "" if precision.data == "patients" else f" of {precision.data} radiographs"
    return Change(change, least, significant, f"{measured}least significant change{whose} {least:.3f}: {verdict}")


def load_precision(file: str | Path, weights_sha256: str) -> Precision:
    """Read the precision that an evaluation of repeated radiographs found.

    Args:
        file: the metrics.json that `evaluate` wrote.
        weights_sha256: hash of the weights in use.

    Raises:
        ValueError: where the file cannot be read, is of other weights, or was made without repeated radiographs.
    """
    path = Path(file)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found, weights = content["overall"]["repeatability"], content["provenance"]["weights"]["sha256"]
        precision = Precision(
            {site: found[site]["rms_sd"] for site in HIP.sites},
            {site: found[site]["degrees_of_freedom"] for site in HIP.sites},
            str(content["data"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: holds no precision of repeated radiographs ({type(error).__name__}); expected the metrics.json that "
            "evaluate writes. Nothing was analysed."
        ) from error
    if weights != weights_sha256:
        raise ValueError(
            f"{path}: the precision is of other weights ({weights}) than those in use ({weights_sha256}); expected an evaluation "
            "of these. Nothing was analysed."
        )
    if not all(isinstance(sd, float) and sd > 0 for sd in precision.rms_sd.values()):
        raise ValueError(
            f"{path}: the evaluation had no repeated radiographs of one hip; expected a manifest whose column repeat numbers "
            "them. Nothing was analysed."
        )
    return precision
