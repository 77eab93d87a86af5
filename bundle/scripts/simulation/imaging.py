"""Taking a radiograph of a phantom: pose, rays, exposure, processing, and the masks and landmarks that come with it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from scripts.radiograph.landmarks import LANDMARKS, SIDES
from scripts.simulation import implants as metalwork
from scripts.simulation.femur import Femur
from scripts.simulation.phantom import Phantom, Pose
from scripts.simulation.processing import STYLES, Style, process, vary
from scripts.simulation.projection import Film, cast
from scripts.simulation.soft_tissue import smooth_noise, soft_tissue
from scripts.simulation.xray import CORTICAL_MINERAL, MINERAL_DENSITY, Exposure, expose, low_pass, primary

_FEMUR_SPACING, _PELVIS_SPACING = 0.45, 0.9


@dataclass(frozen=True)
class View:
    """One exposure: the film, the pose of each femur (degrees), the tube, the vendor's style, the collimation and the marker.

    ``border`` holds the width in pixels of the collimated border (top, right, bottom, left), ``border_white`` its colour.
    ``marker`` is the side whose letter is burned in, or "". ``detector_spacing`` and ``source_detector`` (mm) go to the header.
    """

    film: Film
    poses: dict[str, Pose]
    exposure: Exposure
    style: Style
    border: tuple[int, int, int, int]
    border_white: bool
    marker: str
    detector_spacing: float
    source_detector: float
    frog_leg: bool


@dataclass(frozen=True)
class Shot:
    """The result: ``image`` (rows, columns) in 0..1 with bone bright, ``mask`` of classes 0..3, and landmarks by side in
    (row, column), None where they are not seen."""

    image: Tensor
    mask: np.ndarray
    landmarks: dict[str, dict[str, list[float] | None] | None]


def draw_view(rng: np.random.Generator, spacing: float, style: Style | None = None) -> View:
    """Draw the way a pelvis radiograph is taken: mostly AP with the feet turned in, some badly, some frog-leg, some of one hip.

    Args:
        rng: source of everything that varies.
        spacing: pixel spacing of the detector in mm.
        style: the vendor's processing; drawn when None.
    """
    sid = float(rng.uniform(1000, 1200))
    focus = sid - float(rng.uniform(110, 190))
    at_patient = spacing * focus / sid
    frog = rng.random() < 0.07
    one_hip = rng.random() < (0.5 if frog else 0.10)
    if one_hip:
        height, width = rng.uniform(260, 352), rng.uniform(220, 290)
    else:
        height, width = rng.uniform(300, 352), rng.uniform(400, 430)
    height, width = height * focus / sid, width * focus / sid
    side = float(rng.choice([-1, 1]))
    centre_x = rng.normal(0, 8) if not one_hip else side * rng.normal(95, 18)
    centre_z = rng.normal(4, 16)
    film = Film(
        int(height / at_patient), int(width / at_patient), at_patient, float(centre_x - width / 2), float(centre_z - height / 2),
        float(centre_x + rng.normal(0, 10)), float(centre_z + rng.normal(0, 10)), focus,
    )  # fmt: skip
    turn, spread = rng.normal(2, 13), rng.normal(-3, 4)
    poses = {}
    for name in SIDES:
        ordinary = Pose(spread + rng.normal(0, 2.5), float(np.clip(turn + rng.normal(0, 6), -25, 50)), abs(rng.normal(0, 5)))
        abducted = Pose(rng.uniform(32, 65), rng.uniform(20, 75), rng.uniform(0, 40))
        poses[name] = abducted if frog else ordinary
    if one_hip and frog:
        poses["right" if side > 0 else "left"] = Pose(spread, float(np.clip(turn, -25, 50)))
    narrow = [int(abs(rng.normal(0, 0.05)) * n) if rng.random() < 0.5 else 0 for n in (film.rows, film.columns) * 2]
    exposure = Exposure(
        kvp=float(rng.integers(14, 18) * 5),
        filtration=float(rng.choice([1.0, 2.5, 3.5])),
        dose=float(np.exp(rng.uniform(np.log(2e4), np.log(2e5)))),
        scatter=float(rng.uniform(0.15, 0.7)),
        blur=float(rng.uniform(0.12, 0.28)),
        heel=float(rng.uniform(0.02, 0.2)),
    )
    style = vary(STYLES[rng.integers(len(STYLES))] if style is None else style, rng)
    marker = str(rng.choice(["right", "left", ""]))
    return View(film, poses, exposure, style, (narrow[0], narrow[1], narrow[2], narrow[3]), bool(rng.random() < 0.3), marker,
                spacing, sid, frog)  # fmt: skip


def take(phantom: Phantom, view: View, seed: int) -> Shot:
    """Expose ``phantom`` as ``view`` says.

    Args:
        phantom: the patient.
        view: pose, film, exposure and processing.
        seed: of the tissue's texture and the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    film = view.film
    size = (film.rows, film.columns)

    def enlarged(image: Tensor) -> Tensor:
        return interpolate(image[None, None], size=size, mode="bicubic")[0, 0].clamp_min(0)

    femur_film, pelvis_film = film.at_spacing(_FEMUR_SPACING), film.at_spacing(_PELVIS_SPACING)
    mineral, path, core = (torch.zeros(size) for _ in range(3))
    for solid, box in phantom.pelvis.parts():
        shadow = cast(solid, pelvis_film, box, step=3.0)
        mineral += enlarged(shadow.cortex * (CORTICAL_MINERAL / 10) + shadow.interior)
        path += enlarged(shadow.path)
        core += enlarged(shadow.path - shadow.cortex)

    bone = torch.zeros(size, dtype=torch.bool)
    metal: dict[str, Tensor] = {}
    joint, fixation = torch.zeros(size, dtype=torch.bool), torch.zeros(size, dtype=torch.bool)
    landmarks: dict[str, dict[str, list[float] | None] | None] = {}
    texture = _trabecular_texture(femur_film, generator)
    for side in SIDES:
        femur = _posed(phantom, view, side)
        shadow = cast(femur, femur_film, femur.box())
        mineral += enlarged(shadow.cortex * (CORTICAL_MINERAL / 10) + shadow.interior * texture)
        path += enlarged(shadow.path)
        core += enlarged(shadow.path - shadow.cortex)
        bone |= enlarged(shadow.path) > 0.6
        for part in metalwork.parts(phantom.implants[side], femur):
            piece = enlarged(cast(metalwork.solid(part, femur), femur_film, femur.box(), step=1.0).path)
            metal[part.material] = metal.get(part.material, 0) + piece
            (joint if phantom.implants[side].is_joint else fixation).logical_or_(piece > 0.5)
        landmarks[side] = _visible(femur, view)

    lean, fat = soft_tissue(phantom.body, film, {side: pose.abduction for side, pose in view.poses.items()}, generator)
    lean, fat = _displace(lean, fat, path, core, mineral)
    beam = primary(lean, fat, mineral, metal, view.exposure)
    signal = expose(beam, view.exposure, film.spacing, generator)
    image = process(signal, view.style, film.spacing)
    image = _collimate(image, view)
    if view.marker:
        image = _mark(image, view)
    mask = np.zeros(size, np.uint8)
    mask[bone.numpy()] = 1
    mask[joint.numpy()] = 2
    mask[fixation.numpy()] = 3
    top, right, bottom, left = view.border
    mask[:top], mask[film.rows - bottom :], mask[:, :left], mask[:, film.columns - right :] = 0, 0, 0, 0
    return Shot(image, mask, landmarks)


