"""The main job on an example whose header people have typed: every number equals that of the untouched one."""

import csv
import math
from pathlib import Path

import numpy as np
import pydicom
import pytest
import scripts
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import generate_uid
from quick_start import run_module
from radiograph_files import with_table, with_words

PLAIN = ("255.5", "511", "2047.5", "4081")  # what is as DICOM wants it
BUNDLE = Path(scripts.__file__).parents[1]
TYPED = {
    "example": {},
    "scale": {
        "RescaleSlope": "2,0",
        "WindowCenter": "255,5",
        "WindowWidth": "511,0",
        "ImagerPixelSpacing": "0,34\\0,34",
        "EstimatedRadiographicMagnificationFactor": "1,2149",
    },
    "intercept": {"RescaleSlope": "2,0", "RescaleIntercept": "", "WindowCenter": "255.5", "WindowWidth": "511"},
    "table_bits": with_table("VOILUTSequence", (256, 0, 0)),
    "table_data": with_table("VOILUTSequence", (256, 0, 8), data=False),
    "high_bit": {
        **with_words(lambda stored: stored * 16 + 7),
        "HighBit": 15,
        "WindowCenter": "2047.5",
        "WindowWidth": "4081",
    },
    "patient": {
        "PatientAge": "75 Y",
        "PatientSex": "Female",
        "PatientWeight": "53,7",
        "PatientSize": "141",
        "ViewPosition": "ANTEROPOSTERIOR",
        "Modality": "DR",
    },
    "acr_nema": {"RecognitionCode": "ACR-NEMA 2.0", "PatientAge": "000Y", "PatientBirthDate": "1947.03.17"},
    "child": {"PatientAge": "000Y", "PatientBirthDate": "20150612"},
}


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    """The folder of results."""
    folder, out = (tmp_path_factory.mktemp(name) for name in ("typed", "out"))
    for name, attributes in TYPED.items():
        ds = pydicom.dcmread(BUNDLE / "examples/images/osteoporosis.dcm")
        ds.decompress()
        ds.StudyInstanceUID = generate_uid()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        for keyword, said in attributes.items():
            if callable(said):
                said(ds)
                continue
            if isinstance(said, int):
                setattr(ds, keyword, said)
                continue
            tag, content = Tag(tag_for_keyword(keyword)), said.encode() + b" " * (len(said) % 2)
            ds._dict[tag] = RawDataElement(tag, dictionary_VR(tag), len(content), content, 0, False, True)
        if name == "scale":
            del ds.RescaleIntercept
        if name == "acr_nema":
            del ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.file_meta
            ds.save_as(folder / name, implicit_vr=True, little_endian=True)
        else:
            ds.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    ended = run_module("scripts.apps.command", "screen", str(folder), str(out))
    assert ended.returncode == 0, ended.stderr
    return out


@pytest.fixture(scope="module")
def rows(screened):
    """The rows of results.csv, by the file's stem."""
    found: dict[str, list[dict[str, str]]] = {name: [] for name in TYPED}
    with (screened / "results.csv").open() as stream:
        for row in csv.DictReader(stream):
            found[Path(row["file"]).stem].append(row)
    return found


@pytest.mark.parametrize("name", [name for name in TYPED if name not in ("example", "child")])
def test_every_number_is_that_of_the_example(rows, name):
    assert len(rows[name]) == len(rows["example"]) == 2
    own = {"name", "file", "study", "patient", "notes"}
    for row, expected in zip(rows[name], rows["example"], strict=True):
        numbers = 0
        for column in set(expected) - own:
            try:
                wanted = float(expected[column])
            except ValueError:
                assert row[column] == expected[column], column
                continue
            numbers += not math.isnan(wanted)
            np.testing.assert_allclose(float(row[column]), wanted, rtol=0, atol=0, err_msg=column)
        assert numbers > 20
    told = rows[name][0]["notes"]
    typed = [said for said in TYPED[name].values() if isinstance(said, str) and said]
    assert told != rows["example"][0]["notes"] and "1947" not in told
    assert all(f"{said}'" in told for said in typed if said not in ("ACR-NEMA 2.0", "1947.03.17", *PLAIN))


def test_a_child_whose_age_is_useless_gets_no_t_score(screened, rows):
    """Of 6 years by the dates."""
    assert not rows["child"]
    with (screened / "rejected.csv").open() as stream:
        (refused,) = [row for row in csv.DictReader(stream) if row["file"] == "child.dcm"]
    assert refused["code"] == "NOT_ADULT"
