"""How large patches of one grey level are: 16 features of the grey level size zone matrix (IBSI 9SAK)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from scripts.measurement.radiomics.emphasis import emphasis
from scripts.measurement.radiomics.feature import Feature
from scripts.measurement.radiomics.grey_levels import neighbours

SIZE_ZONE: Final = (
    Feature("small_zone_emphasis", "5QRC", "mean of 1 / squared size"),
    Feature("large_zone_emphasis", "48P8", "mean squared size"),
    Feature("low_grey_level_zone_emphasis", "XMSY", "mean of 1 / squared level"),
    Feature("high_grey_level_zone_emphasis", "5GN9", "mean squared level"),
    Feature("small_zone_low_grey_level_emphasis", "5RAI", "mean of 1 / (squared size x squared level)"),
    Feature("small_zone_high_grey_level_emphasis", "HW1V", "mean of squared level / squared size"),
    Feature("large_zone_low_grey_level_emphasis", "YH51", "mean of squared size / squared level"),
    Feature("large_zone_high_grey_level_emphasis", "J17V", "mean of squared size x squared level"),
    Feature("grey_level_non_uniformity", "JNSA", "sum of the squared numbers of zones of each level / zones"),
    Feature("grey_level_non_uniformity_normalised", "Y1RO", "the same, of shares"),
    Feature("zone_size_non_uniformity", "4JP3", "sum of the squared numbers of zones of each size / zones"),
    Feature("zone_size_non_uniformity_normalised", "VB3A", "the same, of shares"),
    Feature("zone_percentage", "P30P", "zones / pixels"),
    Feature("grey_level_variance", "BYLV", "variance of the zones' levels"),
    Feature("zone_size_variance", "3NSA", "variance of their sizes"),
    Feature("zone_size_entropy", "GU8N", "entropy of levels and sizes, bits"),
)


def size_zone(levels: Tensor) -> Tensor:
    """The features of `SIZE_ZONE` of each region, zones joined across sides and corners.

    Args:
        levels: (B, H, W) whole numbers: 0 outside the region, else the grey level, from 1.

    Returns:
        (B, 16) float64.
    """
    batch, pixels_of_one = len(levels), levels[0].numel()
    pixels = (levels > 0).flatten(1).sum(1).double()
    level, zone = levels.flatten(), _zones(levels)
    size = torch.bincount(zone, minlength=levels.numel())
    roots = ((size > 0) & (level > 0)).nonzero()[:, 0]
    return emphasis(roots // pixels_of_one, level[roots], size[roots], batch, pixels)


def _zones(levels: Tensor) -> Tensor:
    """(B H W,): of each pixel the index of the first one of its zone.

    Each pixel points to the least index that one of its neighbours of the same level points to, then to where that one points,
    until nothing changes: paths become shorter by half in each turn.
    """
    index = torch.arange(levels.numel(), device=levels.device)
    edges = []
    for (level, beside), (first, second) in zip(neighbours(levels), neighbours(index.view_as(levels)), strict=True):
        alike = (level == beside) & (level > 0)
        edges.append(torch.stack((first[alike], second[alike])))
    start, end = torch.cat(edges, dim=1)
    points_to = index
    while True:
        least = torch.minimum(points_to[start], points_to[end])
        found = points_to.clone()
        # Where two zones meet, the root of the one joins the other.
        found.scatter_reduce_(0, points_to[start], least, "amin")
        found.scatter_reduce_(0, points_to[end], least, "amin")
        while not torch.equal(further := found[found], found):
            found = further
        if torch.equal(found, points_to):
            return found
        points_to = found
