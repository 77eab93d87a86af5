"""The DICOM headers of a study's radiographs, for what is written beside them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydicom.dataset import Dataset

from scripts.clinical import RefusedError
from scripts.radiograph import read_dicom_header
from scripts.screening.findings import Findings

_LOGGER = logging.getLogger(__name__)


def read_headers(findings: Findings, items: Mapping[str, Mapping[str, Any]]) -> dict[str, Dataset]:
    """Read the headers of the radiographs that the screen has seen; a picture has none, and what was not read is not opened.

    Args:
        findings: of a study.
        items: of the run, by name, with "image", the path.

    Returns:
        By name, in the order of the findings.
    """
    headers = {}
    for found in findings.radiographs:
        if found.seen is None:
            continue
        try:
            header = read_dicom_header(items[found.name]["image"])
        except (OSError, RefusedError):
            _LOGGER.warning("radiograph %s can no longer be read: it has no DICOM objects and no FHIR", found.name)
            continue
        if header is not None:
            headers[found.name] = header
    return headers
