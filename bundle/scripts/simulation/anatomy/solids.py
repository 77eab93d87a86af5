"""Signed distances to simple solids, the clay that bones and implants are modelled from.

Every function takes points of shape (..., 3) in mm (x to the patient's left, y to posterior, z to the feet) and returns
the signed distance (...) in mm: negative inside, zero on the surface. Distances to ellipsoids and tapered solids are first-order
approximations, exact on the surface. Formulas: Quilez, "3D SDFs" (iquilezles.org/articles/distfunctions).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from skimage.draw import polygon2mask
from torch import Tensor
from torch.nn.functional import grid_sample


def vector(values: Sequence[float], like: Tensor) -> Tensor:
    """Return ``values`` as a tensor on the device and of the type of ``like``."""
    return torch.tensor(list(values), dtype=like.dtype, device=like.device)


@dataclass(frozen=True)
class Warp:
    """A smooth displacement of space by n plane waves, which makes every modelled bone an individual.

    ``vectors`` (3, n) holds a wave vector in each column (radians per mm), ``phases`` (n,) their phases in radians, ``heights``
    (n, 3) the displacement of each wave in mm, a row a wave.
    """

    vectors: Tensor
    phases: Tensor
    heights: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Displace points (..., 3)."""
        return points + torch.sin(points @ self.vectors + self.phases) @ self.heights


NO_WARP = Warp(torch.zeros(3, 3), torch.zeros(3), torch.zeros(3, 3))


def draw_warp(rng: np.random.Generator, lengths: np.ndarray, heights: float | np.ndarray) -> Warp:
    """Draw a displacement of waves of given ``lengths`` (n,) in any direction; ``heights`` (mm, one or (n,)) are SDs."""
    count = len(lengths)
    direction = rng.normal(size=(3, count))
    direction /= np.linalg.norm(direction, axis=0)
    return Warp(
        torch.tensor(direction * 2 * np.pi / lengths, dtype=torch.float32),
        torch.tensor(rng.uniform(0, 2 * np.pi, size=count), dtype=torch.float32),
        torch.tensor(rng.normal(size=(count, 3)) * np.broadcast_to(heights, count)[:, None], dtype=torch.float32),
    )


def about_x(angle: float) -> Tensor:
    """Rotation (3, 3) by ``angle`` (radians) that takes z towards posterior."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])


def about_y(angle: float) -> Tensor:
    """Rotation (3, 3) by ``angle`` (radians) that takes x towards the feet: abduction of a right femur."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def about_z(angle: float) -> Tensor:
    """Rotation (3, 3) by ``angle`` (radians) that takes posterior towards x: external rotation of a right femur."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def ellipsoid(points: Tensor, centre: Sequence[float], radii: Sequence[float]) -> Tensor:
    """Distance to an axis-aligned ellipsoid with half-axes ``radii``."""
    scaled = (points - vector(centre, points)) / vector(radii, points)
    k0 = scaled.norm(dim=-1)
    k1 = (scaled / vector(radii, points)).norm(dim=-1)
    return k0 * (k0 - 1) / k1.clamp_min(1e-6)


def capsule(points: Tensor, start: Sequence[float], end: Sequence[float], r_start: float, r_end: float) -> Tensor:
    """Distance to a round cone: a ball swept from ``start`` to ``end`` while its radius goes from one to the other."""
    a = vector(start, points)
    axis = vector(end, points) - a
    offset = points - a
    t = ((offset @ axis) / (axis @ axis)).clamp(0, 1)
    return (offset - t[..., None] * axis).norm(dim=-1) - (r_start + (r_end - r_start) * t)


def union(a: Tensor, b: Tensor, blend: float) -> Tensor:
    """Union of two solids whose seam is rounded over ``blend`` mm (quadratic smooth minimum)."""
    h = (blend - (a - b).abs()).clamp_min(0) / blend
    return torch.minimum(a, b) - 0.25 * blend * h * h


def intersection(a: Tensor, b: Tensor, blend: float) -> Tensor:
    """Intersection of two solids whose edge is rounded over ``blend`` mm."""
    return -union(-a, -b, blend)


def polygon_distance(corners: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Signed distance of the points (y, z) to a closed polygon with ``corners`` (n, 2), negative inside."""
    points = torch.stack([y, z], dim=-1).reshape(-1, 1, 2)
    edges = corners.roll(-1, 0) - corners
    offset = points - corners
    t = ((offset * edges).sum(-1) / (edges * edges).sum(-1)).clamp(0, 1)
    distance = (offset - t[..., None] * edges).norm(dim=-1).amin(1)
    after = corners.roll(-1, 0)
    straddles = (corners[:, 1] > points[..., 1]) != (after[:, 1] > points[..., 1])
    crossing = corners[:, 0] + (points[..., 1] - corners[:, 1]) * edges[:, 0] / torch.where(edges[:, 1] == 0, 1e-9, edges[:, 1])
    inside = (straddles & (points[..., 0] < crossing)).sum(1) % 2 == 1
    return torch.where(inside, -distance, distance).reshape(y.shape)


class Outline:
    """A plane figure with rounded corners, given by its ``corners`` (x, z) in mm, as a function of points in the plane.

    The distance to the polygon is tabulated once on a 1.5 mm grid and smoothed over ``rounding`` mm; a look-up costs one
    interpolation however many corners there are.
    """

    _MARGIN = 60.0
    _GRID = 1.5

    def __init__(self, corners: Sequence[tuple[float, float]], rounding: float = 3.0) -> None:
        """Tabulate the figure."""
        points = np.asarray(corners, dtype=np.float64)
        self._low = points.min(0) - self._MARGIN
        self._high = points.max(0) + self._MARGIN
        x = np.arange(self._low[0], self._high[0], self._GRID)
        z = np.arange(self._low[1], self._high[1], self._GRID)
        self._high = np.array([x[-1], z[-1]])
        pixels = np.stack(np.meshgrid(z, x, indexing="ij"), axis=-1)
        inside = polygon2mask((len(z), len(x)), (points[:, ::-1] - self._low[::-1]) / self._GRID)
        squared = np.full(inside.shape, np.inf)
        for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
            edge = (end - start)[::-1]
            offset = pixels - start[::-1]
            t = np.clip(offset @ edge / (edge @ edge), 0, 1)
            squared = np.minimum(squared, ((offset - t[..., None] * edge) ** 2).sum(-1))
        distance = gaussian_filter(np.where(inside, -1, 1) * np.sqrt(squared), rounding / self._GRID)
        self._table = torch.from_numpy(distance.astype(np.float32))[None, None]

    def __call__(self, x: Tensor, z: Tensor) -> Tensor:
        """Signed distance in mm from points (x, z) to the figure, negative inside; beyond 60 mm it stays what it is there."""
        u = (x - self._low[0]) / (self._high[0] - self._low[0]) * 2 - 1
        v = (z - self._low[1]) / (self._high[1] - self._low[1]) * 2 - 1
        where = torch.stack([u, v], dim=-1).reshape(1, -1, 1, 2).to(x.dtype)
        table = self._table.to(x)
        return grid_sample(table, where, padding_mode="border", align_corners=True).reshape(x.shape)
