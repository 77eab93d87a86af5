"""Vendor styles: each shows the bone, and each in its own way."""

import time

import numpy as np
import pytest
import torch
from scripts.simulation.physics.processing import STYLES, Curve, Style, Tone, process, vary
from scripts.simulation.physics.projection import ImagePlane
from scripts.simulation.physics.xray import Exposure, attenuate, expose, low_pass

ROWS, COLUMNS, SPACING = 420, 520, 0.5


def femur_in_a_thigh() -> tuple[torch.Tensor, torch.Tensor]:
    """Signal of a patient thicker on the left, with air at both sides, and where the bone is."""
    x = (torch.arange(COLUMNS) * SPACING - 130.0)[None, :].expand(ROWS, COLUMNS)
    z = (torch.arange(ROWS) * SPACING)[:, None].expand(ROWS, COLUMNS)
    depth = (1 - (x / 105).abs().clamp_max(1) ** 3).sqrt() * (190 - 0.3 * x)
    bone = (x - 20).abs() < 15
    mineral = bone * (0.7 + 0.1 * torch.sin(z / 3))
    beam = attenuate(0.8 * depth, 0.2 * depth, mineral, {}, Exposure())
    image = ImagePlane(ROWS, COLUMNS, SPACING, -130, -105, 0, 0, 1000)
    return expose(beam, Exposure(), image, 1150, torch.Generator().manual_seed(3)), bone


SIGNAL, BONE = femur_in_a_thigh()
AIR = torch.zeros_like(BONE)
AIR[:, :30] = AIR[:, -30:] = True


def shown(style: Style) -> torch.Tensor:
    return process(SIGNAL.clone(), style, SPACING).displayed()


@pytest.mark.parametrize("name", STYLES)
def test_bone_is_brighter_than_the_tissue_beside_it(name):
    image = shown(STYLES[name])
    beside = torch.roll(BONE, 50, 1) | torch.roll(BONE, -50, 1)
    assert image[BONE].mean() > image[beside].mean() + 0.05
    assert float(image.min()) >= 0 and float(image.max()) <= 1


@pytest.mark.parametrize("name", STYLES)
def test_air_is_black_or_dark_grey(name):
    assert float(shown(STYLES[name])[AIR].max()) < 0.2


@pytest.mark.parametrize("name", STYLES)
def test_the_signal_given_is_left_as_it_was(name):
    before = SIGNAL.clone()
    process(SIGNAL, STYLES[name], SPACING)
    assert torch.equal(SIGNAL, before)


@pytest.mark.parametrize("name", STYLES)
def test_the_exposure_does_not_change_the_picture(name):
    # A vendor's window follows the histogram: twice the signal looks the same.
    assert float((shown(STYLES[name]) - process(SIGNAL * 2, STYLES[name], SPACING).displayed()).abs().max()) < 0.01


def detail(image: torch.Tensor) -> float:
    """Contrast of the 19 mm stripes within the bone against that of the whole patient."""
    rows = image[:, BONE[0]].mean(1)
    return float(rows.std() / image[~AIR].std())


def slope(image: torch.Tensor) -> float:
    """Contrast of what changes slowly against that of edges and detail, within the patient."""
    slow = low_pass(image, 15 / SPACING)
    return float(slow[:, 120:400].std() / (image - slow)[:, 120:400].std())


def test_styles_differ_in_kind():
    images = {name: shown(style) for name, style in STYLES.items()}
    ranked = {name: torch.argsort(torch.argsort(image[~AIR][::31])).double() for name, image in images.items()}
    # Whatever a tone curve does, it keeps the order of pixels: different orders mean different spatial processing.
    spatial = [
        (one, other)
        for one in "ACDF"
        for other in "ACDF"
        if one < other and np.corrcoef(ranked[one], ranked[other])[0, 1] > 0.995
    ]
    assert not spatial
    assert slope(images["D"]) < 0.7 * slope(images["A"])
    assert detail(images["C"]) > detail(images["A"])
    assert images["E"][~AIR].median() < images["B"][~AIR].median()
    assert images["F"][BONE].std() < images["D"][BONE].std()
    assert process(SIGNAL, STYLES["B"], SPACING).tone.curve is Curve.SIGMOID
    assert process(SIGNAL, STYLES["E"], SPACING).tone.curve is Curve.FILM
    assert set(images["F"][AIR].tolist()) == {0.0}


