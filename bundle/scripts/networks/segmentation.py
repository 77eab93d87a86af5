"""Segmentation of the proximal femurs and their implants, the heat maps of their landmarks, and where a femur is broken."""

import math
from typing import Self

import torch
import torch.nn.functional as F
from monai.networks.layers.simplelayers import SkipConnection
from monai.networks.nets import UNet
from torch import Tensor, nn

from scripts.clinical.anatomy import HIP

MASKS = HIP.classes[1:]
"""The order of the mask channels; the class in a mask file is the channel + 1 (0 is background)."""

CONTOUR_FACTOR = 2
"""Pixels of the 0.3 mm radiograph that one pixel of the 0.6 mm grid of the contours averages, in each direction."""

WHOLE_FACTOR = 6
"""Pixels of the 0.3 mm radiograph that one pixel of the 1.8 mm grid averages on which a whole radiograph is seen at once."""


def coarser(image: Tensor, factor: int) -> Tensor:
    """Average factor x factor pixels of the radiograph into one; what is left over at the bottom and right is dropped.

    Pixel p of the result is centred on (p + 0.5) * factor - 0.5 of the image.

    Args:
        image: (B, C, H, W).
        factor: pixels averaged along each side.

    Returns:
        (B, C, H // factor, W // factor).
    """
    return F.avg_pool2d(image, factor)


class SegmentationNetwork(nn.Module):
    """A U-Net whose outputs are masks, then landmark heat maps, and whose deepest features can be had as well.

    Args:
        backbone: maps (B, 1, h, w) to (B, 3 + landmarks, h, w), or one map more, for h, w that are multiples of ``multiple``.
            Its levels are taken over.
        landmarks: number of heat maps: 10 where it sees a radiograph (the right hip's five, then the left hip's), 5 where it
            sees the crop of one hip.
        fracture: whether the last map tells where a femur is broken.
        multiple: product of the backbone's strides; inputs are zero-padded to it and the outputs cut back.
        prior: initial probability of every mask and heat-map pixel, added to the logits as a bias, so that training
            does not begin by unlearning 0.5 everywhere.
    """

    multiple: int

    def __init__(self, backbone: UNet, landmarks: int, fracture: bool = False, multiple: int = 32, prior: float = 0.02) -> None:
        super().__init__()
        down, up, level = nn.ModuleList(), list[nn.Module](), backbone.model
        while isinstance(level, nn.Sequential) and isinstance(level[1], SkipConnection):
            down.append(level[0])
            up.append(level[2])
            level = level[1].submodule
        self.down = down.append(level)
        self.up = nn.ModuleList(reversed(up))
        self.multiple = multiple
        self.encoder_frozen = False
        self.maps = len(MASKS) + landmarks + int(fracture)
        self.bias = nn.Parameter(torch.full((1, self.maps, 1, 1), math.log(prior / (1 - prior))))

    def freeze_encoder(self) -> None:
        """Keep the way down, and so the deepest features of any image, as it is while the rest is trained."""
        self.encoder_frozen = True
        self.down.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As for any network; what is frozen keeps its batch statistics."""
        super().train(mode)
        if self.encoder_frozen:
            self.down.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Segment.

        Args:
            image: (B, 1, h, w) normalised radiograph.

        Returns:
            (B, maps, h, w) logits: femur, prosthesis, fixation, then the heat maps, then, if any, where a femur is broken.
        """
        return self.look(image)[0]

    def look(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Segment, and return the deepest features beside the logits: (B, C, h / multiple, w / multiple), rounded up."""
        height, width = image.shape[2], image.shape[3]
        rows, cols = (height + self.multiple - 1) // self.multiple, (width + self.multiple - 1) // self.multiple
        features = F.pad(image, (0, self.multiple * cols - width, 0, self.multiple * rows - height))
        levels: list[Tensor] = []
        for level in self.down:
            features = level(features)
            levels.append(features)
        deep = features
        for depth, level in enumerate(self.up):
            features = level(torch.cat((levels[-2 - depth], features), dim=1))
        return (features + self.bias)[:, :, :height, :width], deep
