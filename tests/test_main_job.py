"""The main job as a process: killed, out of room, run again; and what it tells of the patients."""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pydicom
import pytest
import scripts
from PIL import Image
from pydicom.uid import CTImageStorage
from quick_start import run_module
from small_films import write_film

BUNDLE = Path(scripts.__file__).parents[1]
TABLES = ("results.csv", "rejected.csv")
FILMS = 46


def command(folder, out, *words):
    config = str(BUNDLE / "configs/inference.yaml")
    words = ("--config_file", config, "--dataset_dir", str(folder), "--output_dir", str(out), *words)
    return [sys.executable, "-m", "monai.bundle", "run", *words]


def run(folder, out, *words):
    return run_module(*command(folder, out, *words)[2:])


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """41 small films in studies of two, two of them in an archive, two examples that are measured, and four files that are
    none."""
    folder = tmp_path_factory.mktemp("films")
    for seed in range(FILMS - 5):
        write_film(folder / f"{seed:03}.dcm", seed)
    for name in ("normal", "osteoporosis"):
        shutil.copy(BUNDLE / f"examples/images/{name}.dcm", folder / f"040_{name}.dcm")
    with zipfile.ZipFile(folder / "films.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("020.dcm", "021.dcm"):
            archive.write(folder / name, name)
            (folder / name).unlink()
    (folder / "notes.txt").write_text("of the technician")
    write_film(folder / "ct.dcm", FILMS, SOPClassUID=CTImageStorage, Modality="CT")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (folder / "nowhere.dcm").symlink_to(folder / "absent.dcm")
    return folder


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text("0123456789abcdef" * 4)
    return path


@pytest.fixture(scope="module")
def undisturbed(films, key_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    done = run(films, out, "--key_file", str(key_file))
    assert done.returncode == 0, done.stderr
    return out


def outputs(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.suffix in (".csv", ".png")}


def without_times(out):
    return re.sub(r'"created": "[^"]*"|"took": {[^}]*}', "", (out / "results.json").read_text())


def test_a_run_killed_in_the_middle_ends_like_an_undisturbed_one(films, key_file, undisturbed, tmp_path):
    out = tmp_path / "out"
    journal = out / "journal.jsonl"
    words = ("--key_file", str(key_file))
    process = subprocess.Popen(command(films, out, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 1800
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 12) and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = journal.read_bytes().count(b"\n")
    assert 12 <= finished < FILMS // 2 and not (out / "results.csv").exists()

    done = run(films, out, *words)
    assert done.returncode == 0, done.stderr
    assert "radiographs are finished already" in done.stdout
    assert outputs(out) == outputs(undisturbed)
    assert without_times(out) == without_times(undisturbed)
    assert journal.read_bytes().count(b"\n") == (undisturbed / "journal.jsonl").read_bytes().count(b"\n"), (
        "a study was done twice"
    )

    again = run(films, out, *words)
    assert "all radiographs are finished already" in again.stdout
    assert outputs(out) == outputs(undisturbed)


def test_a_full_disk_ends_the_run_with_one_sentence(films, tmp_path):
    out, check = tmp_path / "out", ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run(check, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    out.mkdir()
    script = (
        'out="$1"; kept="$2"; shift 2; mount -t tmpfs -o size=100k tmpfs "$out" || exit 9; '
        '"$@"; code=$?; cp -a "$out" "$kept"; exit $code'
    )
    words = ["unshare", "--mount", "bash", "-c", script, "bash", str(out), str(tmp_path / "kept"), *command(films, out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert re.search(r"out: cannot be written: No space left on device\. \d+ of \d+ radiographs are finished and safe", said), (
        said
    )
    assert "run the same command again" in said and "Traceback" not in done.stderr
    kept = tmp_path / "kept"
    assert not list(kept.rglob(".*")), "half a file is left"
    for picture in kept.rglob("*.png"):
        Image.open(picture).load()
    safe = int(re.search(r"(\d+) of", said)[1])
    goes_on = run(films, kept)
    assert goes_on.returncode == 0 and f"{safe} radiographs are finished already" in goes_on.stdout


MARKERS = ("DOE", "JANE", "GEHEIM")


def readable(path):
    """A file's bytes; of a PNG without its compressed pixels, which hold any three letters by chance."""
    content = path.read_bytes()
    if path.suffix != ".png":
        return content
    kept, at = content[:8], 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        kept += b"" if kind == b"IDAT" else content[at : at + 12 + length]
        at += 12 + length
    return kept


def test_what_tells_of_patients_stays_in_the_tables(tmp_path):
    secret = {
        "PatientName": "DOE^JANE",
        "PatientID": "GEHEIM-1",
        "PatientComments": "GEHEIM",
        "StudyDescription": "GEHEIM hip",
        "SeriesDescription": "GEHEIM AP",
        "InstitutionName": "GEHEIM",
        "AccessionNumber": "GEHEIM",
    }
    folder = tmp_path / "in"
    write_film(folder / "DOE^JANE" / "GEHEIM.dcm", 1, **secret)
    shutil.copy(BUNDLE / "examples/images/osteoporosis.dcm", folder / "DOE^JANE" / "hip GEHEIM.dcm")
    hip = pydicom.dcmread(folder / "DOE^JANE" / "hip GEHEIM.dcm")
    for keyword, value in secret.items():
        setattr(hip, keyword, value)
    hip.save_as(folder / "DOE^JANE" / "hip GEHEIM.dcm")
    write_film(folder / "GEHEIM chest.dcm", 3, **{**secret, "BodyPartExamined": "CHEST"})
    broken = bytearray((folder / "DOE^JANE" / "GEHEIM.dcm").read_bytes())
    at = broken.index(b"070Y")
    broken[at : at + 4] = b"DOE^"  # no age: pydicom's warning quotes it
    (folder / "GEHEIM broken.dcm").write_bytes(bytes(broken[:-5000]))
    (folder / os.fsdecode(b"GEHEIM M\xfcller.dcm")).write_bytes(bytes(broken))
    (folder / "GEHEIM.png").write_bytes(b"\x89PNG\r\n\x1a\nGEHEIM")

    out = tmp_path / "out"
    done = run(folder, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("6 radiographs")
    uids = [str(hip.SOPInstanceUID), str(hip.StudyInstanceUID)]
    said = (done.stdout + done.stderr).replace(str(folder), "")
    assert not [word for word in (*MARKERS, *uids) if word in said]
    link_tables = {*TABLES, "results.json", "journal.jsonl"}
    for path in out.rglob("*"):
        assert not any(word in str(path.relative_to(out)) for word in MARKERS)
        if path.is_file() and path.name not in link_tables:
            content = readable(path)
            assert not [word for word in (*MARKERS, *uids) if word.encode() in content], path
    for picture in out.rglob("*.png"):
        assert not Image.open(picture).info, "pictures carry no metadata"
    files = (out / "results.csv").read_text() + (out / "rejected.csv").read_text()
    assert "DOE^JANE/hip GEHEIM.dcm" in files and r"GEHEIM M\xfcller.dcm" in files
    assert (out / "pseudonym.key").stat().st_mode & 0o777 == 0o600
    assert "DOE^JANE" not in files.replace("DOE^JANE/", ""), "a path tells, a header never"
