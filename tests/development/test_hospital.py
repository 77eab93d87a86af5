"""A hospital of its own: which patients teach, which validate, and how what they bring is told."""

import csv
from pathlib import Path

from PIL import Image
from scripts.development.hospital import draw, first_patients, table, write_folder

ROWS = [{"image": f"images/{index}.dcm", "patient_id": f"P{index // 2}", "left_neck_bmd": "0.7"} for index in range(24)]
BMD = {"pearson_r": 0.8, "rmse": 0.09, "bias": -0.02}
FOUND = {("as shipped", 0): {"total": BMD, "neck": BMD}, ("calibrated", 50): {"total": {**BMD, "rmse": 0.07}, "neck": BMD}}
FOUND |= {("fine-tuned", 50): {"total": {**BMD, "rmse": 0.06}, "neck": BMD}}


def test_of_five_patients_four_teach_with_all_their_radiographs_and_none_does_both() -> None:
    chosen = first_patients(ROWS, 10)
    assert len(chosen) == 20 and {row["patient_id"] for row in chosen} == {f"P{index}" for index in range(10)}
    assert {row["patient_id"] for row in chosen if row["split"] == "validation"} == {"P4", "P9"}
    assert all(row["left_neck_bmd"] == "0.7" for row in chosen)


def test_a_folder_of_some_radiographs_links_to_the_files_of_all(tmp_path: Path) -> None:
    for name in ("images", "annotations"):
        (tmp_path / "all" / name).mkdir(parents=True)
    (tmp_path / "all" / "images" / "0.dcm").write_bytes(b"x")
    for count in (3, 1):  # what was broken off is made anew
        write_folder(tmp_path / "some", tmp_path / "all", first_patients(ROWS, count))
    with (tmp_path / "some" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["images/0.dcm", "images/1.dcm"]
    assert (tmp_path / "some" / rows[0]["image"]).read_bytes() == b"x" and (tmp_path / "some" / "annotations").is_dir()


def test_what_patients_bring_is_told_and_drawn(tmp_path: Path) -> None:
    lines = list(table(FOUND))
    assert len({line.count("|") for line in lines}) == 1
    assert "| 50 | fine-tuned | 0.800 | 0.060 | -0.020 | 0.800 | 0.090 | -0.020 |" in lines
    draw(FOUND, tmp_path / "hospital.png")
    assert Image.open(tmp_path / "hospital.png").size == (1080, 432)
