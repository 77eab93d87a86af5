"""Who the patients are: age, sex, height, weight and the bone density to be expected of them.

Decade means of total-hip aBMD (g/cm²): men 1.067 to 0.961 from 21-30 to 71-80 years, women 0.971 at 21-30, then about 0.87, 0.81,
0.75, 0.68 in the fifties to eighties; SD about 0.125 (NHANES III; Looker et al., Osteoporos Int 1998).
"""

from dataclasses import dataclass

import numpy as np

_DECADES = (25, 35, 45, 55, 65, 75, 85)
_TOTAL_HIP = {
    "F": (0.971, 0.960, 0.930, 0.870, 0.810, 0.750, 0.680),
    "M": (1.067, 1.029, 1.040, 1.015, 0.997, 0.961, 0.920),
}
_SD = 0.125
_WEIGHT_CORRELATION = 0.35


@dataclass(frozen=True)
class Person:
    """Age in years, sex ("F" or "M"), height in cm, weight in kg and the aBMD in g/cm² expected at ``total_hip`` and
    ``femoral_neck``."""

    age: float
    sex: str
    height: float
    weight: float
    total_hip: float
    femoral_neck: float

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m²."""
        return self.weight / (self.height / 100) ** 2


def draw_person(rng: np.random.Generator) -> Person:
    """Draw one patient of a screening clinic: adults of 22 to 95 years, mostly over 50, two thirds women."""
    sex = "F" if rng.random() < 0.65 else "M"
    age = float(np.clip(rng.normal(68, 12) if rng.random() < 0.88 else rng.uniform(22, 55), 22, 95))
    height = float(rng.normal(162 if sex == "F" else 176, 6.5) - 0.08 * max(0.0, age - 50))
    weight_z = rng.normal()
    bmi = float(np.exp(np.log(26.3) + 0.17 * weight_z))
    weight = float(np.clip(bmi, 16, 48) * (height / 100) ** 2)
    expected = float(np.interp(age, _DECADES, _TOTAL_HIP[sex]))
    bone_z = _WEIGHT_CORRELATION * weight_z + np.sqrt(1 - _WEIGHT_CORRELATION**2) * rng.normal()
    total = float(max(0.35, expected + _SD * bone_z))
    return Person(age, sex, height, weight, total, float(max(0.3, 0.86 * total + rng.normal(0, 0.04))))
