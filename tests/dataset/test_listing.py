"""Which files of a folder are radiographs, what they are called, and what the manifest adds."""

import math
import os
from pathlib import Path

import pytest
from scripts.dataset.listing import NoRadiographsError, list_radiographs


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_manifest(folder, *lines, encoding="utf-8"):
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding=encoding)


def names(folder):
    return [str(Path(item["image"]).relative_to(folder)) for item in list_radiographs(folder)]


def test_every_candidate_below_the_folder_sorted(tmp_path):
    touch(tmp_path, "b.dcm", "a.PNG", "deep/er/c.nii.gz", "deep/IM0001", "deep/notes.bmp")
    items = list_radiographs(tmp_path)
    assert [item["image"] for item in items] == [
        str(tmp_path / name) for name in ("a.PNG", "b.dcm", "deep/IM0001", "deep/er/c.nii.gz", "deep/notes.bmp")
    ]
    assert list_radiographs(str(tmp_path)) == items


def test_what_is_no_radiograph_is_left_alone(tmp_path):
    touch(tmp_path, "film.dcm", ".hidden.dcm", ".cache/x.dcm", "README.md", "DICOMDIR", "t.csv", "t.json", "t.pdf", "x.tar.gz")
    touch(tmp_path, "out/results.json", "out/overlays/film.png", "stopped/journal.jsonl", "stopped/masks/film.png", "my.key")
    assert names(tmp_path) == ["film.dcm"]


def test_pictures_of_a_data_card_are_left_alone_only_beside_one(tmp_path):
    touch(tmp_path, "cohort/data_card.md", "cohort/contact_sheet.png", "cohort/film.dcm", "other/contact_sheet.png")
    assert names(tmp_path) == ["cohort/film.dcm", "other/contact_sheet.png"]


def test_a_folder_of_results_can_be_named_itself(tmp_path):
    touch(tmp_path, "results.json", "film.dcm")
    assert names(tmp_path) == ["film.dcm"]


def test_links_to_folders_are_not_followed_but_reported(tmp_path):
    touch(tmp_path, "in/film.dcm", "elsewhere/other.dcm")
    (tmp_path / "in/circle").symlink_to(tmp_path / "in")
    (tmp_path / "in/away").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/nowhere.dcm").symlink_to(tmp_path / "absent.dcm")
    assert names(tmp_path / "in") == ["away", "circle", "film.dcm", "nowhere.dcm"]


def test_what_the_manifest_names_is_found_behind_a_link(tmp_path):
    touch(tmp_path, "elsewhere/a.dcm", "elsewhere/unnamed.dcm")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/images").symlink_to(tmp_path / "elsewhere")
    write_manifest(tmp_path / "in", "image", "images/a.dcm")
    assert names(tmp_path / "in") == ["images/a.dcm"]


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda path: path, FileNotFoundError, "no such folder"),
        (lambda path: path.touch(), NotADirectoryError, "is not a folder"),
        (lambda path: path.mkdir(), NoRadiographsError, "holds no radiographs"),
        (lambda path: touch(path, "notes.txt"), NoRadiographsError, "DICOM, PNG, JPEG or NIfTI"),
    ],
)
def test_nothing_to_read_is_one_clear_sentence(tmp_path, make, kind, said):
    folder = tmp_path / "films"
    make(folder)
    with pytest.raises(kind, match=said) as caught:
        list_radiographs(folder)
    assert str(folder) in str(caught.value) and "Nothing was analysed" in str(caught.value)


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    touch(tmp_path, "film.dcm", "closed/film.dcm")
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PermissionError, match="closed: this folder cannot be listed"):
        list_radiographs(tmp_path)