def _posed(phantom: Phantom, view: View, side: str) -> Femur:
    femur = phantom.femurs[side]
    return replace(femur, rotation=view.poses[side].matrix())


def _displace(lean: Tensor, fat: Tensor, path: Tensor, core: Tensor, mineral: Tensor) -> tuple[Tensor, Tensor]:
    """Soft tissue left once bone has taken its place: bone pushes lean tissue aside and brings marrow (half fat) and matrix."""
    lean = (lean - path).clamp_min(0)
    matrix = (path - mineral / MINERAL_DENSITY * 10).clamp_min(0)
    marrow_fat = 0.5 * torch.minimum(core, matrix)
    return lean + matrix - marrow_fat, fat + marrow_fat


def _trabecular_texture(film: Film, generator: torch.Generator) -> Tensor:
    """Multiplier of mean 1 for the trabecular mineral: streaks along the compressive and tensile directions."""
    noise = torch.randn(film.rows, film.columns, generator=generator)
    streaks = low_pass(noise, 1.0)
    tall = torch.conv2d(streaks[None, None], torch.ones(1, 1, 9, 1) / 9, padding="same")[0, 0]
    blotch = smooth_noise(film.rows, film.columns, 8 / film.spacing, generator)
    return (1 + 0.35 * tall / tall.std() * 0.5 + 0.15 * streaks / streaks.std() + 0.06 * blotch).clamp_min(0.2)


def _visible(femur: Femur, view: View) -> dict[str, list[float] | None] | None:
    """Landmarks in (row, column) of the film, None for one outside the exposed field; None where no landmark is seen."""
    names = femur.landmarks
    points = femur.to_patient(torch.tensor([names[name] for name in LANDMARKS]))
    pixels = view.film.pixel_of(points).tolist()
    top, right, bottom, left = view.border
    result: dict[str, list[float] | None] = {}
    for name, (row, col) in zip(LANDMARKS, pixels, strict=True):
        seen = top <= row < view.film.rows - bottom and left <= col < view.film.columns - right
        result[name] = [round(row, 2), round(col, 2)] if seen else None
    return result if any(result.values()) else None


def _collimate(image: Tensor, view: View) -> Tensor:
    top, right, bottom, left = view.border
    rows, columns = image.shape
    value = 1.0 if view.border_white else 0.0
    image = image.clone()
    image[:top], image[rows - bottom :], image[:, :left], image[:, columns - right :] = value, value, value, value
    return image


def _mark(image: Tensor, view: View) -> Tensor:
    """Burn the letter of the side in, beside the patient, as a lead marker shows it."""
    rows, columns = image.shape
    letter = "R" if view.marker == "right" else "L"
    canvas = Image.new("L", (columns, rows))
    font = ImageFont.load_default(size=max(10, int(14 / view.film.spacing)))
    top, right, _, left = view.border
    col = left + int(8 / view.film.spacing) if letter == "R" else columns - right - int(20 / view.film.spacing)
    ImageDraw.Draw(canvas).text((col, top + int(12 / view.film.spacing)), letter, fill=255, font=font)
    return torch.maximum(image, torch.from_numpy(np.asarray(canvas, np.float32) / 255) * 0.97)
