"""The DICOM side of the listener: takes radiographs by C-STORE, and tells each sender why something is not taken."""

from __future__ import annotations

import io
import ipaddress
import logging
import re
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any, Final
from weakref import WeakSet

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when it is asked for

from scripts.apps.listener.connections import BoundedServer, Bounds
from scripts.apps.listener.inbox import Inbox, NoRoomError
from scripts.apps.listener.tally import REFUSED, Tally
from scripts.apps.pacs.credentials import Credentials
from scripts.apps.pacs.dimse import SYNTAXES, radiograph_kinds
from scripts.apps.pacs.query import is_ours, is_uid
from scripts.radiograph.elements import text
from scripts.radiograph.parsing import parse_header

_TAKEN: Final = 0x0000
_STATUS: Final = {
    "queue_full": 0xA700,
    "disk_low": 0xA700,
    "disk_failed": 0xA700,
    "stopping": 0xA700,
    "mismatch": 0xA900,
    "ours": 0xB006,
    "unreadable": 0xC000,
    "too_large": 0xC001,
}
"""Of C-STORE, DICOM PS3.4 B.2.3: A7xx out of resources (the sender may try again), A9xx the data set does not match, B006 a
warning (elements were discarded), Cxxx cannot be understood."""

_LONGEST_COMMENT: Final = 64  # of Error Comment
_PDU: Final = 1 << 17
_LARGEST_PDU: Final = 1 << 20  # a request for an association may be larger than what we asked for
_OBJECT_TAKES: Final = 10  # times as long as a sender may be silent
_CONNECTIONS: Final = 2  # for each association, so that most who are one too many are told so
_GRACE_S: Final = 2.0
_ODD: Final = re.compile(r"[^\w .-]", re.ASCII)


class _Entity(AE):
    """Counts as associations those that are established, and the one that asks; not connections on which nobody has asked yet,
    which `BoundedServer` bounds."""

    @property
    def active_associations(self) -> list[Association]:
        """Those that count."""
        asking = threading.current_thread()
        return [one for one in super().active_associations if one.is_established or one is asking]


