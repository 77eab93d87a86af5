"""A coarser grid for training items."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from monai.transforms import Transform
from torch import Tensor

Reduce = Callable[[Tensor], Tensor]
"""Averages a (B, C, H, W) image to a coarser grid."""


class ToCoarserGridd(Transform):
    """Brings an item's radiograph, mask and landmarks from its grid to a coarser one.

    Args:
        reduce: averages a (B, C, H, W) image; the cascade's own.
        factor: pixels that it averages in each direction.
        classes: of the mask, 1 .. classes.
        further: key of one more mask, (1, H, W) of 0 and 1, that becomes the label's last channel.
    """

    def __init__(self, reduce: Reduce, factor: int, classes: int = 3, further: str | None = None) -> None:
        self.reduce, self.factor, self.classes, self.further = reduce, factor, classes, further

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the item with "image", "landmarks" and, where it has one, "label" on the coarser grid.

        The label becomes (classes, h, w) uint8, or (classes + 1, h, w): how much of a pixel each class covers, 0..255, so that
        an edge keeps its place to a fraction of a pixel.
        """
        image = self.reduce(torch.as_tensor(data["image"]).float()[None])[0]
        coarser = {"image": image, "landmarks": (torch.as_tensor(data["landmarks"]) + 0.5) / self.factor - 0.5}
        if "label" in data:
            label = torch.as_tensor(data["label"])
            masks = [label[0] == value for value in range(1, self.classes + 1)]
            if self.further:
                masks.append(torch.as_tensor(data[self.further])[0] > 0)
            coarser["label"] = F.avg_pool2d(torch.stack(masks).float()[None], self.factor)[0].mul(255).round().to(torch.uint8)
        return {**data, **coarser}
