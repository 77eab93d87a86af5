"""Several small networks beside each other, and the one estimate that they make."""

import torch
from torch import Tensor, nn


class Members(nn.Module):
    """Several small networks, each of which sees its own half of the features; of every two each sees what the other does not.

    What they differ in is what the training did not settle (the random subspace method, Ho, IEEE TPAMI 1998).

    Args:
        features: what is told, by halves.
        further: what each is told beyond, whole.
        hidden: width of each.
        dropout: probability in them.
        outputs: of each.
        members: how many, two at least.

    Raises:
        ValueError: for fewer than two.
    """

    halves: Tensor

    def __init__(self, features: int, further: int, hidden: int, dropout: float, outputs: int, members: int) -> None:
        if members < 2:
            raise ValueError(f"{members} members; expected 2 at least: each sees half of what is told.")
        super().__init__()
        self.each = nn.ModuleList([two_layers(features + further, hidden, dropout, outputs) for _ in range(members)])
        order = torch.rand((members + 1) // 2, features, generator=torch.Generator().manual_seed(0)).argsort(dim=1)
        first = order < (features + 1) // 2
        halves = torch.stack((first, ~first), dim=1).flatten(0, 1)[:members].float()
        self.register_buffer("halves", torch.cat((halves, torch.ones(members, further)), dim=1))

    def forward(self, features: Tensor) -> Tensor:
        """Ask each: (..., features + further) -> (..., members, outputs)."""
        told: list[Tensor] = []
        for index, member in enumerate(self.each):
            told.append(member(features * self.halves[index]))
        return torch.stack(told, dim=-2)


def mixture(mean: Tensor, sd: Tensor, members: int) -> tuple[Tensor, Tensor, Tensor]:
    """The mean and standard deviation of a mixture of normal distributions of equal weight, and the part in which they differ.

    As Lakshminarayanan et al., NeurIPS 2017, take an ensemble.

    Args:
        mean, sd: of each.
        members: the axis along which they lie.

    Returns:
        means, standard deviations, and standard deviations of the means, without that axis.
    """
    differing = mean.var(dim=members, unbiased=False)
    return mean.mean(dim=members), torch.sqrt(sd.square().mean(dim=members) + differing), torch.sqrt(differing)


def two_layers(before: int, hidden: int, dropout: float, after: int) -> nn.Sequential:
    """Make a network of two linear layers."""
    return nn.Sequential(nn.Linear(before, hidden), nn.LeakyReLU(), nn.Dropout(dropout), nn.Linear(hidden, after))
