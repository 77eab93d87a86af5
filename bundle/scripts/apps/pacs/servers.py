"""Servers that take DICOM objects, by DICOMweb (STOW-RS) or by C-STORE."""

from __future__ import annotations

import re
from typing import Final, Protocol

import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

_ENTITY: Final = re.compile(r"(?P<title>[ -~]{1,16})@(?P<host>[^@:/\s]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
_SECONDS: Final = 60.0  # a server may take for an answer
_TOO_MANY, _SERVER_FAULT = 429, 500
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)  # DICOM PS3.4 B.2.3: the object may be taken later


class UnreachableError(Exception):
    """The server did not answer, or cannot take anything now."""


class RefusedObjectError(Exception):
    """The server answered that it does not take this object."""


class Server(Protocol):
    """What takes objects."""

    def store(self, dataset: Dataset) -> None:
        """Send one.

        Raises:
            UnreachableError, RefusedObjectError: where it does not have it.
        """

    def close(self) -> None:
        """Take leave."""


def open_server(address: str, title: str, token: str) -> Server:
    """Open a server by its address; nothing is sent yet.

    Args:
        address: "https://HOST/PATH", or "TITLE@HOST:PORT".
        title: our own application entity title.
        token: bearer token of a DICOMweb service; "" sends none.

    Raises:
        ValueError: where the address is neither.
    """
    if re.fullmatch(r"https?://[^@\s]+", address):
        return _DicomWeb(address, token)
    if entity := _ENTITY.fullmatch(address):
        return _Entity(entity["title"], entity["host"].strip("[]"), int(entity["port"]), title)
    raise ValueError(
        f"--server {address}: expected the address of a DICOMweb service, as https://pacs.hospital/dicom-web, or "
        "TITLE@HOST:PORT of C-STORE; a password or token has no place in it. Nothing was sent."
    )


class _DicomWeb:
    def __init__(self, url: str, token: str) -> None:
        self.client = DICOMwebClient(url, headers={"Authorization": f"Bearer {token}"} if token else None)

    def store(self, dataset: Dataset) -> None:
        try:
            answer = self.client.store_instances([dataset])
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else _SERVER_FAULT
            if status == _TOO_MANY or status >= _SERVER_FAULT:
                raise UnreachableError(f"HTTP {status}") from error
            raise RefusedObjectError(f"HTTP {status}") from error
        except requests.RequestException as error:
            raise UnreachableError(type(error).__name__) from error
        for failed in answer.get("FailedSOPSequence") or []:
            reason = int(failed.get("FailureReason", 0))
            raise RefusedObjectError(f"failure reason 0x{reason:04X}")

    def close(self) -> None:
        """Nothing is open between two objects."""


class _Entity:
    def __init__(self, called: str, host: str, port: int, title: str) -> None:
        self.called, self.host, self.port = called, host, port
        self.entity = AE(ae_title=title)
        self.entity.acse_timeout = self.entity.dimse_timeout = self.entity.network_timeout = _SECONDS
        self.association: Association | None = None
        self.offered: set[str] = set()

    def store(self, dataset: Dataset) -> None:
        association = self._associated(str(dataset.SOPClassUID))
        try:
            status = association.send_c_store(dataset)
        except (ValueError, RuntimeError) as error:  # no presentation context was accepted; the association has just ended
            if association.is_established:
                raise RefusedObjectError(f"{dataset.SOPClassUID.name} is not accepted there") from error
            raise UnreachableError("the association ended") from error
        code = status.get("Status")
        if code is None or int(code) in _OUT_OF_RESOURCES:
            raise UnreachableError("no answer" if code is None else f"status 0x{code:04X}")
        if code != 0 and not 0xB000 <= code < 0xC000:  # B000 to BFFF: stored, with a warning
            raise RefusedObjectError(f"status 0x{code:04X}")

    def _associated(self, kind: str) -> Association:
        if self.association is not None and self.association.is_established and kind in self.offered:
            return self.association
        self.close()
        self.offered.add(kind)
        for one in self.offered:
            self.entity.add_requested_context(one, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        self.association = self.entity.associate(self.host, self.port, ae_title=self.called)
        if not self.association.is_established:
            raise UnreachableError(f"no association with {self.called}")
        return self.association

    def close(self) -> None:
        if self.association is not None and self.association.is_established:
            self.association.release()
        self.association = None
