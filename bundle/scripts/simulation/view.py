"""How one radiograph is taken: where the tube and the detector are, how the legs lie, what is collimated and marked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scripts.clinical.anatomy import HIP
from scripts.simulation.dx_image import Acquisition
from scripts.simulation.phantom import Pose
from scripts.simulation.physics.processing import ALL_STYLES, Style, vary
from scripts.simulation.physics.projection import ImagePlane
from scripts.simulation.physics.viewer import Export, draw_export
from scripts.simulation.physics.xray import Exposure, tube_charge
from scripts.simulation.sites import Site

_PENUMBRA_MM = 1.5
_LOWEST_MM = 200.0
"""Below the hips no femur is modelled."""
_LEGS_FOLLOW = 0.5
"""Share of the pelvis's turn that the legs of someone who lies askew take part in; an assumption."""
_EXPORTED = 0.25
"""Share of radiographs that come out of a viewer: users send such pictures as well as a hospital's own files."""


def collimator_transmission(depth: Tensor) -> Tensor:
    """Share of the beam that the collimator passes, 0..1 with a penumbra, ``depth`` mm inside the field (below 0: outside)."""
    return (depth / _PENUMBRA_MM + 0.5).clamp(0, 1)


@dataclass(frozen=True)
class Field:
    """What the collimator leaves open: margins ``top``, ``right``, ``bottom`` and ``left`` in mm, turned by ``tilt`` degrees. A
    vendor that recognises it shows what lies outside black (``shuttered``); others show it as it is, nearly unexposed."""

    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    tilt: float = 0.0
    shuttered: bool = True

    def depth(self, plane: ImagePlane) -> Tensor:
        """Distance in mm of each pixel (rows, columns) from the nearest edge of the field, negative outside."""
        half_width, half_height = plane.columns * plane.spacing / 2, plane.rows * plane.spacing / 2
        x = (torch.arange(plane.columns) * plane.spacing - half_width)[None, :]
        z = (torch.arange(plane.rows) * plane.spacing - half_height)[:, None]
        # Small angles: the detector is large, and a turned edge is all that is seen.
        slope = float(np.tan(np.radians(self.tilt)))
        turned_x, turned_z = x + slope * z, z - slope * x
        across = torch.minimum(turned_x + half_width - self.left, half_width - self.right - turned_x)
        along = torch.minimum(turned_z + half_height - self.top, half_height - self.bottom - turned_z)
        return torch.minimum(across, along)


@dataclass(frozen=True)
class Marker:
    """The letter of ``side`` ("right" or "left"), ``height`` mm tall, turned by ``turn`` degrees, its centre ``across`` and
    ``down`` mm from the upper corner on its side; of lead on the detector, or written into the image (``digital``)."""

    side: str
    height: float
    turn: float
    across: float
    down: float
    digital: bool


@dataclass(frozen=True)
class View:
    """One exposure: where the pixels are, how the femurs lie, what is collimated, marked and made of the signal.

    ``poses`` by side: the rotation is that of the foot (external), to which the femur's anteversion adds. Distances
    ``source_detector`` and the detector's pixel ``spacing`` in mm. ``only`` names the hip of a radiograph of one hip. ``export``
    says how a viewer exports the radiograph (None: it is the vendor's own).
    """

    plane: ImagePlane
    poses: dict[str, Pose]
    exposure: Exposure
    style: Style
    field: Field
    marker: Marker | None
    spacing: float
    source_detector: float
    frog_leg: bool
    only: str
    export: Export | None = None

    def acquisition(self, thickness: float) -> Acquisition:
        """Return what the header tells of the exposure of a patient of ``thickness`` mm."""
        return Acquisition(
            exposure=self.exposure,
            charge=tube_charge(self.exposure, thickness, self.source_detector),
            source_detector=self.source_detector,
            source_patient=self.plane.focus_distance,
            spacing=self.spacing,
            frog_leg=self.frog_leg,
            only=self.only,
            marked=self.marker is not None,
        )

    def exposed_as(self, exposure: Exposure, style: Style) -> "View":
        """Return the view with another technique and processing; a viewer's export stays one, of what is for presentation."""
        if self.export is None:
            return replace(self, exposure=exposure, style=style)
        return replace(self, exposure=exposure, style=self.style if style.raw else _as_exported(style))

    def framed(self) -> "View":
        """Return the view with the bands about it that a viewer's export has; without an export, itself."""
        if self.export is None or not any(self.export.margins):
            return self
        top, right, bottom, left = self.export.margins
        plane, field, marker = self.plane, self.field, self.marker
        rows, columns = (round(length / plane.spacing) for length in (top + bottom, left + right))
        wider = replace(
            plane, rows=plane.rows + rows, columns=plane.columns + columns, left=plane.left - left, top=plane.top - top
        )
        inside = Field(field.top + top, field.right + right, field.bottom + bottom, field.left + left, field.tilt)
        if marker:
            beside = left if marker.side == "right" else right
            marker = replace(marker, across=marker.across + beside, down=marker.down + top)
        return replace(self, plane=wider, field=inside, marker=marker)


