"""Badly positioned and broken hips: what a gate has to notice, more often than any hospital sends them."""

from dataclasses import dataclass, replace

import numpy as np

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Deformity, Disease, Fracture, draw_deformity, draw_fracture
from scripts.simulation.phantom import Pose

_SHARES = {"turned pelvis": 0.12, "turned femur": 0.13, "fracture": 0.5, "deformity": 0.25}


@dataclass(frozen=True)
class Fault:
    """One patient's fault.

    ``pelvic_turn``: rotation of the pelvis about the body's long axis that is added to the patient's own, degrees.
    ``rotation``: external rotation of each foot (right, left), degrees; None where it is as usual.
    ``side``: of the hip with a ``fracture`` of a ``displacement`` or a ``deformity`` of a ``grade``, 0 to 1; "" where no hip has
    one. Whatever else the patient suffers from stays as it is.
    """

    pelvic_turn: float = 0.0
    rotation: tuple[float, float] | None = None
    side: str = ""
    fracture: Fracture = Fracture.NONE
    displacement: float = 0.0
    deformity: Deformity = Deformity.NONE
    grade: float = 0.0

    def posed(self, poses: dict[str, Pose]) -> dict[str, Pose]:
        """Return the ``poses`` of both femurs, by side, with the fault's rotation in place of theirs."""
        if self.rotation is None:
            return poses
        return {side: replace(poses[side], rotation=turn) for side, turn in zip(HIP.sides, self.rotation, strict=True)}

    def suffered(self, diseases: dict[str, Disease]) -> dict[str, Disease]:
        """Return the ``diseases`` of both hips, by side, with the fault's own added."""
        if not self.side:
            return diseases
        state = diseases[self.side]
        state = replace(state, fracture=self.fracture, displacement=self.displacement)
        own = replace(state, deformity=self.deformity, grade=self.grade)
        return {**diseases, self.side: own}


def draw_fault(rng: np.random.Generator) -> Fault:
    """Draw a pelvis turned by up to 40 degrees, femurs turned from 50 inward to 75 outward, a fracture, or a deformity."""
    kind = rng.choice(list(_SHARES), p=list(_SHARES.values()))
    if kind == "turned pelvis":
        return Fault(pelvic_turn=float(rng.uniform(-40, 40)))
    if kind == "turned femur":
        return Fault(rotation=(float(rng.uniform(-50, 75)), float(rng.uniform(-50, 75))))
    side = str(rng.choice(HIP.sides))
    if kind == "deformity":
        deformity, grade = draw_deformity(rng)
        return Fault(side=side, deformity=deformity, grade=grade)
    fracture, displacement = draw_fracture(rng)
    return Fault(side=side, fracture=fracture, displacement=displacement)
