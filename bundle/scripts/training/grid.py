"""The segmentation's coarser grid, for training items."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.transforms import Transform
from torch import Tensor


class ToSegmentationGridd(Transform):
    """Brings an item's film, mask and landmarks from the radiograph's grid to the segmentation's.

    Args:
        reduce: averages a (B, C, H, W) image to the coarser grid; the cascade's own.
        factor: pixels that it averages in each direction.
    """

    def __init__(self, reduce: Callable[[Tensor], Tensor], factor: int) -> None:
        self.reduce, self.factor = reduce, factor

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the item with "image", "label" (the class of the middle pixel) and "landmarks" on the coarser grid."""
        image = self.reduce(torch.as_tensor(data["image"]).float()[None])[0]
        label = torch.as_tensor(data["label"])
        middle = [(torch.arange(size) * self.factor + self.factor // 2) for size in image.shape[1:]]
        rows, cols = (index.clamp(max=size - 1) for index, size in zip(middle, label.shape[1:], strict=True))
        landmarks = (torch.as_tensor(data["landmarks"]) + 0.5) / self.factor - 0.5
        return {**data, "image": image, "label": label[:, rows][:, :, cols], "landmarks": landmarks}