def askew(poses: Mapping[str, Pose], pelvic_turn: float) -> dict[str, Pose]:
    """Return the ``poses`` by side of legs that follow a pelvis turned by ``pelvic_turn`` degrees to the left: it turns the left
    femur outward and the right one inward."""
    roll = {"left": _LEGS_FOLLOW * pelvic_turn, "right": -_LEGS_FOLLOW * pelvic_turn}
    return {side: replace(pose, rotation=pose.rotation + roll[side]) for side, pose in poses.items()}


def draw_view(rng: np.random.Generator, site: Site, spacing: float | None, style: str | None = None) -> View:
    """Draw how a hospital takes a pelvis radiograph: mostly AP with the feet turned in, some badly, frog-leg or of one hip.

    Args:
        rng: source of everything that varies.
        site: whose ranges and habits.
        spacing: pixel spacing of the detector in mm; the site's own when None.
        style: name of the vendor's processing; drawn when None.
    """
    habits = site.habits
    own_spacing = float(rng.choice(habits.detector_spacing))
    spacing = own_spacing if spacing is None else spacing
    sid = float(rng.uniform(*habits.source_detector))
    focus = sid - float(rng.uniform(*habits.object_detector))
    at_patient = spacing * focus / sid
    frog = bool(rng.random() < habits.frog_leg)
    one_hip = bool(rng.random() < (0.5 if frog else habits.one_hip))
    if one_hip:
        height, width = rng.uniform(260, 352), rng.uniform(220, 290)
    else:
        # A cassette lies across the table; a flat detector is square, and mostly left so.
        tall = rng.random() < 0.5
        height, width = rng.uniform(*((352, 430) if tall else (290, 352))), rng.uniform(390, 430)
    height, width = height * focus / sid, width * focus / sid
    only = str(rng.choice(HIP.sides)) if one_hip else ""
    centre_x = rng.normal(0, 8) if not only else (1 if only == "left" else -1) * rng.normal(95, 18)
    # Centred as asked for, between crest and trochanters, or so high or low that crests or shafts are cut off.
    centre_z = rng.normal(0, 16) if rng.random() < 0.75 else rng.uniform(-60, 50)
    centre_z = min(centre_z, _LOWEST_MM - height / 2)
    plane = ImagePlane(
        int(height / at_patient), int(width / at_patient), at_patient, float(centre_x - width / 2), float(centre_z - height / 2),
        float(centre_x + rng.normal(0, 10)), float(centre_z + rng.normal(0, 10)), focus,
    )  # fmt: skip
    drawn = habits.draw_style(rng)
    view = View(
        plane=plane,
        poses=_draw_poses(rng, frog, only),
        exposure=site.exposure.draw(rng),
        style=drawn if style is None else vary(ALL_STYLES[style], rng),
        field=_draw_field(rng, site, plane),
        marker=_draw_marker(rng, site, only),
        spacing=spacing,
        source_detector=sid,
        frog_leg=frog,
        only=only,
    )
    export = draw_export(rng)
    if style is not None or rng.random() >= _EXPORTED or view.style.raw:
        return view  # no viewer shows what is for processing
    return replace(view, style=_as_exported(view.style), export=export)


def _as_exported(style: Style) -> Style:
    """A screenshot has 8 bits and is never inverted."""
    return replace(style, bits=8, monochrome1=False)


def _draw_poses(rng: np.random.Generator, frog: bool, only: str) -> dict[str, Pose]:
    """Feet 15 degrees inward is what is asked for, and not always done; a straight leg's shaft is adducted by 6.5 degrees."""
    turn, spread = rng.normal(-10, 14), rng.normal(-4, 3.5)
    poses = {}
    for side in HIP.sides:
        ordinary = Pose(spread + rng.normal(0, 2.5), float(np.clip(turn + rng.normal(0, 6), -38, 30)), abs(rng.normal(0, 5)))
        abducted = Pose(rng.uniform(28, 62), rng.uniform(5, 60), rng.uniform(0, 40))
        poses[side] = abducted if frog and only in ("", side) else ordinary
    return poses


def _draw_field(rng: np.random.Generator, site: Site, plane: ImagePlane) -> Field:
    margins = np.abs(rng.normal(0, 0.05, 4)) * (rng.random(4) < 0.5) * (plane.rows, plane.columns, plane.rows, plane.columns)
    top, right, bottom, left = (margins * plane.spacing).tolist()
    tilt = float(rng.normal(0, 1.2)) if rng.random() < 0.4 else 0.0
    shuttered = bool(rng.random() >= site.habits.white_border)
    if rng.random() >= site.habits.collimated:
        return Field()
    return Field(top, right, bottom, left, tilt, shuttered)


def _draw_marker(rng: np.random.Generator, site: Site, only: str) -> Marker | None:
    drawn = site.habits.draw_marker(rng)
    side = only if drawn and only else drawn  # a radiograph of one hip is marked with that hip's side
    size, turn, across, down = rng.uniform(10, 20), rng.normal(0, 8), rng.uniform(14, 45), rng.uniform(14, 70)
    digital = bool(rng.random() < 0.25)
    return Marker(side, float(size), 0.0 if digital else float(turn), float(across), float(down), digital) if side else None
