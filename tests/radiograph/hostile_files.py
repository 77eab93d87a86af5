"""Files made to harm whoever reads them; each function writes one into a folder and returns its path."""

import gzip
import os
import struct
import zlib

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian
from radiograph_files import dataset, write

PIXELS = b"\xe0\x7f\x10\x00OW\0\0"
UNDEFINED = 0xFFFFFFFF
PRIVATE_2_GIB = b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 0x7FFFFFFE)


def zeros(mebibytes, wbits):
    """A stream of so many zeros, from repeats of one compressed block."""
    stream = zlib.compressobj(9, zlib.DEFLATED, wbits)
    first = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    again = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1)


def with_bytes(folder, change):
    path = write(folder)
    path.write_bytes(change(path.read_bytes()))
    return path


def before_pixels(folder, elements):
    return with_bytes(folder, lambda content: content.replace(PIXELS, elements + PIXELS))


def length_after(folder, header, size, length):
    """A radiograph in which another number follows the first of this header."""

    def change(content):
        at = content.index(header) + len(header)
        return content[:at] + length.to_bytes(size, "little") + content[at + size :]

    return with_bytes(folder, change)


def nested(folder, levels, tag=(0x0008, 0x1140)):
    level = (
        struct.pack("<HH", *tag) + b"SQ\0\0" + struct.pack("<I", UNDEFINED) + b"\xfe\xff\x00\xe0" + struct.pack("<I", UNDEFINED)
    )
    return before_pixels(folder, level * levels)


def deflate_bomb(folder, start=b""):
    """A deflated radiograph whose data set is `start` and 2 GiB of zeros."""
    path = folder / "film.dcm"
    small = dataset()
    small.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    small.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    meta = 132 + 12 + struct.unpack("<I", content[140:144])[0]
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = stream.compress(start) + stream.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(content[:meta] + head + zeros(2048, -15))
    return path


def png(folder, rows, cols, data):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", cols, rows, 16, 0, 0, 0, 0)
    path = folder / "film.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def nifti(folder, shape, mebibytes):
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<hh", head, 70, 64, 64)  # float64
    struct.pack_into("<f", head, 108, 352.0)
    head[344:348] = b"n+1\0"
    path = folder / "film.nii.gz"
    path.write_bytes(gzip.compress(bytes(head)) + gzip.compress(bytes(1 << 20)) * mebibytes)
    return path


def codec_bomb(folder, name, marker, at, size, value):
    """One of pydicom's radiographs as one of a hip, whose compressed stream claims another size after its marker."""
    film = pydicom.dcmread(get_testdata_file(name, download=False))
    film.Modality, film.BodyPartExamined, film.ViewPosition, film.ImagerPixelSpacing = "CR", "HIP", "AP", [0.15, 0.15]
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    path = folder / "film.dcm"
    film.save_as(path)
    content = bytearray(path.read_bytes())
    start = content.index(marker) + len(marker) + at
    for offset in (0, size):
        content[start + offset : start + offset + size] = value.to_bytes(size, "big")
    path.write_bytes(content)
    return path


def link(folder, target, name="film.dcm"):
    path = folder / name
    path.symlink_to(target)
    return path


def cycle(folder):
    (folder / "b.dcm").symlink_to(folder / "a.dcm")
    return link(folder, folder / "b.dcm", "a.dcm")


def fifo(folder):
    os.mkfifo(folder / "film.dcm")
    return folder / "film.dcm"


def directory(folder):
    (folder / "film.dcm").mkdir()
    return folder / "film.dcm"


def huge_file(folder):
    """A sparse file of 8 GiB that starts like a radiograph."""
    path = write(folder)
    os.truncate(path, 8 << 30)
    return path


def lying_lut(folder, descriptor, entries):
    item = b"\x28\x00\x02\x30US\x06\x00" + struct.pack("<HHH", *descriptor)
    item += b"\x28\x00\x06\x30OW\0\0" + struct.pack("<I", len(entries)) + entries
    sequence = (
        b"\x28\x00\x10\x30SQ\0\0" + struct.pack("<I", len(item) + 8) + b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item
    )
    return before_pixels(folder, sequence)


def noise(folder, name):
    path = folder / name
    path.write_bytes(np.random.default_rng(1).bytes(5000))
    return path
