"""The Siamese classifier: does the lowest hip T-score of this patient reach osteoporosis?"""

import torch
from torch import Tensor, nn

from scripts.networks.heads import HipHead
from scripts.networks.hips import mean_of_valid
from scripts.networks.members import two_layers


class SiameseNetwork(HipHead):
    """One encoder for both hips; their mean, their difference and the covariates give one logit.

    The idea of a shared encoder over both proximal femurs follows Kim et al., Radiology: AI 2022 (ryai.210212).

    Args:
        encoder: backbone that maps (N, 2, 112, 112) to (N, features), see `HipEncoder`.
        outside: backbone that maps (N, 1, 64, 64) of what surrounds a hip to (N, features).
        hidden: width of the layer that joins.
        dropout: probability in it.
    """

    def __init__(self, encoder: nn.Module, outside: nn.Module, hidden: int = 64, dropout: float = 0.2) -> None:
        super().__init__(encoder, outside, ["osteoporosis_probability"])
        self.fusion = two_layers(self.joined, hidden, dropout, 1)

    def forward(self, crops: Tensor, around: Tensor, poses: Tensor, valid: Tensor, covariates: Tensor) -> Tensor:
        """Classify.

        Args:
            crops, around, poses, valid, covariates: as for `RegressionHead.forward`.

        Returns:
            (B, 1) logit of osteoporosis.
        """
        hips = self.encoder(crops, around, poses)
        both = (valid[:, :1] * valid[:, 1:]).expand(-1, hips.shape[2])
        difference = torch.abs(hips[:, 0] - hips[:, 1]) * both
        return self.fusion(torch.cat((mean_of_valid(hips, valid), difference, self.covariates(covariates)), dim=1))

    def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the probability of osteoporosis, 0 where no hip is valid; see `Head.estimate`."""
        valid = seen["valid"]
        logit = self(seen["crops"], seen["around"], seen["poses"], valid, seen["covariates"])
        return {"osteoporosis_probability": torch.sigmoid(logit[:, 0]) * valid.max(dim=1)[0]}
