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
        table: (2^n,) float32 in 0..1, for the n lowest bits of a word: those above do not matter.
        words: (rows, cols) unsigned, of 8 or 16 bits, in any order in memory.
    """

    def __init__(self, table: NDArray[np.float32], words: NDArray[Any]) -> None:
        self.table, self.words = np.resize(table, 2 ** (8 * words.dtype.itemsize)), words
        self.shape: tuple[int, int] = (words.shape[0], words.shape[1])
        self._line = _Line.longest(table)

    def average(self, start: int, weights: NDArray[np.float32], film: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Fill `out` with weighted means of displayed rows.

        Args:
            start: the first film row that is averaged.
            weights: (n, rows); each of the n sums to 1.
            film: (rows, cols), whose content is lost: so the same memory, once in the processor's cache, serves all calls.
            out: (n, cols).
        """
        words = self.words[start : start + len(film)]
        if self._line is not None and self._line.covers(words):
            self._line.average(words, weights, film, out)
        else:
            np.matmul(weights, self._looked_up(words, film), out=out)

    def sample(self) -> NDArray[np.float32]:
        """Return the displayed film, thinned by `coarse`."""
        return self.table[coarse(self.words)]

    def shown(self) -> NDArray[np.float32]:
        """Return the displayed values of the whole film, (rows, cols)."""
        values = np.empty(self.shape, np.float32)
        for start in range(0, self.shape[0], _BLOCK):
            words, out = self.words[start : start + _BLOCK], values[start : start + _BLOCK]
            if self._line is not None and self._line.covers(words):
                self._line.show(words, out)
            else:
                self._looked_up(words, out)
        return values

    def _looked_up(self, words: NDArray[Any], out: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.take(self.table, words.astype(np.intp), out=out, mode="clip")


class _Line:
    """A straight line, clipped to 0..1, that is a table's course from one word to another (both included)."""

    def __init__(self, slope: float, offset: float, first: int, last: int) -> None:
        self._slope, self._offset, self._first, self._last = np.float32(slope), np.float32(offset), first, last
        black, white = -offset / slope, (1.0 - offset) / slope
        self._ends = np.float32(min(black, white)), np.float32(max(black, white))
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

    def average(
        self, words: NDArray[Any], weights: NDArray[np.float32], film: NDArray[np.float32], out: NDArray[np.float32]
    ) -> None:
        """As `MappedWords.average`: the mean of a line's values is the line's value at the mean."""
        np.copyto(film, words)
        if self._clips:
            np.clip(film, *self._ends, out=film)
        np.matmul(weights * self._slope, film, out=out)
        out += self._offset

    def show(self, words: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Fill `out` with the line's value at each word."""
        np.copyto(out, words)
        out *= self._slope
        out += self._offset
        np.clip(out, 0.0, 1.0, out=out)
