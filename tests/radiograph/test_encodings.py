"""Files whose parts contradict each other on how they are encoded, ACR-NEMA, and NIfTI that says which way is up."""

import struct

import nibabel as nib
import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from radiograph_files import COLS, ROWS, dataset, ramp
from scripts.clinical import Code, RefusedError
from scripts.dataset.identity import identify
from scripts.radiograph import read_radiograph
from scripts.radiograph.archives import ArchiveOpener

PLAIN = ramp() / 4095


def saved(folder, body, said):
    """A film of one encoding, whose file meta information says another."""
    ds = dataset()
    if body in (JPEG2000Lossless, JPEGLSLossless, RLELossless):
        ds.compress(body, encoding_plugin={RLELossless: "pydicom", JPEGLSLossless: "pyjpegls"}.get(body, "pylibjpeg"))
    elif body == ExplicitVRBigEndian:
        ds.PixelData = ramp().astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = body
    path = folder / "film.dcm"
    ds.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", content[140:144])[0]
    uid = (said or "").encode() + b"\0" * (len(said or "") % 2)
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid if uid else b""
    path.write_bytes(bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta + content[start:])
    return path


CONTRADICTIONS = [
    (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
    (ExplicitVRBigEndian, ExplicitVRLittleEndian),
    (ExplicitVRLittleEndian, ExplicitVRBigEndian),
    (ExplicitVRBigEndian, ImplicitVRLittleEndian),
    (ImplicitVRLittleEndian, ExplicitVRBigEndian),
    (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian),
    (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian),
    (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian),
    (DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian),
    (ExplicitVRLittleEndian, JPEGBaseline8Bit),
    (ExplicitVRLittleEndian, JPEG2000Lossless),
    (ImplicitVRLittleEndian, RLELossless),
    (JPEG2000Lossless, ExplicitVRLittleEndian),
    (JPEG2000Lossless, ImplicitVRLittleEndian),
    (JPEG2000Lossless, JPEGLosslessSV1),
    (JPEGLSLossless, JPEG2000Lossless),
    (RLELossless, ExplicitVRLittleEndian),
    (RLELossless, JPEGLSLossless),
    (JPEG2000Lossless, RLELossless),
    (ExplicitVRLittleEndian, None),
    (ImplicitVRLittleEndian, None),
    (ExplicitVRLittleEndian, "1.2.3.4"),
    (ImplicitVRLittleEndian, "explicit"),
    (JPEGLSLossless, "1.2.840.10008.9.9"),
]


@pytest.mark.parametrize(("body", "said"), CONTRADICTIONS, ids=lambda uid: getattr(uid, "name", str(uid)))
def test_what_the_bytes_are_counts_and_not_what_is_said_of_them(tmp_path, body, said):
    image = read_radiograph(saved(tmp_path, body, said))
    np.testing.assert_allclose(image[0].numpy(), PLAIN, atol=1e-6)
    notes = [note for note in image.meta["assumptions"] if "The file meta information says" in note]
    assert any(body.name in note for note in notes)
    assert not said or any(getattr(said, "name", "no transfer syntax that is known") in note for note in notes)
    assert "1.2.3.4" not in str(notes), "an unknown UID is any text that somebody wrote"


@pytest.mark.parametrize(
    ("body", "said"),
    [pair for pair in CONTRADICTIONS if pair[0] != DeflatedExplicitVRLittleEndian],
    ids=lambda uid: getattr(uid, "name", str(uid)),
)
def test_a_first_look_sees_what_the_bytes_are_too(tmp_path, body, said):
    path = saved(tmp_path, body, said)
    with ArchiveOpener() as opener:
        found = identify(path, opener)
    assert (found.sop_uid, found.patient_id) == (read_radiograph(path).meta["sop_uid"], "ID-4711")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEG2000Lossless])
