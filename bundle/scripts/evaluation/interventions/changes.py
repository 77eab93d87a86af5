"""One change at a time of a patient's bones, soft tissue or pose, of the exposure, the vendor's style or the header.

Each leaves everything else, and every seed, as it was. Amounts of bone and tissue are about those by which patients differ; those
of exposure and pose are about what hospitals do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from scripts.evaluation.choosing import choose_changes
from scripts.evaluation.interventions.exam import REFERENCE_KVP, Exam
from scripts.simulation.anatomy.dxa import Parts, Scan
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import FemurMineral
from scripts.simulation.anatomy.solids import about_z
from scripts.simulation.imaging import State
from scripts.simulation.physics.processing import ALL_STYLES

_COVARIATES: Final = ("PatientAge", "PatientSex", "PatientSize", "PatientWeight")
_FAT_BEFORE_AND_BEHIND: Final = 1.9
"""How many times the fat under the skin a ray from front to back crosses, see `simulation.anatomy.body_shape.envelope`."""

Level = Any
"""A number in the unit of a kind of change, or a word."""


@dataclass(frozen=True)
class Kind:
    """A kind of change.

    group: what it is a part of. what: is changed. levels: how far, each by itself. form: how a level is told, with its unit.
    moves_truth: whether DXA would read another density; else the estimates are to stay. apply: makes the changed exam.
    """

    name: str
    group: str
    what: str
    levels: tuple[Level, ...]
    form: str
    moves_truth: bool
    apply: Callable[[Exam, Level], Exam]

    def told(self, level: Level) -> str:
        """A level in words, with its unit."""
        return self.form.format(level)


def _mineral(part: str) -> Callable[[Exam, float], Exam]:
    """Multiply the mineral in a cm³ of "bones", "femurs", "cortex" and "spongy" bone of the femurs, or "pelvis"."""
    parts = {"bones": ("cortex", "spongy", "pelvis"), "femurs": ("cortex", "spongy")}.get(part, (part,))
    return lambda exam, factor: replace(exam, state=State(**dict.fromkeys(parts, factor)))


def _bone(change: Callable[[FemurMineral, float, Scan], FemurMineral]) -> Callable[[Exam, float], Exam]:
    """Change the bone of both femurs, each on a scanner's table, and scan it anew."""

    def apply(exam: Exam, level: float) -> Exam:
        femurs, scanned = dict[str, Femur](), dict[str, Parts | None]()
        for side, femur in exam.phantom.femurs.items():
            table = Scan(femur)
            bone = change(femur.bone, level, table)
            femurs[side], scanned[side] = replace(femur, bone=bone), table.parts(bone)
        return replace(exam, phantom=replace(exam.phantom, femurs=femurs, scanned=scanned))

    return apply


def _thicken(bone: FemurMineral, factor: float, table: Scan) -> FemurMineral:
    return bone.thicker(factor)


def _lower_pattern(bone: FemurMineral, by: float, table: Scan) -> FemurMineral:
    """Lose trabecular groups and spread their mineral over the spongy bone that is left, so that the total hip reads the same."""
    lowered = replace(bone, trabeculae=replace(bone.trabeculae, pattern=bone.pattern + by))
    before, after = (table.parts(one).spongy.total for one in (bone, lowered))
    return lowered.denser(trabecular=before / after)


def _texture(name: str) -> Callable[[Exam, float], Exam]:
    """Multiply the "number", "thickness" or "anisotropy" of the strands on the picture."""

    def change(bone: FemurMineral, factor: float, table: Scan) -> FemurMineral:
        own = bone.trabeculae
        return replace(bone, trabeculae=replace(own, **{name: getattr(own, name) * factor}))

    return _bone(change)


def _fatten_marrow(bone: FemurMineral, by: float, table: Scan) -> FemurMineral:
    return replace(bone, marrow_fat=min(1.0, max(0.0, bone.marrow_fat + by)))


