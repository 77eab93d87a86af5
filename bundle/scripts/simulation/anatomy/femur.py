"""A proximal femur as a solid of the patient: its shape, its mineral, its place, and how a person's two femurs are drawn.

The femur's own frame has its shaft along z and its neck in the x-z plane. What the caller's pose has to add:

- The net external rotation of the neck is ``anteversion`` minus the internal rotation of the foot (a foot that points straight
  ahead shows the neck turned forward by the anteversion; 15 degrees inward lays it flat on the film).
- The abduction of a pose is that of the shaft. The shaft leans 6-7 degrees from the line between the centres of hip and ankle,
  its lower end to the midline, so a leg that lies straight down has an abduction of about -6.5 degrees.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.dxa import Reading, mineralised
from scripts.simulation.anatomy.femur_bone import Bone, mineral, places
from scripts.simulation.anatomy.femur_shape import LENGTH_MM, FemurShape
from scripts.simulation.anatomy.fractures import Fragment, draw_fragments
from scripts.simulation.anatomy.solids import Warp, draw_warp, vector
from scripts.simulation.physics.projection import Solid, Tissue
from scripts.simulation.population import Person

__all__ = ["LENGTH_MM", "Bone", "Femur", "draw_femurs", "draw_shape"]

_SIDE_DIFFERENCE_SD = 0.02
"""How far the two hips of a person differ in aBMD, g/cm²."""
_RESECTED_FROM = 0.62


@dataclass(frozen=True)
class Femur(FemurShape):
    """One proximal femur and its place in the patient.

    ``rotation`` (3, 3) and ``position`` (3,) take the femur's own frame to the patient's; ``mirrored`` makes a left femur,
    ``resected`` cuts head and neck off, as before an arthroplasty. ``anteversion`` (degrees) is only told here: the pose applies
    it. ``sclerosis`` (0..1) hardens the dome of the head. ``fragments`` are the pieces of a broken femur.
    """

    anteversion: float = 14.5
    sclerosis: float = 0.0
    bone: Bone = field(default_factory=Bone)
    fragments: tuple[Fragment, ...] = ()
    rotation: Tensor = field(default_factory=lambda: torch.eye(3))
    position: Tensor = field(default_factory=lambda: torch.zeros(3))
    mirrored: bool = False
    resected: bool = False

    @property
    def landmarks(self) -> dict[str, tuple[float, float, float]]:
        """The named points in the femur's own frame, mm before ``size``; those of a broken femur move with their fragment."""
        intact = self.intact_landmarks
        if not self.fragments:
            return intact
        moved = {}
        for name, place in intact.items():
            point = torch.tensor(place)
            home = min(self.fragments, key=lambda fragment: float(fragment.distance(point)))
            x, y, z = home.moved(point).tolist()
            moved[name] = (x, y, z)
        return moved

    def straightened(self) -> "Femur":
        """The same femur in its own frame, as a DXA scan positions it."""
        like = self.position
        return replace(self, rotation=torch.eye(3).to(like), position=torch.zeros(3).to(like), mirrored=False)

    def to_patient(self, points: Tensor) -> Tensor:
        """Take points (..., 3) from the femur's own frame (mm before ``size``) to the patient's."""
        moved = points * self.size @ self.rotation.T
        if self.mirrored:
            moved = moved * vector((-1, 1, 1), moved)
        return moved + self.position

    def to_local(self, points: Tensor) -> Tensor:
        """Take points (..., 3) from the patient's frame to the femur's own (mm before ``size``)."""
        local = points - self.position
        if self.mirrored:
            local = local * vector((-1, 1, 1), local)
        return local @ self.rotation / self.size

    def own_box(self) -> tuple[Tensor, Tensor]:
        """Lower and upper corner (3,) of a box around the unbroken femur in its own frame, mm before ``size``."""
        radius, rim = self.head_radius, 4 + 1.2 * self.osteophytes + self.cam
        lateral = -self.offset - max(26 * self.trochanter, 1.3 * self.shaft_radius + 6) - 5
        top = min(-radius, self.drop - 40 * self.trochanter - self.spur) - rim
        low = vector((lateral, -radius - rim, top), self.position)
        return low, vector((radius + rim, max(radius + rim, 22 + 17 * self.lesser_trochanter), LENGTH_MM), self.position)

    def box(self) -> tuple[Tensor, Tensor]:
        """Lower and upper corner (3,) in the patient's frame of a box around the femur, with all its fragments."""
        boxes = [box for _, box in self.parts()]
        return torch.stack([low for low, _ in boxes]).amin(0), torch.stack([high for _, high in boxes]).amax(0)

    def parts(self) -> list[tuple[Solid, tuple[Tensor, Tensor]]]:
        """The solids that make up the femur in the patient's frame, each with a box around it: one, or one a fragment."""
        corners = torch.cartesian_prod(*torch.stack(self.own_box(), dim=-1))
        if not self.fragments:
            placed = self.to_patient(corners)
            return [(self, (placed.amin(0), placed.amax(0)))]
        pieces: list[tuple[Solid, tuple[Tensor, Tensor]]] = []
        for fragment in self.fragments:
            placed = self.to_patient(fragment.moved(corners))
            pieces.append((partial(self._tissue, fragment=fragment), (placed.amin(0), placed.amax(0))))
        return pieces

    def __call__(self, points: Tensor) -> Tissue:
        """Return the tissue of the unbroken femur at points (..., 3) of the patient's frame."""
        return self._tissue(points, None)

    def _tissue(self, points: Tensor, fragment: Fragment | None) -> Tissue:
        own = self.to_local(points)
        if fragment is not None:
            own = fragment.restored(own)
        p = self.bent(own)
        outline = self.outline(p)
        cortex, interior = mineral(self.bone, places(self, p, outline), self.sclerosis)
        distance = outline
        if self.resected:
            distance = torch.maximum(distance, _RESECTED_FROM * self.neck_length - self.neck_axes(p)[0])
        if fragment is not None:
            distance = torch.maximum(distance, fragment.distance(own))
        if distance is not outline:
            # A cut surface has no cortex: the shell stays where the whole bone had it.
            cortex = (cortex - (distance - outline) * self.size).clamp_min(0)
        return Tissue(distance * self.size, cortex, interior)


