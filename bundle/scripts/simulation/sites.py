"""The hospitals of a simulated cohort: how each exposes, detects, processes and marks its radiographs, and whom it sees."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from scripts.simulation.physics.processing import ALL_STYLES, Style, vary
from scripts.simulation.physics.xray import Exposure

SITES_FILE: Final = Path(__file__).with_name("sites.json")

Range = tuple[float, float]
"""Lowest and highest value, both drawn."""

_MARKERS: Final = ("right", "left", "")
_LIMITS: Final[dict[str, Range]] = {
    "kvp": (50, 90), "filtration": (0, 10), "copper": (0, 1), "anode_angle": (6, 25), "focal_spot": (0.1, 3), "heel": (-0.5, 0.5),
    "grid_primary": (0.3, 1), "grid_scatter": (0, 1), "scintillator": (0.02, 1), "detector_blur": (0, 1), "dose": (0.1, 50),
    "electronic": (0, 10), "saturation": (1, 1000), "source_detector": (800, 2000), "object_detector": (20, 400),
    "detector_spacing": (0.05, 1), "collimated": (0, 1), "white_border": (0, 1), "one_hip": (0, 1), "frog_leg": (0, 1),
    "age_mean": (18, 110), "age_sd": (0, 40), "women": (0, 1), "bmi_shift": (-10, 20),
}  # fmt: skip


@dataclass(frozen=True)
class Technique:
    """The ranges that a site's exposures are drawn from; names, units and meaning are those of ``Exposure``.

    What belongs to the machine (copper filter, anode, scintillator) has one value; tube voltage is drawn in whole kV, aluminium
    in half millimetres, so that few spectra have to be computed.
    """

    kvp: Range
    filtration: Range
    copper: float
    anode_angle: float
    focal_spot: Range
    heel: Range
    grid_primary: Range
    grid_scatter: Range
    scintillator: float
    detector_blur: Range
    dose: Range
    electronic: Range
    saturation: Range

    def draw(self, rng: np.random.Generator) -> Exposure:
        """Draw one exposure; dose, noise and saturation evenly in their logarithm."""
        even = {name: float(rng.uniform(*getattr(self, name))) for name in ("focal_spot", "heel", "detector_blur")}
        even |= {name: float(rng.uniform(*getattr(self, name))) for name in ("grid_primary", "grid_scatter")}
        scaled = {name: float(np.exp(rng.uniform(*np.log(getattr(self, name))))) for name in ("dose", "electronic", "saturation")}
        return Exposure(
            kvp=float(rng.integers(round(self.kvp[0]), round(self.kvp[1]) + 1)),
            filtration=float(round(2 * rng.uniform(*self.filtration)) / 2),
            copper=self.copper,
            anode_angle=self.anode_angle,
            scintillator=self.scintillator,
            **even,
            **scaled,
        )


@dataclass(frozen=True)
class Habits:
    """How a site takes and shows its radiographs.

    Distances ``source_detector`` and ``object_detector`` (hips to detector) in mm, ``detector_spacing``: the pixel spacings in mm
    of its detectors; ``styles``: share of radiographs by name of vendor style. Shares of radiographs with a collimated border
    (``collimated``), of borders shown white (``white_border``), of markers by side ("right", "left", "" for none), of one hip
    alone (``one_hip``) and of frog-leg views; ``dates``: first and last day of its studies.
    """

    source_detector: Range
    object_detector: Range
    detector_spacing: tuple[float, ...]
    styles: Mapping[str, float]
    collimated: float
    white_border: float
    marker: Mapping[str, float]
    one_hip: float
    frog_leg: float
    dates: tuple[date, date]

    def draw_style(self, rng: np.random.Generator) -> Style:
        """Draw a vendor style, and vary it as it varies between radiographs."""
        return vary(ALL_STYLES[_drawn(self.styles, rng)], rng)

    def draw_marker(self, rng: np.random.Generator) -> str:
        """Draw the side of the lead marker: "right", "left", or "" for none."""
        return _drawn(self.marker, rng)

    def draw_date(self, rng: np.random.Generator) -> date:
        """Draw a day of study."""
        first, last = self.dates
        return first + timedelta(days=int(rng.integers(0, (last - first).days + 1)))


@dataclass(frozen=True)
class Population:
    """Whom a site sees: mean and SD of age in years, share of ``women``, and ``bmi_shift`` (kg/m²) against the general
    population."""

    age_mean: float
    age_sd: float
    women: float
    bmi_shift: float


@dataclass(frozen=True)
class Site:
    """One hospital. A network never trains on an ``external`` one."""

    name: str
    external: bool
    exposure: Technique
    habits: Habits
    population: Population


def load_sites(path: str | os.PathLike[str] = SITES_FILE) -> dict[str, Site]:
    """Read the sites of a JSON file, by name.

    Args:
        path: of a file like ``sites.json`` beside this module.

    Raises:
        ValueError: a field is missing, unknown or out of its range, a range runs backwards, shares do not sum to 1, or a style or
            marker is unknown; the message names file, site, field, value and what was expected.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({error}). No site was loaded.") from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: holds {type(content).__name__}; expected an object with one member for each site.")
    return {name: _site(f"{path}: site {name}", name, value) for name, value in content.items()}


