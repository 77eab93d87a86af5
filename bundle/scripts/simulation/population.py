"""Who the patients are: age, sex, height, weight and the bone density to be expected of them at hip and lumbar spine.

Density is normal within an age, and its mean and spread run smoothly through life such that each decade has the mean and the
SD given here: total hip and femoral neck after NHANES III (Looker et al., Osteoporos Int 1998;8:468). The lumbar spine, where
spurs and sclerosis make up for the bone that the old lose, and the decline of the men's neck are plausible courses from the
young-adult reference on. Who has osteoporosis follows from it all; docs/simulation.md compares that with surveys.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import numpy as np
from scipy.interpolate import CubicSpline, PPoly

SEXES: Final = ("F", "M")
YOUNGEST, OLDEST = 21.0, 95.0

_DECADES: Final = {
    "F": (21.0, 31.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0),
    "M": (21.0, 31.0, 41.0, 51.0, 61.0, 71.0, 81.0, 90.0),
}
"""Where a decade begins, and where the last one ends, years; beyond it nothing changes any more."""

BONE_SITES: Final = ("total_hip", "femoral_neck", "lumbar")

DECADE_BMD: Final[dict[str, dict[str, tuple[tuple[float, ...], tuple[float, ...]]]]] = {
    "F": {
        "total_hip": ((0.971, 0.960, 0.930, 0.870, 0.810, 0.750, 0.680), (0.114, 0.118, 0.122, 0.125, 0.125, 0.125, 0.125)),
        "femoral_neck": ((0.858, 0.840, 0.805, 0.750, 0.700, 0.640, 0.600), (0.120, 0.116, 0.112, 0.110, 0.110, 0.110, 0.110)),
        "lumbar": ((1.047, 1.055, 1.040, 0.985, 0.965, 0.968, 0.985), (0.110, 0.115, 0.125, 0.135, 0.145, 0.155, 0.160)),
    },
    "M": {
        "total_hip": ((1.067, 1.029, 1.040, 1.015, 0.997, 0.961, 0.915), (0.130, 0.130, 0.130, 0.130, 0.130, 0.130, 0.130)),
        "femoral_neck": ((0.934, 0.897, 0.880, 0.852, 0.825, 0.793, 0.755), (0.137, 0.132, 0.127, 0.124, 0.122, 0.120, 0.120)),
        "lumbar": ((1.055, 1.060, 1.050, 1.045, 1.060, 1.085, 1.100), (0.120, 0.125, 0.135, 0.145, 0.155, 0.165, 0.170)),
    },
}
"""Means and SDs by sex, site and decade, g/cm²."""

# Between the z-scores of one age and sex.
_NECK_AND_TOTAL, _LUMBAR_AND_HIP, _WEIGHT_AND_TOTAL = 0.88, 0.62, 0.35

_HEIGHT: Final = {"F": (162.5, 6.6), "M": (176.5, 7.2)}
_SHRINKAGE: Final = {"F": 0.12, "M": 0.09}
"""Height at 45, cm (mean, SD), and what is lost in a year after that (Sorkin et al., Am J Epidemiol 1999;150:969)."""

_MEDIAN_BMI: Final = {"F": (27.0, 28.0, 28.6, 28.6, 28.2, 27.6, 25.8), "M": (26.8, 28.2, 28.6, 28.5, 28.2, 27.6, 26.2)}
_LOG_BMI_SD: Final = {"F": 0.21, "M": 0.17}
_LIGHTEST, _HEAVIEST = 15.5, 55.0  # kg/m²


class ClinicMix(Protocol):
    """The patients that a clinic sees."""

    @property
    def age_mean(self) -> float:
        """Years."""

    @property
    def age_sd(self) -> float:
        """Years."""

    @property
    def women(self) -> float:
        """Their share, 0 to 1."""

    @property
    def bmi_shift(self) -> float:
        """By how much the BMI lies above the population's, kg/m²."""


