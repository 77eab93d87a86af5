"""Formats and damage: what is read, and what each unreadable file is told."""

import gzip
import os
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGExtended12Bit
from radiograph_files import COLS, ROWS, dataset, ramp, write
from scripts.clinical import Code, RefusedError
from scripts.radiograph import read_radiograph

PLAIN = ramp() / 4095
BYTES = (ramp() // 16).astype(np.uint8)


def refusal(path):
    with pytest.raises(RefusedError) as caught:
        read_radiograph(path)
    assert "not analysed" in caught.value.reason.sentence
    return caught.value.reason


def save(path, image, **options):
    Image.fromarray(image).save(path, **options)
    return path


def test_dicom_without_a_preamble(tmp_path):
    path = tmp_path / "film"
    ds = dataset()
    del ds.file_meta
    ds.save_as(path, implicit_vr=True, little_endian=True)
    np.testing.assert_allclose(read_radiograph(path)[0].numpy(), PLAIN, atol=1e-6)


def test_the_content_decides_not_the_name(tmp_path):
    path = write(tmp_path, name="film.png")
    assert read_radiograph(path).meta["modality"] == "CR"


def test_compressed_dicom(tmp_path):
    path = tmp_path / "film.dcm"
    ds = dataset()
    ds.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    ds.save_as(path)
    np.testing.assert_allclose(read_radiograph(path)[0].numpy(), PLAIN, atol=1e-6)


def test_png_of_8_and_16_bits_and_grey_colour(tmp_path):
    colour = np.stack([BYTES] * 3, axis=-1)
    for name, pixels, expected in (
        ("8.png", BYTES, BYTES / 255),
        ("16.png", ramp() * 16, ramp() * 16 / 65535),
        ("rgb.png", colour, BYTES / 255),
        ("rgba.png", np.dstack([colour, np.full_like(BYTES, 255)]), BYTES / 255),
    ):
        image = read_radiograph(save(tmp_path / name, pixels))
        np.testing.assert_allclose(image[0].numpy(), expected, atol=1e-6, err_msg=name)
        assert image.meta["spacing_source"] == "none"
        assert image.meta["spacing_mm"] is None
        assert image.meta["age_years"] is None


def test_jpeg_as_displayed(tmp_path):
    smooth = np.tile(np.linspace(0, 255, COLS).astype(np.uint8), (ROWS, 1))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    path = save(tmp_path / "film.jpg", smooth, quality=95, exif=exif)
    np.testing.assert_allclose(read_radiograph(path)[0].numpy(), np.rot90(smooth, -1) / 255, atol=0.03)


@pytest.mark.parametrize("shape", [(COLS, ROWS), (COLS, ROWS, 1), (COLS, 1, ROWS), (COLS, ROWS, 1, 1)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_is_turned_from_x_y_to_rows(tmp_path, shape, ending):
    volume = nib.Nifti1Image(ramp().astype(np.int16).T.reshape(shape), np.diag([-0.25, -0.3, -1, 1]))
    volume.header.set_zooms([{COLS: 0.25, ROWS: 0.3}.get(size, 1.0) for size in shape])
    volume.header.set_xyzt_units("mm")
    path = tmp_path / f"film{ending}"
    nib.save(volume, path)
    image = read_radiograph(path)
    np.testing.assert_allclose(image[0].numpy(), PLAIN, atol=1e-6)
    np.testing.assert_allclose(image.meta["spacing_mm"], (0.3, 0.25), rtol=1e-6)
    assert image.meta["spacing_source"] == "PixelSpacing"


def test_nifti_display_range_and_nan(tmp_path):
    values = np.linspace(-1, 2, ROWS * COLS).reshape(ROWS, COLS)
    values[0, 0] = np.nan
    volume = nib.Nifti1Image(values.T.astype(np.float32), np.eye(4))
    volume.header["cal_min"], volume.header["cal_max"] = 0, 1
    nib.save(volume, tmp_path / "film.nii")
    expected = np.clip(np.nan_to_num(values, nan=0), 0, 1)
    np.testing.assert_allclose(read_radiograph(tmp_path / "film.nii")[0].numpy(), expected, atol=1e-6)


def _volume(path):
    nib.save(nib.Nifti1Image(np.zeros((70, 80, 3), np.int16), np.eye(4)), path)


def _animation(path):
    frames = [Image.fromarray(BYTES), Image.fromarray(BYTES[::-1].copy())]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _truncated(path, make, share=0.5):
    make(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def _without_pixels(path):
    ds = dataset()
    del ds.PixelData
    ds.save_as(path)


def _damaged_jpeg2000(path):
    ds = dataset()
    ds.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    ds.PixelData = ds.PixelData[:16] + bytes(len(ds.PixelData) - 16)
    ds.save_as(path)


def _noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def _dicom(**attributes):
    return lambda path: write(path.parent, name=path.name, **attributes)


BAD = {
    "empty.dcm": (Code.UNREADABLE, lambda path: path.write_bytes(b"")),
    "noise.dcm": (Code.UNREADABLE, _noise),
    "noise": (Code.UNREADABLE, _noise),
    "text.png": (Code.UNREADABLE, lambda path: path.write_text("hello")),
    "text.nii": (Code.UNREADABLE, lambda path: path.write_text("hello")),
    "text.nii.gz": (Code.UNREADABLE, lambda path: path.write_bytes(gzip.compress(b"hello"))),
    "magic.dcm": (Code.UNREADABLE, lambda path: path.write_bytes(bytes(128) + b"DICM")),
    "cut.dcm": (Code.UNREADABLE, lambda path: _truncated(path, _dicom())),
    "cut.png": (Code.UNREADABLE, lambda path: _truncated(path, lambda p: save(p, BYTES))),
    "cut.nii.gz": (
        Code.UNREADABLE,
        lambda path: _truncated(path, lambda p: nib.save(nib.Nifti1Image(ramp().astype(np.int16), np.eye(4)), p)),
    ),
    "no pixels.dcm": (Code.UNREADABLE, _without_pixels),
    "damaged jpeg 2000.dcm": (Code.UNREADABLE, _damaged_jpeg2000),
    "palette.dcm": (Code.UNREADABLE, _dicom(PhotometricInterpretation="PALETTE COLOR")),
    "photometric.dcm": (Code.UNREADABLE, _dicom(PhotometricInterpretation=None)),
    "blank.dcm": (Code.NOT_A_RADIOGRAPH, lambda path: write(path.parent, np.full((80, 96), 7, np.uint16), path.name)),
    "mask.png": (Code.NOT_A_RADIOGRAPH, lambda path: save(path, BYTES > 99)),
    "photo.png": (Code.NOT_A_RADIOGRAPH, lambda path: save(path, np.dstack([BYTES, BYTES // 2, BYTES // 4]))),
    "icon.png": (Code.NOT_A_RADIOGRAPH, lambda path: save(path, BYTES[:32, :32].copy())),
    "huge.png": (Code.TOO_LARGE, lambda path: Image.new("L", (20000, 6000)).save(path)),
    "volume.nii": (Code.MULTIFRAME, _volume),
    "animated.png": (Code.MULTIFRAME, _animation),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(tmp_path, name):
    code, make = BAD[name]
    make(tmp_path / name)
    assert refusal(tmp_path / name).code == code


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_header_is_read_or_refused_but_never_crashes(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(128, len(whole) - 2 * ROWS * COLS, 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_radiograph(path).ndim == 3
        except RefusedError as error:
            assert error.reason.sentence


def test_a_missing_file_and_a_folder(tmp_path):
    assert refusal(tmp_path / "nothing.dcm").code == Code.UNREADABLE
    assert refusal(tmp_path).code == Code.UNREADABLE


def test_12_bit_jpeg_names_the_syntax_and_the_way_out(tmp_path):
    path = tmp_path / "film.dcm"
    ds = dataset()
    ds.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    ds.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    ds.save_as(path)
    reason = refusal(path)
    assert reason.code == Code.UNSUPPORTED_ENCODING
    assert "JPEG Extended" in reason.sentence and "1.2.840.10008.1.2.4.51" in reason.sentence
    assert "Export it again uncompressed" in reason.sentence


def test_the_refusal_survives_a_worker_process(tmp_path):
    try:
        read_radiograph(tmp_path / "nothing.dcm")
    except RefusedError as error:
        assert pickle.loads(pickle.dumps(error)).reason == error.reason


REAL = Path(os.environ.get("OSTEOXR_REAL_DICOM") or Path(__file__).parents[3] / "shared" / "dicom")
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real DICOM files are not here (OSTEOXR_REAL_DICOM)")


@real
def test_real_hip():
    image = read_radiograph(REAL / "RG2_J2KR.dcm")
    assert image.shape == (1, 2140, 1760)
    meta = image.meta
    assert (meta["spacing_mm"], meta["sex"], meta["view"], meta["age_years"]) == ((0.2, 0.2), "M", "", None)
    assert len(meta["assumptions"]) == 3
    head, air = image[0, 850:900, 880:930].mean(), image[0, 1900:1950, 600:650].mean()
    assert head > air + 0.3, "bone is bright"


@real
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("RG1_J2KI.dcm", Code.NOT_A_HIP, "chest"),
        ("RG3_JLSL.dcm", Code.NOT_A_HIP, "lower leg"),
        ("hd_dx_image.dcm", Code.NOT_HUMAN, "animal"),
        ("RG2_JPLY.dcm", Code.UNSUPPORTED_ENCODING, "JPEG Extended"),
    ],
)
def test_real_refusals(name, code, said):
    reason = refusal(REAL / name)
    assert reason.code == code
    assert said in reason.sentence
