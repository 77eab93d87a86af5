"""Rays through solids: what lies along each line from the focal spot to a pixel.

The image plane lies in the patient (y = 0, through the hips): pixel (row, column) sees the ray that crosses it at (x, z). Only
blocks of the volume that hold the solid are sampled, and along a ray the surface is found by linear interpolation between
samples, so thin cortex keeps its mass without supersampling. Lengths are measured along the ray, oblique ones too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_TILE = 8  # pixels along each side of a block
_STEPS = 4  # depth steps in a block: small blocks follow the surface closely, and each evaluates one depth more than it has steps
_CHUNK = 160  # blocks evaluated together: about 50,000 points, which stay in the processor's cache
_MARGIN = 1.3  # blends and bends of solids change distances by less than this


@dataclass(frozen=True)
class ImagePlane:
    """Where the pixels are: ``rows`` x ``columns`` of ``spacing`` mm in the patient plane, seen from a point focal spot.

    ``left`` and ``top`` are the x and z (mm) of the first pixel's centre, ``focus_x`` and ``focus_z`` those of the central ray,
    and ``focus_distance`` (mm) is how far in front of the patient plane the focal spot is (infinity: a parallel beam).
    """

    rows: int
    columns: int
    spacing: float
    left: float
    top: float
    focus_x: float = 0.0
    focus_z: float = 0.0
    focus_distance: float = torch.inf

    def pixel_of(self, points: Tensor) -> Tensor:
        """Project points (..., 3) in mm to (row, column) (..., 2), pixel centres being whole numbers."""
        stretch = 1 / (1 + points[..., 1] / self.focus_distance)
        x = self.focus_x + (points[..., 0] - self.focus_x) * stretch
        z = self.focus_z + (points[..., 2] - self.focus_z) * stretch
        return torch.stack([(z - self.top) / self.spacing, (x - self.left) / self.spacing], dim=-1)

    def window(self, low: Tensor, high: Tensor) -> tuple[slice, slice]:
        """The rows and columns on which a box casts its shadow, none where it misses the plane.

        Args:
            low, high: its corners (3,) in mm.
        """
        corners = self.pixel_of(torch.cartesian_prod(*torch.stack([low, high], dim=-1)))
        top, left = corners.amin(0).floor().long().clamp_min(0).tolist()
        bottom, right = (int(v) for v in corners.amax(0).ceil())
        return slice(top, max(top, min(bottom + 1, self.rows))), slice(left, max(left, min(right + 1, self.columns)))

    def at_spacing(self, spacing: float) -> "ImagePlane":
        """Return the same field of view with pixels of another ``spacing`` (mm)."""
        ratio = self.spacing / spacing
        shift = (spacing - self.spacing) / 2
        return ImagePlane(
            round(self.rows * ratio), round(self.columns * ratio), spacing, self.left + shift, self.top + shift,
            self.focus_x, self.focus_z, self.focus_distance,
        )  # fmt: skip


@dataclass(frozen=True)
class Tissue:
    """What a solid is at some points, all of shape (...): signed distance (mm, negative inside), thickness of its cortical
    shell (mm) and mineral density of its interior (g/cm³)."""

    distance: Tensor
    cortex: Tensor
    interior: Tensor


Solid = Callable[[Tensor], Tissue]
"""A function from points (..., 3) in mm to the tissue there."""


@dataclass
class Shadow:
    """What the rays met in one solid, images of shape (rows, columns): ``path`` (mm inside it), ``cortex`` (mm inside its shell)
    and ``interior`` (mineral of the interior, g/cm²)."""

    path: Tensor
    cortex: Tensor
    interior: Tensor


def inside_fraction(start: Tensor, end: Tensor) -> Tensor:
    """Part (0..1) of each segment that lies inside, from the signed distances at its two ends, linear in between."""
    low, high = torch.minimum(start, end), torch.maximum(start, end)
    return (-low / (high - low).clamp_min(1e-6)).clamp(0, 1)


def cast(solid: Solid, plane: ImagePlane, box: tuple[Tensor, Tensor], step: float = 1.5) -> Shadow:
    """Integrate ``solid`` along the rays of ``plane``.

    Args:
        solid: the tissue as a function of points in mm.
        plane: the pixels.
        box: lower and upper corner (3,) in mm of a box that holds the whole solid.
        step: distance in mm between samples along a ray.
    """
    device = box[0].device
    shadow = Shadow(*(torch.zeros(plane.rows, plane.columns, device=device) for _ in range(3)))
    corners = torch.cartesian_prod(*(torch.stack([box[0][i], box[1][i]]) for i in range(3)))
    pixels = plane.pixel_of(corners)
    row0, col0 = (pixels.amin(0).floor().long() // _TILE * _TILE).clamp_min(0).tolist()
    row1, col1 = pixels.amax(0).ceil().long().tolist()
    row1, col1 = min(row1 + 1, plane.rows), min(col1 + 1, plane.columns)
    if row1 <= row0 or col1 <= col0:
        return shadow

    def points_at(rows: Tensor, cols: Tensor, y: Tensor) -> Tensor:
        stretch = 1 + y / plane.focus_distance
        x = plane.focus_x + (plane.left + cols * plane.spacing - plane.focus_x) * stretch
        z = plane.focus_z + (plane.top + rows * plane.spacing - plane.focus_z) * stretch
        return torch.stack(torch.broadcast_tensors(x, y, z), dim=-1)

    half = (_TILE - 1) / 2
    tile_rows = torch.arange(row0, row1, _TILE, device=device)
    tile_cols = torch.arange(col0, col1, _TILE, device=device)
    near, far = float(box[0][1]), float(box[1][1])
    tile_y = torch.arange(near, far, _STEPS * step, device=device)
    centre = points_at(
        tile_rows[:, None, None] + half, tile_cols[None, :, None] + half, (tile_y + _STEPS * step / 2)[None, None, :]
    )
    together = 1 if device.type == "cpu" else 100  # another device has no use for the processor's cache
    distance = torch.cat([solid(part).distance for part in centre.split(16 * together)])
    blocks = (distance < _reach(plane, (row0, row1, col0, col1), far, step)).nonzero()

    offset = torch.arange(_TILE, device=device)
    rows_in = offset.repeat_interleave(_TILE)
    cols_in = offset.repeat(_TILE)
    y_in = torch.arange(_STEPS + 1, device=device) * step
    padded_cols = tile_cols.numel() * _TILE
    sums = torch.zeros(3, tile_rows.numel() * _TILE * padded_cols, device=device)
    for part in blocks.split(_CHUNK * together):
        rows = tile_rows[part[:, 0], None] + rows_in
        cols = tile_cols[part[:, 1], None] + cols_in
        y = tile_y[part[:, 2], None, None] + y_in
        points = points_at(rows[..., None], cols[..., None], y)
        tissue = solid(points)
        start, end = tissue.distance[..., :-1], tissue.distance[..., 1:]
        inside = inside_fraction(start, end)
        core = inside_fraction(start + tissue.cortex[..., :-1], end + tissue.cortex[..., 1:])
        density = (tissue.interior[..., :-1] + tissue.interior[..., 1:]) / 2
        slant = step * (1 + ((plane.left + cols * plane.spacing - plane.focus_x) / plane.focus_distance) ** 2
                        + ((plane.top + rows * plane.spacing - plane.focus_z) / plane.focus_distance) ** 2) ** 0.5  # fmt: skip
        index = ((rows - row0) * padded_cols + cols - col0).flatten()
        values = torch.stack([inside.sum(-1), (inside - core).sum(-1), (core * density).sum(-1) / 10]) * slant
        sums.index_add_(1, index, values.flatten(1))
    sums = sums.view(3, -1, padded_cols)[:, : row1 - row0, : col1 - col0]
    for image, part in zip((shadow.path, shadow.cortex, shadow.interior), sums, strict=True):
        image[row0:row1, col0:col1] = part
    return shadow


def _reach(plane: ImagePlane, pixels: tuple[int, int, int, int], far: float, step: float) -> float:
    """Distance from a block's centre within which all its points lie, with a margin for distances that are not quite exact."""
    row0, row1, col0, col1 = pixels
    across = max(abs(plane.left + c * plane.spacing - plane.focus_x) for c in (col0, col1))
    along = max(abs(plane.top + r * plane.spacing - plane.focus_z) for r in (row0, row1))
    depth = _STEPS * step / 2
    aside = (_TILE - 1) / 2 * plane.spacing * (1 + max(far, 0.0) / plane.focus_distance)
    lean_x, lean_z = (aside + depth * offset / plane.focus_distance for offset in (across, along))
    return _MARGIN * (lean_x**2 + lean_z**2 + depth**2) ** 0.5