def test_the_manifest_adds_its_columns(tmp_path):
    touch(tmp_path, "images/a.dcm", "images/b.dcm", "images/c.dcm", "masks/a.png", "masks/old.png", "landmarks/a.json")
    write_manifest(
        tmp_path,
        "image,patient_id,study_date,split,age_years,sex,left_neck_bmd,label,landmarks,vendor",
        "images/a.dcm,P1,2020-02-29,train,63.5,F,0.71,masks/a.png,landmarks/a.json,X",
        "images\\b.dcm,P2,,test,,,,,,",
        encoding="utf-8-sig",
    )
    a, b, c = list_radiographs(tmp_path)
    assert a == {
        "image": str(tmp_path / "images/a.dcm"),
        "patient_id": "P1",
        "study_date": "2020-02-29",
        "split": "train",
        "age_years": 63.5,
        "sex": "F",
        "left_neck_bmd": 0.71,
        "label": str(tmp_path / "masks/a.png"),
        "landmarks": str(tmp_path / "landmarks/a.json"),
        "vendor": "X",
    }
    assert (b["patient_id"], b["split"], b["label"]) == ("P2", "test", "")
    assert math.isnan(b["age_years"]) and math.isnan(b["left_neck_bmd"])
    assert a.keys() == b.keys() == c.keys(), "items can be collated"
    assert (c["split"], c["sex"]) == ("", "") and math.isnan(c["age_years"])


HEADER = "image,age_years,sex,weight_kg,left_total_bmd,split,study_date,label"
BAD_CELLS = [
    ("age_years", "a.dcm,sixty,,,,,,", "'sixty', expected a number from 0 to 120"),
    ("age_years", "a.dcm,-1,,,,,,", "'-1', expected a number from 0 to 120"),
    ("age_years", "a.dcm,nan,,,,,,", "'nan', expected a number"),
    ("left_total_bmd", 'a.dcm,,,,"0,85",,,', "'0,85', expected a number from 0.1 to 3 (g/cm²; decimal point, not comma)"),
    ("left_total_bmd", "a.dcm,,,,850,,,", "'850', expected a number from 0.1 to 3"),
    ("weight_kg", "a.dcm,,,inf,,,,", "'inf', expected a number from 1 to 400"),
    ("sex", "a.dcm,,female,,,,,", "'female', expected one of F, M or nothing"),
    ("split", "a.dcm,,,,,training,,", "'training', expected one of train, validation, test, external"),
    ("study_date", "a.dcm,,,,,,31.12.2020,", "'31.12.2020', expected a date as YYYY-MM-DD"),
    ("study_date", "a.dcm,,,,,,2021-02-29,", "'2021-02-29', expected a date"),
    ("label", "a.dcm,,,,,,,nowhere.png", "'nowhere.png', expected an existing file"),
    ("image", "missing.dcm,,,,,,,", "'missing.dcm', expected an existing file inside"),
    ("image", "../outside.dcm,,,,,,,", "expected an existing file inside"),
    ("image", ",,,,,,,", "'', expected an existing file"),
    ("image", "b.dcm,,,,,,,", "has a row already"),
    ("", "a.dcm,1", "more or fewer cells"),
    ("", "a.dcm,,,,,,,,,", "more or fewer cells"),
]


@pytest.mark.parametrize(("column", "row", "said"), BAD_CELLS, ids=[row for _, row, _ in BAD_CELLS])
def test_a_bad_row_names_file_row_column_value_and_expectation(tmp_path, column, row, said):
    folder = tmp_path / "films"
    touch(folder, "a.dcm", "b.dcm", "../outside.dcm")
    write_manifest(folder, HEADER, "b.dcm,,,,,,,", row)
    with pytest.raises(ValueError) as caught:
        list_radiographs(folder)
    message = str(caught.value)
    assert said in message
    assert f"{folder / 'manifest.csv'}, row 3" in message
    assert column in message
    assert "nothing was read" in message.lower()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("image;age_years", "no column 'image'"),
        ("film,age_years", "no column 'image'"),
        ("image,age_year", "unknown column 'age_year'; expected 'age_years'?"),
        ("image,Left_Neck_BMD", "expected 'left_neck_bmd'?"),
        ("image,sex,sex", "a column twice"),
    ],
)
def test_a_bad_header_of_the_manifest(tmp_path, header, said):
    touch(tmp_path, "a.dcm")
    write_manifest(tmp_path, header)
    with pytest.raises(ValueError) as caught:
        list_radiographs(tmp_path)
    assert said in str(caught.value) and "manifest.csv, row 1" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"image,site\na.dcm,M\xfcnchen\n"])
def test_a_manifest_that_is_no_utf8_table(tmp_path, content):
    touch(tmp_path, "a.dcm")
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"manifest\.csv"):
        list_radiographs(tmp_path)
