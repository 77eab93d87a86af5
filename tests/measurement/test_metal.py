import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter
from scripts.measurement.metal import trace_metal
from scripts.radiograph.exposure import find_white_frames

SHAPE = (400, 300)
ROWS, COLS = np.indices(SHAPE)
HEAD = (ROWS - 100) ** 2 + (COLS - 150) ** 2 <= 50**2
STEM = (abs(COLS - 150 - (ROWS - 150) / 8) <= 18) & (ROWS >= 100) & (ROWS < 330)
PROSTHESIS = HEAD | STEM


def film(metal: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Metal in a shaft with bright cortices on a background that grows lighter to the right, blurred as attenuation, noisy."""
    shaft = (abs(COLS - 160) < 60) & (ROWS > 130)
    cortex = shaft & (abs(COLS - 160) > 48)
    depth = 0.5 + 0.3 * COLS / SHAPE[1] + 0.4 * shaft + 0.5 * cortex + 4.0 * metal
    image = -np.log(gaussian_filter(np.exp(-depth), 0.7) + 0.02)
    image += np.random.default_rng(0).normal(0, 0.01, SHAPE)
    low, high = np.percentile(image, (1, 99))
    return np.clip((image - low) / (high - low), -0.25, 1.25).astype(np.float32)


def sharpened(image: NDArray[np.float32], rough: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return trace_metal(image, rough, find_white_frames(image))


def overlap(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize(
    "rough",
    [
        pytest.param(binary_dilation(PROSTHESIS, iterations=2), id="too large"),
        pytest.param(binary_erosion(PROSTHESIS, iterations=3), id="too small"),
        pytest.param(PROSTHESIS & (ROWS < 200), id="without most of the stem"),
        pytest.param(PROSTHESIS & (ROWS > 140), id="without the head"),
    ],
)
def test_a_rough_outline_ends_at_the_edges_of_the_metal(rough: NDArray[np.bool_]) -> None:
    assert overlap(rough, PROSTHESIS) < 0.93
    assert overlap(sharpened(film(PROSTHESIS), rough), PROSTHESIS) > 0.97


def test_a_stem_that_runs_into_a_white_frame_ends_there() -> None:
    image = film(PROSTHESIS)
    frame = ROWS > 320 + COLS // 20  # at an angle
    image[frame] = 0.97 * image[PROSTHESIS].max()
    found = sharpened(image, PROSTHESIS & ~frame)
    assert overlap(found & ~frame, PROSTHESIS & ~frame) > 0.97
    assert (found & frame).sum() < 0.1 * frame.sum()


def test_cement_round_a_head_is_no_metal() -> None:
    mantle = ((ROWS - 100) ** 2 + (COLS - 150) ** 2 <= 61**2) & ~PROSTHESIS
    image = film(PROSTHESIS)
    image[mantle] = 0.9 * image[PROSTHESIS].max()
    assert overlap(sharpened(image, binary_dilation(PROSTHESIS, iterations=2)), PROSTHESIS) > 0.95


def test_a_speck_is_no_implant_and_stays_as_it_is() -> None:
    speck = (ROWS - 100) ** 2 + (COLS - 150) ** 2 <= 12**2
    assert sharpened(film(HEAD), speck) is speck


@pytest.mark.parametrize("beside", [0.15, 0.8])
def test_what_is_dark_or_no_brighter_than_what_is_beside_it_is_no_metal(beside: float) -> None:
    image = np.where(HEAD, min(beside + 0.1, 0.8), beside).astype(np.float32)
    assert not sharpened(image, HEAD).any()


def test_what_was_drawn_on_an_uneven_white_frame_is_no_metal() -> None:
    image = film(PROSTHESIS)
    frame = COLS > 240 + ROWS // 30
    image[frame] = 0.93 + 0.1 * (ROWS / SHAPE[0])[frame]
    drawn = PROSTHESIS | (frame & (ROWS > 200) & (ROWS < 260))
    assert overlap(sharpened(image, drawn), PROSTHESIS) > 0.97
