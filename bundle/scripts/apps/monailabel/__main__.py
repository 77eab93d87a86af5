"""Starts the server: `python -m scripts.apps.monailabel --studies FOLDER`; `make label` does so."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_APP = "from scripts.apps.monailabel.app import OsteoXR\n"
"""main.py of the folder that the server works in: MONAI Label looks there for the app, and for its class by this name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Check the arguments, and serve until stopped; nothing is downloaded, and other machines cannot connect.

    Raises:
        SystemExit: with one sentence, where an argument is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m scripts.apps.monailabel", description=__doc__)
    parser.add_argument("--studies", required=True, help="folder of radiographs, or address of a PACS's DICOMweb service")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1")
    parser.add_argument("--work_dir", type=Path, default=Path("output/label"), help="for fine-tuned weights, copies and logs")
    parser.add_argument("--search", default="{}", help='of a PACS: only what has these attributes, {"StudyDate": "20260101-"}')
    given = parser.parse_args(arguments)
    remote = given.studies.startswith(("http://", "https://"))
    work_dir = given.work_dir.absolute()
    _check_search(given.search)
    if not remote:
        _check_folder("--studies", Path(given.studies))
    work_dir.mkdir(parents=True, exist_ok=True)
    _check_folder("--work_dir", work_dir)
    (work_dir / "main.py").write_text(_APP, encoding="utf-8")
    _set_up(work_dir)

    from monailabel.main import Main  # reads the environment when imported

    studies = given.studies if remote else str(Path(given.studies).absolute())
    sys.argv = ["monailabel", "start_server", "--app", str(work_dir), "--studies", studies, "--host", "127.0.0.1"]
    sys.argv += ["--port", str(given.port), "--uvicorn_app", "scripts.apps.monailabel.server:app"]
    sys.argv += ["--conf", "search", given.search]
    Main().run()


def _set_up(work_dir: Path) -> None:
    """The server's settings, and those of the processes that it starts."""
    os.environ |= {
        "MONAI_LABEL_SESSION_PATH": str(work_dir / "sessions"),
        "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",
        "MONAI_LABEL_TRACKING_ENABLED": "false",
    }


def _check_folder(option: str, folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        sys.exit(f"{option} {folder}: labels and settings are written there, but it cannot be written ({error.strerror}). "
                 "The server was not started.")  # fmt: skip


def _check_search(search: str) -> None:
    try:
        good = isinstance(json.loads(search), dict)
    except ValueError:
        good = False
    if not good:
        sys.exit(
            f'--search {search}: expected attributes as JSON, such as {{"StudyDate": "20260101-"}}. The server was not started.'
        )


if __name__ == "__main__":
    main()
