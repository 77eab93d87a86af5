"""What is read of the patient, and which headers are refused before a pixel is decoded."""

import numpy as np
import pytest
from pydicom.dataset import FileMetaDataset
from radiograph_files import coded, dataset, write
from scripts.clinical import Code, RefusedError
from scripts.radiograph import read_radiograph

FACTS = {
    "age in years": ({"PatientAge": "063Y"}, {"age_years": 63.0}),
    "age in months": ({"PatientAge": "018M"}, {"age_years": 1.5}),
    "age in weeks": ({"PatientAge": "052W"}, {"age_years": 52 * 7 / 365.25}),
    "age in days": ({"PatientAge": "010D"}, {"age_years": 10 / 365.25}),
    "age from dates": (
        {"PatientAge": None, "PatientBirthDate": "19400305", "StudyDate": "20040826", "AcquisitionDate": "20000305"},
        {"age_years": 60.0},
    ),
    "an absurd age": ({"PatientAge": "999Y"}, {"age_years": None}),
    "no age": ({"PatientAge": None}, {"age_years": None}),
    "born after the exposure": (
        {"PatientAge": None, "PatientBirthDate": "20200101", "StudyDate": "20000101"},
        {"age_years": None},
    ),
    "woman": ({"PatientSex": "F"}, {"sex": "F"}),
    "man": ({"PatientSex": "M"}, {"sex": "M"}),
    "other": ({"PatientSex": "O"}, {"sex": None}),
    "weight and height": ({"PatientWeight": 71.5, "PatientSize": 1.68}, {"weight_kg": 71.5, "height_cm": 168.0}),
    "zero is unknown": ({"PatientWeight": 0, "PatientSize": 0}, {"weight_kg": None, "height_cm": None}),
    "absurd weight": ({"PatientWeight": 7150}, {"weight_kg": None}),
    "height in centimetres": ({"PatientSize": 168}, {"height_cm": 168.0}),
    "image laterality first": ({"ImageLaterality": "R", "Laterality": "L"}, {"laterality": "R"}),
    "laterality": ({"Laterality": "L"}, {"laterality": "L"}),
    "both": ({"ImageLaterality": "B"}, {"laterality": "B"}),
    "unpaired": ({"ImageLaterality": "U"}, {"laterality": ""}),
    "view position": ({"ViewPosition": "LL"}, {"view": "LL"}),
    "view code": ({"ViewPosition": None, "ViewCodeSequence": coded("399348003", "antero-posterior")}, {"view": "AP"}),
    "view in words": ({"ViewPosition": "", "SeriesDescription": "Hip frog lateral"}, {"view": "FROG LEG"}),
    "a series of both views": ({"ViewPosition": "", "SeriesDescription": "Hip AP and lateral"}, {"view": ""}),
}


@pytest.mark.parametrize("case", FACTS)
def test_facts(tmp_path, case):
    attributes, expected = FACTS[case]
    meta = read_radiograph(write(tmp_path, **attributes)).meta
    for key, value in expected.items():
        assert meta[key] == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [({"PatientWeight": 7150}, "PatientWeight"), ({"PatientSize": 168}, "centimetres"), ({"PatientAge": "999Y"}, "PatientAge")],
)
def test_an_unbelievable_value_is_recorded(tmp_path, attributes, said):
    assert any(said in note for note in read_radiograph(write(tmp_path, **attributes)).meta["assumptions"])


def test_identifiers_but_no_identity(tmp_path):
    path = write(tmp_path)
    meta = read_radiograph(path).meta
    ds = dataset()
    assert meta["filename_or_obj"] == str(path)
    assert len({meta["study_uid"], meta["series_uid"], meta["sop_uid"]}) == 3
    assert str(ds.PatientName) not in str(meta)
    assert ds.PatientID not in str(meta)


