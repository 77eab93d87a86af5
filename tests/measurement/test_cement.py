import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter
from scripts.measurement.cement import remove_cement

SHAPE = (560, 400)
ROWS, COLS = np.indices(SHAPE)
AWAY = np.hypot(ROWS - 110, COLS - 200)
HEAD = AWAY <= 45
STEM = (abs(COLS - 200 - (ROWS - 110) / 10) <= 24 - ROWS / 40) & (ROWS >= 110) & (ROWS < 430)
JOINT = HEAD | STEM
MANTLE, DRAWN = (binary_dilation(STEM & (ROWS > 300), iterations=layer) & ~STEM for layer in (10, 5))
PLUG = (abs(COLS - 232) <= 20) & (ROWS >= 430) & (ROWS < 500)


def film(*shadows: tuple[NDArray[np.bool_] | NDArray[np.float64], float]) -> NDArray[np.float32]:
    """A radiograph with soft tissue at 0.3 and these shadows on it, with blur and noise; metal hides what lies over it."""
    image = np.full(SHAPE, 0.3)
    for shadow, level in shadows:
        image = np.maximum(image, 0.3 + shadow * (level - 0.3))
    image = gaussian_filter(image, 1.0) + np.random.default_rng(0).normal(0, 0.008, SHAPE)
    return image.astype(np.float32)


def overlap(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize(
    ("cement", "drawn"),
    [
        pytest.param(MANTLE, DRAWN, id="half of a mantle"),
        pytest.param(PLUG, PLUG, id="plug"),
        pytest.param(MANTLE | PLUG, DRAWN | PLUG, id="mantle and plug"),
    ],
)
def test_cement_that_was_drawn_round_a_stem_and_below_it_is_no_metal(cement: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> None:
    outline = JOINT | drawn
    assert overlap(outline, JOINT) < 0.95
    assert overlap(remove_cement(film((JOINT, 1.0), (cement, 0.8)), outline), JOINT) > 0.97


def test_an_uncemented_joint_stays_as_it_is() -> None:
    image = film((JOINT, 1.0), ((COLS > 160) & (COLS < 270) & (ROWS > 150), 0.55))
    assert np.array_equal(remove_cement(image, JOINT), JOINT)


INTO = (COLS - 200) * 0.6 - (ROWS - 110) * 0.8  # how deep in a cup, whose mouth is seen from the side
CUP, MANTLED = ((radius >= AWAY) & (INTO > -10) for radius in (83, 92))


def cup(wire: bool) -> NDArray[np.float32]:
    """A joint whose cup of polyethylene has a mantle of cement, 2.7 mm thick, densest where it is seen edge-on."""
    chord = np.sqrt(np.clip(92**2 - AWAY**2, 0, None)) - np.sqrt(np.clip(83**2 - AWAY**2, 0, None))
    line = CUP & (abs(INTO + 5) <= 2)
    return film((JOINT, 1.0), (CUP, 0.42), (MANTLED * chord / chord.max(), 0.7), (line & wire, 0.95))


def test_the_mantle_of_a_cup_with_a_wire_is_no_part_of_it_and_what_was_missed_of_the_cup_is() -> None:
    true = JOINT | CUP
    outline = (true | MANTLED) & (np.hypot(ROWS - 80, COLS - 265) > 8)
    assert overlap(outline, true) < 0.93
    found = remove_cement(cup(wire=True), outline)
    assert overlap(found, true) > 0.97 and found[75:86, 260:271].all()


def test_a_cup_whose_mantle_is_not_seen_stays_as_it_is() -> None:
    image = film((JOINT, 1.0), (CUP, 0.42), (CUP & (abs(INTO + 5) <= 2), 0.95))
    assert np.array_equal(remove_cement(image, JOINT | CUP), JOINT | CUP)


@pytest.mark.parametrize("row", [40, 70, 110])
def test_a_cup_that_the_radiograph_cuts_off_is_not_drawn_worse(row: int) -> None:
    true, outline = (JOINT | CUP)[row:], (JOINT | MANTLED)[row:]
    assert overlap(remove_cement(cup(wire=True)[row:], outline), true) >= overlap(outline, true)


def test_a_stem_of_two_parts_keeps_the_darker_lower_one() -> None:
    image = film((JOINT & (ROWS < 380), 1.0), (JOINT, 0.88))
    assert overlap(remove_cement(image, JOINT), JOINT) > 0.99


def test_without_a_wire_no_cup_is_taken_for_one_of_polyethylene() -> None:
    outline = JOINT | MANTLED
    assert np.array_equal(remove_cement(cup(wire=False), outline), outline)


@pytest.mark.parametrize(
    "outline",
    [
        pytest.param(STEM & (ROWS > 200), id="a stem whose head is not on the film"),
        pytest.param(np.hypot(ROWS, COLS) < 60, id="a head in the film's corner"),
        pytest.param(np.ones(SHAPE, bool), id="all of the film"),
        pytest.param(ROWS < 100, id="a straight edge"),
    ],
)
def test_what_is_only_part_of_a_joint_or_none_passes(outline: NDArray[np.bool_]) -> None:
    assert np.array_equal(remove_cement(film((outline, 1.0)), outline), outline)


@pytest.mark.parametrize("outline", [pytest.param(ROWS < 100, id="straight"), pytest.param(JOINT & (ROWS < 160), id="round")])
def test_what_has_a_line_along_its_edge_but_no_cup_gains_nothing(outline: NDArray[np.bool_]) -> None:
    line = binary_erosion(outline, iterations=3) & ~binary_erosion(outline, iterations=8)
    assert not (remove_cement(film((outline, 0.5), (line, 1.0)), outline) & ~outline).any()
