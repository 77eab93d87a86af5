"""The size that a compressed image claims inside its own data, read without decoding it."""

from __future__ import annotations

import struct
from typing import Final

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

_JPEG2000: Final = b"\xff\x4f\xff\x51"  # start of codestream and its size segment
_WITHIN: Final = 4096  # bytes: the boxes of a JP2 file before its codestream

_FRAMES: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG or JPEG-LS frame header: SOF0 to SOF15 without tables, and SOF55."""

_SYNTAXES: Final = {
    0xC0: (JPEGBaseline8Bit, JPEGExtended12Bit),
    0xC1: (JPEGExtended12Bit, JPEGBaseline8Bit),
    0xC3: (JPEGLossless, JPEGLosslessSV1),
    0xF7: (JPEGLSLossless, JPEGLSNearLossless),
}
"""Transfer syntaxes of the frames that begin with these markers."""


def recognise(data: bytes) -> tuple[UID, ...] | None:
    """Return the transfer syntaxes that a compressed frame may have, the likeliest first, or None where it shows none."""
    start = data[:_WITHIN].find(_JPEG2000)
    if start >= 0 and data[:2] != b"\xff\xd8":
        # High-throughput streams say so in the capabilities that follow the sizes.
        after = start + 4 + int.from_bytes(data[start + 4 : start + 6], "big")
        if data[after : after + 2] == b"\xff\x50":
            return HTJ2KLossless, HTJ2K, HTJ2KLosslessRPCL
        return JPEG2000Lossless, JPEG2000
    if data[:2] == b"\xff\xd8":
        frame = _find_frame(data)
        return None if frame is None else _SYNTAXES.get(data[frame + 1])
    segments, first = struct.unpack("<II", data[:8]) if len(data) >= 64 else (0, 0)
    return (RLELossless,) if 1 <= segments <= 15 and first == 64 else None


def read_claimed_shape(data: bytes) -> tuple[int, int, int] | None:
    """Return (rows, cols, channels) as the header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream gives them.

    Returns:
        None where there is no such header. (ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2, 15444-1 A.5.1)
    """
    start = data[:_WITHIN].find(_JPEG2000)
    if start >= 0 and data[:2] != b"\xff\xd8":
        segment = data[start + 8 : start + 42]
        if len(segment) < 34:
            return None
        width, height, left, top, *_tiles, channels = struct.unpack(">8IH", segment)
        return height - top, width - left, channels
    frame = _find_frame(data)
    if frame is None:
        return None
    rows, cols, channels = struct.unpack(">HHB", data[frame + 5 : frame + 10])
    return rows, cols, channels


def _find_frame(data: bytes) -> int | None:
    """Return where the frame header of a JPEG or JPEG-LS stream begins, or None if it has none."""
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _FRAMES:
            return place
        # A marker may be preceded by fill bytes, and those without a segment have no length.
        place += 1 if marker == 0xFF else 2
        if marker != 0xFF and marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            place += struct.unpack(">H", data[place : place + 2])[0]
    return None