def draw_shape(person: Person, rng: np.random.Generator, head_radius: float) -> FemurShape:
    """Draw the shape of a person's femurs, of which the two sides are variations.

    Args:
        person: sex and height set the size.
        rng: source of everything that varies.
        head_radius: of the femoral head, mm.
    """
    female = person.sex == "F"
    size = float((0.945 if female else 1.055) * (person.height / (162 if female else 176)) ** 0.6 * rng.normal(1, 0.02))
    turn, reach = rng.normal(size=2)
    extreme = rng.choice([-12.0, 0.0, 12.0], p=[0.05, 0.90, 0.05])
    # A valgus neck goes with a small offset.
    offset = 43.6 + 6.1 * (-0.5 * turn + 0.866 * reach)
    return FemurShape(
        size=size,
        head_radius=head_radius / size,
        neck_shaft_angle=float(np.clip(124.7 + 4.9 * turn + extreme, 102, 148)),
        offset=float(np.clip(offset, 27, 62)),
        neck_radius=float(np.clip(rng.normal(17.4, 0.95), 14.5, 20.5)),
        neck_depth=float(np.clip(rng.normal(0.82, 0.055), 0.66, 1.0)),
        shaft_radius=float(np.clip(14.4 + 0.9 * rng.standard_t(6), 11.2, 18.5)),
        shaft_depth=float(np.clip(rng.normal(0.93, 0.05), 0.78, 1.08)),
        bow=float(np.clip(rng.normal(0.0012, 0.0004), 0, 0.0026)),
        flare=float(np.clip(rng.normal(1, 0.17), 0.5, 1.5)),
        trochanter=float(np.clip(rng.normal(1, 0.09), 0.75, 1.28)),
        overhang=float(np.clip(rng.normal(0, 2.5), -6, 7)),
        lesser_trochanter=float(np.clip(rng.normal(1, 0.17), 0.5, 1.5)),
        flattening=float(rng.uniform(0.02, 0.09)) if rng.random() < 0.12 else 0.0,
        cam=float(rng.uniform(1.0, 3.5)) if rng.random() < (0.10 if female else 0.22) else 0.0,
        warp=_draw_warp(rng),
    )


def _draw_warp(rng: np.random.Generator) -> Warp:
    """Three long waves that bend the bone and four short ones that make bumps."""
    lengths = np.concatenate([rng.uniform(90, 200, 3), rng.uniform(24, 50, 4)])
    return draw_warp(rng, lengths, np.array([0.85] * 3 + [0.30] * 4))


def draw_femurs(person: Person, rng: np.random.Generator, head_radius: float, disease: Mapping[str, Disease]) -> dict[str, Femur]:
    """Draw both femurs of a person, at the origin, with mineral that makes DXA read the person's aBMD.

    Args:
        person: demographics and the expected aBMD; the two sides scatter about it by 0.02 g/cm².
        rng: source of everything that varies.
        head_radius: of the femoral heads, mm.
        disease: of each side ("right", "left").
    """
    shape = draw_shape(person, rng, head_radius)
    anteversion = rng.normal(14.5, 7.8)
    trabecular, shell = rng.normal(1, 0.08), rng.normal(1, 0.05)
    femurs = {}
    for side in HIP.sides:
        state = disease[side]
        own: dict[str, Any] = {name: float(getattr(shape, name) * rng.normal(1, 0.012)) for name in _TWO_SIDED}
        worn = state.osteoarthritis
        femur = Femur(
            **{name: value for name, value in vars(shape).items() if name not in own and name not in _ADDED},
            **own,
            flattening=shape.flattening + 0.07 * worn,
            osteophytes=float(4.5 * worn * rng.uniform(0.5, 1.3)),
            spur=6.0 * state.enthesophytes,
            sclerosis=worn,
            anteversion=float(anteversion + rng.normal(0, 2.0)),
            bone=Bone(trabecular=float(trabecular), shell=float(shell)),
            mirrored=side == "left",
        )
        shift = rng.normal(0, _SIDE_DIFFERENCE_SD)
        target = Reading(max(0.2, person.femoral_neck + shift), max(0.25, person.total_hip + shift))
        femur = mineralised(femur, target)
        femurs[side] = replace(femur, fragments=draw_fragments(state.fracture, femur, rng))
    return femurs


_TWO_SIDED = ("neck_shaft_angle", "offset", "neck_radius", "shaft_radius", "flare", "trochanter", "lesser_trochanter")
_ADDED = ("flattening", "osteophytes", "spur")
