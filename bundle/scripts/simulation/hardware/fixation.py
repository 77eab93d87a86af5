"""Fixation of a fractured hip: sliding hip screw, cephalomedullary nail and cannulated screws, in a femur's own frame.

Sizes in mm are those of common systems: lag screws of 12.7 mm in barrels of 12.6 mm, plates of 19 x 6 mm at 130-135 degrees,
nails of 16 mm above and 10-12 mm below, cancellous screws of 6.5-7.3 mm over 2.8 mm wires.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.solids import intersection
from scripts.simulation.hardware.canal import find_canal
from scripts.simulation.hardware.fitting import Fitting, Part, Vector, along, box_of, merged

_BELOW_SURFACE = 8.0  # mm of the head left in front of a screw's tip


def _neck(femur: Femur) -> tuple[Vector, Vector]:
    """Where the neck's axis leaves the lateral cortex, and where a screw ends in the head."""
    lateral = 1 + (femur.shaft_radius + 1.5) / femur.offset
    past = (femur.head_radius - _BELOW_SURFACE) / math.hypot(femur.offset, femur.drop)
    return (-femur.offset * lateral, 0.0, femur.drop * lateral), (femur.offset * past, 0.0, -femur.drop * past)


def screw(
    start: Sequence[float], end: Sequence[float], radius: float, thread: float, pitch: float, length: float, hole: float = 0.0,
    head: float = 0.0, material: str = "steel",
) -> Part:  # fmt: skip
    """A screw from its head at ``start`` to its tip at ``end``.

    Args:
        start, end: mm in the femur's frame.
        radius: of the shaft, mm.
        thread: how far the thread stands out from the shaft, mm.
        pitch: of the thread, mm.
        length: of the thread, from the tip, mm.
        hole: radius of the bore of a cannulated screw, mm.
        head: radius of the screw's head, mm.
        material: key of ``MATERIAL_DENSITY``.
    """
    whole = math.dist(start, end)

    def distance(p: Tensor) -> Tensor:
        t, r = along(p, start, end)
        cut = torch.sigmoid((t - (whole - length)) / 0.4) * (0.5 + 0.5 * torch.cos(t * (2 * math.pi / pitch)))
        taper = ((whole - t) / (2.0 * radius)).clamp(0.25, 1)
        d = torch.maximum(r - (radius + thread * cut) * taper, (t - whole / 2).abs() - whole / 2)
        if head:
            d = torch.minimum(d, torch.maximum(torch.hypot(r, t) - head, t - 0.6 * head))
        return torch.maximum(d, hole - r) if hole else d

    return Part(material, distance, *box_of((start, end), max(radius + thread, head) + 1))


def sliding_hip_screw(fitting: Fitting, femur: Femur) -> list[Part]:
    """A lag screw that slides in the barrel of a side plate, which cortical screws hold to the shaft."""
    lateral, tip = _neck(femur)
    length = math.dist(lateral, tip)
    towards = [(b - a) / length for a, b in zip(lateral, tip, strict=True)]
    barrel_end = [a + 38 * u for a, u in zip(lateral, towards, strict=True)]
    lag_start = [a + 22 * u for a, u in zip(lateral, towards, strict=True)]
    x = -femur.offset - femur.shaft_radius - 3.0
    top, bottom = lateral[2] - 12, lateral[2] + 16 + 16 * fitting.screws

    def barrel(p: Tensor) -> Tensor:
        t, r = along(p, lateral, barrel_end)
        return torch.maximum(torch.maximum(r - 6.3, 3.9 - r), (t - 17).abs() - 21)

    def plate(p: Tensor) -> Tensor:
        z = p[..., 2]
        # The plate stands off where the shaft widens towards the trochanter.
        flare = 3.5 * torch.sigmoid((lateral[2] + 4 - z) / 7)
        slab = intersection((p[..., 0] - x + flare).abs() - 2.9, (p[..., 1].abs() - 9.0), 2.5)
        return intersection(slab, (z - (top + bottom) / 2).abs() - (bottom - top) / 2, 3.0)

    parts = [
        Part("steel", barrel, *box_of((lateral, barrel_end), 8.0)),
        Part("steel", plate, (x - 8.0, -10.0, top - 1.0), (x + 4.0, 10.0, bottom + 1.0)),
        screw(lag_start, tip, 3.9, 2.4, 3.0, 22.0),
    ]
    depth = femur.shaft_radius + 2.5
    for k in range(fitting.screws):
        z = lateral[2] + 22 + 16 * k
        y = (-2.0, 2.0)[k % 2]
        parts.append(screw((x - 1.5, y, z), (-femur.offset + depth, y, z), 1.7, 0.6, 1.75, 2 * depth, head=3.6))
    return [merged(parts)]


