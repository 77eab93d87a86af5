"""Hostile DICOM files: mutants of valid ones, each made again from its seed file, the seed and its index."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.development.hostile_seeds import LONG_VRS, PIXEL_DATA, Element, Seed

_LARGE_BYTES: Final = 100_000  # of a seed that takes tens of milliseconds to read
_LARGE_SHARE: Final = 0.02  # of all mutants are made from such seeds
_HIP_SHARE: Final = 0.75  # have the header of a hip's radiograph, so that the damage beyond it is met
_VRS: Final = (*b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US ?? \0\0".split(b" "), *sorted(LONG_VRS))
_NUMBERS: Final = (
    *(0x00280002, 0x00280006, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120, 0x00280121),
    *(0x00181602, 0x00181604, 0x00281041),
)
_TEXTS: Final = (
    "00080018:UI 0020000D:UI 0020000E:UI 00100010:PN 00100020:LO 00101010:AS 00280008:IS 00281050:DS 00281051:DS 00281052:DS "
    "00281053:DS 00281056:CS 00181164:DS 00280030:DS 00181114:DS 00181110:DS 00181111:DS 00200020:CS 00081030:LO 0008103E:LO "
    "00280004:CS 00080060:CS 00101030:DS 00080008:CS"
)
# fmt: off
_HOSTILE_TEXTS: Final = (
    b"../../../etc/passwd ", b"..\\..\\x", b"/dev/zero ", b"\xff\xfe\xfd\xfc", b"\xc3\x28", b"\x1b$B\x1b(J", b"\0\0\0\0",
    b"A" * 70000, b"1e308\\1e308 ", b"-1e308", b"nan ", b"inf\\-inf", b"0\\0 ", b"1e-320", b"9" * 400, b"", b"\\" * 1000, b"-1",
    b"2147483648", b"<script>alert(1)</script>", b"%s%n%x ", b"999Y", b"-01Y", b"1.2.840." + b"9" * 300, b"\xed\xa0\x80\xed",
    b"RGB ", b"PALETTE COLOR ",
)
_LENGTHS: Final = (
    0, 1, 2, 3, 0x7F, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF,
)
_PIXEL_NUMBERS: Final = (
    0, 1, 2, 7, 8, 12, 15, 16, 32, 63, 64, 100, 4096, 9999, 10000, 32767, 32768, 60000, 65535,
)
# fmt: on
# What people type into an element: tag, VR, keyword, values. Each is read otherwise than it stands, so it must be told.
_TYPED: Final = (
    (0x00281053, b"DS", "RescaleSlope", (b"2,0 ", b"none", b"1\\3 ", b"1,5 US")),
    (0x00281052, b"DS", "RescaleIntercept", (b"-1.024,0", b"0,0 ", b"?")),
    (0x00281050, b"DS", "WindowCenter", (b"128,0 ", b"auto", b"2000 HU\\9")),
    (0x00281051, b"DS", "WindowWidth", (b"256,0 ", b"full", b"[4096]")),
    (0x00181114, b"DS", "EstimatedRadiographicMagnificationFactor", (b"1,1003", b"115 %", b"x1.2")),
    (0x00181110, b"DS", "DistanceSourceToDetector", (b"1.150,0 ", b"1150 mm ", b"115 cm")),
    (0x00181164, b"DS", "ImagerPixelSpacing", (b"0,15\\0,15 ", b"0.15x0.15 ", b"0.15", b"0,15,0,15 ", b"fine")),
    (0x00280030, b"DS", "PixelSpacing", (b"0,14\\0,14 ", b"(0.14, 0.14)", b"0.14;0.14 ", b"-")),
    (0x00280008, b"IS", "NumberOfFrames", (b"1,0 ", b"one ")),
    (0x00101010, b"AS", "PatientAge", (b"000Y", b"070 ", b"70 Y", b"70 years", b"Y070", b"adult ", b"999Y", b"70,5Y ")),
    (0x00100040, b"CS", "PatientSex", (b"Female", b"man ", b"W ", b"?!", b"1 ")),
    (0x00101030, b"DS", "PatientWeight", (b"72,2", b"72.2 kg ", b"160 lbs ", b"72200 ", b"heavy ", b"0 ")),
    (0x00101020, b"DS", "PatientSize", (b"1,68", b"168 ", b"168 cm", b"1680", b"5'6\" ", b"tall")),
    (0x00185101, b"CS", "ViewPosition", (b"ANTEROPOSTERIOR ", b"A-P ", b"a.p.", b"AP PELVIS ", b"USUAL ", b"AP/LAT")),
    (0x00080060, b"CS", "Modality", (b"DR", b"dx", b"X-RAY ", b"FILM")),
    (0x00200020, b"CS", "PatientOrientation", (b"L/F ", b"LF", b"PORTRAIT", b"X\\Y ")),
    (0x00200062, b"CS", "ImageLaterality", (b"right ", b"BILATERAL ", b"HIP ")),
    (0x00181602, b"IS", "ShutterLeftVerticalEdge", (b"10,5", b"left", b"[40]")),
    (0x00280034, b"IS", "PixelAspectRatio", (b"1:1 ", b"1/1 ", b"square")),
)
_USELESS_AGES: Final = (b"000Y", b"999Y", b"adult ", b"-05Y")
_BIRTH_DATES: Final = (b"20150612", b"1958.06.12", b"12/06/1958", b"19580631", b"12-JUN-1958 ", b"1958", b"unknown ", b"00000000")
_REMOVABLE: Final = (
    *(0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00280004, 0x00280101, 0x00280102, 0x00280103, 0x00181164, 0x00101010),
    *(0x00080016, 0x00080060, 0x00185101, 0x00200020),
)
"""Elements by which pixels, scale or facts are read; a file may lack any of them."""
_CHARSETS: Final = (b"ISO_IR 192", b"ISO 2022 IR 87", b"GB18030 ", b"\\\\ISO 2022 IR 149 ", b"utf-7 ", b"../x", b"\xff\xff")
_SYNTAXES: Final = (
    *(f"1.2.840.10008.1.2{end}".encode() for end in ("", ".1", ".2", ".1.99", ".5")),
    *(f"1.2.840.10008.1.2.4.{number}".encode() for number in (50, 51, 57, 70, 80, 81, 90, 91, 93, 100, 201, 203)),
    *(b"1.2.3", b"", b"../x"),
)


@dataclass(frozen=True)
class Mutant:
    """A hostile file.

    recipe: the seed file and the names of its mutations. told: what a note must hold if the file is read, such as
    "PatientAge '000Y'", or "" where nothing must be told.
    """

    content: bytes
    recipe: str
    told: str = ""


def mutate(seeds: Sequence[Seed], seed: int, index: int) -> Mutant:
    """Make the mutant of an index: one to three mutations of one of the seeds.

    Args:
        seeds: of `load_seeds`.
        seed: of the whole series.
        index: of the mutant in it; the same three always give the same bytes.
    """
    draw = random.Random(f"{seed}/{index}")
    large = draw.random() < _LARGE_SHARE
    hip = draw.random() < _HIP_SHARE
    parent = draw.choice([parent for parent in seeds if (len(parent.body) > _LARGE_BYTES, parent.hip) == (large, hip)])
    head, body = parent.head, bytearray(parent.body)
    names: list[str] = []
    told = ""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        name, mutation = draw.choice(_MUTATIONS)
        names.append(name)
        if mutation is None:
            head = _lying_head(parent, draw)
        else:
            # Offsets of elements hold for the first mutation and roughly after it, which is all that damage needs.
            told = mutation(body, parent, draw) or ""
        if mutation is _make_acr_nema:
            head = b""
    content = head + (_deflated(body) if parent.deflated else bytes(body))
    if draw.random() < 0.1:
        names.append("damaged file")
        damaged = bytearray(content)
        _flip_bytes(damaged, parent, draw)
        content = bytes(damaged)
    return Mutant(content, f"{parent.name}: {', '.join(names)}", told if len(names) == 1 else "")


def _deflated(body: bytearray) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(bytes(body)) + stream.flush()


Mutation = Callable[[bytearray, Seed, random.Random], str | None]
"""Changes a data set; may return what must be told."""


def _flip_bits(body: bytearray, parent: Seed, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 2, 8, 32)) if body else 0):
        body[_place(body, draw)] ^= 1 << draw.randrange(8)


def _flip_bytes(body: bytearray, parent: Seed, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 2, 8, 32)) if body else 0):
        body[_place(body, draw)] = draw.choice((0, 0xFF, 0x7F, 0x80, draw.randrange(256)))


def _truncate(body: bytearray, parent: Seed, draw: random.Random) -> None:
    del body[draw.randrange(len(body) + 1) :]


def _insert(body: bytearray, parent: Seed, draw: random.Random) -> None:
    at = draw.randrange(len(body) + 1)
    body[at:at] = draw.choice((draw.randbytes(draw.randrange(1, 64)), b"\0" * draw.randrange(1, 5000), b"\xff" * 16))


def _delete(body: bytearray, parent: Seed, draw: random.Random) -> None:
    at = draw.randrange(len(body) + 1)
    del body[at : at + draw.choice((1, 2, 4, 16, 200, 5000))]


def _duplicate(body: bytearray, parent: Seed, draw: random.Random) -> None:
    at = draw.randrange(len(body) + 1)
    body[at:at] = body[at : at + draw.choice((8, 64, 1000))] * draw.choice((1, 2, 50))


def _lie_about_length(body: bytearray, parent: Seed, draw: random.Random) -> None:
    element = _element(parent, draw)
    size = element.length_bytes
    value = draw.choice((*_LENGTHS, element.length + 1, max(0, element.length - 1), element.length * 2)) % (1 << 8 * size)
    body[element.value - size : element.value] = value.to_bytes(size, "big" if parent.big else "little")


def _lie_about_item_length(body: bytearray, parent: Seed, draw: random.Random) -> None:
    marks = (b"\xff\xfe\xe0\x00", b"\xff\xfe\xe0\xdd") if parent.big else (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0")
    places = [place for mark in marks for place in _all(body, mark)]
    if places:
        at = draw.choice(places)
        body[at + 4 : at + 8] = draw.choice(_LENGTHS).to_bytes(4, "big" if parent.big else "little")


def _swap_vr(body: bytearray, parent: Seed, draw: random.Random) -> None:
    start = _element(parent, draw).start
    body[start + 4 : start + 6] = draw.choice(_VRS)


def _swap_tags(body: bytearray, parent: Seed, draw: random.Random) -> None:
    one, other = _element(parent, draw).start, _element(parent, draw).start
    body[one : one + 4], body[other : other + 4] = body[other : other + 4], body[one : one + 4]


def _lie_about_numbers(body: bytearray, parent: Seed, draw: random.Random) -> None:
    for tag in draw.sample(_NUMBERS, draw.choice((1, 1, 2, 3))):
        value = draw.choice(_PIXEL_NUMBERS)
        _add(body, parent, parent.encoded(tag, b"US", value.to_bytes(2, "big" if parent.big else "little")))


def _hostile_text(body: bytearray, parent: Seed, draw: random.Random) -> None:
    tag, _, vr = draw.choice(_TEXTS.split()).partition(":")
    vr_bytes = draw.choice((vr.encode(), vr.encode(), b"UT"))
    _add(body, parent, parent.encoded(int(tag, 16), vr_bytes, draw.choice(_HOSTILE_TEXTS)))


def _type_value(body: bytearray, parent: Seed, draw: random.Random) -> str:
    tag, vr, keyword, values = draw.choice(_TYPED)
    typed = draw.choice(values)
    _add(body, parent, parent.encoded(tag, vr, typed))
    return f"{keyword} '{typed.decode().strip()}'"


def _useless_age(body: bytearray, parent: Seed, draw: random.Random) -> str:
    """An age that is none, beside a date of birth that may be one."""
    age = draw.choice(_USELESS_AGES)
    _add(body, parent, parent.encoded(0x00101010, b"AS", age))
    _add(body, parent, parent.encoded(0x00100030, b"DA", draw.choice(_BIRTH_DATES)))
    return f"PatientAge '{age.decode().strip()}'"


def _remove(body: bytearray, parent: Seed, draw: random.Random) -> None:
    there = [element for element in parent.elements if element.tag in _REMOVABLE]
    if there:
        element = draw.choice(there)
        del body[element.start : element.value + element.length]


def _make_acr_nema(body: bytearray, parent: Seed, draw: random.Random) -> str:
    """Take out the UIDs by which a file is DICOM, and say that it is of its forerunner; its head goes too."""
    order = ">HH" if parent.big else "<HH"
    for element in (0x0016, 0x0018):
        body[:] = body.replace(struct.pack(order, 0x0008, element), struct.pack(order, 0x0009, element))
    code = draw.choice((b"ACR-NEMA 2.0", b"ACR-NEMA 1.0", b"ACR-NEMA", b"ACR"))
    body[:0] = parent.encoded(0x00080010, b"SH", code + b" " * (len(code) % 2))
    return "ACR-NEMA"


def _wrong_charset(body: bytearray, parent: Seed, draw: random.Random) -> None:
    _add(body, parent, parent.encoded(0x00080005, b"CS", draw.choice(_CHARSETS)))
    _add(body, parent, parent.encoded(0x00081030, b"LO", draw.randbytes(40)))


def _nest(body: bytearray, parent: Seed, draw: random.Random) -> None:
    depth = draw.choice((3, 30, 300, 3000, 20000))
    order = ">" if parent.big else "<"
    item = struct.pack(order + "HHI", 0xFFFE, 0xE000, draw.choice((0xFFFFFFFF, 0xFFFFFFFF, 8)))
    tag = draw.choice((0x00081140, 0x00283010, 0x00283000, 0x00540220, 0x00091001))
    _add(body, parent, (parent.encoded(tag, b"SQ", b"", 0xFFFFFFFF) + item) * depth)


def _lie_about_lut(body: bytearray, parent: Seed, draw: random.Random) -> None:
    order = ">" if parent.big else "<"
    numbers = (0, 1, 2, 8, 12, 16, 17, 255, 256, 4096, 65535)
    descriptor = struct.pack(order + "HHH", *(draw.choice(numbers) for _ in range(3)))[: draw.choice((2, 4, 6, 6, 6, 6))]
    data = draw.randbytes(draw.choice((0, 1, 2, 511, 512, 8192, 131072)))
    item = parent.encoded(0x00283002, draw.choice((b"US", b"SS", b"OW")), descriptor)
    if draw.random() < 0.8:
        item += parent.encoded(0x00283006, draw.choice((b"OW", b"UN")), data)
    head = struct.pack(order + "HHI", 0xFFFE, 0xE000, len(item))
    _add(body, parent, parent.encoded(draw.choice((0x00283000, 0x00283010)), b"SQ", head + item))


def _wrong_pixels(body: bytearray, parent: Seed, draw: random.Random) -> None:
    pixels = _pixels(parent)
    if pixels is not None:
        del body[pixels.value + draw.randrange(pixels.length + 1) :]
        body += draw.randbytes(draw.choice((0, 0, 1, 3, 20000)))
        size = min(max(0, len(body) - pixels.value), 0xFFFFFFFF)
        body[pixels.value - 4 : pixels.value] = size.to_bytes(4, "big" if parent.big else "little")


def _break_fragments(body: bytearray, parent: Seed, draw: random.Random) -> None:
    pixels = _pixels(parent)
    if pixels is not None:
        places = [place for place in _all(body, b"\xfe\xff\x00\xe0") if place >= pixels.value]
        for _ in range(draw.choice((1, 2)) if places else 0):
            at = draw.choice(places)
            fragment = b"\xfe\xff\x00\xe0" + draw.choice(_LENGTHS).to_bytes(4, "little")
            body[at : at + draw.choice((0, 8, 8, 16))] = draw.choice((b"", fragment, fragment * 3, fragment * 2000))


def _damage_codec_header(body: bytearray, parent: Seed, draw: random.Random) -> None:
    pixels = _pixels(parent)
    if pixels is not None:
        for _ in range(draw.choice((1, 2, 4, 16))):
            at = pixels.value + 16 + draw.randrange(120)
            if at < len(body):
                body[at] = draw.choice((0, 1, 0xFF, 0x7F, 0x80, draw.randrange(256)))


def _lying_head(parent: Seed, draw: random.Random) -> bytes:
    """Another file meta information: a transfer syntax that is not the data set's."""
    syntax = draw.choice(_SYNTAXES)
    syntax += b"\0" * (len(syntax) % 2)
    element = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    return b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(element)) + element


