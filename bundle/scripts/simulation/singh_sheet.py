"""A sheet with one simulated hip as it loses its trabeculae, from grade VI to grade I, and what the radiograph tells of that."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.measurement.hip_axes import HipAxes, find_axes
from scripts.measurement.outline import Outline
from scripts.measurement.singh import CONTRASTS, Groups, grade_contrasts, lay_out, measure_contrasts
from scripts.simulation.anatomy import femur_bone
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.hardware.implants import Implant
from scripts.simulation.imaging import take_radiograph
from scripts.simulation.phantom import draw_phantom
from scripts.simulation.population import draw_person
from scripts.simulation.sites import Site, load_sites
from scripts.simulation.view import draw_view

_TOTAL_HIP_BMD: Final = (0.85, 0.73, 0.64, 0.57, 0.48, 0.36)  # g/cm², of one woman; gives grades VI to I
_NECK_OVER_TOTAL: Final = 0.84
_ATTEMPTS: Final = 8  # views, until one shows the whole hip
_SPACING_MM: Final = 0.34  # at the detector
_NUMERALS: Final = ("I", "II", "III", "IV", "V", "VI")
_COLOURS: Final = {"compressive": "#40c4ff", "tensile": "#ff9100", "secondary": "#76ff03", "trochanteric": "#e040fb"}
_TICKS: Final = 16  # pixels of the hip's grid from one to the next
_TICK_MM: Final = 1.6
_SHOWN_MM: Final = ((-32.0, 88.0), (-40.0, 92.0))  # below the head's centre, and lateral of it


def write_singh_sheet(output_dir: str, seed: int = 0, sites_file: str | None = None) -> Path:
    """Simulate the radiographs of one woman's right hip at six densities and write gallery_singh.jpg.

    Args:
        output_dir: folder to write to.
        seed: of the patient.
        sites_file: sites to use instead of the bundle's own; the first of them takes the radiographs.
    """
    sites = load_sites() if sites_file is None else load_sites(sites_file)
    figure = Figure(figsize=(12.0, 6.2), layout="constrained", facecolor="black")
    panels = figure.subplots(2, 1 + math.ceil(len(_TOTAL_HIP_BMD) / 2))
    for density, panel in zip(_TOTAL_HIP_BMD, panels[:, 1:].flat, strict=False):
        image, outline, axes, true = _simulated_hip(density, next(iter(sites.values())), seed)
        found = grade_contrasts(measure_contrasts(image, outline, axes))
        _show(panel, image, outline, axes)
        panel.set_title(f"true {_NUMERALS[round(true) - 1]} ({true:.1f}), found {found:.1f}", fontsize=10, color="white")
        if density == _TOTAL_HIP_BMD[0]:
            _show(panels[0, 0], image, outline, axes)
            _mark(panels[0, 0], outline, lay_out(outline, axes))
    for panel in panels[:, 0]:
        panel.set_axis_off()
    for line, (group, colour) in enumerate(_COLOURS.items()):
        panels[1, 0].text(0.1, 0.9 - 0.12 * line, group, color=colour, fontsize=12)
    path = Path(output_dir) / "gallery_singh.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, format="jpeg")
    return path


def _simulated_hip(density: float, site: Site, seed: int) -> tuple[NDArray[Any], Outline, HipAxes, float]:
    """The displayed radiograph, the outline and the axes of the right hip, and its true grade."""
    rng = np.random.default_rng([seed, 1])
    person = replace(draw_person(rng, site.population), sex="F", total_hip=density, femoral_neck=_NECK_OVER_TOTAL * density)
    sound, without = {"right": Disease(), "left": Disease()}, {"right": Implant.NONE, "left": Implant.NONE}
    phantom = replace(draw_phantom(person, rng, without, sound), objects=())
    femurs = {side: _patterned(femur, density / _TOTAL_HIP_BMD[0]) for side, femur in phantom.femurs.items()}
    phantom = replace(phantom, femurs=femurs)
    plain = replace(site, habits=replace(site.habits, one_hip=0.0, frog_leg=0.0))
    grade = femur_bone.singh_grade(phantom.femurs["right"].bone.pattern)
    for attempt in range(_ATTEMPTS):
        view = draw_view(np.random.default_rng([seed, 2 + attempt]), plain, _SPACING_MM, "A")
        shot = take_radiograph(phantom, view, seed)
        outline = Outline(shot.mask == 1, (view.plane.spacing, view.plane.spacing))
        marks = shot.landmarks["right"] or {}
        points = np.array([marks.get(name) or (np.nan, np.nan) for name in HIP.landmarks])
        axes = find_axes(outline, points, np.eye(2, 3))
        if axes is not None:
            return shot.rendering.displayed().numpy(), outline, axes, grade
    raise RuntimeError(f"The hip of seed {seed} is not on the radiograph as a whole in {_ATTEMPTS} views; choose another seed.")


def _patterned(femur: Femur, pattern: float) -> Femur:
    """The femur with the trabeculae that go with its density on average, whatever was drawn."""
    return replace(femur, bone=replace(femur.bone, trabeculae=replace(femur.bone.trabeculae, pattern=pattern)))


def _show(panel: Any, image: NDArray[Any], outline: Outline, axes: HipAxes) -> None:
    """Draw the part of the radiograph round the hip, its grey values stretched to what is there."""
    row, col = axes.head_centre
    (top, bottom), (right, left) = _SHOWN_MM
    low, high = np.rint(outline.to_pixels(np.array([(row + top, col - left), (row + bottom, col - right)]))).astype(int)
    low = np.maximum(low, 0)
    part = image[low[0] : high[0], low[1] : high[1]]
    panel.imshow(image, cmap="gray", vmin=np.quantile(part, 0.02), vmax=part.max())
    panel.set_xlim(low[1], high[1])
    panel.set_ylim(high[0], low[0])
    panel.set_axis_off()


def _mark(panel: Any, outline: Outline, groups: Groups) -> None:
    """Draw the places, and in them short lines along the strands of the groups that are looked for there."""
    pixels = outline.to_pixels(groups.points)
    for place in groups.places.values():
        panel.contour(pixels[..., 1], pixels[..., 0], place.astype(float), [0.5], colors="white", linewidths=0.6)
    # The hip's directions on the radiograph, from its grid.
    distal, medial = pixels[1, 0] - pixels[0, 0], pixels[0, 1] - pixels[0, 0]
    length = _TICK_MM / outline.spacing_mm[0] / np.linalg.norm(medial)
    sparse = (slice(None, None, _TICKS), slice(None, None, _TICKS))
    for name, group in CONTRASTS.values():
        chosen = groups.places[name][sparse]
        middles, turn = pixels[sparse][chosen], groups.across[group][sparse][chosen]
        along = length * (np.cos(turn)[:, None] * distal - np.sin(turn)[:, None] * medial)
        ends = np.stack([middles - along, middles + along])
        panel.plot(ends[..., 1], ends[..., 0], color=_COLOURS[group], linewidth=1.2)
