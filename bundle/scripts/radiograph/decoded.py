"""A radiograph between its file and the image that the networks take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from scripts.radiograph.geometry import Orientation, Spacing
from scripts.radiograph.header import Header
from scripts.radiograph.mapping import MappedWords

Pixels = NDArray[np.float32] | MappedWords
"""(rows, cols) of a displayed radiograph: float32 in 0..1, larger = denser, or words with the table that maps them to these."""


@dataclass
class DecodedRadiograph:
    """What the reader of one file format (DICOM, picture, NIfTI) returns.

    pixels: rows run toward the patient's feet, columns toward the patient's left.
    spacing: of the displayed radiograph.
    orientation: how the displayed radiograph was made from the stored one.
    header: what is known besides the pixels.
    background: None, or booleans on a coarse grid over the displayed radiograph (see `scripts.radiograph.background`), true
        where the header says that nothing was exposed.
    """

    pixels: Pixels
    spacing: Spacing
    orientation: Orientation
    header: Header
    background: NDArray[np.bool_] | None = None


@dataclass
class LazyImage:
    """The image of `read_radiograph` before its values are computed. Resampling computes them, a few rows at a time.

    pixels: as in `DecodedRadiograph`.
    affine: (4, 4); meta: both as in the image.
    """

    pixels: Pixels
    affine: torch.Tensor
    meta: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the image: (1, H, W)."""
        return (1, self.pixels.shape[0], self.pixels.shape[1])

    def compute(self) -> MetaTensor:
        """Compute all values: (1, H, W) float32 in 0..1."""
        shown = self.pixels.shown() if isinstance(self.pixels, MappedWords) else np.ascontiguousarray(self.pixels)
        return MetaTensor(torch.from_numpy(shown)[None], affine=self.affine, meta=self.meta)
