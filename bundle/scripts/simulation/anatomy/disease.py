"""What disease does to a hip: osteoarthritis, bony spurs and displaced fractures."""

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from scripts.clinical.anatomy import HIP
from scripts.simulation.population import Person

_BOTH_SIDES = 0.6  # correlation of the two hips
_FRACTURE_SHARE = 0.02


class Fracture(StrEnum):
    """A displaced fracture of the proximal femur."""

    NONE = "none"
    NECK = "neck_fracture"
    INTERTROCHANTERIC = "intertrochanteric_fracture"


@dataclass(frozen=True)
class Disease:
    """State of one hip.

    ``osteoarthritis`` runs from 0 (none) to 1 (bone on bone: joint space gone, osteophytes, sclerosis), ``enthesophytes`` from
    0 to 1 (spurs at the tendon insertions of 6 mm).
    """

    osteoarthritis: float = 0.0
    enthesophytes: float = 0.0
    fracture: Fracture = Fracture.NONE


def draw_diseases(person: Person, rng: np.random.Generator) -> dict[str, Disease]:
    """Draw the state of both hips.

    Radiographic osteoarthritis reaches 20% of people past 50 (Framingham: Kim et al., Arthritis Rheumatol 2014), little before,
    more in old age; it is worse in some of them. Displaced fractures are more frequent than on a screening list (2% of
    patients), so that networks see them; low density makes them likelier.
    """
    common = rng.normal()
    affected = 0.28 / (1 + math.exp((66 - person.age) / 7))
    threshold = NormalDist().inv_cdf(1 - affected)
    spurs = float(np.clip((person.age - 45) / 60, 0, 0.7))
    weak = np.clip((0.95 - person.total_hip) / 0.25, 0.2, 2.0)
    broken = rng.random() < _FRACTURE_SHARE * weak
    side_broken = str(rng.choice(HIP.sides))
    kind = Fracture(str(rng.choice([Fracture.NECK, Fracture.INTERTROCHANTERIC])))
    diseases = {}
    for side in HIP.sides:
        latent = math.sqrt(_BOTH_SIDES) * common + math.sqrt(1 - _BOTH_SIDES) * rng.normal()
        diseases[side] = Disease(
            osteoarthritis=float(np.clip(0.25 + 0.6 * (latent - threshold), 0, 1)) if latent > threshold else 0.0,
            enthesophytes=float(min(1.0, rng.beta(1.2, 4) * spurs / 0.4)) if rng.random() < 0.6 else 0.0,
            fracture=kind if broken and side == side_broken else Fracture.NONE,
        )
    return diseases
