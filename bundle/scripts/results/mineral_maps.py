"""Where in both femurs the mineral lies, drawn beside the radiograph, with a scale."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import colormaps, get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.results.pictures import contours, displayed, save_picture
from scripts.screening.findings import Seen
from scripts.screening.mineral_map import MineralMap, MineralMapper

_TILE_PX: Final = 400
_SCALE_PX: Final = 96  # high, of the strip that holds the scale
_MOST: Final = 2.5  # g/cm² at the scale's end: as much as the cortex of a strong shaft, seen from its edge
_COLOURS: Final = colormaps["inferno"]  # brighter is more, to the colour-blind too
_FONT: Final = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"  # the default font has no ²
_INK: Final = (255, 255, 255)
_REGION: Final = (64, 196, 255)


class MineralMapWriter:
    """Writes mineral_maps/NAME.png: where the mineral of both femurs lies; without any metadata.

    Args:
        mapper: draws the maps.
    """

    key = "mineral_map"

    def __init__(self, mapper: MineralMapper) -> None:
        self.mapper = mapper

    def __call__(self, name: str, seen: Seen, folder: Path) -> str | None:
        """Write the picture of one radiograph, and return its path, relative to ``folder``; None where no hip is measured."""
        found = self.mapper(seen)
        if found is None:
            return None
        path = f"mineral_maps/{name}.png"
        save_picture(draw_mineral_map(found), folder / path)
        return path


def draw_mineral_map(found: MineralMap) -> Image.Image:
    """Draw each hip as the radiograph shows it and its map beside it, sides as on the radiograph, and the scale below."""
    picture = Image.new("RGB", (4 * _TILE_PX, _TILE_PX + _SCALE_PX))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(_FONT, 20)
    for index, side in enumerate(HIP.sides):
        left = 2 * index * _TILE_PX
        if not found.drawn[index]:
            pen.text((left + 12, 10), f"{side}: no map", fill=_INK, font=font)
            continue
        mineral, region = (_as_shown(values[index], index).numpy() for values in (found.mineral, found.region))
        grey = displayed(_as_shown(found.crops[index], index)).astype(np.uint8)
        coloured = (_COLOURS(np.clip(_widened(mineral) / _MOST, 0, 1))[..., :3] * 255).astype(np.uint8)
        for column, tile in enumerate((Image.fromarray(grey).convert("RGB"), Image.fromarray(coloured))):
            picture.paste(tile.resize((_TILE_PX, _TILE_PX), Image.Resampling.BICUBIC), (left + column * _TILE_PX, 0))
        for outline in contours(_widened(region) > 0.5):
            for column in range(2):
                corner = left + column * _TILE_PX
                pen.line([(corner + col + 0.5, row + 0.5) for row, col in outline], fill=_REGION, width=2, joint="curve")
        mean = float((mineral * region).sum() / max(float(region.sum()), 1e-6))
        pen.text((left + 12, 10), side, fill=_INK, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
        told = f"outlined: {mean:.3f} g/cm²"
        pen.text((left + _TILE_PX + 12, 10), told, fill=_INK, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
    _draw_scale(picture, pen)
    return picture


def _draw_scale(picture: Image.Image, pen: ImageDraw.ImageDraw) -> None:
    width, top = picture.width // 2, _TILE_PX + 18
    left = (picture.width - width) // 2
    colours = (_COLOURS(np.linspace(0, 1, width))[None, :, :3] * 255).astype(np.uint8).repeat(22, axis=0)
    picture.paste(Image.fromarray(colours), (left, top))
    font = ImageFont.truetype(_FONT, 18)
    for value in np.arange(0.0, _MOST + 0.1, 0.5):
        x = left + value / _MOST * width
        pen.line([(x, top), (x, top + 30)], fill=_INK, width=1)
        pen.text((x, top + 34), f"{value:.1f}", fill=_INK, font=font, anchor="ma")
    pen.text((left + width + 40, top), "g/cm² of mineral", fill=_INK, font=font)


def _as_shown(values: Tensor, index: int) -> Tensor:
    """A hip's pixels as the radiograph shows them: the left one was mirrored."""
    return values.flip(-1) if index else values


def _widened(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brought to the size of a tile."""
    wide: NDArray[np.float32] = np.asarray(Image.fromarray(values).resize((_TILE_PX, _TILE_PX), Image.Resampling.BILINEAR))
    return wide
