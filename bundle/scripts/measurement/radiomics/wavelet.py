"""A radiograph's detail in three directions: one level of a biorthogonal wavelet, kept at full size."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

IMAGES: Final = ("original", "wavelet_lh", "wavelet_hl", "wavelet_hh")
"""What textures are measured on; l and h are the low and the high pass along rows, then along columns."""

MARGIN: Final = 3
"""Pixels beside a pixel that its sub-bands see, at most."""
_HIGH: Final = (0.0, 0.0, -0.7071067811865476, 0.7071067811865476, 0.0, 0.0)
_LOW: Final = (
    -0.08838834764831845, 0.08838834764831845, 0.7071067811865476, 0.7071067811865476, 0.08838834764831845, -0.08838834764831845,
)  # fmt: skip
"""Of bior1.3 (Cohen, Daubechies and Feauveau, Commun Pure Appl Math 1992;45:485), for the analysis."""


def sub_bands(image: Tensor) -> Tensor:
    """The image and its three sub-bands with detail, undecimated, mirrored at the edges.

    Args:
        image: (B, H, W), floating point, at least 4 pixels a side.

    Returns:
        (B, 4, H, W) in the order of `IMAGES`.
    """
    low, high = (image.new_tensor(taps).flip(0) for taps in (_LOW, _HIGH))
    kernels = torch.stack([torch.outer(down, along) for along, down in ((low, high), (high, low), (high, high))])[:, None]
    wide = pad(image[:, None], (2, 3, 2, 3), mode="reflect")
    return torch.cat((image[:, None], conv2d(wide, kernels)), dim=1)
