"""Turning a film's words into displayed values by a table, a few rows at a time, as fast as memory allows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.radiograph.background import coarse

_BLOCK: Final = 16  # rows at once: what is computed of them stays in the processor's cache
_SAME: Final = 3e-7  # single precision near 1


class MappedWords:
    """A film's words and the table that tells what each is displayed as.

    A clipped straight line, as most windows are, is computed instead of looked up, which takes a third of the time.

    Args:
        table: (2^8 or 2^16,) float32 in 0..1.
        words: (rows, cols) unsigned, of 8 or 16 bits, in any order in memory.
    """

    def __init__(self, table: NDArray[np.float32], words: NDArray[Any]) -> None:
        self.table, self.words = table, words
        self.shape: tuple[int, int] = (words.shape[0], words.shape[1])
        self._line = _Line.longest(table)

    def show(self, start: int, out: NDArray[np.float32]) -> None:
        """Fill `out` (n, cols) with the displayed values of n rows from `start` on."""
        words = self.words[start : start + len(out)]
        line = self._line
        if line is not None:
            low, high = int(words.min()), int(words.max())
            if line.first <= low and high <= line.last:
                line.show(words, low, high, out)
                return
        np.take(self.table, words.astype(np.intp), out=out, mode="clip")

    def sample(self) -> NDArray[np.float32]:
        """Return the displayed film, thinned by `coarse`."""
        return self.table[coarse(self.words)]

    def shown(self) -> NDArray[np.float32]:
        """Return the displayed values of the whole film, (rows, cols)."""
        values = np.empty(self.shape, np.float32)
        for start in range(0, self.shape[0], _BLOCK):
            self.show(start, values[start : start + _BLOCK])
        return values


class _Line:
    """A straight line, clipped to 0..1, that is a table's course from one word to another (both included)."""

    def __init__(self, slope: np.float32, offset: np.float32, first: int, last: int) -> None:
        self.slope, self.offset, self.first, self.last = slope, offset, first, last

    @staticmethod
    def longest(table: NDArray[np.float32]) -> _Line | None:
        """Return the line through the table's longest stretch inside 0..1, or None if that is not straight."""
        inner = np.flatnonzero((table > 0) & (table < 1))
        if inner.size < 2:
            return None
        ends = np.flatnonzero(np.diff(inner) > 1)
        starts, stops = np.append(0, ends + 1), np.append(ends, inner.size - 1)
        longest = np.argmax(stops - starts)
        start, stop = int(inner[starts[longest]]), int(inner[stops[longest]])
        if stop == start:
            return None
        slope = (float(table[stop]) - float(table[start])) / (stop - start)
        offset = float(table[start]) - slope * start
        course = np.arange(len(table), dtype=np.float32) * np.float32(slope) + np.float32(offset)
        other = np.flatnonzero(np.abs(np.clip(course, 0.0, 1.0) - table) > _SAME)
        after = int(np.searchsorted(other, start))
        if after < other.size and other[after] <= stop:
            return None
        first = int(other[after - 1]) + 1 if after else 0
        last = int(other[after]) - 1 if after < other.size else len(table) - 1
        return _Line(np.float32(slope), np.float32(offset), first, last)

    def show(self, words: NDArray[Any], low: int, high: int, out: NDArray[np.float32]) -> None:
        """Fill `out` with the line's value at each of `words`, whose least and largest are `low` and `high`."""
        np.copyto(out, words)
        out *= self.slope
        out += self.offset
        ends = np.array([low, high], np.float32) * self.slope + self.offset
        if ends.min() < 0 or ends.max() > 1:
            np.clip(out, 0.0, 1.0, out=out)
