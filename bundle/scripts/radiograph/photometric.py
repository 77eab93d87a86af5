"""From stored pixel values to what a viewer displays: modality LUT, VOI window or LUT, and which end of it is white."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from scripts.clinical import Code
from scripts.radiograph.admission import refused
from scripts.radiograph.elements import cited, code, number, term, value
from scripts.radiograph.lookup import read_lookup
from scripts.radiograph.raw import compute_density, is_raw

Array = NDArray[Any]
Table = NDArray[np.float64]

_COLOURED: Final = 0.08  # of the range: how far the channels of a pixel may differ
_TOLD_APART: Final = 1e-9  # of the largest value: the least range of values that arithmetic can tell apart
_COLOURED_SHARE: Final = 0.005  # of the pixels that may be coloured all the same: an annotation


def build_display_table(header: Dataset, words: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[str]]:
    """Return what is displayed, 0 (black) to 1 (white, so dense bone), for each word that may stand in a monochrome image.

    The whole chain is computed once per possible word, not per pixel: exact, and fast on a large radiograph.

    Args:
        header: a DICOM data set with the pixel, modality LUT and VOI LUT attributes.
        words: (n,) integers of the pixels' type; bits outside BitsStored (overlays, garbage) are left out.

    Returns:
        (n,) float32, the display range mapped to 0..1; (n,) true where a word is padding; and what had to be assumed.
    """
    stored = extract_values(header, words)
    modality, floor, ceiling, notes = _after_modality(header, stored)
    raw, note = is_raw(header)
    notes += [note] if note else []
    if raw:
        shown, display_notes = compute_density(header, modality, floor, ceiling)
    else:
        shown, display_notes = _after_voi(header, modality, floor, ceiling)
        photometric = code(header, "PhotometricInterpretation")
        shape, note = term(header, "PresentationLUTShape", ("IDENTITY", "INVERSE", "LIN OD"))
        display_notes += [note] if note else []
        # A DX image says MONOCHROME1 and INVERSE together for one and the same inversion (DICOM PS3.3 C.8.11.3).
        if photometric == "MONOCHROME1" or shape == "INVERSE":
            shown = 1.0 - shown
        if (photometric, shape) in (("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")):
            display_notes.append(f"{photometric} contradicts PresentationLUTShape {shape}: the radiograph was read inverted.")
    padding, padding_notes = _padding(header, stored)
    table = np.where(padding, 0.0, np.clip(shown, 0.0, 1.0))
    return table.astype(np.float32), padding, notes + display_notes + padding_notes


def count_used_bits(header: Dataset, kind: np.dtype[Any]) -> int:
    """Return how many of a word's lowest bits may change what is displayed: those up to HighBit.

    Args:
        header: a DICOM data set.
        kind: the words' type.
    """
    bits, high = int(header.BitsStored), number(value(header, "HighBit"))
    return int(high) + 1 if high is not None and bits - 1 <= high < 8 * kind.itemsize else bits


def extract_values(header: Dataset, words: Array) -> NDArray[np.int64]:
    """Return the BitsStored bits of each word that end at HighBit, with their sign (DICOM PS3.5 8.1.1)."""
    bits = int(header.BitsStored)
    kept = (words.astype(np.int64) >> (count_used_bits(header, words.dtype) - bits)) & ((1 << bits) - 1)
    if header.get("PixelRepresentation") != 1:
        return kept
    sign = 1 << (bits - 1)
    return (kept ^ sign) - sign


def build_palette_table(header: Dataset, words: Array, count: Array) -> NDArray[np.float32]:
    """Return the grey value, 0..1, of each word of a PALETTE COLOR image.

    Args:
        header: with the three palettes, plain or segmented.
        words: (n,) unsigned integers.
        count: (n,) how many pixels have each word.

    Raises:
        RefusedError: NOT_A_RADIOGRAPH, if the pixels are coloured.
    """
    colours = apply_color_lut(extract_values(header, words).astype(words.dtype), header).astype(np.float64)
    full = 255.0 if colours.max() <= 255 and int(header.RedPaletteColorLookupTableDescriptor[2]) <= 8 else 65535.0
    _refuse_colour(np.sum(count * (np.ptp(colours, axis=-1) > _COLOURED * full)) / np.sum(count))
    return (colours[:, 1] / full).astype(np.float32)


def convert_to_grey(colour: Array, full: float) -> NDArray[np.float32]:
    """Return the one channel of a grey image stored in colour, as 0..1.

    Args:
        colour: (rows, cols, 3 or more) integers; the first three channels are red, green and blue.
        full: the largest value.

    Raises:
        RefusedError: NOT_A_RADIOGRAPH, if more than 0.5% of the pixels are coloured (a small annotation is tolerated).
    """
    sample = colour[::4, ::4, :3].astype(np.float64)
    _refuse_colour(float(np.mean(np.ptp(sample, axis=-1) > _COLOURED * full)))
    return np.clip(colour[..., 1].astype(np.float32) / np.float32(full), 0.0, 1.0)


def _refuse_colour(share: float) -> None:
    if share > _COLOURED_SHARE:
        raise refused(
            Code.NOT_A_RADIOGRAPH,
            "The image is in colour, but a radiograph is grey; it was not analysed. "
            "Export the radiograph itself, not a photograph or a coloured screenshot of it.",
        )


def _after_modality(header: Dataset, stored: NDArray[np.int64]) -> tuple[Table, float, float, list[str]]:
    """Return the modality values, those of the smallest and the largest stored value that the header allows, and assumptions."""
    table, notes = read_lookup(header, "ModalityLUTSequence", signed=header.get("PixelRepresentation") == 1)
    slope, intercept = number(value(header, "RescaleSlope")), number(value(header, "RescaleIntercept"))
    if table is not None:
        if (slope or 1.0, intercept or 0.0) != (1.0, 0.0):
            notes.append(
                f"ModalityLUTSequence was used, and not {cited(header, 'RescaleSlope')} and {cited(header, 'RescaleIntercept')}."
            )
        return table.of(stored), 0.0, table.largest, notes
    bits = int(header.BitsStored)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if header.get("PixelRepresentation") == 1 else (0, 2**bits - 1)
    if slope is None and intercept is None:
        return stored.astype(np.float64), float(ends[0]), float(ends[1]), notes
    if slope == 0 or slope is None:
        found = "RescaleSlope is missing" if slope is None else f"{cited(header, 'RescaleSlope')} is impossible"
        notes.append(f"{found}, beside {cited(header, 'RescaleIntercept')}: 1 was used.")
        slope = 1.0
    if intercept is None:
        notes.append(f"RescaleIntercept is missing, beside {cited(header, 'RescaleSlope')}: 0 was used.")
        intercept = 0.0
    floor, ceiling = (end * slope + intercept for end in ends)
    if not math.isfinite(ceiling - floor) or abs(ceiling - floor) <= _TOLD_APART * max(abs(floor), abs(ceiling)):
        notes.append(
            f"{cited(header, 'RescaleSlope')} and {cited(header, 'RescaleIntercept')} leave no values that can be told apart, so "
            "they were not used."
        )
        return stored.astype(np.float64), float(ends[0]), float(ends[1]), notes
    return stored.astype(np.float64) * slope + intercept, floor, ceiling, notes


def _after_voi(header: Dataset, values: Table, floor: float, ceiling: float) -> tuple[Table, list[str]]:
    """Return the values as 0..1 of the display range, and what had to be assumed (DICOM PS3.3 C.11.2)."""
    table, notes = read_lookup(header, "VOILUTSequence", signed=min(floor, ceiling) < 0)
    if table is not None:
        return table.of(values) / table.largest, notes
    # A damaged one of several windows holds its place.
    centres, widths = (_numbers_or_nan(header, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    function, note = term(header, "VOILUTFunction", ("LINEAR", "LINEAR_EXACT", "SIGMOID"))
    for place, (centre, width) in enumerate(zip(centres, widths, strict=False)):
        shown = _windowed(values, centre, width, function)
        if shown is not None:
            if note:
                notes.append(note if function else f"{cited(header, 'VOILUTFunction')} is unknown: a linear window was used.")
            if max(len(centres), len(widths)) > 1:
                notes.append(f"Of several display windows the first {'that is valid ' if place else ''}was used.")
            return shown, notes
    if centres or widths:
        notes.append(
            f"{cited(header, 'WindowCenter')} and {cited(header, 'WindowWidth')} are an invalid display window: the full range "
            "of stored values was used."
        )
    # A negative slope turns the ends round.
    low, high = sorted((floor, ceiling))
    return (values - low) / (high - low), notes


def _numbers_or_nan(header: Dataset, keyword: str) -> list[float]:
    found = value(header, keyword)
    several = found if hasattr(found, "__iter__") and not isinstance(found, str | bytes) else [found]
    known = [number(one) for one in several if one is not None]
    return [math.nan if one is None else one for one in known]


def _windowed(values: Table, centre: float, width: float, function: str) -> Table | None:
    """Return a window's output as 0..1 before clipping, or None if it is not allowed. A function of "" is LINEAR."""
    if math.isnan(centre) or not width > 0 or (function in ("", "LINEAR") and width < 1):
        return None
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return (values - (centre - 0.5)) / (width - 1.0) + 0.5


def _padding(header: Dataset, stored: NDArray[np.int64]) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which stored values are padding (DICOM PS3.3 C.7.5.1.1.2), also where its sign was written wrongly; and notes."""
    first, last = (number(value(header, name)) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if first is None:
        found = f"{cited(header, 'PixelPaddingRangeLimit')} stands without a PixelPaddingValue: no pixel was taken for padding."
        return np.zeros(stored.shape, bool), [] if last is None else [found]
    bits = int(header.BitsStored)
    span = [int(first), int(first if last is None else last)]
    if header.get("PixelRepresentation") == 1:
        span = [end - 65536 if end >= 32768 else end for end in span]
    else:
        span = [end & ((1 << bits) - 1) if end < 0 else end for end in span]
    padding = (stored >= min(span)) & (stored <= max(span))
    if padding.any():
        return padding, []
    return padding, [
        f"{cited(header, 'PixelPaddingValue')} is none of the values that {bits} bits can hold: no pixel was taken for padding."
    ]