def nail(fitting: Fitting, femur: Femur) -> list[Part]:
    """A curved nail from the tip of the greater trochanter, a lag screw or blade through it, and a screw across its end."""
    base, drop = -femur.offset, femur.drop
    end = drop + fitting.length
    canal = find_canal(femur)
    thin = min(fitting.radius, 0.92 * canal.radius)
    bend = drop + 42
    low = canal.posterior_at(end)

    def rod(p: Tensor) -> Tensor:
        x, y, z = canal.straightened(p).unbind(-1)
        centre = base - 0.095 * (bend - z).clamp_min(0)
        narrow = torch.sigmoid((z - bend - 18) / 6)
        radius = 7.7 + (thin - 7.7) * narrow
        round_ = torch.hypot(x - centre, y) - radius
        return intersection(round_, (z - (drop - 34 + end) / 2).abs() - (end - drop + 34) / 2, 3.0)

    lateral, tip = _neck(femur)
    # The screw passes through the nail's upper part, a little below the neck's axis.
    lower = [(x, y, z + 3.0) for x, y, z in (lateral, tip)]
    parts = [
        Part("titanium", rod, (base - 20.0, min(low, 0.0) - 11.0, drop - 36.0), (base + 14.0, max(low, 0.0) + 14.0, end + 2.0))
    ]
    if fitting.blade:

        def blade(p: Tensor) -> Tensor:
            whole = math.dist(*lower)
            t, r = along(p, *lower)
            angle = torch.atan2(p[..., 1], (p[..., 2] - lower[0][2]) * 0.8 - (p[..., 0] - lower[0][0]) * 0.6)
            fins = 5.4 - 1.9 * torch.sigmoid((t - whole + 34) / 1.0) * (0.5 - 0.5 * torch.cos(4 * angle + 0.06 * t))
            return torch.maximum(torch.maximum(r - fins, 1.6 - r), (t - whole / 2).abs() - whole / 2)

        parts.append(Part("titanium", blade, *box_of(lower, 6.5)))
    else:
        parts.append(screw(lower[0], lower[1], 4.2, 1.3, 3.2, 26.0, hole=1.6, material="titanium"))
    depth = femur.shaft_radius + 2.0
    z, y = end - 18.0, canal.posterior_at(end - 18.0)
    if fitting.length < 160:
        parts.append(
            screw((base - depth - 2, y, z), (base + depth, y, z), 2.0, 0.5, 1.9, 2 * depth, head=3.8, material="titanium")
        )
    return [merged(parts)]


def cannulated_screws(fitting: Fitting, femur: Femur) -> list[Part]:
    """Two or three parallel cancellous screws along the neck, some on washers."""
    lateral, tip = _neck(femur)
    length = math.dist(lateral, tip)
    ux, uz = (tip[0] - lateral[0]) / length, (tip[2] - lateral[2]) / length
    parts = []
    # An inverted triangle: one along the calcar, two above; across the neck and posterior, mm.
    spread = 0.55 * femur.neck_radius
    for across, posterior in ((-spread, 0.0), (0.85 * spread, 5.0), (0.2 * spread, -6.5))[: fitting.screws]:
        # Each head sits on the lateral cortex, each tip as far below the surface of the head as that of a lag screw.
        start = (lateral[0], posterior, lateral[2] - across / max(ux, 0.3))
        middle = -(start[0] * ux + start[2] * uz)
        apart = sum(c * c for c in start) - middle * middle
        reach = middle + math.sqrt(max(0.0, (femur.head_radius - _BELOW_SURFACE) ** 2 - apart))
        end = (start[0] + ux * reach, posterior, start[2] + uz * reach)
        parts.append(screw(start, end, 2.3, 1.1, 2.75, fitting.thread, hole=1.2, head=4.0, material="titanium"))
        if fitting.washers:

            def washer(p: Tensor, start: Vector = start, end: Vector = end) -> Tensor:
                t, r = along(p, start, end)
                return torch.maximum(torch.maximum(r - 6.3, 2.6 - r), (t - 2.4).abs() - 0.8)

            parts.append(Part("titanium", washer, *box_of((start,), 8.0)))
    return [merged(parts)]
