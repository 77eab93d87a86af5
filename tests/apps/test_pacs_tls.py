"""By TLS, both sides show certificates from an authority of the hospital's own; who has none, or another name, gets nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import orthanc
import pytest
from certificates import Certificates, make_certificates
from scripts.apps.pacs.fetch import Fetched, fetch
from scripts.apps.pacs.send import send_results
from small_films import content_of, make_film
from tls_relay import relaying

NAMES = ("CA", "CERTIFICATE", "KEY")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def pacs(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[orthanc.Orthanc]:
    with (
        orthanc.running(tmp_path_factory.mktemp("pacs"), secret=certificates) as running,
        relaying(int(running.rest.rpartition(":")[2]), certificates) as port,
    ):
        yield replace(running, dicomweb=f"https://127.0.0.1:{port}/dicom-web")


def write_results(out: Path, number: int) -> list[str]:
    films = [make_film() for _ in range(number)]
    (out / "dicom").mkdir(parents=True)
    for film in films:
        (out / "dicom" / f"{film.SOPInstanceUID}.sc.dcm").write_bytes(content_of(film))
    return [str(film.SOPInstanceUID) for film in films]


def fetch_by(kind: str, pacs: orthanc.Orthanc, folder: Path, server: str = "") -> Fetched:
    options: dict[str, Any] = {"modality": ["DX"], "body_part": None, "screened": False, "title": "OSTEOXR", "attempts": 1}
    options |= {"move_port": pacs.mover if kind == "c-move" else None}
    return fetch(str(folder), server or (pacs.dicomweb if kind == "dicomweb" else pacs.entity), "today", **options)


def set_environment(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"OSTEOXR_PACS_{name}", raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_results_go_and_radiographs_come_by_tls(
    pacs: orthanc.Orthanc, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, certificates.environment("PACS"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # as many machines have it; ours comes first
    uids = []
    for kind, server in (("stow", pacs.dicomweb), ("c-store", pacs.entity)):
        uids += write_results(tmp_path / kind, 2)
        send_results(str(tmp_path / kind), server, None, "OSTEOXR", attempts=1)
    for kind in ("dicomweb", "c-get", "c-move"):
        fetched = fetch_by(kind, pacs, tmp_path / kind)
        assert fetched.complete, fetched.told()
        assert sorted(file.stem for file in (tmp_path / kind).rglob("*.dcm")) == sorted(uids)


@pytest.mark.parametrize("kind", ["dicomweb", "c-get"])
def test_who_is_not_whom_the_certificate_names_gets_nothing(
    kind: str, pacs: orthanc.Orthanc, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = certificates.environment("PACS")
    other = make_certificates(tmp_path / "other")
    cases = {
        "of another authority": environment | {"OSTEOXR_PACS_CA": str(other.authority)},
        "of the system's": {name: value for name, value in environment.items() if not name.endswith("_CA")},
        "ours from another": other.environment("PACS") | {"OSTEOXR_PACS_CA": str(certificates.authority)},
        "none of ours": {"OSTEOXR_PACS_CA": str(certificates.authority)},
        "in the clear": {},
    }
    told = {}
    for case, values in cases.items():
        set_environment(monkeypatch, values)
        server = "" if case != "in the clear" else (pacs.dicomweb.replace("https", "http") if kind == "dicomweb" else "")
        fetched = fetch_by(kind, pacs, tmp_path / "in", server)
        assert not fetched.complete and fetched.new == 0 and not list((tmp_path / "in").rglob("*.dcm")), case
        told[case] = fetched.told()
    known = "from no authority that is known here" if kind == "dicomweb" else "certificate"
    assert known in told["of another authority"] and known in told["of the system's"]
    if kind == "c-get":
        assert "it wants another certificate of ours" in told["none of ours"] and "it wants TLS" in told["in the clear"]
    set_environment(monkeypatch, environment)
    elsewhere = pacs.dicomweb if kind == "dicomweb" else pacs.entity
    fetched = fetch_by(kind, pacs, tmp_path / "in", elsewhere.replace("127.0.0.1", "localhost"))
    assert fetched.new == 0 and ("not of its name" if kind == "dicomweb" else "Hostname mismatch") in fetched.told()


def test_files_that_cannot_be_used_are_told(
    pacs: orthanc.Orthanc, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = certificates.environment("PACS")
    other = make_certificates(tmp_path / "other")
    (tmp_path / "words.pem").write_text("words\n")
    locked = tmp_path / "locked.key"
    lock = ["openssl", "pkey", "-in", str(certificates.key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(lock, check=True)
    for values, said in (
        ({"OSTEOXR_PACS_CA": str(tmp_path / "nowhere.pem")}, "OSTEOXR_PACS_CA: there is no file"),
        ({"OSTEOXR_PACS_CA": str(tmp_path / "words.pem")}, "OSTEOXR_PACS_CA: cannot be used"),
        (good | {"OSTEOXR_PACS_KEY": str(other.key)}, "OSTEOXR_PACS_CERTIFICATE: cannot be used .*a key that fits"),
        (good | {"OSTEOXR_PACS_KEY": str(locked)}, "OSTEOXR_PACS_KEY: is locked by a password"),
        ({"OSTEOXR_PACS_KEY": str(certificates.key)}, "OSTEOXR_PACS_KEY is set, but not OSTEOXR_PACS_CERTIFICATE"),
    ):
        set_environment(monkeypatch, values)
        with pytest.raises(ValueError, match=said):
            fetch_by("c-get", pacs, tmp_path / "in")
    set_environment(monkeypatch, {"OSTEOXR_PACS_CA": str(certificates.authority)})
    with pytest.raises(ValueError, match="--move_port: by TLS one sends only to who has a certificate"):
        fetch_by("c-move", pacs, tmp_path / "in")
    assert not (tmp_path / "in").exists()