def _site(where: str, name: str, value: Any) -> Site:
    # "film" is a word of the file: its hash tells whether a cohort may be gone on with, so the file stays as it is.
    groups = _members(where, "", value, ("external", "exposure", "film", "population"))
    if not isinstance(groups["external"], bool):
        raise _wrong(where, "external", groups["external"], "true or false")
    technique, habits, population = (
        _group(where, key, groups[key], kind)
        for key, kind in (("exposure", Technique), ("film", Habits), ("population", Population))
    )
    return Site(name, groups["external"], Technique(**technique), Habits(**habits), Population(**population))


def _group(where: str, key: str, value: Any, kind: type) -> dict[str, Any]:
    members = _members(where, key, value, tuple(part.name for part in fields(kind)))
    result: dict[str, Any] = {}
    for part in fields(kind):
        field, found = f"{key}.{part.name}", members[part.name]
        if part.type is Range:
            result[part.name] = _range(where, field, found, _LIMITS[part.name])
        elif part.type is float:
            result[part.name] = _number(where, field, found, _LIMITS[part.name])
        elif part.name == "detector_spacing":
            if not isinstance(found, list) or not found:
                raise _wrong(where, field, found, "a list of spacings in mm")
            result[part.name] = tuple(_number(where, field, spacing, _LIMITS[part.name]) for spacing in found)
        elif part.name == "dates":
            result[part.name] = _dates(where, field, found)
        else:
            result[part.name] = _shares(where, field, found, tuple(ALL_STYLES) if part.name == "styles" else _MARKERS)
    return result


def _members(where: str, key: str, value: Any, expected: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(expected):
        found = sorted(value) if isinstance(value, dict) else value
        raise _wrong(where, key or "its members", found, ", ".join(expected))
    return value


def _number(where: str, field: str, value: Any, limits: Range) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not limits[0] <= value <= limits[1]:
        raise _wrong(where, field, value, f"a number from {limits[0]} to {limits[1]}")
    return float(value)


def _range(where: str, field: str, value: Any, limits: Range) -> Range:
    if not isinstance(value, list) or len(value) != 2:
        raise _wrong(where, field, value, "two numbers, the lowest and the highest")
    low, high = (_number(where, field, end, limits) for end in value)
    if low > high:
        raise _wrong(where, field, value, "the lowest before the highest")
    return low, high


def _shares(where: str, field: str, value: Any, known: tuple[str, ...]) -> dict[str, float]:
    if not isinstance(value, dict) or not set(value) <= set(known):
        raise _wrong(where, field, value, f"shares of {', '.join(repr(name) for name in known)}")
    shares = {name: _number(where, f"{field}.{name}", share, (0, 1)) for name, share in value.items()}
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise _wrong(where, field, value, f"shares that sum to 1, not {sum(shares.values()):g}")
    return shares


def _dates(where: str, field: str, value: Any) -> tuple[date, date]:
    try:
        first, last = (date.fromisoformat(day) for day in value)
    except (TypeError, ValueError) as error:
        raise _wrong(where, field, value, "two dates like 2020-01-31") from error
    if first > last:
        raise _wrong(where, field, value, "the first day before the last")
    return first, last


def _wrong(where: str, field: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{where}: {field} is {value!r}; expected {expected}. No site was loaded.")


def _drawn(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    names = list(shares)
    return names[int(rng.choice(len(names), p=[shares[name] for name in names]))]
