"""Results with stand-ins for files and network, and a reader's server over them."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_review import open_server, screen_films
from fake_screening import provenance
from real_browser import browser
from scripts.apps.review.server import ReviewServer

__all__ = ["browser", "provenance"]


@pytest.fixture(scope="session")
def screened(tmp_path_factory: pytest.TempPathFactory, provenance: dict) -> Path:
    folder = tmp_path_factory.mktemp("screened") / "run"
    screen_films(folder, provenance)
    return folder


@pytest.fixture
def run(screened: Path, tmp_path: Path) -> Path:
    """A folder with "in" and "out" of its own. The files keep their times, as they must."""
    folder = tmp_path / "run"
    shutil.copytree(screened, folder)
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[..., ReviewServer]]:
    """Serves a reader's review of a run, until the test ends; what it returns can be closed before."""
    servers = []

    def begin(folder: Path, reader: str = "r1", confirm_first: bool = True) -> ReviewServer:
        server = open_server(folder, reader, confirm_first=confirm_first)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()
        server.page.session.close()
