"""What implants are described with: their kinds, the sizes that one is fitted with, and the pieces that it is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.solids import vector
from scripts.simulation.physics.projection import Solid, Tissue

Vector = tuple[float, float, float]
Distance = Callable[[Tensor], Tensor]


class Implant(StrEnum):
    """What a hip carries."""

    NONE = "none"
    TOTAL_HIP = "total_hip"
    HEMIARTHROPLASTY = "hemiarthroplasty"
    SLIDING_HIP_SCREW = "sliding_hip_screw"
    NAIL = "cephalomedullary_nail"
    SCREWS = "cannulated_screws"

    @property
    def is_joint(self) -> bool:
        """Whether it replaces the joint, so that the head and neck of the femur are gone."""
        return self in (Implant.TOTAL_HIP, Implant.HEMIARTHROPLASTY)


_SCREWS = {Implant.SLIDING_HIP_SCREW: (2, 7), Implant.SCREWS: (2, 4)}


@dataclass(frozen=True)
class Fitting:
    """Which model of an ``implant`` a hip has, in mm and degrees.

    Joints: a ``cemented`` stem, a ``cemented_cup`` (all polyethylene, with a wire), a ``collar``, a ``bipolar`` head, the
    materials of ``stem`` and ``head``, the ``head_radius`` of a total hip, the cup's ``inclination`` and ``version``, the
    number of its ``screws``, and the stem's ``length`` below the base of the neck. Fixation: the number of ``screws``, a
    nail's ``length`` below the base of the neck, its ``radius`` and whether it holds a ``blade``, the ``thread`` of
    cannulated screws and their ``washers``.
    """

    implant: Implant
    cemented: bool = False
    cemented_cup: bool = False
    collar: bool = False
    bipolar: bool = False
    stem: str = "titanium"
    head: str = "cobalt"
    head_radius: float = 16.0
    inclination: float = 45.0
    version: float = 15.0
    length: float = 110.0
    screws: int = 3
    radius: float = 5.5
    blade: bool = False
    thread: float = 16.0
    washers: bool = False


def draw_fitting(implant: Implant, rng: np.random.Generator) -> Fitting:
    """Draw a model of ``implant`` and its sizes."""
    cemented = bool(rng.random() < (0.65 if implant is Implant.HEMIARTHROPLASTY else 0.4))
    length = rng.uniform(98, 128)
    if implant is Implant.NAIL:
        length = rng.uniform(240, 300) if rng.random() < 0.3 else rng.uniform(125, 150)
    return Fitting(
        implant=implant,
        cemented=cemented,
        cemented_cup=bool(cemented and rng.random() < 0.5),
        collar=bool(rng.random() < 0.3),
        bipolar=bool(rng.random() < 0.6),
        stem=str(rng.choice(["steel", "cobalt"])) if cemented else "titanium",
        head=str(rng.choice(["cobalt", "ceramic", "steel"], p=[0.45, 0.45, 0.1])),
        head_radius=float(rng.choice([14.0, 16.0, 18.0], p=[0.3, 0.45, 0.25])),
        inclination=float(np.clip(rng.normal(43, 6), 28, 60)),
        version=float(np.clip(rng.normal(15, 6), 0, 30)),
        length=float(length),
        screws=int(rng.integers(*_SCREWS.get(implant, (0, 4)))),
        radius=float(rng.uniform(5.0, 6.0)),
        blade=bool(rng.random() < 0.4),
        thread=float(rng.choice([16.0, 22.0, 32.0])),
        washers=bool(rng.random() < 0.35),
    )  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One piece: its ``material`` (a key of ``MATERIAL_DENSITY``) and its signed ``distance`` (mm) at points (..., 3) of the
    femur's own frame, inside the box from ``low`` to ``high``.

    ``masked`` says whether it belongs to the mask of the prosthesis or fixation (bone cement does not); ``in_pelvis`` that it
    sits in the acetabulum: its frame is the femur's, but does not turn with the femur.
    """

    material: str
    distance: Distance
    low: Vector
    high: Vector
    masked: bool = True
    in_pelvis: bool = False


def box_of(points: Sequence[Sequence[float]], margin: float) -> tuple[Vector, Vector]:
    """Return the corners of a box ``margin`` mm around ``points`` (x, y, z)."""
    x, y, z = zip(*points, strict=True)
    low = (min(x) - margin, min(y) - margin, min(z) - margin)
    return low, (max(x) + margin, max(y) + margin, max(z) + margin)


def along(p: Tensor, start: Sequence[float], end: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return how far (mm) points (..., 3) lie along the line from ``start`` to ``end``, and how far from that line."""
    axis = vector(end, p) - vector(start, p)
    axis = axis / axis.norm()
    offset = p - vector(start, p)
    t = offset @ axis
    return t, (offset - t[..., None] * axis).norm(dim=-1)


def merged(parts: Sequence[Part]) -> Part:
    """Return several parts of one material as one, so that nothing is counted twice where they overlap."""
    first, *others = parts

    def distance(p: Tensor) -> Tensor:
        d = first.distance(p)
        for part in others:
            d = torch.minimum(d, part.distance(p))
        return d

    low, high = np.min([part.low for part in parts], 0), np.max([part.high for part in parts], 0)
    return Part(first.material, distance, tuple(low.tolist()), tuple(high.tolist()), first.masked, first.in_pelvis)


def placed(part: Part, femur: Femur) -> tuple[Solid, tuple[Tensor, Tensor]]:
    """Return the part as a solid of the patient's frame, and the corners (3,) of a box around it, ready for `cast`."""
    frame = replace(femur, rotation=torch.eye(3).to(femur.rotation)) if part.in_pelvis else femur

    def tissue(points: Tensor) -> Tissue:
        distance = part.distance(frame.to_local(points)) * frame.size
        nothing = torch.zeros_like(distance)
        return Tissue(distance, nothing, nothing)

    low, high = vector(part.low, frame.position), vector(part.high, frame.position)
    corners = frame.to_patient(torch.cartesian_prod(*(torch.stack([low[i], high[i]]) for i in range(3))))
    return tissue, (corners.amin(0), corners.amax(0))
