"""The reference population that a bone mineral density is compared with: its young adults (T) and those of one's age (Z)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

REFERENCE_FILE: Final = Path(__file__).with_name("reference_nhanes3.json")


@dataclass(frozen=True)
class People:
    """Mean and standard deviation of the areal BMD of some people at one site, g/cm²."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Ageing:
    """Means and standard deviations of areal BMD, g/cm², at these ages in years; linear between them, constant beyond."""

    ages_years: Sequence[float]
    mean: Sequence[float]
    sd: Sequence[float]

    def at(self, age_years: float) -> People:
        """The people of one age."""
        mean, sd = (float(np.interp(age_years, self.ages_years, values)) for values in (self.mean, self.sd))
        return People(mean, sd)


@dataclass(frozen=True)
class Reference:
    """A reference population.

    Args:
        name: what reports call it.
        source: the publication that the numbers come from.
        young_adults: by sex ("F", "M"), then by site ("neck", "total", ...).
        by_age: by sex, then by site.
    """

    name: str
    source: str
    young_adults: Mapping[str, Mapping[str, People]]
    by_age: Mapping[str, Mapping[str, Ageing]]

    def t_score(self, bmd: float, site: str, sex: str = "F") -> float:
        """How many standard deviations a BMD lies from the young-adult mean: T = (BMD - mean) / SD.

        Args:
            bmd: areal bone mineral density, g/cm².
            site: "neck" (femoral neck) or "total" (total hip).
            sex: whose reference, "F" or "M". The female one serves both sexes unless told otherwise (ISCD).

        Raises:
            ValueError: when the reference has no such site or sex.
        """
        young = self._young(site, sex)
        return (bmd - young.mean) / young.sd

    def z_score(self, bmd: float, site: str, sex: str, age_years: float) -> float:
        """How many standard deviations a BMD lies from the mean of people of the same sex and age: Z = (BMD - mean) / SD.

        Args:
            bmd: areal bone mineral density, g/cm².
            site: "neck" or "total".
            sex: the patient's, "F" or "M".
            age_years: the patient's.

        Raises:
            ValueError: when the reference has no such site or sex.
        """
        try:
            peers = self.by_age[sex][site].at(age_years)
        except KeyError:
            raise self._unknown(site, sex) from None
        return (bmd - peers.mean) / peers.sd

    def bmd(self, t_score: float, site: str, sex: str = "F") -> float:
        """The inverse of `t_score`: the areal BMD, g/cm², that has this T-score."""
        young = self._young(site, sex)
        return young.mean + t_score * young.sd

    def _young(self, site: str, sex: str) -> People:
        try:
            return self.young_adults[sex][site]
        except KeyError:
            raise self._unknown(site, sex) from None

    def _unknown(self, site: str, sex: str) -> ValueError:
        return ValueError(
            f"reference {self.name}: has no people of sex {sex!r} and site {site!r}; expected sex of "
            f"{sorted(self.young_adults)} and site of {sorted(self.by_age['F'])}"
        )


def load_reference(path: Path = REFERENCE_FILE) -> Reference:
    """Read a reference population from its JSON file (NHANES III unless another is given)."""
    content = json.loads(path.read_text(encoding="utf-8"))
    young_adults = {
        sex: {site: People(**numbers) for site, numbers in sites.items()} for sex, sites in content["young_adults"].items()
    }
    ages = content["by_age"]["ages_years"]
    by_age = {
        sex: {site: Ageing(ages, **numbers) for site, numbers in content["by_age"][sex].items()} for sex in sorted(young_adults)
    }
    return Reference(content["name"], content["source"], young_adults, by_age)
