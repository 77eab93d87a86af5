"""Files made to harm their reader each end in a reason or an image, in seconds, and the next file is read."""

import os
import struct
import threading

import hostile_files as hostile
import numpy as np
import pytest
from monai.transforms import Compose
from radiograph_files import write
from scripts.clinical import Code
from scripts.development.hostile_seeds import load_seeds
from scripts.development.mutation import mutate
from scripts.radiograph import IsolatedReader, LoadRadiographd, NormaliseRadiographd, ResampleRadiographd

IMAGE = "image"
MEMORY = 256 << 20

FILES = {
    "65535 x 65535 pixels": (lambda to: write(to, Rows=65535, Columns=65535), "TOO_LARGE"),
    "7000 x 9000 pixels that are not there": (lambda to: write(to, Rows=7000, Columns=9000), "UNREADABLE"),
    "no rows": (lambda to: write(to, Rows=0), "NOT_A_RADIOGRAPH"),
    "one column": (lambda to: write(to, Columns=1), "NOT_A_RADIOGRAPH"),
    "2147483647 frames": (lambda to: write(to, NumberOfFrames=2147483647), "MULTIFRAME"),
    "-1 frames": (lambda to: write(to, NumberOfFrames=-1), "UNREADABLE"),
    "65535 bits allocated": (lambda to: write(to, BitsAllocated=65535), "UNSUPPORTED_ENCODING"),
    "no bits stored": (lambda to: hostile.length_after(to, b"\x28\0\x01\x01US\x02\0", 2, 0), "UNSUPPORTED_ENCODING"),
    "more bits stored than allocated": (lambda to: write(to, BitsStored=40), "UNSUPPORTED_ENCODING"),
    "65535 samples per pixel": (lambda to: write(to, SamplesPerPixel=65535), "UNREADABLE"),
    "pixels of one byte": (lambda to: write(to, PixelData=b"\0\0"), "UNREADABLE"),
    "32-bit length bomb": (lambda to: hostile.length_after(to, hostile.PIXELS, 4, 0xFFFFFFFE), IMAGE),
    "pixels of undefined length": (lambda to: hostile.length_after(to, hostile.PIXELS, 4, hostile.UNDEFINED), "UNREADABLE"),
    "16-bit length bomb": (lambda to: hostile.length_after(to, b"\x08\x00\x60\x00CS", 2, 0xFFFE), "NOT_A_RADIOGRAPH"),
    "private value of 2 GiB": (lambda to: hostile.before_pixels(to, hostile.PRIVATE_2_GIB), "UNREADABLE"),
    "sequence of 2 GiB": (
        lambda to: hostile.before_pixels(to, b"\x08\x00\x40\x11SQ\0\0" + struct.pack("<I", 0x7FFFFFFE)),
        "UNREADABLE",
    ),
    "meta information of 4 GiB": (lambda to: hostile.length_after(to, b"\x02\x00\x00\x00UL\x04\0", 4, 0xFFFFFFF0), IMAGE),
    "sequences 10000 deep": (lambda to: hostile.nested(to, 10_000), "UNREADABLE"),
    "sequences 200000 deep": (lambda to: hostile.nested(to, 200_000), "UNREADABLE"),
    "private sequences 10000 deep": (lambda to: hostile.nested(to, 10_000, (0x0009, 0x1001)), "UNREADABLE"),
    "look-up table shorter than it says": (lambda to: hostile.lying_lut(to, (65535, 0, 16), b"\1\0"), "NOT_A_RADIOGRAPH"),
    "look-up table of no entries": (lambda to: hostile.lying_lut(to, (4096, 0, 16), b""), IMAGE),
    "look-up table of 65535 bits": (lambda to: hostile.lying_lut(to, (4096, 0, 65535), bytes(8192)), IMAGE),
    "window of no width": (lambda to: write(to, WindowCenter="0", WindowWidth="0"), IMAGE),
    "window beyond numbers": (lambda to: write(to, WindowCenter="1e308", WindowWidth="1e-320"), IMAGE),
    "slope that is no number": (lambda to: write(to, RescaleSlope="nan", RescaleIntercept="inf"), IMAGE),
    "pixel size of nothing": (lambda to: write(to, ImagerPixelSpacing=["0", "0"]), "NO_SPACING"),
    "pixel size without end": (lambda to: write(to, ImagerPixelSpacing=["inf", "1e308"]), "NO_SPACING"),
    "name that leaves the folder": (lambda to: write(to, PatientName="../../../etc/passwd", PatientID="../x"), IMAGE),
    "UIDs that leave the folder": (lambda to: hostile.before_pixels(to, b"\x20\x00\x0d\0UI\x08\0../../x\0"), IMAGE),
    "text that is not UTF-8": (lambda to: hostile.before_pixels(to, b"\x08\x00\x30\x10LO\x06\0\xff\xfe\xc3\x28\x1b$"), IMAGE),
    "unknown character set": (lambda to: hostile.before_pixels(to, b"\x08\0\x05\0CS\x04\0../x"), IMAGE),
    "file name that is not UTF-8": (lambda to: write(to, name=os.fsdecode(b"\xff\xfe\xe9.dcm")), IMAGE),
    "file name with a line break": (lambda to: write(to, name="a\n\x1b[2Jb.dcm"), IMAGE),
    "dangling link": (lambda to: hostile.link(to, to / "nowhere"), "UNREADABLE"),
    "cyclic link": (hostile.cycle, "UNREADABLE"),
    "link to /dev/zero": (lambda to: hostile.link(to, "/dev/zero"), "UNREADABLE"),
    "link to /dev/stdin": (lambda to: hostile.link(to, "/dev/stdin"), "UNREADABLE"),
    "named pipe": (hostile.fifo, "UNREADABLE"),
    "folder named as a film": (hostile.directory, "UNREADABLE"),
    "file of 8 GiB": (hostile.huge_file, "TOO_LARGE"),
    "empty file": (lambda to: hostile.with_bytes(to, lambda content: b""), "UNREADABLE"),
    "half a file": (lambda to: hostile.with_bytes(to, lambda content: content[: len(content) // 2]), "UNREADABLE"),
    "noise": (lambda to: hostile.noise(to, "film.dcm"), "UNREADABLE"),
    "noise named PNG": (lambda to: hostile.noise(to, "film.png"), "UNREADABLE"),
    "deflate bomb": (hostile.deflate_bomb, "TOO_LARGE"),
    "deflate bomb in a private value": (lambda to: hostile.deflate_bomb(to, hostile.PRIVATE_2_GIB), "TOO_LARGE"),
    "PNG of 60000 x 60000 pixels": (lambda to: hostile.png(to, 60000, 60000, hostile.zeros(1, 15)), "TOO_LARGE"),
    "PNG with 2 GiB of rows": (lambda to: hostile.png(to, 100, 100, hostile.zeros(2048, 15)), "NOT_A_RADIOGRAPH"),
    "PNG of more pixels than memory": (lambda to: hostile.png(to, 7000, 9000, hostile.zeros(121, 15)), "TOO_LARGE"),
    "NIfTI of more values than memory": (lambda to: hostile.nifti(to, (7000, 9000), 500), "TOO_LARGE"),
    "NIfTI of 32767 x 32767 values": (lambda to: hostile.nifti(to, (32767, 32767), 2048), "TOO_LARGE"),
    "NIfTI of negative size": (lambda to: hostile.nifti(to, (-5, 9000), 1), "NOT_A_RADIOGRAPH"),
    "JPEG 2000 stream of 60000 x 60000": (
        lambda to: hostile.codec_bomb(to, "MR_small_jp2klossless.dcm", b"\xff\x51", 4, 4, 60000),
        "UNREADABLE",
    ),
    "JPEG-LS stream of 60000 x 60000": (
        lambda to: hostile.codec_bomb(to, "MR_small_jpeg_ls_lossless.dcm", b"\xff\xf7", 3, 2, 60000),
        "UNREADABLE",
    ),
    "JPEG stream of 60000 x 60000": (
        lambda to: hostile.codec_bomb(to, "SC_rgb_jpeg_gdcm.dcm", b"\xff\xc3", 3, 2, 60000),
        "UNREADABLE",
    ),
}

# fmt: off
MUTANTS = (
    3, 4, 31, 36, 39, 64, 107, 169, 255, 299, 304, 407, 445, 559, 816, 1041,
    1131, 1170, 1370, 1444, 2352, 2718, 3465, 3793, 4138, 4452, 5818, 6178, 7134, 8737, 9863, 10344,
    12239, 12469, 14016, 15093, 16096, 16962, 17458, 17679, 18208, 18258, 18521, 18897, 18925, 18945, 19020, 19096,
    19200, 19277,
)
# fmt: on
"""Indices, of seed 0, of the mutants that took the longest or most memory, or raised an exception of its own kind in the
libraries below the reader."""


@pytest.fixture(scope="module")
def reader():
    steps = (LoadRadiographd("image"), ResampleRadiographd("image"), NormaliseRadiographd("image"))
    return IsolatedReader(Compose(steps), seconds=20, memory_bytes=MEMORY)  # on an idle processor, 3 are enough


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def seeds():
    return load_seeds()


def outcomes(reader, path, good):
    """What becomes of a file, and whether the next one is read."""
    film, following = reader([{"image": str(path), "name": "hostile"}, {"image": str(good), "name": "good"}])
    assert "refusal" not in following
    return film


@pytest.mark.parametrize("name", FILES)
def test_a_file_made_to_harm_ends_in_its_reason_or_an_image(name, reader, good, tmp_path):
    make, expected = FILES[name]
    film = outcomes(reader, make(tmp_path), good)
    assert (film["refusal"].code if "refusal" in film else IMAGE) == expected, film.get("refusal")
    if expected == IMAGE:
        assert np.isfinite(film["image"].numpy()).all()


@pytest.mark.parametrize("index", MUTANTS)
def test_the_nastiest_mutants_end_in_a_reason_or_an_image(index, reader, good, seeds, tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(mutate(seeds, 0, index).content)
    film = outcomes(reader, path, good)
    assert "refusal" not in film or film["refusal"].code != Code.TOO_SLOW


def test_a_file_that_changes_while_it_is_read_ends_in_a_reason_or_an_image(reader, good, tmp_path):
    path = write(tmp_path)
    content, done = path.read_bytes(), threading.Event()

    def change():
        turn = 0
        while not done.is_set():
            turn += 1
            if turn % 3 == 0:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content[: len(content) // (turn % 3)])

    changer = threading.Thread(target=change)
    changer.start()
    try:
        films = list(reader({"image": str(path), "name": str(index)} for index in range(60)))
    finally:
        done.set()
        changer.join()
    assert {film["refusal"].code for film in films if "refusal" in film} <= {"UNREADABLE"}
    assert "refusal" not in reader.read({"image": str(good), "name": "good"})


def test_a_file_without_read_permission_is_refused(reader, good, tmp_path):
    path = write(tmp_path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert outcomes(reader, path, good)["refusal"].code == "UNREADABLE"
