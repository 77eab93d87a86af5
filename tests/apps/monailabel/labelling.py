"""A real server, what a viewer asks of it, and films in each format with the mask that is true of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image
from scripts.radiograph import read_radiograph

PROJECT = Path(__file__).parents[3]
PYTHON = PROJECT / ".venv-label" / "bin" / "python"
EXAMPLES = PROJECT / "bundle" / "examples"
PATIENCE = 600.0
"""Seconds that anything may take on a machine that does other things too."""
ROOM_FOR_AN_UPLOAD = 300_000
"""Bytes on a disk, which a label that is sent fits in, but not the one that is made of it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class SmallDisk:
    """A file system for one server and the processes that it starts; nobody else sees it, and it ends with them.

    Args:
        folder: where they see it.
        megabytes: that it holds.
        content: a folder that it has a copy of from the start, by the same name.
    """

    def __init__(self, folder: Path, megabytes: int, content: Path | None = None) -> None:
        self.folder, self.megabytes, self.content = folder, megabytes, content
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)

    def mounted(self) -> list[str]:
        """What a command line begins with whose process is to have it; its temporary files lie on it too."""
        copy = f"cp -r {self.content} {self.folder} && " if self.content else ""
        script = (
            f"mount -t tmpfs -o size={self.megabytes}m tmpfs {self.folder} && {copy}mkdir {self.folder}/tmp && "
            f'TMPDIR={self.folder}/tmp exec "$@"'
        )
        return ["unshare", "--mount", "bash", "-c", script, "bash"]

    @property
    def seen(self) -> Path:
        """The folder as it is for the server."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root", *self.folder.parts[1:])

    @contextmanager
    def full(self, leaving: int = 0) -> Iterator[None]:
        """Within it, no more bytes can be written than these."""
        filler = self.seen / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                with pytest.raises(OSError, match="No space left"):
                    while True:
                        file.write(bytes(1 << 16))
                file.truncate(file.tell() - leaving)
            yield
        finally:
            filler.unlink(missing_ok=True)


class Server:
    """The server as `make label` starts it, without a way out to any network but this machine's own.

    Args:
        studies: a folder, or the address of a PACS.
        work_dir: its folder.
        disk: that it lives on.
        command: that starts it instead, without its studies and port.
    """

    def __init__(
        self, studies: str, work_dir: Path, disk: SmallDisk | None = None, command: Sequence[str | Path] | None = None
    ) -> None:
        self.work_dir, port = work_dir, free_port()
        self.url = f"http://127.0.0.1:{port}"
        nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        start = command or [PYTHON, "-m", "scripts.apps.monailabel", "--work_dir", work_dir]
        command = [*map(str, start), "--studies", studies, "--port", str(port)]
        if disk is not None:
            command = [*disk.mounted(), *command]
        self.log = (disk.folder if disk else work_dir).with_suffix(".log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=work_dir.parent, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **nowhere, "no_proxy": "127.0.0.1", "OMP_NUM_THREADS": "1", "HOME": str(work_dir.parent)},
            )  # fmt: skip
        if disk is not None:
            disk.process = self.process
        wait_for(self.answers, self.log)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/info/", timeout=60).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)

    def infer(self, model: str, image: str, ending: str = ".nii.gz") -> tuple[Path, dict[str, Any]]:
        """The mask's file and the rest of the answer, as 3D Slicer gets them."""
        answer = self.post(f"/infer/{model}", params={"image": image}, data={"params": f'{{"result_extension": "{ending}"}}'})
        assert answer.ok, answer.text
        parts = multipart(answer)
        mask = self.log.with_name(f"answer-{model}-{image}{ending}")
        mask.write_bytes(parts["image"])
        return mask, json_of(parts["params"])

    def submit(self, image: str, label: Path, params: str = "{}", tag: str = "") -> requests.Response:
        with label.open("rb") as file:
            sent = {"data": {"params": params}, "files": {"label": (label.name, file)}}
            return requests.put(f"{self.url}/datastore/label", params={"image": image, "tag": tag}, timeout=PATIENCE, **sent)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        return requests.post(f"{self.url}{path}", timeout=PATIENCE, **arguments)

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}{path}", timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()

    def training(self) -> dict[str, Any]:
        """The newest training's status."""
        status: dict[str, Any] = self.get("/train/")
        return status

    def ended_training(self) -> dict[str, Any]:
        """The same, when it has ended."""
        wait_for(lambda: self.training()["status"] not in ("SUBMITTED", "RUNNING"), self.log)
        return self.training()

    def training_process(self) -> int:
        """Its process ID."""
        children = (file.read_text().split() for file in Path(f"/proc/{self.process.pid}/task").glob("*/children"))
        (found,) = [int(child) for of_thread in children for child in of_thread if _trains(child)]
        return found


def _trains(process: str) -> bool:
    return b"monailabel.interfaces.utils.app" in Path(f"/proc/{process}/cmdline").read_bytes()


def wait_for(condition: Any, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, log.read_text()[-4000:]
        time.sleep(0.5)


def multipart(answer: requests.Response) -> dict[str, bytes]:
    """The parts of a multipart/form-data answer by name."""
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = {}
    for part in answer.content.split(b"--" + boundary)[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        parts[head.partition(b'name="')[2].partition(b'"')[0].decode()] = body.removesuffix(b"\r\n")
    return parts


def json_of(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = requests.compat.json.loads(content)
    return found


def true_mask(name: str) -> NDArray[np.uint8]:
    """Of an example, (rows, cols)."""
    return np.asarray(Image.open(EXAMPLES / "masks" / f"{name}.png"))


def write_films(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Films in each format, none square, one stored mirrored, and their true masks as stored."""
    folder.mkdir(parents=True)
    normal, low = (read_radiograph(EXAMPLES / "images" / f"{name}.dcm") for name in ("normal", "low_bone_mass"))
    Image.fromarray((normal[0].numpy() * 65535).astype(np.uint16)).save(folder / "picture.png")
    row, col = low.meta["spacing_mm"]
    nifti = nib.Nifti1Image(low[0].numpy().T, np.diag([col, row, 1, 1]))
    nifti.header["cal_max"] = 1
    nib.save(nifti, folder / "volume.nii.gz")
    mirrored = pydicom.dcmread(EXAMPLES / "images" / "hip_screw.dcm")
    mirrored.decompress()
    mirrored.set_pixel_data(
        np.ascontiguousarray(mirrored.pixel_array[:, ::-1]), mirrored.PhotometricInterpretation, mirrored.BitsStored
    )
    mirrored.PatientOrientation = ["R", "F"]
    mirrored.save_as(folder / "mirrored.dcm")
    (folder / "notes.txt").write_text("no film")
    return {
        "picture": true_mask("normal"),
        "volume": true_mask("low_bone_mass"),
        "mirrored": np.ascontiguousarray(true_mask("hip_screw")[:, ::-1]),
    }


def nifti_mask(path: Path) -> NDArray[np.uint8]:
    """(rows, cols) of a one-slice NIfTI."""
    volume: Any = nib.load(path)
    assert volume.shape[2:] == (1,)
    return np.asarray(volume.dataobj)[:, :, 0].T.astype(np.uint8)


def dice(found: NDArray[np.uint8], true: NDArray[np.uint8], value: int = 1) -> float:
    one, other = found == value, true == value
    return 2 * float((one & other).sum()) / max(int(one.sum() + other.sum()), 1)
