"""A real PACS on this machine: an empty Orthanc, by C-STORE, DICOMweb and its own REST."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from absent import absent

_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_SECONDS = 60


@dataclass(frozen=True)
class Orthanc:
    """rest: address of its own service; dicomweb: of the standard's; port, title: for C-STORE."""

    rest: str
    dicomweb: str
    port: int
    title: str = "ORTHANC"


@contextmanager
def running(folder: Path, again: Orthanc | None = None) -> Iterator[Orthanc]:
    """Run one while the context lasts; its files lie in the folder. One that ran there can be started again, at its ports."""
    if not shutil.which("Orthanc") or not _DICOMWEB.exists():
        absent("Orthanc with its DICOMweb plugin is not installed; run tests/install_debian_packages.sh")
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        web, dicom = one.getsockname()[1], other.getsockname()[1]
    if again is not None:
        web, dicom = int(again.rest.rpartition(":")[2]), again.port
    settings = {
        "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "Plugins": [str(_DICOMWEB)],
        "HttpPort": web, "HttpBindAddresses": ["127.0.0.1"], "DicomPort": dicom, "DicomServerEnabled": True,
        "DicomAet": "ORTHANC", "DicomAlwaysAllowStore": True, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = folder / "orthanc.log"
    with log.open("w") as stream:
        process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=stream, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{web}"
    try:
        deadline = time.monotonic() + _SECONDS
        while not _answers(address):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield Orthanc(address, f"{address}/dicom-web", dicom)
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/dicom-web/studies", timeout=10).close()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True
