"""The simulator's physics against figures that come from elsewhere."""

import math

import numpy as np
import pytest
import torch
import xraydb
from scripts.simulation.physics.projection import ImagePlane, Tissue, cast, inside_fraction
from scripts.simulation.physics.xray import (
    FAT_DENSITY,
    LEAN_DENSITY,
    MASS_FRACTIONS,
    MATERIAL_DENSITY,
    MINERAL_DENSITY,
    Exposure,
    attenuate,
    expose,
    few_energies,
    low_pass,
    mass_attenuation,
    scatter,
    spectrum,
    tube_charge,
)

DENSITY = {"lean": LEAN_DENSITY, "fat": FAT_DENSITY, "mineral": MINERAL_DENSITY, **MATERIAL_DENSITY}
QUIET = {"heel": 0.0, "electronic": 0.0, "dose": 1e9, "saturation": 1e12}


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plane_of(image: torch.Tensor, spacing: float, focus_distance: float = math.inf) -> ImagePlane:
    rows, columns = image.shape
    return ImagePlane(rows, columns, spacing, -columns * spacing / 2, -rows * spacing / 2, 0, 0, focus_distance)


def signal_through(cm: float, mineral: float, exposure: Exposure, *, fat: float = 0.0, **materials: float) -> float:
    """Primary signal behind a slab of lean and fat tissue (cm), mineral (g/cm²) and other materials (mm)."""
    lean, adipose, bone = (torch.tensor([value], dtype=torch.float64) for value in (cm * 10, fat * 10, mineral))
    others = {name: torch.tensor([path], dtype=torch.float64) for name, path in materials.items()}
    return float(attenuate(lean, adipose, bone, others, exposure))


# Mass attenuation


@pytest.mark.parametrize("material", MASS_FRACTIONS)
def test_attenuation_follows_xraydb_for_the_compound(material):
    # xraydb counts atoms, this module grams: the formula is the composition's moles.
    moles = {element: share / xraydb.atomic_mass(element) for element, share in MASS_FRACTIONS[material].items()}
    formula = "".join(f"{element}{amount:.9f}" for element, amount in moles.items())
    energies = np.arange(25e3, 90e3, 2.5e3)
    expected = xraydb.material_mu(formula, energies, density=DENSITY[material]) / DENSITY[material]
    assert mass_attenuation(material, energies) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    ("material", "formula"),
    [("mineral", "Ca10(PO4)6(OH)2"), ("ceramic", "Al2O3"), ("polyethylene", "C2H4"), ("lead", "Pb")],
)
def test_compounds_have_the_composition_of_their_formula(material, formula):
    energies = np.arange(25e3, 90e3, 2.5e3)
    expected = xraydb.material_mu(formula, energies, density=1.0)
    assert mass_attenuation(material, energies) == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize(
    ("material", "expected"),
    [
        ("lean", (0.379, 0.269, 0.226, 0.205, 0.182)),
        ("fat", (0.306, 0.240, 0.212, 0.197, 0.180)),
        ("titanium", (4.77, 2.12, 1.17, 0.740, 0.394)),
        ("cobalt", (9.40, 4.20, 2.27, 1.39, 0.678)),
        ("polyethylene", (0.271, 0.228, 0.208, 0.197, 0.182)),
    ],
)
def test_attenuation_at_30_to_80_kev_is_that_of_the_tables(material, expected):
    energies = np.array([30e3, 40e3, 50e3, 60e3, 80e3])
    assert mass_attenuation(material, energies) == pytest.approx(expected, rel=0.005)


def test_the_shares_of_elements_sum_to_one():
    assert {material: sum(shares.values()) for material, shares in MASS_FRACTIONS.items()} == pytest.approx(
        dict.fromkeys(MASS_FRACTIONS, 1.0), abs=0.0011
    )


# Beams


