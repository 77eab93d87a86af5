"""The server of a review: files of the page, and plain data for it; for this machine, and for who has the token, alone."""

from __future__ import annotations

import gzip
import hmac
import json
import secrets
import sys
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from scripts.apps.review.numbers import SupersededError
from scripts.apps.review.page import ReviewPage
from scripts.apps.review.session import ChangedError

HOST: Final = "127.0.0.1"
TOKEN_HEADER: Final = "X-OsteoXR-Token"
STATIC: Final = Path(__file__).resolve().with_name("static")
LARGEST: Final = 32 << 20
"""Bytes of a request; the runs of a mask of 20 megapixels take less than one million."""

_KINDS: Final = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_STYLE_OF_VIEWER: Final = (
    "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"  # that OpenSeadragon writes into the page itself
)
_RULES: Final = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_STYLE_OF_VIEWER}; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_GREY_LEVEL: Final = 1  # of compression: the way is short


class ReviewServer(ThreadingHTTPServer):
    """Serves one reader's page on this machine.

    A page elsewhere on the web can neither read nor write: each request must name this server as its host, come from its own
    page, and carry the token that only the address printed at the start tells.

    Args:
        page: what is told.
        port: on 127.0.0.1; 0 takes a free one.

    Raises:
        OSError: where the port is taken.
    """

    daemon_threads = True

    def __init__(self, page: ReviewPage, port: int) -> None:
        self.page, self.token = page, secrets.token_urlsafe(24)
        super().__init__((HOST, port), _Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """What to open in the browser. Behind # it is not sent to anybody, nor kept in a log."""
        return f"http://{HOST}:{self.port}/#{self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no fault; another one is told without what it was about."""
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):
            print(f"A request failed ({_fault(error)}); the server goes on.", file=sys.stderr, flush=True)


def _fault(error: BaseException) -> str:
    """What failed where, without the message, which may quote a patient's data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


class _RefusedRequestError(Exception):
    """Raised where a request is answered by a status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a log of who looked at what is the trail's business."""

    def _answer(self, method: Callable[[str], None]) -> None:
        try:
            self._refuse_strangers()
            method(urlsplit(self.path).path)
        except _RefusedRequestError as error:
            self._tell(error.status, {"detail": error.sentence})
        except ChangedError as error:
            self._tell(HTTPStatus.CONFLICT, {"detail": str(error), "changed": True})
        except SupersededError:
            self._tell(HTTPStatus.CONFLICT, {"detail": "The contours were changed meanwhile.", "superseded": True})
        except KeyError:
            self._tell(HTTPStatus.NOT_FOUND, {"detail": "There is no such film or study in these results."})
        except ValueError as error:
            self._tell(HTTPStatus.UNPROCESSABLE_ENTITY, {"detail": str(error)})
        except ConnectionError:
            self.close_connection = True
        except OSError as error:
            why = error.strerror or type(error).__name__
            sentence = f"The disk failed ({why}): this was not saved. Make room, and make the change again."
            self._tell(HTTPStatus.INSUFFICIENT_STORAGE, {"detail": sentence})
        except Exception as error:
            print(f"A request failed ({_fault(error)}); the server goes on.", file=sys.stderr, flush=True)
            self._tell(HTTPStatus.INTERNAL_SERVER_ERROR, {"detail": f"The server failed ({_fault(error)}); it goes on."})

    def _refuse_strangers(self) -> None:
        """Whoever has another name for this machine (DNS rebinding), or comes from another page."""
        own = {f"{name}:{self.server.port}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in own or (origin is not None and origin.removeprefix("http://") not in own):
            self.close_connection = True
            raise _RefusedRequestError(
                HTTPStatus.FORBIDDEN, f"This server answers only pages of http://{HOST}:{self.server.port}."
            )

    def _refuse_without_token(self) -> None:
        given = self.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            self.close_connection = True
            raise _RefusedRequestError(
                HTTPStatus.FORBIDDEN,
                "The address lacks the token of this review, or has that of an earlier one. Open the address that osteoxr review "
                "printed when it was started.",
            )

    def _get(self, path: str) -> None:
        if not path.startswith("/api/"):
            return self._send_file(path)
        self._refuse_without_token()
        page, words = self.server.page, path.removeprefix("/api/").split("/")
        match words:
            case ["overview"]:
                self._tell(HTTPStatus.OK, page.overview())
            case ["films", name]:
                self._tell(HTTPStatus.OK, page.film(name))
            case ["films", name, "grey"]:
                self._send(HTTPStatus.OK, "application/octet-stream", page.shelf.open(name).grey.astype("<u2").tobytes())
            case ["studies", name, "numbers"]:
                self._tell(HTTPStatus.OK, page.study_numbers(name))
            case _:
                raise _RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _post(self, path: str) -> None:
        self._refuse_without_token()
        request = self._read()
        match path.removeprefix("/api/").split("/"):
            case ["films", name]:
                page = self.server.page
                self._tell(HTTPStatus.OK, page.state(name, page.session.act(name, request)))
            case _:
                raise _RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _read(self) -> Mapping[str, Any]:
        """The object that was sent."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            raise _RefusedRequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request has {length or 'an unknown number of'} bytes, expected at most {LARGEST}. Nothing was saved.",
            )
        content = self.rfile.read(int(length))
        try:
            request = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _RefusedRequestError(HTTPStatus.BAD_REQUEST, "The request is no JSON. Nothing was saved.") from error
        if not isinstance(request, dict):
            raise _RefusedRequestError(HTTPStatus.BAD_REQUEST, "The request is no JSON object. Nothing was saved.")
        return request

    def _send_file(self, path: str) -> None:
        name = "index.html" if path == "/" else path.removeprefix("/")
        file = (STATIC / name).resolve()
        if not file.is_relative_to(STATIC) or file.suffix not in _KINDS or not file.is_file():
            raise _RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")
        self._send(HTTPStatus.OK, _KINDS[file.suffix], file.read_bytes())

    def _tell(self, status: HTTPStatus, answer: Mapping[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(answer, allow_nan=False).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        if packed:
            content = gzip.compress(content, _GREY_LEVEL)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _RULES)
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
