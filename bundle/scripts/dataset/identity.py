"""Who and what a file is, by a first look: its kind and its header alone, so that a large folder is sorted in seconds."""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from scripts.clinical import Code, Reason, RefusedError
from scripts.radiograph.admission import admit, is_object
from scripts.radiograph.archives import ArchiveOpener, source_of
from scripts.radiograph.elements import text
from scripts.radiograph.parsing import MAGIC, parse_header

_PREAMBLE: Final = 132
_BARE_STARTS: Final = (b"\x08\x00", b"\x02\x00", b"\x00\x08", b"\x00\x02")
"""The first group of a DICOM file without its preamble, in both byte orders."""

_STARTS: Final = (
    *_BARE_STARTS, b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+",
    *(struct.pack(f"{order}i", size) for order in "<>" for size in (348, 540)),
)  # fmt: skip
"""How files begin that may be radiographs: DICOM, PNG, JPEG, TIFF (also BigTIFF) and NIfTI (1 and 2, by the header's size)."""

_LARGEST_HEADER: Final = 16 << 20
_MOST_READS: Final = 100_000
"""Bytes, and pieces of them. A header has some thousands of each; one with more is left to the reader, which works within
bounds of time and memory."""


@dataclass(frozen=True)
class Identity:
    """What a first look tells of a file; "" where unknown.

    sop_uid, study_uid: DICOM UIDs. issuer, patient_id: Issuer of Patient ID and Patient ID. study_date: Study
    Date, as it stands there.
    reason: why it is refused already, or None where the reader has to decide.
    """

    sop_uid: str = ""
    study_uid: str = ""
    issuer: str = ""
    patient_id: str = ""
    study_date: str = ""
    reason: Reason | None = None


def identify(path: Path, opener: ArchiveOpener) -> Identity:
    """Look at a file without decoding a pixel, nor waiting for one that is a pipe or a device.

    What cannot be judged by its header alone (a picture, a damaged header) is not refused here.

    Args:
        path: of a file, or of a member of an archive.
        opener: opens it.
    """
    try:
        status = os.stat(source_of(path))
        if not stat.S_ISREG(status.st_mode):
            return Identity(reason=_unreadable(f"is {_kind(path, status.st_mode)}"))
        with opener.open(path) as file:
            start = file.read(_PREAMBLE)
            if start[-len(MAGIC) :] == MAGIC or start.startswith(_BARE_STARTS):
                file.seek(0)
                return _by_header(file)
    except RefusedError as refusal:
        return Identity(reason=refusal.reason)
    except OSError as error:
        if path.is_symlink() and not path.exists():
            return Identity(reason=_unreadable("is a link that leads nowhere"))
        return Identity(reason=_unreadable(f"cannot be opened ({error.strerror})"))
    return Identity() if start else Identity(reason=_unreadable("is empty"))


def is_of_a_known_format(path: Path, opener: ArchiveOpener) -> bool:
    """Whether a file begins as one of the formats does that are read; also true of one that cannot be opened.

    Args:
        path: of a file, or of a member of an archive.
        opener: opens it.
    """
    try:
        with opener.open(path) as file:
            start = file.read(_PREAMBLE)
    except (OSError, RefusedError):
        return True
    return start[-len(MAGIC) :] == MAGIC or start.startswith(_STARTS)


def _by_header(file: BinaryIO) -> Identity:
    reason = None
    try:
        dataset, _, _ = parse_header(cast(BinaryIO, _Bounded(file)))
        if not is_object(dataset):
            return Identity()
        try:
            admit(dataset)
        except RefusedError as refusal:
            reason = refusal.reason
        return Identity(
            sop_uid=text(dataset, "SOPInstanceUID"),
            study_uid=text(dataset, "StudyInstanceUID"),
            issuer=text(dataset, "IssuerOfPatientID"),
            patient_id=text(dataset, "PatientID"),
            study_date=text(dataset, "StudyDate"),
            reason=reason,
        )
    except Exception:  # in a damaged header any value may have any type; the reader says what is wrong with it
        return Identity(reason=reason)


class _Bounded:
    """A file that gives no more than a header may have; pixels are not read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._bytes, self._reads = file, _LARGEST_HEADER, _MOST_READS
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        """Read; a deflated header, which takes long to inflate, asks for all there is.

        Raises:
            ValueError: beyond the bounds.
        """
        self._bytes, self._reads = self._bytes - size, self._reads - 1
        if size < 0 or self._bytes < 0 or self._reads < 0:
            raise ValueError("more than a header has")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _unreadable(found: str) -> Reason:
    return Reason(
        Code.UNREADABLE,
        f"The file {found}, but a regular file that may be read is needed; it was not analysed. Copy the radiograph itself here.",
    )


def _kind(path: Path, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a link to a folder, and such links are not followed" if path.is_symlink() else "a folder"
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")
