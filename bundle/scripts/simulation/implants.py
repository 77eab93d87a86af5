"""Metal in the hip: arthroplasties (the joint) and fixation (screws, plates, nails), placed in a femur's own frame.

Materials are Ti6Al4V and CoCrMo; sizes are those of common systems in mm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import torch
from torch import Tensor

from scripts.simulation.femur import Femur
from scripts.simulation.projection import Tissue
from scripts.simulation.solids import capsule, vector


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


@dataclass(frozen=True)
class Part:
    """One piece of metal: its ``material`` (a key of ``METAL_DENSITY``) and its distance function in the femur's own frame."""

    material: str
    distance: Callable[[Tensor], Tensor]


def _flat(
    p: Tensor, start: tuple[float, float, float], end: tuple[float, float, float], thin: float, wide: float
) -> Tensor:
    squeeze = vector((wide / thin, 1, 1), p)
    return (
        capsule(p * squeeze, (start[0] * wide / thin, *start[1:]), (end[0] * wide / thin, *end[1:]), wide, wide)
        * thin
        / wide
    )


def _cup(p: Tensor, radius: float) -> Tensor:
    shell = (p.norm(dim=-1) - radius).abs() - 2.0
    return torch.maximum(shell, p @ vector((-0.68, -0.2, 0.70), p))


def _ball(p: Tensor, radius: float) -> Tensor:
    return p.norm(dim=-1) - radius


def parts(implant: Implant, femur: Femur) -> list[Part]:
    """The pieces of ``implant``, fitted to ``femur``; an empty list for none."""
    base, drop = -femur.offset, femur.drop
    shaft_end = (base + 1, -4.0, drop + 112)
    if implant.is_joint:
        stem = [
            Part(
                "titanium",
                partial(capsule, start=(base * 0.62, 0, drop * 0.62), end=(base + 3, 0, drop + 22), r_start=9, r_end=9),
            ),
            Part("titanium", partial(capsule, start=(base + 3, 0, drop + 16), end=shaft_end, r_start=9.5, r_end=5)),
            Part("titanium", partial(capsule, start=(0, 0, 0), end=(base * 0.7, 0, drop * 0.7), r_start=6, r_end=7)),
        ]
        if implant is Implant.TOTAL_HIP:
            return [*stem, Part("cobalt", partial(_ball, radius=15.0)),
                    Part("titanium", partial(_cup, radius=femur.head_radius + 2.5))]  # fmt: skip
        return [*stem, Part("cobalt", partial(_ball, radius=femur.head_radius))]
    lateral = (base * 1.33, 0.0, drop * 1.33)
    tip = (base * -0.18, 0.0, drop * -0.18)
    if implant is Implant.SLIDING_HIP_SCREW:
        lag = Part("titanium", partial(capsule, start=tip, end=lateral, r_start=6, r_end=6))
        plate_x, top = base - 17.5, drop * 1.33
        plate = Part(
            "titanium", partial(_flat, start=(plate_x, 0, top), end=(plate_x + 1, 0, top + 85), thin=3.0, wide=9.0)
        )
        screws = [
            Part("titanium", partial(capsule, start=(plate_x, -2, top + 20 + 17 * k), end=(base + 16, -2, top + 20 + 17 * k), r_start=2.3, r_end=2.3))
            for k in range(4)
        ]  # fmt: skip
        return [lag, plate, *screws]
    if implant is Implant.NAIL:
        return [
            Part(
                "titanium",
                partial(capsule, start=(base - 5, 5, drop - 28), end=(base, 0, drop + 40), r_start=8, r_end=7),
            ),
            Part(
                "titanium",
                partial(capsule, start=(base, 0, drop + 40), end=(base + 1, -5, drop + 150), r_start=6.5, r_end=5.5),
            ),
            Part("titanium", partial(capsule, start=tip, end=lateral, r_start=5.3, r_end=5.3)),
        ]
    if implant is Implant.SCREWS:
        return [
            Part("titanium", partial(capsule, start=(tip[0], y, tip[2] + dz), end=(lateral[0], y, lateral[2] + dz), r_start=3.4, r_end=3.4))
            for y, dz in ((0.0, 8.0), (6.0, -5.0), (-6.0, -5.0))
        ]  # fmt: skip
    return []


def solid(part: Part, femur: Femur) -> Callable[[Tensor], Tissue]:
    """The part as a solid of the patient's frame, ready to be cast."""

    def tissue(points: Tensor) -> Tissue:
        distance = part.distance(femur.to_local(points)) * femur.size
        nothing = torch.zeros_like(distance)
        return Tissue(distance, nothing, nothing)

    return tissue
