"""The regressor of areal bone mineral density: per hip and site, a mean and a standard deviation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scripts.clinical.anatomy import COVARIATES
from scripts.networks.hips import CovariateInput, HipEncoder, mean_of_valid


class BmdNetwork(nn.Module):
    """Estimates femoral-neck and total-hip aBMD of each hip as a normal distribution.

    A hip is judged from its own crop, the mean over the patient's valid hips (the two sides of one patient correlate, and
    share the beam) and the covariates.

    Args:
        encoder: backbone that maps (N, 1, rows, cols) to (N, features).
        features: number of the backbone's features.
        hidden: width of the fusion layer.
        dropout: probability in the fusion layer.
        target_mean: typical aBMD of neck and total hip, g/cm²; the network's own outputs are standardised by it.
        target_sd: standard deviation over patients, g/cm².
    """

    target_mean: Tensor
    target_sd: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        features: int = 128,
        hidden: int = 64,
        dropout: float = 0.1,
        target_mean: Sequence[float] = (0.75, 0.86),
        target_sd: Sequence[float] = (0.15, 0.16),
    ) -> None:
        super().__init__()
        self.encoder = HipEncoder(encoder)
        self.covariates = CovariateInput()
        self.fusion = nn.Sequential(
            nn.Linear(2 * (features + 2) + 2 * len(COVARIATES), hidden),
            nn.LeakyReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 4),
        )
        self.register_buffer("target_mean", torch.tensor(target_mean))
        self.register_buffer("target_sd", torch.tensor(target_sd))

    def forward(self, crops: Tensor, poses: Tensor, valid: Tensor, covariates: Tensor) -> Tensor:
        """Estimate.

        Args:
            crops: (B, 2, rows, cols), right hip first, left hip mirrored.
            poses: (B, 2, 2), see `HipLocaliser.poses`.
            valid: (B, 2), 1 for a hip to use, 0 for one that is absent, implanted or cut off.
            covariates: (B, 4), NaN = unknown.

        Returns:
            (B, 2, 2, 2), g/cm²: side (right, left), site (neck, total), mean and standard deviation. The values of a hip
            that is not valid mean nothing.
        """
        hips = self.encoder(crops, poses)
        shared = torch.cat((mean_of_valid(hips, valid), self.covariates(covariates)), dim=1)
        raw = self.fusion(torch.cat((hips, shared.unsqueeze(1).expand(-1, hips.shape[1], -1)), dim=2))
        mean = self.target_mean + self.target_sd * raw[:, :, :2]
        # The bounds (0.08 to 4.5 population SDs) keep the likelihood finite early in training.
        sd = self.target_sd * torch.exp(raw[:, :, 2:].clamp(-2.5, 1.5))
        return torch.stack((mean, sd), dim=3)
