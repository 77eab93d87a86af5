"""Anything that can lie before a detector, radiographed with the physics and the habits of a cohort's sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from scripts.simulation.anatomy.curves import smooth_noise
from scripts.simulation.hardware.foreign_objects import ForeignObject, object_paths
from scripts.simulation.hardware.small_solids import Tube, add_path
from scripts.simulation.imaging import develop, displaced, enlarged, mottle
from scripts.simulation.others.shapes import Piece, merged
from scripts.simulation.physics.processing import Rendering
from scripts.simulation.physics.projection import ImagePlane, cast
from scripts.simulation.physics.xray import CORTICAL_MINERAL, low_pass
from scripts.simulation.sites import Site
from scripts.simulation.view import Field, View, draw_view

_SMOOTHING = 0.55  # SD in pixels of the grid that is cast on: edges would climb in steps
_SKIN_MM = 1.8
_TEXTURE_MM = 0.7


@dataclass(frozen=True)
class Scene:
    """What lies before the detector, about the origin; lengths in mm of a body of ``size`` 1.

    ``bones``; ``flesh``: bodies and limbs, whose cortex is the fat under their skin; ``air``: hollows in them, each with the
    share of its path that is air; ``metal`` by material; ``vessels``: lean branches in the air; ``objects``: belongings.
    ``height`` and ``width`` are those of the detector, ``detail`` is the grid (mm) that bones are cast on, ``roughness`` that
    for flesh. ``kvp`` (50 to 90) and ``grid`` replace what the site uses for hips; ``tight`` 0..1 is how far the collimator
    closes in. ``marbling`` is the share of fat in the lean, ``planes`` 0..1 how plain the fat between muscles is, ``strands``
    length over width of the pattern in cancellous bone.
    """

    bones: tuple[Piece, ...] = ()
    flesh: tuple[Piece, ...] = ()
    air: tuple[tuple[Piece, float], ...] = ()
    metal: Mapping[str, Sequence[Piece]] = field(default_factory=dict)
    vessels: tuple[Tube, ...] = ()
    objects: tuple[ForeignObject, ...] = ()
    height: float = 352.0
    width: float = 420.0
    size: float = 1.0
    detail: float = 0.8
    roughness: float = 3.0
    kvp: float | None = None
    grid: bool = True
    tight: float = 0.0
    marbling: float = 0.1
    planes: float = 1.0
    strands: float = 2.0

    def moved(self, rotation: Tensor | None = None, shift: Sequence[float] = (0.0, 0.0, 0.0), mirrored: bool = False) -> Scene:
        """Return the scene mirrored in x (if asked), turned and shifted in mm; vessels and belongings stay where they are."""

        def all_of(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
            return tuple(each.moved(rotation, shift, mirrored) for each in pieces)

        return replace(
            self,
            bones=all_of(self.bones),
            flesh=all_of(self.flesh),
            air=tuple((each.moved(rotation, shift, mirrored), share) for each, share in self.air),
            metal={name: all_of(pieces) for name, pieces in self.metal.items()},
        )

    def beside(self, other: Scene) -> Scene:
        """Return both scenes on one radiograph, taken as this scene's."""
        return replace(self, bones=self.bones + other.bones, flesh=self.flesh + other.flesh, air=self.air + other.air)


@dataclass(frozen=True)
class Taken:
    """A radiograph that was taken: its ``rendering``, the ``view``, and the patient's ``thickness`` in mm."""

    rendering: Rendering
    view: View
    thickness: float


def take_scene(scene: Scene, rng: np.random.Generator, site: Site, spacing: float | None) -> Taken:
    """Take a radiograph of ``scene`` at ``site``.

    Args:
        scene: what lies there.
        rng: source of everything that varies between exposures.
        site: whose exposure, processing, collimation and markers.
        spacing: pixel spacing of the detector in mm; the site's own when None.
    """
    view = _view_of(scene, rng, site, spacing)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    plane, s = view.plane, scene.size
    # The image plane seen from a body of size 1: all lengths are divided, and the paths found are multiplied.
    lengths = (plane.spacing, plane.left, plane.top, plane.focus_x, plane.focus_z, plane.focus_distance)
    unit = ImagePlane(plane.rows, plane.columns, *(length / s for length in lengths))
    shell, spongy, path, core = _bones(scene, unit, generator) * s
    lean, fat, thickness = _flesh(scene, unit, generator)
    metal = {name: _paths(pieces, unit, scene.detail)[0] * s for name, pieces in scene.metal.items()}
    lean, fat = displaced(lean * s, fat * s, path, 0.5 * core, shell + spongy, sum(metal.values(), torch.zeros(())))
    for material, shadow in object_paths(scene.objects, plane).items():
        metal[material] = metal.get(material, 0) + shadow
    return Taken(develop(lean, fat, shell + spongy, metal, view, generator), view, float(np.clip(thickness * s, 10, 400)))


