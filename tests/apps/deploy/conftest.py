from __future__ import annotations

from pathlib import Path

import packaged
import pytest
from absent import absent


@pytest.fixture(scope="session", autouse=True)
def _environment() -> None:
    if not (packaged.PYTHON.parents[1] / "deploy.stamp").exists():
        absent("the environment of `make map` is absent; make .venv-deploy/deploy.stamp")


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the images are built from."""
    folder = tmp_path_factory.mktemp("package") / "map"
    rendered = packaged.render(folder)
    assert rendered.returncode == 0, rendered.stderr
    return folder
