"""The radiographs with the worst femur contours on one sheet: where a mean hides what went wrong, a look shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.evaluation.cases import Case
from scripts.radiograph import read_label
from scripts.radiograph.sampling import resample_nearest

_COLUMNS = 4
_THIN = 2  # every second pixel of the 0.3 mm image will do for a thumbnail


@dataclass(frozen=True)
class _Thumbnail:
    name: str
    dice: float
    image: NDArray[np.uint8]
    found: NDArray[np.bool_]
    true: NDArray[np.bool_]


class WorstContours:
    """Keeps thumbnails of the radiographs with the lowest femur Dice seen so far.

    Args:
        count: how many.
    """

    def __init__(self, count: int = 12) -> None:
        self.count = count
        self._worst: list[_Thumbnail] = []

    def add(self, case: Case, truth: Mapping[str, Any], item: Mapping[str, Any]) -> None:
        """Look at one more radiograph; the arguments are those of `screened_case`, and what it returned."""
        dice = case.dice["femur"]
        if math.isnan(dice) or (len(self._worst) == self.count and dice >= self._worst[-1].dice):
            return
        image, mask = item["image"], item["mask"]
        shape = (image.shape[-2], image.shape[-1])
        label = read_label(truth["label"], mask.shape)
        found, true = (resample_nearest(image.meta["orientation"].to_display(of) == 1, shape) for of in (mask, label))
        grey = (image[0].clamp(0, 1) * 255).byte().numpy()
        thin = (slice(None, None, _THIN), slice(None, None, _THIN))
        self._worst.append(_Thumbnail(case.name, dice, grey[thin].copy(), found[thin].copy(), true[thin].copy()))
        self._worst = sorted(self._worst, key=lambda thumbnail: thumbnail.dice)[: self.count]

    def write(self, path: Path, kind: str) -> bool:
        """Write the sheet as PNG, worst first; `kind` of data is named in its title. Returns whether there was any."""
        if not self._worst:
            return False
        rows = math.ceil(len(self._worst) / _COLUMNS)
        figure = Figure(figsize=(4 * _COLUMNS, 3.8 * rows + 0.6), layout="constrained")
        figure.suptitle(f"Worst femur contours ({kind} data): found in orange, true in blue")
        for axes in np.atleast_1d(figure.subplots(rows, _COLUMNS)).flat:
            axes.set_axis_off()
        for axes, thumbnail in zip(figure.axes, self._worst, strict=False):
            axes.imshow(thumbnail.image, cmap="gray", vmin=0, vmax=255)
            for mask, colour in ((thumbnail.true, "#40c4ff"), (thumbnail.found, "#ff9100")):
                if mask.any():
                    axes.contour(mask, levels=[0.5], colors=colour, linewidths=1)
            axes.set_title(f"{thumbnail.name}: Dice {thumbnail.dice:.3f}", fontsize=10)
        figure.savefig(path, dpi=100)
        return True
