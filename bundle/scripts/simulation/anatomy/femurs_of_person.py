"""How the two femurs of a person are drawn: a shape that both share, small differences of the sides, and the mineral.

What a person has of each compartment is drawn apart from all others and from the shape (`draw_mineral`); then the amount of it
all is found such that DXA reads the person's aBMD. So a thin cortex may be a dense one, and the shape tells little more of the
density than it does in patients; docs/simulation.md has the sources and what comes of it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.deformity import diseased, reshaped
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.dxa import YOUNG_TOTAL_HIP, Reading, mineralised
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.femur_bone import GROUPS, Cortex, FemurMineral, Trabeculae
from scripts.simulation.anatomy.femur_shape import FemurShape
from scripts.simulation.anatomy.fractures import draw_fragments
from scripts.simulation.anatomy.roughness import Roughness, Unevenness, draw_unevenness
from scripts.simulation.anatomy.solids import Warp, draw_warp
from scripts.simulation.population import Person

_SIDE_DIFFERENCE_SD = 0.02
"""How far the two hips of a person differ in aBMD, g/cm²."""
_THICKNESS_SD, _PLACE_SDS = 0.27, (0.45, 0.18, 0.10, 0.14)
"""Of cortical thickness about what goes with a density: everywhere, and at the superior and the inferior neck, in the shaft and
in the rest, in its logarithm."""
_CORTICAL_DENSITY_SD = 0.09
_SPONGY_SD, _GROUP_SD = 0.24, 0.12
"""Of the mineral of all spongy bone and of each trabecular group, in its logarithm."""
_PATTERN_SD = 0.32
_STRANDS_SD = (0.12, 0.12, 0.15)
"""Of number, thickness and anisotropy of the strands, in its logarithm."""
_SIDE_SD = 0.015
"""How far the compartments of one side differ from the person's, in the logarithm."""
_TWO_SIDED = ("neck_shaft_angle", "offset", "neck_radius", "shaft_radius", "flare", "trochanter", "lesser_trochanter")
_ADDED = ("flattening", "osteophytes", "spur")


def draw_head_radius(person: Person, rng: np.random.Generator) -> float:
    """Draw the radius of a person's femoral heads, mm."""
    return float((43.3 if person.sex == "F" else 48.5) / 2 * rng.normal(1, 0.04))


def draw_shape(person: Person, rng: np.random.Generator, head_radius: float) -> FemurShape:
    """Draw the shape of a person's femurs, of which the two sides are variations.

    Args:
        person: sex and height set the size.
        rng: source of everything that varies.
        head_radius: of the femoral head, mm.
    """
    own = rng.spawn(1)[0]  # a stream of its own, so that all else stays as it is
    shape = _draw_smooth(person, rng, own, head_radius)
    return replace(shape, roughness=_roughness(shape, draw_unevenness(person.age, own), own))


def _draw_smooth(person: Person, rng: np.random.Generator, own: np.random.Generator, head_radius: float) -> FemurShape:
    female = person.sex == "F"
    size = float((0.945 if female else 1.055) * (person.height / (162 if female else 176)) ** 0.6 * rng.normal(1, 0.02))
    turn, reach = rng.normal(size=2)
    extreme = rng.choice([-12.0, 0.0, 12.0], p=[0.05, 0.90, 0.05])
    # A valgus neck goes with a small offset.
    offset = 43.6 + 6.1 * (-0.5 * turn + 0.866 * reach)
    shape = FemurShape(
        size=size,
        head_radius=head_radius / size,
        neck_shaft_angle=float(np.clip(124.7 + 4.9 * turn + extreme, 102, 148)),
        offset=float(np.clip(offset, 27, 62)),
        neck_radius=float(np.clip(rng.normal(17.4, 0.95), 14.5, 20.5)),
        neck_depth=float(np.clip(rng.normal(0.82, 0.055), 0.66, 1.0)),
        shaft_radius=float(np.clip(14.4 + 0.9 * rng.standard_t(6), 11.2, 18.5)),
        shaft_depth=float(np.clip(rng.normal(0.93, 0.05), 0.78, 1.08)),
        bow=float(np.clip(rng.normal(0.0012, 0.0004), 0, 0.0026)),
        flare=float(np.clip(rng.normal(1, 0.17), 0.5, 1.5)),
        trochanter=float(np.clip(rng.normal(1, 0.09), 0.75, 1.28)),
        overhang=float(np.clip(rng.normal(1.2, 2.8), -6, 8.5)),
        lesser_trochanter=float(np.clip(rng.normal(1, 0.24), 0.45, 1.65)),
        flattening=float(rng.uniform(0.02, 0.09)) if rng.random() < 0.12 else 0.0,
        cam=float(rng.uniform(1.0, 3.5)) if rng.random() < (0.10 if female else 0.22) else 0.0,
        warp=_draw_warp(rng),
    )
    return replace(
        shape,
        fossa=(float(own.uniform(0.75, 1.2)), float(own.uniform(0.85, 1.3)), float(own.uniform(0.8, 1.4))),
        fossa_lean=float(own.uniform(-0.6, 0.7)),
        fossa_edge=float(own.uniform(2.5, 6.0)),
        lesser_slope=float(own.uniform(6.0, 13.0)),
    )


