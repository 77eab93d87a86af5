"""What grey values a region has, wherever they lie: 18 first-order features."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from scripts.measurement.radiomics.feature import Feature
from scripts.measurement.radiomics.grey_levels import entropy

FIRST_ORDER: Final = (
    Feature("mean", "Q4LE", "mean"),
    Feature("variance", "ECT3", "variance, of all pixels"),
    Feature("skewness", "KE2A", "skewness; 0 where all are alike"),
    Feature("kurtosis", "IPH6", "kurtosis less 3, that of a normal distribution; 0 where all are alike"),
    Feature("median", "Y12H", "median"),
    Feature("minimum", "1GSF", "least value"),
    Feature("percentile_10", "QG58", "10th percentile"),
    Feature("percentile_90", "8DWT", "90th percentile"),
    Feature("maximum", "84IY", "greatest value"),
    Feature("interquartile_range", "SALO", "75th percentile - 25th percentile"),
    Feature("range", "2OJQ", "maximum - minimum"),
    Feature("mean_absolute_deviation", "4FUA", "mean distance from the mean"),
    Feature("robust_mean_absolute_deviation", "1128", "the same, of what lies from the 10th to the 90th percentile"),
    Feature("energy", "N8CA", "sum of squares"),
    Feature("total_energy", "", "energy times the area of a pixel, mm²"),
    Feature("root_mean_square", "5ZWQ", "square root of the mean square"),
    Feature("entropy", "TLU2", "of the histogram of grey levels, bits"),
    Feature("uniformity", "BJ5W", "of the histogram of grey levels: sum of squared shares"),
)


def first_order(image: Tensor, levels: Tensor, count: int, pixel_mm2: Tensor) -> Tensor:
    """The features of `FIRST_ORDER` of each region.

    Args:
        image: (B, H, W) grey values.
        levels: (B, H, W) whole numbers: 0 outside the region, else the grey level, 1 to ``count``.
        count: of grey levels.
        pixel_mm2: (B,) area of a pixel, mm².

    Returns:
        (B, 18) float64.
    """
    inside = levels > 0
    values = torch.where(inside, image.double(), torch.nan).flatten(1)
    number = inside.flatten(1).sum(1)
    mean = values.nanmean(1)
    apart = values - mean[:, None]
    variance = (apart**2).nanmean(1)
    alike = variance <= _ROUNDING * mean**2
    spread = torch.where(alike, torch.nan, variance)
    skewness = ((apart**3).nanmean(1) / spread**1.5).nan_to_num(0.0)
    kurtosis = ((apart**4).nanmean(1) / spread**2 - 3).nan_to_num(0.0)
    ranked = values.sort(1).values  # what lies outside comes last
    low, first, median, third, high = (_percentile(ranked, number, share) for share in (0.1, 0.25, 0.5, 0.75, 0.9))
    robust = torch.where((values >= low[:, None]) & (values <= high[:, None]), values, torch.nan)
    energy = (values**2).nansum(1)
    shares = torch.zeros(len(levels), count + 1, dtype=torch.float64, device=image.device)
    shares.scatter_add_(1, levels.flatten(1), torch.ones_like(values))
    shares = shares[:, 1:] / number[:, None]
    minimum, maximum = ranked[:, 0], _at(ranked, number - 1)
    return torch.stack(
        (
            mean, variance, skewness, kurtosis, median, minimum, low, high, maximum, third - first, maximum - minimum,
            apart.abs().nanmean(1), (robust - robust.nanmean(1, keepdim=True)).abs().nanmean(1), energy, energy * pixel_mm2,
            (energy / number).sqrt(), entropy(shares), (shares**2).sum(1),
        ),
        dim=1,
    )  # fmt: skip


_ROUNDING: Final = 1e-24
"""Of the squared mean: a variance below that is none."""


def _percentile(ranked: Tensor, number: Tensor, share: float) -> Tensor:
    """As numpy's percentiles, linear between the two nearest ranks."""
    place = share * (number - 1).double()
    below = place.floor().long()
    low, high = _at(ranked, below), _at(ranked, torch.minimum(below + 1, number - 1))
    return low + (high - low) * (place - below)


def _at(ranked: Tensor, place: Tensor) -> Tensor:
    return ranked.gather(1, place.clamp(min=0)[:, None])[:, 0]
