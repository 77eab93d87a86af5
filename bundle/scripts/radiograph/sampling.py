"""Between the radiograph's own grid and the network's: area-correct resampling, and the same map for points and masks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scripts.radiograph.mapping import MappedWords, Scratch

_ROWS: Final = 8  # new rows of one small dense product
_STRIP: Final = 8 * _ROWS  # new rows that are kept in the processor's cache until their columns are averaged

Scale = tuple[float, float]
"""Radiograph pixels per resampled pixel, along (rows, cols): radiograph = (resampled + 0.5) * scale - 0.5."""


def choose_grid(shape: tuple[int, int], scale: Scale) -> tuple[tuple[int, int], Scale]:
    """Choose the grid of about `scale` radiograph pixels per new pixel that covers the radiograph exactly.

    Args:
        shape: rows and columns of the radiograph.
        scale: the wanted radiograph pixels per new pixel.

    Returns:
        Rows and columns of the new grid (at least 1), and its exact scale: off by at most half a new pixel in the whole
        length, so that the two grids' outer edges coincide and enlarging a result to the radiograph's size needs no offset.
    """
    rows, cols = (max(1, round(length / factor)) for length, factor in zip(shape, scale, strict=True))
    return (rows, cols), (shape[0] / rows, shape[1] / cols)


def resample(image: NDArray[Any] | MappedWords, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image on another grid over the same field.

    Shrinking averages over each new pixel's exact area (so the mean density of a region is kept, and noise does not
    alias). Enlarging interpolates linearly. Two threads take the upper and the lower half, strip by strip, so that a strip is
    displayed and averaged while it is in the processor's cache.

    Args:
        image: (rows, cols).
        shape: the new rows and columns.

    Returns:
        float32 of that shape.
    """
    down, across = _Bands(image.shape[0], shape[0], _ROWS), _sparse(image.shape[1], shape[1])
    result = np.empty(shape, np.float32)

    def fill(tops: range) -> None:
        scratch = Scratch(down.width, image.shape[1])
        strip = np.empty((image.shape[1], _STRIP), np.float32)
        for top in tops:
            out = result[top : top + _STRIP]
            for start in range(top, top + len(out), _ROWS):
                first, weights = down.of(start)
                means = strip[:, start - top : start - top + len(weights)]
                if isinstance(image, MappedWords):
                    image.average(first, weights, scratch, means)
                else:
                    np.copyto(scratch.values, image[first : first + down.width], casting="unsafe")
                    np.matmul(scratch.values.T, weights.T, out=means)
            out[:] = (across @ strip[:, : len(out)]).T

    tops = range(0, shape[0], _STRIP)
    half = (len(tops) + 1) // 2
    with ThreadPoolExecutor(1) as other:
        lower = other.submit(fill, tops[half:])
        fill(tops[:half])
        lower.result()
    return result


def resample_nearest(labels: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Return labels (rows, cols) on another grid over the same field; each new pixel is the label at its centre."""
    index = [((np.arange(new) + 0.5) * (old / new)).astype(int) for old, new in zip(labels.shape, shape, strict=True)]
    return labels[np.ix_(*index)]


def to_resampled_points(points: NDArray[Any], scale: Scale) -> NDArray[np.float64]:
    """Return points (..., 2), (row, col) in radiograph pixels, in resampled pixels. NaN stays NaN."""
    return (np.asarray(points, np.float64) + 0.5) / np.asarray(scale) - 0.5


def to_displayed_points(points: NDArray[Any], scale: Scale) -> NDArray[np.float64]:
    """Return points (..., 2), (row, col) in resampled pixels, in pixels of the displayed radiograph. NaN stays NaN."""
    return (np.asarray(points, np.float64) + 0.5) * np.asarray(scale) - 0.5


def _sparse(old: int, new: int) -> csr_array:
    """Return what resamples one axis, as a matrix (new, old)."""
    columns, weights = _weights(old, new)
    return csr_array((weights.ravel(), columns.ravel(), np.arange(0, columns.size + 1, columns.shape[1])), shape=(new, old))


class _Bands:
    """What resamples one axis, as small dense matrices: one for each few new pixels, over the old ones that they touch.

    Args:
        old: length of the axis.
        new: its new length.
        block: new pixels of one matrix.
    """

    def __init__(self, old: int, new: int, block: int) -> None:
        columns, weights = _weights(old, new)
        firsts, lasts = columns[::block, 0], columns[np.append(np.arange(block, new, block), new) - 1, -1]
        self.width = int((lasts - firsts).max()) + 1
        self._block, self._firsts = block, np.minimum(firsts, old - self.width)
        self._dense = np.zeros((new, self.width), np.float32)
        np.add.at(self._dense, (np.arange(new)[:, None], columns - np.repeat(self._firsts, block)[:new, None]), weights)

    def of(self, start: int) -> tuple[int, NDArray[np.float32]]:
        """Return the first old pixel, and the weights (block or fewer, width), of the new pixels from `start` on."""
        return int(self._firsts[start // self._block]), self._dense[start : start + self._block]


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
