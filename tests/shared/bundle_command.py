"""MONAI's bundle commands, as a user runs them."""

import os
from pathlib import Path

from quick_start import run_module


def bundle(cwd: Path, *arguments: str) -> str:
    """Run one of MONAI's bundle commands in a folder that is not the bundle's."""
    result = run_module("monai.bundle", *arguments, cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr
