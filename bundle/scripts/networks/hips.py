"""What the classifier and the BMD regressor share: how they see a hip's crop and the patient's covariates."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class HipEncoder(nn.Module):
    """One backbone applied to every hip's crop, each crop brought to mean 0 and standard deviation 1 first.

    Args:
        backbone: maps (N, 1, rows, cols) to (N, features).
        pose_mean: typical log crop-pixel size (mm) and abduction (radians), see `HipLocaliser.poses`.
        pose_sd: their standard deviations.
    """

    pose_mean: Tensor
    pose_sd: Tensor

    def __init__(
        self, backbone: nn.Module, pose_mean: Sequence[float] = (-0.5, 0.0), pose_sd: Sequence[float] = (0.1, 0.15)
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("pose_mean", torch.tensor(pose_mean))
        self.register_buffer("pose_sd", torch.tensor(pose_sd))

    def forward(self, crops: Tensor, poses: Tensor) -> Tensor:
        """Encode.

        Args:
            crops: (B, 2, rows, cols).
            poses: (B, 2, 2).

        Returns:
            (B, 2, features + 2).
        """
        mean = crops.mean(dim=(2, 3), keepdim=True)
        sd = (crops - mean).pow(2).mean(dim=(2, 3), keepdim=True).sqrt()
        features = self.backbone(((crops - mean) / (sd + 1e-3)).flatten(0, 1).unsqueeze(1))
        # An absent hip has a degenerate pose; the limit keeps it finite until it is masked out.
        pose = ((poses - self.pose_mean) / self.pose_sd).clamp(-5.0, 5.0)
        return torch.cat((features.view(crops.shape[0], crops.shape[1], -1), pose), dim=2)


class CovariateInput(nn.Module):
    """Standardises the covariates and says which are unknown; an unknown one is imputed by its mean.

    Args:
        mean: typical age (years), sex (0..1), weight (kg) and height (cm).
        sd: their standard deviations.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, mean: Sequence[float] = (65.0, 0.3, 70.0, 163.0), sd: Sequence[float] = (12.0, 0.5, 15.0, 9.0)) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("sd", torch.tensor(sd))

    def forward(self, covariates: Tensor) -> Tensor:
        """Standardise.

        Args:
            covariates: (B, 4), NaN = unknown.

        Returns:
            (B, 8): the standardised values, limited to ±4 so that a typing error in a header cannot dominate, then the
            flags (1 = unknown).
        """
        unknown = torch.isnan(covariates)
        standard = ((covariates - self.mean) / self.sd).clamp(-4.0, 4.0)
        return torch.cat((torch.where(unknown, torch.zeros_like(standard), standard), unknown.to(standard.dtype)), dim=1)


def mean_of_valid(values: Tensor, valid: Tensor) -> Tensor:
    """Average over the valid hips: values (B, 2, F), valid (B, 2) of 0 or 1 -> (B, F); zeros where none is valid."""
    weight = valid.unsqueeze(2)
    return (values * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)
