"""The Siamese classifier: does the lowest hip T-score of this patient reach osteoporosis?"""

import torch
from torch import Tensor, nn

from scripts.clinical.anatomy import COVARIATES
from scripts.networks.hips import CovariateInput, HipEncoder, mean_of_valid


class SiameseNetwork(nn.Module):
    """One encoder for both hips; their mean, their difference and the covariates give one logit.

    The idea of a shared encoder over both proximal femurs follows Kim et al., Radiology: AI 2022 (ryai.210212).

    Args:
        encoder: backbone that maps (N, 1, rows, cols) to (N, features).
        features: number of the backbone's features.
        hidden: width of the fusion layer.
        dropout: probability in the fusion layer.
    """

    def __init__(self, encoder: nn.Module, features: int = 128, hidden: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        self.encoder = HipEncoder(encoder)
        self.covariates = CovariateInput()
        self.fusion = nn.Sequential(
            nn.Linear(2 * (features + 2) + 2 * len(COVARIATES), hidden),
            nn.LeakyReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    def forward(self, crops: Tensor, poses: Tensor, valid: Tensor, covariates: Tensor) -> Tensor:
        """Classify.

        Args:
            crops: (B, 2, rows, cols), right hip first, left hip mirrored.
            poses: (B, 2, 2), see `HipLocaliser.poses`.
            valid: (B, 2), 1 for a hip to use, 0 for one that is absent, implanted or cut off.
            covariates: (B, 4), NaN = unknown.

        Returns:
            (B, 1) logit of osteoporosis.
        """
        hips = self.encoder(crops, poses)
        both = (valid[:, :1] * valid[:, 1:]).expand(-1, hips.shape[2])
        difference = torch.abs(hips[:, 0] - hips[:, 1]) * both
        return self.fusion(torch.cat((mean_of_valid(hips, valid), difference, self.covariates(covariates)), dim=1))
