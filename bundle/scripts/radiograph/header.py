"""What is known of a radiograph besides its pixels: the patient's covariates, the projection and the identifiers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pydicom.dataset import Dataset

from scripts.radiograph.elements import cited, code, plain_words, stated, text
from scripts.radiograph.patient import read_age, read_height, read_sex, read_weight
from scripts.radiograph.vocabulary import find_meaning, load_vocabulary

_UID: Final = re.compile(r"\d+(\.\d+)+", re.ASCII)  # leading zeros, though forbidden, occur and do no harm


@dataclass
class Header:
    """Facts of one radiograph. None, "" or an empty list where unknown. Never a name or a patient ID.

    modality: DICOM modality, or "PNG", "JPEG", "TIFF", "NIFTI".
    view: projection, such as "AP". laterality: "R", "L", "B" (both) or "".
    age_years at the exposure; sex "F" or "M"; weight_kg; height_cm.
    study_uid, series_uid, sop_uid: DICOM UIDs.
    assumptions: sentences on what the reader had to assume.
    """

    modality: str = ""
    view: str = ""
    laterality: str = ""
    age_years: float | None = None
    sex: str | None = None
    weight_kg: float | None = None
    height_cm: float | None = None
    study_uid: str = ""
    series_uid: str = ""
    sop_uid: str = ""
    assumptions: list[str] = field(default_factory=list)


def read_header(dataset: Dataset) -> Header:
    """Read the facts of a DICOM radiograph, except its view (see `scripts.radiograph.admission`).

    Values that cannot be true (a weight of 0, an age of 999 years) count as unknown, and that is recorded.
    """
    side, side_notes = _laterality(dataset)
    header = Header(modality=code(dataset, "Modality"), laterality=side)
    for name, keyword in (("study_uid", "StudyInstanceUID"), ("series_uid", "SeriesInstanceUID"), ("sop_uid", "SOPInstanceUID")):
        uid = text(dataset, keyword)
        if _UID.fullmatch(uid) and len(uid) <= 64:
            setattr(header, name, uid)
        elif uid:
            header.assumptions.append(f"{keyword} in the header is no UID, so it counts as unknown.")
    header.sex, sex_notes = read_sex(dataset)
    header.age_years, age_notes = read_age(dataset)
    header.weight_kg, weight_notes = read_weight(dataset)
    header.height_cm, height_notes = read_height(dataset)
    header.assumptions += [*side_notes, *age_notes, *sex_notes, *weight_notes, *height_notes]
    return header


def _laterality(dataset: Dataset) -> tuple[str, list[str]]:
    """Return the side, "" where unknown, by the first element that names one; and what had to be assumed."""
    notes = []
    for keyword in ("ImageLaterality", "Laterality"):
        said = stated(dataset, keyword)
        side = find_meaning(plain_words(said), load_vocabulary()["sides"])
        if side in ("R", "L", "B"):
            if said.upper() != side:
                notes.append(f"{cited(dataset, keyword)} was read as {side}.")
            return side, notes
        if said and not side:
            notes.append(f"{cited(dataset, keyword)} is no side that is known, so it was not used.")
    return "", notes
