"""A patient's body: pelvis, two femurs, implants and soft tissue that fit together, with the DXA reading of both hips."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scripts.radiograph.landmarks import SIDES
from scripts.simulation.dxa import Reading, scan
from scripts.simulation.femur import Bone, Femur
from scripts.simulation.implants import Implant
from scripts.simulation.pelvis import Pelvis
from scripts.simulation.population import Person
from scripts.simulation.soft_tissue import Body
from scripts.simulation.solids import Warp

_IMPLANT_SHARE = {
    Implant.TOTAL_HIP: 0.05,
    Implant.HEMIARTHROPLASTY: 0.02,
    Implant.SLIDING_HIP_SCREW: 0.02,
    Implant.NAIL: 0.02,
    Implant.SCREWS: 0.02,
}
"""More than a population has, so that networks see them: about one hip in eight."""


@dataclass(frozen=True)
class Phantom:
    """One simulated patient: the person, the bones, what each hip carries, the body, and the DXA truth by side (None where
    there is an implant)."""

    person: Person
    pelvis: Pelvis
    femurs: dict[str, Femur]
    implants: dict[str, Implant]
    body: Body
    dxa: dict[str, Reading | None]


@dataclass(frozen=True)
class Pose:
    """How a femur lies, degrees: ``abduction`` (knee lateral), ``rotation`` (external, anteversion included), ``flexion``."""

    abduction: float
    rotation: float
    flexion: float = 0.0

    def matrix(self) -> Tensor:
        """Rotation (3, 3) from the femur's own frame to that of a right hip in the patient."""
        a, r, f = (math.radians(v) for v in (self.abduction, self.rotation, self.flexion))
        abduct = torch.tensor([[math.cos(a), 0, -math.sin(a)], [0, 1, 0], [math.sin(a), 0, math.cos(a)]])
        flex = torch.tensor([[1, 0, 0], [0, math.cos(f), -math.sin(f)], [0, math.sin(f), math.cos(f)]])
        turn = torch.tensor([[math.cos(r), math.sin(r), 0], [-math.sin(r), math.cos(r), 0], [0, 0, 1]])
        return abduct @ flex @ turn


def _draw_warp(rng: np.random.Generator, height: float) -> Warp:
    length = rng.uniform(50, 130, size=3)
    direction = rng.normal(size=(3, 3))
    direction /= np.linalg.norm(direction, axis=0)
    return Warp(
        torch.tensor(direction * 2 * np.pi / length, dtype=torch.float32),
        torch.tensor(rng.uniform(0, 2 * np.pi, size=3), dtype=torch.float32),
        torch.tensor(rng.normal(0, height, size=(3, 3)), dtype=torch.float32),
    )


def draw_phantom(person: Person, rng: np.random.Generator, implants: dict[str, Implant] | None = None) -> Phantom:
    """Build a body for ``person``: bones sized by sex and height, mineral set so that DXA reads about what was expected.

    Args:
        person: demographics and the expected total-hip aBMD.
        rng: source of everything that varies.
        implants: what each side carries; drawn when None.
    """
    female = person.sex == "F"
    head = (43.3 if female else 48.5) / 2 * rng.normal(1, 0.04)
    size = (person.height / (162 if female else 176)) ** 0.6 * (1.0 if female else 1.11) * rng.normal(1, 0.02)
    shared = {
        "neck_shaft_angle": rng.normal(126, 5.5),
        "offset": float(np.clip(rng.normal(41, 4), 32, 52)),
        "neck_radius": rng.normal(16.0, 1.0),
        "shaft_radius": rng.normal(14.3, 0.8),
        "trochanter": rng.normal(1, 0.08),
        "lesser_trochanter": rng.normal(1, 0.12),
        "flare": rng.normal(1, 0.15),
    }
    warp = _draw_warp(rng, 0.7)
    trabecular, shell = rng.normal(1, 0.06), rng.normal(1, 0.04)
    pelvis = Pelvis(
        scale=float((0.99 if female else 1.03) * (size / (1.0 if female else 1.11)) ** 0.7 * rng.normal(1, 0.03)),
        height=float((1.0 if female else 1.08) * rng.normal(1, 0.04)),
        head_radius=float(head),
        joint_space=float(np.clip(rng.normal(4.0, 0.8), 1.2, 6)),
        strength=float(np.clip(person.total_hip / 0.95, 0.5, 1.4)),
        shallow=float(rng.normal(0, 3)),
        rotation=Pose(rng.normal(0, 2), rng.normal(0, 3), rng.normal(0, 6)).matrix(),
        warp=_draw_warp(rng, 2.2),
    )
    if implants is None:
        kinds = list(_IMPLANT_SHARE)
        shares = [*_IMPLANT_SHARE.values(), 1 - sum(_IMPLANT_SHARE.values())]
        implants = {side: [*kinds, Implant.NONE][rng.choice(len(shares), p=shares)] for side in SIDES}
    femurs, readings = {}, {}
    for side in SIDES:
        own = {name: float(value * rng.normal(1, 0.012)) for name, value in shared.items()}
        femur = Femur(
            size=float(size),
            head_radius=float(head / size),
            neck_shaft_angle=own["neck_shaft_angle"],
            offset=own["offset"],
            neck_radius=own["neck_radius"],
            shaft_radius=own["shaft_radius"],
            trochanter=own["trochanter"],
            lesser_trochanter=own["lesser_trochanter"],
            flare=own["flare"],
            warp=warp,
            bone=Bone(1.0, float(trabecular), float(shell)),
            position=pelvis.hip_centre(side),
            mirrored=side == "left",
        )
        femur = _mineralised(femur, person.total_hip + rng.normal(0, 0.02))
        readings[side] = scan(femur) if implants[side] is Implant.NONE else None
        femurs[side] = replace(femur, resected=implants[side].is_joint)
    return Phantom(person, pelvis, femurs, implants, _body(person, pelvis, rng), readings)


def _mineralised(femur: Femur, total: float) -> Femur:
    """Set the femur's mineral so that DXA reads about ``total`` g/cm² (two secant steps; the truth is measured afterwards)."""

    def reading(strength: float) -> tuple[float, float]:
        return strength, scan(replace(femur, bone=replace(femur.bone, strength=strength)), 1.5, 2.5).total

    tries = [reading(0.6), reading(1.1)]
    for _ in range(2):
        (s0, b0), (s1, b1) = tries[-2:]
        tries.append(reading(float(np.clip(s1 + (total - b1) * (s1 - s0) / (b1 - b0 or 1e-6), 0.25, 2.0))))
    return replace(femur, bone=replace(femur.bone, strength=tries[-1][0]))


def _body(person: Person, pelvis: Pelvis, rng: np.random.Generator) -> Body:
    load = (person.bmi - 26) / 4.5
    lateral = float(np.clip(rng.normal(33 + 9 * load, 7), 12, 85))
    half_width = 88 * pelvis.scale + 62 + lateral
    return Body(
        thickness=float(np.clip(rng.normal(200 + 24 * load, 14), 150, 330)),
        half_width=half_width,
        fat=float(np.clip(rng.normal((26 if person.sex == "F" else 17) + 9 * load, 5), 5, 70)),
        crotch=float(rng.normal(102, 8)),
        thigh=float(np.clip(rng.normal(84 + 7 * load, 5), 66, 0.495 * half_width)),
        gas=float(rng.beta(1.5, 2)),
        marbling=float(rng.beta(2, 4) + 0.004 * max(0, person.age - 50)),
    )
