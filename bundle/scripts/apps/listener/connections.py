"""Connections of senders, each within bounds on its time and its bytes, and all together on their number."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from socketserver import BaseServer
from typing import Any, Final

from pynetdicom.transport import ThreadedAssociationServer

from scripts.apps.listener.tally import say
from scripts.apps.local_server import fault

_HEADER: Final = 6
"""Bytes of a PDU's header: kind, a reserved one, and how many follow (DICOM PS3.8 9.3.1)."""


@dataclass(frozen=True)
class Bounds:
    """What one connection may take.

    silent_s: seconds without a byte, and from the first byte of a PDU to its last. message_s: from the first byte after our last
    answer to the next one, so for a whole object. pdu_bytes: of one PDU. message_bytes: between two answers of ours.
    """

    silent_s: float
    message_s: float
    pdu_bytes: int
    message_bytes: int


class _Bounded(socket.socket):
    """A socket that keeps to bounds; beyond them reading raises an OSError, by which pynetdicom ends the connection.

    pynetdicom itself waits for ever for the rest of a PDU, and takes one of 4 GB into memory.
    """

    def keep_to(self, bounds: Bounds) -> None:
        """Begin to count."""
        self._bounds = bounds
        self._header, self._left, self._bytes = bytearray(), 0, 0
        self._of_pdu: float | None = None
        self._of_message: float | None = None
        self.settimeout(bounds.silent_s)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive; see the class."""
        now = time.monotonic()
        ends = [now + self._bounds.silent_s]
        ends += [self._of_pdu + self._bounds.silent_s] if self._of_pdu is not None else []
        ends += [self._of_message + self._bounds.message_s] if self._of_message is not None else []
        if min(ends) <= now:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        self.settimeout(min(ends) - now)
        content = super().recv(size, flags)
        self._follow(content)
        return content

    def send(self, content: Any, flags: int = 0) -> int:
        """Send, which begins a new message of the other side's."""
        self._bytes, self._of_message = 0, None
        self.settimeout(self._bounds.silent_s)
        return super().send(content, flags)

    def _follow(self, content: bytes) -> None:
        """Note where in which PDU the connection stands."""
        now = time.monotonic()
        self._of_message = now if self._of_message is None else self._of_message
        self._bytes += len(content)
        rest = memoryview(content)
        while rest:
            self._of_pdu = now if self._of_pdu is None else self._of_pdu
            taken = min(len(rest), self._left or _HEADER - len(self._header))
            if self._left:
                self._left -= taken
            else:
                self._header += rest[:taken]
                if len(self._header) == _HEADER:
                    self._left = int.from_bytes(self._header[2:])
                    self._header.clear()
            rest = rest[taken:]
            if not self._left and not self._header:
                self._of_pdu = None
        if self._left > self._bounds.pdu_bytes or self._bytes > self._bounds.message_bytes:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))


class _BoundedTls(_Bounded, ssl.SSLSocket):  # type: ignore[misc]  # of the same signature, but for its names
    pass


class BoundedServer(ThreadedAssociationServer):
    """Takes at most so many connections, and a slow handshake of TLS holds up nobody else.

    Args:
        bounds: of each connection.
        most: connections at a time.
        turned_away: is told why one was, by a reason of `tally.REFUSED`.
        given: see `ThreadedAssociationServer`.
    """

    daemon_threads = True

    def __init__(self, *given: Any, bounds: Bounds, most: int, turned_away: Callable[[str], None], **settings: Any) -> None:
        self.bounds, self.most, self.turned_away = bounds, most, turned_away
        self.connections: list[_Bounded] = []
        self._started = False
        super().__init__(*given, **settings)
        if self.ssl_context is not None:
            self.ssl_context.sslsocket_class = _BoundedTls

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Take a connection; what TLS begins with is left to its own thread."""
        taken, address = self.socket.accept()  # type: ignore[union-attr]  # typed as it is before it is opened
        if self.ssl_context is not None:
            bounded: Any = self.ssl_context.wrap_socket(taken, server_side=True, do_handshake_on_connect=False)
        else:
            bounded = _Bounded(fileno=taken.detach())
        bounded.keep_to(self.bounds)
        return bounded, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for a connection."""
        self.connections = [one for one in self.connections if one.fileno() >= 0]
        if len(self.connections) >= self.most:
            self.turned_away("connections")
            return False
        self.connections.append(request)
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in a thread of its own."""
        if isinstance(request, ssl.SSLSocket):
            try:
                request.do_handshake()
            except OSError:
                self.turned_away("tls")
                self.shutdown_request(request)
                return
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say that a connection failed, without what it was about."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            say(f"A connection failed ({fault(error)}); the listener goes on.", failure=True)

    def start(self) -> None:
        """Take connections, in a thread of its own, until `stop_listening`."""
        self._started = True
        threading.Thread(target=self.serve_forever, name="receiver", daemon=True).start()

    def stop_listening(self) -> None:
        """Take no more connections."""
        if self._started:
            BaseServer.shutdown(self)  # pynetdicom's own asks the list of servers that its entity has started
        self.server_close()

    def cut_off(self) -> None:
        """End the connections that there are."""
        for one in self.connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
