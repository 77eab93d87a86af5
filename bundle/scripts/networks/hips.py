"""How heads see a hip's crop and the patient's covariates."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class HipEncoder(nn.Module):
    """One backbone applied to every hip's crop, each crop brought to its local contrast and to half its resolution first.

    A radiograph tells of bone only by comparison with the soft tissue beside it, and every vendor sets brightness and contrast
    anew: what remains once the local mean and standard deviation are taken out is what radiographs have in common.

    Args:
        backbone: maps (N, 1, rows, cols) to (N, features).
        pose_mean: typical log crop-pixel size (mm) and abduction (radians), see `HipLocaliser.poses`.
        pose_sd: their standard deviations.
        window: rows and columns (odd) over which the local mean and standard deviation are taken, crop pixels.
    """

    pose_mean: Tensor
    pose_sd: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        pose_mean: Sequence[float] = (-0.5, 0.0),
        pose_sd: Sequence[float] = (0.1, 0.15),
        window: int = 41,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.window = window
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
        features = self.backbone(local_contrast(crops.flatten(0, 1).unsqueeze(1), self.window))
        # An absent hip has a degenerate pose; the limit keeps it finite until it is masked out.
        pose = ((poses - self.pose_mean) / self.pose_sd).clamp(-5.0, 5.0)
        return torch.cat((features.view(crops.shape[0], crops.shape[1], -1), pose), dim=2)


def local_contrast(crops: Tensor, window: int) -> Tensor:
    """Take the local mean out, divide by the local standard deviation, and halve the resolution.

    Args:
        crops: (N, 1, rows, cols), normalised radiograph.
        window: odd, pixels.

    Returns:
        (N, 1, rows / 2, cols / 2).
    """
    centred = crops - _local_mean(crops, window)
    sd = torch.sqrt(_local_mean(centred * centred, window))
    return F.avg_pool2d(centred / (sd + 0.03), 2)


def _local_mean(values: Tensor, window: int) -> Tensor:
    rows = F.avg_pool2d(values, (window, 1), stride=1, padding=(window // 2, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, window), stride=1, padding=(0, window // 2), count_include_pad=False)


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
