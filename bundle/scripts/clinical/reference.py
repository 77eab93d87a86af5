"""The young-adult reference population that a T-score compares a bone mineral density with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REFERENCE_FILE: Final = Path(__file__).with_name("reference_nhanes3.json")


@dataclass(frozen=True)
class YoungAdults:
    """Mean and standard deviation of the areal BMD of young adults at one site, g/cm²."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Reference:
    """A reference population.

    Args:
        name: what reports call it.
        source: the publication that the numbers come from.
        young_adults: by sex ("F", "M"), then by site ("neck", "total").
    """

    name: str
    source: str
    young_adults: Mapping[str, Mapping[str, YoungAdults]]

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

    def bmd(self, t_score: float, site: str, sex: str = "F") -> float:
        """The inverse of `t_score`: the areal BMD, g/cm², that has this T-score."""
        young = self._young(site, sex)
        return young.mean + t_score * young.sd

    def _young(self, site: str, sex: str) -> YoungAdults:
        try:
            return self.young_adults[sex][site]
        except KeyError:
            raise ValueError(
                f"reference {self.name}: no young adults for sex {sex!r} and site {site!r}; "
                f"expected sex of {sorted(self.young_adults)} and site of {sorted(self.young_adults['F'])}"
            ) from None


def load_reference(path: Path = REFERENCE_FILE) -> Reference:
    """Read a reference population from its JSON file (NHANES III unless another is given)."""
    content = json.loads(path.read_text(encoding="utf-8"))
    young_adults = {
        sex: {site: YoungAdults(**numbers) for site, numbers in sites.items()} for sex, sites in content["young_adults"].items()
    }
    return Reference(content["name"], content["source"], young_adults)
