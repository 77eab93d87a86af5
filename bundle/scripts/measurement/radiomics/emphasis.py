"""Sixteen features of a matrix of grey levels by sizes, be these the lengths of runs or the areas of zones."""

from __future__ import annotations

import torch
from torch import Tensor

from scripts.measurement.radiomics.grey_levels import entropy


def emphasis(group: Tensor, level: Tensor, size: Tensor, groups: int, pixels: Tensor) -> Tensor:
    """Sixteen features of each group of runs or zones.

    Args:
        group: (K,) int64, which group each belongs to, from 0.
        level: (K,) int64, its grey level, from 1.
        size: (K,) int64, its pixels, from 1.
        groups: how many there are.
        pixels: (groups,) of the region.

    Returns:
        (groups, 16) float64: emphasis of small and large sizes, of low and high levels, of small sizes with low levels, of small
        ones with high, large with low, large with high; non-uniformity of levels and of sizes, each followed by its normalised
        form; the sizes' number over that of the pixels; variance of levels and of sizes; entropy of both, bits. NaN for a group
        of none.
    """
    present = torch.bincount(size) > 0
    distinct, place = present.nonzero()[:, 0], (present.cumsum(0) - 1)[size]
    most = int(level.max()) if len(level) else 1
    shape = (groups, most, max(len(distinct), 1))
    counts = torch.bincount((group * shape[1] + level - 1) * shape[2] + place, minlength=groups * shape[1] * shape[2])
    matrix = counts.view(shape).double()
    number = matrix.sum((1, 2))
    share = matrix / torch.where(number > 0, number, torch.nan)[:, None, None]
    by_level, by_size = share.sum(2), share.sum(1)
    levels = torch.arange(1, most + 1, dtype=torch.float64, device=matrix.device)
    sizes = distinct.double() if len(distinct) else levels.new_ones(1)
    low, high, small, large = levels**-2, levels**2, sizes**-2, sizes**2

    def together(of_level: Tensor, of_size: Tensor) -> Tensor:
        return torch.einsum("gls,l,s->g", share, of_level, of_size)

    mean_level, mean_size = by_level @ levels, by_size @ sizes
    level_uniformity, size_uniformity = (by_level**2).sum(1), (by_size**2).sum(1)
    return torch.stack(
        (
            by_size @ small,
            by_size @ large,
            by_level @ low,
            by_level @ high,
            together(low, small),
            together(high, small),
            together(low, large),
            together(high, large),
            level_uniformity * number,
            level_uniformity,
            size_uniformity * number,
            size_uniformity,
            number / pixels,
            (by_level * (levels - mean_level[:, None]) ** 2).sum(1),
            (by_size * (sizes - mean_size[:, None]) ** 2).sum(1),
            entropy(share, (1, 2)),
        ),
        dim=1,
    )
