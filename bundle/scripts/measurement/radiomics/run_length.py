"""How long rows of one grey level are: 16 features of the grey level run length matrix (IBSI TP0I)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from scripts.measurement.radiomics.emphasis import emphasis
from scripts.measurement.radiomics.feature import Feature

RUN_LENGTH: Final = (
    Feature("short_run_emphasis", "22OV", "mean of 1 / squared length"),
    Feature("long_run_emphasis", "W4KF", "mean squared length"),
    Feature("low_grey_level_run_emphasis", "V3SW", "mean of 1 / squared level"),
    Feature("high_grey_level_run_emphasis", "G3QZ", "mean squared level"),
    Feature("short_run_low_grey_level_emphasis", "HTZT", "mean of 1 / (squared length x squared level)"),
    Feature("short_run_high_grey_level_emphasis", "GD3A", "mean of squared level / squared length"),
    Feature("long_run_low_grey_level_emphasis", "IVPO", "mean of squared length / squared level"),
    Feature("long_run_high_grey_level_emphasis", "3KUM", "mean of squared length x squared level"),
    Feature("grey_level_non_uniformity", "R5YN", "sum of the squared numbers of runs of each level / runs"),
    Feature("grey_level_non_uniformity_normalised", "OVBL", "the same, of shares"),
    Feature("run_length_non_uniformity", "W92Y", "sum of the squared numbers of runs of each length / runs"),
    Feature("run_length_non_uniformity_normalised", "IC23", "the same, of shares"),
    Feature("run_percentage", "9ZK5", "runs / pixels"),
    Feature("grey_level_variance", "8CE5", "variance of the runs' levels"),
    Feature("run_length_variance", "SXLW", "variance of their lengths"),
    Feature("run_entropy", "HJ9O", "entropy of levels and lengths, bits"),
)


def run_length(levels: Tensor) -> Tensor:
    """The features of `RUN_LENGTH` of each region, mean of four directions (IBSI BTW3).

    Args:
        levels: (B, H, W) whole numbers: 0 outside the region, else the grey level, from 1.

    Returns:
        (B, 16) float64.
    """
    pixels = (levels > 0).flatten(1).sum(1).double()
    found = [_of_lines(lines, pixels) for lines in _directions(levels)]
    return torch.stack(found).mean(0)


def _of_lines(lines: Tensor, pixels: Tensor) -> Tensor:
    """(B, 16) of the runs along the last axis of (B, L, W)."""
    batch = len(lines)
    of = torch.arange(batch, device=lines.device)[:, None, None]
    # A column of zeros parts the lines, so that they can be read as one.
    parted = torch.nn.functional.pad(lines, (0, 1))
    region = of.expand_as(parted)
    level, length = torch.unique_consecutive(parted.flatten(), return_counts=True)
    first = length.cumsum(0) - length
    runs = level > 0
    return emphasis(region.flatten()[first[runs]], level[runs], length[runs], batch, pixels)


def _directions(levels: Tensor) -> Iterator[Tensor]:
    """The pixels as lines of four directions, (B, L, W): along rows, columns and both diagonals."""
    yield from (levels, levels.mT)
    for image in (levels, levels.flip(-1)):
        yield _skewed(image)


def _skewed(levels: Tensor) -> Tensor:
    """Each row shifted by one pixel more than that above it, transposed: its rows are the diagonals."""
    batch, rows, cols = levels.shape
    wide = torch.nn.functional.pad(levels, (0, rows)).flatten(1)[:, : rows * (cols + rows - 1)]
    return wide.view(batch, rows, cols + rows - 1).mT
