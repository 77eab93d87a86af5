from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orthanc
import pytest
from absent import absent
from labelling import PYTHON, Server, write_films
from numpy.typing import NDArray


@pytest.fixture(scope="session", autouse=True)
def _environment() -> None:
    if not (PYTHON.parents[1] / "label.stamp").exists():
        absent("the environment of `make label` is absent; make .venv-label/label.stamp")


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, NDArray[np.uint8]]]:
    """A folder of films, of which each server gets a copy, and their true masks."""
    folder = tmp_path_factory.mktemp("films") / "studies"
    return folder, write_films(folder)


@pytest.fixture(scope="session")
def masks(studies: tuple[Path, dict[str, NDArray[np.uint8]]]) -> dict[str, NDArray[np.uint8]]:
    return studies[1]


@pytest.fixture(scope="module")
def server(studies: tuple[Path, dict[str, NDArray[np.uint8]]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("labelling")
    shutil.copytree(studies[0], folder / "studies")
    server = Server(str(folder / "studies"), folder / "work")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def may_mount(tmp_path_factory: pytest.TempPathFactory) -> bool:
    folder = tmp_path_factory.mktemp("mount")
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    return bool(shutil.which("unshare")) and subprocess.run(mount, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the DICOMweb service of an empty Orthanc."""
    with orthanc.running(tmp_path_factory.mktemp("orthanc")) as server:
        yield server.dicomweb
