"""Radiographs as they are sent on from a viewer: a window set by hand, resampled, sharpened, written on, saved as JPEG.

Coarse pixels and blocks of JPEG are made at the spacing of the export and brought back to the pixels of the radiograph, so that
masks and landmarks hold.
"""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from scripts.simulation.physics.xray import low_pass

_BLACK, _GREY, _WHITE = 0.0, 0.16, 1.0
_RULER_MM = 200


@dataclass(frozen=True)
class Export:
    """How a viewer exports a radiograph.

    ``spacing`` of its pixels in mm; grey values (0..1) of ``low`` and ``high`` become black and white; ``sharpen`` is the part of
    the detail finer than 4 pixels that is added; ``quality`` is that of JPEG (1 to 95); ``surround`` the grey beside the
    radiograph. ``ruler`` of centimetres along the "bottom", "left" or "" for none, ``page``: page and image numbers in the lower
    corners. Black bands of ``margins`` (top, right, bottom, left) in mm lie around the radiograph.
    """

    spacing: float
    low: float
    high: float
    sharpen: float
    quality: int
    surround: float
    ruler: str
    page: bool
    margins: tuple[float, float, float, float]


def draw_export(rng: np.random.Generator) -> Export:
    """Draw what a viewer and its user make of a radiograph: pixels of 0.3 to 0.5 mm, mostly a ruler below and black around."""
    hard = rng.random() < 0.35
    banded = rng.random() < 0.6
    ruler = str(rng.choice(["bottom", "left", ""], p=[0.6, 0.15, 0.25]))
    top, right, bottom, left = rng.uniform(0, 45, 4) * (rng.random(4) < 0.4) * banded
    return Export(
        spacing=float(rng.uniform(0.3, 0.5)),
        low=float(rng.uniform(0.05, 0.25)) if hard else float(rng.uniform(0, 0.06)),
        high=float(rng.uniform(0.65, 0.9)) if hard else float(rng.uniform(0.9, 1.0)),
        sharpen=float(abs(rng.normal(0, 0.9))) if rng.random() < 0.6 else 0.0,
        quality=int(rng.integers(45, 96)),
        surround=float(rng.choice([_BLACK, _GREY, _WHITE], p=[0.75, 0.18, 0.07])),
        ruler=ruler,
        page=bool(rng.random() < 0.5),
        margins=(float(top), float(right), float(bottom + 16 * (ruler == "bottom" and banded)), float(left)),
    )


def exported(shown: Tensor, export: Export, spacing: float, exposed: Tensor) -> Tensor:
    """Return what the exported picture shows, (rows, columns) in 0..1, at the pixels of the radiograph.

    Args:
        shown: displayed values (rows, columns) in 0..1, bone bright.
        export: how it is exported.
        spacing: of the pixels in mm.
        exposed: (rows, columns) bool, what is not surround.
    """
    rows, columns = shown.shape
    image = ((shown - export.low) / (export.high - export.low)).clamp(0, 1)
    image = torch.where(exposed | (shown > 0.9), image, torch.tensor(export.surround))
    shrink = min(1.0, spacing / export.spacing)
    size = (max(16, round(rows * shrink)), max(16, round(columns * shrink)))
    small = interpolate(image[None, None], size=size, mode="bilinear", antialias=True)[0, 0]
    if export.sharpen > 0:
        small = small + export.sharpen * (small - low_pass(small, 2.0))
    pixels = (small.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    pixels = _compressed(_written_on(pixels, export), export.quality)
    back = torch.from_numpy(pixels.astype(np.float32) / 255)
    return interpolate(back[None, None], size=(rows, columns), mode="bicubic")[0, 0].clamp(0, 1)


def _written_on(pixels: np.ndarray, export: Export) -> np.ndarray:
    """Write ruler and page numbers on a picture (rows, columns) of 0..255."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    font = ImageFont.load_default(size=max(8, height // 70))
    length = _RULER_MM / export.spacing
    if export.ruler:
        below = export.ruler == "bottom"
        start, aside = (0.5 * ((width if below else height) - length), (height if below else 0) + (-6 if below else 6))
        inward = -1 if below else 1

        def line(a: tuple[float, float], b: tuple[float, float]) -> None:
            draw.line([a, b] if below else [a[::-1], b[::-1]], fill=255)

        line((start, aside), (start + length, aside))
        for mark in range(_RULER_MM // 10 + 1):
            at = start + mark * 10 / export.spacing
            line((at, aside), (at, aside + inward * (7 if mark % 5 == 0 else 4)))
        if below:
            draw.text((start + length + 6, aside), "cm", fill=255, font=font, anchor="ls")
    if export.page:
        draw.text((3, height - 4), "Page: 1 of 1", fill=255, font=font, anchor="ls")
        draw.text((width - 3, height - 4), "IM: 1001", fill=255, font=font, anchor="rs")
    return np.asarray(picture)


def _compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))
