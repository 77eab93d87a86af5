"""One simulated patient on disk: radiographs, masks, landmarks, and what the manifest says of them.

Everything random comes from (seed, patient), so a patient is the same whatever the number of workers and their order.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from scripts.clinical import load_reference
from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.simulation.anatomy.disease import Disease, Fracture, draw_diseases
from scripts.simulation.anatomy.displacement import displacement_mm
from scripts.simulation.anatomy.dxa import Reading, with_scan_error
from scripts.simulation.anatomy.femur import Femur
from scripts.simulation.anatomy.true_morphometry import MORPHOMETRY, measure_true_morphometry
from scripts.simulation.dx_image import Study, write_radiograph
from scripts.simulation.faults import Fault, draw_fault
from scripts.simulation.imaging import AS_IT_IS, Shot, State, draw_state, posed, trace
from scripts.simulation.mineral_map import map_mineral, map_regions
from scripts.simulation.phantom import Phantom, draw_implants, draw_phantom
from scripts.simulation.population import draw_person
from scripts.simulation.sites import Site
from scripts.simulation.view import View, askew, draw_view

EXTERNAL: Final = "external"

_HIP_BMDS: Final = tuple(f"{side}_{site}_bmd" for side in ("left", "right") for site in HIP.sites)
_STATE: Final = ("implant", "osteoarthritis", "fracture", "fracture_displacement_mm", "deformity", "deformity_grade")
COLUMNS: Final = (
    "image", "patient_id", "study_date", "site", "split", "age_years", "sex", "weight_kg", "height_cm", *_HIP_BMDS, "lumbar_bmd",
    "label", "landmarks", "fracture_label", "mineral_label", "region_label",
    *(f"{name}_exact" for name in (*_HIP_BMDS, "lumbar_bmd")), "lowest_t",
    *(f"{side}_{what}" for what in _STATE for side in ("left", "right")),
    "objects", "view", "right_rotation_deg", "left_rotation_deg", "pelvic_turn_deg", "pelvic_tilt_deg",
    "style", "repeat", "cortex_factor", "spongy_factor", "pelvis_factor",
    *(f"{side}_{name}" for side in ("left", "right") for name in MORPHOMETRY),
)  # fmt: skip
"""Of the manifest; those with "exact" are what a faultless DXA would read, the factors by what the patient's mineral is
multiplied, and the last ones measures of the bone itself."""

EXTERNAL_WEIGHT: Final = 0.5
"""An external site gives half as many patients as another: most are to be trained on."""
_TEST_FROM: Final = 0.85  # of the time in which a site takes radiographs
_VALIDATION_SHARE: Final = 0.12  # of the patients before the test period: a tenth of all
_WEEK: Final = 7
_LUMBAR_CV: Final = 0.0104
"""Precision of DXA at the lumbar spine, one SD over the mean."""


@dataclass(frozen=True)
class Plan:
    """What the patients of a cohort have in common.

    ``seed`` of the cohort; ``sites`` that patients come from, an external one half as often as another; ``spacing_mm`` of the
    detector's pixels (None: each site's own); ``split`` of all (None: by site and date); ``repeats``: radiographs of a patient,
    each in a fresh pose and exposure (0: the usual single one); ``faulty``: every patient has a fault, see
    `scripts.simulation.faults`; ``operated``: every patient has an implant; ``states``: further radiographs from each view, with
    the mineral of cortex, spongy bone and pelvis multiplied and another exposure, and the maps of the mineral with all.
    """

    seed: int
    sites: tuple[Site, ...]
    spacing_mm: float | None
    split: str | None
    repeats: int
    faulty: bool = False
    operated: bool = False
    states: int = 0


def simulate_patient(index: int, folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """Make patient ``index`` (from 0) in the folders of a cohort; return the manifest's rows, one a radiograph.

    A patient that is there already is left alone.
    """
    rows_file = rows_path(folder, index)
    if rows_file.exists():
        return json.loads(rows_file.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    # oneDNN keeps the code compiled for every image size it meets: megabytes a patient, since no two radiographs are of one size.
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    rows = _make(index, folder, plan)
    with replacing(rows_file) as temporary:
        temporary.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def rows_path(folder: Path, index: int) -> Path:
    """Return the path of the file that is written last of a patient; it holds the patient's rows of the manifest."""
    return folder / "rows" / f"{_patient_id(index)}.json"


