"""Which grey levels lie beside each other: 24 features of the grey level co-occurrence matrix (IBSI LFYI)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from scripts.measurement.radiomics.feature import Feature
from scripts.measurement.radiomics.grey_levels import entropy, neighbours

CO_OCCURRENCE: Final = (
    Feature("autocorrelation", "QWB0", "mean product of two neighbours' levels"),
    Feature("joint_average", "60VM", "mean level"),
    Feature("cluster_prominence", "AE86", "fourth moment of two neighbours' sum"),
    Feature("cluster_shade", "7NFM", "third moment of two neighbours' sum"),
    Feature("cluster_tendency", "DG8W", "second moment of two neighbours' sum"),
    Feature("contrast", "ACUI", "mean squared difference of two neighbours"),
    Feature("correlation", "NI2N", "correlation of two neighbours; 1 where all are alike"),
    Feature("difference_average", "TF7R", "mean difference of two neighbours"),
    Feature("difference_entropy", "NTRS", "entropy of that difference, bits"),
    Feature("difference_variance", "D3YU", "variance of that difference"),
    Feature("joint_energy", "8ZQL", "angular second moment: sum of the squared probabilities of pairs"),
    Feature("joint_entropy", "TU9B", "entropy of pairs, bits"),
    Feature("information_correlation_1", "R8DG", "first measure of information correlation; 0 where all are alike"),
    Feature("information_correlation_2", "JN9H", "second measure of information correlation"),
    Feature("maximal_correlation", "", "maximal correlation coefficient (Haralick 1973); 1 where all are alike"),
    Feature("inverse_difference", "IB1Z", "mean of 1 / (1 + difference)"),
    Feature("inverse_difference_normalised", "NDRX", "mean of 1 / (1 + difference / levels)"),
    Feature("inverse_difference_moment", "WF0Z", "mean of 1 / (1 + squared difference)"),
    Feature("inverse_difference_moment_normalised", "1QCO", "mean of 1 / (1 + squared difference / squared levels)"),
    Feature("inverse_variance", "E8JP", "mean of 1 / squared difference, of pairs that differ"),
    Feature("joint_maximum", "GYBY", "probability of the most frequent pair"),
    Feature("sum_average", "ZGXS", "mean of two neighbours' sum"),
    Feature("sum_entropy", "P6QZ", "entropy of that sum, bits"),
    Feature("joint_variance", "UR99", "variance of the level"),
)


def co_occurrence(levels: Tensor, count: int) -> Tensor:
    """The features of `CO_OCCURRENCE` of each region: neighbours one pixel apart, mean of four directions (IBSI BTW3).

    Args:
        levels: (B, H, W) whole numbers: 0 outside the region, else the grey level, 1 to ``count``.
        count: of grey levels.

    Returns:
        (B, 24) float64; NaN where a region has no two neighbours.
    """
    pairs = torch.stack([_pairs(first, second, count) for first, second in neighbours(levels)], dim=1)
    pairs = pairs + pairs.mT
    number = pairs.sum((2, 3), keepdim=True)
    joint = pairs / torch.where(number > 0, number, torch.nan)
    return _features(joint, count).nanmean(1)


def _pairs(first: Tensor, second: Tensor, count: int) -> Tensor:
    """How often level i lies before level j, (B, count, count)."""
    batch = len(first)
    of = torch.arange(batch, device=first.device)[:, None, None]
    place = ((of * (count + 1) + first) * (count + 1) + second).flatten()
    found = torch.bincount(place, minlength=batch * (count + 1) ** 2).view(batch, count + 1, count + 1)
    return found[:, 1:, 1:].double()


def _features(joint: Tensor, count: int) -> Tensor:
    """(B, D, 24) of the matrices (B, D, count, count), which are symmetric and sum to 1."""
    level = torch.arange(1, count + 1, dtype=torch.float64, device=joint.device)
    row, col = level[:, None], level[None, :]
    apart = (row - col).abs()

    def mean(of: Tensor) -> Tensor:
        return (joint * of).sum((-2, -1))

    marginal = joint.sum(-1)
    average = (marginal * level).sum(-1)
    variance = (marginal * (level - average[..., None]) ** 2).sum(-1)
    centred = row + col - 2 * average[..., None, None]
    flat = joint.flatten(-2)
    difference = _histogram(flat, apart.long().flatten(), count)
    total = _histogram(flat, (row + col - 2).long().flatten(), 2 * count - 1)
    steps = torch.arange(count, dtype=torch.float64, device=joint.device)
    difference_average = (difference * steps).sum(-1)
    joint_entropy, marginal_entropy = entropy(flat), entropy(marginal)
    independent = marginal[..., :, None] * marginal[..., None, :]
    cross = -(joint * torch.where(independent > 0, independent, 1.0).log2()).sum((-2, -1))
    apart_entropy = entropy(independent.flatten(-2))
    alike = variance == 0
    correlation = (mean(row * col) - average**2) / torch.where(alike, 1.0, variance)
    return torch.stack(
        (
            mean(row * col),
            average,
            mean(centred**4),
            mean(centred**3),
            mean(centred**2),
            mean(apart**2),
            torch.where(alike, 1.0, correlation),
            difference_average,
            entropy(difference),
            (difference * (steps - difference_average[..., None]) ** 2).sum(-1),
            (flat**2).sum(-1),
            joint_entropy,
            torch.where(alike, 0.0, (joint_entropy - cross) / torch.where(alike, 1.0, marginal_entropy)),
            (1 - (-2 * (apart_entropy - joint_entropy)).clamp(max=0).exp()).sqrt(),
            torch.where(alike, 1.0, _maximal_correlation(joint, marginal) + 0 * variance),  # NaN where there are no pairs
            mean(1 / (1 + apart)),
            mean(1 / (1 + apart / count)),
            mean(1 / (1 + apart**2)),
            mean(1 / (1 + apart**2 / count**2)),
            mean(torch.where(apart > 0, 1 / apart.clamp(min=1) ** 2, 0.0)),
            flat.amax(-1),
            2 * average,
            entropy(total),
            variance,
        ),
        dim=-1,
    )


def _histogram(flat: Tensor, place: Tensor, size: int) -> Tensor:
    """The sums of what falls into each place, (..., size)."""
    result = flat.new_zeros(*flat.shape[:-1], size)
    return result.index_add_(-1, place, flat)


def _maximal_correlation(joint: Tensor, marginal: Tensor) -> Tensor:
    """The second largest singular value of p(i, j) / sqrt(p(i) p(j)), whose largest is 1."""
    root = torch.where(marginal > 0, marginal, torch.inf).rsqrt()
    whitened = (root[..., :, None] * joint * root[..., None, :]).nan_to_num(0.0)
    return torch.linalg.eigvalsh(whitened).abs().sort(-1).values[..., -2]
