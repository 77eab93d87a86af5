"""Spacing in the patient, and the orientation of a radiograph, with exact expectations."""

import numpy as np
import pytest
from radiograph_files import COLS, ROWS, ramp, write
from scripts.radiograph import Orientation, read_radiograph

PLAIN = ramp() / 4095
M = "ImagerPixelSpacing/magnification"
D = {"ImagerPixelSpacing": None}
SPACINGS = {
    "magnification assumed": ({}, (0.15, 0.15), (0.15 / 1.15, 0.15 / 1.15), M, "1.15"),
    "magnification recorded": ({"EstimatedRadiographicMagnificationFactor": 1.2}, (0.15, 0.15), (0.125, 0.125), M, ""),
    "from the distances": (
        {"DistanceSourceToDetector": 1100, "DistanceSourceToPatient": 1000},
        (0.15, 0.15),
        (0.15 / 1.1, 0.15 / 1.1),
        M,
        "",
    ),
    "equal distances tell nothing": (
        {"DistanceSourceToDetector": 1100, "DistanceSourceToPatient": 1100},
        (0.15, 0.15),
        (0.15 / 1.15, 0.15 / 1.15),
        M,
        "1.15",
    ),
    "absurd magnification": (
        {"EstimatedRadiographicMagnificationFactor": 0},
        (0.15, 0.15),
        (0.15 / 1.15, 0.15 / 1.15),
        M,
        "1.15",
    ),
    "PixelSpacing that repeats the detector's": (
        {"PixelSpacing": [0.15, 0.15]},
        (0.15, 0.15),
        (0.15 / 1.15, 0.15 / 1.15),
        M,
        "1.15",
    ),
    "PixelSpacing corrected": ({"PixelSpacing": [0.13, 0.13]}, (0.15, 0.15), (0.13, 0.13), "PixelSpacing", ""),
    "PixelSpacing calibrated": (
        {"PixelSpacing": [0.13, 0.13], "PixelSpacingCalibrationType": "FIDUCIAL"},
        (0.15, 0.15),
        (0.13, 0.13),
        "calibration",
        "",
    ),
    "PixelSpacing alone": ({"PixelSpacing": [0.2, 0.1], **D}, None, (0.2, 0.1), "PixelSpacing", "alone"),
    "zero PixelSpacing falls back": (
        {"PixelSpacing": [0, 0], "EstimatedRadiographicMagnificationFactor": 1.2},
        (0.15, 0.15),
        (0.125, 0.125),
        M,
        "zero or impossible",
    ),
    "zero": ({"PixelSpacing": [0, 0], **D}, None, None, "none", "zero or impossible"),
    "negative": ({"ImagerPixelSpacing": [-0.1, 0.1]}, None, None, "none", "zero or impossible"),
    "kilometres": ({"ImagerPixelSpacing": [150, 150]}, None, None, "none", "zero or impossible"),
    "one value": (
        {"ImagerPixelSpacing": [0.15]},
        (0.15, 0.15),
        (0.15 / 1.15, 0.15 / 1.15),
        M,
        "'0.15' in the header was read as 0.15 and 0.15",
    ),
    "missing": (D, None, None, "none", "no usable pixel spacing"),
}


@pytest.mark.parametrize("case", SPACINGS)
def test_spacing(tmp_path, case):
    attributes, detector, patient, source, said = SPACINGS[case]
    meta = read_radiograph(write(tmp_path, **attributes)).meta
    assert meta["spacing_source"] == source
    for found, expected in ((meta["spacing_detector_mm"], detector), (meta["spacing_mm"], patient)):
        assert (found is None) == (expected is None)
        if expected:
            np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(np.diag(meta["affine"])[:2], patient or (1, 1))
    spacing_notes = [note for note in meta["assumptions"] if "pacing" in note or "agnification" in note]
    assert any(said in note for note in spacing_notes) if said else not spacing_notes


def test_placeholder_of_one_millimetre_is_not_believed(tmp_path):
    """A radiograph of 1200 x 1000 pixels of 1 mm would be larger than any detector."""
    film = np.resize(ramp(), (1200, 1000))
    assert read_radiograph(write(tmp_path, film, ImagerPixelSpacing=None, PixelSpacing=[1, 1])).meta["spacing_mm"] is None


ORIENTATIONS = {
    ("L", "F"): PLAIN,
    ("R", "F"): PLAIN[:, ::-1],
    ("L", "H"): PLAIN[::-1],
    ("R", "H"): PLAIN[::-1, ::-1],
    ("F", "L"): PLAIN.T,
    ("H", "L"): PLAIN.T[::-1],
    ("F", "R"): PLAIN.T[:, ::-1],
    ("H", "R"): PLAIN.T[::-1, ::-1],
    ("LA", "FP"): PLAIN,  # oblique: the first letter is the main direction
}


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_orientation_becomes_left_and_feet(tmp_path, codes):
    image = read_radiograph(write(tmp_path, PatientOrientation=list(codes), ImagerPixelSpacing=[0.1, 0.2]))
    np.testing.assert_allclose(image[0].numpy(), ORIENTATIONS[codes], atol=1e-6)
    turned = ("F" in codes[0] and codes[0] != "LA") or codes[0] == "H"
    assert image.meta["spacing_detector_mm"] == ((0.2, 0.1) if turned else (0.1, 0.2))
    assert image.meta["displayed_shape"] == ((COLS, ROWS) if turned else (ROWS, COLS))
    stored = image.meta["orientation"].to_stored(image[0].numpy())
    np.testing.assert_allclose(stored, PLAIN, atol=1e-6)


@pytest.mark.parametrize("codes", ["", ["L"], ["X", "Y"], ["L", "R"], None])
def test_unusable_orientation_is_taken_as_displayed(tmp_path, codes):
    image = read_radiograph(write(tmp_path, PatientOrientation=codes))
    np.testing.assert_allclose(image[0].numpy(), PLAIN, atol=1e-6)
    assert any("PatientOrientation" in note for note in image.meta["assumptions"])


def test_front_to_back_is_a_lateral_view(tmp_path):
    assert read_radiograph(write(tmp_path, PatientOrientation=["A", "F"], ViewPosition="")).meta["view"] == "LATERAL"


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("flip_rows", [False, True])
@pytest.mark.parametrize("flip_cols", [False, True])
def test_points_follow_their_pixel(transpose, flip_rows, flip_cols):
    film = np.zeros((5, 9))
    film[1, 7] = 1
    orientation = Orientation(transpose, flip_rows, flip_cols)
    point = orientation.points_to_display(np.array([1.0, 7.0]), film.shape)
    assert orientation.to_display(film)[tuple(point.astype(int))] == 1
