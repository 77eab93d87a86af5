"""Parsing a DICOM file within bounds: the elements before the pixels first, the pixels only when they are wanted."""

from __future__ import annotations

import io
import mmap
import os
from typing import Any, BinaryIO, Final, cast

from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import data_element_generator, read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from scripts.radiograph.bounds import LARGEST_HEADER_BYTES, inflate, too_large
from scripts.radiograph.codestream import recognise
from scripts.radiograph.elements import text

MAGIC: Final = b"DICM"
PIXELS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, double and integer pixel data."""

_PREAMBLE: Final = 132
_MESSAGE, _FILE_META = 0x0000, 0x0002  # groups of elements
_UNDEFINED: Final = 0xFFFFFFFF  # length of what ends by a mark
_PIECE: Final = 1 << 20
_ITEM: Final = b"\xfe\xff\x00\xe0"  # how encapsulated pixels begin


class _BoundedStream:
    """A file that never reads more at once than it holds, and nothing beyond a limit."""

    def __init__(self, file: BinaryIO, limit: int | None = None) -> None:
        self._file, self._limit = file, limit
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        """Read like a file; a claimed length of gigabytes takes no memory."""
        start = self._file.tell()
        if not 0 <= count <= _PIECE:  # else the end, which of a packed file is known only once it is unpacked, does not matter
            left = max(0, self._file.seek(0, os.SEEK_END) - start)
            self._file.seek(start)
            count = left if count < 0 else min(count, left)
        if self._limit is not None and start + count > self._limit:
            limit = f"{self._limit >> 20} MiB"
            raise too_large("The header before the pixels", f"more than {limit}", limit)
        return self._file.read(count)


def parse_header(file: BinaryIO) -> tuple[FileDataset, BinaryIO, list[str]]:
    """Parse a DICOM file, with or without preamble and file meta, up to its pixels.

    How the data set is encoded is seen on its first element; where the file meta information says otherwise, it is wrong.

    Args:
        file: at its beginning.

    Returns:
        The elements before the pixels, with a transfer syntax that they have; the stream that stands at the pixels (of a deflated
        file, the inflated one); and what had to be assumed.

    Raises:
        RefusedError: TOO_LARGE.
        Exception: any, where the file is damaged or no DICOM.
    """
    preamble = file.read(_PREAMBLE)[128:] == MAGIC
    if not preamble:
        file.seek(0)
        dataset = read_partial(_header(file), stop_when=_at_pixels, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            implicit, little = dataset.original_encoding
            dataset.file_meta.TransferSyntaxUID = _uncompressed(bool(implicit), bool(little))
        return dataset, file, []
    meta = read_dataset(_header(file), False, True, stop_when=lambda tag, *_: tag.group != _FILE_META)
    _pass_over_message(file)
    claimed = UID(text(meta, "TransferSyntaxUID"))
    seen = _see_encoding(file)
    deflated = seen is None
    if deflated:
        inner = io.BytesIO(inflate(file.read()))
        file, seen = inner, _see_encoding(inner)
    implicit, little = seen or (False, True)
    body = read_dataset(_header(file), implicit, little, stop_when=_at_pixels)
    dataset = FileDataset(file, body, file_meta=FileMetaDataset(meta), is_implicit_VR=implicit, is_little_endian=little)
    dataset.set_original_encoding(implicit, little, body.original_character_set)

    known = claimed in AllTransferSyntaxes
    found = DeflatedExplicitVRLittleEndian if deflated else _uncompressed(implicit, little)
    if known and claimed.is_encapsulated and not deflated:
        return dataset, file, []  # this tells how the pixels are compressed, which they have to show
    dataset.file_meta.TransferSyntaxUID = found
    said = claimed.name if known else "no transfer syntax that is known"
    note = f"The file meta information says {said}, but the file is {found.name}: it was read so."
    return dataset, file, [note] if claimed != found else []


def parse_pixels(dataset: FileDataset, file: BinaryIO) -> list[str]:
    """Add the pixel element to a data set of `parse_header`, from the stream that it returned; nothing if there is none.

    The value of uncompressed pixels is a view of the file's own bytes, of as many as there are: none are copied. Whether and how
    the pixels are compressed is seen on them; where the transfer syntax says otherwise, it is changed.

    Returns:
        What had to be assumed.
    """
    implicit, little = dataset.original_encoding
    place = file.tell()
    stream = cast(BinaryIO, _BoundedStream(file))
    element = next(data_element_generator(stream, bool(implicit), bool(little), defer_size=0), None)
    if element is None or element.tag not in PIXELS:
        return []
    claimed = UID(dataset.file_meta.TransferSyntaxUID)
    if isinstance(element, RawDataElement) and element.value is None and element.length != _UNDEFINED:
        value = _bytes(file)[element.value_tell : element.value_tell + element.length]
        element = element._replace(value=cast(bytes, value))  # pydicom takes any buffer
    else:
        file.seek(place)
        element = next(data_element_generator(stream, bool(implicit), bool(little)))
    dataset[element.tag] = element
    found = _see_syntax(element, claimed, _uncompressed(bool(implicit), bool(little)))
    if found == claimed:
        return []
    dataset.file_meta.TransferSyntaxUID = found
    return [f"The file meta information says {claimed.name}, but the pixels are {found.name}: they were read so."]


def _pass_over_message(file: BinaryIO) -> None:
    """Pass over the message by which a file was sent, which some software stores before the data set; it is always implicit."""
    place = file.tell()
    start = file.read(4)
    file.seek(place)
    if start == b"\0\0\0\0":  # its length comes first
        read_dataset(_header(file), True, True, stop_when=lambda tag, *_: tag.group != _MESSAGE)


def _see_encoding(file: BinaryIO) -> tuple[bool, bool] | None:
    """Return whether the data set that begins here is implicit and little-endian, or None if no data set begins here."""
    place = file.tell()
    start = file.read(8)
    file.seek(place)
    if len(start) < 8 or (start[0] == 0) == (start[1] == 0):  # the first group of a data set is 2 to 20, or so
        return None
    little = start[1] == 0
    if start[4:6].isalpha() and start[4:6].isupper():
        return False, little
    return (True, True) if little and start[6:8] == b"\0\0" else None


def _see_syntax(element: Any, claimed: UID, uncompressed: UID) -> UID:
    """Return the transfer syntax of a pixel element; the claimed one where it may be that, or where nothing tells."""
    data = element.value
    encapsulated = bytes(data[:4]) == _ITEM
    if not encapsulated:
        return claimed if not claimed.is_encapsulated else uncompressed
    try:
        found = recognise(get_frame(data, 0, number_of_frames=1))
    except Exception:  # a damaged encapsulation fails in many ways, and is refused when it is decoded
        return claimed
    return claimed if found is None or claimed in found else found[0]


def _uncompressed(implicit: bool, little: bool) -> UID:
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else explicit


def _bytes(file: BinaryIO) -> memoryview:
    """Return a file's bytes, which the operating system reads when they are touched."""
    if isinstance(file, io.BytesIO):
        return file.getbuffer()
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in PIXELS


def _header(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, _BoundedStream(file, LARGEST_HEADER_BYTES))  # pydicom reads, seeks and tells only
