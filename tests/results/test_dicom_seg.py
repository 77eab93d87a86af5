"""Masks become DICOM Segmentations that a validator accepts, and come back pixel by pixel."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from scripts.results.dicom_seg import extract_mask, make_segmentation, source_radiograph

EXAMPLES = Path(__file__).parents[2] / "bundle" / "examples"


@pytest.fixture
def film() -> pydicom.Dataset:
    return pydicom.dcmread(EXAMPLES / "images" / "hip_screw.dcm")


@pytest.fixture
def mask() -> NDArray[np.uint8]:
    return np.asarray(Image.open(EXAMPLES / "masks" / "hip_screw.png"))


def test_a_mask_comes_back_as_it_was(film: pydicom.Dataset, mask: NDArray[np.uint8], tmp_path: Path) -> None:
    file = tmp_path / "segmentation.dcm"
    make_segmentation(film, mask, "contours", corrected=True).save_as(file)
    read = pydicom.dcmread(file)
    np.testing.assert_array_equal(extract_mask(read), mask)
    assert source_radiograph(read) == film.SOPInstanceUID
    assert [str(segment.SegmentLabel) for segment in read.SegmentSequence] == ["femur", "fixation"]
    assert read.PatientID == film.PatientID


def test_a_mask_of_one_class_comes_back_as_it_was(film: pydicom.Dataset, mask: NDArray[np.uint8]) -> None:
    femur = np.where(mask == 1, mask, 0).astype(np.uint8)
    np.testing.assert_array_equal(extract_mask(make_segmentation(film, femur, "contours", corrected=True)), femur)


def test_a_film_with_a_frame_of_reference_but_no_place_in_it_is_taken(film: pydicom.Dataset, mask: NDArray[np.uint8]) -> None:
    film.FrameOfReferenceUID = "1.2.3"
    np.testing.assert_array_equal(extract_mask(make_segmentation(film, mask, "contours", corrected=False)), mask)


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy is not installed; run tests/install_debian_packages.sh")
def test_a_validator_finds_no_error(film: pydicom.Dataset, mask: NDArray[np.uint8], tmp_path: Path) -> None:
    file = tmp_path / "segmentation.dcm"
    make_segmentation(film, mask, "contours", corrected=True).save_as(file)
    said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True).stderr
    assert not [line for line in said.splitlines() if line.startswith("Error")], said


def test_a_mask_of_another_film_or_without_anything_is_refused(film: pydicom.Dataset, mask: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="size"):
        make_segmentation(film, mask[:-1], "contours", corrected=True)
    with pytest.raises(ValueError, match="empty"):
        make_segmentation(film, np.zeros_like(mask), "contours", corrected=True)


def test_segments_of_other_things_are_refused(film: pydicom.Dataset, mask: NDArray[np.uint8]) -> None:
    segmentation = make_segmentation(film, mask, "contours", corrected=True)
    segmentation.SegmentSequence[0].SegmentLabel = "liver"
    with pytest.raises(ValueError, match="liver"):
        extract_mask(segmentation)


def test_a_frame_that_names_no_segment_is_refused(film: pydicom.Dataset, mask: NDArray[np.uint8]) -> None:
    segmentation = make_segmentation(film, mask, "contours", corrected=True)
    del segmentation.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence
    with pytest.raises(ValueError, match="of which segment"):
        extract_mask(segmentation)
