"""Turning a radiograph's words into displayed values by a table, a few rows at a time, as fast as memory allows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scripts.radiograph.background import thin

_BLOCK: Final = 16  # rows at once: what is computed of them stays in the processor's cache
_FEW: Final = 32  # samples along a side, enough to see that a radiograph is not blank
_SAME: Final = 3e-7  # single precision near 1


class Scratch:
    """Memory for a few rows of a radiograph: allocated once and used again, so that it stays in the processor's cache.

    Args:
        rows: the most at once.
        cols: of the radiograph.
    """

    def __init__(self, rows: int, cols: int) -> None:
        self.values = np.empty((rows, cols), np.float32)
        self.index = np.empty((rows, cols), np.intp)


class MappedWords:
    """A radiograph's words and the table that tells what each is displayed as.

    A clipped straight line, as most windows are, is computed instead of looked up, which takes half the time.

    Args:
        table: (2^n,) float32 in 0..1, for the n lowest bits of a word: those above do not matter.
        words: (rows, cols) unsigned, of 8 or 16 bits, in any order in memory.
    """

    def __init__(self, table: NDArray[np.float32], words: NDArray[Any]) -> None:
        self.table, self.words = np.resize(table, 2 ** (8 * words.dtype.itemsize)), words
        self._line = _Line.longest(table)
        self.shape: tuple[int, int] = (words.shape[0], words.shape[1])

    def average(self, start: int, weights: NDArray[np.float32], scratch: Scratch, out: NDArray[np.float32]) -> None:
        """Fill `out` with weighted means of displayed rows.

        Args:
            start: the first radiograph row that is averaged.
            weights: (n, rows); each of the n sums to 1.
            scratch: for as many rows.
            out: (cols, n).
        """
        self._show(self.words[start : start + weights.shape[1]], scratch)
        np.matmul(scratch.values.T, weights.T, out=out)

    def is_one_value(self) -> bool:
        """Whether the whole displayed radiograph has one value."""
        some = self.table[thin(self.words, _FEW)]
        if some.min() < some.max():
            return False
        shown = self.shown()
        return bool(shown.min() == shown.max())

    def shown(self) -> NDArray[np.float32]:
        """Return the displayed values of the whole radiograph, (rows, cols)."""
        values = np.empty(self.shape, np.float32)
        scratch = Scratch(_BLOCK, self.shape[1])
        for start in range(0, self.shape[0], _BLOCK):
            words = self.words[start : start + _BLOCK]
            self._show(words, scratch)
            values[start : start + _BLOCK] = scratch.values[: len(words)]
        return values

    def _show(self, words: NDArray[Any], scratch: Scratch) -> None:
        values = scratch.values[: len(words)]
        if self._line is not None and self._line.covers(words):
            self._line.show(words, values)
            return
        index = scratch.index[: len(words)]
        np.copyto(index, words)
        np.take(self.table, index, out=values, mode="wrap")  # no word lies beyond the table: this mode is the fastest


class _Line:
    """A straight line, clipped to 0..1, that is a table's course from one word to another (both included)."""

    def __init__(self, slope: float, offset: float, first: int, last: int) -> None:
        self._slope, self._offset, self._first, self._last = np.float32(slope), np.float32(offset), first, last
        self._clips = any(not -_SAME <= slope * word + offset <= 1 + _SAME for word in (first, last))

    @staticmethod
    def longest(table: NDArray[np.float32]) -> _Line | None:
        """Return the line through the table's longest stretch inside 0..1, or None if that is not straight, or is level."""
        inner = np.flatnonzero((table > 0) & (table < 1))
        if not inner.size:
            return None
        gaps = np.flatnonzero(np.diff(inner) > 1)
        starts, stops = np.append(0, gaps + 1), np.append(gaps, inner.size - 1)
        longest = np.argmax(stops - starts)
        start, stop = int(inner[starts[longest]]), int(inner[stops[longest]])
        if table[stop] == table[start]:
            return None
        slope = (float(table[stop]) - float(table[start])) / (stop - start)
        offset = float(table[start]) - slope * start
        course = np.arange(len(table), dtype=np.float32) * np.float32(slope) + np.float32(offset)
        elsewhere = np.flatnonzero(np.abs(np.clip(course, 0.0, 1.0) - table) > _SAME)
        before, after = elsewhere[elsewhere < start], elsewhere[elsewhere > start]
        last = int(after[0]) - 1 if after.size else len(table) - 1
        return _Line(slope, offset, int(before[-1]) + 1 if before.size else 0, last) if last >= stop else None

    def covers(self, words: NDArray[Any]) -> bool:
        """Whether all words lie on the line."""
        return bool(words.max() <= self._last and (not self._first or words.min() >= self._first))

    def show(self, words: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Fill `out` with the line's value at each word."""
        np.copyto(out, words)
        out *= self._slope
        out += self._offset
        if self._clips:
            np.clip(out, 0.0, 1.0, out=out)
