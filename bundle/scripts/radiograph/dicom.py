"""Reading a DICOM radiograph: the header first, which may refuse it, then its pixels as displayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from scripts.clinical import Code, RefusedError
from scripts.radiograph.admission import admit, read_view, refused
from scripts.radiograph.background import find_closed_off, thin
from scripts.radiograph.causes import causes
from scripts.radiograph.decoded import DecodedRadiograph, Pixels
from scripts.radiograph.decoding import admit_encoding, decode, keeps_words
from scripts.radiograph.elements import code, value
from scripts.radiograph.geometry import Orientation, read_orientation, read_spacing
from scripts.radiograph.header import read_header
from scripts.radiograph.mapping import MappedWords
from scripts.radiograph.parsing import MAGIC, parse_header, parse_pixels
from scripts.radiograph.photometric import build_display_table, build_palette_table, convert_to_grey, count_used_bits


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM preamble."""
    with path.open("rb") as file:
        return file.read(132)[128:] == MAGIC


def read_dicom(file: BinaryIO) -> DecodedRadiograph:
    """Read a single-frame DICOM radiograph.

    Args:
        file: a DICOM file at its beginning, with or without its preamble.

    Raises:
        RefusedError: UNREADABLE, UNSUPPORTED_ENCODING, TOO_LARGE, and those of `admit`.
    """
    try:
        return _read(file)
    except RefusedError:
        raise
    except Exception as error:  # in a damaged header any value may have any type, or none that pydicom knows
        # pydicom makes an OSError of a RecursionError where it happens to read a tag.
        if any(isinstance(cause, RecursionError) for cause in causes(error)):
            raise refused(
                Code.UNREADABLE,
                "The file's sequences are nested deeper than any radiograph's, so it is damaged or hostile; it was not analysed. "
                "Export it again.",
            ) from error
        raise unreadable("a radiograph") from error


def unreadable(kind: str) -> RefusedError:
    """Return the refusal of a file that is damaged or not what it seems."""
    return refused(
        Code.UNREADABLE,
        f"The file cannot be read as {kind}: it is damaged, incomplete or of another kind; it was not analysed. "
        "Export or copy it again.",
    )


def _read(file: BinaryIO) -> DecodedRadiograph:
    dataset, pixels_at = parse_header(file)
    # Without its preamble a file is still DICOM if it has the attributes that every object has.
    if "SOPClassUID" not in dataset and "SOPInstanceUID" not in dataset:
        raise unreadable("a radiograph (DICOM, PNG, JPEG, TIFF or NIfTI)")
    notes = admit(dataset)
    admit_encoding(dataset)
    header = read_header(dataset)
    header.assumptions[:0] = notes

    shape = (int(dataset.Rows), int(dataset.Columns))
    spacing, spacing_notes = read_spacing(dataset, shape)
    orientation, lateral, orientation_note = read_orientation(value(dataset, "PatientOrientation"))
    header.view, view_note = read_view(dataset)
    if lateral and not header.view:
        header.view, view_note = "LATERAL", "The view (LATERAL) was taken from Patient Orientation."

    parse_pixels(dataset, pixels_at)
    pixels, padding, pixel_notes = _displayed(dataset, orientation)
    background = orientation.to_display(find_closed_off(dataset, shape) | padding)
    if background.any():
        pixel_notes.append(
            "The parts of the radiograph that its header calls padding or collimated were left out of its range of densities."
        )
    header.assumptions += [note for note in (*spacing_notes, orientation_note, view_note, *pixel_notes) if note]
    shown_spacing = spacing.transposed() if orientation.transpose else spacing
    return DecodedRadiograph(pixels, shown_spacing, orientation, header, background if background.any() else None)


def _displayed(dataset: FileDataset, orientation: Orientation) -> tuple[Pixels, NDArray[np.bool_], list[str]]:
    """Return the displayed radiograph; which stored pixels are padding, thinned by `thin`; and what had to be assumed."""
    stored = decode(dataset)
    photometric = code(dataset, "PhotometricInterpretation")
    if stored.ndim == 3:
        full = 2.0 ** int(dataset.BitsStored) - 1
        shown = np.ascontiguousarray(orientation.to_display(convert_to_grey(stored, full)))
        return shown, np.zeros(thin(stored).shape[:2], bool), ["A grey radiograph was read from a colour image."]

    unsigned = stored.view(stored.dtype.str.replace("i", "u"))
    words = np.arange(2 ** (8 * stored.dtype.itemsize), dtype=f"u{stored.dtype.itemsize}")
    words = words.view(words.dtype.str.replace("u", "i")) if stored.dtype.kind == "i" else words
    notes = [] if keeps_words(dataset) else _widened(dataset, stored)
    if photometric == "PALETTE COLOR":
        table, padded = (
            build_palette_table(dataset, words, np.bincount(unsigned.ravel(), minlength=len(words))),
            np.zeros(len(words), bool),
        )
        notes.append("A grey radiograph was read from palette colours.")
    elif photometric in ("MONOCHROME1", "MONOCHROME2"):
        table, padded, display_notes = build_display_table(dataset, words[: 2 ** count_used_bits(dataset, words.dtype)])
        padded = np.resize(padded, len(words))
        notes += display_notes
    else:
        raise refused(
            Code.UNREADABLE,
            "The file cannot be read as a radiograph: its PhotometricInterpretation is missing or does not fit its pixels, "
            "MONOCHROME1 or MONOCHROME2 is expected; it was not analysed. Export it again.",
        )
    sample = thin(unsigned)
    padding = padded[sample] if padded.any() else np.zeros(sample.shape, bool)
    return MappedWords(table, orientation.to_display(unsigned)), padding, notes


def _widened(dataset: FileDataset, stored: NDArray[Any]) -> list[str]:
    """Raise BitsStored to what a codec's values need, and say so; the codec knows their bits better than the header."""
    largest = max(int(stored.max()), -1 - int(stored.min())) if stored.size else 0
    needed = largest.bit_length() + (stored.dtype.kind == "i")
    dataset.HighBit = int(dataset.BitsStored) - 1
    if needed <= int(dataset.BitsStored) or stored.dtype.kind == "i":
        return []
    found, dataset.BitsStored, dataset.HighBit = dataset.BitsStored, needed, needed - 1
    return [f"The compressed pixels have {needed} bits, BitsStored in the header says {found}: {needed} were read."]
