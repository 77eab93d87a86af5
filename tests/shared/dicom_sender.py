"""A sender of DICOM objects, as a modality or a PACS is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification


@contextmanager
def associated(
    port: int, films: Iterable[Dataset] = (), title: str = "SENDER", called: str = "OSTEOXR", context: object = None
) -> Iterator[Association]:
    """An association with a server on this machine, whether it was accepted or not; it offers what the films need."""
    kinds = {(film.SOPClassUID, film.file_meta.TransferSyntaxUID) for film in films}
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    offered = [build_context(Verification), *(build_context(kind, syntax) for kind, syntax in sorted(kinds))]
    tls = (context, "127.0.0.1") if context else None
    association = entity.associate("127.0.0.1", port, offered, called, tls_args=tls)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def store(association: Association, film: Dataset) -> tuple[int, str]:
    """Send a film; its status with the comment, -1 where there was none."""
    try:
        answer = association.send_c_store(film)
    except RuntimeError:  # the association has just ended
        answer = Dataset()
    return int(answer.get("Status", -1)), str(answer.get("ErrorComment", ""))


def statuses(port: int, films: Iterable[Dataset], **settings: object) -> list[tuple[int, str]]:
    """Send films, one after another; what `store` tells of each."""
    films = list(films)
    with associated(port, films, **settings) as association:
        assert association.is_established
        return [store(association, film) for film in films]


def echoes(port: int, **settings: object) -> bool:
    """Whether a server answers C-ECHO."""
    with associated(port, **settings) as association:
        return association.is_established and association.send_c_echo().get("Status") == 0


def received(folder: Path) -> list[str]:
    """The names of all files below a folder, hidden ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
