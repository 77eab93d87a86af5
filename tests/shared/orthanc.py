"""A real PACS on this machine: an empty Orthanc, by C-STORE, DICOMweb and its own REST."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from absent import absent
from certificates import Certificates

_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_SECONDS = 60


@dataclass(frozen=True)
class Orthanc:
    """rest: address of its own service; dicomweb: of the standard's; port, title: of DICOM; mover: where OSTEOXR takes C-MOVE."""

    rest: str
    dicomweb: str
    port: int
    mover: int
    title: str = "ORTHANC"

    @property
    def entity(self) -> str:
        """Its address for DICOM's own services."""
        return f"{self.title}@127.0.0.1:{self.port}"

    def store(self, content: bytes) -> None:
        """Put an object there."""
        urllib.request.urlopen(urllib.request.Request(f"{self.rest}/instances", content, method="POST"), timeout=60).close()

    def clear(self) -> None:
        """Take away all that is there."""
        with urllib.request.urlopen(f"{self.rest}/patients", timeout=60) as answer:
            for patient in json.load(answer):
                urllib.request.urlopen(urllib.request.Request(f"{self.rest}/patients/{patient}", method="DELETE")).close()

    def held(self) -> list[str]:
        """The SOP Instance UIDs of all that is there."""
        with urllib.request.urlopen(f"{self.rest}/instances?expand", timeout=60) as answer:
            return [one["MainDicomTags"]["SOPInstanceUID"] for one in json.load(answer)]


@contextmanager
def running(folder: Path, again: Orthanc | None = None, secret: Certificates | None = None) -> Iterator[Orthanc]:
    """Run one while the context lasts; its files lie in the folder. One that ran there can be started again, at its ports.

    With certificates both sides must show theirs, in DICOM's own services; HTTPS is for `tls_relay`.
    """
    if not shutil.which("Orthanc") or not _DICOMWEB.exists():
        absent("Orthanc with its DICOMweb plugin is not installed; run tests/install_debian_packages.sh")
    web, dicom, mover = free_ports(3)
    if again is not None:
        web, dicom, mover = int(again.rest.rpartition(":")[2]), again.port, again.mover
    settings = {
        "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "Plugins": [str(_DICOMWEB)],
        "HttpPort": web, "HttpBindAddresses": ["127.0.0.1"], "DicomPort": dicom, "DicomServerEnabled": True,
        "DicomAet": "ORTHANC", "DicomAlwaysAllowStore": True, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, "DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowFind": True,
        "DicomModalities": {"us": {"AET": "OSTEOXR", "Host": "127.0.0.1", "Port": mover, "UseDicomTls": secret is not None}},
    }  # fmt: skip
    if secret is not None:
        settings |= {
            "DicomTlsEnabled": True, "DicomTlsCertificate": str(secret.certificate), "DicomTlsPrivateKey": str(secret.key),
            "DicomTlsTrustedCertificates": str(secret.authority),
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
        yield Orthanc(address, f"{address}/dicom-web", dicom, mover)
    finally:
        process.terminate()
        process.wait(30)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/dicom-web/studies", timeout=10).close()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True
