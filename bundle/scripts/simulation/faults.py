"""Badly positioned and broken hips: what a gate has to notice, more often than any hospital sends them."""

from dataclasses import dataclass, replace

import numpy as np

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease, Fracture, draw_fracture
from scripts.simulation.phantom import Pose

_KINDS = ("turned pelvis", "turned femur", "fracture")


@dataclass(frozen=True)
class Fault:
    """One patient's fault.

    ``pelvic_turn``: rotation of the pelvis about the body's long axis that is added to the patient's own, degrees.
    ``rotation``: external rotation of each foot (right, left), degrees; None where it is as usual.
    ``side``: of the hip with a ``fracture`` of the given ``displacement``, 0 to 1; "" where no hip has one. Whatever else the
    patient suffers from stays as it is.
    """

    pelvic_turn: float = 0.0
    rotation: tuple[float, float] | None = None
    side: str = ""
    fracture: Fracture = Fracture.NONE
    displacement: float = 0.0

    def posed(self, poses: dict[str, Pose]) -> dict[str, Pose]:
        """Return the ``poses`` of both femurs, by side, with the fault's rotation in place of theirs."""
        if self.rotation is None:
            return poses
        return {side: replace(poses[side], rotation=turn) for side, turn in zip(HIP.sides, self.rotation, strict=True)}

    def suffered(self, diseases: dict[str, Disease]) -> dict[str, Disease]:
        """Return the ``diseases`` of both hips, by side, with the fault's own added."""
        if not self.side:
            return diseases
        broken = replace(diseases[self.side], fracture=self.fracture, displacement=self.displacement)
        return {**diseases, self.side: broken}


def draw_fault(rng: np.random.Generator) -> Fault:
    """Draw a pelvis turned by up to 40 degrees, femurs turned anywhere from 50 inward to 75 outward, or a fracture."""
    kind = rng.choice(_KINDS)
    if kind == "turned pelvis":
        return Fault(pelvic_turn=float(rng.uniform(-40, 40)))
    if kind == "turned femur":
        return Fault(rotation=(float(rng.uniform(-50, 75)), float(rng.uniform(-50, 75))))
    fracture, displacement = draw_fracture(rng)
    return Fault(side=str(rng.choice(HIP.sides)), fracture=fracture, displacement=displacement)
