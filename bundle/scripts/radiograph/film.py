"""A film as the readers of each format return it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.radiograph.geometry import Orientation, Spacing
from scripts.radiograph.header import Header
from scripts.radiograph.mapping import MappedWords


@dataclass
class Film:
    """One radiograph as displayed.

    pixels: (rows, cols) float32 in 0..1, or words that a table maps to these; larger = denser; rows run toward the
        patient's feet, columns toward the left.
    spacing: of the displayed film.
    orientation: which made the displayed film from the stored one.
    header: what is known besides the pixels.
    background: None, or booleans on a coarse grid over the displayed film (see `scripts.radiograph.background`), true where
        the header says that nothing was exposed.
    """

    pixels: NDArray[np.float32] | MappedWords
    spacing: Spacing
    orientation: Orientation
    header: Header
    background: NDArray[np.bool_] | None = None
