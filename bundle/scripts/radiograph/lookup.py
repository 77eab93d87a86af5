"""The look-up tables of a DICOM header."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from scripts.radiograph.elements import items, numbers, quoted, stated, value


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


def read_lookup(header: Dataset, keyword: str, signed: bool) -> tuple[Lookup | None, list[str]]:
    """Return the first look-up table of a sequence that can be used, and what had to be assumed.

    Args:
        header: a DICOM data set.
        keyword: of the sequence.
        signed: whether the table's input may be negative: its first value is then meant so, whatever it was written as.

    Returns:
        The table, or None if there is none, or none that is complete; and sentences on what was passed over or repaired.
    """
    found = value(header, keyword)
    several = items(header, keyword)
    if found is not None and not several and stated(header, keyword):
        return None, [f"{keyword} in the header is no sequence of tables, so it was not used."]
    notes = []
    for place, item in enumerate(several, 1):
        table, note = _read_item(header, item, f"{keyword} {place} in the header", signed)
        if note:
            notes.append(note)
        if table is not None:
            if len(several) > 1:
                notes.append(f"Of several tables of {keyword} the first {'' if place == 1 else 'usable one '}was used.")
            return table, notes
    return None, notes


def _read_item(header: Dataset, item: Dataset, name: str, signed: bool) -> tuple[Lookup | None, str]:
    """Return a table, or None, and what is wrong with it ("" if nothing)."""
    parts, data = numbers(item, "LUTDescriptor"), value(item, "LUTData")
    described = f"LUTDescriptor {quoted(item, 'LUTDescriptor')}" if stated(item, "LUTDescriptor") else "no LUTDescriptor"
    if data is None or (not isinstance(data, bytes) and not np.size(np.asarray(data))):
        return None, f"{name} has no LUTData ({described}), so it was not used."
    if len(parts) not in (2, 3):
        return None, f"{name} has {described}, where three numbers are expected, so it was not used."
    count, first = (int(part) for part in parts[:2])
    bits = int(parts[2]) if len(parts) == 3 else 0
    count = count % 65536 or 65536  # 0 stands for 65536, which has 17 bits; a negative one was read as signed
    if signed and first >= 32768:
        first -= 65536
    elif not signed and first < 0:
        first += 65536
    if isinstance(data, bytes):
        # 8-bit entries may be packed, one to a byte.
        little = header.original_encoding[1] is not False
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * count else "<u2" if little else ">u2")
    there = np.atleast_1d(np.asarray(data, dtype=np.float64))
    entries = np.where(there < 0, there + 65536, there)[:count]  # negative ones were read as signed
    if not entries.size:
        return None, f"{name} has no LUTData ({described}), so it was not used."
    if entries.min() == entries.max():
        return None, f"{name} makes all values one ({described}), so it was not used."
    # Some devices write more bits than the descriptor says, or none.
    largest = 2.0**bits - 1 if 1 <= bits <= 16 else 1.0
    while entries.max() > largest:
        largest = 2 * largest + 1
    wrong = []
    if largest != 2.0**bits - 1:
        wrong.append(f"its entries fill {math.log2(largest + 1):.0f} bits")
    if not len(there) - 1 <= count <= len(there):  # one byte more may fill up a word
        wrong.append(f"it holds {len(there)} entries")
    note = f"{name} has {described}, but {' and '.join(wrong)}: it was read so." if wrong else ""
    return Lookup(first, entries, largest), note
