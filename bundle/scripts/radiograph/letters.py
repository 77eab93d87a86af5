"""Telling an R or an L from every other letter, digit and mark, whichever way it is turned or mirrored."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_RESEMBLING: Final = 0.75  # correlation below which a piece is certainly neither letter
_CANVAS: Final = 24  # of a normalised piece, pixels
_EXTENT: Final = 20  # of its longer side
_DRAWN: Final = 120  # of a drawn letter's canvas, pixels
_HEIGHT: Final = 64  # of a drawn letter, pixels
_SLANTS: Final = range(-24, 25, 6)  # degrees by which a marker is laid askew
_STROKES: Final = (0.11, 0.17, 0.24)  # of the height: typed, and cut from lead
_WIDTHS: Final = (0.55, 0.75)  # of the height

LETTERS: Final = ("R", "L")


@dataclass(frozen=True)
class Reading:
    """What a piece of a radiograph reads as.

    Args:
        letter: "R" or "L".
        mirrored: whether it reads backwards.
        quarters: quarter turns, counter-clockwise, by which it lies; 0 is upright.
        correlation: normalised, with the ideal letter, at most 1.
        margin: by how much that exceeds the correlation with anything else.
    """

    letter: str
    mirrored: bool
    quarters: int
    correlation: float
    margin: float

    @property
    def certain(self) -> bool:
        """Whether the reading is certain enough to be used.

        An L is a plain shape, and less plausible the further it is from upright. An R differs little from its mirror image.
        """
        if self.letter == "L":
            least, margin = (2.0 if self.quarters else 0.93 if self.mirrored else 0.88), 0.06
        else:
            least, margin = (0.88 if self.quarters else 0.84), (0.045 if self.mirrored else 0.02)
        return self.correlation >= least and self.margin >= margin


def read_letter(piece: NDArray[Any]) -> Reading | None:
    """Read a piece of a radiograph as an R or an L, or as neither.

    It is compared by normalised correlation with drawn and typed letters of several strokes, widths and slants, in quarter
    turns and mirrored, and with all other letters, the digits and simple marks.

    Args:
        piece: (rows, cols) >= 0, bright on black, cut to its bounding box.

    Returns:
        The reading, or None where the piece resembles neither letter, or something else more.
    """
    bank = _bank()
    target = _normalised(piece)
    best_of_class = np.full(len(bank.names), -1.0)
    np.maximum.at(best_of_class, bank.classes, bank.letters @ target)
    best = int(best_of_class.argmax())
    correlation = float(best_of_class[best])
    # Most pieces resemble neither letter: the other templates need not be asked.
    if correlation < _RESEMBLING:
        return None
    other = max(float(np.delete(best_of_class, best).max()), float((bank.others @ target).max()))
    letter, mirrored, quarters = bank.names[best]
    return Reading(letter, mirrored, quarters, correlation, correlation - other) if correlation > other else None


@dataclass(frozen=True)
class _Bank:
    """Templates (n, pixels) of the two letters, the class of each, the classes' names; and templates of everything else."""

    letters: NDArray[np.float32]
    classes: NDArray[np.intp]
    names: list[tuple[str, bool, int]]
    others: NDArray[np.float32]


@cache
def _bank() -> _Bank:
    names = [(letter, mirrored, turn) for letter in LETTERS for mirrored in (False, True) for turn in range(4)]
    letters, classes, others = [], [], []
    for letter, drawing in _drawings():
        for slant in _SLANTS:
            slanted = _cut(np.asarray(drawing.rotate(slant, resample=Image.Resampling.BILINEAR)))
            for mirrored in (False, True):
                for quarters in range(4):
                    template = _normalised(np.rot90(slanted[:, ::-1] if mirrored else slanted, quarters))
                    if letter in LETTERS:
                        letters.append(template)
                        classes.append(names.index((letter, mirrored, quarters)))
                    else:
                        others.append(template)
    return _Bank(np.stack(letters), np.array(classes), names, np.stack(others))


def _drawings() -> Iterator[tuple[str, Image.Image]]:
    font = ImageFont.load_default(size=_HEIGHT / 0.72)  # whose capitals have 0.72 of its size
    for letter in string.ascii_uppercase + string.digits:
        for weight in (0, 2, 4) if letter in LETTERS else (0, 3):
            canvas = Image.new("L", (_DRAWN, _DRAWN))
            middle = (_DRAWN / 2, _DRAWN / 2)
            ImageDraw.Draw(canvas).text(middle, letter, 255, font, anchor="mm", stroke_width=weight, stroke_fill=255)
            yield letter, canvas
    for stroke in _STROKES:
        for width in _WIDTHS:
            for name, lines in _outlines(width).items():
                yield name, _drawn(lines, stroke * _HEIGHT)


def _outlines(width: float) -> dict[str, list[list[tuple[float, float]]]]:
    """Middle lines (x, y), y down, of letters 1 high as they are cut from lead, and of marks that are none."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 12)
    bowl = [(0.0, 0.0), *zip(width - 0.27 + 0.27 * np.cos(t), 0.27 + 0.27 * np.sin(t), strict=True), (0.0, 0.54)]
    ring = [(0.5 + 0.5 * np.cos(a), 0.5 + 0.5 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24)]
    return {
        "R": [[(0, 1), (0, 0)], bowl, [(width - 0.4, 0.54), (width, 1)]],
        "L": [[(0, 0), (0, 1), (width, 1)]],
        "ring": [ring],
        "angle": [[(0, 0), (0, 1), (1, 1)]],
        "arrow": [[(0.5, 1), (0.5, 0)], [(0.2, 0.3), (0.5, 0), (0.8, 0.3)]],
        "cross": [[(0.5, 0), (0.5, 1)], [(0, 0.5), (1, 0.5)]],
        "hook": [[(0, 0), (0, 1), (0.2, 1)]],
        "bar": [[(0, 0), (0, 1)]],
    }


def _drawn(lines: list[list[tuple[float, float]]], stroke: float) -> Image.Image:
    canvas = Image.new("L", (_DRAWN, _DRAWN))
    pen = ImageDraw.Draw(canvas)
    inset = (_DRAWN - _HEIGHT) / 2
    for line in lines:
        points = [(inset + x * _HEIGHT, inset + y * _HEIGHT) for x, y in line]
        pen.line(points, fill=255, width=round(stroke), joint="curve")
        for x, y in (points[0], points[-1], *(points[1:-1] if len(points) < 5 else ())):
            r = stroke / 2
            pen.rectangle((x - r, y - r, x + r, y + r), fill=255)
    return canvas


def _cut(drawing: NDArray[Any]) -> NDArray[Any]:
    rows, cols = np.nonzero(drawing > 127)
    return drawing[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]


def _normalised(piece: NDArray[Any]) -> NDArray[np.float32]:
    """Fit a piece into the middle of the common canvas; (pixels,) of mean 0 and norm 1."""
    factor = _EXTENT / max(piece.shape)
    rows, cols = (max(1, round(length * factor)) for length in piece.shape)
    picture = Image.fromarray(np.ascontiguousarray(piece, np.float32)).resize((cols, rows), Image.Resampling.BILINEAR)
    canvas = np.zeros((_CANVAS, _CANVAS), np.float32)
    top, left = (_CANVAS - rows) // 2, (_CANVAS - cols) // 2
    canvas[top : top + rows, left : left + cols] = np.asarray(picture)
    centred = canvas.ravel() - canvas.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-6)
