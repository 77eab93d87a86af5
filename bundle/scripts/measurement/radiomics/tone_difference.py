"""How far a grey level is from its neighbours': 5 features of the neighbourhood grey tone difference matrix (IBSI IPET)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from scripts.measurement.radiomics.feature import Feature

TONE_DIFFERENCE: Final = (
    Feature("coarseness", "QCDE", "1 / (sum of p s); 1,000,000 where all are alike"),
    Feature("contrast", "65HE", "spread of the levels times the mean difference"),
    Feature("busyness", "NQ30", "sum of p s / sum of the differences of level x p; 0 where all are alike"),
    Feature("complexity", "HDEZ", "mean difference of levels, weighted by p s / p"),
    Feature("strength", "1X9X", "squared differences of levels, weighted by p, / sum of s; 0 where all are alike"),
)

_MOST_COARSE: Final = 1e6


def tone_difference(levels: Tensor, count: int) -> Tensor:
    """The features of `TONE_DIFFERENCE` of each region, of the eight neighbours of a pixel.

    Args:
        levels: (B, H, W) whole numbers: 0 outside the region, else the grey level, 1 to ``count``.
        count: of grey levels.

    Returns:
        (B, 5) float64; NaN where no pixel of a region has a neighbour.
    """
    inside = (levels > 0).double()
    value = levels.double()
    around = torch.ones(1, 1, 3, 3, dtype=torch.float64, device=levels.device)
    around[..., 1, 1] = 0
    neighbours = conv2d(inside[:, None], around, padding=1)[:, 0]
    mean = conv2d(value[:, None], around, padding=1)[:, 0] / neighbours.clamp(min=1)
    counted = (levels > 0) & (neighbours > 0)
    place = torch.where(counted, levels, 0).flatten(1)
    zeros = torch.zeros(len(levels), count + 1, dtype=torch.float64, device=levels.device)
    number = zeros.scatter_add(1, place, counted.double().flatten(1))[:, 1:]
    difference = zeros.scatter_add(1, place, (counted * (value - mean).abs()).flatten(1))[:, 1:]
    pixels = number.sum(1)
    share = number / torch.where(pixels > 0, pixels, torch.nan)[:, None]
    level = torch.arange(1, count + 1, dtype=torch.float64, device=levels.device)
    apart = (level[:, None] - level[None, :]).abs()
    present = share > 0
    both = present[:, :, None] & present[:, None, :]
    summed = share[:, :, None] + share[:, None, :]
    kinds = present.sum(1).double()
    weighted = (share * difference).sum(1)
    total = difference.sum(1)
    spread = (share[:, :, None] * share[:, None, :] * apart**2).sum((1, 2)) / (kinds * (kinds - 1)).clamp(min=1)
    products = (level * share)[:, :, None] - (level * share)[:, None, :]
    busy = (products.abs() * both).sum((1, 2))
    rough = share * difference
    shared = torch.where(both, (rough[:, :, None] + rough[:, None, :]) / torch.where(both, summed, 1.0), 0.0)
    strong = (summed * apart**2 * both).sum((1, 2))
    features = torch.stack(
        (
            torch.where(weighted > 0, 1 / weighted, _MOST_COARSE).clamp(max=_MOST_COARSE),
            spread * total / pixels,
            torch.where(busy > 0, weighted / busy, 0.0),
            (apart * shared).sum((1, 2)) / pixels,
            torch.where(total > 0, strong / total, 0.0),
        ),
        dim=1,
    )
    return torch.where(pixels[:, None] > 0, features, torch.nan)
