"""The Siamese classifier: does the lowest hip T-score of this patient reach osteoporosis?"""

import torch
from torch import Tensor, nn

from scripts.clinical.anatomy import COVARIATES
from scripts.networks.heads import Head
from scripts.networks.hips import CovariateInput, Encoder, mean_of_valid
from scripts.networks.members import two_layers


class SiameseNetwork(Head):
    """One encoder for both hips; their mean, their difference and the covariates give one logit.

    The idea of a shared encoder over both proximal femurs follows Kim et al., Radiology: AI 2022 (ryai.210212), whose deep
    features are the hips' in an order; here it does not matter which is which, and one hip alone will do.

    Args:
        encoder: of hips, such as `HipEncoder`.
        told: whether it is told the covariates; else it judges by the hips alone.
        hidden: width of the layer that joins; 0 for a linear one, as published.
        dropout: probability in it.
    """

    __constants__ = ("told",)

    def __init__(self, encoder: Encoder, told: bool = True, hidden: int = 64, dropout: float = 0.2) -> None:
        super().__init__(["osteoporosis_probability"], joint=True)
        self.told = told
        self.encoder, self.covariates = encoder, CovariateInput()
        joined = 2 * encoder.features + (2 * len(COVARIATES) if told else 0)
        linear = nn.Sequential(nn.Dropout(dropout), nn.Linear(joined, 1))
        self.fusion = two_layers(joined, hidden, dropout, 1) if hidden else linear

    def forward(self, crops: Tensor, around: Tensor, poses: Tensor, valid: Tensor, covariates: Tensor) -> dict[str, Tensor]:
        """Classify.

        Args:
            crops, around, poses, valid, covariates: as for `RegressionHead.forward`.

        Returns:
            "logit" (B, 1) of osteoporosis; "deep" (B, 2 F), the mean of the valid hips' features, and their absolute difference,
            which is 0 where only one is valid.
        """
        hips = self.encoder(crops, around, poses)
        both = (valid[:, :1] * valid[:, 1:]).expand(-1, hips.shape[2])
        deep = torch.cat((mean_of_valid(hips, valid), torch.abs(hips[:, 0] - hips[:, 1]) * both), dim=1)
        joined = torch.cat((deep, self.covariates(covariates)), dim=1) if self.told else deep
        return {"logit": self.fusion(joined), "deep": deep}

    def estimate(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the probability of osteoporosis, 0 where no hip is valid; see `Head.estimate`."""
        valid = seen["valid"]
        logit = self(seen["crops"], seen["around"], seen["poses"], valid, seen["covariates"])["logit"]
        return {"osteoporosis_probability": torch.sigmoid(logit[:, 0]) * valid.max(dim=1)[0]}
