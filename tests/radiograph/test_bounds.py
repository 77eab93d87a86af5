"""Hostile files: each is refused with its reason, before memory or time is spent on what it claims."""

import gzip
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless
from radiograph_files import dataset, ramp, write
from scripts.clinical import Code, RefusedError
from scripts.radiograph import NormaliseRadiographd, bounds, read_radiograph


def refusal(path):
    """Return the reason, having made sure that the radiograph was refused without taking much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError) as caught:
            read_radiograph(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert "not analysed" in caught.value.reason.sentence
    return caught.value.reason


def test_a_file_beyond_the_largest(tmp_path):
    path = tmp_path / "film.dcm"
    with path.open("wb") as file:
        file.truncate(bounds.LARGEST_FILE_BYTES + 1)
    reason = refusal(path)
    assert reason.code == Code.TOO_LARGE and "256 MiB" in reason.sentence


def test_more_pixels_claimed_than_the_file_holds(tmp_path):
    reason = refusal(write(tmp_path, Rows=7000, Columns=9000))
    assert reason.code == Code.UNREADABLE and "126000000 are expected" in reason.sentence


def test_more_pixels_claimed_than_any_radiograph_has(tmp_path):
    reason = refusal(write(tmp_path, Rows=60000, Columns=60000))
    assert reason.code == Code.TOO_LARGE and "64 million" in reason.sentence


@pytest.mark.parametrize("plugin", [(JPEG2000Lossless, "pylibjpeg"), (JPEGLSLossless, "pyjpegls")])
def test_a_codestream_of_another_size_than_the_header_says(tmp_path, plugin):
    ds = dataset()
    ds.compress(plugin[0], encoding_plugin=plugin[1])
    ds.Rows = 79
    ds.save_as(tmp_path / "film.dcm")
    reason = refusal(tmp_path / "film.dcm")
    assert reason.code == Code.UNREADABLE and "80 x 96" in reason.sentence


def test_an_element_that_claims_gigabytes(tmp_path):
    path = write(tmp_path)
    data = bytearray(path.read_bytes())
    place = data.index(b"\xe0\x7f\x10\x00OW") + 8
    data[place : place + 4] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data[: place + 4 + 100])
    assert refusal(path).code == Code.UNREADABLE


def test_a_header_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.radiograph.parsing.LARGEST_HEADER_BYTES", 1 << 20)
    reason = refusal(write(tmp_path, ImageComments="x" * (2 << 20)))
    assert reason.code == Code.TOO_LARGE and "1 MiB" in reason.sentence


def test_sequences_nested_beyond_reason(tmp_path):
    """Items of undefined length, so that parsing one means parsing all; whichever of pydicom's functions is then the deepest."""

    def refusal_below(depth):
        return refusal_below(depth - 1) if depth else refusal(path)

    path = write(tmp_path)
    data = path.read_bytes()
    place = data.index(b"\x20\x00\x0d\x00UI")  # StudyInstanceUID: the sequence comes just before it
    depth = 5000
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    path.write_bytes(data[:place] + opening * depth + closing * depth + data[place:])
    for reason in map(refusal_below, range(8)):
        assert reason.code == Code.UNREADABLE and "nested" in reason.sentence


def test_a_deflated_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LARGEST_FILE_BYTES", 1 << 20)
    ds = dataset(ImageComments="x" * (2 << 20))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    reason = refusal(tmp_path / "film.dcm")
    assert reason.code == Code.TOO_LARGE and "inflated" in reason.sentence


def test_a_gzip_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LARGEST_FILE_BYTES", 1 << 20)
    path = tmp_path / "film.nii.gz"
    path.write_bytes(gzip.compress(bytes(2 << 20)))
    assert refusal(path).code == Code.TOO_LARGE