def _body(**shares: float) -> Callable[[Exam, float], Exam]:
    """Add to sizes of the body so many times the level."""

    def apply(exam: Exam, level: float) -> Exam:
        body = exam.phantom.body
        sizes = {name: getattr(body, name) + share * level for name, share in shares.items()}
        return replace(exam, phantom=replace(exam.phantom, body=replace(body, **sizes)))

    return apply


def _exposure(name: str) -> Callable[[Exam, float], Exam]:
    """Set one number of the exposure."""
    return lambda exam, value: _exposed(exam, **{name: value})


def _exposed(exam: Exam, **values: float) -> Exam:
    return replace(exam, view=replace(exam.view, exposure=replace(exam.view.exposure, **values)))


def _dose(exam: Exam, factor: float) -> Exam:
    return _exposed(exam, dose=factor * exam.view.exposure.dose)


def _grid(exam: Exam, kind: str) -> Exam:
    if kind == "none":
        return _exposed(exam, grid_primary=1.0, grid_scatter=1.0)
    return _exposed(exam, grid_scatter=0.5 * exam.view.exposure.grid_scatter)


def _distance(exam: Exam, by: float) -> Exam:
    """Move the tube; patient and detector stay, and the field in the patient with them."""
    view = exam.view
    source_detector, focus_distance = view.source_detector + by, view.plane.focus_distance + by
    plane = replace(view.plane.at_spacing(view.spacing * focus_distance / source_detector), focus_distance=focus_distance)
    return replace(exam, view=replace(view, source_detector=source_detector, plane=plane))


def _style(exam: Exam, name: str) -> Exam:
    return replace(exam, view=replace(exam.view, style=ALL_STYLES[name]))


def _legs(name: str) -> Callable[[Exam, float], Exam]:
    """Add degrees to one angle of both femurs."""

    def apply(exam: Exam, by: float) -> Exam:
        poses = {side: replace(pose, **{name: getattr(pose, name) + by}) for side, pose in exam.view.poses.items()}
        return replace(exam, view=replace(exam.view, poses=poses))

    return apply


def _turn_pelvis(exam: Exam, degrees: float) -> Exam:
    """Turn the pelvis to the left; the femurs go with its sockets, but do not turn."""
    pelvis = exam.phantom.pelvis
    turned = replace(pelvis, rotation=about_z(-math.radians(degrees)) @ pelvis.rotation)
    femurs = {
        side: replace(femur, position=femur.position + turned.hip_centre(side) - pelvis.hip_centre(side))
        for side, femur in exam.phantom.femurs.items()
    }
    return replace(exam, phantom=replace(exam.phantom, pelvis=turned, femurs=femurs))


def _told(name: str) -> Callable[[Exam, float], Exam]:
    """Add to one number that the header tells of the patient."""
    return lambda exam, by: replace(exam, person=replace(exam.person, **{name: getattr(exam.person, name) + by}))


def _other_sex(exam: Exam, level: str) -> Exam:
    return replace(exam, person=replace(exam.person, sex="F" if exam.person.sex == "M" else "M"))


def _left_out(*keywords: str) -> Callable[[Exam, str], Exam]:
    return lambda exam, level: replace(exam, left_out=keywords)


_TIMES, _MM, _DEGREES = "× {:g}", "{:+g} mm", "{:+g}°"

