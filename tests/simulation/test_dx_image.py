"""The DICOM files of every vendor style: valid, and the same picture for every program that reads them."""

import datetime
import errno
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import orthanc
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.pixels import pixel_array
from scripts.radiograph.reader import read_radiograph
from scripts.simulation.dx_image import Acquisition, Study, write_radiograph
from scripts.simulation.physics.processing import ALL_STYLES, FOR_PROCESSING, STYLES, Rendering, process
from scripts.simulation.physics.xray import Exposure
from scripts.simulation.population import Person

STUDY = Study("P000007", "simulated-1", datetime.date(2021, 5, 4), "0-7")
PERSON = Person(71.4, "F", 161.0, 66.0, 0.74, 0.63)
ACQUISITION = Acquisition(Exposure(kvp=77, copper=0.1), 14.25, 1150, 1000, 0.148, marked=True)


def rendering(style: str) -> Rendering:
    rows, columns = torch.meshgrid(torch.arange(150.0), torch.arange(130.0), indexing="ij")
    signal = 0.4 * torch.exp((columns / 40) + 0.3 * torch.sin(rows / 9) * torch.cos(columns / 7)).clamp_max(40)
    return process(signal, ALL_STYLES[style], 0.3)


def written(folder: Path, style: str) -> Path:
    path = folder / f"{style}.dcm"
    write_radiograph(path, rendering(style), ALL_STYLES[style], ACQUISITION, PERSON, STUDY)
    return path


@pytest.mark.parametrize("style", STYLES)
def test_the_reader_shows_what_the_vendor_meant(style, tmp_path):
    radiograph = read_radiograph(written(tmp_path, style))
    # The tone curve stretches the rounding of the stored values.
    assert np.abs(radiograph[0].numpy() - rendering(style).displayed().numpy()).max() < 1.5 / 2 ** (STYLES[style].bits - 1)
    assert radiograph.meta["spacing_mm"] == pytest.approx((0.148 / 1.15, 0.148 / 1.15), rel=1e-3)
    assert radiograph.meta["view"] == "AP"
    assert not radiograph.meta["assumptions"]


@pytest.mark.parametrize("style", FOR_PROCESSING)
def test_what_is_for_processing_is_read_as_attenuation(style, tmp_path):
    path = written(tmp_path, style)
    file, radiograph = pydicom.dcmread(path), read_radiograph(path)
    assert file.PresentationIntentType == "FOR PROCESSING" and "WindowCenter" not in file and "VOILUTSequence" not in file
    assert (file.PixelIntensityRelationship, file.PixelIntensityRelationshipSign) == {"L": ("LOG", -1), "R": ("LIN", 1)}[style]
    # Of a linear signal the darkest of 14 bits are few steps of its logarithm.
    limit = {"L": 1e-3, "R": 0.02}[style]
    assert np.abs(radiograph[0].numpy() - rendering(style).displayed().numpy()).max() < limit
    assert any("FOR PROCESSING" in note or "linear" in note for note in radiograph.meta["assumptions"])


@pytest.mark.parametrize("style", ["B", "E"])
def test_a_stored_tone_curve_holds_for_inverted_pixels_too(style, tmp_path):
    inverted = replace(STYLES[style], monochrome1=True)
    write_radiograph(tmp_path / "radiograph.dcm", rendering(style), inverted, ACQUISITION, PERSON, STUDY)
    shown = read_radiograph(tmp_path / "radiograph.dcm")[0].numpy()
    assert np.abs(shown - rendering(style).displayed().numpy()).max() < 1.5 / 2 ** (inverted.bits - 1)
    assert not validator_errors(tmp_path / "radiograph.dcm")


def test_styles_cover_what_files_may_hold(tmp_path):
    files = [pydicom.dcmread(written(tmp_path, style)) for style in STYLES]
    assert {file.PhotometricInterpretation for file in files} == {"MONOCHROME1", "MONOCHROME2"}
    assert {int(file.BitsStored) for file in files} == {10, 11, 12, 14}
    assert any("VOILUTSequence" in file for file in files)
    assert any(file.get("VOILUTFunction") == "SIGMOID" for file in files)


def test_eight_bits_are_stored_in_eight_and_can_be_unpacked(tmp_path):
    write_radiograph(tmp_path / "export.dcm", rendering("A"), replace(STYLES["A"], bits=8), ACQUISITION, PERSON, STUDY)
    file = pydicom.dcmread(tmp_path / "export.dcm")
    compressed = file.pixel_array.copy()
    file.decompress()
    assert (file.BitsAllocated, file.BitsStored) == (8, 8) and np.array_equal(file.pixel_array, compressed)
    assert not validator_errors(tmp_path / "export.dcm")


