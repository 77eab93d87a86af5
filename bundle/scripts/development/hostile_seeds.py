"""The valid files that hostile ones are made from: DICOM of many kinds and encodings, parted into their elements."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.uid import DeflatedExplicitVRLittleEndian

import scripts

# pydicom's own test files: every transfer syntax that is decoded, and structures that trouble parsers.
_PYDICOM_FILES: Final = (
    "CT_small MR_small_implicit MR_small_bigendian MR_small_RLE MR_small_jp2klossless MR_small_jpeg_ls_lossless image_dfl "
    "JPEG2000 693_J2KI JPGExtended SC_rgb_rle SC_rgb_rle_16bit SC_rgb_jpeg_gdcm SC_rgb_jpeg_dcmtk SC_rgb_jls_lossy_sample "
    "SC_rgb_gdcm_KY badVR nested_priv_SQ reportsi rtplan ExplVR_BigEnd no_meta examples_palette examples_overlay "
    "J2K_pixelrep_mismatch"
)
_EXAMPLES: Final = Path(scripts.__file__).parents[1] / "examples" / "images"

LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Those whose length has 32 bits in an explicit encoding."""

PIXEL_DATA: Final = 0x7FE00010

# What makes the reader take a seed for a radiograph of a hip, so that mutants reach the pixels: tag, VR, value.
_HIP: Final = (
    (0x00080016, b"UI", b"1.2.840.10008.5.1.4.1.1.1\0"),
    (0x00080060, b"CS", b"CR"),
    (0x00180015, b"CS", b"HIP "),
    (0x00185101, b"CS", b"AP"),
    (0x00181164, b"DS", b"0.15\\0.15 "),
    (0x00200020, b"CS", b"L\\F "),
)


@dataclass(frozen=True)
class Element:
    """Where an element of the top level lies in a seed's data set: its header, its value, and the bytes of its length field."""

    tag: int
    start: int
    value: int
    length: int
    length_bytes: int


@dataclass(frozen=True)
class Seed:
    """A valid file, parted.

    name: of the file. head: preamble and file meta information. body: the data set, inflated. elements: of the body.
    implicit, big, deflated: how the data set is encoded. hip: whether its header is that of a hip's radiograph.
    """

    name: str
    head: bytes
    body: bytes
    elements: tuple[Element, ...]
    implicit: bool
    big: bool
    deflated: bool
    hip: bool

    def encoded(self, tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
        """Encode an element as this seed does; `length` may lie."""
        order = ">" if self.big else "<"
        size = len(value) if length is None else length
        head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
        if self.implicit:
            return head + struct.pack(order + "I", size) + value
        if vr in LONG_VRS:
            return head + vr + b"\0\0" + struct.pack(order + "I", size) + value
        return head + vr + struct.pack(order + "H", size & 0xFFFF) + value[:0xFFFE]


def load_seeds() -> list[Seed]:
    """Read the seeds: each file as it is, and those with pixels also with the header of a hip's radiograph."""
    paths = [Path(str(get_testdata_file(f"{name}.dcm", download=False))) for name in _PYDICOM_FILES.split()]
    seeds = []
    for path in [*paths, *sorted(_EXAMPLES.glob("*.dcm"))[:2]]:
        seed = _parted(path)
        seeds.append(seed)
        pixels = next((element.start for element in seed.elements if element.tag == PIXEL_DATA), None)
        if pixels is not None:
            # A later element replaces an earlier one of its tag.
            header = b"".join(seed.encoded(*entry) for entry in _HIP)
            elements = tuple(
                Element(item.tag, item.start + shift, item.value + shift, item.length, item.length_bytes)
                for item in seed.elements
                for shift in [len(header) if item.start >= pixels else 0]
            )
            body = seed.body[:pixels] + header + seed.body[pixels:]
            seeds.append(Seed(f"{seed.name} as hip", seed.head, body, elements, seed.implicit, seed.big, seed.deflated, True))
    return seeds


def _parted(path: Path) -> Seed:
    content = path.read_bytes()
    dataset = pydicom.dcmread(BytesIO(content), force=True)
    implicit, little = dataset.original_encoding
    deflated = dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    elements: list[Element] = []
    for tag in dataset.keys():  # noqa: SIM118 (a Dataset iterates over converted elements)
        raw = dataset.get_item(tag)
        if not isinstance(raw, RawDataElement) or raw.value is None:
            continue
        long = not implicit and str(raw.VR).encode() in LONG_VRS
        start = raw.value_tell - (12 if long else 8)
        elements.append(Element(int(tag), start, raw.value_tell, len(raw.value), 4 if implicit or long else 2))
    first = 0 if deflated else min((element.start for element in elements), default=0)
    if deflated:
        # The data set follows the file meta information, whose group length counts from the end of its own element.
        first = 132 + 12 + int(dataset.file_meta.FileMetaInformationGroupLength)
    body = zlib.decompress(content[first:], -zlib.MAX_WBITS) if deflated else content[first:]
    shift = 0 if deflated else first
    moved = tuple(Element(e.tag, e.start - shift, e.value - shift, e.length, e.length_bytes) for e in elements)
    return Seed(path.name, content[:first], body, moved, bool(implicit), not little, deflated, False)
