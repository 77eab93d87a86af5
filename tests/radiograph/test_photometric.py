"""The displayed value of every pixel, for each way in which DICOM can say what is white."""

import numpy as np
import pytest
from radiograph_files import COLS, ROWS, lut, ramp, write
from scripts.clinical import Code, RefusedError
from scripts.radiograph import read_radiograph

RAMP = ramp().astype(np.float64)
PLAIN = RAMP / 4095


def window(center, width):
    """LINEAR of DICOM PS3.3 C.11.2.1.2.1, to 0..1."""
    return np.clip((RAMP - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


CURVE = np.round(4095 * np.sqrt(np.arange(4096) / 4095)).astype(int)
EIGHT = np.arange(4096) // 16  # a table of 4096 entries with 8-bit output
SHORT = np.arange(200)  # packed 8-bit entries; values below and above are clamped
CASES = {
    "MONOCHROME2": ({}, PLAIN),
    "MONOCHROME1": ({"PhotometricInterpretation": "MONOCHROME1"}, 1 - PLAIN),
    "MONOCHROME1 and INVERSE are one inversion": (
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        1 - PLAIN,
    ),
    "MONOCHROME2 and IDENTITY": ({"PresentationLUTShape": "IDENTITY"}, PLAIN),
    "MONOCHROME2 and INVERSE": ({"PresentationLUTShape": "INVERSE"}, 1 - PLAIN),
    "LINEAR window that saturates": ({"WindowCenter": 2000, "WindowWidth": 1000}, window(2000, 1000)),
    "the first of two windows": ({"WindowCenter": [2000, 9], "WindowWidth": [1000, 9]}, window(2000, 1000)),
    "window before inversion": (
        {"WindowCenter": 2000, "WindowWidth": 1000, "PhotometricInterpretation": "MONOCHROME1"},
        1 - window(2000, 1000),
    ),
    "LINEAR_EXACT": (
        {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"},
        np.clip((RAMP - 2000) / 1000 + 0.5, 0, 1),
    ),
    "SIGMOID": (
        {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"},
        1 / (1 + np.exp(-4 * (RAMP - 2000) / 1000)),
    ),
    "an invalid window is not used": ({"WindowCenter": 2000, "WindowWidth": 0}, PLAIN),
    "an empty window is not used": ({"WindowCenter": "", "WindowWidth": ""}, PLAIN),
    "rescale and window in rescaled units": (
        {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 3900, "WindowWidth": 2001},
        np.clip((2 * RAMP - 100 - 3899.5) / 2000 + 0.5, 0, 1),
    ),
    "negative slope turns black and white": ({"RescaleSlope": -1, "RescaleIntercept": 4095}, 1 - PLAIN),
    "negative slope with window": (
        {"RescaleSlope": -1, "RescaleIntercept": 4095, "WindowCenter": 2000, "WindowWidth": 1001},
        np.clip((4095 - RAMP - 1999.5) / 1000 + 0.5, 0, 1),
    ),
    "modality LUT": ({"ModalityLUTSequence": lut(0, 12, CURVE)}, CURVE[ramp()] / 4095),
    "VOI LUT": ({"VOILUTSequence": lut(0, 12, CURVE)}, CURVE[ramp()] / 4095),
    "VOI LUT before the window": (
        {"VOILUTSequence": lut(0, 12, CURVE), "WindowCenter": 2000, "WindowWidth": 1000},
        CURVE[ramp()] / 4095,
    ),
    "VOI LUT in bytes": ({"VOILUTSequence": lut(0, 12, CURVE, "OW")}, CURVE[ramp()] / 4095),
    "VOI LUT of 8 bits, longer than 256": ({"VOILUTSequence": lut(0, 8, EIGHT)}, EIGHT[ramp()] / 255),
    "VOI LUT of packed 8 bits, clamped": (
        {"VOILUTSequence": lut(1000, 8, SHORT, "packed")},
        SHORT[np.clip(RAMP - 1000, 0, 199).astype(int)] / 255,
    ),
    "VOI LUT after rescale": (
        {"RescaleSlope": 1, "RescaleIntercept": 100, "VOILUTSequence": lut(100, 12, CURVE)},
        CURVE[ramp()] / 4095,
    ),
    "padding is black, also after inversion": (
        {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 40, "PhotometricInterpretation": "MONOCHROME1"},
        np.where(RAMP <= 40, 0, 1 - PLAIN),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_displayed_values(tmp_path, case):
    attributes, expected = CASES[case]
    image = read_radiograph(write(tmp_path, **attributes))
    assert image.shape == (1, ROWS, COLS)
    assert str(image.dtype) == "torch.float32"
    np.testing.assert_allclose(image[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"PresentationLUTShape": "INVERSE"}, "contradicts"),
        ({"WindowCenter": 2000, "WindowWidth": 0}, "window"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1.1"}, "FOR PROCESSING"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT"}, "secondary capture"),
    ],
)
def test_what_is_doubtful_is_recorded(tmp_path, attributes, said):
    assert any(said in note for note in read_radiograph(write(tmp_path, **attributes)).meta["assumptions"])


def test_signed_values(tmp_path):
    signed = (ramp().astype(np.int32) - 2048).astype(np.int16)
    np.testing.assert_allclose(read_radiograph(write(tmp_path, signed))[0].numpy(), PLAIN, atol=1e-6)


def test_eight_bits(tmp_path):
    bytes_ = (ramp() // 16).astype(np.uint8)
    np.testing.assert_allclose(read_radiograph(write(tmp_path, bytes_))[0].numpy(), bytes_ / 255, atol=1e-6)


def test_grey_stored_in_colour(tmp_path):
    bytes_ = (ramp() // 16).astype(np.uint8)
    path = write(tmp_path, np.stack([bytes_] * 3, axis=-1), SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="OT")
    np.testing.assert_allclose(read_radiograph(path)[0].numpy(), bytes_ / 255, atol=1e-6)


def test_colour_is_refused(tmp_path):
    colour = np.zeros((ROWS, COLS, 3), np.uint8)
    colour[..., 0] = 200
    with pytest.raises(RefusedError) as caught:
        read_radiograph(write(tmp_path, colour))
    assert caught.value.reason.code == Code.NOT_A_RADIOGRAPH
    assert "colour" in caught.value.reason.sentence
