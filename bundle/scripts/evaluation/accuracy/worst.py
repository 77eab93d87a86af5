"""The radiographs with the worst femur contours: where a mean hides what went wrong, a look and a sentence show it."""

from __future__ import annotations

import csv
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scripts.dataset.labels import read_label
from scripts.dataset.truth import Truth
from scripts.evaluation.accuracy.cases import Case, hip_centres, true_landmarks
from scripts.evaluation.accuracy.overlap import iou
from scripts.evaluation.accuracy.reasons import explain
from scripts.files import replacing
from scripts.radiograph.sampling import resample_nearest
from scripts.screening.findings import Seen

_COLUMNS = 2
_CAPTION = 98  # characters a line
_THIN = 2  # every second pixel of the 0.3 mm image will do
_MARGIN_PX = 25  # round the femurs, 7.5 mm
_TRUE, _FOUND = "#40c4ff", "#ff9100"
_METAL_STYLE: Final = "dashed"


@dataclass(frozen=True)
class _Radiograph:
    """One of the worst: `image` grey, `found` and `true` classes (rows, cols), all of the field round the femurs."""

    name: str
    site: str
    dice: float
    missed: int
    why: str
    image: NDArray[np.uint8]
    found: NDArray[np.uint8]
    true: NDArray[np.uint8]


class WorstRadiographs:
    """Keeps the radiographs with the lowest femur Dice seen so far, those with missed hips as they are.

    Args:
        count: how many.
    """

    def __init__(self, count: int = 10) -> None:
        self.count = count
        self._worst: list[_Radiograph] = []

    def add(self, case: Case, truth: Truth, seen: Seen) -> None:
        """Look at one more radiograph; the arguments are those of `make_screened_case`, and what it returned."""
        dice = case.dice["femur"]
        if math.isnan(dice) or (len(self._worst) == self.count and dice >= self._worst[-1].dice):
            return
        image, mask = seen.image, seen.mask
        shape = (image.shape[-2], image.shape[-1])
        label = read_label(truth.label, mask.shape)
        found, true = (resample_nearest(image.meta["orientation"].to_display(of), shape) for of in (mask, label))
        points = true_landmarks(truth, seen.image)
        why = explain(truth, case.hips, found, true, points, hip_centres(points), image.meta["spacing_mm"])
        grey = (image[0].clamp(0, 1) * 255).byte().numpy()
        field = _field(found, true)
        missed = sum(hip.drawn and not hip.found for hip in case.hips)
        shown = (grey[field].copy(), found[field].copy(), true[field].copy())
        self._worst.append(_Radiograph(case.name, case.site, dice, missed, why, *shown))
        self._worst = sorted(self._worst, key=lambda one: one.dice)[: self.count]

    @classmethod
    def join(cls, parts: Sequence[Self], place: Mapping[str, int]) -> Self:
        """Bring together what several processes kept; equals stand as their names are placed."""
        joined = cls(parts[0].count)
        ranked = sorted((one for part in parts for one in part._worst), key=lambda one: (one.dice, place[one.name]))
        joined._worst = ranked[: joined.count]
        return joined

    def write(self, folder: Path, kind: str, notice: str) -> bool:
        """Write worst.png, worst.csv and worst.md, worst first; `kind` of data is named. Returns whether there was any."""
        for name in ("worst.png", "worst.csv", "worst.md"):
            (folder / name).unlink(missing_ok=True)  # of an earlier evaluation
        if not self._worst:
            return False
        self._sheet(kind).savefig(folder / "worst.png", dpi=100)
        rows = [
            (rank, one.name, one.site, f"{one.dice:.4f}", f"{iou(one.dice):.4f}", one.missed, one.why)
            for rank, one in enumerate(self._worst, start=1)
        ]
        columns = ("rank", "name", "site", "femur_dice", "femur_iou", "hips_missed", "why")
        with replacing(folder / "worst.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        lines = [
            f"# The {len(rows)} worst femur contours ({kind} data)",
            "",
            f"{notice}.",
            "",
            "![Radiographs with true and found outlines](worst.png)",
            "",
            "| | Name | Femur Dice | IoU | Why |",
            "|---|---|---|---|---|",
            *(f"| {rank} | {name} | {dice} | {overlap} | {why} |" for rank, name, _, dice, overlap, _, why in rows),
            "",
        ]
        (folder / "worst.md").write_text("\n".join(lines), encoding="utf-8")
        return True

    def _sheet(self, kind: str) -> Figure:
        rows = math.ceil(len(self._worst) / _COLUMNS)
        figure = Figure(figsize=(8 * _COLUMNS, 4.9 * rows + 0.9), layout="constrained")
        figure.suptitle(f"The {len(self._worst)} worst femur contours ({kind} data)", fontsize=14)
        for axes in np.atleast_1d(figure.subplots(rows, _COLUMNS)).flat:
            axes.set_axis_off()
        for rank, (axes, one) in enumerate(zip(figure.axes, self._worst, strict=False), start=1):
            axes.imshow(one.image, cmap="gray", vmin=0, vmax=255)
            for mask, colour in ((one.true, _TRUE), (one.found, _FOUND)):
                for shown, style in ((mask == 1, "solid"), (mask > 1, _METAL_STYLE)):
                    if shown.any() and not shown.all():
                        axes.contour(shown, levels=[0.5], colors=colour, linewidths=1.2, linestyles=style)
            why = textwrap.fill(one.why, _CAPTION)
            axes.set_title(f"{rank}. {one.name}: Dice {one.dice:.3f}\n{why}", fontsize=9, loc="left")
        figure.legend(
            handles=[
                Line2D([], [], color=_TRUE, label="true femur"),
                Line2D([], [], color=_FOUND, label="found femur"),
                Line2D([], [], color=_TRUE, linestyle=_METAL_STYLE, label="true metal"),
                Line2D([], [], color=_FOUND, linestyle=_METAL_STYLE, label="found metal"),
            ],
            loc="outside lower center",
            ncols=4,
            fontsize=11,
        )
        return figure


def _field(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The field round all that is, or was, drawn: the margins of a radiograph are where names and dates are burned in."""
    rows, cols = np.nonzero((found > 0) | (true > 0))
    (top, bottom), (left, right) = ((max(0, int(of.min()) - _MARGIN_PX), int(of.max()) + _MARGIN_PX + 1) for of in (rows, cols))
    return slice(top, bottom, _THIN), slice(left, right, _THIN)
