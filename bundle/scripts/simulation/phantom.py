"""A patient: pelvis, two femurs, implants, soft tissue and belongings that fit together, with the DXA truth of both hips."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.deformity import seat
from scripts.simulation.anatomy.disease import Disease, draw_diseases
from scripts.simulation.anatomy.dxa import Parts, Reading, Scan
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femurs_of_person import draw_femurs, draw_head_radius
from scripts.simulation.anatomy.pelvis import Pelvis, draw_pelvis
from scripts.simulation.anatomy.soft_tissue import Body, draw_body
from scripts.simulation.anatomy.solids import about_x, about_y, about_z
from scripts.simulation.hardware.foreign_objects import ForeignObject, draw_objects
from scripts.simulation.hardware.implants import Fitting, Implant, draw_fitting
from scripts.simulation.population import Person

_IMPLANT_SHARE = {
    Implant.TOTAL_HIP: 0.045,
    Implant.HEMIARTHROPLASTY: 0.02,
    Implant.SLIDING_HIP_SCREW: 0.02,
    Implant.NAIL: 0.02,
    Implant.SCREWS: 0.02,
}
"""More than a population has, so that networks see them: about one hip in eight."""


@dataclass(frozen=True)
class Phantom:
    """One simulated patient: the person, the bones, what each hip carries and suffers from, the body, what lies on it, and
    what a faultless DXA scan reads of cortex and spongy bone by side (``scanned``; None where there is an implant; a broken hip
    reads as before the fracture). ``seed`` makes the pattern of the trabeculae, the same in all radiographs of the patient."""

    person: Person
    pelvis: Pelvis
    femurs: dict[str, Femur]
    fittings: dict[str, Fitting]
    diseases: dict[str, Disease]
    body: Body
    objects: tuple[ForeignObject, ...]
    scanned: dict[str, Parts | None]
    seed: int

    @property
    def dxa(self) -> dict[str, Reading | None]:
        """What a faultless DXA scan reads by side."""
        return {side: None if parts is None else parts.reading() for side, parts in self.scanned.items()}


@dataclass(frozen=True)
class Pose:
    """How a femur lies, degrees: ``abduction`` of its shaft (knee lateral), external ``rotation`` of its neck, ``flexion``."""

    abduction: float
    rotation: float
    flexion: float = 0.0

    def matrix(self) -> Tensor:
        """Rotation (3, 3) from the femur's own frame to that of a right hip in the patient."""
        a, r, f = (math.radians(v) for v in (self.abduction, self.rotation, self.flexion))
        return about_y(a) @ about_x(-f) @ about_z(r)


def draw_phantom(
    person: Person,
    rng: np.random.Generator,
    implants: Mapping[str, Implant] | None = None,
    diseases: Mapping[str, Disease] | None = None,
    pelvic_turn: float = 0.0,
) -> Phantom:
    """Build a body for ``person``: bones sized by sex and height, with mineral that makes DXA read about what was expected.

    Args:
        person: demographics and the expected aBMD.
        rng: source of everything that varies.
        implants: what each side ("right", "left") carries; drawn when None.
        diseases: what each side suffers from; drawn when None. A hip that has been operated on is no longer broken or deformed.
        pelvic_turn: degrees by which the pelvis is turned about the body's long axis, to the left, beyond what is usual.
    """
    head_radius = draw_head_radius(person, rng)
    # Drawn even if given, so that the rest of the patient is the same.
    drawn_implants, drawn_diseases = draw_implants(rng), draw_diseases(person, rng)
    carried = drawn_implants if implants is None else implants
    suffered = {
        side: disease if carried[side] is Implant.NONE else Disease(disease.osteoarthritis, disease.enthesophytes)
        for side, disease in (drawn_diseases if diseases is None else diseases).items()
    }
    pelvis = draw_pelvis(person, rng, head_radius, suffered)
    pelvis = replace(pelvis, rotation=about_z(-math.radians(pelvic_turn)) @ pelvis.rotation)
    femurs, scanned = {}, {}
    for side, femur in draw_femurs(person, rng, head_radius, suffered).items():
        scanned[side] = Scan(femur).parts(femur.bone) if carried[side] is Implant.NONE else None
        place = pelvis.hip_centre(side) + seat(femur, suffered[side])
        femurs[side] = replace(femur, position=place, resected=carried[side].is_joint)
    fittings = {side: draw_fitting(carried[side], rng) for side in HIP.sides}
    body = draw_body(person, rng, pelvis.scale)
    return Phantom(person, pelvis, femurs, fittings, suffered, body, tuple(draw_objects(rng)), scanned,
                   int(rng.integers(2**31)))  # fmt: skip


def draw_implants(rng: np.random.Generator, operated: bool = False) -> dict[str, Implant]:
    """What each side carries.

    Args:
        rng: source of randomness.
        operated: at least one side has been operated on, either as often.
    """
    kinds = [*_IMPLANT_SHARE, Implant.NONE]
    shares = [*_IMPLANT_SHARE.values(), 1 - sum(_IMPLANT_SHARE.values())]
    drawn = {side: kinds[rng.choice(len(kinds), p=shares)] for side in HIP.sides}
    if operated:
        metal = np.array(shares[:-1])
        drawn[HIP.sides[rng.integers(2)]] = kinds[rng.choice(len(metal), p=metal / metal.sum())]
    return drawn
