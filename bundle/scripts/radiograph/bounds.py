"""How large a file may be before it counts as damage or an attack, and inflating compressed data within that."""

from __future__ import annotations

import zlib
from typing import Final

from scripts.clinical import Code, Reason, RefusedError

LARGEST_FILE_BYTES: Final = 256 << 20
"""Of one file, also after inflating: `LARGEST_PIXELS` in three 8-bit colours take 192 MB."""

LARGEST_HEADER_BYTES: Final = 64 << 20
"""Of everything before the pixels of a DICOM file. One overlay of the largest radiograph takes 8 MB."""

LARGEST_PIXELS: Final = 64_000_000
"""Of one radiograph: a 43 x 43 cm detector at 0.1 mm has 18.5 million, a stitched 43 x 130 cm radiograph 56 million."""


def too_large(what: str, found: str, limit: str) -> RefusedError:
    """Return the refusal of something beyond a bound, such as ("The file", "300 MiB", "256 MiB")."""
    sentence = (
        f"{what} has {found}, but a radiograph has at most {limit}, beyond which a file is damaged or hostile; "
        "it was not analysed. Export the original radiograph."
    )
    return RefusedError(Reason(Code.TOO_LARGE, sentence))


def admit_file_size(size: int) -> None:
    """Refuse a file of more than `LARGEST_FILE_BYTES`, as TOO_LARGE."""
    if size > LARGEST_FILE_BYTES:
        raise too_large("The file", f"{size / 2**20:.0f} MiB", f"{LARGEST_FILE_BYTES >> 20} MiB")


def admit_unpacked_size(size: int) -> None:
    """Refuse a file that unpacks to more than `LARGEST_FILE_BYTES`, as TOO_LARGE."""
    if size > LARGEST_FILE_BYTES:
        limit = f"{LARGEST_FILE_BYTES >> 20} MiB"
        raise too_large("The unpacked file", f"more than {limit}", limit)


def inflate(compressed: bytes) -> bytes:
    """Inflate raw deflated data, never holding more than `LARGEST_FILE_BYTES` of them.

    Args:
        compressed: deflated data; bytes after its end are ignored.

    Raises:
        RefusedError: TOO_LARGE, if the data inflate to more than that.
        zlib.error: if they are damaged.
    """
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    whole = engine.decompress(compressed, LARGEST_FILE_BYTES)
    if engine.unconsumed_tail and not engine.eof:
        limit = f"{LARGEST_FILE_BYTES >> 20} MiB"
        raise too_large("The inflated file", f"more than {limit}", limit)
    return whole
