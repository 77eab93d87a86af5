"""Which files of the input folder are screened: the radiographs in the series that MONAI Deploy's selector takes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from scripts.clinical import Code, Reason
from scripts.radiograph import REFUSAL
from scripts.radiograph.admission import is_object
from scripts.radiograph.archives import ArchiveOpener
from scripts.radiograph.elements import text
from scripts.radiograph.parsing import parse_header

RULES: Final = json.dumps({"selections": [{"name": "radiographs", "conditions": {"Modality": "^(DX|CR|RG)$"}}]})
"""For MONAI Deploy's selector, which searches: without its anchors the rule would take any text that holds a modality's."""

_TAKEN: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")


def read_headers(items: Iterable[Mapping[str, Any]]) -> dict[str, Dataset]:
    """Read what a series is selected by, within the bounds that every header is read in.

    Args:
        items: of `cli.find_radiographs`; those that are refused already are not read.

    Returns:
        By the name of the item, of those that are DICOM: UIDs and modality, and nothing that names a patient.
    """
    headers = {}
    with ArchiveOpener() as opener:
        for item in items:
            if REFUSAL not in item and (header := _read_header(Path(item["image"]), opener)) is not None:
                headers[str(item["name"])] = header
    return headers


def as_file(header: Dataset) -> BytesIO:
    """A header of `read_headers` as a DICOM file."""
    file = BytesIO()
    header.save_as(file, enforce_file_format=True)
    file.seek(0)
    return file


def refuse_others(
    items: Sequence[Mapping[str, Any]], headers: Mapping[str, Dataset], selected: Collection[str]
) -> list[dict[str, Any]]:
    """Refuse what is in no selected series, so that it stands among the results with its reason.

    Args:
        items: of `cli.find_radiographs`.
        headers: of `read_headers`.
        selected: the series, by their Series Instance UID.
    """
    found = []
    for item in items:
        header = headers.get(str(item["name"]))
        taken = header is not None and header.SeriesInstanceUID in selected
        found.append(dict(item) if REFUSAL in item or taken else {**item, REFUSAL: _reason(header)})
    return found


def _read_header(path: Path, opener: ArchiveOpener) -> Dataset | None:
    try:
        with opener.open(path) as file:
            found, _, _ = parse_header(file)
            if not is_object(found):
                return None
            known = {keyword: text(found, keyword) for keyword in _TAKEN}
    except Exception:  # in a damaged header any value may have any type
        return None
    header = Dataset()
    for keyword, said in known.items():
        setattr(header, keyword, said)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return header


def _reason(header: Dataset | None) -> Reason:
    if header is None:
        return Reason(
            Code.UNREADABLE,
            "The file has no DICOM header that can be read, but this application screens DICOM alone; it was not analysed. "
            "Export the radiograph as DICOM.",
        )
    return Reason(
        Code.NOT_A_RADIOGRAPH,
        f"The file is in no series that was selected (modality {header.Modality or 'not given'}), but a series of DX, CR or RG "
        "with all its UIDs is needed; it was not analysed. Choose the radiograph's series.",
    )
