import numpy as np
import pytest
from scripts.measurement.quality import measure_exposure, measure_head_density, measure_head_diameter, select_measured_femur

SHAPE = (300, 260)


@pytest.fixture
def femur():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[40:280, 60:200] = True
    return mask


@pytest.fixture
def film():
    """A ramp from dark to light down the rows, with a radiograph's noise."""
    ramp = np.linspace(0.1, 0.9, SHAPE[0])[:, None] * np.ones(SHAPE)
    return (ramp + np.random.default_rng(0).normal(0, 0.01, SHAPE)).astype(np.float32)


def test_a_well_exposed_femur_is_nowhere_flat(film, femur):
    found = measure_exposure(film, femur)
    assert found["exposure_black"] == found["exposure_white"] == 0
    assert found["exposure_contrast"] == pytest.approx(0.9 * 240 / 300 * 0.8, abs=0.02)
    assert found["exposure_noise"] * found["exposure_contrast"] == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("level", [0.3, 0.4])
def test_what_is_burnt_out_is_flat_black(film, femur, level):
    found = measure_exposure(np.maximum(film, level), femur)
    rows = (level - 0.1) / 0.8 * 300 - 40
    assert found["exposure_black"] == pytest.approx(rows / 240, abs=0.06) and found["exposure_white"] == 0


def test_what_is_not_exposed_is_flat_white(film, femur):
    found = measure_exposure(np.minimum(film, 0.6), femur)
    assert found["exposure_white"] > 0.3 and found["exposure_black"] == 0


def test_noise_is_told_from_structure(film, femur):
    noisy = film + np.random.default_rng(1).normal(0, 0.1, SHAPE)
    assert measure_exposure(noisy, femur)["exposure_noise"] > 5 * measure_exposure(film, femur)["exposure_noise"]


def test_a_femur_darker_than_what_lies_beside_it_is_told(film, femur):
    bright = film + 0.3 * femur
    assert measure_exposure(bright, femur)["exposure_edge"] == pytest.approx(
        0.3 / measure_exposure(film, femur)["exposure_contrast"], abs=0.1
    )
    assert measure_exposure(1 - bright, femur)["exposure_edge"] == pytest.approx(
        -measure_exposure(bright, femur)["exposure_edge"], abs=0.01
    )


def test_where_there_is_no_femur_nothing_is_said(film):
    assert measure_exposure(film, np.zeros(SHAPE, dtype=bool)) == {}


def disc(radius_mm, spacing, centre=(150, 130)):
    rows, cols = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2 <= (radius_mm / spacing) ** 2


@pytest.mark.parametrize("spacing", [0.5, 1.0])
def test_a_heads_diameter_is_that_of_its_circle_though_the_neck_is_joined(spacing):
    femur = disc(23.0, spacing)
    femur[150:170, 130:] = True
    landmarks = np.array([[152.0, 128.0], [160.0, 200.0], *[[0.0, 0.0]] * 3])
    assert measure_head_diameter(femur, landmarks, spacing) == pytest.approx(46.0, abs=2.5 * spacing)


def test_a_head_that_is_not_outlined_has_no_size():
    landmarks = np.array([[10.0, 10.0], [20.0, 20.0], *[[0.0, 0.0]] * 3])
    assert measure_head_diameter(disc(23.0, 0.5), landmarks, 0.5) is None
    assert measure_head_diameter(disc(23.0, 0.5), landmarks - 100, 0.5) is None


@pytest.fixture
def hip():
    """A head and, 60 mm below it, the bone between the trochanters, in one mask at 0.5 mm; (row, col) landmarks."""
    landmarks = np.array([[60.0, 130.0], [120.0, 130.0], [130.0, 130.0], [230.0, 130.0], [290.0, 130.0]])
    return disc(23.0, 0.5, (60, 130)) | disc(30.0, 0.5, (180, 130)), landmarks


def density_of(image, femur, landmarks):
    """Of a head of 46 mm, at 0.5 mm."""
    contrast = measure_exposure(image, select_measured_femur(femur, landmarks, 0.5))["exposure_contrast"]
    return measure_head_density(image, femur, landmarks, 46.0, contrast)


@pytest.mark.parametrize("step", [0.2, -0.2])
def test_a_heads_density_is_told_against_the_bone_between_the_trochanters(hip, step):
    femur, landmarks = hip
    image = np.where(disc(23.0, 0.5, (60, 130)), 0.5 + step, 0.5)
    found = density_of(image, femur, landmarks)
    assert found == pytest.approx(np.sign(step))  # nothing else gives this femur contrast


def test_a_heads_density_does_not_depend_on_the_grey_scale(hip):
    femur, landmarks = hip
    image = np.random.default_rng(0).normal(0.5, 0.05, SHAPE) + 0.2 * disc(23.0, 0.5, (60, 130))
    found = [density_of(grey, femur, landmarks) for grey in (image, 0.3 * image + 0.1)]
    assert found[0] == pytest.approx(found[1]) and found[0] > 0.3


def test_a_head_without_trochanters_has_no_density(hip):
    femur, landmarks = hip
    assert density_of(np.zeros(SHAPE), femur & disc(23.0, 0.5, (60, 130)), landmarks) is None


def test_the_measured_femur_is_that_of_one_hip(femur):
    landmarks = np.array([[0.0, 0.0], [150.0, 130.0], *[[0.0, 0.0]] * 3])
    near = select_measured_femur(femur, landmarks, spacing_mm=1.0)
    assert near[150, 130] and near[150 - 70, 130] and not near[150 - 80, 130] and not (near & ~femur).any()
