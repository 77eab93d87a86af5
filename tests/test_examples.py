"""The main job on the shipped examples with the shipped weights: what `make demo` runs, against expected values."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scripts
from absent import absent
from PIL import Image
from quick_start import run_module
from scripts.results.document import check_document
from scripts.results.record import make_screened_record, make_study_record
from scripts.screening import load_screen

BUNDLE = Path(scripts.__file__).parents[1]
EXAMPLES = BUNDLE / "examples"

EXPECTED: dict[tuple[str, str], tuple[float, float]] = {
    ("hip_replacement", "right"): (0.613, 0.703),
    ("hip_screw", "right"): (0.701, 0.816),
    ("low_bone_mass", "right"): (0.562, 0.641),
    ("low_bone_mass", "left"): (0.556, 0.634),
    ("normal", "right"): (0.897, 1.066),
    ("normal", "left"): (0.894, 1.065),
    ("osteoporosis", "right"): (0.523, 0.597),
    ("osteoporosis", "left"): (0.507, 0.580),
    ("trochanteric_fracture", "right"): (0.919, 1.094),
}
"""Neck and total-hip BMD in g/cm² that the shipped weights give, by example and side; a hip that is not here is refused."""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    ended = run_module("scripts.apps.command", "screen", str(EXAMPLES), "out", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return folder / "out"


def truth() -> list[dict[str, str]]:
    with (EXAMPLES / "manifest.csv").open() as stream:
        return list(csv.DictReader(stream))


def results(output: Path) -> list[dict[str, str]]:
    with (output / "results.csv").open() as stream:
        return list(csv.DictReader(stream))


def names(output: Path) -> dict[str, str]:
    """The pseudonym of each example, by the stem of its file."""
    records = json.loads((output / "results.json").read_text())["radiographs"]
    return {Path(record["file"]).stem: record["name"] for record in records}


def test_the_numbers_are_the_expected_ones(output):
    measured = {
        (Path(row["file"]).stem, row["side"]): (float(row["neck_bmd_g_cm2"]), float(row["total_bmd_g_cm2"]))
        for row in results(output)
        if row["status"] == "measured"
    }
    assert measured.keys() == EXPECTED.keys()
    for hip, bmd in EXPECTED.items():
        assert measured[hip] == pytest.approx(bmd, abs=0.01), hip


def test_most_intervals_hold_the_truth_of_the_phantom(output):
    known = {row["landmarks"].split("/")[-1].removesuffix(".json"): row for row in truth()}
    inside = [
        float(row["total_bmd_low_g_cm2"])
        <= float(known[Path(row["file"]).stem][f"{row['side']}_total_bmd"])
        <= float(row["total_bmd_high_g_cm2"])
        for row in results(output)
        if row["status"] == "measured"
    ]
    assert np.mean(inside) >= 0.6


@pytest.mark.parametrize("film", ["hip_replacement", "hip_screw"])
def test_an_implanted_hip_is_refused_and_the_other_measured(output, film):
    by_hip = {(Path(row["file"]).stem, row["side"]): row for row in results(output)}
    assert by_hip[film, "left"]["code"] == "IMPLANT"
    assert by_hip[film, "right"]["status"] == "measured"
    with (output / "rejected.csv").open() as stream:
        (sentence,) = (row["reason"] for row in csv.DictReader(stream) if Path(row["file"]).stem == film)
    assert "Metal covers" in sentence


def test_a_broken_hip_is_refused_for_that_and_the_other_measured(output):
    by_hip = {row["side"]: row for row in results(output) if Path(row["file"]).stem == "trochanteric_fracture"}
    assert by_hip["left"]["code"] == "FRACTURE" and by_hip["left"]["neck_t_score"] == ""
    assert by_hip["right"]["status"] == "measured"


@pytest.mark.parametrize("row", truth(), ids=lambda row: Path(row["image"]).stem)
def test_the_contours_lie_on_the_bones(output, row):
    name = names(output)[Path(row["image"]).stem]
    found = np.asarray(Image.open(output / "masks" / f"{name}.png")) == 1
    true = np.asarray(Image.open(EXAMPLES / row["label"])) == 1
    assert found.shape == true.shape
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) >= 0.93


def test_the_screen_alone_finds_what_the_main_job_wrote(output):
    findings = load_screen().files([EXAMPLES / "images" / "osteoporosis.dcm"])
    document, name = json.loads((output / "results.json").read_text()), names(output)["osteoporosis"]
    written = next(record for record in document["radiographs"] if record["name"] == name)
    item = {key: written[key] for key in ("name", "study", "patient")}
    (found,) = findings.radiographs
    assert plain(make_screened_record(item, written["file"], found.seen, written["outputs"])) == written
    np.testing.assert_array_equal(found.seen.mask, np.asarray(Image.open(output / "masks" / f"{name}.png")))
    study = next(study for study in document["studies"] if name in study["films"])
    assert plain(make_study_record([{**item, "date": study["date"]}], findings.study, study["outputs"])) == study


def plain(record: dict) -> dict:
    """As it is read again from a file."""
    return json.loads(json.dumps(record))


def test_the_results_say_what_made_them(output):
    document = json.loads((output / "results.json").read_text())
    check_document(document, json.loads((output / "results.schema.json").read_text()))
    trainings = document["provenance"]["weights"]["provenance"]["trainings"]
    assert {"localisation", "segmentation", "view", "siamese", "bmd"} == set(trainings)
    for training in trainings.values():
        assert training["versions"] and "seed" in training and training["data_hash"] and training["config_hash"]


def test_the_picture_in_the_readme_shows_these_numbers(output):
    shown = json.loads((BUNDLE / "docs" / "pictures.json").read_text())["demo.png"]["lowest_t_scores"]
    lowest = {Path(row["file"]).stem: row["patient_lowest_t_score"] for row in results(output)}
    assert shown and {stem: lowest[stem] for stem in shown} == shown, "run `make pictures`"


def test_the_ten_lines_of_python_in_the_readme_say_what_the_main_job_wrote(output):
    (lines,) = re.findall(r"```python\n(.*?)```", (BUNDLE.parent / "README.md").read_text(), re.DOTALL)
    assert len(lines.splitlines()) <= 11, "ten, and an empty one"
    ended = subprocess.run([sys.executable, "-c", lines], cwd=BUNDLE.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    *hips, triage = ended.stdout.splitlines()
    rows = [row for row in results(output) if Path(row["file"]).stem == "osteoporosis"]
    assert triage == rows[0]["patient_triage"] and len(hips) == 4
    for line, (row, site) in zip(hips, [(row, site) for row in rows for site in ("neck", "total")], strict=True):
        assert line.startswith(f"{row['side']} {site}: {float(row[f'{site}_bmd_g_cm2']):.3f} g/cm²")


def test_the_page_shows_the_contours_in_a_browser(output, tmp_path):
    if shutil.which("chromium") is None:
        absent("Debian's chromium is not installed")
    shot = tmp_path / "page.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    options += ["--no-first-run", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,4000", f"--screenshot={shot}"]
    subprocess.run(["chromium", *options, (output / "index.html").as_uri()], capture_output=True, check=True, timeout=120)
    page = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    colourful = (page.max(axis=2) - page.min(axis=2)) > 100
    assert colourful.mean() > 0.001  # contours, landmarks and badges: films alone are grey
