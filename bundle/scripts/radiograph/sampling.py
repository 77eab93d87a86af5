"""Between the film's own grid and the network's: area-correct resampling, and the same map for points and masks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_BLOCK: Final = 16  # new columns at once

Scale = tuple[float, float]
"""Film pixels per resampled pixel, along (rows, cols): film = (resampled + 0.5) * scale - 0.5."""


def covering_grid(shape: tuple[int, int], scale: Scale) -> tuple[tuple[int, int], Scale]:
    """Choose the grid of about `scale` film pixels per new pixel that covers the film exactly.

    Args:
        shape: rows and columns of the film.
        scale: the wanted film pixels per new pixel.

    Returns:
        Rows and columns of the new grid (at least 1), and its exact scale: off by at most half a new pixel in the whole
        length, so that the two grids' outer edges coincide and enlarging a result to the film's size needs no offset.
    """
    rows, cols = (max(1, round(length / factor)) for length, factor in zip(shape, scale, strict=True))
    return (rows, cols), (shape[0] / rows, shape[1] / cols)


def resample(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image on another grid over the same field.

    Shrinking averages over each new pixel's exact area (so the mean density of a region is kept, and noise does not
    alias); enlarging interpolates linearly.

    Args:
        image: (rows, cols).
        shape: the new rows and columns.

    Returns:
        float32 of that shape.
    """
    columns, weights = _weights(image.shape[0], shape[0])
    starts = np.arange(0, columns.size + 1, columns.shape[1])
    rows = csr_array((weights.ravel(), columns.ravel(), starts), shape=(shape[0], image.shape[0]))
    return _across(rows @ image.astype(np.float32, copy=False), shape[1])


def resample_nearest(labels: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Return labels (rows, cols) on another grid over the same field; each new pixel is the label at its centre."""
    index = [((np.arange(new) + 0.5) * (old / new)).astype(int) for old, new in zip(labels.shape, shape, strict=True)]
    return labels[np.ix_(*index)]


def to_resampled_points(points: NDArray[Any], scale: Scale) -> NDArray[np.float64]:
    """Return points (..., 2), (row, col) in film pixels, in resampled pixels. NaN stays NaN."""
    return (np.asarray(points, np.float64) + 0.5) / np.asarray(scale) - 0.5


def to_film_points(points: NDArray[Any], scale: Scale) -> NDArray[np.float64]:
    """Return points (..., 2), (row, col) in resampled pixels, in pixels of the displayed film. NaN stays NaN."""
    return (np.asarray(points, np.float64) + 0.5) * np.asarray(scale) - 0.5


def _across(image: NDArray[np.float32], new: int) -> NDArray[np.float32]:
    """Resample the columns of (rows, old) to (rows, new), a few at a time as small dense products: without transposing."""
    columns, weights = _weights(image.shape[1], new)
    result = np.empty((image.shape[0], new), np.float32)
    for start in range(0, new, _BLOCK):
        block = slice(start, min(start + _BLOCK, new))
        first, last = columns[block].min(), columns[block].max()
        dense = np.zeros((last + 1 - first, block.stop - start), np.float32)
        np.add.at(dense, (columns[block] - first, np.arange(block.stop - start)[:, None]), weights[block])
        np.matmul(image[:, first : last + 1], dense, out=result[:, block])
    return result


def _weights(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return what resamples one axis: for each new pixel the old pixels (new, taps) and their weights, which sum to 1."""
    scale = old / new
    if scale > 1:
        # The overlap of each new pixel's extent with that of each old pixel it touches.
        starts = np.arange(new) * scale
        columns = np.floor(starts).astype(np.intp)[:, None] + np.arange(int(np.ceil(scale)) + 1)
        overlap = np.minimum(columns + 1, starts[:, None] + scale) - np.maximum(columns, starts[:, None])
        values = np.where(columns < old, np.maximum(overlap, 0.0), 0.0)
    else:
        centres = np.clip((np.arange(new) + 0.5) * scale - 0.5, 0, old - 1)
        first = np.floor(centres).astype(np.intp)
        columns = np.stack([first, first + 1], axis=1)
        values = np.stack([first + 1 - centres, centres - first], axis=1)
    values /= values.sum(axis=1, keepdims=True)
    return np.minimum(columns, old - 1), values.astype(np.float32)
