"""Taking a radiograph of a phantom: rays, exposure and processing, and the masks, landmarks and mineral that come with it.

What the rays meet is found once (`trace`), which takes most of the time; it can then be exposed as often as is wanted, with other
techniques and processing, and with the mineral of its bones multiplied (`Traced.exposed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.curves import smooth_noise
from scripts.simulation.anatomy.disease import Fracture
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.soft_tissue import SoftTissue, soft_tissue
from scripts.simulation.anatomy.trabeculae import trabecular_texture
from scripts.simulation.fracture_zone import fracture_zone
from scripts.simulation.hardware.foreign_objects import object_paths
from scripts.simulation.hardware.implants import parts, placed
from scripts.simulation.phantom import Phantom, Pose
from scripts.simulation.physics.processing import Rendering, process
from scripts.simulation.physics.projection import ImagePlane, Solid, cast
from scripts.simulation.physics.viewer import exported
from scripts.simulation.physics.xray import CORTICAL_MINERAL, MINERAL_DENSITY, attenuate, expose, low_pass
from scripts.simulation.view import Marker, View, collimator_transmission

_FEMUR_SPACING, _PELVIS_SPACING = 0.45, 0.9
_PELVIS_STEP, _METAL_STEP = 3.0, 1.0
_SMOOTHING = 0.55  # SD in pixels of those spacings
BONE_MM: Final = 0.6
_METAL_MM = 0.5
"""Path from which a ray counts as through bone or metal."""

_TOGETHER_SD, _APART_SD, _SPONGY_SD = 0.12, 0.08, 0.12

Landmarks = dict[str, dict[str, list[float] | None] | None]


@dataclass(frozen=True)
class Shot:
    """A radiograph as the vendor stores it, with its truth: the ``mask`` (rows, columns) of classes 0..3, landmarks by side
    in (row, column), None where they are not seen, and the ``fracture`` (rows, columns) bool, where a femur looks broken."""

    rendering: Rendering
    mask: np.ndarray
    landmarks: Landmarks
    fracture: np.ndarray


@dataclass(frozen=True)
class State:
    """By what the mineral in a cubic centimetre is multiplied, of the femurs' ``cortex``, of their ``spongy`` bone and of
    ``pelvis`` and spine; shape and pattern stay."""

    cortex: float = 1.0
    spongy: float = 1.0
    pelvis: float = 1.0


AS_IT_IS: Final = State()


@dataclass(frozen=True)
class Bones:
    """What rays meet in bone, images (rows, columns): mineral of the femurs' ``cortex`` and of their ``spongy`` bone and of the
    ``pelvis`` (g/cm²), ``path`` (mm in bone), ``fat`` (share of fat in what marrow there is, times the path in spongy bone, mm)
    and ``femur`` (mm in the femurs)."""

    cortex: Tensor
    spongy: Tensor
    pelvis: Tensor
    path: Tensor
    fat: Tensor
    femur: Tensor

    def compartments(self, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """Mineral of the femurs' cortex, of their spongy bone and of the pelvis in a state, g/cm²."""
        return self.cortex * state.cortex, self.spongy * state.spongy, self.pelvis * state.pelvis


@dataclass(frozen=True)
class Traced:
    """What the rays of a view meet in a phantom.

    ``femurs`` by side as they lie; images (rows, columns) of the ``bones``, of the ``tissue`` as if there were no bone, and the
    path in mm through each of ``materials`` and through all ``metal`` of implants. ``labels`` is the mask of classes 0..3 without
    a collimator, ``fracture`` where a femur looks broken.
    """

    plane: ImagePlane
    femurs: Mapping[str, Femur]
    bones: Bones
    tissue: SoftTissue
    materials: Mapping[str, Tensor]
    metal: Tensor
    labels: np.ndarray
    fracture: np.ndarray

    def exposed(self, view: View, generator: torch.Generator, state: State = AS_IT_IS) -> Shot:
        """Take a radiograph of it.

        Args:
            view: that of `trace`, or one that differs in exposure, collimation, marker and processing alone.
            generator: source of the noise.
            state: of the bones' mineral.
        """
        view, bones = view.framed(), self.bones
        cortex, spongy, pelvis = bones.compartments(state)
        mineral = cortex + spongy + pelvis
        lean, fat = displaced(self.tissue.lean, self.tissue.fat, bones.path, bones.fat, mineral, self.metal)
        rendering = develop(lean, fat, mineral + self.tissue.mineral, self.materials, view, generator)
        exposed = view.field.depth(self.plane) > 0
        inside = exposed.numpy()
        landmarks = {side: _visible(femur, self.plane, exposed) for side, femur in self.femurs.items()}
        return Shot(rendering, self.labels * inside, landmarks, self.fracture & inside)


def draw_state(rng: np.random.Generator) -> State:
    """Draw a state of the mineral: all by 12%, each compartment by 8% and spongy bone by another 12% (SDs, in logarithms)."""
    cortex, spongy, pelvis = rng.normal(0, _TOGETHER_SD) + rng.normal(0, _APART_SD, 3)
    return State(*np.exp([cortex, spongy + rng.normal(0, _SPONGY_SD), pelvis]).tolist())


