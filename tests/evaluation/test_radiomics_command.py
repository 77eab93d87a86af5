"""The command writes the features of every hip that can be measured, and how stable each is; it goes on where it was stopped."""

import csv
import math
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import scripts
from pydicom.uid import generate_uid
from quick_start import run_module
from scripts.evaluation.radiomics.stability import Stability, format_stability, intraclass_correlation, measure_stability
from scripts.measurement.radiomics.hip import HIP_NAMES

EXAMPLES = Path(scripts.__file__).parents[1] / "examples" / "images"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two examples, each twice, one hip with an implant among them, the second a little brighter; and a file that is none."""
    folder = tmp_path_factory.mktemp("radiomics") / "in"
    folder.mkdir()
    rows = ["image,patient_id,repeat"]
    for name in ("osteoporosis", "hip_screw"):
        for repeat in (1, 2):
            film = pydicom.dcmread(EXAMPLES / f"{name}.dcm")
            film.decompress()
            if repeat == 2:
                film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[name])
                film.PixelData = np.minimum(film.pixel_array + 3, 255).astype(film.pixel_array.dtype).tobytes()
            film.save_as(folder / f"{name}{repeat}.dcm")
            rows.append(f"{name}{repeat}.dcm,{name},{repeat}")
    shutil.copy(Path(__file__), folder / "none.dcm")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_every_hip_has_its_features_or_the_code_of_its_refusal(folder):
    out = folder.parent / "out"
    ended = run_module("scripts.apps.command", "radiomics", str(folder), str(out), cwd=folder.parent)
    assert ended.returncode == 0, ended.stderr
    assert "6 hips of 5 radiographs, 990 features each" in ended.stdout
    with (out / "radiomics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    codes = {(Path(row["file"]).stem, row["side"]): row["code"] for row in rows}
    assert codes["hip_screw1", "left"] == "IMPLANT" and codes["none", "right"] == "UNREADABLE"
    measured = [row for row in rows if not row["code"]]
    assert len(measured) == 6 and list(rows[0])[5:] == list(HIP_NAMES)
    assert all(row[name] for row in measured for name in HIP_NAMES)
    assert not any(row[name] for row in rows if row["code"] for name in HIP_NAMES)
    area = float(measured[0]["proximal_femur.shape.area"])
    assert 3000 < area < 9000  # mm²
    assert float(measured[0]["neck_box.original.first_order.mean"]) > 0, "bone is brighter than the soft tissue beside it"
    assert not (out / "stability.csv").exists() and "Fewer than 10 hips have repeated radiographs" in ended.stdout
    before = (out / "radiomics.csv").read_bytes()
    again = run_module("scripts.apps.command", "radiomics", str(folder), str(out), cwd=folder.parent)
    assert again.returncode == 0 and (out / "radiomics.csv").read_bytes() == before
    assert "5/5" in again.stderr and "0/5" not in again.stderr


def test_a_folder_without_a_hip_ends_with_a_sentence(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(b"DICM")
    ended = run_module("scripts.apps.command", "radiomics", "in", "out", cwd=tmp_path)
    assert ended.returncode == 1
    assert "No hip of the 1 radiographs was measured, so there are no radiomics" in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "out" / "radiomics.csv").exists()


def test_the_share_of_variance_between_hips_is_recovered():
    random = np.random.default_rng(0)
    hips = np.repeat(np.arange(400), 3)
    values = random.normal(0, 3, 400)[hips] + random.normal(0, 1, 1200)
    values[::17] = math.nan
    assert intraclass_correlation(values, hips.tolist()) == pytest.approx(0.9, abs=0.02)
    assert intraclass_correlation(random.normal(size=1200), hips.tolist()) == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize(
    "values", [[1.0, 1.0, 1.0, 1.0], [0.1, 0.1, 0.1, 0.1], [1.0, 2.0, math.nan, math.nan], [1.0, math.nan, 2.0, math.nan]]
)
def test_where_nothing_is_known_of_it_there_is_none(values):
    assert math.isnan(intraclass_correlation(np.array(values), ["a", "a", "b", "b"]))


def test_hips_that_are_there_once_do_not_count():
    def features(value):
        return dict.fromkeys(HIP_NAMES, value) | {HIP_NAMES[0]: None}

    repeated = [(hip, features(hip + image / 10)) for hip in range(10) for image in range(2)] + [("once", features(100.0))]
    found = measure_stability(repeated)
    assert len(found) == 990 and math.isnan(found[0].icc) and found[0].grade == ""
    assert (found[1].hips, found[1].images, found[1].grade) == (10, 20, "excellent")
    page = format_stability(found, "Research use only")
    assert "10 hips, 20 images of them" in page and "| proximal_femur | - | shape | 13 | 1.00 | 13 | 0 | 0 | 0 |" in page
    assert measure_stability(repeated[2:]) == []


def test_a_feature_says_where_it_is_from():
    found = Stability("neck_box.wavelet_hl.run_length.run_entropy", 0.6, 3, 6)
    assert found.row() == {
        "region": "neck_box", "image": "wavelet_hl", "family": "run_length", "feature": "run_entropy", "icc": "0.6000",
        "grade": "moderate", "hips": 3, "images": 6,
    }  # fmt: skip
    assert Stability("neck_box.shape.area", 0.2, 3, 6).place == ("neck_box", "", "shape", "area")