@dataclass(frozen=True)
class Person:
    """Age in years, sex ("F" or "M"), height in cm, weight in kg, and the aBMD in g/cm² expected at ``total_hip``,
    ``femoral_neck`` and ``lumbar`` spine (L1 to L4; NaN where it is of no interest)."""

    age: float
    sex: str
    height: float
    weight: float
    total_hip: float
    femoral_neck: float
    lumbar: float = math.nan

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m²."""
        return self.weight / (self.height / 100) ** 2


def draw_person(rng: np.random.Generator, population: ClinicMix | None = None) -> Person:
    """Draw an adult of 21 to 95 years.

    Args:
        rng: source of everything that varies.
        population: the mix of a clinic; when None, a survey: both sexes alike, each decade from the twenties to the eighties
            as likely as any other, and the ages within it.
    """
    sex, age = _of_survey(rng) if population is None else _of_clinic(rng, population)
    height_mean, height_sd = _HEIGHT[sex]
    height_z, bmi_z = rng.normal(size=2)
    height = height_mean - _SHRINKAGE[sex] * max(0.0, age - 45) + height_sd * height_z
    median, log_sd = float(_curve(_DECADES[sex], _MEDIAN_BMI[sex])(_within(age, sex))), _LOG_BMI_SD[sex]
    shift = 0.0 if population is None else population.bmi_shift
    bmi = float(np.clip(median * math.exp(log_sd * bmi_z) + shift, _LIGHTEST, _HEAVIEST))

    # Log weight is log BMI plus twice log height: bone goes with the weight, whichever of them it comes from.
    height_part = 2 * height_sd / height_mean
    weight_z = (math.log(bmi / median) + height_part * height_z) / math.hypot(log_sd, height_part)
    total = _mixed(_WEIGHT_AND_TOTAL, weight_z, rng)
    neck = _mixed(_NECK_AND_TOTAL, total, rng)
    # The sum of both hip sites correlates with each by this much, which the spine's correlation with each must make up for.
    of_sum = math.sqrt((1 + _NECK_AND_TOTAL) / 2)
    lumbar = _mixed(_LUMBAR_AND_HIP / of_sum, (total + neck) / (2 * of_sum), rng)
    bone = {name: _bmd(sex, name, age, z) for name, z in zip(BONE_SITES, (total, neck, lumbar), strict=True)}
    return Person(age, sex, float(height), float(bmi * (height / 100) ** 2), **bone)


def expected_bmd(sex: str, bone_site: str, age: float) -> tuple[float, float]:
    """Return mean and SD of aBMD, g/cm², of people of one sex ("F", "M") and age at one of `BONE_SITES`."""
    means, sds = DECADE_BMD[sex][bone_site]
    trend = _curve(_DECADES[sex], means)
    spread = _curve(_DECADES[sex], tuple(sd**2 - _variance(trend, *ends) for sd, ends in zip(sds, decade_ends(sex), strict=True)))
    at = _within(age, sex)
    return float(trend(at)), math.sqrt(float(spread(at)))


def decade_ends(sex: str) -> list[tuple[float, float]]:
    """Begin and end, in years, of the decades of `DECADE_BMD`."""
    edges = _DECADES[sex]
    return list(itertools.pairwise(edges))


def _bmd(sex: str, bone_site: str, age: float, z: float) -> float:
    mean, sd = expected_bmd(sex, bone_site, age)
    return max(0.3, mean + sd * z)


def _of_survey(rng: np.random.Generator) -> tuple[str, float]:
    sex = SEXES[rng.integers(2)]
    begin, end = decade_ends(sex)[rng.integers(len(decade_ends(sex)))]
    return sex, float(rng.uniform(begin, end))


def _of_clinic(rng: np.random.Generator, mix: ClinicMix) -> tuple[str, float]:
    sex = "F" if rng.random() < mix.women else "M"
    while True:  # the tails are cut off: heaped up at a limit they would be many patients of one age
        age = float(rng.normal(mix.age_mean, mix.age_sd))
        if YOUNGEST <= age <= OLDEST:
            return sex, age


def _mixed(correlation: float, z: float, rng: np.random.Generator) -> float:
    """A standard normal that correlates with ``z`` by so much."""
    return correlation * z + math.sqrt(1 - correlation**2) * float(rng.normal())


def _within(age: float, sex: str) -> float:
    return min(max(age, _DECADES[sex][0]), _DECADES[sex][-1])


@cache
def _curve(edges: tuple[float, ...], means: tuple[float, ...]) -> PPoly:
    """The smooth curve over age whose mean between neighbouring edges is as given: the slope of a spline through the integral."""
    integral = np.concatenate(([0.0], np.cumsum(np.diff(edges) * means)))
    return CubicSpline(edges, integral, bc_type="natural").derivative()


@cache
def _variance(trend: PPoly, begin: float, end: float) -> float:
    """Variance of a curve over the ages of a decade: what the trend itself adds to the spread within it."""
    return float(trend(np.linspace(begin, end, 201)).var())
