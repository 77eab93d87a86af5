"""Metal in the hip: arthroplasties (the joint) and fixation (screws, plates, nails), placed in a femur's own frame.

Materials are Ti6Al4V and CoCrMo; sizes are those of common systems in mm.
"""

from collections.abc import Callable, Sequence
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


def _flat(p: Tensor, start: tuple[float, float, float], end: tuple[float, float, float], thin: float, wide: float) -> Tensor:
    squeeze = vector((wide / thin, 1, 1), p)
    return capsule(p * squeeze, (start[0] * wide / thin, *start[1:]), (end[0] * wide / thin, *end[1:]), wide, wide) * thin / wide


def _cup(p: Tensor, radius: float) -> Tensor:
    shell = (p.norm(dim=-1) - radius).abs() - 2.0
    return torch.maximum(shell, p @ vector((-0.68, -0.2, 0.70), p))


def _ball(p: Tensor, radius: float) -> Tensor:
    return p.norm(dim=-1) - radius


def parts(implant: Implant, femur: Femur) -> list[Part]:
    """The pieces of ``implant``, fitted to ``femur``; an empty list for none."""
    base, drop = -femur.offset, femur.drop
    lateral = (base * 1.33, 0.0, drop * 1.33)
    tip = (base * -0.18, 0.0, drop * -0.18)
    if implant.is_joint:
        stem = [
            _rod((base * 0.62, 0, drop * 0.62), (base + 3, 0, drop + 22), 9, 9),
            _rod((base + 3, 0, drop + 16), (base + 1, -4, drop + 112), 9.5, 5),
            _rod((0, 0, 0), (base * 0.7, 0, drop * 0.7), 6, 7),
        ]
        if implant is Implant.HEMIARTHROPLASTY:
            return [*stem, Part("cobalt", partial(_ball, radius=femur.head_radius))]
        cup = Part("titanium", partial(_cup, radius=femur.head_radius + 2.5))
        return [*stem, Part("cobalt", partial(_ball, radius=15.0)), cup]
    if implant is Implant.SLIDING_HIP_SCREW:
        x, top = base - 17.5, drop * 1.33
        plate = Part("titanium", partial(_flat, start=(x, 0, top), end=(x + 1, 0, top + 85), thin=3.0, wide=9.0))
        heights = [top + 20 + 17 * k for k in range(4)]
        return [_rod(tip, lateral, 6, 6), plate, *(_rod((x, -2, z), (base + 16, -2, z), 2.3, 2.3) for z in heights)]
    if implant is Implant.NAIL:
        upper = _rod((base - 5, 5, drop - 28), (base, 0, drop + 40), 8, 7)
        lower = _rod((base, 0, drop + 40), (base + 1, -5, drop + 150), 6.5, 5.5)
        return [upper, lower, _rod(tip, lateral, 5.3, 5.3)]
    if implant is Implant.SCREWS:
        places = ((0.0, 8.0), (6.0, -5.0), (-6.0, -5.0))
        return [_rod((tip[0], y, tip[2] + dz), (lateral[0], y, lateral[2] + dz), 3.4, 3.4) for y, dz in places]
    return []


def _rod(start: Sequence[float], end: Sequence[float], r_start: float, r_end: float) -> Part:
    return Part("titanium", partial(capsule, start=start, end=end, r_start=r_start, r_end=r_end))


def solid(part: Part, femur: Femur) -> Callable[[Tensor], Tissue]:
    """The part as a solid of the patient's frame, ready to be cast."""

    def tissue(points: Tensor) -> Tissue:
        distance = part.distance(femur.to_local(points)) * femur.size
        nothing = torch.zeros_like(distance)
        return Tissue(distance, nothing, nothing)

    return tissue
