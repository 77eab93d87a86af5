"""A cohort on disk: complete, the same for a seed, resumable, valid DICOM."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import scripts
from PIL import Image
from scripts.simulation.cohort import simulate_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(str(folder), patients=3, seed=5, spacing_mm=0.6, workers=2)
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_every_row_points_at_a_film_with_its_mask_and_landmarks(cohort):
    assert len(rows(cohort)) == 3
    for row in rows(cohort):
        film = pydicom.dcmread(cohort / row["image"])
        mask = np.asarray(Image.open(cohort / row["label"]))
        landmarks = json.loads((cohort / row["landmarks"]).read_text())
        assert mask.shape == (film.Rows, film.Columns)
        assert (mask == 1).mean() > 0.01
        assert set(landmarks) == {"right", "left"}
        assert film.PatientSex == row["sex"]
        for hip in landmarks.values():
            if hip and hip["head_centre"] and hip["lesser_trochanter"]:
                assert hip["head_centre"][0] < hip["lesser_trochanter"][0]


def test_right_hip_is_on_the_left_of_the_film(cohort):
    for row in rows(cohort):
        landmarks = json.loads((cohort / row["landmarks"]).read_text())
        if landmarks["right"] and landmarks["left"]:
            heads = [landmarks[side]["head_centre"] for side in ("right", "left")]
            if all(heads):
                assert heads[0][1] < heads[1][1]


def test_a_patient_is_the_same_whatever_the_workers_and_the_order(cohort, tmp_path):
    simulate_cohort(str(tmp_path), patients=2, seed=5, spacing_mm=0.6, workers=1)
    for row in rows(tmp_path):
        assert (tmp_path / row["image"]).read_bytes() == (cohort / row["image"]).read_bytes()


def test_a_second_call_finishes_what_the_first_began(cohort, tmp_path):
    resumed = tmp_path / "resumed"
    shutil.copytree(cohort, resumed)
    untouched = (resumed / "images/P000000.dcm").stat().st_mtime_ns
    for lost in ("images/P000002.dcm", "rows/P000002.json", "manifest.csv"):
        (resumed / lost).unlink()
    simulate_cohort(str(resumed), patients=3, seed=5, spacing_mm=0.6, workers=1)
    assert (resumed / "images/P000000.dcm").stat().st_mtime_ns == untouched
    assert (resumed / "images/P000002.dcm").read_bytes() == (cohort / "images/P000002.dcm").read_bytes()
    assert (resumed / "manifest.csv").read_text() == (cohort / "manifest.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patients": 0}, "patients is 0"),
        ({"patients": "many"}, "patients is 'many'"),
        ({"patients": 1, "spacing_mm": 0.0}, "spacing_mm is 0.0"),
        ({"patients": 1, "split": "holdout"}, "split is 'holdout'"),
        ({"patients": 1, "seed": -1}, "seed is -1"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_cohort(str(tmp_path / "new"), **arguments)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_another_cohort_is_left_alone(cohort):
    with pytest.raises(ValueError, match="was made with"):
        simulate_cohort(str(cohort), patients=1, seed=6, spacing_mm=0.6)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
def test_the_strictest_validator_finds_no_error(cohort):
    for row in rows(cohort):
        report = subprocess.run(["dciodvfy", cohort / row["image"]], capture_output=True, text=True, check=False)
        assert not [line for line in report.stderr.splitlines() if line.startswith("Error")]


def run_simulate(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    config = Path(scripts.__file__).parents[1] / "configs/simulate.yaml"
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_makes_a_cohort_from_any_directory(cohort, tmp_path):
    options = ["--output_dir", "made", "--patients", "1", "--seed", "5", "--spacing_mm", "0.6", "--workers", "1"]
    ended = run_simulate(*options, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "1 simulated patients in" in ended.stdout
    assert (tmp_path / "made/images/P000000.dcm").read_bytes() == (cohort / "images/P000000.dcm").read_bytes()


def test_the_command_ends_with_one_sentence_on_bad_input(tmp_path):
    ended = run_simulate("--output_dir", "made", "--patients", "0", folder=tmp_path)
    assert ended.returncode == 1
    assert "patients is 0" in ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "made").exists()
