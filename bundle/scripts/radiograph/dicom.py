"""Reading a DICOM radiograph: the header first, which may refuse it, then its pixels as displayed."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from scripts.clinical import Code, RefusedError
from scripts.radiograph.admission import admit, is_object, read_view, refused
from scripts.radiograph.background import find_closed_off, thin
from scripts.radiograph.causes import causes
from scripts.radiograph.decoded import DecodedRadiograph, Pixels
from scripts.radiograph.decoding import admit_encoding, decode, find_surplus, keeps_words
from scripts.radiograph.elements import code
from scripts.radiograph.geometry import Orientation, read_orientation, read_spacing
from scripts.radiograph.header import read_header
from scripts.radiograph.mapping import MappedWords
from scripts.radiograph.parsing import MAGIC, parse_header, parse_pixels
from scripts.radiograph.photometric import build_display_table, build_palette_table, convert_to_grey, count_used_bits
from scripts.radiograph.repair import repair_numbers
from scripts.radiograph.words import settle_format, settle_values, settle_words, unfit_photometric


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
    dataset, pixels_at, encoding_notes = parse_header(file)
    # Without its preamble a file is still DICOM if it has the attributes that every object has.
    if not is_object(dataset):
        raise unreadable("a radiograph (DICOM, PNG, JPEG, TIFF or NIfTI)")
    notes = [*encoding_notes, *admit(dataset), *repair_numbers(dataset)]
    admit_encoding(dataset)
    notes += settle_format(dataset)
    header = read_header(dataset)
    header.assumptions[:0] = notes

    shape = (int(dataset.Rows), int(dataset.Columns))
    spacing, spacing_notes = read_spacing(dataset, shape)
    orientation, lateral, orientation_note = read_orientation(dataset)
    header.view, view_notes = read_view(dataset)
    if lateral and not header.view:
        header.view = "LATERAL"
        view_notes.append("The view (LATERAL) was taken from Patient Orientation.")

    syntax_notes = parse_pixels(dataset, pixels_at)
    pixels, padding, pixel_notes = _displayed(dataset, orientation)
    closed_off, shutter_notes = find_closed_off(dataset, shape)
    background = orientation.to_display(closed_off | padding)
    if background.any():
        pixel_notes.append(
            "The parts of the radiograph that its header calls padding or collimated were left out of its range of densities."
        )
    header.assumptions += [*spacing_notes, orientation_note, *view_notes, *syntax_notes, *shutter_notes, *pixel_notes]
    header.assumptions = [note for note in header.assumptions if note]
    shown_spacing = spacing.transposed() if orientation.transpose else spacing
    return DecodedRadiograph(pixels, shown_spacing, orientation, header, background if background.any() else None)


def _displayed(dataset: FileDataset, orientation: Orientation) -> tuple[Pixels, NDArray[np.bool_], list[str]]:
    """Return the displayed radiograph; which stored pixels are padding, thinned by `thin`; and what had to be assumed."""
    stored = decode(dataset)
    surplus = find_surplus(dataset)
    photometric = code(dataset, "PhotometricInterpretation")
    if stored.ndim == 3:
        full = 2.0 ** int(dataset.BitsStored) - 1
        shown = np.ascontiguousarray(orientation.to_display(convert_to_grey(stored, full)))
        return shown, np.zeros(thin(stored).shape[:2], bool), [*surplus, "A grey radiograph was read from a colour image."]

    unsigned = stored.view(stored.dtype.str.replace("i", "u"))
    words = np.arange(2 ** (8 * stored.dtype.itemsize), dtype=f"u{stored.dtype.itemsize}")
    words = words.view(words.dtype.str.replace("u", "i")) if stored.dtype.kind == "i" else words
    notes = [*surplus, *(settle_words(dataset, stored) if keeps_words(dataset) else settle_values(dataset, stored))]
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
        raise unfit_photometric(dataset)
    sample = thin(unsigned)
    padding = padded[sample] if padded.any() else np.zeros(sample.shape, bool)
    return MappedWords(table, orientation.to_display(unsigned)), padding, notes
