"""A server of pages for this machine alone, which no page elsewhere on the web can read or write through."""

from __future__ import annotations

import gzip
import json
import sys
import traceback
from abc import abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

HOST: Final = "127.0.0.1"

_LITTLE: Final = 1  # compression: the way is short


class RefusedRequestError(Exception):
    """Raised where a request is answered by a status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class LocalServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1.

    Args:
        port: 0 takes a free one.
        handler: of requests.
        option: of the command, by which the port is named.

    Raises:
        OSError: where the port is taken; its sentence names the option.
    """

    daemon_threads = True

    def __init__(self, port: int, handler: type[LocalHandler], option: str = "--port") -> None:
        try:
            super().__init__((HOST, port), handler)
        except OSError as error:
            raise OSError(
                f"{option} {port}: cannot be listened on ({error.strerror}); name another, or 0 for a free one."
            ) from error

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no fault; another one is told without what it was about."""
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):
            print(f"A request failed ({fault(error)}); the server goes on.", file=sys.stderr, flush=True)


class LocalHandler(BaseHTTPRequestHandler):
    """Answers requests; `rules` is the Content-Security-Policy of all answers."""

    server: LocalServer
    rules: str
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Answer a request of this method, as `http.server` calls it."""
        self.answer("GET")

    def do_POST(self) -> None:
        """Likewise."""
        self.answer("POST")

    @abstractmethod
    def answer(self, method: str) -> None:
        """Answer the request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who looked at what is not for a log."""

    def refuse_strangers(self) -> None:
        """Refuse whoever has another name for this machine (DNS rebinding), or comes from another page.

        Raises:
            RefusedRequestError
        """
        own = {f"{name}:{self.server.port}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in own or (origin is not None and origin.removeprefix("http://") not in own):
            self.close_connection = True
            raise RefusedRequestError(
                HTTPStatus.FORBIDDEN, f"This server answers only pages of http://{HOST}:{self.server.port}."
            )

    def tell(self, status: HTTPStatus, answer: Mapping[str, Any]) -> None:
        """Answer by an object of JSON."""
        self.send(status, "application/json", json.dumps(answer, allow_nan=False).encode())

    def send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        """Answer by a content of this media type, which no browser keeps or lends."""
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        if packed:
            content = gzip.compress(content, _LITTLE)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", self.rules)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """Of the server, as answers tell it."""
        return "OsteoXR"


def fault(error: BaseException) -> str:
    """What failed where, without the message, which may quote a patient's data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
