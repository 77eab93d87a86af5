"""Grey values become whole levels, as texture needs them; which pixels are neighbours, and the entropy of shares."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

_STEPS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))


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


def neighbours(image: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each pixel beside its neighbour: in the row, in the column, and along both diagonals.

    Args:
        image: (B, H, W).

    Yields:
        two views (B, h, w) of it, the neighbour's second.
    """
    rows, cols = image.shape[1:]
    for down, right in _STEPS:
        yield (
            image[:, : rows - down, max(0, -right) : cols - max(0, right)],
            image[:, down:, max(0, right) : cols - max(0, -right)],
        )


def entropy(shares: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """Entropy of shares that sum to 1 over some axes, bits."""
    return torch.special.entr(shares).sum(dim) / math.log(2)