HIPS = [
    {"BodyPartExamined": "HIP"},
    {"BodyPartExamined": "PELVIS"},
    {"BodyPartExamined": "FEMUR"},
    {"BodyPartExamined": "UPPER LEG"},
    {"BodyPartExamined": ""},
    {"BodyPartExamined": None},
    {"BodyPartExamined": "SOMETHING"},
    {"BodyPartExamined": "EXTREMITY", "StudyDescription": "Hip and knee"},
    {"BodyPartExamined": "", "StudyDescription": "Beckenübersicht a.p."},
    {"BodyPartExamined": "", "StudyDescription": "HÜFTE RECHTS"},
    {"BodyPartExamined": "HIP", "StudyDescription": "CHEST"},
    {"BodyPartExamined": "", "AnatomicRegionSequence": coded("24136001", "Hip joint")},
    {"PatientSpeciesDescription": "Homo sapiens"},
    {"ResponsiblePerson": "A^Parent", "ResponsiblePersonRole": "PARENT"},
]


@pytest.mark.parametrize("attributes", HIPS, ids=str)
def test_hips_and_silent_headers_are_read(tmp_path, attributes):
    assert read_radiograph(write(tmp_path, **attributes)).ndim == 3


REFUSALS = [
    (Code.NOT_A_HIP, "chest", {"BodyPartExamined": "CHEST"}),
    (Code.NOT_A_HIP, "spine", {"BodyPartExamined": "LSPINE"}),
    (Code.NOT_A_HIP, "knee", {"BodyPartExamined": "EXTREMITY", "StudyDescription": "Fibroma of distal tibia"}),
    (Code.NOT_A_HIP, "knee", {"BodyPartExamined": "", "SeriesDescription": "Knee", "StudyDescription": "Hip"}),
    (Code.NOT_A_HIP, "foot", {"BodyPartExamined": None, "AnatomicRegionSequence": coded("56459004", "Foot")}),
    (Code.NOT_HUMAN, "Species", {"PatientSpeciesDescription": "Canis lupus"}),
    (Code.NOT_HUMAN, "Species", {"PatientSpeciesCodeSequence": coded("448771007", "Canis lupus familiaris")}),
    (Code.NOT_HUMAN, "Breed", {"PatientBreedDescription": "Beagle"}),
    (Code.NOT_HUMAN, "owner", {"ResponsiblePerson": "An^Owner", "ResponsiblePersonRole": "OWNER"}),
    (Code.NOT_HUMAN, "CANINE", {"AcquisitionDeviceProcessingDescription": "CANINE PELVIS"}),
    (Code.NOT_A_RADIOGRAPH, "CT Image Storage", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"}),
    (Code.NOT_A_RADIOGRAPH, "modality US", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "US"}),
    (Code.NOT_A_RADIOGRAPH, "unknown kind", {"SOPClassUID": None, "file_meta": FileMetaDataset()}),
    (Code.TOO_LARGE, "20000 x 6000", {"Rows": 20000, "Columns": 6000}),
    (Code.NOT_A_RADIOGRAPH, "0 x 96", {"Rows": None}),
    (Code.NOT_A_RADIOGRAPH, "32 x 96", {"Rows": 32}),
    (Code.MULTIFRAME, "12 frames", {"NumberOfFrames": 12}),
]


@pytest.mark.parametrize(("code", "said", "attributes"), REFUSALS, ids=str)
def test_refused_by_the_header_alone(tmp_path, code, said, attributes):
    """The pixels are missing, so whatever refuses the file did not need them."""
    path = tmp_path / "film.dcm"
    ds = dataset(**attributes)
    del ds.PixelData
    ds.save_as(path, implicit_vr=False, little_endian=True)
    with pytest.raises(RefusedError) as caught:
        read_radiograph(path)
    reason = caught.value.reason
    assert reason.code == code
    assert said in reason.sentence
    assert reason.sentence.endswith(".") and "not analysed" in reason.sentence
    assert "Secret" not in reason.sentence and "4711" not in reason.sentence


def test_a_silent_header_is_recorded(tmp_path):
    notes = read_radiograph(write(tmp_path, np.tile(np.arange(96, dtype=np.uint16), (80, 1)), BodyPartExamined="")).meta
    assert any("body part" in note for note in notes["assumptions"])
