"""The pelvis that a hip radiograph shows behind and beside the femurs: two hip bones, sacrum, coccyx and lowest lumbar spine.

Frame: origin midway between the hip centres, x to the patient's left, y posterior, z to the feet; sizes in mm for a distance of
176 mm between the hip centres. Ranges of the shape by sex: subpubic angle women about 90, men about 68 degrees (SD 8), narrower
with age in women (Ahmadifard et al., Compr Health Biomed Stud 2023), transverse inlet wider and wings more flared in women;
anteversion of the cup 18 ± 6, inclination 44 ± 4, lateral centre-edge angle 33 ± 6 degrees.

Pelvic tilt is 0 where the anterior superior spines and the symphysis lie in one coronal plane, positive where the crests come
forward. Lying people have a mean of 5 ± 9 degrees (-37 to 30) and standing ones 3 ± 12 (-46 to 33) in Nishihara et al., Clin
Orthop Relat Res 2003 (patients before hip arthroplasty); with age the pelvis turns back: of people over 70, 86% stand with a
posterior tilt, of all adults two thirds (977 lateral radiographs, J Orthop Surg 2026, doi 10.1177/10225536261459777). Pelvic
incidence is 53 ± 10.5 degrees in both sexes (Mac-Thiong et al., Eur Spine J 2011). Heights, depths and foramina scatter by 5 to
12% of their size, an assumption that brackets what radiographs show.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.dxa import YOUNG_TOTAL_HIP
from scripts.simulation.anatomy.hip_bone import HALF_HIP_DISTANCE, HIGH, LOW, HipBone
from scripts.simulation.anatomy.solids import Warp, about_x, about_y, about_z, draw_warp, vector
from scripts.simulation.anatomy.spine import LUMBAR_BOX, SACRUM_BOX, Spine
from scripts.simulation.physics.projection import Solid, Tissue
from scripts.simulation.population import Person

__all__ = ["HALF_HIP_DISTANCE", "Pelvis", "draw_pelvis"]

_FOLLOWS_HIP, _STRENGTH_SD = 0.7, 0.11
"""Power of the hip's density that the pelvis follows, and the SD about it in logarithms: spine and hip correlate by 0.62."""
_DENSITY_SD = 0.07
"""Of the mineral in the pelvis beyond that, in its logarithm."""


@dataclass(frozen=True)
class Pelvis:
    """Shape, mineral and place of the pelvis.

    ``hips`` holds the hip bone of each side. ``scale`` is the distance between the hip centres over 176 mm. ``upper`` stretches
    along z what lies above the hip centres, ``lower`` what lies below, and ``depth`` all along y. ``rotation`` (3, 3) tilts and
    turns it about the origin. ``density`` multiplies the mineral of all its bones, whatever their shape.
    """

    hips: Mapping[str, HipBone] = field(default_factory=lambda: {side: HipBone() for side in HIP.sides})
    spine: Spine = field(default_factory=Spine)
    scale: float = 1.0
    upper: float = 1.0
    lower: float = 1.0
    depth: float = 1.0
    density: float = 1.0
    rotation: Tensor = field(default_factory=lambda: torch.eye(3))

    @property
    def turn_deg(self) -> float:
        """Turn about the body's long axis, degrees, positive to the patient's left."""
        return math.degrees(math.atan2(float(self.rotation[1, 0]), float(self.rotation[0, 0])))

    @property
    def tilt_deg(self) -> float:
        """Tilt about the axis through both hips, degrees, positive to anterior, whatever the turn."""
        down, level = self.rotation[:, 2], self.rotation[:2, 0] / self.rotation[:2, 0].norm()
        return math.degrees(math.atan2(float(down[1] * level[0] - down[0] * level[1]), float(down[2])))

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

    def _size(self, points: Tensor) -> Tensor:
        """Size (..., 3) of the patient's pelvis over that of the model at points (..., 3) of either."""
        along = torch.where(points[..., 2] < 0, self.upper, self.lower)
        size = torch.stack([torch.ones_like(along), torch.full_like(along, self.depth), along], dim=-1)
        return self.scale * size

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
    strength = float(
        np.clip((person.total_hip / YOUNG_TOTAL_HIP) ** _FOLLOWS_HIP * np.exp(rng.normal(0, _STRENGTH_SD)), 0.45, 1.5)
    )
    shared = _draw_shape(person, rng)
    warp = _draw_warp(rng, 2.0)
    hips = {}
    for side in HIP.sides:
        own = _draw_warp(rng, 0.7)
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
    incidence = float(np.clip(rng.normal(53, 10.5), 26, 84))
    tilt = draw_tilt(person.age, rng)
    return Pelvis(
        hips=hips,
        spine=_draw_spine(person, rng, incidence, tilt, strength),
        scale=float((0.99 if female else 1.06) * size * rng.normal(1, 0.03)),
        upper=float((0.99 if female else 1.05) * rng.normal(1, 0.045)),
        lower=float((0.97 if female else 1.05) * np.clip(rng.normal(1, 0.06), 0.82, 1.18)),
        depth=float(np.clip(rng.normal(1, 0.05), 0.87, 1.13)),
        density=float(np.exp(rng.normal(0, _DENSITY_SD))),
        rotation=_orientation(tilt, rng.normal(0, 3.5), rng.normal(0, 2.5)),
    )


