"""The loss of a `scripts.networks.MineralHead`: its map, the gain that scales it, and the densities read from it."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.training.losses import GaussianLoss
from scripts.training.processes import mean_over_processes


class MineralLoss(nn.Module):
    """Weighted sum of what is wrong with map, regions, gain and densities; what is unknown of a hip teaches nothing.

    Args:
        mineral: weight of the map's mineral, smooth L1 in units of half a g/cm².
        regions: weight of the regions' cross-entropy.
        gain: weight of the logarithm of the gain as each member tells it, smooth L1 in units of 0.1.
        read: weight of the densities that the map alone gives, smooth L1 in units of 0.1 g/cm².
        bmd: weight of the likelihood of each member's densities.
    """

    def __init__(
        self, mineral: float = 4.0, regions: float = 0.3, gain: float = 0.4, read: float = 0.4, bmd: float = 0.2
    ) -> None:
        super().__init__()
        self.mineral, self.regions, self.gain, self.read, self.bmd = mineral, regions, gain, read, bmd
        self.likelihood = GaussianLoss(beta=0.5, scale=0.13)

    def forward(self, predicted: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Compute the loss.

        Args:
            predicted: of `MineralHead.forward`.
            target: "bmd" (B, 2, 2), "mineral" (B, 2, 3, h, w), "regions" (B, 2, 2, h, w), 0..1, and "gain" (B, 2); NaN = unknown.

        Returns:
            scalar.
        """
        bmd, gain = target["bmd"], target["gain"]
        known, lit = torch.isfinite(bmd), torch.isfinite(gain)
        drawn = lit.to(bmd.dtype)
        told = drawn * (target["regions"].amax(dim=(2, 3, 4)) > 0)  # of a broken femur there are none
        off = F.smooth_l1_loss(2 * predicted["mineral"], 2 * target["mineral"], reduction="none").mean(dim=(2, 3, 4))
        beside = F.binary_cross_entropy_with_logits(predicted["regions"], target["regions"], reduction="none").mean(dim=(2, 3, 4))
        gains = predicted["gains"]
        brighter = F.smooth_l1_loss(10 * gains[lit], 10 * gain[lit].unsqueeze(1).expand_as(gains[lit]), reduction="none")
        denser = F.smooth_l1_loss(10 * predicted["read"][known], 10 * bmd[known], reduction="sum")
        hips = lit.sum()
        return (
            self.mineral * mean_over_processes((off * drawn).sum(), hips)
            + self.regions * mean_over_processes((beside * told).sum(), told.sum())
            + self.gain * mean_over_processes(brighter.mean(dim=1).sum(), hips)
            + self.read * mean_over_processes(denser, known.sum())
            + self.bmd * self.likelihood(predicted, bmd)
        )
