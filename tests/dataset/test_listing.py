"""Which files of a folder are radiographs, what they are called, and what the manifest adds."""

import math
import os
import zipfile
from pathlib import Path

import pytest
from scripts.dataset.columns import is_known
from scripts.dataset.listing import NoRadiographsError, list_passed_over, list_radiographs
from scripts.simulation import patient
from scripts.simulation.others import other_radiograph


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


def passed_over(folder):
    return {one.file: one.reason.sentence for one in list_passed_over(folder)}


OURS = '{\n  "schema_version": "2.4",\n  "notice": "Research use only",\n'


def test_what_is_no_radiograph_is_passed_over_and_named(tmp_path):
    touch(
        tmp_path, "film.dcm", ".hidden.dcm", ".cache/x.dcm", "README.md", "DICOMDIR", "t.csv", "deep/t.json", "t.csv.gz", "my.key"
    )
    touch(tmp_path, "stopped/journal.jsonl", "stopped/masks/film.png")
    (tmp_path / "out/overlays").mkdir(parents=True)
    (tmp_path / "out/results.json").write_text(OURS)
    touch(tmp_path, "out/overlays/film.png")
    assert names(tmp_path) == ["film.dcm"]
    found = passed_over(tmp_path)
    assert set(found) == {
        ".hidden.dcm", ".cache/", "README.md", "DICOMDIR", "t.csv", "deep/t.json", "t.csv.gz", "my.key", "stopped/", "out/",
    }  # fmt: skip
    assert "2 files in all" in found["out/"] and "hidden folder" in found[".cache/"] and ".md" in found["README.md"]
    assert all(sentence.endswith("It was not read.") for sentence in found.values())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.json", '{"model": "another"}'),
        ("results.json", "[1, 2, 3]"),
        ("results.json", ""),
        ("results.json", '{"schema_version": 1, "results": []}'),
        ("journal.jsonl", '{"step": 1}\n'),
        ("journal.jsonl", "notes of the technician"),
    ],
)
def test_a_film_beside_results_of_something_else_is_read(tmp_path, name, content):
    touch(tmp_path, "site/film.dcm")
    (tmp_path / "site" / name).write_text(content)
    assert names(tmp_path) == ["site/film.dcm"]
    assert set(passed_over(tmp_path)) == {f"site/{name}"}


def test_masks_that_monai_label_keeps_are_passed_over(tmp_path):
    touch(tmp_path, "film.dcm", "datastore_v2.json", "labels/final/film.nii.gz", "other/labels/film.dcm")
    assert names(tmp_path) == ["film.dcm", "other/labels/film.dcm"]
    assert set(passed_over(tmp_path)) == {"datastore_v2.json", "labels/"}


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
    assert passed_over(tmp_path / "in") == {
        "images/": "It is a link to a folder. Of what it holds, only what the manifest names was read."
    }


def test_an_archive_that_the_manifest_names_is_searched_all_the_same(tmp_path):
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        archive.writestr("a.dcm", b"x")
    write_manifest(tmp_path, "image,sex", "films.zip,F")
    assert names(tmp_path) == ["films.zip", "films.zip/a.dcm"]


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda path: path, FileNotFoundError, "no such folder"),
        (lambda path: path.touch(), NotADirectoryError, "is not a folder"),
        (lambda path: path.mkdir(), NoRadiographsError, "holds no radiographs"),
        (lambda path: touch(path, "notes.txt"), NoRadiographsError, "DICOM, PNG, JPEG, TIFF or NIfTI"),
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
    assert set(passed_over(tmp_path)) == {"masks/old.png"}, "neither the manifest nor what it names"
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
    ("age_years", "a.dcm,7_1,,,,,,", "'7_1', expected a number from 0 to 120"),
    ("age_years", "a.dcm,-1,,,,,,", "'-1', expected a number from 0 to 120"),
    ("age_years", "a.dcm,nan,,,,,,", "'nan', expected a number"),
    ("left_total_bmd", 'a.dcm,,,,"8,5",,,', "'8,5', expected a number from 0.1 to 3 (g/cm²) or nothing"),
    ("left_total_bmd", "a.dcm,,,,850,,,", "'850', expected a number from 0.1 to 3"),
    ("weight_kg", "a.dcm,,,inf,,,,", "'inf', expected a number from 1 to 400"),
    ("sex", "a.dcm,,female,,,,,", "'female', expected one of F, M or nothing"),
    ("split", "a.dcm,,,,,training,,", "'training', expected one of train, validation, test, external"),
    ("study_date", "a.dcm,,,,,,31.12.2020,", "'31.12.2020', expected a date as YYYY-MM-DD"),
    ("study_date", "a.dcm,,,,,,2021-02-29,", "'2021-02-29', expected a date"),
    ("label", "a.dcm,,,,,,,nowhere.png", "'nowhere.png', expected an existing file"),
    ("label", "a.dcm,,,,,,,./a.dcm", "names the radiograph itself; expected a file of its own"),
    ("image", "missing.dcm,,,,,,,", "'missing.dcm', expected an existing file inside"),
    ("image", "../outside.dcm,,,,,,,", "expected an existing file inside"),
    ("image", ",60,,,,,,", "'', expected an existing file"),
    ("image", "b.dcm,,,,,,,", "has a row already"),
    ("", "a.dcm,1", "has 2 cells, expected 8"),
    ("", "a.dcm,,,,,,,,,x", "'x' stands in column 10, to which the header gives no name"),
    ("", 'a.dcm,,"F,,,,,', "is no row of a CSV file (unexpected end of data)"),
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
        ("age_years,sex", "no column 'image' (found: age_years, sex)"),
        ("film,age_years", "unknown column 'film'; expected 'image'?"),
        ("Image,age_years", "unknown column 'Image'; expected 'image'?"),
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


