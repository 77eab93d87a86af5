"""What the screen finds on each radiograph of a patient: the reference, then the same with one thing changed at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from scripts.clinical.anatomy import HIP
from scripts.evaluation.interventions.changes import Kind
from scripts.evaluation.interventions.exam import Exam
from scripts.screening import Findings, Screen

REFERENCE: Final = "reference"
"""What the change of the unchanged radiograph is called."""


@dataclass(frozen=True)
class Observation:
    """One hip on one radiograph; BMD by site of `HIP.sites`, g/cm².

    change, level: name of the kind, and the level as it is told; `REFERENCE` and "" of the unchanged radiograph. truth: what DXA
    reads. bmd: as reported, NaN where the hip was refused. singh_grade: NaN where it was not graded. code: of the refusal, ""
    where it was measured. cautions: codes.
    """

    patient: str
    change: str
    level: str
    side: str
    truth: Mapping[str, float]
    bmd: Mapping[str, float]
    singh_grade: float
    code: str
    cautions: tuple[str, ...]


def observe(exam: Exam, kinds: Sequence[Kind], screen: Screen) -> Iterator[list[Observation]]:
    """Yield both hips of the reference radiograph, then of it with each change, as each is screened.

    Each radiograph is written as a DICOM file and read and screened as a hospital's own. One trace of the rays serves all changes
    that leave them alone. Nothing follows a reference that gives no measurement: there is nothing to compare with.

    Args:
        exam: the reference.
        kinds: to be applied at each of their levels.
        screen: of `inference.yaml`.

    Raises:
        OSError: a radiograph cannot be written.
    """
    traced = exam.traced()
    changes = ((kind.name, kind.told(level), kind.apply(exam, level)) for kind in kinds for level in kind.levels)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "radiograph.dcm"
        for change, level, changed in chain([(REFERENCE, "", exam)], changes):
            changed.write(traced if changed.is_traced_as(exam) else changed.traced(), path)
            hips = _hips(changed, change, level, screen.files([path]))
            yield hips
            if change == REFERENCE and all(hip.code for hip in hips):
                return


def _hips(exam: Exam, change: str, level: str, findings: Findings) -> list[Observation]:
    truth, (radiograph,) = exam.truth, findings.radiographs
    found = radiograph.seen.screening.hips if radiograph.seen else (None, None)
    observations = []
    for side, hip in zip(HIP.sides, found, strict=True):
        reason = hip.reason if hip else radiograph.reason
        observations.append(
            Observation(
                patient=exam.study.patient_id,
                change=change,
                level=level,
                side=side,
                truth={site: round(getattr(truth[side], site), 5) for site in HIP.sites},
                bmd={site: round(hip.estimates[site].bmd, 5) if hip and not reason else math.nan for site in HIP.sites},
                singh_grade=round(hip.values.get("singh_grade", math.nan), 3) if hip else math.nan,
                code=str(reason.code) if reason else "",
                cautions=tuple(str(caution.code) for caution in hip.cautions) if hip else (),
            )
        )
    return observations


def from_entry(entry: Mapping[str, Any]) -> Observation:
    """An observation as the journal keeps it, with null for NaN."""
    bmd = {site: math.nan if value is None else value for site, value in entry["bmd"].items()}
    grade = math.nan if entry["singh_grade"] is None else entry["singh_grade"]
    return Observation(**{**entry, "bmd": bmd, "singh_grade": grade, "cautions": tuple(entry["cautions"])})