def trace(phantom: Phantom, view: View, generator: torch.Generator) -> Traced:
    """Find what the rays of ``view`` meet.

    Args:
        phantom: the patient.
        view: pose and image plane; the rest plays no part.
        generator: source of the bowel's gas and the tissue's texture.
    """
    plane = view.framed().plane
    femurs = {side: posed(phantom, view, side) for side in HIP.sides}
    bones = _bones(phantom, femurs, plane, torch.Generator().manual_seed(phantom.seed))
    hardware, masks = _hardware(phantom, femurs, plane)
    materials = dict(hardware)
    for material, path in object_paths(phantom.objects, plane).items():
        materials[material] = materials.get(material, 0) + path
    abduction = {side: pose.abduction + femurs[side].leg_abducted for side, pose in view.poses.items()}
    tissue = soft_tissue(phantom.body, plane, abduction, generator)
    labels = (bones.femur > BONE_MM).numpy().astype(np.uint8)
    labels[masks["prosthesis"].numpy()] = 2
    labels[masks["fixation"].numpy()] = 3
    broken = [femur for side, femur in femurs.items() if phantom.diseases[side].fracture is not Fracture.NONE]  # not what healed
    metal = sum(hardware.values(), torch.zeros(()))
    return Traced(plane, femurs, bones, tissue, materials, metal, labels, fracture_zone(broken, plane))


def take_radiograph(phantom: Phantom, view: View, seed: int) -> Shot:
    """Take a radiograph of ``phantom`` as ``view`` says, and its mask and landmarks.

    Args:
        phantom: the patient.
        view: pose, image plane, exposure and processing.
        seed: of the bowel's gas and the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    return trace(phantom, view, generator).exposed(view, generator)


def develop(
    lean: Tensor, fat: Tensor, mineral: Tensor, materials: Mapping[str, Tensor], view: View, generator: torch.Generator
) -> Rendering:
    """Expose and process what the rays of ``view`` met: collimator, marker, beam, scatter, noise and the vendor's style.

    Args:
        lean, fat: paths in mm, images (rows, columns).
        mineral: hydroxyapatite, g/cm².
        materials: path in mm through each material of ``MATERIAL_DENSITY`` that is there.
        view: image plane, exposure, collimation, marker and style; its poses play no part.
        generator: source of the noise.
    """
    plane = view.plane
    if view.marker and not view.marker.digital:
        materials = {**materials, "lead": materials.get("lead", 0) + 1.5 * _letter(view.marker, plane)}
    depth = view.field.depth(plane)
    beam = attenuate(lean, fat, mineral, materials, view.exposure) * collimator_transmission(depth)
    signal = expose(beam, view.exposure, plane, view.source_detector, generator)
    rendering = process(signal, view.style, plane.spacing, depth > 0, view.field.shuttered)
    if view.marker and view.marker.digital and not view.style.raw:  # a letter is written into what is for presentation
        letter = 0.97 * _letter(view.marker, plane)
        rendering = replace(rendering, values=torch.maximum(rendering.values, letter))
    if view.export:
        inside = depth > 0 if view.field.shuttered else torch.ones_like(depth, dtype=torch.bool)
        rendering = Rendering(exported(rendering.displayed(), view.export, plane.spacing, inside))
    return rendering


def posed(phantom: Phantom, view: View, side: str) -> Femur:
    """Return the femur of a side as it lies in ``view``."""
    femur, pose = phantom.femurs[side], view.poses[side]
    neck = Pose(pose.abduction, femur.anteversion + pose.rotation, pose.flexion)
    return replace(femur, rotation=neck.matrix())


def enlarged(images: Tensor, plane: ImagePlane) -> Tensor:
    """Return images (n, rows, columns) of paths on a coarser grid, at the pixels of ``plane``."""
    return interpolate(images[None], size=(plane.rows, plane.columns), mode="bicubic")[0].clamp_min(0)


def _bones(phantom: Phantom, femurs: Mapping[str, Femur], plane: ImagePlane, generator: torch.Generator) -> Bones:
    pelvis_plane, femur_plane = plane.at_spacing(_PELVIS_SPACING), plane.at_spacing(_FEMUR_SPACING)
    pelvis = torch.zeros(3, pelvis_plane.rows, pelvis_plane.columns)  # mineral, path, fat
    marrow_fat = sum(bone.bone.marrow_fat for bone in femurs.values()) / len(femurs)
    for solid, box in phantom.pelvis.parts():
        shadow = cast(solid, pelvis_plane, box, _PELVIS_STEP)
        mineral = (shadow.cortex * (CORTICAL_MINERAL / 10) + shadow.interior) * phantom.pelvis.density
        pelvis += torch.stack([mineral, shadow.path, (shadow.path - shadow.cortex) * marrow_fat])
    femur = torch.zeros(4, femur_plane.rows, femur_plane.columns)  # cortex, spongy, path, fat
    for bone in femurs.values():
        for solid, box in bone.parts():
            shadow = cast(solid, femur_plane, box)
            cortex, core = shadow.cortex * (bone.bone.cortical_density / 10), shadow.path - shadow.cortex
            femur += torch.stack([cortex, shadow.interior, shadow.path, core * bone.bone.marrow_fat])
    # Sampled on a point a pixel, edges would climb in steps.
    pelvis, femur = (torch.stack([low_pass(image, _SMOOTHING) for image in images]) for images in (pelvis, femur))
    coarseness = float(0.3 + 0.7 * torch.rand((), generator=generator))
    pelvis[0] *= mottle(pelvis_plane, coarseness, generator)
    femur[1] *= mottle(femur_plane, coarseness, generator)
    around = enlarged(pelvis, femur_plane)
    both = torch.stack([femur[0], femur[1], around[0], around[1] + femur[2], around[2] + femur[3], femur[2]])
    bones = Bones(*enlarged(both, plane))
    texture = sum((trabecular_texture(femur, plane, generator) - 1 for femur in femurs.values()), torch.ones(()))
    return replace(bones, spongy=bones.spongy * texture)


def mottle(plane: ImagePlane, coarseness: float, generator: torch.Generator) -> Tensor:
    """Return a multiplier of mean 1 for the mineral (rows, columns): marrow spaces and coarse trabeculae, without direction."""
    broad, middle, fine = (smooth_noise(plane.rows, plane.columns, mm / plane.spacing, generator) for mm in (9.0, 4.0, 1.8))
    return (1 + coarseness * (0.05 * broad + 0.05 * middle + 0.05 * fine)).clamp_min(0.3)


def _hardware(phantom: Phantom, femurs: Mapping[str, Femur], plane: ImagePlane) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Path in mm through each material of the implants, and the masks of what is prosthesis and fixation."""
    coarse = plane.at_spacing(_FEMUR_SPACING)
    paths: dict[str, Tensor] = {}
    masks = {kind: torch.zeros(plane.rows, plane.columns, dtype=torch.bool) for kind in ("prosthesis", "fixation")}
    for side, femur in femurs.items():
        fitting = phantom.fittings[side]
        kind = "prosthesis" if fitting.implant.is_joint else "fixation"
        for part in parts(fitting, femur):
            solid: Solid
            solid, box = placed(part, femur)
            path = enlarged(cast(solid, coarse, box, _METAL_STEP).path[None], plane)[0]
            paths[part.material] = paths.get(part.material, 0) + path
            if part.masked:
                masks[kind] |= path > _METAL_MM
    return paths, masks


