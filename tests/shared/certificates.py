"""Certificates of an authority that nobody knows, made anew."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from absent import absent


@dataclass(frozen=True)
class Certificates:
    """PEM files: authority, and a certificate from it with its key, for one host."""

    authority: Path
    certificate: Path
    key: Path

    def environment(self, kind: str) -> dict[str, str]:
        """The variables that name them."""
        files = {"CA": self.authority, "CERTIFICATE": self.certificate, "KEY": self.key}
        return {f"OSTEOXR_{kind}_{name}": str(file) for name, file in files.items()}


def make_certificates(folder: Path, host: str = "IP:127.0.0.1") -> Certificates:
    """Write them to a folder, for "IP:..." or "DNS:..."; they hold for two days."""
    if not shutil.which("openssl"):
        absent("openssl is not installed")
    folder.mkdir(parents=True, exist_ok=True)

    def run(words: str) -> None:
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)

    run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority")
    run("req -newkey rsa:2048 -nodes -keyout own.key -out own.csr -subj /CN=own")
    (folder / "extensions").write_text(f"subjectAltName={host}\n")
    run("x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out own.pem -days 2 -extfile extensions")
    return Certificates(folder / "ca.pem", folder / "own.pem", folder / "own.key")
