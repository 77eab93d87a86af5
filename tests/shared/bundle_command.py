"""MONAI's bundle commands, as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path


def bundle(cwd: Path, *arguments: str) -> str:
    """Run one of MONAI's bundle commands in a folder that is not the bundle's."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "monai.bundle", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr
