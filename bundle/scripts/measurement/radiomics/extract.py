"""All radiomic features of a region: 14 of its shape, 79 of the grey values of the radiograph and of each wavelet sub-band."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from scripts.measurement.radiomics.wavelet import IMAGES, MARGIN, sub_bands

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
_FEWEST_ROWS: Final = 4
_DIRECTIONS: Final = 4
_CHUNK_NUMBERS: Final = 2_000_000
"""Pixels, or entries of matrices, that are computed at once; more would take more memory, and no less time."""


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
        (N, 330) float64; NaN for a region of fewer than 16 pixels, or with a grey value in its box, or up to 3 pixels beside it,
        that is not finite.

    Raises:
        ValueError: when there are not as many masks as images, an image has another shape than its mask or is below 4 pixels a
            side, or ``levels`` is below 2.
    """
    if len(images) != len(masks) or levels < 2:
        raise ValueError(
            f"{len(images)} images, {len(masks)} masks, {levels} levels; expected as many masks, and 2 or more levels."
        )
    for image, mask in zip(images, masks, strict=True):
        if image.shape != mask.shape or image.ndim != 2 or min(image.shape) < _FEWEST_ROWS:
            raise ValueError(f"An image {tuple(image.shape)} has a mask {tuple(mask.shape)}; expected the same, 4 x 4 or more.")
    found = torch.full((len(images), len(NAMES)), torch.nan, dtype=torch.float64)
    regions = [
        (index, region)
        for index, (image, mask) in enumerate(zip(images, masks, strict=True))
        if int(mask.sum()) >= _FEWEST_PIXELS and (region := _cut(image, mask))[0].isfinite().all()
    ]
    regions.sort(key=lambda one: one[1][1].numel())  # alike in size, so that little is padded
    for chunk in _chunks(regions, levels):
        places, cut = zip(*chunk, strict=True)
        found[list(places)] = _of_chunk(cut, spacing_mm, levels).cpu()
    return found


Region = tuple[Tensor, Tensor]
"""The bands (4, h, w) and the mask (h, w) of the box round a region."""


def _cut(image: Tensor, mask: Tensor) -> Region:
    """The sub-bands see what lies beside the box; only the image's own edges are mirrored."""
    rows, cols = (mask.any(axis).nonzero()[:, 0] for axis in (1, 0))
    box = [(int(one[0]), int(one[-1]) + 1) for one in (rows, cols)]
    wide = [(max(0, first - MARGIN), min(size, last + MARGIN)) for (first, last), size in zip(box, image.shape, strict=True)]
    bands = sub_bands(image[wide[0][0] : wide[0][1], wide[1][0] : wide[1][1]].double()[None])[0]
    inner = [slice(ends[0] - outer[0], ends[1] - outer[0]) for ends, outer in zip(box, wide, strict=True)]
    return bands[:, inner[0], inner[1]].clone(), mask[box[0][0] : box[0][1], box[1][0] : box[1][1]]


def _chunks(regions: Sequence[tuple[int, Region]], levels: int) -> Iterator[list[tuple[int, Region]]]:
    """Parts of so many that they fit into memory together."""
    chunk: list[tuple[int, Region]] = []
    rows = cols = 0
    for one in regions:
        height, width = one[1][1].shape
        rows, cols = max(rows, height), max(cols, width)
        if chunk and (len(chunk) + 1) * max(rows * cols, _DIRECTIONS * levels**2) > _CHUNK_NUMBERS:
            yield chunk
            chunk, rows, cols = [], height, width
        chunk.append(one)
    if chunk:
        yield chunk


def _of_chunk(regions: Sequence[Region], spacing_mm: tuple[float, float], levels: int) -> Tensor:
    rows, cols = (max(side) for side in zip(*(mask.shape for _, mask in regions), strict=True))

    def stacked(tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack([pad(one, (0, cols - one.shape[-1], 0, rows - one.shape[-2])) for one in tensors])

    mask, bands = stacked([mask for _, mask in regions]), stacked([bands for bands, _ in regions])
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
