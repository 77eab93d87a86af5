"""A PACS by DICOM's own services: C-STORE, C-FIND, C-GET and C-MOVE, in the clear or by TLS."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from scripts.apps.pacs.answers import DeclinedError, UnreachableError
from scripts.apps.pacs.credentials import Credentials
from scripts.radiograph.vocabulary import load_vocabulary

_SECONDS: Final = 60.0  # a server may take for an answer
_LATE_S: Final = 10.0  # an object may come after the server has said that it was sent
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)  # DICOM PS3.4 B.2.3, C.4: it may be done later
_PENDING: Final = (0xFF00, 0xFF01)
_NOT_ASKED_FOR: Final = 0x0124  # DICOM PS3.7 C.5.20: refused, not authorised
_FIND: Final = UID("1.2.840.10008.5.1.4.1.2.2.1")
_MOVE: Final = UID("1.2.840.10008.5.1.4.1.2.2.2")
_GET: Final = UID("1.2.840.10008.5.1.4.1.2.2.3")
"""Of the Study Root, DICOM PS3.4 C.6.2."""
SYNTAXES: Final = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless,
    JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless,
    JPEG2000,
)  # fmt: skip
"""In which a radiograph may come. Each is offered by itself, so that it comes as it was stored."""


class Entity:
    """An application entity of a PACS.

    Args:
        called: its title.
        host, port: of it.
        title: our own.
        credentials: files for TLS; without any, all goes in the clear.
        move_port: on which we take what it sends by C-MOVE; None: C-GET.

    Raises:
        ValueError: where the port cannot be opened, or TLS there lacks a certificate.
    """

    def __init__(self, called: str, host: str, port: int, title: str, credentials: Credentials, move_port: int | None) -> None:
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # it quotes what it is sent
        self.called, self.host, self.port, self.title = called, host, port, title
        self.context = credentials.client_context() if credentials.secure else None
        self.entity = AE(ae_title=title)
        self.entity.acse_timeout = self.entity.dimse_timeout = _SECONDS
        self.entity.network_timeout = self.entity.connection_timeout = _SECONDS
        self.association: Association | None = None
        self.kinds: frozenset[str] = frozenset()
        self.stored: set[str] = set()
        self.inbox = _Inbox()
        self.listener = self._listen(move_port, credentials) if move_port is not None else None

    def store(self, dataset: Dataset) -> None:
        """As `servers.Server`."""
        self.stored.add(str(dataset.SOPClassUID))
        association = self._associated(
            [build_context(kind, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]) for kind in sorted(self.stored)]
        )
        try:
            status = association.send_c_store(dataset)
        except (ValueError, RuntimeError) as error:  # no presentation context was accepted; the association has just ended
            if association.is_established:
                raise DeclinedError(f"{dataset.SOPClassUID.name} is not accepted there") from error
            raise UnreachableError("the association ended") from error
        code = self._code(status)
        if code != 0 and not 0xB000 <= code < 0xC000:  # B000 to BFFF: stored, with a warning
            raise DeclinedError(f"status 0x{code:04X}")

    def find(self, level: str, filters: Mapping[str, str], asked: Sequence[str]) -> list[Dataset]:
        """As `servers.Server`."""
        query = _query(level, {**dict.fromkeys(asked, ""), **filters})
        association = self._to_retrieve(_FIND)
        found = []
        try:
            for status, answer in association.send_c_find(query, _FIND):
                code = self._code(status)
                if code in _PENDING:
                    found.append(answer if answer is not None else Dataset())
                elif code != 0:
                    raise DeclinedError(f"status 0x{code:04X}")
        except RuntimeError as error:
            raise UnreachableError("the association ended") from error
        return found

    def retrieve(self, study: str, series: str, uid: str) -> bytes:
        """As `servers.Server`."""
        query = _query("IMAGE", {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": uid})
        association = self._to_retrieve(_GET if self.listener is None else _MOVE)
        self.inbox.await_object(uid)
        try:
            if self.listener is None:
                answers = association.send_c_get(query, _GET)
            else:
                answers = association.send_c_move(query, self.title, _MOVE)
            codes = [self._code(status) for status, _ in answers]
        except RuntimeError as error:
            raise UnreachableError("the association ended") from error
        final = codes[-1] if codes else 0
        content = self.inbox.take(_LATE_S if final == 0 and self.listener is not None else 0.0)
        if content is None:
            known = f"; it must know {self.title} with our host and --move_port" if self.listener is not None else ""
            raise DeclinedError(f"the server did not send it (status 0x{final:04X}){known}")
        return content

    def close(self) -> None:
        """As `servers.Server`."""
        self._leave()
        if self.listener is not None:
            self.listener.shutdown()

    def _leave(self) -> None:
        if self.association is not None and self.association.is_established:
            self.association.release()
        self.association = None

    def _code(self, status: Dataset) -> int:
        """The status of an answer.

        Raises:
            UnreachableError: where there was none, or the server cannot now.
        """
        code = status.get("Status")
        if code is None:
            self.association = None  # it has ended, or is about to: it may still say that it has not
            raise UnreachableError("no answer")
        if int(code) in _OUT_OF_RESOURCES:
            raise UnreachableError(f"status 0x{code:04X}")
        return int(code)

    def _to_retrieve(self, service: UID) -> Association:
        """An association for queries and what follows them, in which the server has the service.

        Raises:
            UnreachableError, DeclinedError
        """
        kinds = radiograph_kinds() if self.listener is None else []
        services = [build_context(one) for one in (_FIND, _GET if self.listener is None else _MOVE)]
        association = self._associated([*services, *(build_context(kind, one) for kind in kinds for one in SYNTAXES)], kinds)
        if service not in {context.abstract_syntax for context in association.accepted_contexts}:
            other = "; give --move_port, for C-MOVE" if service == _GET else ""
            raise DeclinedError(f"{self.called} offers no {service.name.rpartition(' - ')[2]}{other}")
        return association

    def _associated(self, contexts: list[PresentationContext], taken: Sequence[str] = ()) -> Association:
        """The association that is open, or a new one where it offers other things.

        Args:
            contexts: that are offered.
            taken: the kinds of objects of which we are the one to take them.

        Raises:
            UnreachableError
        """
        kinds = frozenset(str(context.abstract_syntax) for context in contexts)
        if self.association is not None and self.association.is_established and kinds == self.kinds:
            return self.association
        self._leave()
        try:
            self.association = self.entity.associate(
                self.host, self.port, contexts, self.called, ext_neg=[build_role(kind, scp_role=True) for kind in taken],
                evt_handlers=[(evt.EVT_C_STORE, self.inbox.receive)],
                tls_args=(self.context, self.host) if self.context else None,
            )  # fmt: skip
        except OSError as error:  # the host has no address
            raise UnreachableError(f"{self.host}: {error.strerror or type(error).__name__}") from error
        self.kinds = kinds
        if not self.association.is_established:
            raise UnreachableError(f"no association with {self.called}: {self._why_none()}")
        return self.association

    def _why_none(self) -> str:
        """Why there was no association, as well as it can be told."""
        if self.association is not None and self.association.is_rejected:
            answer = self.association.acceptor.primitive
            return str(getattr(answer, "reason_str", "rejected")).lower()
        try:
            with socket.create_connection((self.host, self.port), _SECONDS) as plain:
                if self.context is not None:
                    self.context.wrap_socket(plain, server_hostname=self.host).close()
        except OSError as error:
            return getattr(error, "verify_message", "") or error.strerror or type(error).__name__
        return f"no DICOM there, or it wants {'another certificate of ours' if self.context else 'TLS'}"

    def _listen(self, port: int, credentials: Credentials) -> Any:
        context = credentials.server_context("--move_port") if credentials.secure else None
        listening = AE(ae_title=self.title)
        listening.require_called_aet = True
        for kind in radiograph_kinds():
            listening.add_supported_context(kind, list(SYNTAXES))
        try:
            return listening.start_server(
                ("", port), block=False, ssl_context=context, evt_handlers=[(evt.EVT_C_STORE, self.inbox.receive)]
            )
        except OSError as error:
            raise ValueError(
                f"--move_port {port}: cannot be opened ({error.strerror or error}); expected a free one. Nothing was asked."
            ) from error


class _Inbox:
    """Where the one object arrives that was asked for; all others are turned away."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._awaited, self._content = "", None

    def await_object(self, uid: str) -> None:
        """Take this one from now on."""
        with self._lock:
            self._awaited, self._content = uid, None

    def receive(self, event: Any) -> int:
        """Handle C-STORE; return its status."""
        with self._lock:
            if str(event.request.AffectedSOPInstanceUID) != self._awaited:
                return _NOT_ASKED_FOR
            self._content = event.encoded_dataset()
            self._lock.notify_all()
        return 0

    def take(self, seconds: float) -> bytes | None:
        """The object as a file has it, as soon as it is there; None where it does not come in this time."""
        with self._lock:
            self._lock.wait_for(lambda: self._content is not None, seconds)
            content, self._awaited, self._content = self._content, "", None
        return content


def radiograph_kinds() -> list[str]:
    """SOP classes of what the reader takes for a radiograph."""
    return list(load_vocabulary()["sop_classes"])


def _query(level: str, keys: Mapping[str, str]) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    for name, value in keys.items():
        setattr(query, name, value)
    return query
