"""The package as it is rendered, and the application in it as its image starts it: by its script, without a network or a GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import scripts
from pydicom.uid import CTImageStorage, generate_uid

PROJECT = Path(__file__).parents[3]
PYTHON = PROJECT / ".venv-deploy" / "bin" / "python"
EXAMPLES = Path(scripts.__file__).parents[1] / "examples" / "images"


def environment(context: Path, **more: str) -> dict[str, str]:
    """What the image has its script run in; the folders stand where they do here."""
    here = {
        "HOLOSCAN_APPLICATION": str(context / "app"),
        "HOLOSCAN_MODEL_PATH": str(context / "models"),
        "HOLOSCAN_CONFIG_PATH": str(context / "app.config"),
        "PYTHONPATH": str(context / "app" / "bundle"),
        "PATH": f"{PYTHON.parent}:{os.environ['PATH']}",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    return {**os.environ, **here, **more}


def command(context: Path, *words: str | Path) -> list[str]:
    """What starts the application, out of reach of any network where this machine lets a process have one of its own."""
    apart = ["unshare", "--net"]
    alone = bool(shutil.which("unshare")) and subprocess.run([*apart, "true"], capture_output=True).returncode == 0
    return [*(apart if alone else []), "sh", str(context / "entrypoint.sh"), *map(str, words)]


def run(context: Path, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(context, *words), env=environment(context, **more), capture_output=True, text=True, check=False)


def render(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "scripts.apps.deploy.package", folder], capture_output=True, text=True, check=False, cwd=folder.parent
    )


def cut(name: str, columns: slice, target: Path, **attributes: Any) -> None:
    """Write some columns of an example as a radiograph of its own, in the same study."""
    film = pydicom.dcmread(EXAMPLES / f"{name}.dcm")
    film.decompress()
    film.set_pixel_data(np.ascontiguousarray(film.pixel_array[:, columns]), film.PhotometricInterpretation, film.BitsStored)
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["film", target.name])
    film.SeriesInstanceUID = generate_uid(entropy_srcs=["series", target.name])
    for keyword, value in attributes.items():
        setattr(film, keyword, value)
    film.save_as(target)


def write_studies(folder: Path) -> None:
    """Examples: two as they are, one with a prosthesis, and the two hips of one patient as a series each."""
    folder.mkdir(parents=True)
    for name in ("normal", "osteoporosis", "hip_replacement"):
        shutil.copy(EXAMPLES / f"{name}.dcm", folder)
    middle = pydicom.dcmread(EXAMPLES / "low_bone_mass.dcm", stop_before_pixels=True).Columns // 2
    cut("low_bone_mass", slice(None, middle), folder / "right_hip.dcm")
    cut("low_bone_mass", slice(middle, None), folder / "left_hip.dcm")


def write_others(folder: Path) -> Mapping[str, str]:
    """What is refused, each by its code."""
    folder.mkdir(parents=True)
    whole = slice(None)
    cut("normal", whole, folder / "tomogram.dcm", SOPClassUID=CTImageStorage, Modality="CT", StudyInstanceUID=generate_uid())
    cut("normal", whole, folder / "fluoroscopy.dcm", Modality="XDX", StudyInstanceUID=generate_uid())
    cut("normal", slice(0, 80), folder / "no_hip.dcm", StudyInstanceUID=generate_uid())
    (folder / "damaged.dcm").write_bytes((EXAMPLES / "normal.dcm").read_bytes()[:200])
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.mkfifo(folder / "pipe.dcm")
    return {
        "tomogram.dcm": "NOT_A_RADIOGRAPH",
        "fluoroscopy.dcm": "NOT_A_RADIOGRAPH",
        "no_hip.dcm": "NOT_A_HIP",
        "damaged.dcm": "UNREADABLE",
        "picture.png": "UNREADABLE",
        "pipe.dcm": "UNREADABLE",
    }
