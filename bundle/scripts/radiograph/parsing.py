"""Parsing a DICOM file within bounds: the elements before the pixels first, the pixels only when they are wanted."""

from __future__ import annotations

import io
import mmap
import os
from typing import BinaryIO, Final, cast

from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.filereader import data_element_generator, read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from scripts.radiograph.bounds import LARGEST_HEADER_BYTES, inflate, too_large

MAGIC: Final = b"DICM"
PIXELS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, double and integer pixel data."""

_PREAMBLE: Final = 132


class _BoundedStream:
    """A file that never reads more at once than it holds, and nothing beyond a limit."""

    def __init__(self, file: BinaryIO, limit: int | None = None) -> None:
        place = file.tell()
        self._size = file.seek(0, os.SEEK_END)
        file.seek(place)
        self._file, self._limit = file, limit
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        """Read like a file; a claimed length of gigabytes takes no memory."""
        start = self._file.tell()
        left = max(0, self._size - start)
        count = left if count < 0 else min(count, left)
        if self._limit is not None and start + count > self._limit:
            limit = f"{self._limit >> 20} MiB"
            raise too_large("The header before the pixels", f"more than {limit}", limit)
        return self._file.read(count)


def parse_header(file: BinaryIO) -> tuple[FileDataset, BinaryIO]:
    """Parse a DICOM file, with or without preamble and file meta, up to its pixels.

    Args:
        file: at its beginning.

    Returns:
        The elements before the pixels, with the transfer syntax filled in where the file lacks it; and the stream that
        stands at the pixels (of a deflated file, the inflated one).

    Raises:
        RefusedError: TOO_LARGE.
        Exception: any, where the file is damaged or no DICOM.
    """
    preamble = file.read(_PREAMBLE)[128:] == MAGIC
    if preamble:
        meta = read_dataset(_header(file), False, True, stop_when=lambda tag, *_: tag.group != 2)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            file, preamble = io.BytesIO(inflate(file.read())), False
    file.seek(0)
    dataset = read_partial(_header(file), stop_when=_at_pixels, force=not preamble)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset, file


def parse_pixels(dataset: FileDataset, file: BinaryIO) -> None:
    """Add the pixel element to a data set of `parse_header`, from the stream that it returned; nothing if there is none.

    The value of uncompressed pixels is a view of the file's own bytes, of as many as there are: none are copied.
    """
    implicit, little = dataset.original_encoding
    in_place = None if UID(dataset.file_meta.TransferSyntaxUID).is_compressed else 0
    stream = cast(BinaryIO, _BoundedStream(file))
    element = next(data_element_generator(stream, bool(implicit), bool(little), defer_size=in_place), None)
    if element is None or element.tag not in PIXELS:
        return
    if isinstance(element, RawDataElement) and element.value is None:
        value = _bytes(file)[element.value_tell : element.value_tell + element.length]
        element = element._replace(value=cast(bytes, value))  # pydicom takes any buffer
    dataset[element.tag] = element


def _bytes(file: BinaryIO) -> memoryview:
    """Return a file's bytes, which the operating system reads when they are touched."""
    if isinstance(file, io.BytesIO):
        return file.getbuffer()
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in PIXELS


def _header(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, _BoundedStream(file, LARGEST_HEADER_BYTES))  # pydicom reads, seeks and tells only
