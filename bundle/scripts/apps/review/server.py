"""The server of a review: files of the page, and plain data for it; for this machine, and for who has the token, alone."""

from __future__ import annotations

import hmac
import json
import secrets
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from scripts.apps.local_server import HOST, LocalHandler, LocalServer, RefusedRequestError, fault
from scripts.apps.review.numbers import SupersededError
from scripts.apps.review.page import ReviewPage
from scripts.apps.review.session import ChangedError

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


class ReviewServer(LocalServer):
    """Serves one reader's page on this machine.

    A page elsewhere on the web can neither read nor write: each request must name this server as its host, come from its own
    page, and carry the token that only the address printed at the start tells.

    Args:
        page: what is told.
        port: on 127.0.0.1; 0 takes a free one.

    Raises:
        OSError: where the port is taken.
    """

    def __init__(self, page: ReviewPage, port: int) -> None:
        self.page, self.token = page, secrets.token_urlsafe(24)
        super().__init__(port, _Handler)

    @property
    def address(self) -> str:
        """What to open in the browser. Behind # it is not sent to anybody, nor kept in a log."""
        return f"http://{HOST}:{self.port}/#{self.token}"


class _Handler(LocalHandler):
    server: ReviewServer
    rules = _RULES

    def answer(self, method: str) -> None:
        try:
            self.refuse_strangers()
            (self._get if method == "GET" else self._post)(urlsplit(self.path).path)
        except RefusedRequestError as error:
            self.tell(error.status, {"detail": error.sentence})
        except ChangedError as error:
            self.tell(HTTPStatus.CONFLICT, {"detail": str(error), "changed": True})
        except SupersededError:
            self.tell(HTTPStatus.CONFLICT, {"detail": "The contours were changed meanwhile.", "superseded": True})
        except KeyError:
            self.tell(HTTPStatus.NOT_FOUND, {"detail": "There is no such film or study in these results."})
        except ValueError as error:
            self.tell(HTTPStatus.UNPROCESSABLE_ENTITY, {"detail": str(error)})
        except ConnectionError:
            self.close_connection = True
        except OSError as error:
            why = error.strerror or type(error).__name__
            sentence = f"The disk failed ({why}): this was not saved. Make room, and make the change again."
            self.tell(HTTPStatus.INSUFFICIENT_STORAGE, {"detail": sentence})
        except Exception as error:
            print(f"A request failed ({fault(error)}); the server goes on.", file=sys.stderr, flush=True)
            self.tell(HTTPStatus.INTERNAL_SERVER_ERROR, {"detail": f"The server failed ({fault(error)}); it goes on."})

    def _refuse_without_token(self) -> None:
        given = self.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            self.close_connection = True
            raise RefusedRequestError(
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
                self.tell(HTTPStatus.OK, page.overview())
            case ["films", name]:
                self.tell(HTTPStatus.OK, page.film(name))
            case ["films", name, "grey"]:
                self.send(HTTPStatus.OK, "application/octet-stream", page.shelf.open(name).grey.astype("<u2").tobytes())
            case ["studies", name, "numbers"]:
                self.tell(HTTPStatus.OK, page.study_numbers(name))
            case _:
                raise RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _post(self, path: str) -> None:
        self._refuse_without_token()
        request = self._read()
        match path.removeprefix("/api/").split("/"):
            case ["films", name]:
                page = self.server.page
                self.tell(HTTPStatus.OK, page.state(name, page.session.act(name, request)))
            case _:
                raise RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _read(self) -> Mapping[str, Any]:
        """The object that was sent."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            raise RefusedRequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request has {length or 'an unknown number of'} bytes, expected at most {LARGEST}. Nothing was saved.",
            )
        content = self.rfile.read(int(length))
        try:
            request = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RefusedRequestError(HTTPStatus.BAD_REQUEST, "The request is no JSON. Nothing was saved.") from error
        if not isinstance(request, dict):
            raise RefusedRequestError(HTTPStatus.BAD_REQUEST, "The request is no JSON object. Nothing was saved.")
        return request

    def _send_file(self, path: str) -> None:
        name = "index.html" if path == "/" else path.removeprefix("/")
        file = (STATIC / name).resolve()
        if not file.is_relative_to(STATIC) or file.suffix not in _KINDS or not file.is_file():
            raise RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")
        self.send(HTTPStatus.OK, _KINDS[file.suffix], file.read_bytes())
