"""An application entity that takes any object of DICOM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt


@contextmanager
def serving(port: int, status: Callable[[str], int] = lambda _: 0) -> Iterator[list[str]]:
    """Run one on this machine, called PACS; yields the UIDs of what it took.

    Args:
        port: where it listens.
        status: that it answers an object by, of its UID.
    """
    taken: list[str] = []

    def store(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        answer = status(uid)
        if not answer:
            taken.append(uid)
        return answer

    entity = AE(ae_title="PACS")
    entity.supported_contexts = AllStoragePresentationContexts
    entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield taken
    finally:
        entity.shutdown()
