"""From stored pixel values to what a viewer displays: modality LUT, VOI window or LUT, and which end of it is white."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_rescale, apply_windowing

from scripts.clinical import Code, Reason, RefusedError
from scripts.radiograph.geometry import number

Array = NDArray[Any]


def display_values(header: Dataset, stored: Array) -> tuple[NDArray[np.float32], list[str]]:
    """Return what is displayed, 0 (black) to 1 (white, so dense bone), of a monochrome image.

    The whole chain is computed once per possible stored value, not per pixel: exact, and fast on a large film.

    Args:
        header: a DICOM data set with the pixel, modality LUT and VOI LUT attributes.
        stored: (rows, cols) integers, as decoded.

    Returns:
        (rows, cols) in 0..1, where the display range maps to 0..1; and what had to be assumed.
    """
    low, high = int(stored.min()), int(stored.max())
    possible = np.arange(low, high + 1)
    values, floor, ceiling = _after_modality(header, possible)
    shown, notes = _after_voi(header, values, floor, ceiling)

    photometric, shape = header.PhotometricInterpretation, header.get("PresentationLUTShape")
    # A DX image says MONOCHROME1 and INVERSE together for one and the same inversion (DICOM PS3.3 C.8.11.3).
    inverted = photometric == "MONOCHROME1" or shape == "INVERSE"
    if (photometric, shape) in (("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")):
        notes.append(f"{photometric} contradicts PresentationLUTShape {shape}: the film was read inverted.")
    table = np.clip(1.0 - shown if inverted else shown, 0.0, 1.0)

    padding = number(header.get("PixelPaddingValue"))
    if padding is not None:
        limit = number(header.get("PixelPaddingRangeLimit"))
        first, last = sorted((padding, padding if limit is None else limit))
        table[(possible >= first) & (possible <= last)] = 0.0
    return table.astype(np.float32)[stored.astype(np.int32) - low], notes


def grey(colour: Array) -> Array:
    """Return the one channel of a grey image stored in colour.

    Args:
        colour: (rows, cols, 3 or more) integers; the first three channels are red, green and blue.

    Raises:
        RefusedError: NOT_A_RADIOGRAPH, if more than 0.5% of the pixels are coloured (a small annotation is tolerated).
    """
    sample = colour[::4, ::4, :3].astype(np.float64)
    full = np.iinfo(colour.dtype).max if np.issubdtype(colour.dtype, np.integer) else 1.0
    if np.mean(np.ptp(sample, axis=-1) > 0.08 * full) > 0.005:
        sentence = (
            "The image is in colour, but a radiograph is grey; it was not analysed. "
            "Export the radiograph itself, not a photograph or a coloured screenshot of it."
        )
        raise RefusedError(Reason(Code.NOT_A_RADIOGRAPH, sentence))
    return colour[..., 1]


def _after_modality(header: Dataset, possible: Array) -> tuple[NDArray[np.float64], float, float]:
    """Return the modality values, and those of the smallest and the largest stored value that the header allows."""
    table = _usable_lut(header, "ModalityLUTSequence")
    if table is not None:
        return _looked_up(possible, table), 0.0, 2.0 ** table.LUTDescriptor[2] - 1
    bits = int(header.BitsStored)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if header.get("PixelRepresentation") == 1 else (0, 2**bits - 1)
    if not number(header.get("RescaleSlope")) or number(header.get("RescaleIntercept")) is None:
        return possible.astype(np.float64), float(ends[0]), float(ends[1])
    floor, ceiling = apply_rescale(np.array(ends), header)
    return apply_rescale(possible, header), float(floor), float(ceiling)


def _after_voi(
    header: Dataset, values: NDArray[np.float64], floor: float, ceiling: float
) -> tuple[NDArray[np.float64], list[str]]:
    """Return the values as 0..1 of the display range, and what had to be assumed."""
    table = _usable_lut(header, "VOILUTSequence")
    if table is not None:
        return _looked_up(values, table) / (2.0 ** table.LUTDescriptor[2] - 1), []
    notes = []
    if header.get("WindowCenter") is not None and header.get("WindowWidth") is not None:
        try:
            return (apply_windowing(values, header) - floor) / (ceiling - floor), []
        except (ValueError, TypeError, IndexError):
            notes.append("The display window in the header is invalid: the full range of stored values was used.")
    # A negative slope turns the ends round.
    low, high = sorted((floor, ceiling))
    return (values - low) / (high - low), notes


def _usable_lut(header: Dataset, keyword: str) -> Dataset | None:
    """Return the first look-up table of a sequence, or None if there is none or it is incomplete."""
    items = header.get(keyword)
    if not items or items[0].get("LUTData") is None or len(items[0].get("LUTDescriptor") or ()) != 3:
        return None
    return items[0] if 1 <= int(items[0].LUTDescriptor[2]) <= 16 else None


def _looked_up(values: Array, table: Dataset) -> NDArray[np.float64]:
    """Apply a look-up table (DICOM PS3.3 C.11.1.1.1 and C.11.2.1.1).

    Not pydicom's own: that wraps indices above 255 in a table of 8-bit output (pydicom 3.0.2), and knows no packed bytes.
    """
    entries, first, _ = (int(part) for part in table.LUTDescriptor)
    entries = entries or 65536
    data = table.LUTData
    if isinstance(data, bytes):
        # 8-bit entries may be packed; big-endian files are long retired.
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * entries else "<u2")
    output = np.atleast_1d(np.asarray(data, dtype=np.float64))[:entries]
    index = np.clip(np.rint(values).astype(np.int64) - first, 0, len(output) - 1)
    return output[index]
