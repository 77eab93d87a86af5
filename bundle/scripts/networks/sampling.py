"""How pictures are sampled at places between their pixels: the one way of all crops, and of crops laid back."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_at(image: Tensor, row: Tensor, col: Tensor, outside: str = "zeros") -> Tensor:
    """Sample bilinearly at places given in pixels; the centre of the first pixel is (0, 0).

    Args:
        image: (B, C, H, W).
        row, col: (B, h, w), of what is sampled.
        outside: "zeros", or "border" for the nearest pixel of the picture.

    Returns:
        (B, C, h, w).

    Example:
        >>> sample_at(torch.tensor([[[[0.0, 10.0, 20.0]]]]), torch.zeros(1, 1, 2), torch.tensor([[[0.5, 2.0]]]))
        tensor([[[[ 5., 20.]]]])
    """
    grid = torch.stack(((2 * col + 1) / image.shape[3] - 1, (2 * row + 1) / image.shape[2] - 1), dim=3)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode=outside, align_corners=False)