_MUTATIONS: Final[tuple[tuple[str, Mutation | None], ...]] = (
    ("flipped bits", _flip_bits),
    ("overwritten bytes", _flip_bytes),
    ("truncated", _truncate),
    ("inserted span", _insert),
    ("deleted span", _delete),
    ("duplicated span", _duplicate),
    ("false length", _lie_about_length),
    ("false length", _lie_about_length),
    ("false item length", _lie_about_item_length),
    ("swapped VR", _swap_vr),
    ("swapped tags", _swap_tags),
    ("false image numbers", _lie_about_numbers),
    ("false image numbers", _lie_about_numbers),
    ("hostile text", _hostile_text),
    ("typed value", _type_value),
    ("typed value", _type_value),
    ("useless age", _useless_age),
    ("removed element", _remove),
    ("ACR-NEMA", _make_acr_nema),
    ("wrong character set", _wrong_charset),
    ("nested sequences", _nest),
    ("false LUT", _lie_about_lut),
    ("wrong length of pixels", _wrong_pixels),
    ("broken fragments", _break_fragments),
    ("damaged codec header", _damage_codec_header),
    ("damaged codec header", _damage_codec_header),
    ("false transfer syntax", None),
)


def _place(body: bytearray, draw: random.Random) -> int:
    """A place in the body; every second one among the first bytes, where the header is."""
    return draw.randrange(min(len(body), 2000) if draw.random() < 0.5 else len(body))


def _element(parent: Seed, draw: random.Random) -> Element:
    return draw.choice(parent.elements)


def _pixels(parent: Seed) -> Element | None:
    return next((element for element in parent.elements if element.tag == PIXEL_DATA), None)


def _add(body: bytearray, parent: Seed, element: bytes) -> None:
    """Add an element before the pixels, where it replaces an earlier one of its tag."""
    pixels = _pixels(parent)
    at = len(body) if pixels is None else min(pixels.start, len(body))
    body[at:at] = element


def _all(body: bytearray, mark: bytes) -> list[int]:
    places: list[int] = []
    at = body.find(mark)
    while at >= 0 and len(places) < 1000:
        places.append(at)
        at = body.find(mark, at + 1)
    return places
