"""The true morphometry of a phantom femur: what `scripts.measurement.morphometry` measures on a radiograph, of the solid itself.

The femur lies as for a DXA scan, its neck parallel to the table, seen by parallel AP rays: no magnification, no rotation, no
noise. A fracture and a resection are left out of account.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import mineral, places, singh_grade

LEVELS_MM = (40, 100)
"""Levels of the shaft below the tip of the lesser trochanter for which its widths are told, mm."""

MORPHOMETRY = (
    "neck_shaft_deg", "neck_axis_length_mm", "neck_width_mm", "canal_20_above_mm",
    *(f"{what}_{level}_below_mm" for what in ("shaft", "canal") for level in LEVELS_MM),
    "singh_grade",
)  # fmt: skip
"""The names of what is measured. Angle of neck and shaft axis, degrees; length of the neck axis from the lateral to the medial
outline; narrowest width of the neck; width of the medullary canal 20 mm above the lesser trochanter; widths of shaft and
canal below it; mm. Singh's grade, 1 to 6, of the trabeculae that are left: see `femur_bone.singh_grade`."""

_ABOVE_MM = 20.0
_STEP_MM = 0.5
_REACH_MM = 80.0
_DEPTH_STEP_MM = 1.5


def measure_true_morphometry(femur: Femur) -> dict[str, float]:
    """Measure a femur; the keys are those of `MORPHOMETRY`, the values degrees, mm and grades (NaN where a line has no end)."""
    size = femur.size
    along = torch.tensor([-femur.offset, femur.drop]) / femur.neck_length  # (x, z), from the head to the base of the neck
    up = torch.tensor([-along[1], along[0]])  # z points down
    head, base = torch.zeros(2), along * femur.neck_length
    places_along = torch.arange(0.75 * femur.head_radius, 0.8 * femur.neck_length, 1.0 / size)
    necks = places_along[:, None] * along
    widths = _reach(femur, necks, up) + _reach(femur, necks, -up)
    length = femur.neck_length * size + float(_reach(femur, head[None], -along) + _reach(femur, base[None], along))

    lesser = femur.intact_landmarks["lesser_trochanter"][2]
    shaft = torch.tensor([[-femur.offset, lesser + level / size] for level in (-_ABOVE_MM, *LEVELS_MM)])
    lateral, medial = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 0.0])
    outer, canal = (_reach(femur, shaft, lateral, core) + _reach(femur, shaft, medial, core) for core in (False, True))
    lengths = (length, float(widths.min()), float(canal[0]), *outer[1:].tolist(), *canal[1:].tolist())
    measured = (femur.neck_shaft_angle, *lengths, singh_grade(femur.bone.pattern))
    return dict(zip(MORPHOMETRY, measured, strict=True))


def _reach(femur: Femur, starts: Tensor, direction: Tensor, core: bool = False) -> Tensor:
    """How far (n,) in mm the femur's shadow goes from ``starts`` (n, 2), (x, z) before ``size``, in a direction; NaN where it has
    no end. ``core`` measures the inside of the cortex."""
    size = femur.size
    steps = torch.arange(0.0, _REACH_MM, _STEP_MM)
    flat = starts[:, None, :] + steps[:, None] / size * direction
    low, high = (float(corner[1]) for corner in femur.own_box())
    depth = torch.arange(low, high, _DEPTH_STEP_MM / size)
    shape = (len(starts), len(steps), len(depth))
    points = torch.stack([flat[..., 0, None].expand(shape), depth.expand(shape), flat[..., 1, None].expand(shape)], dim=-1)
    bent = femur.bent(points)
    distance = femur.outline(bent)
    if core:
        distance = distance + mineral(femur.bone, places(femur, bent, distance), femur.sclerosis)[0] / size
    nearest = distance.amin(-1)
    outside = nearest >= 0
    end = outside.int().argmax(1)
    before = (end - 1).clamp_min(0)
    rows = torch.arange(len(starts))
    inner, beyond = nearest[rows, before], nearest[rows, end]
    reach = (before + -inner / (beyond - inner).clamp_min(1e-6)) * _STEP_MM
    return torch.where(outside.any(1) & (end > 0), reach, torch.full_like(reach, math.nan))