def test_a_png_bomb(tmp_path):
    """A header of 30000 x 30000 pixels and next to no data."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 16, 0, 0, 0, 0))
    path = tmp_path / "film.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    assert refusal(path).code == Code.TOO_LARGE


def test_tiffs_that_are_no_single_grey_radiograph(tmp_path):
    film = Image.fromarray((ramp() // 16).astype(np.uint8))
    film.save(tmp_path / "pages.tif", save_all=True, append_images=[film])
    assert refusal(tmp_path / "pages.tif").code == Code.MULTIFRAME
    Image.fromarray(ramp().astype(np.float32)).save(tmp_path / "float.tif")
    assert refusal(tmp_path / "float.tif").code == Code.UNSUPPORTED_ENCODING
    Image.fromarray(ramp() > 2000).save(tmp_path / "mask.tif")
    assert refusal(tmp_path / "mask.tif").code == Code.NOT_A_RADIOGRAPH
    whole = (tmp_path / "mask.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[:40])
    assert refusal(tmp_path / "cut.tif").code == Code.UNREADABLE


def test_pixels_in_floating_point_or_32_bits(tmp_path):
    ds = dataset(BitsAllocated=32, BitsStored=32)
    ds.save_as(tmp_path / "film.dcm")
    assert refusal(tmp_path / "film.dcm").code == Code.UNSUPPORTED_ENCODING
    ds = dataset()
    del ds.PixelData
    ds.FloatPixelData = ramp().astype(np.float32).tobytes()
    ds.save_as(tmp_path / "film.dcm")
    reason = refusal(tmp_path / "film.dcm")
    assert reason.code == Code.UNSUPPORTED_ENCODING and "floating-point" in reason.sentence


def test_coloured_palettes(tmp_path):
    ds = dataset((ramp() // 16).astype(np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for number in range(3):
        ds.add_new(0x00281101 + number, "US", [256, 0, 16])
        ds.add_new(0x00281201 + number, "OW", (np.arange(256) * (257 if number else 0)).astype("<u2").tobytes())
    ds.save_as(tmp_path / "film.dcm")
    assert refusal(tmp_path / "film.dcm").code == Code.NOT_A_RADIOGRAPH


def test_uids_that_are_none_count_as_unknown(tmp_path, recwarn):
    path = write(tmp_path)
    data = path.read_bytes()
    place = data.index(b"\x20\x00\x0d\x00UI") + 8
    length = data[place - 2]
    path.write_bytes(data[:place] + b"../../../etc/passwd".ljust(length, b"\0") + data[place + length :])
    recwarn.clear()
    meta = read_radiograph(path).meta
    assert meta["study_uid"] == "" and meta["series_uid"]
    assert any("StudyInstanceUID in the header is no UID" in note for note in meta["assumptions"])
    assert not recwarn.list


@pytest.mark.parametrize("charset", [b"ISO_IR 192", b"ISO 2022 IR 87", b"NO_SUCH_SET"])
def test_texts_in_another_character_set_than_said(tmp_path, recwarn, capfd, charset):
    path = write(tmp_path, SpecificCharacterSet="ISO_IR 100", SeriesDescription="Huefte M\xfcller", BodyPartExamined="")
    data = path.read_bytes()
    place = data.index(b"ISO_IR 100")
    path.write_bytes(data[:place] + charset.ljust(10)[:10] + data[place + 10 :])
    recwarn.clear()
    assert read_radiograph(path).ndim == 3
    assert not recwarn.list and capfd.readouterr().err == ""


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "film.dcm")
    assert refusal(tmp_path / "film.dcm").code == Code.UNREADABLE


def test_a_damaged_optional_value_does_not_cost_the_radiograph(tmp_path):
    path = write(tmp_path, PatientWeight="70.5")
    path.write_bytes(path.read_bytes().replace(b"70.5", b"ab,c"))
    meta = read_radiograph(path).meta
    assert meta["weight_kg"] is None


def test_what_the_header_calls_background_does_not_count(tmp_path):
    """A tilted half of padding, and a shutter over another corner: the rest decides on the range of densities."""

    rng = np.random.default_rng(0)
    film = rng.integers(1200, 2800, (400, 300)).astype(np.uint16)
    rows, cols = np.indices(film.shape)
    film[rows + cols < 250] = 4095
    film[:, 250:] = rng.integers(3000, 3900, (400, 50))
    shutter = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 1,
        "ShutterRightVerticalEdge": 250,
        "ShutterUpperHorizontalEdge": 1,
        "ShutterLowerHorizontalEdge": 400,
    }
    path = write(tmp_path, film, PixelPaddingValue=4095, **shutter)
    image = NormaliseRadiographd("image")({"image": read_radiograph(path)})["image"]
    low, high = image.meta["normalise_limits"]
    assert (low, high) == (pytest.approx(1216 / 4095, abs=0.01), pytest.approx(2784 / 4095, abs=0.01))


def test_an_empty_sequence_of_everything_is_read(tmp_path):
    empty = {name: Sequence([]) for name in ("ModalityLUTSequence", "VOILUTSequence", "ViewCodeSequence")}
    np.testing.assert_allclose(read_radiograph(write(tmp_path, **empty))[0].numpy(), ramp() / 4095, atol=1e-6)
    np.testing.assert_allclose(
        read_radiograph(write(tmp_path, VOILUTSequence=Sequence([Dataset()])))[0].numpy(), ramp() / 4095, atol=1e-6
    )
