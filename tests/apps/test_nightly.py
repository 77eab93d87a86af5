"""A night: radiographs come from a real PACS, are screened, and results go back, as the script of the docs does it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import fhir_service
import orthanc
import pydicom
import pytest
from own_command import ended
from scripts.apps.pacs import answers
from scripts.apps.pacs.send import SENT, send_results
from scripts.development.made import BUNDLE
from small_films import TODAY, content_of, make_film

NAME, ID = "DOE^JANE", "MRN-4711"
TOKENS = {"OSTEOXR_PACS_TOKEN": "pacs-s3cret", "OSTEOXR_FHIR_TOKEN": "fhir-s3cret"}
(SCRIPT,) = re.findall(r"```bash\n(#!/bin/bash\n.*?)```", (BUNDLE / "docs" / "nightly.md").read_text(encoding="utf-8"), re.DOTALL)


@dataclass(frozen=True)
class Night:
    """What a night left: the servers, the folders, and all that was said."""

    pacs: orthanc.Orthanc
    fhir: fhir_service.FhirService
    data: Path
    said: str

    @property
    def out(self) -> Path:
        return self.data / f"{date.today():%Y-%m}" / "out"

    @property
    def folder(self) -> Path:
        return self.out.with_name("in")


def run_script(folder: Path, data: Path, pacs: str, fhir: str) -> subprocess.CompletedProcess[str]:
    """The docs' script, with nothing but the command in its path that an installation has."""
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "osteoxr"
    command.write_text(f'#!/bin/bash\nexec {sys.executable} -P -m scripts.apps.command "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ, **TOKENS, "PATH": f"{command.parent}:/usr/bin:/bin", "PYTHONPATH": str(BUNDLE), "OMP_NUM_THREADS": "1",
        "PACS": pacs, "FHIR": fhir, "DATA": str(data),
    }  # fmt: skip
    return subprocess.run(["bash", "-c", SCRIPT], env=environment, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    with orthanc.running(folder) as pacs, fhir_service.serving() as fhir:
        film = pydicom.dcmread(BUNDLE / "examples" / "images" / "osteoporosis.dcm")
        film.StudyDate, film.PatientName, film.PatientID = TODAY, NAME, ID
        pacs.store(content_of(film))
        pacs.store(content_of(make_film(BodyPartExamined="CHEST")))
        ran = run_script(folder, folder / "data", pacs.dicomweb, fhir.url)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        yield Night(pacs, fhir, folder / "data", ran.stdout + ran.stderr)


def test_results_of_a_night_are_at_the_servers(night: Night) -> None:
    sent = [pydicom.dcmread(file, stop_before_pixels=True) for file in (night.out / "dicom").iterdir()]
    assert sorted(one.Modality for one in sent) == ["OT", "SEG", "SR"]
    held = Counter(night.pacs.held())
    assert len(held) == 3 + 2 and set(held.values()) == {1} and {str(one.SOPInstanceUID) for one in sent} <= set(held)
    assert len(list(night.folder.rglob("*.dcm"))) == 1, "the chest did not come"
    assert len((night.out / "rejected.csv").read_text().splitlines()) == 1, "nothing was passed over"
    kinds = Counter(one["resourceType"] for (one,) in night.fhir.resources.values())
    assert kinds["DiagnosticReport"] == 1 and kinds["Observation"] >= 3
    assert (night.folder.stat().st_mode & 0o077) == 0, "what is fetched is for its owner alone"


def test_a_night_tells_counts_but_neither_names_nor_tokens(night: Night) -> None:
    lines = [json.loads(line)["message"] for line in night.said.splitlines()]
    assert any(line.startswith("1 radiographs were fetched from http://") for line in lines)
    assert any(line.startswith("3 objects were sent to http://") for line in lines)
    assert any(line.startswith("1 bundles were sent to http://") for line in lines)
    written = "".join(file.read_text() for file in night.data.rglob("*.jsonl"))
    for secret in (*TOKENS.values(), NAME, "DOE", ID):
        assert secret not in night.said and secret not in written
    assert night.fhir.tokens[0] == "Bearer fhir-s3cret"


def test_the_next_night_leaves_what_has_our_report(night: Night, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    words = ("screen", str(tmp_path / "in"), str(tmp_path / "out"), "--study_date", "2", "--server")
    for server in (night.pacs.dicomweb, night.pacs.entity):
        assert ended(*words, server) == 0
        said = capfd.readouterr().out
        assert "0 radiographs were fetched" in said and "1 studies hold our report already, and were left." in said
        assert said.rstrip().endswith("There is nothing to screen.")
    assert not list((tmp_path / "in").rglob("*.dcm")) and not (tmp_path / "out").exists()


def test_without_the_pacs_what_is_there_is_screened_all_the_same(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(answers, "_LONGEST_WAIT", 0.0)
    (port,) = orthanc.free_ports(1)
    (tmp_path / "empty").mkdir()
    shutil.copytree(night.out, tmp_path / "out")
    for folder, said in ((night.folder, "What lay in the folder was screened, but not all had come"), (tmp_path / "empty", "")):
        words = ("screen", str(folder), str(tmp_path / "out"), "--server", f"PACS@127.0.0.1:{port}", "--dicom", "reproducible")
        assert ended(*words, "--fhir", "true", "--study_date", "today") == 1
        told = capfd.readouterr()
        assert said in told.err and "The server could not be searched (no association with PACS: Connection refused)" in told.err
        if said:
            assert "all radiographs are finished already" in told.out, "how they came changes no number"
    assert told.err.rstrip().endswith("Nothing was screened.")


def test_a_server_of_no_kind_is_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended("screen", str(tmp_path), str(tmp_path / "out"), "--server", "pacs.hospital") == 1
    assert "--server pacs.hospital: expected the address of a DICOMweb service" in capfd.readouterr().err
    assert ended("screen", str(tmp_path), str(tmp_path / "out"), "--server", "PACS@host:104", "--study_date", "soon") == 1
    assert "--study_date is 'soon'; expected today, yesterday," in capfd.readouterr().err


@pytest.fixture
def out(night: Night, tmp_path: Path) -> Path:
    """Two Bundles, of which none was sent."""
    shutil.copytree(night.out / "fhir", tmp_path / "out" / "fhir")
    (bundle,) = (tmp_path / "out" / "fhir").iterdir()
    others = re.sub("urn:uuid:(.)", lambda found: f"urn:uuid:{int(found[1], 16) ^ 8:x}", bundle.read_text())
    bundle.with_name("another.json").write_text(others)
    return tmp_path / "out"


@pytest.fixture
def fhir() -> Iterator[fhir_service.FhirService]:
    with fhir_service.serving() as service:
        yield service


def post(out: Path, fhir: fhir_service.FhirService, attempts: int = 4) -> None:
    send_results(str(out), None, fhir.url, "OSTEOXR", attempts, sleep=lambda _: None)


def test_a_fhir_server_that_is_busy_or_drops_an_answer_has_each_resource_once(
    out: Path, fhir: fhir_service.FhirService, capsys: pytest.CaptureFixture[str]
) -> None:
    fhir.troubles = ["busy", "dropped", "", "dropped", "busy", ""]
    post(out, fhir)
    assert "2 bundles were sent" in capsys.readouterr().out and not fhir.troubles
    resources = len(fhir.resources)
    assert resources == sum(len(json.loads(file.read_text())["entry"]) for file in (out / "fhir").iterdir())
    post(out, fhir)
    assert "0 bundles were sent" in capsys.readouterr().out and len(fhir.tokens) == 6
    (out / SENT).unlink()
    post(out, fhir)
    assert len(fhir.tokens) == 8 and len(fhir.resources) == resources, "the server makes none twice"


def test_what_a_fhir_server_refuses_is_told_without_names(
    out: Path, fhir: fhir_service.FhirService, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, token in TOKENS.items():
        monkeypatch.setenv(name, token)
    fhir.troubles = ["refused", ""]
    assert ended("send", str(out), "--fhir_server", fhir.url) == 1
    told = capfd.readouterr().err
    assert "json was refused: HTTP 422 (business-rule at Bundle.entry[0].resource.subject)" in told
    assert "1 bundles were sent" in told and "1 were refused. The same command sends what is left." in told
    assert set(fhir.tokens) == {"Bearer fhir-s3cret"}
    assert not [secret for secret in (*TOKENS.values(), NAME, ID) if secret in told + (out / SENT).read_text()]
    broken = next((out / "fhir").iterdir())
    broken.write_text(broken.read_text().replace('"transaction"', '"nonsense"').replace('"preliminary"', "7"))
    (out / SENT).unlink()
    fhir.troubles = []
    assert ended("send", str(out), "--fhir_server", fhir.url) == 1
    assert f"{broken.name} was refused: HTTP 400 (invalid)" in capfd.readouterr().err
    fhir.troubles = ["log in"]
    assert ended("send", str(out), "--fhir_server", fhir.url) == 1
    assert f"{broken.name} was refused: HTTP 200, but no transaction-response" in capfd.readouterr().err


def test_a_fhir_server_that_is_gone_is_told(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (port,) = orthanc.free_ports(1)
    assert ended("send", str(out), "--fhir_server", f"http://127.0.0.1:{port}/r4", "--attempts", "1") == 1
    assert "2 were not sent, since the server did not answer (ConnectionError)." in capfd.readouterr().err


def test_where_to_send_has_to_be_said(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ((), "Neither --server nor --fhir_server is given"),
        (("--fhir_server", "fhir.hospital"), "--fhir_server fhir.hospital: expected the address of a FHIR server"),
        (("--server", "PACS@host:104"), "holds no DICOM objects (osteoxr screen --dicom reproducible). Nothing was sent."),
    ):
        assert ended("send", str(out), *words) == 1
        assert said in capfd.readouterr().err
