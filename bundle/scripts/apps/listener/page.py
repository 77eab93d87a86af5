"""The listener's page, its health for a supervisor, and its counts for a monitor; for this machine alone, naming nobody."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from scripts.apps.listener.inbox import Inbox
from scripts.apps.listener.tally import Tally
from scripts.apps.local_server import HOST, LocalHandler, LocalServer, RefusedRequestError
from scripts.results.templates import template_environment

_HERE: Final = Path(__file__).parent
_STYLE: Final = "listener.css"
_RULES: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"  # as Prometheus asks for it


class ListenerPage(LocalServer):
    """Serves what a tally and an inbox tell.

    Args:
        tally: of the listener.
        inbox: of it.
        facts: what it was started with, for the page.
        port: on 127.0.0.1; 0 takes a free one.

    Raises:
        OSError: where the port is taken.
    """

    def __init__(self, tally: Tally, inbox: Inbox, facts: dict[str, str], port: int) -> None:
        self.tally, self.inbox, self.facts = tally, inbox, facts
        self.template = template_environment(_HERE).get_template("listener.html.jinja")
        super().__init__(port, _Handler, "--page_port")

    @property
    def address(self) -> str:
        """What to open in the browser."""
        return f"http://{HOST}:{self.port}/"

    def render(self) -> str:
        """The page."""
        tally, gauges = self.tally, self.tally.gauges
        return self.template.render(
            troubles=tally.troubles(),
            facts=self.facts,
            since=tally.since,
            in_hand=tally.in_hand,
            lately=list(tally.lately),
            refusals=tally.refusals(),
            counted={name: int(tally.counted(name)) for name in ("objects_received", "studies_screened", "files_sent")},
            waiting=self.inbox.waiting,
            full=self.inbox.waiting >= self.inbox.max_waiting,
            max_waiting=self.inbox.max_waiting,
            free_gb=gauges["disk_free_bytes"]() / 1e9,
            unsent=int(gauges["files_unsent"]()),
        )


class _Handler(LocalHandler):
    server: ListenerPage
    rules = _RULES

    def answer(self, method: str) -> None:
        try:
            self.refuse_strangers()
            if method != "GET":
                self.close_connection = True  # what was sent is not read
                raise RefusedRequestError(HTTPStatus.METHOD_NOT_ALLOWED, "This page only tells; it takes nothing.")
            self._get(urlsplit(self.path).path)
        except RefusedRequestError as error:
            self.tell(error.status, {"detail": error.sentence})

    def _get(self, path: str) -> None:
        server = self.server
        match path:
            case "/":
                self.send(HTTPStatus.OK, "text/html; charset=utf-8", server.render().encode())
            case "/listener.css":
                self.send(HTTPStatus.OK, "text/css; charset=utf-8", (_HERE / _STYLE).read_bytes())
            case "/metrics":
                self.send(HTTPStatus.OK, _TEXT, server.tally.metrics().encode())
            case "/health":
                troubles = server.tally.troubles()
                told: dict[str, Any] = {"healthy": not troubles, "troubles": troubles, "waiting": server.inbox.waiting}
                self.tell(HTTPStatus.SERVICE_UNAVAILABLE if troubles else HTTPStatus.OK, told)
            case _:
                raise RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")