def test_coring_keeps_the_noise_down():
    with_coring, without = (Style("X", 12, gain=3.0, coring=coring, low=1, high=99.8, equalise=0.4) for coring in (2.0, 0.0))
    flat = (slice(None), slice(200, 230))
    noise = [
        float((image[flat][1:] - image[flat][:-1]).std() / image[~AIR].std()) for image in (shown(with_coring), shown(without))
    ]
    assert noise[0] < 0.8 * noise[1]


def test_the_window_follows_the_patient_and_not_the_air():
    narrow = SIGNAL[:, 60:-60]
    whole = process(SIGNAL, STYLES["A"], SPACING).displayed()[:, 60:-60]
    assert float((process(narrow, STYLES["A"], SPACING).displayed() - whole).abs().mean()) < 0.06


@pytest.mark.parametrize("curve", Curve)
def test_tone_curves_rise_and_stay_within_the_display(curve):
    display = Tone(curve, 0.45, 0.7)(torch.linspace(-0.5, 1.5, 201))
    assert bool((display.diff() >= 0).all()) and float(display.min()) >= 0 and float(display.max()) <= 1
    assert float(display[150] - display[50]) > 0.8


def test_variation_is_wide_but_keeps_the_vendor():
    rng = np.random.default_rng(0)
    for style in STYLES.values():
        varied = [vary(style, rng) for _ in range(200)]
        assert {(v.name, v.bits, v.monochrome1, v.stored, v.masked, v.tone.curve) for v in varied} == {
            (style.name, style.bits, style.monochrome1, style.stored, style.masked, style.tone.curve)
        }
        assert np.std([v.low for v in varied]) > 0.3 * style.low
        images = torch.stack([shown(v)[::5, ::5] for v in varied[:6]])
        assert float(images.std(0)[~AIR[::5, ::5]].mean()) > 0.015
        assert all(image[BONE[::5, ::5]].mean() > image[AIR[::5, ::5]].mean() + 0.2 for image in images)


def test_a_radiograph_of_nothing_but_patient_is_windowed_too():
    image = process(torch.full((70, 80), 2.0), STYLES["A"], SPACING).displayed()
    assert bool(torch.isfinite(image).all())


def test_a_native_radiograph_costs_a_few_times_what_sorting_its_rows_costs():
    rows, columns = 3000, 2500
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        lean = torch.full((rows, columns), 170.0)
        attenuate(lean[:1], lean[:1], lean[:1], {}, Exposure())  # computes the spectrum, once for many radiographs
        image = ImagePlane(rows, columns, 0.13, -columns * 0.065, -rows * 0.065, 0, 0, 1000)
        start = time.process_time()
        beam = attenuate(lean, lean * 0.1, lean * 0.005, {"titanium": lean * 0.0}, Exposure())
        signal = expose(beam, Exposure(), image, 1150, torch.Generator().manual_seed(0))
        process(signal, STYLES["C"], image.spacing)
        spent = time.process_time() - start
        start = time.process_time()
        torch.randn(rows, columns).sort()
        assert spent < 8 * (time.process_time() - start)  # about 5, some 2 s
    finally:
        torch.set_num_threads(threads)


def test_a_recognised_collimator_is_black_and_leaves_the_rest_as_it_was():
    exposed = torch.ones(SIGNAL.shape, dtype=torch.bool)
    exposed[:, :20] = False
    covered = torch.where(exposed, SIGNAL, torch.tensor(1e-3))
    image = process(covered, STYLES["A"], SPACING, exposed, shuttered=True).displayed()
    assert image[:, :20].max() == 0
    whole = process(SIGNAL, STYLES["A"], SPACING).displayed()
    assert float((image - whole)[:, 60:].abs().mean()) < 0.06


def test_an_unrecognised_collimator_is_bright_and_does_not_set_the_window():
    exposed = torch.ones(SIGNAL.shape, dtype=torch.bool)
    exposed[:, :20] = False
    covered = torch.where(exposed, SIGNAL, torch.tensor(1e-3))
    image = process(covered, STYLES["A"], SPACING, exposed, shuttered=False).displayed()
    assert image[:, :18].min() > 0.9
    whole = process(SIGNAL, STYLES["A"], SPACING).displayed()
    assert float((image - whole)[:, 120:].abs().mean()) < 0.15
