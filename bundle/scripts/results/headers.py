"""The DICOM headers of a study's radiographs, for what is written beside them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from scripts.clinical.anatomy import COVARIATES
from scripts.radiograph import read_dicom_header
from scripts.screening.findings import Findings
from scripts.screening.ledger import Ledger
from scripts.screening.provenance import fingerprint

_LOGGER = logging.getLogger(__name__)
_REQUIRED: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
    "ReferringPhysicianName",
)  # fmt: skip
"""Of patient and study: may be empty, but not absent (type 2, DICOM PS3.3 C.7.1 and C.7.2); exports without names lack some."""
_UTF8: Final = "ISO_IR 192"

_OUTPUTS: Final = ("dicom", "fhir", "nifti", "notice")
"""Options that change nothing of what is told of a study, or are counted by themselves."""


def identify_run(ledger: Ledger, notice: str) -> str:
    """What the results of all studies of a run depend on, as a hash: settings, weights, software and the notice. It reads the
    whole code: once a run is enough."""
    return hashlib.sha256(f"{fingerprint(ledger.provenance, without=_OUTPUTS)} {notice}".encode()).hexdigest()


def identify(run: str, ledger: Ledger, findings: Findings, headers: Mapping[str, Dataset | None]) -> str:
    """What the results of a study depend on, as a hash: its radiographs, what is known of the patient, settings and software.

    Args:
        run: of `identify_run`.
        ledger: of the run.
        findings: of the study.
        headers: of `read_headers`.
    """
    films = []
    for found in findings.radiographs:
        header, item = headers.get(found.name), ledger.items[found.name]
        uid = str(header.get("SOPInstanceUID", "")) if header is not None else ""
        films.append([uid or found.name, [str(item.get(key)) for key in COVARIATES]])
    return hashlib.sha256(json.dumps([run, films]).encode()).hexdigest()


def read_headers(findings: Findings, items: Mapping[str, Mapping[str, Any]]) -> dict[str, Dataset | None]:
    """Read the headers of the radiographs that the screen has seen, fit to make objects from; what was not read is not opened.

    Texts are decoded, to be written as UTF-8, whatever the file's character set.

    Args:
        findings: of a study.
        items: of the run, by name, with "image", the path.

    Returns:
        By name, in the order of the findings; None of a picture. One that can no longer be read is left out; the log says so.
    """
    headers: dict[str, Dataset | None] = {}
    for found in findings.radiographs:
        if found.seen is None:
            continue
        try:
            header = read_dicom_header(items[found.name]["image"])
            if header is not None:
                header.decode()
                header.SpecificCharacterSet = _UTF8
                _mend(header, found.name)
        except Exception as error:  # the file may have become anything since the screen read it
            _LOGGER.warning("radiograph %s can no longer be read (%s): nothing is written from its header", found.name,
                            type(error).__name__)  # fmt: skip
            continue
        headers[found.name] = header
    return headers


def _mend(header: Dataset, name: str) -> None:
    """Make what may be empty, and is absent or no date or time, empty; the log says of what was there."""
    for attribute in _REQUIRED:
        given = str(header.get(attribute, "") or "")
        kind = DA if attribute.endswith("Date") else TM if attribute.endswith("Time") else str
        try:
            kind(given)
        except ValueError:
            _LOGGER.warning("radiograph %s: its %s is none, and is left empty in its DICOM objects", name, attribute)
            setattr(header, attribute, "")
        else:
            if attribute not in header:
                setattr(header, attribute, "")
