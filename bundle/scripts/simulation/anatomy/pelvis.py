"""The pelvis that a hip radiograph shows behind and beside the femurs: two hip bones, sacrum, coccyx and lowest lumbar spine.

Frame: origin midway between the hip centres, x to the patient's left, y posterior, z to the feet; sizes in mm for a distance of
176 mm between the hip centres. Ranges of the shape by sex: subpubic angle women about 90, men about 68 degrees (SD 8), transverse
inlet wider and wings more flared in women; anteversion of the cup 18 ± 6, inclination 44 ± 4, lateral centre-edge angle 33 ± 6
degrees; supine pelvic tilt varies with an SD of 7 degrees.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.hip_bone import HALF_HIP_DISTANCE, HIGH, LOW, HipBone
from scripts.simulation.anatomy.solids import Warp, about_x, about_y, about_z, draw_warp, vector
from scripts.simulation.anatomy.spine import LUMBAR_BOX, SACRUM_BOX, Spine
from scripts.simulation.physics.projection import Solid, Tissue
from scripts.simulation.population import Person

__all__ = ["HALF_HIP_DISTANCE", "Pelvis", "draw_pelvis"]


@dataclass(frozen=True)
class Pelvis:
    """Shape, mineral and place of the pelvis.

    ``hips`` holds the hip bone of each side. ``scale`` is the distance between the hip centres over 176 mm, ``height``
    stretches it along z. ``rotation`` (3, 3) tilts and turns it about the origin.
    """

    hips: Mapping[str, HipBone] = field(default_factory=lambda: {side: HipBone() for side in HIP.sides})
    spine: Spine = field(default_factory=Spine)
    scale: float = 1.0
    height: float = 1.0
    rotation: Tensor = field(default_factory=lambda: torch.eye(3))

    def hip_centre(self, side: str) -> Tensor:
        """Centre (3,) in mm of the femoral head on ``side`` ("right" or "left") in the patient's frame.

        It is the cup's centre, and lies superolateral of it where osteoarthritis has narrowed the joint.
        """
        local = vector((HALF_HIP_DISTANCE * self.scale, 0, 0), self.rotation) + self.hips[side].migration.to(self.rotation)
        return local * vector((_lateral(side), 1, 1), local) @ self.rotation.T

    def parts(self) -> list[tuple[Solid, tuple[Tensor, Tensor]]]:
        """The solids that make up the pelvis, each with a box (low, high) around it in mm, ready to be cast."""
        pieces = [(self._hip(side), self._box(LOW, HIGH, _lateral(side))) for side in HIP.sides]
        pieces.append((self._axial(self.spine.sacrum), self._box(*SACRUM_BOX)))
        pieces.append((self._axial(self.spine.lumbar), self._box(*LUMBAR_BOX)))
        return pieces

    def _box(self, low: tuple[float, ...], high: tuple[float, ...], mirror: float = 1.0) -> tuple[Tensor, Tensor]:
        corners = torch.cartesian_prod(*(vector(pair, self.rotation) for pair in zip(low, high, strict=True)))
        corners = corners * self._size(corners) * vector((mirror, 1, 1), corners) @ self.rotation.T
        return corners.amin(0), corners.amax(0)

    def _size(self, like: Tensor) -> Tensor:
        return vector((self.scale, self.scale, self.scale * self.height), like)

    def _hip(self, side: str) -> Solid:
        bone = self.hips[side]

        def solid(points: Tensor) -> Tissue:
            p = points @ self.rotation.to(points) * vector((_lateral(side), 1, 1), points)
            socket = p - vector((HALF_HIP_DISTANCE * self.scale, 0, 0), p)
            return bone.tissue(p / self._size(p), socket, self.scale)

        return solid

    def _axial(self, shape: Callable[[Tensor], Tissue]) -> Solid:
        def solid(points: Tensor) -> Tissue:
            p = points @ self.rotation.to(points)
            tissue = shape(p / self._size(p))
            return Tissue(tissue.distance * self.scale, tissue.cortex, tissue.interior)

        return solid


def draw_pelvis(person: Person, rng: np.random.Generator, head_radius: float, disease: Mapping[str, Disease]) -> Pelvis:
    """Draw the pelvis of ``person``, its two sides alike but not equal.

    Args:
        person: sex, height, age and expected density set shape, size and mineral.
        rng: source of everything that varies.
        head_radius: of the femoral heads, mm.
        disease: state of the hip of each side ("right", "left").
    """
    female = person.sex == "F"
    size = (person.height / (162 if female else 176)) ** 0.42
    strength = float(np.clip(person.total_hip / 0.95 * rng.normal(1, 0.06), 0.45, 1.4))
    shared = {
        "joint_space": (float(np.clip(rng.normal(4.0, 0.5), 2.8, 5.5)), 0.15),
        "subpubic": (float(np.clip(rng.normal(91 if female else 68, 8), 55, 112)), 1.0),
        "flare": (float(rng.normal(0.5 if female else -0.3, 0.6)), 0.1),
        "inlet": (float(rng.normal(2.5 if female else -1.5, 2.0)), 0.4),
        "foramen": (float(np.clip(rng.normal(0.85 if female else 0.2, 0.25), 0, 1.3)), 0.05),
        "thickness": (float((0.96 if female else 1.06) * rng.normal(1, 0.05)), 0.015),
        "anteversion": (float(rng.normal(19 if female else 17, 6)), 1.5),
        "inclination": (float(rng.normal(44, 3.5)), 1.0),
        "cover": (float(np.clip(rng.normal(33, 6), 15, 50)), 1.5),
    }
    warp = _draw_warp(rng, 1.4)
    hips = {}
    for side in HIP.sides:
        own = _draw_warp(rng, 0.45)
        state = disease[side]
        cysts = rng.normal(
            (8, 0, -(head_radius + 9)), (6, 5, 3), size=(rng.integers(1, 4) if state.osteoarthritis > 0.5 else 0, 3)
        )
        hips[side] = HipBone(
            head_radius=head_radius * state.head_growth,
            strength=strength * float(rng.normal(1, 0.02)),
            osteoarthritis=state.osteoarthritis,
            enthesophytes=state.enthesophytes,
            cysts=tuple(map(tuple, cysts.tolist())),
            warp=Warp(
                torch.cat([warp.vectors, own.vectors], 1),
                torch.cat([warp.phases, own.phases]),
                torch.cat([warp.heights, own.heights]),
            ),
            seed=int(rng.integers(2**31)),
            **{name: float(value + rng.normal(0, spread)) for name, (value, spread) in shared.items()},
        )
    spine = Spine(
        slope=float(rng.normal(0, 5)),
        bend=float(rng.normal(0, 3)),
        width=float((1.02 if female else 0.99) * rng.normal(1, 0.03)),
        gap=float(np.clip(rng.normal(3.0 - 0.012 * (person.age - 50), 0.5), 1.5, 4.5)),
        strength=strength,
        spurs=float(np.clip(rng.normal((person.age - 55) / 50, 0.3), 0, 1)),
    )
    return Pelvis(
        hips=hips,
        spine=spine,
        scale=float((0.99 if female else 1.06) * size * rng.normal(1, 0.03)),
        height=float((0.99 if female else 1.05) * rng.normal(1, 0.03)),
        rotation=_orientation(rng.normal(0, 7), rng.normal(0, 3), rng.normal(0, 2)),
    )


def _orientation(tilt: float, turn: float, obliquity: float) -> Tensor:
    """Rotation (3, 3) of the pelvis for angles in degrees.

    Args:
        tilt: about x; positive is anterior tilt (the iliac crests come forward).
        turn: about z, to the patient's left.
        obliquity: about y; positive lowers the left hip.
    """
    a, b, c = (math.radians(v) for v in (tilt, turn, obliquity))
    return about_y(c) @ about_z(-b) @ about_x(a)


def _draw_warp(rng: np.random.Generator, height: float) -> Warp:
    """Draw a displacement of about ``height`` mm that varies over 50 to 130 mm."""
    return draw_warp(rng, rng.uniform(50, 130, size=3), height)


def _lateral(side: str) -> float:
    return 1.0 if side == "left" else -1.0
