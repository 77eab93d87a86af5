"""Starts the server: `python -m scripts.apps.monailabel --studies FOLDER`; `make label` does so."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scripts.apps.monailabel.command import check_folder, check_search, check_studies, run, served_from

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
    work_dir = given.work_dir.absolute()
    check_search("--search", given.search)
    check_studies(given.studies)
    work_dir.mkdir(parents=True, exist_ok=True)
    check_folder("--work_dir", work_dir)
    (work_dir / "main.py").write_text(_APP, encoding="utf-8")
    words = ["start_server", "--app", str(work_dir), "--studies", given.studies, "--port", str(given.port)]
    words += ["--conf", "search", given.search]
    run([*words, *served_from(work_dir)])


if __name__ == "__main__":
    main()