@pytest.mark.parametrize("material", ["lean", "fat", "mineral", *MATERIAL_DENSITY])
def test_a_slab_attenuates_as_beer_and_lambert_say(material):
    exposure = Exposure(kvp=80)
    whole = spectrum(80)
    path = 0.3 if material == "lead" else 5.0  # mm
    if material in MATERIAL_DENSITY:
        measured = signal_through(16, 0, exposure, **{material: path}) / signal_through(16, 0, exposure)
    else:
        lean, fat = (path / 10 if material == name else 0.0 for name in ("lean", "fat"))
        mineral = path / 10 * MINERAL_DENSITY if material == "mineral" else 0.0
        measured = signal_through(16 + lean, mineral, exposure, fat=fat) / signal_through(16, 0, exposure)
    behind = whole.shares * np.exp(-16 * LEAN_DENSITY * mass_attenuation("lean", whole.energies))
    slab = np.exp(-path / 10 * DENSITY[material] * mass_attenuation(material, whole.energies))
    assert measured == pytest.approx((behind * slab).sum() / behind.sum(), rel=0.005)


@pytest.mark.parametrize(
    ("kvp", "filtration", "copper", "angle"),
    [(62, 2.0, 0.0, 16.0), (70, 2.5, 0.0, 12.0), (80, 2.5, 0.2, 12.0), (90, 3.5, 0, 10.0)],
)
def test_few_energies_attenuate_like_the_whole_spectrum(kvp, filtration, copper, angle):
    whole, few = (f(kvp, filtration, copper, angle) for f in (spectrum, few_energies))
    assert len(few.energies) <= 14
    metals = [("titanium", 0.0), ("titanium", 0.3), ("titanium", 2.0), ("cobalt", 0.1), ("steel", 0.4), ("ceramic", 2.8),
              ("cement", 0.7), ("catheter", 0.3), ("polyethylene", 1.0), ("lead", 0.01)]  # fmt: skip

    mu = {id(beam): {name: mass_attenuation(name, beam.energies) for name in MASS_FRACTIONS} for beam in (whole, few)}

    def transmitted(beam, cm, fat, mineral, material, path):
        of = mu[id(beam)]
        depth = cm * ((1 - fat) * LEAN_DENSITY * of["lean"] + fat * FAT_DENSITY * of["fat"]) + mineral * of["mineral"]
        return beam.shares @ np.exp(-depth - path * MATERIAL_DENSITY[material] * of[material])

    for cm in (16, 20, 25, 30):
        for fat in (0.0, 0.4):
            for mineral in (0.0, 0.8, 3.0):
                for material, path in metals:
                    ray = (cm, fat, mineral, material, path)
                    visible = transmitted(whole, cm, fat, mineral, material, 0.0) * 1e-3  # below this nothing is seen
                    expected = transmitted(whole, *ray)
                    assert abs(transmitted(few, *ray) - expected) < 0.003 * (expected + visible), ray


def test_the_mean_detected_energy_behind_20_cm_is_56_kev():
    whole = spectrum(80)
    signal = whole.shares * np.exp(-20 * LEAN_DENSITY * mass_attenuation("lean", whole.energies))
    assert (signal * whole.energies).sum() / signal.sum() == pytest.approx(56e3, abs=500)


def test_a_centimetre_of_soft_tissue_costs_as_much_as_half_a_gram_of_mineral():
    exposure = Exposure(kvp=80)
    loss = math.log(signal_through(20, 0, exposure) / signal_through(21, 0, exposure))
    grams = np.linspace(0.3, 0.6, 61)
    losses = [math.log(signal_through(20, 0, exposure) / signal_through(20, gram, exposure)) for gram in grams]
    assert np.interp(loss, losses, grams) == pytest.approx(0.455, rel=0.05)


def test_beam_hardening_from_16_to_26_cm_takes_a_tenth_of_the_bone_signal():
    exposure = Exposure(kvp=80)
    thin, thick = (math.log(signal_through(cm, 0, exposure) / signal_through(cm, 1, exposure)) for cm in (16, 26))
    assert 1 - thick / thin == pytest.approx(0.11, abs=0.02)


def test_copper_and_voltage_harden_the_beam():
    def mean(**settings):
        beam = spectrum(**settings)
        return (beam.shares * beam.energies).sum()

    assert mean(kvp=70) < mean(kvp=80) < mean(kvp=80, copper=0.2)


