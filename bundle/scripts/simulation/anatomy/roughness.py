"""What makes the trochanters of a femur uneven: relief of its surface, and how cortex and spongy bone vary from place to place.

The relief is bumps and facets, spurs where tendons insert, and lines. Lines are ridges and crests, such as the intertrochanteric
line and crest, which show as bright strokes because the cortex is thicker there; a few channels of vessels are dark ones. Spongy
bone holds coarse plates along the main direction of load, voids and now and then a bone island. All is tabulated once a femur
on a grid and looked up, so that a ray costs the same however much there is.

Coordinates are the femur's own about the base of its neck (x medial, y posterior, z distal), in mm before ``size``. How large it
all is was matched by eye to radiographs of healthy hips, and that the old are less even is an assumption of the same kind.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, grid_sample

from scripts.simulation.anatomy.curves import smooth_curve

_LOW, _HIGH = (-38.0, -26.0, -58.0), (46.0, 44.0, 74.0)
_GRID_MM = 1.2
_FADE_MM = 12.0
_ELSEWHERE = 0.12
_HIGHEST_MM = 2.4
_STEEPEST_MM = 1.0  # from one grid point to the next

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Unevenness:
    """How uneven a femur is, each 0 (smooth) to 1 (as uneven as healthy bone gets): ``relief`` of its surface, ``spurs`` where
    tendons insert, ``lines`` (ridges, crests, channels), ``cortex`` (its thickness) and ``spongy`` bone."""

    relief: float
    spurs: float
    lines: float
    cortex: float
    spongy: float


@dataclass(frozen=True)
class Local:
    """What is added to the distance to the surface (mm), and multipliers of cortical thickness and spongy mineral, each (...)."""

    relief: Tensor
    cortex: Tensor
    spongy: Tensor


@dataclass(frozen=True)
class Roughness:
    """What is uneven about one femur.

    ``uneven`` says how much there is of everything; ``tip`` and ``lesser`` are the tips of the greater and the lesser trochanter,
    about the base of the neck, mm before ``size``. The tip of the greater one stays. All else follows from ``seed``.
    """

    uneven: Unevenness
    tip: Point
    lesser: Point
    seed: int

    @cached_property
    def table(self) -> Tensor:
        """The relief (mm), and what the multipliers of cortex and spongy bone differ from 1, (3, depth, height, width)."""
        return _tabulated(self.uneven, self.tip, self.lesser, np.random.default_rng(self.seed))

    def __call__(self, x: Tensor, y: Tensor, z: Tensor) -> Local:
        """Look up points of any shape; beyond the table the bone is smooth."""
        where = torch.stack([
            (axis - (high + low) / 2) * (2 / (high - low)) for axis, low, high in zip((x, y, z), _LOW, _HIGH, strict=True)
        ], dim=-1)  # fmt: skip
        found = grid_sample(self.table[None].to(x), where.reshape(1, 1, 1, -1, 3), align_corners=True)[0, :, 0, 0]
        relief, cortex, spongy = found.reshape(3, *x.shape)
        return Local(relief, 1 + cortex, 1 + spongy)


def draw_unevenness(age: float, rng: np.random.Generator) -> Unevenness:
    """Draw how uneven a person's femurs are: from nearly smooth to very uneven at any age, on average more in the old.

    Args:
        age: years.
        rng: source of everything that varies.
    """
    old = float(np.clip((age - 25) / 60, 0, 1))
    overall = rng.normal(0, 0.6)
    relief, spurs, lines, cortex, spongy = (
        1 / (1 + math.exp(-(1.6 * (old - 0.25) * more + overall + rng.normal(0, 0.9)))) for more in (1.0, 1.6, 0.5, 0.8, 1.0)
    )
    return Unevenness(relief, spurs, lines, cortex, spongy)


def _tabulated(uneven: Unevenness, tip: Point, lesser: Point, rng: np.random.Generator) -> Tensor:
    counts = [round((high - low) / _GRID_MM) + 1 for low, high in zip(_LOW, _HIGH, strict=True)]
    axes = [torch.linspace(low, high, n) for low, high, n in zip(_LOW, _HIGH, counts, strict=True)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    drawn = _Drawn(torch.Generator().manual_seed(int(rng.integers(2**31))), tuple(counts[::-1]))
    greater = torch.sigmoid((10.0 - z) / 4.0) * torch.sigmoid((12.0 - x) / 4.0)
    from_lesser = (x - lesser[0]).square() + (y - lesser[1]).square() + (z - lesser[2]).square()
    trochanters = torch.maximum(greater, torch.exp(-from_lesser / 2 / 9.0**2))

    broad, middle, fine = drawn.noise((15.0,) * 3), drawn.noise((7.5,) * 3), drawn.noise((4.5,) * 3)
    facets = 0.8 * broad + 0.5 * (0.8 - middle.abs()) + 0.1 * fine
    # No fossa is as round as the ellipsoid that cuts it.
    fossa = torch.exp(-((x - 8.0) / 9.0).square() - ((y - 14.0) / 9.0).square() - ((z + 20.0) / 12.0).square())
    away = _ELSEWHERE * torch.sigmoid((12.0 - x) / 4.0)
    relief = 1.1 * uneven.relief * torch.maximum(trochanters, away) * facets + 1.1 * fossa * broad
    # Spurs lie along the tendons, at the upper and lateral border of the greater trochanter.
    border = greater * torch.sigmoid((4.0 - z - 0.6 * x) / 4.0)
    relief = relief - uneven.spurs * border * 2.0 * (drawn.noise((7.0, 8.0, 12.0)) - 1.0).clamp(0, 1.2)
    lines, thicker = _lines(uneven, tip, lesser, rng, x, y, z)
    relief = relief - lines
    # The tip stays, and nothing about it is much higher.
    pinned = torch.exp(-((x - tip[0]).square() + (y - tip[1]).square() + (z - tip[2]).square()) / 2 / 5.0**2)
    at_tip = [round((value - low) / _GRID_MM) for value, low in zip(tip, _LOW, strict=True)]
    relief = relief - float(relief[at_tip[2], at_tip[1], at_tip[0]]) * pinned
    lowered = _HIGHEST_MM - (_HIGHEST_MM - 1.0) * torch.sigmoid((tip[2] + 7.0 - z) / 1.5)
    relief = torch.maximum(relief, -lowered).clamp_max(_HIGHEST_MM)
    # Rounded off: a step would look like a fracture.
    relief = avg_pool3d(relief[None], 3, stride=1, padding=1)[0]
    steepest = max(float(relief.diff(dim=axis).abs().max()) for axis in range(3))
    relief = relief * min(1.0, _STEEPEST_MM / steepest)

    # The thick cortex of the shaft is nearly even.
    variation = uneven.cortex * (0.06 + 0.39 * torch.sigmoid((16.0 - z) / 7.0))
    thickness = torch.exp(variation * (0.7 * broad + 0.7 * drawn.noise((6.0,) * 3)) - 0.2 * uneven.cortex * greater)
    spongy = _spongy(uneven, drawn, rng, x, y, z)
    window = torch.ones_like(x)
    for axis, low, high in zip((x, y, z), _LOW, _HIGH, strict=True):
        inward = torch.minimum(axis - low, high - axis) / _FADE_MM
        window = window * inward.clamp(0, 1).square() * (3 - 2 * inward.clamp(0, 1))
    return torch.stack([relief, thickness * thicker - 1, spongy - 1]) * window


def _lines(
    uneven: Unevenness, tip: Point, lesser: Point, rng: np.random.Generator, x: Tensor, y: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """Height of ridges (mm) and the factor by which they thicken the cortex, and channels thin it."""
    flat_x, flat_z = x[:, 0], z[:, 0]  # lines are drawn on (depth, width), and lie on the back or on the front
    back, front = torch.zeros_like(flat_x), torch.zeros_like(flat_x)

    def line(points: list[tuple[float, float]], side: Tensor, strength: float, width: float, wander: float = 1.2) -> None:
        around = np.array(points) + rng.normal(0, wander, (len(points), 2))
        distance, part = _along(smooth_curve(around, 16), flat_x, flat_z)
        # A line fades towards its ends and here and there between.
        strokes = 0.65 + 0.35 * torch.sin(part * rng.uniform(4, 12) + rng.uniform(0, 6))
        side += strength * torch.exp(-(distance / width).square()) * strokes * (part * (1 - part) * 12).clamp(0, 1)

    amount = uneven.lines
    low_x, low_z = lesser[0] - 7.0, lesser[2]
    crest = [(tip[0] + 2.0, tip[2] + 5.0), (tip[0] + 4.0, -14.0), (5.0, 2.0), (low_x, low_z - 8.0), (low_x + 3.0, low_z + 3.0)]
    line(crest, back, amount * rng.uniform(1.0, 4.5), rng.uniform(1.2, 2.2))
    if rng.random() < 0.65:
        apart = rng.uniform(3.0, 6.5)
        line([(a + apart, b + 0.5) for a, b in crest[:4]], back, amount * rng.uniform(0.6, 3.5), rng.uniform(1.0, 1.8))
    start = rng.uniform(-30, -16)
    line(
        [(9.0, start), (8.0, 0.5 * start), (9.0, 4.0), (13.0, 24.0)], front, amount * rng.uniform(0.3, 2.8), rng.uniform(1.2, 2.2)
    )
    # The rim of the fossa: an arc that is open somewhere.
    first, span = rng.uniform(0, 2 * math.pi), rng.uniform(2.5, 5.0)
    turns = first + np.linspace(0, span, 6)
    wide, high = rng.uniform(6.5, 10.5), rng.uniform(8.0, 13.0)
    rim = [(7.5 + wide * math.cos(a), -19.0 + high * math.sin(a)) for a in turns]
    line(rim, back, amount * rng.uniform(0.6, 4.0), rng.uniform(1.0, 1.8), 0.8)
    for _ in range(rng.integers(2, 7)):  # insertions of muscles and edges of facets
        centre, turn, long = rng.uniform((-18, -32), (14, 22)), rng.uniform(0, math.pi), rng.uniform(7, 22)
        step = np.array([math.cos(turn), math.sin(turn)]) * long / 3
        where = [tuple(centre + step * k) for k in (-1.5, -0.5, 0.5, 1.5)]
        line(where, back if rng.random() < 0.5 else front, amount * rng.uniform(0.2, 1.8), rng.uniform(0.9, 1.9), 1.8)
    for _ in range(rng.integers(0, 4)):  # channels
        centre, turn, long = rng.uniform((-14, -20), (12, 40)), rng.normal(math.pi / 2, 0.6), rng.uniform(8, 20)
        step = np.array([math.cos(turn), math.sin(turn)]) * long / 3
        where = [tuple(centre + step * k) for k in (-1.5, -0.5, 0.5, 1.5)]
        line(where, back if rng.random() < 0.5 else front, -rng.uniform(0.2, 0.8) * amount, rng.uniform(0.8, 1.1), 1.5)
    behind, before = torch.sigmoid((y - 9.0) / 2.5), torch.sigmoid((1.0 - y) / 2.5)
    stroke = back[:, None] * behind + front[:, None] * before
    return 0.3 * stroke.clamp(0, 3), (1 + stroke).clamp(0.15, 5.0)


def _along(curve: np.ndarray, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Distance (mm) of points in a plane to a curve (n, 2), and the part (0..1) of the way along it where they are nearest."""
    points = torch.tensor(curve, dtype=x.dtype)
    start, step = points[:-1], points[1:] - points[:-1]
    off_x, off_z = x[..., None] - start[:, 0], z[..., None] - start[:, 1]
    t = ((off_x * step[:, 0] + off_z * step[:, 1]) / step.square().sum(-1)).clamp(0, 1)
    squared = (off_x - t * step[:, 0]).square() + (off_z - t * step[:, 1]).square()
    nearest, which = squared.min(-1)
    return nearest.sqrt(), (which + t.gather(-1, which[..., None])[..., 0]) / len(start)


