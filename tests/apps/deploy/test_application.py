"""The application of MONAI Deploy, as its package starts it: the numbers of `osteoxr screen`, and a code for every ending."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import time
from pathlib import Path

import packaged
import pydicom
import pytest
from absent import absent
from quick_start import run_module

KEY = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    packaged.write_studies(folder / "studies")
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's own configuration, with a key, so that its pseudonyms are those of another run."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "key").write_text(KEY)
    own = (packaged.PROJECT / "bundle/scripts/apps/deploy/app.yaml").read_text(encoding="utf-8")
    (folder / "app.yaml").write_text(f"{own}  key_file: {folder / 'key'}\n")
    return folder / "app.yaml"


@pytest.fixture(scope="module")
def refused(films: Path) -> dict[str, str]:
    return {f"others/{name}": code for name, code in packaged.write_others(films / "others").items()}


@pytest.fixture(scope="module")
def expected(films: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the bundle's own command writes of the studies."""
    out = tmp_path_factory.mktemp("expected") / "out"
    key = str(config.with_name("key"))
    ended = run_module("scripts.apps.command", "screen", str(films / "studies"), str(out), "--key_file", key)
    assert ended.returncode == 0, ended.stderr
    return out


@pytest.fixture(scope="module")
def done(
    context: Path, films: Path, refused: dict[str, str], config: Path, expected: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The output of the application, whose folders the environment names, over the studies and what is none."""
    out = tmp_path_factory.mktemp("application") / "out"
    places = {"HOLOSCAN_INPUT_PATH": str(films), "HOLOSCAN_OUTPUT_PATH": str(out), "HOLOSCAN_CONFIG_PATH": str(config)}
    return out, packaged.run(context, **places)


def rows(table: Path) -> list[dict[str, str]]:
    with table.open() as stream:
        return list(csv.DictReader(stream))


def test_the_numbers_are_those_of_the_command_bit_for_bit(done, expected: Path) -> None:
    out, ended = done
    assert ended.returncode == 0, ended.stderr
    screened = [{**row, "file": row["file"].removeprefix("studies/")} for row in rows(out / "results.csv")]
    wanted = {(row["name"], row["side"]): row for row in rows(expected / "results.csv")}
    found = {(row["name"], row["side"]): row for row in screened if not row["file"].startswith("others/")}
    assert found == wanted and len(wanted) >= 7
    masks = {file.name: file.read_bytes() for file in (expected / "masks").iterdir()}
    assert masks and all((out / "masks" / name).read_bytes() == content for name, content in masks.items())


def test_two_series_of_one_hip_each_are_one_study(done) -> None:
    hips = [row for row in rows(done[0] / "results.csv") if Path(row["file"]).name in ("right_hip.dcm", "left_hip.dcm")]
    assert {row["side"] for row in hips if row["total_bmd_g_cm2"]} == {"left", "right"}
    assert len({row["study"] for row in hips}) == 1


def test_what_is_no_radiograph_of_a_hip_is_refused_in_the_output(done, refused: dict[str, str]) -> None:
    found = {row["file"]: row["code"] for row in rows(done[0] / "rejected.csv") if row["file"].startswith("others/")}
    assert found == refused


def test_the_dicom_objects_are_valid(done) -> None:
    if not shutil.which("dciodvfy"):
        absent("dciodvfy is not installed; run tests/install_debian_packages.sh")
    objects = sorted((done[0] / "dicom").glob("*.dcm"))
    assert {file.suffixes[-2] for file in objects} == {".seg", ".sr", ".sc"}
    for file in objects:
        said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False).stderr
        assert "Error" not in said, f"{file.name}: {said}"


def test_the_output_is_whole_and_tells_no_secret(done, films: Path) -> None:
    out, ended = done
    assert list((out / "fhir").glob("*.json")) and list((out / "patients").glob("*.html")) and (out / "index.html").is_file()
    assert not [file.name for file in out.rglob("*") if file.name == "pseudonym.key" or file.name.startswith(".")]
    header = pydicom.dcmread(films / "studies" / "normal.dcm", stop_before_pixels=True)
    log = ended.stdout + ended.stderr
    secret = (str(header.PatientName), header.PatientID, header.StudyInstanceUID, header.SeriesInstanceUID, "right_hip.dcm", KEY)
    assert not [text for text in secret if text in log]


def test_weights_that_were_exchanged_refuse_to_start(context: Path, films: Path, tmp_path: Path) -> None:
    model = tmp_path / "models" / "osteoxr" / "model.pt"
    model.parent.mkdir(parents=True)
    content = bytearray((context / "models/osteoxr/model.pt").read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    ended = packaged.run(context, "-i", films / "studies", "-o", tmp_path / "out", "-m", tmp_path / "models")
    assert ended.returncode == 1 and "the file is damaged or another one" in ended.stderr.splitlines()[-1]
    assert not list((tmp_path / "out").iterdir())


def test_an_output_that_cannot_be_written_is_told(context: Path, films: Path) -> None:
    ended = packaged.run(context, HOLOSCAN_INPUT_PATH=str(films / "studies"), HOLOSCAN_OUTPUT_PATH="/proc/out")
    assert ended.returncode == 1 and "/proc/out: the folder cannot be written" in ended.stderr


def test_a_run_that_is_stopped_says_so_and_leaves_nothing_half_written(context: Path, films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        packaged.command(context, "-i", films / "studies", "-o", out), env=packaged.environment(context),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    journal, limit = out / "journal.jsonl", time.monotonic() + 600
    while not (journal.exists() and journal.stat().st_size) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=600)[1]
    assert process.returncode == 130, said
    assert "the run was stopped" in said and "the next one begins anew" in said
    assert not [file for file in out.rglob(".*") if file.is_file()] and not (out / "results.csv").exists()
