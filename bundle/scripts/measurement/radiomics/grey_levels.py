"""Grey values become whole levels, as texture needs them."""

from __future__ import annotations

import torch
from torch import Tensor


def to_levels(image: Tensor, mask: Tensor, count: int) -> Tensor:
    """Divide the range of grey values in each region into a fixed number of equal bins (IBSI K15C).

    Not of a fixed width: how wide a radiograph's grey values range depends on its processing.

    Args:
        image: (B, H, W) grey values.
        mask: (B, H, W) bool, the region.
        count: of bins.

    Returns:
        (B, H, W) int64: 0 outside the region, else 1 to ``count``; 1 where all values of a region are alike.
    """
    values = image.double()
    low = torch.where(mask, values, torch.inf).flatten(1).amin(1)[:, None, None]
    high = torch.where(mask, values, -torch.inf).flatten(1).amax(1)[:, None, None]
    width = torch.where(high > low, high - low, 1.0)
    level = ((values - low) / width * count).floor().clamp(0, count - 1).long() + 1
    return torch.where(mask, level, 0)