def _spongy(uneven: Unevenness, drawn: "_Drawn", rng: np.random.Generator, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    plates = drawn.noise((3.6, 18.0, 24.0), lean=rng.normal(0.25, 0.15))
    arches = drawn.noise((24.0, 18.0, 3.6), lean=rng.normal(-0.4, 0.2))
    lumps, broad = drawn.noise((5.0,) * 3), drawn.noise((16.0, 22.0, 16.0))
    mix = rng.uniform(0.3, 1.0, 4) * (1.0, 0.4, 0.6, 0.6)
    mix /= np.linalg.norm(mix)
    pattern = mix[0] * plates + mix[1] * arches + mix[2] * lumps + mix[3] * broad
    amount = 0.2 + 0.65 * uneven.spongy
    spongy = torch.exp(amount * pattern - 0.5 * amount * amount)
    for _ in range(rng.integers(0, 4)):  # voids: Ward's triangle and the middle of the trochanter lose bone first
        a, b, c = rng.uniform(5, 12, 3)
        at = rng.normal((-4, 3, -6), (7, 4, 14))
        inside = ((x - at[0]) / a).square() + ((y - at[1]) / b).square() + ((z - at[2]) / c).square()
        spongy = spongy * (1 - rng.uniform(0.2, 0.75) * uneven.spongy * torch.sigmoid((1 - inside) * 2.5))
    for _ in range(rng.poisson(0.35)):
        at, radius = rng.uniform((-16, -6, -22), (16, 14, 40)), rng.uniform(1.3, 3.0)
        distance = torch.sqrt((x - at[0]).square() + (y - at[1]).square() + (z - at[2]).square())
        spongy = spongy + rng.uniform(3, 8) * torch.sigmoid((radius - distance) / 0.5)
    return spongy.clamp_max(12.0)


class _Drawn:
    """Source of noise on a grid (depth, height, width) of the table."""

    def __init__(self, generator: torch.Generator, shape: tuple[int, ...]) -> None:
        self._generator, self._shape = generator, shape
        depth, height, width = (torch.fft.fftfreq(n, _GRID_MM) for n in shape)
        self._z, self._y = depth[:, None, None], height[None, :, None]
        self._x = width[: shape[2] // 2 + 1].abs()[None, None, :]

    def noise(self, lengths: tuple[float, float, float], lean: float = 0.0) -> Tensor:
        """Noise of mean 0 and SD 1 whose waves are about ``lengths`` (mm along x, y, z), leaning (radians) from z to x."""
        cos, sin = math.cos(lean), math.sin(lean)
        x, z = cos * self._x + sin * self._z, cos * self._z - sin * self._x
        reach = torch.sqrt((x * lengths[0]).square() + (self._y * lengths[1]).square() + (z * lengths[2]).square())
        white = torch.fft.rfftn(torch.randn(self._shape, generator=self._generator))
        field = torch.fft.irfftn(white * (reach * torch.exp(-(reach.square()))), s=self._shape)
        return field / field.std()
