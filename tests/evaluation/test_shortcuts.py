"""The shortcut tests find what was planted, where it was planted, and nothing else."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import scripts
from PIL import Image
from pydicom.dataset import Dataset
from quick_start import run_module
from scripts.dataset.listing import list_radiographs
from scripts.evaluation.shortcuts import (
    RadiographFeatures,
    feature_matrix,
    find_shortcuts,
    header_features,
    intensity_features,
    measure_gains,
    shortcut_table,
)

COUNT = 300


def described(*, planted: str | None) -> list[RadiographFeatures]:
    """Radiographs whose truth goes a little with age, and with one feature of the ``planted`` group."""
    random = np.random.default_rng(0)
    radiographs = []
    for index in range(COUNT):
        age = random.uniform(50, 90)
        total = 1.2 - 0.006 * age + random.normal(0, 0.1)
        noise = random.normal(0, 0.05)
        features = {
            group: {"a": total + noise if group == planted else float(random.normal()), "b": str(random.choice(["x", "y"]))}
            for group in ("intensity", "header", "size")
        }
        covariates = np.array([age, float(index % 2), math.nan, 165.0])
        radiographs.append(RadiographFeatures(str(index // 2), covariates, bool(total < 0.7), total, features))
    return radiographs


def test_only_the_planted_shortcut_adds_to_the_covariates():
    gains = {(gain.group, gain.metric): gain for gain in measure_gains(described(planted="header"), resamples=200)}
    for metric in ("AUC", "R2"):
        assert gains["header", metric].gain > 0.1
        assert gains["header", metric].ci95_low > 0.05
        for group in ("intensity", "size"):
            assert abs(gains[group, metric].gain) < 0.02
            assert gains[group, metric].ci95_low < 0.0
    assert gains["covariates", "R2"].value == pytest.approx(0.3, abs=0.15)


def test_the_table_names_what_exceeds_the_limit():
    gains = measure_gains(described(planted="size"), resamples=50)
    last = shortcut_table(gains).splitlines()[-1]
    assert "size (AUC +" in last and "size (R2 +" in last and "header" not in last
    assert shortcut_table(measure_gains(described(planted=None), resamples=50)).splitlines()[-1].endswith("none.")


def test_two_radiographs_of_a_patient_never_help_each_other():
    """A feature that names the patient, and a truth that is the patient's own: only a leak between folds could use it."""
    random = np.random.default_rng(0)
    truth = {str(patient): random.normal(0.8, 0.1) for patient in range(100)}
    radiographs = [
        RadiographFeatures(
            patient, np.array([60.0, 0.0, 70.0, 165.0]), None, bmd, {"size": {f"is_{patient}": 1.0, "is_any": 0.0}}
        )
        for _ in range(3)
        for patient, bmd in truth.items()
    ]
    (_, size) = measure_gains(radiographs, resamples=20)
    assert size.metric == "R2" and size.value < 0.02


def test_a_header_gives_its_technique_but_neither_patient_nor_identifiers():
    header = Dataset()
    header.KVP, header.Manufacturer, header.ImageType = "75", "A", ["DERIVED", "PRIMARY"]
    header.WindowCenter = [100, 200]
    header.PatientAge, header.PatientWeight, header.PatientID, header.StudyDate = "071Y", "60", "P1", "20240101"
    header.SOPInstanceUID, header.Rows, header.ImagerPixelSpacing = "1.2.3", 500, [0.1, 0.1]
    assert header_features(header) == {
        "KVP_0": 75.0,
        "Manufacturer": "A",
        "ImageType": "DERIVED\\PRIMARY",
        "WindowCenter_0": 100.0,
        "WindowCenter_1": 200.0,
    }


def test_features_become_columns():
    matrix = feature_matrix([{"n": 1.0, "t": "a", "same": 5.0}, {"t": "b", "same": 5.0}, {"n": 3.0, "t": "a", "same": 5.0}])
    np.testing.assert_array_equal(matrix.T, [[1, np.nan, 3], [0, 1, 0], [1, 0, 1], [0, 1, 0]])
    assert feature_matrix([{"id": str(index)} for index in range(30)]).shape == (30, 0)


def test_intensity_statistics_of_a_known_image():
    image = np.zeros((10, 10), np.float32)
    image[:5] = 1.0
    found = intensity_features(image)
    assert (found["mean"], found["sd"], found["entropy"]) == (0.5, 0.5, 1.0)
    assert (found["share_0"], found["share_15"], found["percentile_99"]) == (0.5, 0.5, 1.0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Sixty pictures whose brightness tells the BMD, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "patient_id", "age_years", "left_total_bmd"])
        for index in range(60):
            bmd = random.uniform(0.4, 1.2)
            grey = np.clip(random.normal(100 * bmd + 50, 20, (80, 80)), 0, 255).astype(np.uint8)
            Image.fromarray(grey).save(folder / f"{index}.png")
            writer.writerow([f"{index}.png", index, round(random.uniform(50, 90)), round(bmd, 3)])
        (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
        writer.writerow(["broken.png", "broken", 60, 0.8])
    return folder


def test_the_command_finds_that_brightness_tells_the_bmd(pictures, tmp_path):
    config = Path(scripts.__file__).parents[1] / "configs/shortcuts.yaml"
    options = ["--dataset_dir", str(pictures), "--output_dir", "out", "--resamples", "50"]
    ended = run_module("monai.bundle", "run", "--config_file", str(config), *options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "60 radiographs, 1 more refused" in ended.stdout
    assert "intensity (R2 +" in ended.stdout
    with (tmp_path / "out/shortcuts.csv").open(newline="") as file:
        rows = {(row["group"], row["metric"]): row for row in csv.DictReader(file)}
    assert float(rows["intensity", "R2"]["gain"]) > 0.8
    assert rows["header", "R2"]["gain"] == ""  # a PNG has none
    assert set(rows) == {(group, metric) for group in ("covariates", "intensity", "header", "size") for metric in ("AUC", "R2")}


def test_too_few_radiographs_are_said_so(pictures, tmp_path):
    radiographs = list_radiographs(pictures)[:8]
    with pytest.raises(ValueError, match="of 8 radiographs have a total-hip BMD"):
        find_shortcuts(radiographs, str(tmp_path))
    assert not list(tmp_path.iterdir())