KINDS: Final = (
    Kind("bones", "mineral", "mineral of all bones", (0.9, 1.1), _TIMES, True, _mineral("bones")),
    Kind("femurs", "mineral", "mineral of the femurs; × 0: none", (0.0, 0.9, 1.1), _TIMES, True, _mineral("femurs")),
    Kind("cortical mineral", "mineral", "of the femurs", (0.8, 1.2), _TIMES, True, _mineral("cortex")),
    Kind("trabecular mineral", "mineral", "of the femurs", (0.8, 1.2), _TIMES, True, _mineral("spongy")),
    Kind("cortical thickness", "mineral", "of the femurs", (0.9, 1.1), _TIMES, True, _bone(_thicken)),
    Kind("pelvis", "mineral", "mineral of pelvis and spine", (0.9, 1.1), _TIMES, False, _mineral("pelvis")),
    Kind("pattern", "texture", "trabecular groups are lost, the total hip's mass is not", (-0.25,), "{:+g}", False,
         _bone(_lower_pattern)),
    Kind("strand number", "texture", "trabeculae in a mm", (0.7,), _TIMES, False, _texture("number")),
    Kind("strand thickness", "texture", "of the trabeculae", (1.4,), _TIMES, False, _texture("thickness")),
    Kind("strand direction", "texture", "anisotropy of the trabeculae", (0.5,), _TIMES, False, _texture("anisotropy")),
    Kind("thicker by fat", "soft tissue", "before and behind", (20.0,), _MM, False,
         _body(thickness=1.0, fat=1 / _FAT_BEFORE_AND_BEHIND)),
    Kind("thicker by lean", "soft tissue", "before and behind", (-20.0, 20.0), _MM, False, _body(thickness=1.0)),
    Kind("subcutaneous fat", "soft tissue", "in place of lean tissue", (10.0,), _MM, False, _body(fat=1.0)),
    Kind("marrow fat", "soft tissue", "its share of the marrow", (-0.2, 0.2), "{:+g}", False, _bone(_fatten_marrow)),
    Kind("voltage", "exposure", f"of the tube, from {REFERENCE_KVP:g} kV", (66.0, 72.0, 84.0, 90.0), "{:g} kV", False,
         _exposure("kvp")),
    Kind("dose", "exposure", "at the detector", (0.25, 4.0), _TIMES, False, _dose),
    Kind("grid", "exposure", "none; better: half the scatter passes", ("none", "better"), "{}", False, _grid),
    Kind("focal spot", "exposure", "its size", (2.0,), "{:g} mm", False, _exposure("focal_spot")),
    Kind("distance", "exposure", "from source to detector", (200.0,), _MM, False, _distance),
    Kind("style", "style", "the vendor's processing; L, R: FOR PROCESSING", tuple(ALL_STYLES), "{}", False, _style),
    Kind("rotation", "pose", "of both femurs, outward", (-10.0, 10.0), _DEGREES, False, _legs("rotation")),
    Kind("abduction", "pose", "of both femurs", (-5.0, 5.0), _DEGREES, False, _legs("abduction")),
    Kind("flexion", "pose", "of both femurs", (10.0,), _DEGREES, False, _legs("flexion")),
    Kind("pelvic turn", "pose", "to the left, the femurs staying", (8.0,), _DEGREES, False, _turn_pelvis),
    Kind("pixel spacing", "scale", "as the header tells it", (0.95, 1.05), _TIMES, False,
         lambda exam, factor: replace(exam, spacing_told=factor)),
    Kind("no pixel spacing", "scale", "in the header", ("absent",), "{}", False, _left_out("ImagerPixelSpacing")),
    Kind("age", "covariates", "in the header", (-10.0, 10.0), "{:+g} years", False, _told("age")),
    Kind("weight", "covariates", "in the header", (-15.0, 15.0), "{:+g} kg", False, _told("weight")),
    Kind("height", "covariates", "in the header", (-10.0, 10.0), "{:+g} cm", False, _told("height")),
    Kind("sex", "covariates", "in the header", ("other",), "{}", False, _other_sex),
    Kind("no covariates", "covariates", "age, sex, weight and height in the header", ("absent",), "{}", False,
         _left_out(*_COVARIATES)),
)  # fmt: skip
"""All of them, in the order of the table."""


def choose_kinds(names: Sequence[str] | None) -> tuple[Kind, ...]:
    """Those of these names, all for None.

    Raises:
        ValueError: when there is none of a name.
    """
    return choose_changes(KINDS, names, "femurs")