NOT_READ = {
    "empty": (b"", "no column 'image' (found: nothing)"),
    "Windows": (b"image,site\na.dcm,M\xfcnchen\n", "row 2: holds bytes that are no UTF-8"),
    "UTF-16 without its mark": ("image\na.dcm\n".encode("utf-16-le"), "holds zero bytes"),
    "xlsx": (b"PK\x03\x04" + bytes(30), "is a spreadsheet program's own file"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a spreadsheet program's own file"),
    "text behind a quotation": (b'image,site\na.dcm,"A"B\n', "row 2: is no row of a CSV file"),
    "a nameless column": (b"image,,sex\na.dcm,71,F\n", "row 2: '71' stands in column 2"),
    "a decimal comma too many": (b"image,left_total_bmd\na.dcm,0,85\n", "row 2: '85' stands in column 3"),
}


@pytest.mark.parametrize(("content", "said"), NOT_READ.values(), ids=NOT_READ)
def test_a_manifest_that_is_no_such_table_is_told_what_is_wrong(tmp_path, content, said):
    touch(tmp_path, "a.dcm")
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        list_radiographs(tmp_path)
    assert said in str(caught.value) and "manifest.csv" in str(caught.value) and "nothing was read" in str(caught.value).lower()


READ = {
    "comma": b"image,sex,left_total_bmd\na.dcm,F,0.85\n",
    "semicolon and decimal comma": b"image;sex;left_total_bmd\na.dcm;F;0,85\n",
    "quoted decimal comma": b'image,sex,left_total_bmd\na.dcm,F,"0,85"\n',
    "tabulator": b"image\tsex\tleft_total_bmd\na.dcm\tF\t0.85\n",
    "bar": b"image|sex|left_total_bmd\na.dcm|F|.85\n",
    "sep=;": b"sep=;\r\nimage;sex;left_total_bmd\r\na.dcm;F;0,85\r\n",
    "sep=, saved again": b"sep=,,,\nimage,sex,left_total_bmd\na.dcm,F,0.85\n",
    '"sep=;"': b'"sep=;"\nimage;sex;left_total_bmd\na.dcm;F;0.85\n',
    "SEP=tabulator": b"SEP=\t\nimage\tsex\tleft_total_bmd\na.dcm\tF\t0.85\n",
    "rows of separators": b"image,sex,left_total_bmd\n,,\na.dcm,F,0.85\n,,\n, ,\n,,\n",
    "rows of separators first": b",,\n,,\nimage,sex,left_total_bmd\na.dcm,F,0.85\n",
    "trailing columns": b"image,sex,left_total_bmd,,,\na.dcm,F,0.85,,,\n",
    "trailing columns of some rows": b"image,sex,left_total_bmd,,\na.dcm,F,0.85\n,,,,,,\n",
    "trailing cells": b"image,sex,left_total_bmd\na.dcm,F,0.85,,\n",
    "an empty column": b"image,,sex,left_total_bmd\na.dcm,,F,0.85\n",
    "blanks": b" image , sex , left_total_bmd\n a.dcm , F , 0.85 \n",
    "BOM": b"\xef\xbb\xbfimage,sex,left_total_bmd\na.dcm,F,0.85\n",
    "BOM and quotes": b'\xef\xbb\xbf"image";"sex";"left_total_bmd"\r\n"a.dcm";"F";"0,85"\r\n',
    "BOM and sep": b"\xef\xbb\xbfsep=;\nimage;sex;left_total_bmd\na.dcm;F;0,85\n",
    "Unicode text": "image\tsex\tleft_total_bmd\r\na.dcm\tF\t0,85\r\n".encode("utf-16"),
    "big-endian": b"\xfe\xff" + "image,sex,left_total_bmd\na.dcm,F,0.85\n".encode("utf-16-be"),
    "old Macintosh": b"image,sex,left_total_bmd\ra.dcm,F,0.85\r",
}


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_a_manifest_as_spreadsheet_programs_write_it(tmp_path, content):
    touch(tmp_path, "a.dcm")
    (tmp_path / "manifest.csv").write_bytes(content)
    (item,) = list_radiographs(tmp_path)
    assert item == {"image": str(tmp_path / "a.dcm"), "sex": "F", "left_total_bmd": 0.85}


COLUMNS = [
    ("age", "age_years"), ("gender", "sex"), ("weight", "weight_kg"), ("height", "height_cm"), ("mask", "label"),
    ("date", "study_date"), ("patient", "patient_id"),
    ("Age (years)", "age_years"), ("PatientAge", "age_years"), ("age_at_exam", "age_years"), ("date of birth", "age_years"),
    ("SEX", "sex"), ("gendr", "sex"), ("Weight[kg]", "weight_kg"), ("wieght", "weight_kg"), ("body_height", "height_cm"),
    ("StudyDate", "study_date"), ("Exam Date", "study_date"), ("MRN", "patient_id"), ("subject-id", "patient_id"),
    ("segmentation_path", "label"), ("lable", "label"), ("mask_left", "left_label"), ("keypoints", "landmarks"),
    ("bmd_left_neck", "left_neck_bmd"), ("R total hip BMD (g/cm²)", "right_total_bmd"), ("spine_bmd", "lumbar_bmd"),
    ("neck_bmd", "left_neck_bmd or right_neck_bmd"), ("hospital", "site"),
    ("DXA manufacturer", "dxa_maker"), ("densitometer", "dxa_maker"), ("dxa_makr", "dxa_maker"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "meant"), COLUMNS)
def test_a_column_of_a_kindred_name_stops_with_the_column_meant(tmp_path, column, meant):
    touch(tmp_path, "a.dcm")
    write_manifest(tmp_path, f"image,{column}", "a.dcm,15")
    with pytest.raises(ValueError) as caught:
        list_radiographs(tmp_path)
    assert f"row 1: unknown column {column!r}; expected {meant!r}? Nothing was read." in str(caught.value)


@pytest.mark.parametrize(
    "column", ["vendor", "dxa_date", "age_at_menopause", "height_loss_cm", "left_neck_bmc", "left_neck_tscore", "notes", "fold"]
)
def test_a_column_of_the_users_own_is_kept_and_named(tmp_path, column, caplog):
    touch(tmp_path, "a.dcm")
    write_manifest(tmp_path, f"image,age_years,age,{column}", "a.dcm,71,old,x")
    (item,) = list_radiographs(tmp_path)
    assert item[column] == "x" and item["age"] == "old", "the column that age means is there"
    assert f"none of a manifest's: 'age', '{column}'. They are kept" in caplog.text and "manifest.csv" in caplog.text


def test_the_columns_of_a_simulated_cohort_are_all_known():
    assert [column for column in (*patient.COLUMNS, *other_radiograph.COLUMNS) if not is_known(column)] == []


@pytest.mark.parametrize("name", ["Manifest.csv", "MANIFEST.CSV", "manifest.CSV"])
def test_a_manifest_in_other_capitals_is_read(tmp_path, name):
    touch(tmp_path, "a.dcm")
    write_manifest(tmp_path, "image,age_years", "a.dcm,15")
    (tmp_path / "manifest.csv").rename(tmp_path / name)
    (item,) = list_radiographs(tmp_path)
    assert item["age_years"] == 15 and not passed_over(tmp_path)


def test_manifests_that_differ_by_capitals_alone(tmp_path):
    touch(tmp_path, "a.dcm", "Manifest.csv", "MANIFEST.csv")
    with pytest.raises(ValueError, match=r"holds MANIFEST\.csv and Manifest\.csv; expected one manifest"):
        list_radiographs(tmp_path)


STRAYS = [
    "manifest.xlsx", "manifest.tsv", "Manifest.txt", "manifest.csv.txt", "manifest.csv.csv", "manifest (1).csv", "manifests.csv",
    "manifset.csv", "manifest - Copy.csv", "manifest_final.csv", "manifest2.csv", "deep/er/manifest.csv", "site/MANIFEST.csv",
    "site/manifest.xls", "manifest.csv.gz",
]  # fmt: skip


@pytest.mark.parametrize("name", STRAYS)
def test_what_looks_like_a_manifest_is_not_done_without(tmp_path, name):
    touch(tmp_path, "a.dcm", name)
    with pytest.raises(ValueError) as caught:
        list_radiographs(tmp_path)
    assert str(tmp_path / name) in str(caught.value) and "Nothing was analysed" in str(caught.value)
    assert ("is a manifest" if name.endswith(("/manifest.csv", "/MANIFEST.csv")) else "looks like a manifest") in str(
        caught.value
    )
    write_manifest(tmp_path, "image", "a.dcm")
    assert names(tmp_path) == ["a.dcm"] and set(passed_over(tmp_path)) == {name}


def test_manifests_of_other_things_are_no_hindrance(tmp_path):
    others = ["manifest.json", "manifest-md5.txt", "tagmanifest-sha256.txt", "manifest.tcia", "AndroidManifest.xml", "labels.csv"]
    touch(tmp_path, "a.dcm", *others, ".cache/manifest.csv")
    assert names(tmp_path) == ["a.dcm", "manifest.tcia"]


def test_an_unknown_maker_of_dxa_stops_with_those_that_are_known(tmp_path):
    touch(tmp_path, "a.dcm")
    write_manifest(tmp_path, "image,left_neck_bmd,dxa_maker", "a.dcm,0.9,Norland")
    with pytest.raises(ValueError, match=r"column dxa_maker: found 'Norland', expected one of hologic, lunar, standardised or"):
        list_radiographs(tmp_path)
