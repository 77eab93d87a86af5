"""The DICOM objects of a study, for the PACS that its radiographs come from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import highdicom as hd
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from scripts.clinical import Criteria, load_criteria
from scripts.clinical.anatomy import HIP
from scripts.files import replacing
from scripts.radiograph import quiet
from scripts.results.dicom_report import make_report
from scripts.results.dicom_seg import make_segmentation
from scripts.results.headers import identify, identify_run, read_headers
from scripts.screening.findings import Findings
from scripts.screening.ledger import Ledger

FOLDER: Final = "dicom"
_LOGGER: Final = logging.getLogger(__name__)
_NO_OBJECT: Final = (ValueError, TypeError, AttributeError, KeyError, OverflowError)
"""What an attribute that breaks the standard makes highdicom and pydicom raise."""


class DicomWriter:
    """Writes, into `dicom/`, of each radiograph a Segmentation and a Secondary Capture of its overlay, and of each study a
    Structured Report; all belong to the study of the radiographs, and name the patient as these do.

    A radiograph that is no DICOM has none. Nor has one whose header breaks the standard in a way that its objects would; the log
    says so, and the run goes on.

    Args:
        ledger: of the run; items and provenance are taken from it.
        notice: the sentence that every result carries.
        reproducible: give each object the same UID in every run that would make the same of it, by radiographs, manifest,
            weights, settings, software and notice; else new ones.
        criteria: cut points; those that ship if None.
    """

    def __init__(self, ledger: Ledger, notice: str, reproducible: bool = False, criteria: Criteria | None = None) -> None:
        self.ledger, self.notice, self.reproducible = ledger, notice, reproducible
        self.criteria, self.run = criteria or load_criteria(), identify_run(ledger, notice)
        logging.getLogger("highdicom").setLevel(logging.CRITICAL)  # it quotes what it copies

    def __call__(
        self, findings: Findings, pictures: Mapping[str, Mapping[str, str | None]], folder: Path
    ) -> tuple[dict[str, dict[str, str | None]], dict[str, str | None]]:
        """Write the objects of one study.

        Args:
            findings: of it.
            pictures: by name of the radiograph, what was written of it, by "overlay" and others.
            folder: of the run's results.

        Returns:
            By name of the radiograph the paths, relative to ``folder``, of its "segmentation" and "capture"; and that of the
            study's "report". None where there is none.
        """
        with quiet():
            return self._write(findings, pictures, folder)

    def _write(
        self, findings: Findings, pictures: Mapping[str, Mapping[str, str | None]], folder: Path
    ) -> tuple[dict[str, dict[str, str | None]], dict[str, str | None]]:
        known = read_headers(findings, self.ledger.items)
        headers = {name: header for name, header in known.items() if header is not None}
        written = {found.name: dict[str, str | None](segmentation=None, capture=None) for found in findings.radiographs}
        if not headers:
            return written, {"report": None}
        study = str(self.ledger.items[findings.radiographs[0].name]["study"])
        identity = identify(self.run, self.ledger, findings, known)
        series = {kind: self._uid(identity, kind) for kind in ("SEG", "SC", "SR")}
        for number, found in enumerate(findings.radiographs, start=1):
            header, seen = headers.get(found.name), found.seen
            if header is None or seen is None:
                continue
            if seen.mask.any():
                written[found.name]["segmentation"] = self._written(
                    f"{FOLDER}/{found.name}.seg.dcm", folder, make_segmentation, header, seen.mask,
                    "OsteoXR, contours; research use only", False,
                    (series["SEG"], self._uid(identity, "SEG", str(number))), number,
                )  # fmt: skip
            if overlay := pictures.get(found.name, {}).get("overlay"):
                written[found.name]["capture"] = self._written(
                    f"{FOLDER}/{found.name}.sc.dcm", folder, make_capture, header, folder / overlay,
                    (series["SC"], self._uid(identity, "SC", str(number))), number,
                )  # fmt: skip
        uids = [series["SR"], *(self._uid(identity, "SR", str(index)) for index in range(2 * len(HIP.sides) + 2))]
        report = self._written(
            f"{FOLDER}/{study}.sr.dcm", folder, make_report, headers, findings,
            self.criteria, self.notice, self.ledger.provenance["weights"]["sha256"], uids,
        )  # fmt: skip
        return written, {"report": report}

    def _uid(self, *told: str) -> str:
        return str(generate_uid(entropy_srcs=list(told))) if self.reproducible else str(hd.UID())

    def _written(self, path: str, folder: Path, make: Any, *arguments: Any) -> str | None:
        try:
            made = make(*arguments)
        except _NO_OBJECT as error:
            attribute = f", {error.name}" if isinstance(error, AttributeError) and error.name else ""
            _LOGGER.warning("%s was not written: the header does not allow it (%s%s)", path, type(error).__name__, attribute)
            return None
        with replacing(folder / path) as temporary:
            made.save_as(temporary, enforce_file_format=True)
        return path


def make_capture(radiograph: Dataset, picture: Path, uids: tuple[str, str], number: int) -> Dataset:
    """Make the Secondary Capture of a picture of a radiograph.

    Args:
        radiograph: its header.
        picture: file, of any size.
        uids: of the series and of the object.
        number: of the object in its series.
    """
    with Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    capture = hd.sc.SCImage.from_ref_dataset(
        ref_dataset=radiograph,
        pixel_array=pixels,
        photometric_interpretation=hd.PhotometricInterpretationValues.RGB,
        bits_allocated=8,
        coordinate_system=hd.CoordinateSystemNames.PATIENT,
        series_instance_uid=uids[0],
        series_number=902,
        sop_instance_uid=uids[1],
        instance_number=number,
        manufacturer="OsteoXR",
        patient_orientation=("L", "F"),
        series_description="OsteoXR, picture; research use only",
    )
    if "IssuerOfPatientID" in radiograph:
        capture.IssuerOfPatientID = radiograph.IssuerOfPatientID
    capture.Laterality = ""  # required of a picture that shows both hips, and unknown
    return capture
