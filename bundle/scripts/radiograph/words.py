"""Which bits of a stored word are the pixel's value, where header and pixels disagree on it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from scripts.clinical import Code, RefusedError
from scripts.radiograph.admission import refused
from scripts.radiograph.background import thin
from scripts.radiograph.elements import cited, number, plain_words, quoted, stated, value

_PHOTOMETRIC: Final = (
    *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"),
    *("YBR_ICT", "YBR_RCT"),
)


def settle_format(dataset: Dataset) -> list[str]:
    """Give the elements that say how pixels are stored the values by which these will be read.

    PhotometricInterpretation: its term, whatever its case and spaces. Missing or impossible: PixelRepresentation is 0 (unsigned),
    PlanarConfiguration 0 (by pixel), HighBit BitsStored - 1. Missing: SamplesPerPixel is 1, or 3 of a colour image.

    Args:
        dataset: after `repair_numbers`; changed in place.

    Returns:
        A sentence on each value that was there and is not the one by which the pixels are read, and on each that was needed and
        not there.

    Raises:
        RefusedError: UNREADABLE, if PhotometricInterpretation is missing or no term of DICOM.
    """
    notes = []
    said = stated(dataset, "PhotometricInterpretation")
    squeezed = plain_words(said).replace(" ", "")
    photometric = next((term for term in _PHOTOMETRIC if plain_words(term).replace(" ", "") == squeezed), "")
    if not photometric:
        raise unfit_photometric(dataset)
    if photometric != said:
        notes.append(f"{cited(dataset, 'PhotometricInterpretation')} was read as {photometric}.")
        dataset.PhotometricInterpretation = photometric
    coloured = photometric.startswith(("RGB", "YBR"))
    bits = int(dataset.BitsStored)
    expected = {
        **({} if stated(dataset, "SamplesPerPixel") else {"SamplesPerPixel": (1, 3)}),
        "PixelRepresentation": (0, 1),
        **({"PlanarConfiguration": (0, 1)} if coloured else {}),
        "HighBit": tuple(range(bits - 1, int(dataset.BitsAllocated))),
    }
    used = {"SamplesPerPixel": 3 if coloured else 1, "PixelRepresentation": 0, "PlanarConfiguration": 0, "HighBit": bits - 1}
    for keyword, allowed in expected.items():
        if number(value(dataset, keyword)) in allowed:
            continue
        found = f"{cited(dataset, keyword)} is impossible" if stated(dataset, keyword) else f"{keyword} is missing"
        notes.append(f"{found}: {used[keyword]} was used.")
        setattr(dataset, keyword, used[keyword])
    return notes


def unfit_photometric(dataset: Dataset) -> RefusedError:
    """Return the refusal of a file whose PhotometricInterpretation does not tell how its pixels are shown."""
    said = quoted(dataset, "PhotometricInterpretation") if stated(dataset, "PhotometricInterpretation") else "is missing or"
    return refused(
        Code.UNREADABLE,
        f"The file cannot be read as a radiograph: its PhotometricInterpretation {said} does not fit its pixels, MONOCHROME1 "
        "or MONOCHROME2 is expected; it was not analysed. Export it again.",
    )


def settle_words(dataset: Dataset, stored: NDArray[Any]) -> list[str]:
    """Where words show that they lie otherwise in their bits than the header says, make the header say so.

    HighBit may claim that values are shifted up although words are not (bits above the value are all 0, bits below it are not),
    or that they are not although words are. What lies beyond BitsStored is an overlay or garbage, unless the picture is smooth
    only with it.

    Args:
        dataset: after `settle_format`; changed in place.
        stored: (rows, cols) words as the device stored them.

    Returns:
        What was found.
    """
    bits, high, allocated = int(dataset.BitsStored), int(dataset.HighBit), 8 * stored.dtype.itemsize
    if bits == allocated:
        return []
    kind = f"u{stored.dtype.itemsize}"
    sample = np.ascontiguousarray(thin(stored)).astype(stored.dtype.newbyteorder("=")).view(kind).astype(np.int64)
    used, signed = int(np.bitwise_or.reduce(sample, axis=None)), dataset.PixelRepresentation == 1
    room = allocated - bits
    low = used & ((1 << room) - 1)  # bits that words shifted to the top leave free
    beyond = sample >> (bits - 1 if signed else bits)
    extended = (beyond == 0) | (beyond == (1 << (room + 1)) - 1 if signed else False)
    highest = high
    if high >= bits and used & ((1 << (high + 1 - bits)) - 1) and extended.all():
        highest = bits - 1
    elif high == bits - 1 and not signed and not low and used >> (bits - 1) == (1 << (room + 1)) - 1:
        highest = allocated - 1
    if highest != high:
        dataset.HighBit = highest
        return [f"HighBit {high} in the header contradicts the pixels, whose highest bit is {highest}, which was used."]
    if signed or high != bits - 1 or not used >> bits:
        return []
    needed = used.bit_length()
    inside = sample & ((1 << bits) - 1)
    if _roughness(sample) < _roughness(inside):
        dataset.BitsStored, dataset.HighBit = needed, needed - 1
        return [f"The pixels have {needed} bits, BitsStored in the header says {bits}: {needed} were read."]
    return [f"The pixels have bits beyond BitsStored {bits}: these were taken for overlays and left out."]


def settle_values(dataset: Dataset, stored: NDArray[Any]) -> list[str]:
    """Raise BitsStored to what a codec's values need, and say so; the codec knows their bits better than the header.

    Args:
        dataset: changed in place; HighBit too, since a codec gives values and no words.
        stored: (rows, cols) values.
    """
    largest = max(int(stored.max()), -1 - int(stored.min())) if stored.size else 0
    needed = largest.bit_length() + (stored.dtype.kind == "i")
    high, dataset.HighBit = int(dataset.HighBit), int(dataset.BitsStored) - 1
    notes = []
    if high != dataset.HighBit:
        notes.append(f"HighBit {high} in the header is impossible of compressed pixels: {dataset.HighBit} was used.")
    if needed <= int(dataset.BitsStored) or stored.dtype.kind == "i":
        return notes
    found, dataset.BitsStored, dataset.HighBit = dataset.BitsStored, needed, needed - 1
    return [*notes, f"The compressed pixels have {needed} bits, BitsStored in the header says {found}: {needed} were read."]


def _roughness(values: NDArray[np.int64]) -> float:
    """Return how much values differ from their neighbours, summed over the picture."""
    return float(np.abs(np.diff(values, axis=0)).sum() + np.abs(np.diff(values, axis=1)).sum())
