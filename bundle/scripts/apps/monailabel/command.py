"""`monailabel start_server --app bundle/scripts/apps/monailabel --studies FOLDER`, as the users of MONAI Label start an app.

`make label` puts this in the place of MONAI Label's own command, which it runs; with the app of this folder the server gives
the answers of `scripts.apps.monailabel.server`, and only this machine can reach it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scripts.apps.monailabel.settings import refuse_unknown

APP: Final = Path(__file__).parent
CONF: Final = ("search",)
"""What `--conf` may set, see `scripts.apps.monailabel.app.OsteoXR`."""

_LOCAL: Final = ("127.0.0.1", "localhost")


def main(words: Sequence[str] | None = None) -> None:
    """Run MONAI Label's command.

    Args:
        words: of the command line, the program's own if None.

    Raises:
        SystemExit: with one sentence, where the app of this folder is to be served with an argument that is wrong.
    """
    words = list(sys.argv[1:] if words is None else words)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for short, option in (("-a", "--app"), ("-s", "--studies"), ("-i", "--host")):
        parser.add_argument(short, option)
    parser.add_argument("-c", "--conf", nargs=2, action="append", default=[])
    given, _ = parser.parse_known_args(words)
    if words[:1] == ["start_server"] and given.app and Path(given.app).resolve() == APP.resolve():
        check_studies(given.studies)
        _check_host(given.host)
        _check_conf(dict(given.conf))
        words += served_from(APP)
    run(words)


def run(words: Sequence[str]) -> None:
    """Run MONAI Label's command, without checks."""
    from monailabel.main import Main  # reads the environment when imported

    sys.argv = ["monailabel", *words]
    Main().run()


def served_from(work_dir: Path) -> list[str]:
    """Set up the environment for the server and the processes that it starts.

    Args:
        work_dir: the app's folder, for fine-tuned weights, copies and logs.

    Returns:
        the further words of the command.
    """
    os.environ |= {
        "MONAI_LABEL_SESSION_PATH": str(work_dir / "sessions"),
        "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",
        "MONAI_LABEL_TRACKING_ENABLED": "false",
    }
    return ["--host", "127.0.0.1", "--uvicorn_app", "scripts.apps.monailabel.server:app"]


def check_studies(studies: str | None) -> None:
    """Require an address, or a folder that can be written.

    Raises:
        SystemExit: in one sentence.
    """
    if not studies:
        sys.exit("--studies is missing: name a folder of radiographs, or the address of a DICOMweb service.")
    if not studies.startswith(("http://", "https://")):
        check_folder("--studies", Path(studies))


def check_folder(option: str, folder: Path) -> None:
    """Require a folder that can be written.

    Raises:
        SystemExit: in one sentence.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        sys.exit(f"{option} {folder}: labels and settings are written there, but it cannot be written ({error.strerror}). "
                 "The server was not started.")  # fmt: skip


def check_search(option: str, search: str) -> None:
    """Require attributes as JSON.

    Raises:
        SystemExit: in one sentence.
    """
    try:
        good = isinstance(json.loads(search), dict)
    except ValueError:
        good = False
    if not good:
        sys.exit(
            f'{option} {search}: expected attributes as JSON, such as {{"StudyDate": "20260101-"}}. The server was not started.'
        )


def _check_host(host: str | None) -> None:
    if host not in (None, *_LOCAL):
        sys.exit(
            f"--host {host}: the server asks for no password, so only this machine may reach it: leave the option out. "
            "The server was not started."
        )


def _check_conf(conf: dict[str, str]) -> None:
    try:
        refuse_unknown(conf, CONF, "--conf", "The server was not started.")
    except ValueError as error:
        sys.exit(str(error))
    if "search" in conf:
        check_search("--conf search", conf["search"])