def _view_of(scene: Scene, rng: np.random.Generator, site: Site, spacing: float | None) -> View:
    view = draw_view(rng, site, spacing)
    plane, old = view.plane, view.field
    shrink = plane.focus_distance / view.source_detector
    height, width = scene.height * shrink, scene.width * shrink
    x, z = rng.normal(0, 0.02 * width), rng.normal(0, 0.02 * height)
    plane = replace(
        plane, rows=int(height / plane.spacing), columns=int(width / plane.spacing), left=float(x - width / 2),
        top=float(z - height / 2), focus_x=float(x + rng.normal(0, 8)), focus_z=float(z + rng.normal(0, 8)),
    )  # fmt: skip
    margins = rng.uniform(0, scene.tight, 4) * (rng.random(4) < 0.8) * (height, width, height, width)
    borders = np.array([old.top, old.right, old.bottom, old.left]) * np.array([height, width, height, width]) / 420 + margins
    top, right, bottom, left = borders.tolist()
    opened = Field(top, right, bottom, left, old.tilt, old.shuttered)
    exposure = view.exposure
    if scene.kvp is not None:
        exposure = replace(exposure, kvp=scene.kvp)
    if not scene.grid:
        exposure = replace(exposure, grid_primary=1.0, grid_scatter=1.0)
    # Where there is no patient, all beside the patient would be black: an image of one value, which says nothing.
    style = view.style if scene.flesh else replace(view.style, masked=False)
    taken = replace(view, plane=plane, field=opened, exposure=exposure, style=style, frog_leg=False, only="")
    return taken.framed()


def _paths(pieces: Sequence[Piece], plane: ImagePlane, spacing: float, coarse: float = 2.6) -> Tensor:
    """Path, cortex (mm) and interior mineral (g/cm²) of ``pieces``, (3, rows, columns)."""
    own = plane.at_spacing(max(spacing, plane.spacing))
    total = torch.zeros(3, own.rows, own.columns)
    for each in pieces:
        shadow = cast(each.solid, own, each.box(), coarse * spacing)
        total += torch.stack([shadow.path, shadow.cortex, shadow.interior])
    return enlarged(torch.stack([low_pass(image, _SMOOTHING) for image in total]), plane)


def _bones(scene: Scene, plane: ImagePlane, generator: torch.Generator) -> Tensor:
    """Mineral of shells and of interiors (g/cm²), path in bone and in its interior (mm)."""
    path, cortex, interior = _paths(scene.bones, plane, scene.detail)
    coarseness = float(0.3 + 0.7 * torch.rand((), generator=generator))
    mottled = mottle(plane, coarseness, generator)
    rows, columns = plane.rows, plane.columns
    fine = smooth_noise(rows, columns, (0.8 * scene.strands / plane.spacing, max(1.0, 0.8 / plane.spacing)), generator)
    crossing = smooth_noise(rows, columns, (max(1.0, 0.9 / plane.spacing), 0.9 * scene.strands / plane.spacing), generator)
    texture = (1 + coarseness * (0.10 * fine + 0.06 * crossing)).clamp_min(0.3)
    return torch.stack([cortex * (CORTICAL_MINERAL / 10) * mottled, interior * mottled * texture, path, path - cortex])


def _flesh(scene: Scene, whole: ImagePlane, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Lean and fat paths as if there were no bone, mm, and the thickness of the bulk."""
    plane = whole.at_spacing(max(_TEXTURE_MM / scene.size, whole.spacing))
    total, shell, _ = _paths([merged(scene.flesh)] if scene.flesh else [], plane, scene.roughness)
    rows, columns = total.shape
    air = torch.zeros_like(total)
    for each, filled in scene.air:
        air += filled * _paths([each], plane, scene.roughness * 0.75)[0]
    branches = torch.zeros_like(total)
    for tube in scene.vessels:
        add_path(tube, branches, plane)
    air = torch.minimum((air - torch.minimum(branches, 0.7 * air)).clamp_min(0), 0.93 * total)

    def noise(down: float, across: float) -> Tensor:
        return smooth_noise(rows, columns, (max(1.0, down / plane.spacing), max(1.0, across / plane.spacing)), generator)

    # Fat between muscles shows as dark lines along the limb, fat within them as streaks and lobules.
    planes = sum((torch.exp(-((noise(70, wide) / thin) ** 2)) for wide, thin in ((16, 0.10), (30, 0.06))), torch.zeros(()))
    lobules = 0.02 * noise(9, 2.6) + 0.012 * noise(6, 6) + 0.03 * noise(40, 30)
    muscle = (total - shell - air).clamp_min(0)
    full = (muscle / 50).clamp(0, 1)
    share = (scene.marbling + (0.4 + 2 * scene.marbling) * lobules).clamp(0, 0.8)
    skin = torch.minimum(total, torch.full_like(total, 2 * _SKIN_MM))
    strands = torch.exp(-((noise(3.5, 3.5) / 0.35) ** 2)) * 0.035 * shell
    lean = muscle * (1 - share) - full * planes * scene.planes * (4 + 30 * scene.marbling) + skin + strands
    lean = torch.minimum(lean.clamp_min(0), (total - air).clamp_min(0))
    bulk = total[total > 0]
    lean, fat = enlarged(torch.stack([lean, (total - air - lean).clamp_min(0)]), whole)
    return lean, fat, float(bulk.median()) if bulk.numel() else 10.0
