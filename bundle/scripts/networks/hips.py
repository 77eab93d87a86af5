"""How heads see a hip's crop, what surrounds it, and the patient's covariates."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.networks.fitting import features_of
from scripts.networks.localisation import HipLocaliser


class Surroundings(nn.Module):
    """What surrounds the hips, wide and coarse: soft tissue, pelvis, skin and air, under the same beam and the same tone curve.

    Args:
        localiser: places it.
        factor: pixels of the image that are averaged to one before it is sampled.
    """

    def __init__(self, localiser: HipLocaliser, factor: int) -> None:
        super().__init__()
        self.localiser, self.factor = localiser, factor

    def forward(self, image: Tensor, landmarks: Tensor, weight: Tensor) -> Tensor:
        """Cut it out.

        Args:
            image: (B, 1, H, W) at 0.3 mm.
            landmarks: (B, 2, 5, 2), (row, col) in pixels of it.
            weight: (B, 2, 5), 0 leaves a landmark out.

        Returns:
            (B, 2, h, w) of ``localiser``, the left hip's mirrored; what lies outside the image is 0.
        """
        placed = self.localiser.fit((landmarks + 0.5) / self.factor - 0.5, weight)
        # An image that is smaller than what becomes one pixel is filled up, so that any size passes.
        lacking = [max(0, self.factor - image.shape[3]), max(0, self.factor - image.shape[2])]
        whole = F.pad(image, [0, lacking[0], 0, lacking[1]])
        return self.localiser.sample(F.avg_pool2d(whole, self.factor), placed)[:, :, 0]


class Encoder(nn.Module):
    """How a head sees hips; what maps crops, surroundings and poses to (B, 2, features), see `HipEncoder.forward`.

    Args:
        features: how many it gives of a hip.
        poses: how many of these, the last, are the pose itself.
    """

    def __init__(self, features: int, poses: int) -> None:
        super().__init__()
        self.features, self.poses = features, poses


class HipEncoder(Encoder):
    """One backbone applied to every hip's crop, and another one to what surrounds each.

    The first sees a crop twice, at half its resolution: its local contrast, with the local mean and standard deviation taken
    out, which radiographs of all vendors have in common and which tells of form; and its grey as it is. Grey tells of mineral,
    but only beside what lies under the same beam and the same tone curve, which the second shows.

    Args:
        backbone: maps (N, 2, 112, 112), crops at half their resolution, to (N, features).
        outside: maps (N, 1, 64, 64) of `Surroundings` to (N, features).
        pose_mean: typical log crop-pixel size (mm) and abduction (radians), see `HipLocaliser.poses`.
        pose_sd: their standard deviations.
        window: rows and columns (odd) over which the local mean and standard deviation are taken, pixels of what it sees.

    Raises:
        ValueError: when a backbone does not fit.
    """

    pose_mean: Tensor
    pose_sd: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        outside: nn.Module,
        pose_mean: Sequence[float] = (-0.5, 0.0),
        pose_sd: Sequence[float] = (0.1, 0.15),
        window: int = 21,
    ) -> None:
        poses = len(pose_mean)
        super().__init__(features_of(backbone, 2, 112, 112) + features_of(outside, 1, 64, 64) + poses, poses)
        self.backbone, self.outside = backbone, outside
        self.window = window
        self.register_buffer("pose_mean", torch.tensor(pose_mean))
        self.register_buffer("pose_sd", torch.tensor(pose_sd))

    def forward(self, crops: Tensor, around: Tensor, poses: Tensor) -> Tensor:
        """Encode.

        Args:
            crops: (B, 2, rows, cols).
            around: (B, 2, h, w).
            poses: (B, 2, 2).

        Returns:
            (B, 2, features).
        """
        hips = F.avg_pool2d(crops.flatten(0, 1).unsqueeze(1), 2)
        seen = torch.cat((local_contrast(hips, self.window), _standardised(hips)), dim=1)
        outside = self.outside(_standardised(around.flatten(0, 1).unsqueeze(1)))
        features = torch.cat((self.backbone(seen), outside), dim=1)
        # An absent hip has a degenerate pose; the limit keeps it finite until it is masked out.
        pose = ((poses - self.pose_mean) / self.pose_sd).clamp(-5.0, 5.0)
        return torch.cat((features.view(crops.shape[0], crops.shape[1], -1), pose), dim=2)


class CropEncoder(Encoder):
    """One backbone applied to every hip's crop as it is, stretched from its darkest to its brightest pixel, and to nothing else.

    So Kim et al. (Radiology: AI 2022, ryai.210212) show a radiograph to their network.

    Args:
        backbone: maps (N, 1, 224, 224) to (N, features).

    Raises:
        ValueError: when the backbone does not fit.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(features_of(backbone, 1, 224, 224), 0)
        self.backbone = backbone

    def forward(self, crops: Tensor, around: Tensor, poses: Tensor) -> Tensor:
        """Encode (B, 2, rows, cols); what surrounds them and their poses are not looked at. See `HipEncoder.forward`."""
        hips = crops.flatten(0, 1).unsqueeze(1)
        darkest, brightest = hips.amin(dim=(2, 3), keepdim=True), hips.amax(dim=(2, 3), keepdim=True)
        stretched = (hips - darkest) / (brightest - darkest).clamp(min=1e-3)
        return self.backbone(stretched).view(crops.shape[0], crops.shape[1], -1)


class GreyBackbone(nn.Module):
    """A backbone of colour pictures, shown grey ones.

    Args:
        backbone: maps (N, 3, rows, cols) to (N, features).
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, grey: Tensor) -> Tensor:
        """Map (N, 1, rows, cols), 0 to 1."""
        found: Tensor = self.backbone((2.0 * grey - 1.0).expand(-1, 3, -1, -1))
        return found


class DeepRadiomicsBackbone(nn.Sequential):
    """The convolutional network of Kim et al. (Radiology: AI 2022, ryai.210212), after Tiulpin et al. (Scientific Reports 2018).

    Six convolutions of 3 x 3 without padding, each with batch normalisation and ReLU: three of ``width`` channels, of which the
    first has stride 2; two of twice as many; one of four times as many; the maximum of 2 x 2 pixels after the third and the
    fifth, the mean of all at the end. With 32 channels and the published layer of two outputs from both hips: 149,314 parameters.

    Args:
        width: channels of the first layers.
    """

    def __init__(self, width: int = 32) -> None:
        layers = [(1, width, 2), (width, width, 1), (width, width, 1), (width, 2 * width, 1), (2 * width, 2 * width, 1)]
        layers.append((2 * width, 4 * width, 1))
        parts: list[nn.Module] = []
        for index, (before, after, stride) in enumerate(layers):
            parts += [nn.Conv2d(before, after, 3, stride), nn.BatchNorm2d(after, eps=1e-3), nn.ReLU(inplace=True)]
            if index in (2, 4):
                parts.append(nn.MaxPool2d(2))
        super().__init__(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def local_contrast(crops: Tensor, window: int) -> Tensor:
    """Take the local mean out, and divide by the local standard deviation.

    Args:
        crops: (N, 1, rows, cols), normalised radiograph.
        window: odd, pixels.

    Returns:
        (N, 1, rows, cols).
    """
    centred = crops - _local_mean(crops, window)
    sd = torch.sqrt(_local_mean(centred * centred, window))
    return centred / (sd + 0.03)


def _standardised(grey: Tensor) -> Tensor:
    """Grey of 0 to 1 as of mean 0 and standard deviation 1, roughly."""
    return 4.0 * (grey - 0.5)


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