def test_the_header_tells_the_technique_and_names_no_maker(tmp_path):
    file = pydicom.dcmread(written(tmp_path, "A"))
    assert (file.KVP, file.ExposureInuAs, file.Exposure, file.FilterMaterial) == (77, 14250, 14, ["ALUMINUM", "COPPER"])
    assert file.ManufacturerModelName == "OsteoXR simulator A"


def test_the_header_is_the_same_whatever_the_bone_density(tmp_path):
    dense = Person(PERSON.age, PERSON.sex, PERSON.height, PERSON.weight, 1.2, 1.1)
    write_radiograph(tmp_path / "dense.dcm", rendering("A"), STYLES["A"], ACQUISITION, dense, STUDY)
    assert (tmp_path / "dense.dcm").read_bytes() == written(tmp_path, "A").read_bytes()


@pytest.mark.parametrize(("only", "laterality", "part"), [("right", "R", "HIP"), ("left", "L", "HIP"), ("", "U", "PELVIS")])
def test_a_radiograph_of_one_hip_says_which(only, laterality, part, tmp_path):
    acquisition = Acquisition(Exposure(copper=0.0), 10, 1100, 950, 0.1, frog_leg=True, only=only)
    write_radiograph(tmp_path / "radiograph.dcm", rendering("A"), STYLES["A"], acquisition, PERSON, STUDY)
    file = pydicom.dcmread(tmp_path / "radiograph.dcm")
    assert (file.ImageLaterality, file.BodyPartExamined, file.ViewPosition) == (laterality, part, "")
    assert (file.FilterMaterial, file.BurnedInAnnotation) == ("ALUMINUM", "NO")
    assert not validator_errors(tmp_path / "radiograph.dcm")


def validator_errors(path: Path) -> list[str]:
    if shutil.which("dciodvfy") is None:
        return []
    report = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    return [line for line in report.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
@pytest.mark.parametrize("style", ALL_STYLES)
def test_the_strictest_validator_finds_no_error(style, tmp_path):
    assert not validator_errors(written(tmp_path, style))


@pytest.mark.skipif(shutil.which("gdcmconv") is None, reason="gdcmconv (Debian's libgdcm-tools) is not installed")
@pytest.mark.parametrize("style", STYLES)
def test_gdcm_decodes_the_same_pixels(style, tmp_path):
    path = written(tmp_path, style)
    subprocess.run(["gdcmconv", "--raw", path, tmp_path / "raw.dcm"], check=True, capture_output=True)
    raw = pydicom.dcmread(tmp_path / "raw.dcm")
    assert not raw.file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(raw.pixel_array, pixel_array(path))


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory):
    with orthanc.running(tmp_path_factory.mktemp("orthanc")) as server:
        yield server.rest


@pytest.mark.parametrize("style", STYLES)
def test_orthanc_takes_the_file_and_decodes_the_same_pixels(style, pacs, tmp_path):
    path = written(tmp_path, style)
    with urllib.request.urlopen(urllib.request.Request(f"{pacs}/instances", path.read_bytes(), method="POST")) as answer:
        stored = json.load(answer)
    assert stored["Status"] in ("Success", "AlreadyStored")
    with urllib.request.urlopen(f"{pacs}/instances/{stored['ID']}/file") as answer:
        assert answer.read() == path.read_bytes()
    with urllib.request.urlopen(f"{pacs}/instances/{stored['ID']}/image-uint16") as answer:
        decoded = np.asarray(Image.open(BytesIO(answer.read())))
    assert np.array_equal(decoded, pixel_array(path))
    with urllib.request.urlopen(urllib.request.Request(f"{pacs}/instances/{stored['ID']}", method="DELETE")):
        pass


@pytest.mark.parametrize("before", [None, b"an older radiograph"])
def test_a_full_disk_leaves_nothing_half_written(before, tmp_path, monkeypatch):
    path = tmp_path / "A.dcm"
    if before is not None:
        path.write_bytes(before)

    def full(dataset, target, **options):
        Path(target).write_bytes(b"half a radiograph")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pydicom.dataset.FileDataset, "save_as", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path, "A")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({} if before is None else {"A.dcm": before})
