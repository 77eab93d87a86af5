"""What form the outline of a region has: 14 features, in two dimensions.

IBSI defines form in three dimensions. Here areas stand for its volumes and perimeters for its surfaces; the outline is that of
marching squares, midway between the centres of pixels inside and outside, as IBSI's surface is that of marching cubes.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from scripts.measurement.radiomics.feature import Feature

SHAPE: Final = (
    Feature("area", "RNU0", "in the outline, mm²"),
    Feature("pixel_area", "YEKZ", "of its pixels, mm²"),
    Feature("perimeter", "C0JK", "length of the outline, mm"),
    Feature("perimeter_to_area", "2PR5", "perimeter / area, 1/mm"),
    Feature("circularity", "QCFX", "perimeter of a circle of the same area / perimeter"),
    Feature("circular_disproportion", "KRCK", "perimeter / that of a circle of the same area"),
    Feature("maximum_diameter", "L0JK", "between two points of the outline, mm"),
    Feature("height", "", "of the upright box round the outline, mm"),
    Feature("width", "", "of the same box, mm"),
    Feature("major_axis_length", "TDIC", "four times the root of the larger moment of the pixels' places, mm"),
    Feature("minor_axis_length", "P9VJ", "of the smaller one, mm"),
    Feature("elongation", "Q3CK", "minor axis / major axis"),
    Feature("box_density", "PBX1", "area / area of the upright box"),
    Feature("ellipse_density", "6BDE", "area / area of the ellipse of these axes"),
)


def shape(mask: Tensor, spacing_mm: tuple[float, float]) -> Tensor:
    """The features of `SHAPE` of each region.

    Args:
        mask: (B, H, W) bool, the region.
        spacing_mm: between rows and between columns.

    Returns:
        (B, 14) float64; the ellipse's density is infinite for a single row or column.
    """
    down, right = spacing_mm
    square = _squares(pad(mask, (1, 1, 1, 1)).long())
    area = _AREA.to(mask.device)[square].sum((1, 2)) * down * right
    slanted = math.hypot(down, right) / 2
    pieces = [oblique * slanted + upright * down + level * right for oblique, upright, level in _OUTLINE]
    perimeter = torch.tensor(pieces, dtype=torch.float64, device=mask.device)[square].sum((1, 2))
    pixels = mask.flatten(1).sum(1).double()
    round_perimeter = (4 * math.pi * area).sqrt()
    height, width = _extent(mask, 2) * down, _extent(mask, 1) * right
    major, minor = _axes(mask, pixels, spacing_mm)
    return torch.stack(
        (
            area,
            pixels * down * right,
            perimeter,
            perimeter / area,
            round_perimeter / perimeter,
            perimeter / round_perimeter,
            _diameter(mask, spacing_mm),
            height,
            width,
            major,
            minor,
            minor / major,
            area / (height * width),
            area / (math.pi * major * minor / 4),
        ),
        dim=1,
    )


_AREA: Final = torch.tensor(
    [0, 1 / 8, 1 / 8, 1 / 2, 1 / 8, 1 / 2, 1 / 4, 7 / 8, 1 / 8, 1 / 4, 1 / 2, 7 / 8, 1 / 2, 7 / 8, 7 / 8, 1], dtype=torch.float64
)
"""Inside the outline, of a square between four pixel centres, by which of these are inside: 1, 2, 4, 8 = above left, above right,
below left, below right. Two that only touch are apart."""
_OUTLINE: Final = tuple(
    {1: (1, 0, 0), 3: (1, 0, 0)}.get(bin(code).count("1"), (0, 0, 0))
    if bin(code).count("1") != 2
    else {3: (0, 0, 1), 12: (0, 0, 1), 5: (0, 1, 0), 10: (0, 1, 0)}.get(code, (2, 0, 0))
    for code in range(16)
)
"""In the same squares, pieces of the outline: slanted, down and right ones."""


def _squares(padded: Tensor) -> Tensor:
    return padded[:, :-1, :-1] + 2 * padded[:, :-1, 1:] + 4 * padded[:, 1:, :-1] + 8 * padded[:, 1:, 1:]


def _extent(mask: Tensor, along: int) -> Tensor:
    """Pixels from the first to the last row (``along`` = 2) or column (1) that the region has."""
    found = mask.any(along)
    place = torch.arange(found.shape[1], device=mask.device)
    return (torch.where(found, place, -1).amax(1) - torch.where(found, place, found.shape[1]).amin(1) + 1).double()


def _axes(mask: Tensor, pixels: Tensor, spacing_mm: tuple[float, float]) -> tuple[Tensor, Tensor]:
    rows = torch.arange(mask.shape[1], dtype=torch.float64, device=mask.device) * spacing_mm[0]
    cols = torch.arange(mask.shape[2], dtype=torch.float64, device=mask.device) * spacing_mm[1]
    share = mask.double() / pixels[:, None, None]
    by_row, by_col = share.sum(2), share.sum(1)
    row, col = (by_row * rows).sum(1), (by_col * cols).sum(1)
    apart_row, apart_col = rows - row[:, None], cols - col[:, None]
    sample = pixels / (pixels - 1)  # moments are those of a sample
    moment_row, moment_col = (by_row * apart_row**2).sum(1) * sample, (by_col * apart_col**2).sum(1) * sample
    mixed = torch.einsum("brc,br,bc->b", share, apart_row, apart_col) * sample
    middle, half = (moment_row + moment_col) / 2, torch.hypot((moment_row - moment_col) / 2, mixed)
    return 4 * (middle + half).sqrt(), 4 * (middle - half).clamp(min=0).sqrt()


def _diameter(mask: Tensor, spacing_mm: tuple[float, float]) -> Tensor:
    """The farthest two corners of the outline: they lie half a pixel beside the first or last pixel of a row, or above the first
    or below the last one of a column."""
    down, right = spacing_mm
    batch, rows, cols = mask.shape
    row, col = (torch.arange(size, dtype=torch.float64, device=mask.device) for size in (rows, cols))
    ends = []
    for found, line, along, step, turned in (
        (mask, row * down, col, right, False),
        (mask.mT, col * right, row, down, True),
    ):
        least = torch.where(found, along, torch.inf).amin(2)
        most = torch.where(found, along, -torch.inf).amax(2)
        for end in ((least - 0.5) * step, (most + 0.5) * step):
            at = line.expand(batch, -1)
            ends.append(torch.stack((end, at) if turned else (at, end), dim=2))
    points = torch.cat(ends, dim=1)
    filled = torch.where(points.isfinite().all(2, keepdim=True), points, _any_point(points))
    return torch.stack([torch.cdist(one[None], one[None]).amax() for one in filled])


def _any_point(points: Tensor) -> Tensor:
    """Of each region one point, (B, 1, 2), to stand for those that are none."""
    known = points.isfinite().all(2).long().argmax(1)
    return points[torch.arange(len(points), device=points.device), known][:, None]
