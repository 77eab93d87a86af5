"""A proximal femur as a solid of the patient: its shape, its mineral and its place.

The femur's own frame has its shaft along z and its neck in the x-z plane. What the caller's pose has to add:

- The net external rotation of the neck is ``anteversion`` minus the internal rotation of the foot (a foot that points straight
  ahead shows the neck turned forward by the anteversion; 15 degrees inward lays it flat on the detector).
- The abduction of a pose is that of the shaft. The shaft leans 6-7 degrees from the line between the centres of hip and ankle,
  its lower end to the midline, so a leg that lies straight down has an abduction of about -6.5 degrees.
"""

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from scripts.simulation.anatomy.femur_bone import FemurMineral, mineral, places
from scripts.simulation.anatomy.femur_shape import LENGTH_MM, FemurShape
from scripts.simulation.anatomy.fragments import Fragment, home_of
from scripts.simulation.anatomy.lesions import Lesion, Lump
from scripts.simulation.anatomy.solids import intersection, vector
from scripts.simulation.physics.projection import Solid, Tissue

_RESECTED_FROM = 0.62
_PULLED_UP_MM = 70.0
_CALLUS_MM, _CALLUS_DENSITY = 4.5, 0.35  # g/cm³
_WORN_MM = 7.0


@dataclass(frozen=True)
class Femur(FemurShape):
    """One proximal femur and its place in the patient.

    ``rotation`` (3, 3) and ``position`` (3,) take the femur's own frame to the patient's; ``mirrored`` makes a left femur,
    ``resected`` cuts head and neck off, as before an arthroplasty. ``anteversion`` (degrees) is only told here: the pose applies
    it. ``sclerosis`` (0..1) hardens the dome of the head. ``fragments`` are the pieces of a broken femur.
    ``streaks`` (0..1) is how far bundles of trabeculae stand out; ``coarseness`` (0..1) of the trabeculae, ``lesions`` and the
    ``callus`` of a fracture that has healed are disease.
    """

    anteversion: float = 14.5
    sclerosis: float = 0.0
    coarseness: float = 0.0
    streaks: float = 0.0
    lesions: tuple[Lesion, ...] = ()
    callus: Lump | None = None
    bone: FemurMineral = field(default_factory=FemurMineral)
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
            x, y, z = home_of(place, self.fragments).moved(torch.tensor(place)).tolist()
            moved[name] = (x, y, z)
        return moved

    @property
    def leg_abducted(self) -> float:
        """How far a fracture let the shaft, and the leg with it, swing to lateral, degrees."""
        return home_of(self.intact_landmarks["shaft"], self.fragments).abducted if self.fragments else 0.0

    @property
    def neck_turned(self) -> float:
        """How far a fracture turned the base of the neck outward, degrees."""
        return home_of(self.intact_landmarks["neck_base"], self.fragments).turned_outward if self.fragments else 0.0

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
        lateral = -self.offset - max(26 * self.trochanter, 1.3 * self.shaft_radius + 6 + self.bowed_out(LENGTH_MM)) - 5
        top = min(-radius, self.drop - 40 * self.trochanter - self.spur) - rim
        low = vector((lateral, -radius - rim, top), self.position)
        return low, vector((radius + rim, max(radius + rim, 22 + 17 * self.lesser_trochanter), LENGTH_MM), self.position)

    def box(self) -> tuple[Tensor, Tensor]:
        """Lower and upper corner (3,) in the patient's frame of a box around the femur, with all its fragments."""
        boxes = [box for _, box in self.parts()]
        return torch.stack([low for low, _ in boxes]).amin(0), torch.stack([high for _, high in boxes]).amax(0)

    def parts(self) -> list[tuple[Solid, tuple[Tensor, Tensor]]]:
        """The solids that make up the femur in the patient's frame, each with a box around it: one, or one a fragment."""
        low, high = self.own_box()
        if not self.fragments:
            corners = torch.cartesian_prod(*torch.stack((low, high), dim=-1))
            placed = self.to_patient(corners)
            return [(self, (placed.amin(0), placed.amax(0)))]
        # A shaft that is pulled up still reaches the lower edge of a radiograph.
        longer = high + vector((0.0, 0.5 * _PULLED_UP_MM, _PULLED_UP_MM), high)
        corners = torch.cartesian_prod(*torch.stack((low, longer), dim=-1))
        pieces: list[tuple[Solid, tuple[Tensor, Tensor]]] = []
        for fragment in self.fragments:
            placed = self.to_patient(fragment.moved(corners))
            pieces.append((partial(self._tissue, fragment=fragment), (placed.amin(0), placed.amax(0))))
        if self.callus is not None:
            reach = vector(self.callus.radii, self.position) + 3 * self.callus.height
            centre = vector(self.callus.centre, self.position)
            placed = self.to_patient(torch.cartesian_prod(*torch.stack((centre - reach, centre + reach), dim=-1)))
            bone = [solid for solid, _ in pieces]
            pieces.append((partial(self._callus, self.callus, bone), (placed.amin(0), placed.amax(0))))
        return pieces

    def _callus(self, lump: Lump, bone: list[Solid], points: Tensor) -> Tissue:
        """What is callus: a sleeve around the bone, and what bridges its pieces, as far as the lump reaches."""
        within = torch.stack([solid(points).distance for solid in bone]).amin(0)
        sleeve = torch.maximum(within - _CALLUS_MM, -within)
        distance = intersection(lump(self.to_local(points)) * self.size, sleeve, 3.0)
        return Tissue(distance, torch.zeros_like(distance), torch.full_like(distance, _CALLUS_DENSITY))

    def with_lesions(self, points: Tensor, cortex: Tensor, interior: Tensor) -> tuple[Tensor, Tensor]:
        """Change cortical thickness (mm) and mineral of the interior (g/cm³), each (...), at points (..., 3) of the own frame."""
        for lesion in self.lesions:
            cortex, interior = lesion.changed(points, cortex, interior)
        return cortex, interior

    def __call__(self, points: Tensor) -> Tissue:
        """Return the tissue of the unbroken femur at points (..., 3) of the patient's frame."""
        return self._tissue(points, None)

    def _tissue(self, points: Tensor, fragment: Fragment | None) -> Tissue:
        own = self.to_local(points)
        if fragment is not None:
            own = fragment.restored(own)
        p = self.bent(own)
        local = self.local(p)
        outline = self.outline(p, local)
        cortex, interior = mineral(self.bone, places(self, p, outline, local), self.sclerosis)
        cortex, interior = self.with_lesions(own, cortex, interior)
        distance = outline
        if self.resected:
            distance = torch.maximum(distance, _RESECTED_FROM * self.neck_length - self.neck_axes(p)[0])
        if fragment is not None:
            edge = fragment.distance(own)
            # Years round off the edges of what has healed.
            distance = torch.maximum(distance, edge) if self.callus is None else intersection(distance, edge, _WORN_MM)
        if distance is not outline:
            # A cut surface has no cortex: the shell stays where the whole bone had it.
            cortex = (cortex - (distance - outline) * self.size).clamp_min(0)
        return Tissue(distance * self.size, cortex, interior)
