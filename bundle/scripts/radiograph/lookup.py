"""The look-up tables of a DICOM header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from scripts.radiograph.elements import items, numbers, value


@dataclass(frozen=True)
class Lookup:
    """A modality or VOI LUT (DICOM PS3.3 C.11.1.1.1 and C.11.2.1.1).

    Not pydicom's own: that wraps indices above 255 in a table of 8-bit output (pydicom 3.0.2), and knows no packed bytes.

    first: the input value of the first entry; entries: (n,) outputs; largest: possible output.
    """

    first: int
    entries: NDArray[np.float64]
    largest: float

    def of(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the output for each value; below the first and above the last entry, those entries."""
        index = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[index.astype(np.int64)]


def read_lookup(header: Dataset, keyword: str, signed: bool) -> Lookup | None:
    """Return the first look-up table of a sequence, or None if there is none or it is incomplete.

    Args:
        header: a DICOM data set.
        keyword: of the sequence.
        signed: whether the table's input may be negative: its first value is then meant so, whatever it was written as.
    """
    item = next(iter(items(header, keyword)), None)
    if item is None:
        return None
    parts, data = numbers(item, "LUTDescriptor"), value(item, "LUTData")
    if data is None or len(parts) != 3 or not 1 <= parts[2] <= 16:
        return None
    count, first, bits = (int(part) for part in parts)
    count = count % 65536 or 65536  # 0 stands for 65536, which has 17 bits; a negative one was read as signed
    if signed and first >= 32768:
        first -= 65536
    elif not signed and first < 0:
        first += 65536
    if isinstance(data, bytes):
        # 8-bit entries may be packed, one to a byte.
        little = header.original_encoding[1] is not False
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * count else "<u2" if little else ">u2")
    entries = np.atleast_1d(np.asarray(data, dtype=np.float64))[:count]
    entries = np.where(entries < 0, entries + 65536, entries)  # read as signed
    # Some devices write more bits than the descriptor says.
    largest = 2.0**bits - 1
    while entries.size and entries.max() > largest:
        largest = 2 * largest + 1
    return Lookup(first, entries, largest) if entries.size else None
