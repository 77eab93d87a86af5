"""A radiograph that has been read, but that is displayed no earlier than it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from scripts.radiograph.mapping import MappedWords


@dataclass
class LazyRadiograph:
    """What `read_radiograph` returns, before its values are computed: resampling computes them a few rows at a time.

    pixels: (rows, cols) of the displayed film: float32 in 0..1, or words with their table.
    affine, meta: those of the image.
    """

    pixels: NDArray[np.float32] | MappedWords
    affine: torch.Tensor
    meta: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the image: (1, H, W)."""
        return (1, self.pixels.shape[0], self.pixels.shape[1])

    def image(self) -> MetaTensor:
        """Return the whole displayed film, (1, H, W) float32."""
        shown = self.pixels.shown() if isinstance(self.pixels, MappedWords) else np.ascontiguousarray(self.pixels)
        return MetaTensor(torch.from_numpy(shown)[None], affine=self.affine, meta=self.meta)