def displaced(
    lean: Tensor, fat: Tensor, bone: Tensor, marrow_fat: Tensor, mineral: Tensor, metal: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the lean and fat tissue (mm) that is left where bone and metal take its place; bone brings matrix and marrow.

    Args:
        lean, fat: paths in mm as if there were neither.
        bone: path in mm in bone.
        marrow_fat: path in mm in the interior of bone, times the share of fat in its marrow.
        mineral: of the bone, g/cm².
        metal: path in mm.
    """
    lean = (lean - bone - metal).clamp_min(0)
    matrix = (bone - mineral / MINERAL_DENSITY * 10).clamp_min(0)
    fatty = torch.minimum(marrow_fat, matrix)
    return lean + matrix - fatty, fat + fatty


def _visible(femur: Femur, plane: ImagePlane, exposed: Tensor) -> dict[str, list[float] | None] | None:
    """Landmarks in (row, column) of the plane, None for one outside the exposed field; None where no landmark is seen."""
    names = femur.landmarks
    points = femur.to_patient(torch.tensor([names[name] for name in HIP.landmarks]))
    result: dict[str, list[float] | None] = {}
    for name, (row, col) in zip(HIP.landmarks, plane.pixel_of(points).tolist(), strict=True):
        r, c = round(row), round(col)
        seen = 0 <= r < plane.rows and 0 <= c < plane.columns and bool(exposed[r, c])
        result[name] = [round(row, 2), round(col, 2)] if seen else None
    return result if any(result.values()) else None


def _letter(marker: Marker, plane: ImagePlane) -> Tensor:
    """Where the marker is, (rows, columns) in 0..1, on its side of the patient."""
    letter = "R" if marker.side == "right" else "L"
    size = max(8, int(marker.height / plane.spacing))
    canvas = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(canvas).text((size, size), letter, fill=255, font=ImageFont.load_default(size=size), anchor="mm")
    patch = np.asarray(canvas.rotate(marker.turn, resample=Image.Resampling.BILINEAR), np.float32) / 255
    across, down = int(marker.across / plane.spacing), int(marker.down / plane.spacing)
    row, col = down - size, (across if letter == "R" else plane.columns - across) - size
    placed_letter = torch.zeros(plane.rows, plane.columns)
    top, left = max(0, row), max(0, col)
    bottom, right = min(plane.rows, row + 2 * size), min(plane.columns, col + 2 * size)
    if bottom > top and right > left:
        placed_letter[top:bottom, left:right] = torch.from_numpy(patch[top - row : bottom - row, left - col : right - col].copy())
    return placed_letter
