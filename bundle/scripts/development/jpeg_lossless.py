"""Encoding a radiograph as JPEG lossless, which hospitals archive in and no library of the bundle can write."""

import struct

import numpy as np

_CATEGORIES = 17  # of differences, by their number of bits: 0 to 16
_CODE_BITS = 5  # enough for 17 codes of one length, none of them all ones


def encode_jpeg_lossless(pixels: np.ndarray, bits: int) -> bytes:
    """Return a JPEG lossless codestream with first-order prediction and a flat Huffman code.

    ISO/IEC 10918-1 annex H, process 14, selection value 1: DICOM transfer syntaxes 1.2.840.10008.1.2.4.57 and .70.

    Args:
        pixels: (rows, cols) unsigned integers.
        bits: precision, 2 to 16.
    """
    values = pixels.astype(np.int32)
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << (bits - 1)
    differences = (values - predicted + 32768) % 65536 - 32768
    packed = np.packbits(np.concatenate([_bits(row) for row in np.array_split(differences, max(1, len(pixels) // 32))]))
    # The last byte is filled with ones; a byte of ones is followed by an empty one.
    unused = -int(np.sum(_lengths(differences))) % 8
    packed[-1] |= (1 << unused) - 1
    entropy = packed.tobytes().replace(b"\xff", b"\xff\x00")

    frame = struct.pack(">HBHHBBBB", 11, bits, *pixels.shape, 1, 1, 0x11, 0)
    counts = [_CATEGORIES if length == _CODE_BITS else 0 for length in range(1, 17)]
    table = struct.pack(">HB16B", 19 + _CATEGORIES, 0, *counts) + bytes(range(_CATEGORIES))
    scan = struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 0, 0)
    return b"\xff\xd8\xff\xc3" + frame + b"\xff\xc4" + table + b"\xff\xda" + scan + entropy + b"\xff\xd9"


def _categories(differences: np.ndarray) -> np.ndarray:
    # The exponent of a whole number is its number of bits.
    return np.frexp(np.abs(differences).astype(np.float64))[1].astype(np.int64)


def _lengths(differences: np.ndarray) -> np.ndarray:
    return _CODE_BITS + _categories(differences)


def _bits(differences: np.ndarray) -> np.ndarray:
    """Return the code's bits, one to a byte: of each difference its category, then its lowest bits (one less if negative)."""
    flat = differences.ravel().astype(np.int64)
    category = _categories(flat)
    codes = (category << category) | ((flat - (flat < 0)) & ((1 << category) - 1))
    lengths = category + _CODE_BITS
    which = np.repeat(np.arange(len(flat)), lengths)
    from_right = np.repeat(np.cumsum(lengths), lengths) - 1 - np.arange(len(which))
    return ((codes[which] >> from_right) & 1).astype(np.uint8)
