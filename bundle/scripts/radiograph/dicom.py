"""Reading a DICOM radiograph: the header first, which may refuse it, then its pixels as displayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels import pixel_array
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGExtended12Bit

from scripts.clinical import Code, RefusedError
from scripts.radiograph.admission import admit, refused, view_of
from scripts.radiograph.geometry import Orientation, Spacing, orientation_of, spacing_of
from scripts.radiograph.header import Header, read_header
from scripts.radiograph.photometric import display_values, grey

MAGIC: Final = b"DICM"
_REMEDY: Final = "Export it again uncompressed (Explicit VR Little Endian) or as JPEG 2000 lossless."


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM preamble."""
    with path.open("rb") as file:
        return file.read(132)[128:] == MAGIC


def read_dicom(path: Path) -> tuple[NDArray[np.float32], Spacing, Orientation, Header]:
    """Read a single-frame DICOM radiograph.

    Args:
        path: of a DICOM file, with or without its preamble.

    Returns:
        Displayed values (rows, cols) in 0..1, larger = denser, on the stored grid; the stored grid's spacing; how the
        stored film becomes the displayed one; and the header's facts.

    Raises:
        RefusedError: UNREADABLE, UNSUPPORTED_ENCODING, and those of `admit`.
    """
    try:
        return _read(path)
    except RefusedError:
        raise
    except Exception as error:  # in a damaged header any value may have any type, or none that pydicom knows
        raise unreadable("a radiograph") from error


def unreadable(kind: str) -> Exception:
    """Return the refusal of a file that is damaged or not what it seems."""
    return refused(
        Code.UNREADABLE,
        f"The file cannot be read as {kind}: it is damaged, incomplete or of another kind; it was not analysed. "
        "Export or copy it again.",
    )


def _read(path: Path) -> tuple[NDArray[np.float32], Spacing, Orientation, Header]:
    # Without its preamble a file is still DICOM if it has the attributes that every object has.
    dataset = pydicom.dcmread(path, stop_before_pixels=True, force=not is_dicom(path))
    if "SOPClassUID" not in dataset and "SOPInstanceUID" not in dataset:
        raise unreadable("a radiograph (DICOM, PNG, JPEG or NIfTI)")
    notes = admit(dataset)
    header = read_header(dataset)
    header.assumptions[:0] = notes

    shape = (int(dataset.Rows), int(dataset.Columns))
    spacing, spacing_notes = spacing_of(dataset, shape)
    orientation, lateral, orientation_note = orientation_of(dataset.get("PatientOrientation"))
    header.view, view_note = view_of(dataset)
    if lateral and not header.view:
        header.view, view_note = "LATERAL", "The view (LATERAL) was taken from Patient Orientation."
    pixels, pixel_notes = _displayed(path)
    header.assumptions += [note for note in (*spacing_notes, orientation_note, view_note, *pixel_notes) if note]
    return pixels, spacing, orientation, header


def _displayed(path: Path) -> tuple[NDArray[np.float32], list[str]]:
    dataset = pydicom.dcmread(path, force=True)
    if "PixelData" not in dataset:
        raise refused(
            Code.UNREADABLE,
            "The file has a header but no pixels (or pixels in floating point); it was not analysed. Export it again.",
        )
    stored = _decoded(dataset)
    if dataset.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2"):
        return display_values(dataset, stored)
    values = grey(stored)
    return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max), ["A grey radiograph was read from a colour image."]


def _decoded(dataset: pydicom.Dataset) -> NDArray[Any]:
    """Return the stored values: (rows, cols), or (rows, cols, 3) in red, green and blue."""
    meta = dataset.file_meta
    if "TransferSyntaxUID" not in meta:
        implicit = dataset.original_encoding[0]
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    syntax = UID(meta.TransferSyntaxUID)
    photometric = dataset.get("PhotometricInterpretation", "")
    bits = int(dataset.get("BitsStored") or 0)
    if photometric == "PALETTE COLOR" or not 2 <= bits <= int(dataset.get("BitsAllocated") or 0) <= 16:
        raise refused(
            Code.UNSUPPORTED_ENCODING,
            f"The pixels are stored as {photometric or 'an unnamed kind'} with {bits} bits, but grey values of 2 to 16 bits "
            f"are needed; it was not analysed. {_REMEDY}",
        )
    if syntax == JPEGExtended12Bit and bits > 8:
        raise _undecodable(syntax, bits)
    try:
        return pixel_array(dataset)
    except NotImplementedError as error:
        raise _undecodable(syntax, bits) from error
    except Exception as error:  # whatever a codec raises on damaged data
        if not syntax.is_compressed or "missing dependencies" not in str(error):
            raise unreadable(f"a radiograph (its pixels are stored as {syntax.name})") from error
        raise _undecodable(syntax, bits) from error


def _undecodable(syntax: UID, bits: int) -> Exception:
    return refused(
        Code.UNSUPPORTED_ENCODING,
        f"The pixels are compressed as {syntax.name} with {bits} bits (transfer syntax {syntax}), which cannot be decoded "
        f"here; it was not analysed. {_REMEDY}",
    )