def test_a_message_stored_before_the_data_set_is_passed_over(tmp_path, syntax):
    """Of a network message: its length, the SOP class and the number of the message."""
    path = saved(tmp_path, syntax, syntax)
    content = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", content[140:144])[0]
    parts = struct.pack("<HHI2s", 0, 0x0100, 2, b"\1\0") + struct.pack("<HHI2s", 0, 0x0110, 2, b"\7\0")
    path.write_bytes(content[:start] + struct.pack("<HHII", 0, 0, 4, len(parts)) + parts + content[start:])
    image = read_radiograph(path)
    np.testing.assert_allclose(image[0].numpy(), PLAIN, atol=1e-6)
    with ArchiveOpener() as opener:
        assert identify(path, opener).sop_uid == image.meta["sop_uid"] != ""


HONEST = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, JPEG2000Lossless)


@pytest.mark.parametrize("syntax", HONEST)
def test_nothing_is_said_of_a_file_that_is_what_it_says(tmp_path, syntax):
    assert "meta information" not in str(read_radiograph(saved(tmp_path, syntax, syntax)).meta["assumptions"])


def test_a_deflated_file_that_is_neither_is_refused(tmp_path):
    path = saved(tmp_path, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    start = content.index(b"\x08\x00\x16\x00UI")
    path.write_bytes(content[:start] + b"\xff" * 500)
    with pytest.raises(RefusedError) as caught:
        read_radiograph(path)
    assert caught.value.reason.code == Code.UNREADABLE


def acr_nema(folder, lengths=False, implicit=True, code="ACR-NEMA 2.0", **attributes):
    """An ACR-NEMA file: neither preamble nor UIDs; with group lengths, as such files have, or without."""
    uids = dict.fromkeys(("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"))
    ds = dataset(RecognitionCode=code, **uids, **attributes)
    del ds.file_meta
    path = folder / "film.dcm"
    ds.save_as(path, implicit_vr=implicit, little_endian=True)
    if lengths:
        group = struct.pack("<HHI", 8, 0, 4) if implicit else struct.pack("<HH2sH", 8, 0, b"UL", 4)
        path.write_bytes(group + struct.pack("<I", 40) + path.read_bytes())
    return path


ACR_NEMA = {
    "version 2": {},
    "version 1": {"code": "ACR-NEMA 1.0"},
    "with group lengths": {"lengths": True},
    "with group lengths, explicit": {"lengths": True, "implicit": False},
    "digital radiography": {"Modality": "DR"},
    "without a modality": {"Modality": None},
    "code of another spelling": {"code": "ACR/NEMA 2"},
}


@pytest.mark.parametrize("case", ACR_NEMA)
def test_acr_nema_is_read(tmp_path, case):
    path = acr_nema(tmp_path, **ACR_NEMA[case])
    image = read_radiograph(path)
    np.testing.assert_allclose(image[0].numpy(), PLAIN, atol=1e-6)
    np.testing.assert_allclose(image.meta["spacing_mm"], (0.15 / 1.15, 0.15 / 1.15))
    assert (image.meta["age_years"], image.meta["sop_uid"]) == (63.0, "")
    assert "ACR-NEMA" in str(image.meta["assumptions"])
    with ArchiveOpener() as opener:
        assert identify(path, opener).reason is None


@pytest.mark.parametrize(
    ("attributes", "code", "said"),
    [
        ({"Modality": "CT"}, Code.NOT_A_RADIOGRAPH, "ACR-NEMA image (modality CT)"),
        ({"Modality": "US"}, Code.NOT_A_RADIOGRAPH, "modality US"),
        ({"BodyPartExamined": "CHEST"}, Code.NOT_A_HIP, "chest"),
        ({"code": "SOMETHING"}, Code.UNREADABLE, "DICOM"),
    ],
)
def test_acr_nema_of_other_things_is_refused_for_what_it_is(tmp_path, attributes, code, said):
    with pytest.raises(RefusedError) as caught:
        read_radiograph(acr_nema(tmp_path, **attributes))
    assert caught.value.reason.code == code
    assert said in caught.value.reason.sentence


def nifti(folder, written, pixels, codes=(0, 0), srow=None):
    """A NIfTI whose qform and sform have these codes; `srow` stands in the sform whatever its code."""
    volume = nib.Nifti1Image(pixels[:, :, None], None)
    volume.header.set_xyzt_units("mm")
    if written is not None:
        volume.set_qform(written, codes[0], update_affine=True)
        volume.set_sform(written, codes[1], update_affine=True)
    if srow is not None:
        volume.header["srow_x"], volume.header["srow_y"], volume.header["srow_z"] = srow
    path = folder / "film.nii.gz"
    nib.save(volume, path)
    return path


STORED = ramp().astype(np.int16).T  # (x, y), the first row of the picture first
MM = 0.25


def affine(*rows):
    return np.array([*rows, [0, 0, 0, 1]], dtype=float)


LAS = affine([-MM, 0, 0, 11], [0, MM, 0, -13], [0, 0, 1, 0])
CORONAL = affine([-MM, 0, 0, 11], [0, 0, -1, 0], [0, MM, 0, -13])
AXES = {
    "dcm2niix without an orientation": (None, STORED[:, ::-1], (0, 0), ([1, 0, 0, 0], [0, 1, 0, 1.0 - ROWS], [0, 0, 1, 0])),
    "dcm2niix of a coronal plane": (CORONAL, STORED[:, ::-1], (1, 1), None),
    "rows from below, in the sform": (LAS, STORED[:, ::-1], (0, 2), None),
    "rows from below, in the qform": (LAS, STORED[:, ::-1], (1, 0), None),
    "rows from above (ITK)": (np.diag([-MM, -MM, 1, 1]), STORED, (1, 0), None),
    "canonical (RAS)": (
        affine([MM, 0, 0, -9], [0, MM, 0, -9], [0, 0, 1, 0]),
        STORED[::-1, ::-1],
        (1, 1),
        None,
    ),
    "columns from the left": (
        affine([MM, 0, 0, -9], [0, -MM, 0, 9], [0, 0, 1, 0]),
        STORED[::-1],
        (0, 1),
        None,
    ),
    "rows are columns": (affine([0, -MM, 0, 9], [MM, 0, 0, -9], [0, 0, 1, 0]), STORED.T[::-1], (0, 1), None),
    "no affine": (None, STORED, (0, 0), None),
    "an affine of ones": (np.eye(4), STORED, (0, 2), None),
    "an affine of pixel sizes": (np.diag([MM, MM, 1, 1]), STORED, (0, 2), None),
    "an affine that is no number": (None, STORED, (0, 0), ([np.nan, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0])),
    "an affine of zeros for a row": (None, STORED, (0, 0), ([0, 0, 0, 5], [0, 0, 0, 5], [0, 0, 1, 0])),
}


@pytest.mark.parametrize("case", AXES)
def test_a_nifti_lies_as_its_affine_says(tmp_path, case):
    written, pixels, codes, srow = AXES[case]
    image = read_radiograph(nifti(tmp_path, written, pixels, codes, srow))
    np.testing.assert_allclose(image[0].numpy(), PLAIN, atol=1e-6)
    assert sum("affine" in note for note in image.meta["assumptions"]) == 1
    np.testing.assert_allclose(image.meta["orientation"].to_stored(image[0].numpy()), pixels.T / 4095, atol=1e-6)
    assert image.meta["view"] == ""


def test_a_pixel_size_of_one_millimetre_is_none(tmp_path):
    meta = read_radiograph(nifti(tmp_path, np.diag([-1, -1, 1, 1.0]), STORED, (0, 1))).meta
    assert meta["spacing_mm"] is None and "1.0 mm" in str(meta["assumptions"])
    assert meta["displayed_shape"] == (ROWS, COLS)
