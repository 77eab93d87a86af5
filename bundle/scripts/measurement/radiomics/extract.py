"""All radiomic features of a region: 14 of its shape, 79 of the grey values of the radiograph and of each wavelet sub-band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from scripts.measurement.radiomics.co_occurrence import CO_OCCURRENCE, co_occurrence
from scripts.measurement.radiomics.first_order import FIRST_ORDER, first_order
from scripts.measurement.radiomics.grey_levels import to_levels
from scripts.measurement.radiomics.run_length import RUN_LENGTH, run_length
from scripts.measurement.radiomics.shape import SHAPE, shape
from scripts.measurement.radiomics.size_zone import SIZE_ZONE, size_zone
from scripts.measurement.radiomics.tone_difference import TONE_DIFFERENCE, tone_difference
from scripts.measurement.radiomics.wavelet import IMAGES, sub_bands

LEVELS: Final = 32
FAMILIES: Final = {
    "first_order": FIRST_ORDER,
    "co_occurrence": CO_OCCURRENCE,
    "run_length": RUN_LENGTH,
    "size_zone": SIZE_ZONE,
    "tone_difference": TONE_DIFFERENCE,
}
"""Of grey values, by name."""
NAMES: Final = (
    *(f"shape.{feature.name}" for feature in SHAPE),
    *(f"{image}.{family}.{feature.name}" for image in IMAGES for family, features in FAMILIES.items() for feature in features),
)
"""Of all 330 features, in the order in which they come."""

_FEWEST_PIXELS: Final = 16
_CHUNK_PIXELS: Final = 2_000_000
"""Of a batch that is computed at once; more would take more memory, and no less time."""


def extract(images: Sequence[Tensor], masks: Sequence[Tensor], spacing_mm: tuple[float, float], levels: int = LEVELS) -> Tensor:
    """The features `NAMES` of each region.

    The set is that of Kim et al. (Radiology: AI 2022), but for the form, which is measured in two dimensions, and for the bins of
    grey values: a fixed number, since a width fits one processing of radiographs and no other.

    Args:
        images: (H, W) each, grey values; where they matter by themselves (first order) they should be on one scale.
        masks: (H, W) bool each, the region.
        spacing_mm: of all images, between rows and between columns.
        levels: grey levels that texture knows.

    Returns:
        (N, 330) float64; NaN for a region of fewer than 16 pixels.
    """
    found = torch.full((len(images), len(NAMES)), torch.nan, dtype=torch.float64)
    kept = [index for index, mask in enumerate(masks) if int(mask.sum()) >= _FEWEST_PIXELS]
    boxes = {index: _box(masks[index]) for index in kept}
    ordered = sorted(kept, key=lambda index: _area(boxes[index]))  # alike in size, so that little is padded
    while ordered:
        most = len(ordered)
        while most > 1 and most * _padded([boxes[index] for index in ordered[:most]]) > _CHUNK_PIXELS:
            most -= 1
        chunk, ordered = ordered[:most], ordered[most:]
        found[chunk] = _of_chunk([(images[i], masks[i], boxes[i]) for i in chunk], spacing_mm, levels).cpu()
    return found


_Box = tuple[slice, slice]


def _box(mask: Tensor) -> _Box:
    rows, cols = (mask.any(axis).nonzero()[:, 0] for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _sides(box: _Box) -> tuple[int, int]:
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def _area(box: _Box) -> int:
    rows, cols = _sides(box)
    return rows * cols


def _padded(boxes: Sequence[_Box]) -> int:
    """Pixels of the least rectangle that holds each of them."""
    rows, cols = zip(*(_sides(box) for box in boxes), strict=True)
    return int(max(rows) * max(cols))


def _of_chunk(regions: Sequence[tuple[Tensor, Tensor, _Box]], spacing_mm: tuple[float, float], levels: int) -> Tensor:
    rows, cols = (max(side) for side in zip(*(_sides(box) for *_, box in regions), strict=True))

    def stacked(tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack([pad(one, (0, cols - one.shape[-1], 0, rows - one.shape[-2])) for one in tensors])

    mask = stacked([mask[box] for _, mask, box in regions])
    bands = stacked([sub_bands(image[None])[0][:, *box] for image, _, box in regions])  # beyond the box there is more to see
    pixel_mm2 = torch.full((len(regions),), spacing_mm[0] * spacing_mm[1], dtype=torch.float64, device=mask.device)
    found = [shape(mask, spacing_mm)]
    for band in bands.unbind(1):
        grey = to_levels(band, mask, levels)
        found += [
            first_order(band, grey, levels, pixel_mm2),
            co_occurrence(grey, levels),
            run_length(grey),
            size_zone(grey),
            tone_difference(grey, levels),
        ]
    return torch.cat(found, dim=1)
