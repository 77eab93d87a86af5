"""What the networks draw is entered in the manifest, marked as theirs, and nothing of the user's own is lost."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import scripts
from PIL import Image
from scripts.apps.annotate import annotate_folder
from scripts.dataset.labels import read_label, read_landmarks
from scripts.dataset.listing import list_radiographs
from scripts.dataset.studies import sort_studies
from scripts.dataset.truth import held_out_truth
from scripts.screening import Screen, load_screen

EXAMPLES = Path(scripts.__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def screen() -> Screen:
    return load_screen()


def annotate(folder: Path, screen: Screen) -> dict[str, dict[str, str]]:
    radiographs = sort_studies(list_radiographs(folder), folder, b"k" * 32)
    annotate_folder(radiographs, screen, str(folder))
    with (folder / "manifest.csv").open(newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, screen: Screen) -> Path:
    """Two films, one in a folder below with a mask of its own, and one that shows nothing."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "below").mkdir()
    shutil.copy(EXAMPLES / "images/normal.dcm", folder / "DOE.dcm")
    shutil.copy(EXAMPLES / "images/osteoporosis.dcm", folder / "below" / "film, 2.dcm")
    shutil.copy(EXAMPLES / "masks/osteoporosis.png", folder / "below" / "mask.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.uint8)).save(folder / "noise.png")
    (folder / "manifest.csv").write_text(
        'image,age_years,label,ward\n"below/film, 2.dcm",075,below/mask.png,Süd\n', encoding="utf-8"
    )
    return folder


def test_masks_and_landmarks_come_into_the_manifest_and_what_was_there_stays(
    folder: Path, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = annotate(folder, screen)
    said = capsys.readouterr().out
    assert said.startswith("2 radiographs annotated, corrections of 0 taken over from MONAI Label; on 1 no hip was found")
    assert "DOE" not in said.replace(str(folder), "")
    assert set(rows) == {"DOE.dcm", "below/film, 2.dcm"}
    mine, theirs = rows["below/film, 2.dcm"], rows["DOE.dcm"]
    assert (mine["age_years"], mine["ward"], mine["label"], mine["label_by"]) == ("075", "Süd", "below/mask.png", "")
    assert mine["landmarks_by"] == theirs["landmarks_by"] == theirs["label_by"] == "networks"
    assert not (folder / "annotations/masks/below").exists(), "a mask that nobody asked for would be read as a radiograph"
    assert (folder / "annotations/manifest_before.csv").read_text(encoding="utf-8").startswith("image,age_years,label,ward\n")
    truth = np.array(Image.open(EXAMPLES / "masks/normal.png"))
    drawn = read_label(folder / theirs["label"], truth.shape)
    assert 2 * np.sum((drawn == 1) & (truth == 1)) / (np.sum(drawn == 1) + np.sum(truth == 1)) > 0.95
    for name, row in (("normal", theirs), ("osteoporosis", mine)):
        distances = np.linalg.norm(
            read_landmarks(folder / row["landmarks"]) - read_landmarks(EXAMPLES / f"landmarks/{name}.json"), axis=-1
        )
        assert np.nanmedian(distances) < 20, name  # pixels of 0.14 mm and more


def test_the_folder_is_listed_and_evaluated_without_what_the_networks_drew(folder: Path, screen: Screen) -> None:
    annotate(folder, screen)
    items = {Path(item["image"]).name: item for item in list_radiographs(folder)}
    assert set(items) == {"DOE.dcm", "film, 2.dcm", "noise.png"}
    assert items["DOE.dcm"]["label"] and not held_out_truth(items["DOE.dcm"])["label"]
    assert held_out_truth(items["film, 2.dcm"])["label"] and not held_out_truth(items["film, 2.dcm"])["landmarks"]


def test_what_was_corrected_in_monai_label_takes_the_place_of_the_networks_own(folder: Path, screen: Screen) -> None:
    annotate(folder, screen)
    (folder / "labels/final").mkdir(parents=True)
    shutil.copy(EXAMPLES / "masks/normal.png", folder / "labels/final/DOE.png")
    rows = annotate(folder, screen)
    assert (rows["DOE.dcm"]["label"], rows["DOE.dcm"]["label_by"]) == ("labels/final/DOE.png", "")
    assert rows["DOE.dcm"]["landmarks_by"] == "networks"
    assert rows["below/film, 2.dcm"]["label"] == "below/mask.png"
    (folder / "landmarks").mkdir()
    shutil.copy(EXAMPLES / "landmarks/normal.json", folder / "landmarks/DOE.json")
    rows = annotate(folder, screen)
    assert (rows["DOE.dcm"]["landmarks"], rows["DOE.dcm"]["landmarks_by"]) == ("landmarks/DOE.json", "")
    assert held_out_truth({item["image"]: item for item in list_radiographs(folder)}[str(folder / "DOE.dcm")])["landmarks"]
    assert annotate(folder, screen) == rows