class Receiver:
    """An application entity that takes radiographs.

    Args:
        inbox: takes them in.
        tally: counts them.
        host, port: to listen at; port 0 takes a free one.
        title: our own, by which we must be called.
        allowed: titles of senders; None allows any.
        credentials: files for TLS; without any, all goes in the clear.
        object_bytes: that an object may have.
        associations: at a time.
        silent_s: seconds that a sender may be silent; an object may take ten times as long.

    Raises:
        ValueError: where TLS lacks a certificate.
        OSError: where the port cannot be opened.
    """

    def __init__(
        self,
        inbox: Inbox,
        tally: Tally,
        host: str,
        port: int,
        title: str,
        allowed: Sequence[str] | None,
        credentials: Credentials,
        object_bytes: int,
        associations: int,
        silent_s: float,
    ) -> None:
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it quotes what it is sent
        self.inbox, self.tally, self.object_bytes, self.stopping = inbox, tally, object_bytes, False
        self.kinds = frozenset(radiograph_kinds())
        self._overfull: WeakSet[Association] = WeakSet()
        self.entity = _Entity(ae_title=title)
        self.entity.require_called_aet = True
        self.entity.require_calling_aet = list(allowed or [])
        self.entity.maximum_associations, self.entity.maximum_pdu_size = associations, _PDU
        self.entity.acse_timeout = self.entity.dimse_timeout = self.entity.network_timeout = silent_s
        self.entity.add_supported_context(Verification)
        for kind in sorted(self.kinds):
            self.entity.add_supported_context(kind, list(SYNTAXES))
        self.secure = credentials.secure
        context = credentials.server_context("--port") if self.secure else None
        try:
            made: Any = self.entity.make_server(
                (host, port),
                ssl_context=context,
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, self._begin), (evt.EVT_C_STORE, self._store), (evt.EVT_PDU_RECV, self._bound),
                    (evt.EVT_REJECTED, self._note_rejected), (evt.EVT_ESTABLISHED, self._note_kinds),
                    (evt.EVT_CONN_CLOSE, self._note_close),
                ],
                server_class=BoundedServer,
                bounds=Bounds(silent_s, _OBJECT_TAKES * silent_s, _LARGEST_PDU, 2 * object_bytes + _LARGEST_PDU),
                most=_CONNECTIONS * associations,
                turned_away=tally.refuse,
            )  # fmt: skip
        except OSError as error:
            raise OSError(
                f"--host {host} --port {port}: cannot be listened on ({error.strerror or error}); name another port, or 0 for a "
                "free one."
            ) from error
        self.server: BoundedServer = made
        tally.gauges["associations"] = lambda: len(self.entity.active_associations)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.server_address[1])

    def start(self) -> None:
        """Take what comes, from now on, in threads of its own."""
        self.server.start()

    def close(self) -> None:
        """Take nothing more. Who is sending is told so, and cut off after some seconds."""
        self.stopping = True
        self.server.stop_listening()
        deadline = time.monotonic() + _GRACE_S
        while self.entity.active_associations and time.monotonic() < deadline:
            time.sleep(_GRACE_S / 100)
        self.server.cut_off()

    def _begin(self, event: Any) -> None:
        """Let the threads of a connection end with the process, whatever their sender does."""
        event.assoc.daemon = event.assoc.dul.daemon = True

    def _store(self, event: Any) -> Dataset:
        reason = self._take(event)
        status = Dataset()
        status.Status = _STATUS.get(reason, _TAKEN)
        if reason:
            status.ErrorComment = REFUSED[reason][:_LONGEST_COMMENT]
            self.tally.refuse(reason, _sender(event.assoc))
        return status

    def _take(self, event: Any) -> str:
        """Take an object in; return why not, "" where it is on the disk."""
        content = event.encoded_dataset()
        if event.assoc in self._overfull or len(content) > self.object_bytes:
            self._overfull.discard(event.assoc)
            return "too_large"
        if self.stopping:
            return "stopping"
        try:
            header, _, _ = parse_header(io.BytesIO(content))
        except Exception:  # whatever a sender may have put there
            return "unreadable"
        request = event.request
        study, uid, kind = (text(header, name) for name in ("StudyInstanceUID", "SOPInstanceUID", "SOPClassUID"))
        if (uid, kind) != (request.AffectedSOPInstanceUID, request.AffectedSOPClassUID) or kind not in self.kinds:
            return "mismatch"
        if not is_uid(uid) or not is_uid(study):
            return "unreadable"
        if is_ours(header):  # a PACS that passes on all it gets would never come to an end
            return "ours"
        try:
            new = self.inbox.receive(study, uid, content)
        except NoRoomError as error:
            return str(error)
        except OSError:
            return "disk_failed"
        self.tally.count("objects_received" if new else "objects_repeated")
        return ""

    def _bound(self, event: Any) -> None:
        """Let go of what has come of an object that is too large; the rest is read away, so that its sender can be told."""
        message = event.assoc.dimse.message
        if message is not None and message.data_set.tell() > self.object_bytes:
            message.data_set.seek(0)
            message.data_set.truncate()
            self._overfull.add(event.assoc)

    def _note_rejected(self, event: Any) -> None:
        asked, entity = event.assoc.requestor, self.entity
        if entity.require_calling_aet and asked.ae_title not in entity.require_calling_aet:
            reason = "calling_title"
        elif asked.primitive.called_ae_title != entity.ae_title:
            reason = "called_title"
        else:
            reason = "associations"
        self.tally.refuse(reason, _sender(event.assoc))

    def _note_kinds(self, event: Any) -> None:
        if any(context.abstract_syntax not in {*self.kinds, Verification} for context in event.assoc.rejected_contexts):
            self.tally.refuse("kind", _sender(event.assoc))

    def _note_close(self, event: Any) -> None:
        if not (event.assoc.is_released or event.assoc.is_rejected or self.stopping):
            self.tally.refuse("broken", _sender(event.assoc))


def check_allowed(host: str, allowed: Collection[str] | None) -> None:
    """Check that not everybody in a network may send.

    Raises:
        ValueError: where --host is another machine's way here, and no titles are allowed.
    """
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not allowed and not local:
        raise ValueError(
            f"--host {host}: others can reach this address; name the titles of those who may send, as --allowed PACS,MODALITY1. "
            "Nothing was run."
        )


def _sender(association: Association) -> str:
    title = _ODD.sub("?", str(association.requestor.ae_title or "").strip())
    return f"{title or 'no title'} at {association.requestor.address}"