def _patient_id(index: int) -> str:
    return f"P{index:06d}"


def _make(index: int, folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """The steps from a person to files, and nothing else."""
    rng = np.random.default_rng([plan.seed, index])
    weights = np.array([EXTERNAL_WEIGHT if site.external else 1.0 for site in plan.sites])
    site = plan.sites[rng.choice(len(weights), p=weights / weights.sum())]
    first = site.habits.draw_date(rng)
    split = plan.split or split_of(site, first, rng)
    person = draw_person(rng, site.population)
    fault = draw_fault(rng) if plan.faulty else Fault()
    implants = draw_implants(rng, operated=True) if plan.operated else None
    diseases = fault.suffered(draw_diseases(person, rng)) if plan.faulty else None
    phantom = draw_phantom(person, rng, implants, diseases, fault.pelvic_turn)
    known = _known_of(phantom)
    errors = ScanErrors.drawn(rng)

    rows = []
    for repeat in range(1, max(1, plan.repeats) + 1):
        # A stream of its own, so that the first radiograph is the same however many follow.
        rng = np.random.default_rng([plan.seed, index, repeat])
        view = draw_view(rng, site, plan.spacing_mm)
        view = replace(view, poses=fault.posed(askew(view.poses, phantom.pelvis.turn_deg)))
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        traced = trace(phantom, view, generator)
        date = first + datetime.timedelta(days=int(rng.integers(_WEEK)) if plan.repeats else 0)
        taken = f"{_patient_id(index)}_{repeat}" if plan.repeats else _patient_id(index)
        labels = {"region_label": _write(folder, f"regions/{taken}.png", map_regions(traced)) if plan.states else ""}
        for number in range(plan.states + 1):
            state = draw_state(rng) if number else AS_IT_IS
            if number:
                view = view.exposed_as(site.exposure.draw(rng), site.habits.draw_style(rng))
            name = f"{taken}_state{number}" if number else taken
            shot = traced.exposed(view, generator, state)
            if not number:
                labels |= _write_labels(folder, name, shot)
            seed = f"{plan.seed}-{index}-{repeat}-{plan.spacing_mm}" + (f"-{number}" if number else "")
            study = Study(_patient_id(index), site.name, date, seed)
            acquisition = view.acquisition(phantom.body.thickness)
            write_radiograph(folder / "images" / f"{name}.dcm", shot.rendering, view.style, acquisition, person, study)
            rows.append(
                {
                    "image": f"images/{name}.dcm",
                    "patient_id": study.patient_id,
                    "study_date": date.isoformat(),
                    "site": site.name,
                    "split": split,
                    **known,
                    **_densities(phantom, state, errors),
                    **labels,
                    "mineral_label": _write(folder, f"minerals/{name}.png", map_mineral(traced, state)) if plan.states else "",
                    **_seen_in(view, phantom),
                    "repeat": repeat,
                    "cortex_factor": round(state.cortex, 4),
                    "spongy_factor": round(state.spongy, 4),
                    "pelvis_factor": round(state.pelvis, 4),
                }
            )
    return rows


def split_of(site: Site, date: datetime.date, rng: np.random.Generator) -> str:
    """Return "external" at external sites; elsewhere "test" for the latest studies, "train" or "validation" at random before."""
    drawn = "validation" if rng.random() < _VALIDATION_SHARE else "train"
    if site.external:
        return EXTERNAL
    begin, end = site.habits.dates
    return "test" if date >= begin + _TEST_FROM * (end - begin) else drawn


def _known_of(phantom: Phantom) -> dict[str, Any]:
    """The manifest's columns that are the patient's, the same for all radiographs."""
    person = phantom.person
    known: dict[str, Any] = {
        "age_years": int(person.age),
        "sex": person.sex,
        "weight_kg": round(person.weight, 1),
        "height_cm": round(person.height),
        "objects": ";".join(sorted({item.name for item in phantom.objects})),
    }
    for side in HIP.sides:
        disease, femur = phantom.diseases[side], phantom.femurs[side]
        # What healed out of place has measures that nobody has defined.
        measured = disease.is_scanned and phantom.dxa[side] is not None and not femur.fragments
        measures = measure_true_morphometry(femur) if measured else {}
        known |= {f"{side}_{name}": round(measures[name], 2) if measures else "" for name in MORPHOMETRY}
        known[f"{side}_implant"] = phantom.fittings[side].implant.value
        known[f"{side}_osteoarthritis"] = round(disease.osteoarthritis, 2)
        known[f"{side}_fracture"] = disease.fracture.value
        known[f"{side}_deformity"] = disease.deformity.value
        known[f"{side}_deformity_grade"] = round(disease.grade, 2)
    return known


@dataclass(frozen=True)
class ScanErrors:
    """By what one DXA scan multiplies the truth: a `Reading` a side ("right", "left") and the ``lumbar`` spine's factor."""

    hips: dict[str, Reading]
    lumbar: float

    @staticmethod
    def drawn(rng: np.random.Generator) -> ScanErrors:
        """Draw them with DXA's short-term precision."""
        return ScanErrors({side: with_scan_error(Reading(1.0, 1.0), rng) for side in HIP.sides}, 1 + _LUMBAR_CV * rng.normal())


def _densities(phantom: Phantom, state: State, errors: ScanErrors) -> dict[str, Any]:
    """The manifest's columns of DXA with the mineral in a state: as one scan reads it, and exactly."""
    reference, lumbar = load_reference(), phantom.person.lumbar * state.pelvis
    columns: dict[str, Any] = {"lumbar_bmd": round(lumbar * errors.lumbar, 4), "lumbar_bmd_exact": round(lumbar, 4)}
    t_scores = [reference.t_score(lumbar, "lumbar")]
    for side in HIP.sides:
        parts = phantom.scanned[side] if phantom.diseases[side].is_scanned else None
        exact = parts and parts.reading(state.cortex, state.spongy)
        for site in HIP.sites:
            value = None if exact is None else getattr(exact, site)
            columns[f"{side}_{site}_bmd"] = "" if value is None else round(value * getattr(errors.hips[side], site), 4)
            columns[f"{side}_{site}_bmd_exact"] = "" if value is None else round(value, 4)
            if value is not None:
                t_scores.append(reference.t_score(value, site))
    return {**columns, "lowest_t": round(min(t_scores), 3)}


def _seen_in(view: View, phantom: Phantom) -> dict[str, Any]:
    """The manifest's columns that are the exposure's; angles in degrees, rotations outward from the neck in the image plane."""
    femurs = {side: posed(phantom, view, side) for side in HIP.sides}
    return {
        "view": "frog-leg" if view.frog_leg else "AP",
        **{
            f"{side}_rotation_deg": round(view.poses[side].rotation + femur.anteversion + femur.neck_turned, 1)
            for side, femur in femurs.items()
        },
        **{f"{side}_fracture_displacement_mm": _displacement_mm(femur, phantom.diseases[side]) for side, femur in femurs.items()},
        "pelvic_turn_deg": round(phantom.pelvis.turn_deg, 1),
        "pelvic_tilt_deg": round(phantom.pelvis.tilt_deg, 1),
        "style": view.style.name,
    }


def _displacement_mm(femur: Femur, disease: Disease) -> float:
    # What has healed is no fracture any more.
    return 0.0 if disease.fracture is Fracture.NONE else round(displacement_mm(femur), 2)


def _write_labels(folder: Path, name: str, shot: Shot) -> dict[str, str]:
    """Write mask, landmarks and what is broken; return the manifest's columns that name them."""
    with replacing(folder / "landmarks" / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(shot.landmarks), encoding="utf-8")
    broken = _write(folder, f"fractures/{name}.png", shot.fracture.astype(np.uint8)) if shot.fracture.any() else ""
    label = _write(folder, f"masks/{name}.png", shot.mask)
    return {"label": label, "landmarks": f"landmarks/{name}.json", "fracture_label": broken}


def _write(folder: Path, name: str, image: np.ndarray) -> str:
    """Write an image (rows, columns) or (rows, columns, 3) of uint8 as PNG, and return its name."""
    with replacing(folder / name) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")
    return name