# Scatter and exposure


def scatter_to_primary(thickness: float, field: int, exposure: Exposure) -> float:
    beam = torch.full((field, field), signal_through(thickness, 0, exposure))
    return float(scatter(beam, exposure, 1.0)[field // 2, field // 2] / beam[0, 0])


@pytest.mark.parametrize(("thickness", "expected"), [(10, 2.0), (20, 4.0), (30, 6.0)])
def test_scatter_without_a_grid_is_that_of_a_body_in_a_field_of_30_cm(thickness, expected):
    bare = Exposure(grid_primary=1, grid_scatter=1)
    assert scatter_to_primary(thickness, 300, bare) == pytest.approx(expected, rel=0.1)


def test_scatter_grows_with_thickness_and_field_and_a_grid_takes_its_share():
    grid, bare = Exposure(grid_primary=0.7, grid_scatter=0.14), Exposure(grid_primary=1, grid_scatter=1)
    assert scatter_to_primary(20, 100, bare) < scatter_to_primary(20, 200, bare) < scatter_to_primary(20, 400, bare)
    assert scatter_to_primary(20, 300, grid) == pytest.approx(scatter_to_primary(20, 300, bare) * 0.2)


def test_air_scatters_nothing():
    assert float(scatter(torch.ones(100, 100), Exposure(), 1.0).abs().max()) < 1e-4


@pytest.mark.parametrize("thickness", [16.0, 30.0])
def test_exposure_control_reaches_its_target_behind_thin_and_thick_patients(thickness):
    beam = torch.ones(400, 420)
    beam[:, 40:380] = signal_through(thickness, 0, Exposure())
    signal = expose(beam, Exposure(), plane_of(beam, 1.0), 1000, generator())
    chambers = [signal[145:205, 105:165], signal[145:205, 255:315], signal[225:285, 180:240]]
    assert torch.cat([part.flatten() for part in chambers]).mean() == pytest.approx(1.0, abs=0.01)


def test_air_in_a_chamber_does_not_end_the_exposure():
    thick = signal_through(20, 0, Exposure())
    beam = torch.full((400, 420), thick)
    beam[:, :135] = 1.0
    signal = expose(beam, Exposure(), plane_of(beam, 1.0), 1000, generator())
    assert float(signal[175, 150:165].mean()) == pytest.approx(1.0, abs=0.15)


def test_air_beside_the_patient_saturates_the_detector():
    beam = torch.full((200, 200), 0.01)
    beam[:, 150:] = 1.0
    signal = expose(beam, Exposure(dose=2.0, saturation=30.0), plane_of(beam, 2.0), 1000, generator())
    assert set(signal[:, 160:].flatten().tolist()) == {15.0}


def test_the_heel_runs_along_the_rows():
    beam = torch.full((300, 200), 0.01)
    settings = {**QUIET, "grid_scatter": 0.0, "detector_blur": 0.0}
    signal = expose(beam, Exposure(**{**settings, "heel": 0.2}), plane_of(beam, 1.0), 1000, generator())
    assert float(signal[0].mean() / signal[-1].mean()) == pytest.approx(1.1 / 0.9, rel=0.002)
    assert float(signal[:, 0].mean()) == pytest.approx(float(signal[:, -1].mean()), rel=0.002)


def test_a_thicker_patient_takes_more_charge_and_a_longer_distance_too():
    charges = [tube_charge(Exposure(), thickness, 1150) for thickness in (160.0, 200.0, 240.0)]
    assert charges[0] < charges[1] < charges[2]
    assert 10 < charges[2] < 40  # 20 to 30 mAs are usual
    assert tube_charge(Exposure(), 200, 1150) == pytest.approx(tube_charge(Exposure(), 200, 1000) * 1.15**2)


# Detector


def noise(dose: float, electronic: float = 0.0) -> float:
    beam = torch.full((300, 300), 0.02)
    exposure = Exposure(dose=dose, electronic=electronic, heel=0.0, grid_scatter=0.0)
    return float(expose(beam, exposure, plane_of(beam, 0.15), 1000, generator()).var())


def test_the_variance_of_the_noise_is_inverse_to_the_dose():
    assert noise(1.0) / noise(4.0) == pytest.approx(4.0, rel=0.02)


def test_quantum_noise_is_that_of_the_quanta_absorbed():
    beam = torch.full((400, 400), 0.02)
    exposure = Exposure(dose=2.5, electronic=0.0, heel=0.0, grid_scatter=0.0, detector_blur=0.0)
    variance = float(expose(beam, exposure, plane_of(beam, 0.2), 1000, generator()).var())
    # Flat panels of caesium iodide: a detective quantum efficiency of 0.6 to 0.75 at low frequency and RQA5.
    assert 0.6 < 1 / variance / (29_600 * 2.5 * 0.2**2) < 0.75


def test_electronic_noise_is_a_floor_that_no_dose_lowers():
    blurless = {"heel": 0.0, "grid_scatter": 0.0, "detector_blur": 0.0}
    beam = torch.full((300, 300), 0.02)
    plane = plane_of(beam, 0.15)
    variances = [
        float(expose(beam, Exposure(dose=dose, electronic=0.5, **blurless), plane, 1000, generator()).var()) * dose**2
        for dose in (0.5, 1.0, 2.0)
    ]  # in units of the detector's own signal: proportional to dose + floor
    slope = (variances[2] - variances[0]) / 1.5
    assert variances[1] == pytest.approx((variances[0] + variances[2] * 0.5) / 1.5, rel=0.05)
    assert variances[0] / slope - 0.5 == pytest.approx(0.5, rel=0.12)


@pytest.mark.parametrize("focal_spot", [0.0, 3.0])
def test_an_edge_spreads_as_focal_spot_and_detector_blur_it(focal_spot):
    spacing, source_detector, source_patient, blur = 0.1, 1200.0, 1000.0, 0.3
    beam = torch.full((200, 400), 0.02)
    beam[:, 200:] = 0.04
    exposure = Exposure(focal_spot=focal_spot, detector_blur=blur, grid_scatter=0.0, **QUIET)
    signal = expose(beam, exposure, plane_of(beam, spacing, source_patient), source_detector, generator()).double().mean(0)
    edge = (signal - signal[0]) / (signal[-1] - signal[0])
    magnification = source_detector / source_patient
    expected = math.hypot(focal_spot / math.sqrt(12) * (magnification - 1) / magnification, blur / magnification)
    line = edge.diff()
    x = torch.arange(len(line), dtype=torch.float64) * spacing
    centre = (line * x).sum()
    assert float(((line * (x - centre) ** 2).sum()).sqrt()) == pytest.approx(expected, rel=0.02)
    normal = torch.special.ndtr((torch.arange(400) - 199.5).double() * spacing / expected)
    assert float((edge - normal).abs().max()) < 0.01


@pytest.mark.parametrize("sigma", [0.2, 0.7, 1.4, 3.0, 8.3, 40.0])
def test_blur_has_the_variance_asked_for(sigma):
    size = int(sigma * 12) + 31
    image = torch.zeros(size, size, dtype=torch.float64)
    image[size // 2, size // 2] = 1.0
    blurred = low_pass(image, sigma)
    x = torch.arange(size, dtype=torch.float64) - size // 2
    for profile in (blurred.sum(0), blurred.sum(1)):
        assert float(profile.sum()) == pytest.approx(1.0, abs=1e-4)
        mean = float((profile * x).sum())
        assert abs(mean) < 0.55 * max(1, int(sigma / 2))  # a point may lie anywhere within a cell of the reduced grid
        assert float((profile * (x - mean) ** 2).sum()) ** 0.5 == pytest.approx(sigma, rel=0.03)


# Geometry


def ball(radius: float, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    def solid(points: torch.Tensor) -> Tissue:
        distance = (points - torch.tensor(centre)).norm(dim=-1) - radius
        return Tissue(distance, torch.full_like(distance, 2.0), torch.full_like(distance, 0.2))

    return solid, (torch.tensor(centre) - radius - 1, torch.tensor(centre) + radius + 1)


def test_rays_cross_a_ball_as_geometry_says():
    solid, box = ball(40.0)
    shadow = cast(solid, ImagePlane(201, 201, 0.5, -50, -50), box)
    assert float(shadow.path[100, 100]) == pytest.approx(80.0, rel=0.005)
    assert float(shadow.cortex[100, 100]) == pytest.approx(4.0, rel=0.01)
    assert float(shadow.path.sum() * 0.25) == pytest.approx(4 / 3 * np.pi * 40**3, rel=0.005)
    assert float(shadow.interior.sum() * 0.25 / 100) == pytest.approx(0.2 * 4 / 3 * np.pi * 3.8**3, rel=0.005)


@pytest.mark.parametrize("depth", [-90.0, 0.0, 90.0])
def test_oblique_rays_are_as_long_inside_as_geometry_says(depth):
    solid, box = ball(30.0, (180.0, depth, -160.0))
    plane = ImagePlane(500, 500, 1.0, -50, -400, 0, 0, 1000.0)
    centre = plane.pixel_of(torch.tensor([180.0, depth, -160.0])).round().long().tolist()
    path = cast(solid, plane, box, 1.0).path
    assert float(path[tuple(centre)]) == pytest.approx(60.0, rel=0.002)
    # The whole shadow: each pixel's path against the chord at its ray's distance from the ball's centre.
    rows, cols = torch.meshgrid(torch.arange(500.0), torch.arange(500.0), indexing="ij")
    focus = torch.tensor([0.0, -1000.0, 0.0])
    ray = torch.stack([plane.left + cols, torch.zeros_like(cols), plane.top + rows], -1) - focus
    ray = ray / ray.norm(dim=-1, keepdim=True)
    to_centre = torch.tensor([180.0, depth, -160.0]) - focus
    aside = (to_centre - (ray @ to_centre)[..., None] * ray).norm(dim=-1)
    chord = 2 * (30.0**2 - aside**2).clamp_min(0).sqrt()
    assert float((path - chord).abs()[chord > 15].max()) < 0.1
    assert float(path.sum()) == pytest.approx(float(chord.sum()), rel=0.001)


@pytest.mark.parametrize("depth", [-120.0, -40.0, 0.0, 60.0, 120.0])
def test_objects_are_magnified_by_the_ratio_of_their_distances(depth):
    centres = [(x, depth, 0.0) for x in (-60.0, 60.0)]
    plane = ImagePlane(161, 801, 0.25, -100, -20, 0, 0, 900.0)
    middles = []
    for centre in centres:
        solid, box = ball(4.0, centre)
        path = cast(solid, plane, box, 0.5).path.double()
        middles.append(float((path.sum(0) * (plane.left + torch.arange(801) * 0.25)).sum() / path.sum()))
    assert middles[1] - middles[0] == pytest.approx(120.0 * 900 / (900 + depth), rel=0.005)


def test_a_thin_tilted_plate_keeps_its_mass():
    normal = torch.nn.functional.normalize(torch.tensor([0.5, 0.6, 0.3]), dim=0)

    def plate(points: torch.Tensor) -> Tissue:
        distance = torch.maximum((points @ normal).abs() - 0.4, points.norm(dim=-1) - 40)
        return Tissue(distance, torch.full_like(distance, 5.0), torch.zeros_like(distance))

    corner = torch.full((3,), 41.0)
    shadow = cast(plate, ImagePlane(164, 164, 0.5, -41, -41), (-corner, corner), 0.5)
    assert float(shadow.path.sum() * 0.25) == pytest.approx(math.pi * 40**2 * 0.8, rel=0.02)


def test_inside_fraction_is_exact_for_a_plane():
    starts, ends = torch.tensor([-1.0, 1.0, -1.0, 1.0]), torch.tensor([1.0, -3.0, -2.0, 2.0])
    assert inside_fraction(starts, ends).tolist() == [0.5, 0.75, 1.0, 0.0]
