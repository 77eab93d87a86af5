"""A hip of one simulated person: what DXA reads of it, how large it is, what it holds, and what more of that would be worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from scripts.clinical import load_criteria
from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease
from scripts.simulation.anatomy.dxa import Scan
from scripts.simulation.anatomy.femur_bone import FemurMineral
from scripts.simulation.anatomy.femurs_of_person import draw_femurs, draw_head_radius
from scripts.simulation.anatomy.true_morphometry import LEVELS_MM, measure_true_morphometry
from scripts.simulation.compartments.inside import look_inside, measure_neck_cortex
from scripts.simulation.population import Person, draw_person

_STEP: Final = 1.05
"""By what a compartment is multiplied and divided to see what it is worth."""


@dataclass(frozen=True)
class Measure:
    """Something measured of a hip: its ``label`` and ``unit``, its ``decimals`` in tables, and its ``kind``: outer "shape"; width
    of canal and cortex in the "shaft" and in the "neck", which edges on a radiograph tell; "inside", which grey values tell."""

    label: str
    unit: str
    decimals: int
    kind: str


MEASURES: Final = {
    "neck_shaft_deg": Measure("neck-shaft angle", "°", 1, "shape"),
    "neck_axis_length_mm": Measure("length of the neck axis", "mm", 1, "shape"),
    "neck_width_mm": Measure("neck width", "mm", 1, "shape"),
    **{f"shaft_{level}_below_mm": Measure(f"shaft width at {level} mm", "mm", 1, "shape") for level in LEVELS_MM},
    "canal_20_above_mm": Measure("canal width 20 mm above the lesser trochanter", "mm", 1, "shaft"),
    **{f"canal_{level}_below_mm": Measure(f"canal width at {level} mm", "mm", 1, "shaft") for level in LEVELS_MM},
    "neck_superior_cortex_mm": Measure("superior cortex of the neck", "mm", 2, "neck"),
    "neck_inferior_cortex_mm": Measure("inferior cortex of the neck", "mm", 2, "neck"),
    **{f"shaft_{level}_cortex_mm": Measure(f"cortex of the shaft at {level} mm", "mm", 2, "shaft") for level in LEVELS_MM},
    **{f"cortical_index_{level}": Measure(f"cortical index at {level} mm", "", 2, "shaft") for level in LEVELS_MM},
    "singh_grade": Measure("Singh's grade", "", 1, "inside"),
    "pattern": Measure("strength that the pattern looks like", "", 2, "inside"),
    "cortex_mm": Measure("cortical thickness, mean over the total hip", "mm", 2, "inside"),
    "cortical_volume_cm3": Measure("volume of cortex", "cm³", 1, "inside"),
    "spongy_volume_cm3": Measure("volume of spongy bone", "cm³", 1, "inside"),
    "cortical_mineral_g_cm3": Measure("mineral in cortex", "g/cm³", 3, "inside"),
    "spongy_mineral_g_cm3": Measure("mineral in spongy bone", "g/cm³", 3, "inside"),
    "bone_mineral_g_cm3": Measure("mineral in all bone", "g/cm³", 3, "inside"),
    "strand_number": Measure("number of strands, over the usual", "", 2, "inside"),
    "strand_thickness": Measure("thickness of strands, over the usual", "", 2, "inside"),
    "strand_anisotropy": Measure("anisotropy of strands, over the usual", "", 2, "inside"),
    "marrow_fat": Measure("fat in the marrow", "", 2, "inside"),
}
"""What is measured, by name. Levels of the shaft are below the tip of the lesser trochanter; the cortex of the shaft is the mean
of its medial and lateral one, its index both over the shaft's width; volumes and mineral are of DXA's total hip."""

COMPARTMENTS: Final[dict[str, Callable[[FemurMineral, float], FemurMineral]]] = {
    "cortex_mm": lambda bone, factor: bone.thicker(factor),
    "cortical_mineral_g_cm3": lambda bone, factor: bone.denser(cortical=factor),
    "spongy_mineral_g_cm3": lambda bone, factor: bone.denser(trabecular=factor),
    "pattern": lambda bone, factor: replace(bone, trabeculae=replace(bone.trabeculae, pattern=bone.pattern * factor)),
}
"""The measures that are compartments of their own, and what multiplies each with all else as it is."""


def measure_hip(index: int, seed: int = 0) -> dict[str, Any]:
    """Draw a person of 50 years or older from a survey, without disease, and measure the right hip.

    Args:
        index: of the person, the same for the same ``seed`` whoever else is drawn.
        seed: of all people.

    Returns:
        ``sex`` ("F" or "M"); ``age_years``; ``neck_bmd`` and ``total_bmd`` that a faultless DXA scan reads, g/cm²;
        ``cortical_share_neck`` and ``cortical_share_total``, the part of these in the cortex; `MEASURES`; and, as
        ``COMPARTMENT:SITE``, by how many percent aBMD rises for one percent more of each of `COMPARTMENTS`.
    """
    rng = np.random.default_rng([seed, index])
    person = _draw_older(rng)
    femur = draw_femurs(person, rng, draw_head_radius(person, rng), {"right": Disease()})["right"]
    scan = Scan(femur)
    parts = scan.parts(femur.bone)
    read = parts.reading()
    row: dict[str, Any] = {"sex": person.sex, "age_years": person.age}
    for site in HIP.sites:
        row[f"{site}_bmd"] = getattr(read, site)
        row[f"cortical_share_{site}"] = getattr(parts.cortex, site) / getattr(read, site)
    for name, multiply in COMPARTMENTS.items():
        more, less = (scan.reading(multiply(femur.bone, factor)) for factor in (_STEP, 1 / _STEP))
        row |= {f"{name}:{site}": math.log(getattr(more, site) / getattr(less, site)) / math.log(_STEP) / 2 for site in HIP.sites}
    row |= _shaft_cortex(measure_true_morphometry(femur)) | asdict(look_inside(femur))
    row["neck_superior_cortex_mm"], row["neck_inferior_cortex_mm"] = measure_neck_cortex(femur)
    spongy = femur.bone.trabeculae
    row |= {"strand_number": spongy.number, "strand_thickness": spongy.thickness, "strand_anisotropy": spongy.anisotropy}
    return row | {"pattern": femur.bone.pattern, "marrow_fat": femur.bone.marrow_fat}


def _draw_older(rng: np.random.Generator) -> Person:
    while True:
        person = draw_person(rng)
        if person.age >= load_criteria().youngest_age_years:
            return person


def _shaft_cortex(widths: dict[str, float]) -> dict[str, float]:
    """Add to the widths of shaft and canal what is between them."""
    between = {level: widths[f"shaft_{level}_below_mm"] - widths[f"canal_{level}_below_mm"] for level in LEVELS_MM}
    return {
        **widths,
        **{f"shaft_{level}_cortex_mm": both / 2 for level, both in between.items()},
        **{f"cortical_index_{level}": both / widths[f"shaft_{level}_below_mm"] for level, both in between.items()},
    }
