"""One radiograph to be taken of a simulated patient, with everything that can be changed about it, and its DXA truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
import torch

from scripts.clinical.anatomy import HIP
from scripts.simulation.anatomy.disease import Disease, draw_diseases
from scripts.simulation.anatomy.dxa import Reading
from scripts.simulation.dx_image import Study, write_radiograph
from scripts.simulation.hardware.implants import Implant
from scripts.simulation.imaging import AS_IT_IS, State, Traced, trace
from scripts.simulation.phantom import Phantom, draw_phantom
from scripts.simulation.population import Person, draw_person
from scripts.simulation.sites import Site
from scripts.simulation.view import View, askew, draw_view

REFERENCE_KVP: Final = 78.0
"""Tube voltage of every reference radiograph, kV: sites differ, and a change to another voltage has to be the same for all."""

_SPACING_MM: Final = 0.34  # at the detector: 0.3 mm in the patient, what the networks see


@dataclass(frozen=True)
class Exam:
    """A radiograph to be taken.

    phantom: the patient. view: pose, image plane, exposure and style. person: as the header tells of the patient, who is another
    in the ``phantom`` where the header errs. study: identifiers. seed: of all that is random about the radiograph, so that two
    exams differ by what was changed alone. state: multiples of the mineral that the phantom has. spacing_told: the header's pixel
    spacing over the true one. left_out: keywords of the elements that the header lacks.
    """

    phantom: Phantom
    view: View
    person: Person
    study: Study
    seed: int
    state: State = AS_IT_IS
    spacing_told: float = 1.0
    left_out: tuple[str, ...] = ()

    @property
    def truth(self) -> dict[str, Reading]:
        """What a faultless DXA scan reads, by side."""
        scanned = self.phantom.scanned
        return {side: parts.reading(self.state.cortex, self.state.spongy) for side, parts in scanned.items() if parts}

    def is_traced_as(self, other: Exam) -> bool:
        """Whether the rays meet the same in both; mineral that is only multiplied, exposure, style and header do not count."""
        same_view = self.view.plane == other.view.plane and self.view.poses == other.view.poses
        return self.phantom is other.phantom and same_view and self.seed == other.seed

    def traced(self) -> Traced:
        """What the rays meet."""
        return trace(self.phantom, self.view, torch.Generator().manual_seed(self.seed))

    def write(self, traced: Traced, path: Path) -> None:
        """Expose, process and write the radiograph as a DICOM file.

        Args:
            traced: of this exam, or of one that `is_traced_as` it.
            path: of the file.

        Raises:
            OSError: the file cannot be written.
        """
        shot = traced.exposed(self.view, torch.Generator().manual_seed(self.seed + 1), self.state)
        acquisition = self.view.acquisition(self.phantom.body.thickness)
        acquisition = replace(acquisition, spacing=acquisition.spacing * self.spacing_told)
        write_radiograph(path, shot.rendering, self.view.style, acquisition, self.person, self.study)
        if self.left_out:
            header = pydicom.dcmread(path)
            for keyword in self.left_out:
                delattr(header, keyword)
            header.save_as(path)


def draw_exam(index: int, seed: int, sites: Sequence[Site]) -> Exam:
    """Draw the reference radiograph of patient ``index`` (from 0): of the pelvis from the front, both hips sound or worn.

    Args:
        index: of the patient; they come from the sites in turn.
        seed: of all patients.
        sites: at least one.
    """
    rng = np.random.default_rng([seed, index])
    site = sites[index % len(sites)]
    person = draw_person(rng, site.population)
    whole = {side: Disease(found.osteoarthritis, found.enthesophytes) for side, found in draw_diseases(person, rng).items()}
    phantom = draw_phantom(person, rng, dict.fromkeys(HIP.sides, Implant.NONE), whole)
    front = replace(site, habits=replace(site.habits, one_hip=0.0, frog_leg=0.0))
    view = draw_view(rng, front, _SPACING_MM, site.habits.draw_style(rng).name)
    exposure = replace(view.exposure, kvp=REFERENCE_KVP)
    view = replace(view, exposure=exposure, poses=askew(view.poses, phantom.pelvis.turn_deg))
    study = Study(f"I{index:06d}", site.name, site.habits.draw_date(rng), f"interventions-{seed}-{index}")
    return Exam(phantom, view, person, study, int(rng.integers(2**31)))
