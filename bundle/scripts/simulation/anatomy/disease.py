"""What disease does to a hip: osteoarthritis, bony spurs and fractures."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import NormalDist
from typing import Final

import numpy as np

from scripts.clinical.anatomy import HIP
from scripts.dataset.truth import GROSS
from scripts.simulation.population import Person

_BOTH_SIDES = 0.6  # correlation of the two hips
_FRACTURE_SHARE = 0.02
_DEFORMITY_SHARE = 0.02


class Fracture(StrEnum):
    """A fracture of the proximal femur; see `scripts.simulation.anatomy.fractures` for what each is."""

    NONE = "none"
    NECK_VALGUS = "neck_valgus_impacted"
    NECK_UNDISPLACED = "neck_undisplaced"
    NECK_PARTIAL = "neck_partly_displaced"
    NECK_COMPLETE = "neck_displaced"
    NECK_STEEP = "neck_vertical_shear"
    BASICERVICAL = "basicervical"
    PERTROCHANTERIC = "pertrochanteric_two_part"
    MULTIFRAGMENTARY = "pertrochanteric_multifragmentary"
    REVERSE_OBLIQUE = "reverse_oblique"
    GREATER_TROCHANTER = "greater_trochanter"
    LESSER_TROCHANTER = "lesser_trochanter"
    SUBTROCHANTERIC_TRANSVERSE = "subtrochanteric_transverse"
    SUBTROCHANTERIC_SPIRAL = "subtrochanteric_spiral"
    SUBTROCHANTERIC_COMMINUTED = "subtrochanteric_comminuted"


class Deformity(StrEnum):
    """A deformity or a disease of the bone itself; see `scripts.simulation.anatomy.deformity` for what each does."""

    NONE = "none"
    COXA_VARA = "coxa_vara"
    MALUNION = "malunion"
    SLIPPED_EPIPHYSIS = "slipped_epiphysis"
    PERTHES = "perthes"
    PAGET = "paget"
    NECROSIS = "avascular_necrosis"
    CYSTS = "cysts"
    LYTIC = "lytic_metastases"
    SCLEROTIC = "sclerotic_metastases"


DEFORMITIES: Final = tuple(kind for kind in Deformity if kind is not Deformity.NONE)
FRACTURES: Final = tuple(kind for kind in Fracture if kind is not Fracture.NONE)


@dataclass(frozen=True)
class Disease:
    """State of one hip.

    ``osteoarthritis`` runs from 0 (none) to 1 (bone on bone: joint space gone, osteophytes, sclerosis), ``enthesophytes`` from
    0 to 1 (spurs at the tendon insertions of 6 mm), ``displacement`` of a fracture from 0 (invisible) to 1 (gross),
    ``grade`` of a deformity from 0 (hardly there) to 1 (gross).
    """

    osteoarthritis: float = 0.0
    enthesophytes: float = 0.0
    fracture: Fracture = Fracture.NONE
    displacement: float = 0.0
    deformity: Deformity = Deformity.NONE
    grade: float = 0.0

    @property
    def is_scanned(self) -> bool:
        """Whether DXA of the hip is of use: not of a broken one, nor of one whose bone is grossly deformed or diseased."""
        return self.fracture is Fracture.NONE and not (self.deformity is not Deformity.NONE and self.grade >= GROSS)

    @property
    def head_growth(self) -> float:
        """How much larger than usual the head and its socket grew (Perthes' disease)."""
        return 1 + 0.20 * self.grade if self.deformity is Deformity.PERTHES else 1.0


def draw_diseases(person: Person, rng: np.random.Generator) -> dict[str, Disease]:
    """Draw the state of both hips.

    Radiographic osteoarthritis reaches 20% of people past 50 (Framingham: Kim et al., Arthritis Rheumatol 2014), little before,
    more in old age; it is worse in some of them. Fractures are more frequent than on a screening list (about 1% of patients, 2%
    at a total hip of 0.70 g/cm² and up to 4% below), so that networks see them; every kind is as likely as another, and any
    displacement. So are deformities (another 2% of patients, whatever the density), and any grade.
    """
    common = rng.normal()
    affected = 0.28 / (1 + math.exp((66 - person.age) / 7))
    threshold = NormalDist().inv_cdf(1 - affected)
    spurs = float(np.clip((person.age - 45) / 60, 0, 0.7))
    weak = np.clip((0.95 - person.total_hip) / 0.25, 0.2, 2.0)
    broken = rng.random() < _FRACTURE_SHARE * weak
    side_broken = str(rng.choice(HIP.sides))
    kind, displacement = draw_fracture(rng)
    deformed = rng.random() < _DEFORMITY_SHARE
    side_deformed = str(rng.choice(HIP.sides))
    deformity, grade = draw_deformity(rng)
    diseases = {}
    for side in HIP.sides:
        latent = math.sqrt(_BOTH_SIDES) * common + math.sqrt(1 - _BOTH_SIDES) * rng.normal()
        diseases[side] = Disease(
            osteoarthritis=float(np.clip(0.25 + 0.6 * (latent - threshold), 0, 1)) if latent > threshold else 0.0,
            enthesophytes=float(min(1.0, rng.beta(1.2, 4) * spurs / 0.4)) if rng.random() < 0.6 else 0.0,
        )
        if broken and side == side_broken:
            diseases[side] = replace(diseases[side], fracture=kind, displacement=displacement)
        if deformed and side == side_deformed and diseases[side].fracture is Fracture.NONE:
            diseases[side] = replace(diseases[side], deformity=deformity, grade=grade)
    return diseases


def draw_fracture(rng: np.random.Generator) -> tuple[Fracture, float]:
    """Draw a kind of fracture, each as often as another, and its displacement, evenly from 0 (invisible) to 1 (gross)."""
    return FRACTURES[rng.integers(len(FRACTURES))], float(rng.random())


def draw_deformity(rng: np.random.Generator) -> tuple[Deformity, float]:
    """Draw a kind of deformity, each as often as another, and its grade, evenly from 0 (hardly there) to 1 (gross)."""
    return DEFORMITIES[rng.integers(len(DEFORMITIES))], float(rng.random())
