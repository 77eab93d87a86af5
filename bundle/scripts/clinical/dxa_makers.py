"""The scales of DXA's makers: the same hip has another BMD on each, and published formulas lead from one to another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from scripts.clinical.anatomy import HIP
from scripts.clinical.findings import Quantity, Source

DXA_MAKERS_FILE: Final = Path(__file__).with_name("dxa_makers.json")


class Maker(StrEnum):
    """Whose scale a BMD is on."""

    HOLOGIC = "hologic"
    LUNAR = "lunar"
    STANDARDISED = "standardised"


OURS: Final = Maker.HOLOGIC
"""Of the estimates, and of the reference of T-scores: NHANES III was scanned with Hologic's."""


@dataclass(frozen=True)
class Scale:
    """The scale of one maker.

    Args:
        title: what reports call it.
        lines: by site ("neck", "total"), a (g/cm²) and b of: standardised BMD = a + b BMD.
    """

    title: str
    lines: Mapping[str, tuple[float, float]]


def convert_bmd(bmd: float, site: str, of: str, to: str) -> float:
    """Take an areal BMD of the hip from the scale of one maker to another's, by way of the standardised BMD.

    Args:
        bmd: g/cm², also the standardised one; NaN stays NaN.
        site: "neck" or "total".
        of: the `Maker` whose scale it is on.
        to: the one whose scale is asked for.

    Returns:
        g/cm².

    Raises:
        ValueError: for another site or maker.

    Example:
        >>> round(convert_bmd(0.942, "total", "hologic", "lunar"), 3)
        1.008
    """
    if site not in HIP.sites:
        raise ValueError(f"{site!r} is no site with a formula between makers of DXA; expected one of {', '.join(HIP.sites)}.")
    if Maker(of) is Maker(to):
        return bmd
    (a, b), (a_to, b_to) = (_scales()[Maker(maker)].lines[site] for maker in (of, to))
    return (a + b * bmd - a_to) / b_to


def quantities_on_scale(maker: str) -> dict[str, Quantity]:
    """By site, the quantity that tells a hip's estimate on the scale of a maker; none where it is the estimates' own.

    Raises:
        ValueError: for an unknown maker.
    """
    if Maker(maker) is OURS:
        return {}
    title = _scales()[Maker(maker)].title
    return {
        site: Quantity(
            f"{site}_bmd_{maker}_g_cm2",
            "g/cm2",
            f"{HIP.site_names[site]}: the estimated areal bone mineral density on the scale of {title}, by published formulas; "
            "T-scores are not of it",
            source=Source.MEASURED,
            decimals=4,
        )
        for site in HIP.sites
    }


@cache
def _scales() -> Mapping[Maker, Scale]:
    content = json.loads(DXA_MAKERS_FILE.read_text(encoding="utf-8"))["scales"]
    return {
        Maker(name): Scale(scale["title"], {site: (scale[site]["a"], scale[site]["b"]) for site in HIP.sites})
        for name, scale in content.items()
    }