def draw_tilt(age: float, rng: np.random.Generator) -> float:
    """Draw a pelvic tilt in degrees: SD 9 about a mean that falls from 5 at 30 to -3 at 80 years, with wide tails."""
    mean = 5 - 0.16 * (age - 30)
    # Student's t with 6 degrees of freedom has an SD of 1.22.
    return float(np.clip(mean + 9 / 1.22 * rng.standard_t(6), -38, 34))


def _draw_shape(person: Person, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Draw what both hip bones of ``person`` have in common, each with the SD by which a side differs from it."""
    female = person.sex == "F"
    older = (person.age - 50) / 30
    return {
        "joint_space": (float(np.clip(rng.normal(4.0, 0.5), 2.8, 5.5)), 0.15),
        "subpubic": (float(np.clip(rng.normal(92 - 4 * older if female else 68, 8), 50, 114)), 1.0),
        "flare": (float(rng.normal(0.5 if female else -0.3, 1.1)), 0.25),
        "inlet": (float(rng.normal(2.0 if female else -2.0, 2.5)), 0.4),
        "pubis": (float(rng.normal(4.5 if female else -2.0, 2.5)), 0.4),
        "foramen": (float(np.clip(rng.normal(0.85 if female else 0.2, 0.3), 0, 1.4)), 0.05),
        "foramen_height": (float(np.clip(rng.normal(1, 0.10), 0.72, 1.25)), 0.03),
        "foramen_width": (float(np.clip(rng.normal(1, 0.11), 0.68, 1.25)), 0.03),
        "foramen_lean": (float(rng.normal(26, 8)), 2.0),
        "symphysis": (float(np.clip(rng.normal(2.1 - 0.4 * older, 0.5), 0.6, 4.0)), 0.0),
        "wall": (float(np.clip(rng.normal(6.0, 0.9), 4.0, 8.5)), 0.3),
        "thickness": (float((0.96 if female else 1.06) * rng.normal(1, 0.07)), 0.015),
        "anteversion": (float(rng.normal(19 if female else 17, 6)), 1.5),
        "inclination": (float(rng.normal(44, 3.5)), 1.0),
        "cover": (float(np.clip(rng.normal(33, 6), 15, 50)), 1.5),
    }


def _draw_spine(person: Person, rng: np.random.Generator, incidence: float, tilt: float, strength: float) -> Spine:
    return Spine(
        incidence=incidence,
        kyphosis=float(rng.normal(0, 14)),
        hook=float(rng.normal(0, 18)),
        lean=float(np.clip(0.8 * tilt + rng.normal(0, 5), -25, 25)),
        bend=float(rng.normal(0, 5)),
        width=float((1.02 if person.sex == "F" else 0.99) * rng.normal(1, 0.05)),
        gap=float(np.clip(rng.normal(3.0 - 0.012 * (person.age - 50), 0.5), 1.5, 4.5)),
        strength=strength,
        spurs=float(np.clip(rng.normal((person.age - 55) / 50, 0.3), 0, 1)),
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
