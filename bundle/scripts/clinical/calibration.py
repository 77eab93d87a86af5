"""A hospital's own calibration: how the estimates of some weights become what the DXA of that hospital says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.clinical.anatomy import HIP
from scripts.clinical.fitted_file import read_fitted_file

VERSION: Final = 2
"""Of the file's layout."""

SLOPES: Final = (0.5, 2.0)
"""Least and greatest slope: one beyond them says that the estimates do not follow this hospital's DXA at all."""

LEAST_BMD: Final = 0.1
"""g/cm². No hip has less, see the manifest's range of DXA; a line that goes lower is not followed."""

_NUMBERS: Final = ("offset_g_cm2", "slope", "sd_factor")


@dataclass(frozen=True)
class SiteCalibration:
    """Of one site: BMD becomes offset + slope x BMD, its standard deviation sd_factor x itself.

    offset_g_cm2: at BMD 0. slope: of DXA on the estimate, within `SLOPES`. sd_factor: above 0.
    """

    offset_g_cm2: float = 0.0
    slope: float = 1.0
    sd_factor: float = 1.0

    def apply(self, bmd: float, sd: float) -> tuple[float, float]:
        """The calibrated BMD and its standard deviation, g/cm²; not below `LEAST_BMD`."""
        return max(self.offset_g_cm2 + self.slope * bmd, LEAST_BMD), self.sd_factor * sd

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self != SiteCalibration()


@dataclass(frozen=True)
class Calibration:
    """Of all sites.

    sites: by name; the others stay as they are. patients: by whose radiographs and DXA it was made. sha256: of its file.
    """

    sites: Mapping[str, SiteCalibration]
    patients: int
    sha256: str

    def apply(self, site: str, bmd: float, sd: float) -> tuple[float, float]:
        """The calibrated BMD of a site and its standard deviation, g/cm²."""
        return self.sites.get(site, SiteCalibration()).apply(bmd, sd)

    @property
    def note(self) -> str:
        """The sentence that every result carries which it changed."""
        changed = "; ".join(
            f"{HIP.site_names[site]}: {one.offset_g_cm2:.3f} g/cm² + {one.slope:.3f} x estimate, SD x {one.sd_factor:.2f}"
            for site, one in self.sites.items()
            if one.changes
        )
        return f"A local calibration by the radiographs and DXA of {self.patients} patients was applied ({changed})."

    def describe(self) -> dict[str, Any]:
        """What a result's provenance holds of it."""
        return {"patients": self.patients, "sha256": self.sha256, "sites": {site: vars(one) for site, one in self.sites.items()}}


def load_calibration(file: str | Path | None, weights_sha256: str, uncertainty_sha256: str | None) -> Calibration | None:
    """Read a hospital's calibration for the weights in use.

    Args:
        file: as the command `calibrate` writes it; None for none.
        weights_sha256: hash of the weights in use.
        uncertainty_sha256: hash of the file of their uncertainty, whose intervals a calibration widens or narrows; None where
            intervals are as of a normal distribution.

    Raises:
        ValueError: where the file cannot be read, is no calibration, or is one of other weights or of other intervals.
    """
    if file is None:
        return None
    content, sha256 = read_calibration(file)
    if content["weights_sha256"] != weights_sha256:
        raise ValueError(
            f"{file}: is a calibration of the weights {content['weights_sha256'][:12]}..., but those in use are "
            f"{weights_sha256[:12]}...; name its weights by --checkpoint, or make it anew by osteoxr calibrate. Nothing was "
            "analysed."
        )
    if content["uncertainty_sha256"] != uncertainty_sha256:
        made, used = (
            f"those of {sha[:12]}..." if sha else "normal ones" for sha in (content["uncertainty_sha256"], uncertainty_sha256)
        )
        raise ValueError(
            f"{file}: widens or narrows other intervals ({made}) than those in use ({used}); name theirs by --uncertainty_file, "
            "or make it anew by osteoxr calibrate. Nothing was analysed."
        )
    sites = {site: SiteCalibration(**{key: found[key] for key in _NUMBERS}) for site, found in content["sites"].items()}
    return Calibration(sites, content["patients"], sha256)


def read_calibration(file: str | Path) -> tuple[dict[str, Any], str]:
    """Read the whole content of a calibration file, and its SHA-256.

    Raises:
        ValueError: where it cannot be read, or is no calibration.
    """
    content, sha256 = read_fitted_file(file, "the local calibration", "osteoxr calibrate")
    if fault := _fault(content):
        raise ValueError(f"{file}: {fault}; expected a local calibration, as osteoxr calibrate writes it. Nothing was analysed.")
    return content, sha256


def _fault(content: Any) -> str:
    """What a file has that is no calibration; "" where it is one."""
    if not isinstance(content, dict) or content.get("version") != VERSION:
        return f"is no calibration of version {VERSION}"
    if not isinstance(content.get("weights_sha256"), str) or not isinstance(content.get("patients"), int):
        return "does not say of which weights and of how many patients it is"
    if not isinstance(content.get("uncertainty_sha256", 0), (str, type(None))):
        return "does not say which intervals it widens or narrows"
    sites = content.get("sites")
    if not isinstance(sites, dict) or not set(sites) <= set(HIP.sites):
        return f"'sites' are not {' and '.join(HIP.sites)}"
    for site, found in sites.items():
        numbers = [found.get(key) if isinstance(found, dict) else None for key in _NUMBERS]
        for key, number in zip(_NUMBERS, numbers, strict=True):
            if not isinstance(number, (int, float)) or not math.isfinite(number):
                return f"{key} of {site} is {number!r} and no number"
        if not (SLOPES[0] <= found["slope"] <= SLOPES[1] and found["sd_factor"] > 0):
            return f"slope and sd_factor of {site} are {found['slope']:g} and {found['sd_factor']:g}"
    return ""
