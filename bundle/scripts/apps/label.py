"""Starts the server of MONAI Label, in the Python environment that has it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import scripts

ENVIRONMENT = Path(scripts.__file__).parents[2] / ".venv-label"


def serve(studies: str, port: int, work_dir: str, search: str) -> None:
    """Serve until stopped, see `scripts.apps.monailabel.__main__`.

    Args:
        studies: a folder of radiographs, or the address of a DICOMweb service.
        port: on 127.0.0.1.
        work_dir: for what the server writes.
        search: attributes of the radiographs that a DICOMweb service is to offer, as JSON.

    Raises:
        ValueError: where no environment has MONAI Label.
        SystemExit: with the server's exit code, unless that is 0.
    """
    python = sys.executable if importlib.util.find_spec("monailabel") else str(ENVIRONMENT / "bin" / "python")
    if not Path(python).is_file():
        raise ValueError(
            f"MONAI Label is not installed: it has an environment of its own, {ENVIRONMENT}, which `make label STUDIES=FOLDER` "
            "makes in the folder of OsteoXR's source. The server was not started."
        )
    command = [python, "-m", "scripts.apps.monailabel", "--studies", studies, "--port", str(port), "--work_dir", work_dir]
    process = subprocess.Popen([*command, "--search", search])
    try:
        code = process.wait()
    except KeyboardInterrupt:  # which the server got too
        code = process.wait()
    if code:
        raise SystemExit(code)
