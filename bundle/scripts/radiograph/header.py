"""What is known of a radiograph besides its pixels: the patient's covariates, the projection and the identifiers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from pydicom.dataset import Dataset

from scripts.radiograph.elements import code, number, text, value

AGES_YEARS: Final = (0.0, 120.0)
WEIGHTS_KG: Final = (1.0, 400.0)
HEIGHTS_CM: Final = (30.0, 250.0)
"""Lowest and highest value that is believed. Both ends are included; zero counts as unknown."""

_UID: Final = re.compile(r"\d+(\.\d+)+", re.ASCII)  # leading zeros, though forbidden, occur and do no harm
_YEARS_PER_UNIT: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_DATES: Final = ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate")  # from nearest to the exposure


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
    header = Header(
        modality=code(dataset, "Modality"),
        laterality=_laterality(dataset),
    )
    for name, keyword in (("study_uid", "StudyInstanceUID"), ("series_uid", "SeriesInstanceUID"), ("sop_uid", "SOPInstanceUID")):
        uid = text(dataset, keyword)
        if _UID.fullmatch(uid) and len(uid) <= 64:
            setattr(header, name, uid)
        elif uid:
            header.assumptions.append(f"{keyword} in the header is no UID, so it counts as unknown.")
    sex = text(dataset, "PatientSex").upper()
    header.sex = sex if sex in ("F", "M") else None
    header.age_years = _believed("PatientAge", _age(dataset), AGES_YEARS, header.assumptions)
    header.weight_kg = _believed("PatientWeight", number(value(dataset, "PatientWeight")), WEIGHTS_KG, header.assumptions)
    metres = number(value(dataset, "PatientSize"))
    height = None if metres is None else metres * 100
    if metres is not None and 100 <= metres <= HEIGHTS_CM[1]:
        height = metres
        header.assumptions.append("PatientSize was read in centimetres: in metres, as DICOM wants it, it is impossible.")
    header.height_cm = _believed("PatientSize", height, HEIGHTS_CM, header.assumptions)
    return header


def _laterality(dataset: Dataset) -> str:
    for keyword in ("ImageLaterality", "Laterality"):
        found = text(dataset, keyword).upper()
        if found in ("R", "L", "B"):
            return found
    return ""


def _age(dataset: Dataset) -> float | None:
    """Return the age in years from PatientAge (such as 063Y or 018M), else from the dates of birth and exposure."""
    match = re.fullmatch(r"(\d{1,3})([YMWD])", text(dataset, "PatientAge").upper())
    if match:
        return int(match[1]) * _YEARS_PER_UNIT[match[2]]
    born = _date(text(dataset, "PatientBirthDate"))
    taken = next(filter(None, (_date(text(dataset, keyword)) for keyword in _DATES)), None)
    return None if born is None or taken is None else (taken - born).days / 365.25


def _date(digits: str) -> date | None:
    try:
        return date.fromisoformat(digits)
    except ValueError:
        return None


def _believed(keyword: str, value: Any, limits: tuple[float, float], notes: list[str]) -> float | None:
    if value is None or value == 0:
        return None
    if limits[0] <= value <= limits[1]:
        return float(value)
    notes.append(f"{keyword} in the header is impossible, so it counts as unknown.")
    return None