def _roughness(shape: FemurShape, amounts: Unevenness, rng: np.random.Generator) -> Roughness:
    n = shape.lesser_trochanter
    tip = (-3.0 + shape.overhang, 9.5, -36.2 * shape.trochanter)
    lesser = (8.8 + 11.2 * n, 15.0 + 14.5 * n, 25.5)
    return Roughness(amounts, tip, lesser, int(rng.integers(2**31)))


def _draw_warp(rng: np.random.Generator) -> Warp:
    """Three long waves that bend the bone and four short ones that make bumps."""
    lengths = np.concatenate([rng.uniform(90, 200, 3), rng.uniform(24, 50, 4)])
    return draw_warp(rng, lengths, np.array([0.85] * 3 + [0.30] * 4))


def draw_femurs(person: Person, rng: np.random.Generator, head_radius: float, disease: Mapping[str, Disease]) -> dict[str, Femur]:
    """Draw the femurs of a person, at the origin, with mineral that makes DXA read the person's aBMD.

    Args:
        person: demographics and the expected aBMD; the two sides scatter about it by 0.02 g/cm².
        rng: source of everything that varies.
        head_radius: of the femoral heads, mm.
        disease: of each side ("right", "left") that is wanted; a right femur is the same without the left one.
    """
    own_stream = rng.spawn(1)[0]
    shape = _draw_smooth(person, rng, own_stream, head_radius)
    amounts = draw_unevenness(person.age, own_stream)
    anteversion = rng.normal(14.5, 7.8)
    mineral = draw_mineral(person, rng)
    femurs = {}
    for side in (side for side in HIP.sides if side in disease):
        state = disease[side]
        own: dict[str, Any] = {name: float(getattr(shape, name) * rng.normal(1, 0.012)) for name in _TWO_SIDED}
        worn = state.osteoarthritis
        collar = own_stream.uniform(0.3, 1.3) if own_stream.random() < 0.35 * amounts.spurs else 0.0
        femur = Femur(
            **{name: value for name, value in vars(shape).items() if name not in own and name not in _ADDED},
            **own,
            flattening=shape.flattening + 0.07 * worn,
            osteophytes=float(max(collar, 4.5 * worn * rng.uniform(0.5, 1.3))),
            spur=6.0 * state.enthesophytes,
            sclerosis=worn,
            streaks=amounts.spongy,
            anteversion=float(anteversion + rng.normal(0, 2.0)),
            bone=_of_side(mineral, rng),
            mirrored=side == "left",
        )
        femur = replace(femur, roughness=_roughness(femur, amounts, own_stream))
        shift = rng.normal(0, _SIDE_DIFFERENCE_SD)
        target = Reading(max(0.2, person.femoral_neck + shift), max(0.25, person.total_hip + shift))
        femur = diseased(mineralised(reshaped(femur, state, rng), target), state, rng)
        broken = draw_fragments(state.fracture, state.displacement, femur, rng)
        femurs[side] = replace(femur, fragments=broken) if broken else femur
    return femurs


def draw_mineral(person: Person, rng: np.random.Generator) -> FemurMineral:
    """Draw what a person has of each compartment; ``strength`` and the amount of it all are `mineralised`'s to find.

    Args:
        person: the expected aBMD sets the pattern on average, sex and age the fat of the marrow.
        rng: source of everything that varies.
    """
    everywhere = rng.normal(0, _THICKNESS_SD)
    superior, inferior, shaft, rest = np.exp(everywhere + rng.normal(0, _PLACE_SDS)).tolist()
    density = float(np.exp(rng.normal(0, _CORTICAL_DENSITY_SD)))
    pattern = person.total_hip / YOUNG_TOTAL_HIP * np.exp(rng.normal(0, _PATTERN_SD))
    number, thickness, anisotropy = np.exp(rng.normal(0, _STRANDS_SD)).tolist()
    spongy = Trabeculae(
        density=float(np.exp(rng.normal(0, _SPONGY_SD))),
        groups=tuple(np.exp(rng.normal(0, _GROUP_SD, len(GROUPS))).tolist()),
        pattern=float(np.clip(pattern, 0.3, 1.6)),
        number=number,
        thickness=thickness,
        anisotropy=anisotropy,
    )
    return FemurMineral(
        lesser=float(rng.uniform(0.3, 1.1)),
        cortex=Cortex(superior, inferior, shaft, rest, density),
        trabeculae=spongy,
        marrow_fat=draw_marrow_fat(person, rng),
    )


def draw_marrow_fat(person: Person, rng: np.random.Generator) -> float:
    """Draw the share of fat in the marrow of the proximal femur, 0.2 to 0.95.

    It grows with age, in women most after the menopause, and men have more until then.
    """
    late = float(np.clip((person.age - 50) / 10, 0, 1))
    mean = 0.60 + 0.004 * (person.age - 40) + (0.05 * late - 0.02 if person.sex == "F" else 0.03)
    return float(np.clip(rng.normal(mean, 0.07), 0.2, 0.95))


def _of_side(mineral: FemurMineral, rng: np.random.Generator) -> FemurMineral:
    """The mineral of one side, nearly the other's."""
    cortical, trabecular, thickness = np.exp(rng.normal(0, _SIDE_SD, 3)).tolist()
    return mineral.denser(cortical, trabecular).thicker(thickness)
