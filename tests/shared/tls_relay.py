"""What stands before a service in a hospital: it takes connections by TLS, and hands them on in the clear."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from certificates import Certificates


@contextmanager
def relaying(port: int, certificates: Certificates) -> Iterator[int]:
    """Relay to a port of this machine, for who shows a certificate from the authority; gives the port for TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.authority))
    context.load_cert_chain(certificates.certificate, certificates.key)
    context.verify_mode = ssl.CERT_REQUIRED

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                with (
                    context.wrap_socket(self.request, server_side=True) as secret,
                    socket.create_connection(("127.0.0.1", port)) as plain,
                ):
                    back = threading.Thread(target=_pass_on, args=(plain, secret))
                    back.start()
                    _pass_on(secret, plain)
                    back.join()
            except OSError:
                return

    server = _Server(("127.0.0.1", 0), Relay)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


def _pass_on(source: Any, target: Any) -> None:
    try:
        while content := source.recv(1 << 16):
            target.sendall(content)
    except OSError:
        pass
    finally:
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
