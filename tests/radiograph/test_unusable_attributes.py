"""An attribute that is there and cannot be read as it stands: read as a person would where one can, and always told.

Each row alters the header of an example. "Same" is an image, a pixel size and facts that equal those of the unaltered example;
else the row says what is different. Every row says what must be told.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import scripts
from monai.transforms import Compose
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from radiograph_files import coded, with_table, with_words
from scripts.clinical import Code, RefusedError
from scripts.radiograph import LoadRadiographd, NormaliseRadiographd, ResampleRadiographd

EXAMPLE = Path(scripts.__file__).parents[1] / "examples" / "images" / "osteoporosis.dcm"
FACTS = ("age_years", "sex", "weight_kg", "height_cm", "view", "laterality", "spacing_mm", "spacing_source")
READ = Compose([LoadRadiographd("image"), ResampleRadiographd("image"), NormaliseRadiographd("image")])


def put(ds, keyword, said):
    """Write a value as it stands, whether or not DICOM allows it."""
    tag = Tag(tag_for_keyword(keyword))
    content = said if isinstance(said, bytes) else said.encode() + b" " * (len(said.encode()) % 2)
    ds._dict[tag] = RawDataElement(tag, dictionary_VR(tag)[:2], len(content), content, 0, False, True)


@pytest.fixture(scope="module")
def content():
    """The example, uncompressed, in bytes."""
    ds = pydicom.dcmread(EXAMPLE)
    ds.decompress()
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def example():
    return READ({"image": EXAMPLE})["image"]


@pytest.fixture
def read(content, tmp_path):
    def alter(changes):
        ds = pydicom.dcmread(BytesIO(content))
        for keyword, said in changes.items():
            if callable(said):
                said(ds)
            elif said is None:
                del ds[keyword]
            elif isinstance(said, str | bytes):
                put(ds, keyword, said)
            else:
                setattr(ds, keyword, said)
        path = tmp_path / "film.dcm"
        ds.save_as(path)  # the file meta information stays what it is
        return READ({"image": path})["image"]

    return alter


TWICE = {"WindowCenter": "255.5", "WindowWidth": "511"}  # of twice the values: the same picture
SHAPED = {"ShutterShape": "RECTANGULAR"}
SAME = {
    # rescale
    "slope without intercept": ({"RescaleSlope": "2", "RescaleIntercept": None, **TWICE}, "RescaleIntercept is missing"),
    "slope with an empty intercept": ({"RescaleSlope": "2", "RescaleIntercept": "", **TWICE}, "RescaleSlope '2"),
    "slope 2,0": ({"RescaleSlope": "2,0", **TWICE}, "'2,0'"),
    "slope and intercept with commas": ({"RescaleSlope": "2,00", "RescaleIntercept": "0,0", **TWICE}, "'2,00'"),
    "intercept without slope": (
        {"RescaleSlope": None, "RescaleIntercept": "100", "WindowCenter": "228"},
        "RescaleSlope is missing, beside RescaleIntercept '100",
    ),
    "intercept that is a word": ({"RescaleSlope": "2", "RescaleIntercept": "none", **TWICE}, "RescaleIntercept 'none'"),
    "slope of zero": ({"RescaleSlope": "0"}, "RescaleSlope '0"),
    "slope that is a word": ({"RescaleSlope": "US"}, "'US'"),
    "slope without end": ({"RescaleSlope": "1E999"}, "'1E999'"),
    "slope that overflows": ({"RescaleSlope": "1e308"}, "no values that can be told apart"),
    "intercept that swallows all": ({"RescaleIntercept": "1e200"}, "'1e200'"),
    "two slopes": ({"RescaleSlope": "1\\3"}, "'1\\3'"),
    "modality LUT without data": (with_table("ModalityLUTSequence", (256, 0, 8), data=False), "no LUTData"),
    "modality LUT of 0 bits": (with_table("ModalityLUTSequence", (256, 0, 0)), "fill 8 bits"),
    # VOI
    "VOI LUT of 0 bits": (with_table("VOILUTSequence", (256, 0, 0)), "'256\\0\\0'"),
    "VOI LUT of 99 bits": (with_table("VOILUTSequence", (256, 0, 99)), "99"),
    "VOI LUT without data": (with_table("VOILUTSequence", (256, 0, 8), data=False), "no LUTData"),
    "VOI LUT without descriptor": (with_table("VOILUTSequence", ()), "no LUTDescriptor"),
    "VOI LUT without bits": (with_table("VOILUTSequence", (256, 0)), "fill 8 bits"),
    "VOI LUT that claims more entries": (with_table("VOILUTSequence", (400, 0, 8)), "256 entries"),
    "a second VOI LUT after a useless first one": (with_table("VOILUTSequence", (256,), (256, 0, 8)), "first usable one"),
    "an empty VOI LUT sequence": (
        {"VOILUTSequence": lambda ds: setattr(ds, "VOILUTSequence", Sequence([Dataset()]))},
        "VOILUTSequence 1",
    ),
    "window with commas": ({"WindowCenter": "128,0", "WindowWidth": "256,0"}, "'128,0'"),
    "a second window after one of no width": ({"WindowCenter": "9\\128", "WindowWidth": "0\\256"}, "first that is valid"),
    "a second window after a word": ({"WindowCenter": "auto\\128", "WindowWidth": "1\\256"}, "'auto\\128'"),
    "window centre without width": ({"WindowWidth": None}, "WindowCenter '128"),
    "window that is a word": ({"WindowCenter": "auto"}, "WindowCenter 'auto'"),
    "window of negative width": ({"WindowWidth": "-256"}, "'-256'"),
    "VOI function of another case": ({"VOILUTFunction": "Linear"}, "'Linear' in the header was read as LINEAR"),
    "VOI function that nobody knows": ({"VOILUTFunction": "CUBIC"}, "'CUBIC'"),
    # polarity
    "photometric interpretation in small letters": ({"PhotometricInterpretation": "monochrome2"}, "'monochrome2'"),
    "photometric interpretation with a space": ({"PhotometricInterpretation": "MONOCHROME 2"}, "'MONOCHROME 2'"),
    "photometric interpretation with a hyphen": ({"PhotometricInterpretation": "Monochrome-2"}, "'Monochrome-2'"),
    "presentation shape that nobody knows": ({"PresentationLUTShape": "FLAT"}, "'FLAT'"),
    "presentation intent in small letters": (
        {"PresentationIntentType": "for presentation"},
        "'for presentation' in the header was read as FOR PRESENTATION",
    ),
    "presentation intent that nobody knows": ({"PresentationIntentType": "FOR VIEWING"}, "'FOR VIEWING'"),
    # bits
    "HighBit 15 with 12 right-aligned bits": (
        {**with_words(lambda p: p * 16 + 7), "HighBit": 15, "WindowCenter": "2047.5", "WindowWidth": "4081"},
        "HighBit 15",
    ),
    "HighBit 13 with 12 right-aligned bits": (
        {**with_words(lambda p: p * 16 + 7), "HighBit": 13, "WindowCenter": "2047.5", "WindowWidth": "4081"},
        "HighBit 13",
    ),
    "HighBit 9 with 10 left-aligned bits": (
        {**with_words(lambda p: p << 8, 10), "WindowCenter": "510.5", "WindowWidth": "1021"},
        "HighBit 9",
    ),
    "HighBit 200": ({**with_words(lambda p: p), "HighBit": 200}, "HighBit '200'"),
    "HighBit below the bits stored": ({**with_words(lambda p: p), "HighBit": 3}, "HighBit '3'"),
    "HighBit missing": ({"HighBit": None}, "HighBit is missing"),
    "BitsStored too few": (
        {**with_words(lambda p: p * 15, 10), "WindowCenter": "1913", "WindowWidth": "3826"},
        "BitsStored in the header says 10",
    ),
    "PixelRepresentation 7": ({"PixelRepresentation": 7}, "PixelRepresentation '7'"),
    "PixelRepresentation missing": ({"PixelRepresentation": None}, "PixelRepresentation is missing"),
    "SamplesPerPixel missing": ({"SamplesPerPixel": None}, "SamplesPerPixel is missing"),
    "NumberOfFrames 1,0": ({"NumberOfFrames": "1,0"}, "'1,0'"),
    "NumberOfFrames that is a word": ({"NumberOfFrames": "one"}, "'one'"),
    # padding and shutters
    "padding limit without padding": ({"PixelPaddingRangeLimit": b"\x03\0"}, "PixelPaddingRangeLimit '3'"),
    "padding beyond the bits": ({"PixelPaddingValue": b"\xff\xff"}, "'65535'"),
    "padding of half a word": ({"PixelPaddingValue": b"\x01"}, "PixelPaddingValue"),
    "shutter that is no number": ({**SHAPED, "ShutterUpperHorizontalEdge": "top"}, "'top'"),
    "shutter without edges": (SHAPED, "'RECTANGULAR'"),
    "shutter of no radius": ({"ShutterShape": "CIRCULAR", "RadiusOfCircularShutter": "0"}, "RadiusOfCircularShutter '0'"),
    "collimator of an unknown shape": ({"CollimatorShape": "OVAL"}, "'OVAL'"),
    "collimator without a shape": ({"CollimatorLeftVerticalEdge": "300"}, "CollimatorShape"),
    # scale
    "magnification 1,2149": ({"EstimatedRadiographicMagnificationFactor": "1,2149"}, "'1,2149'"),
    "magnification from the distances": (
        {
            "EstimatedRadiographicMagnificationFactor": "12149",
            "DistanceSourceToDetector": "1.214,9",
            "DistanceSourceToPatient": "1000 mm",
        },
        "'12149'",
    ),
    "spacing with commas": ({"ImagerPixelSpacing": "0,34\\0,34"}, "'0,34\\0,34'"),
    "spacing with commas, parted by a comma": ({"ImagerPixelSpacing": "0,34,0,34"}, "'0,34,0,34'"),
    "spacing parted by a comma": ({"ImagerPixelSpacing": "0.34,0.34"}, "'0.34,0.34'"),
    "spacing parted by a cross": ({"ImagerPixelSpacing": "0.34x0.34"}, "'0.34x0.34'"),
    "spacing in brackets": ({"ImagerPixelSpacing": "[0.34, 0.34]"}, "'[0.34, 0.34]'"),
    "spacing of one number": ({"ImagerPixelSpacing": "0.34"}, "'0.34'"),
    "spacing of one number and a separator": ({"ImagerPixelSpacing": "0.34\\"}, "0.34 and 0.34"),
    "spacing of one number in mm": ({"ImagerPixelSpacing": "0,34 mm"}, "'0,34 mm'"),
    "spacing in mm": ({"ImagerPixelSpacing": "0.34 mm\\0.34 mm"}, "'0.34 mm\\0.34 mm'"),
    "a pixel spacing that is a word, beside the detector's": ({"PixelSpacing": "unknown"}, "'unknown'"),
    "a pixel spacing of zero, beside the detector's": ({"PixelSpacing": "0\\0"}, "'0\\0'"),
    "calibration that is none": ({"PixelSpacing": "0.34\\0.34", "PixelSpacingCalibrationType": "NONE"}, "'NONE'"),
    # orientation
    "orientation in one value": ({"PatientOrientation": "L/F"}, "'L/F'"),
    "orientation without a sign between": ({"PatientOrientation": "LF"}, "'LF'"),
    "orientation in words": ({"PatientOrientation": "Left\\Feet"}, "'Left\\Feet'"),
    "orientation in words in one value": ({"PatientOrientation": "LEFT FOOT"}, "was read as L and F"),
    "orientation in brackets": ({"PatientOrientation": "['L', 'F']"}, "was read as L and F"),
    "orientation in an anatomist's words": ({"PatientOrientation": "Left\\Inferior"}, "'Left\\Inferior'"),
    "orientation that is none": ({"PatientOrientation": "LANDSCAPE\\F"}, "'LANDSCAPE\\F'"),
    # patient
    "age 75": ({"PatientAge": "75"}, "'75'"),
    "age 075": ({"PatientAge": "075"}, "'075'"),
    "age 75 Y": ({"PatientAge": "75 Y"}, "'75 Y'"),
    "age in words": ({"PatientAge": "75 years"}, "'75 years'"),
    "age in German": ({"PatientAge": "75J"}, "'75J'"),
    "age in French": ({"PatientAge": "75 ans"}, "'75 ans'"),
    "age, its unit first": ({"PatientAge": "Y075"}, "'Y075'"),
    "age with a comma": ({"PatientAge": "75,0y"}, "'75,0y'"),
    "age 900 months": ({"PatientAge": "900M"}, ""),
    "sex Female": ({"PatientSex": "Female"}, "'Female'"),
    "sex weiblich": ({"PatientSex": "weiblich"}, "'weiblich'"),
    "sex mujer": ({"PatientSex": "Mujer"}, "'Mujer'"),
    "weight 53,7": ({"PatientWeight": "53,7"}, "'53,7'"),
    "weight in kg": ({"PatientWeight": "53.7 kg"}, "'53.7 kg'"),
    "weight in grams": ({"PatientWeight": "53700"}, "grams"),
    "height 1,41": ({"PatientSize": "1,41"}, "'1,41'"),
    "height in cm": ({"PatientSize": "141"}, "centimetres"),
    "height in cm, said so": ({"PatientSize": "141 cm"}, "'141 cm'"),
    "height in mm": ({"PatientSize": "1410"}, "millimetres"),
    # side, view, modality, body part
    "side that is none": ({"ImageLaterality": "MIDDLE"}, "'MIDDLE'"),
    "view ANTEROPOSTERIOR": ({"ViewPosition": "ANTEROPOSTERIOR"}, "'ANTEROPOSTERIOR'"),
    "view A-P": ({"ViewPosition": "A-P"}, "'A-P'"),
    "view a.p.": ({"ViewPosition": "a.p."}, "'a.p.'"),
    "view AP PELVIS": ({"ViewPosition": "AP PELVIS"}, "'AP PELVIS'"),
    "view in French": ({"ViewPosition": "Antéro-post\u00e9rieur".encode()}, "was read as AP"),
    "view in Spanish": ({"ViewPosition": "ANTEROPOSTERIOR "}, "'ANTEROPOSTERIOR'"),
    "view in Italian": ({"ViewPosition": "antero-posteriore"}, "'antero-posteriore'"),
    "view in Dutch": ({"ViewPosition": "voorachterwaarts"}, "'voorachterwaarts'"),
    "a view code after a useless view": ({"ViewPosition": "ROUTINE"}, "'ROUTINE'"),
    "an older view code": (
        {"ViewPosition": "", "ViewCodeSequence": lambda ds: setattr(ds, "ViewCodeSequence", coded("R-10206", ""))},
        "",
    ),
    "a description after a useless view and code": (
        {
            "ViewPosition": "STANDARD",
            "ViewCodeSequence": lambda ds: setattr(ds, "ViewCodeSequence", coded("0815", "usual")),
            "SeriesDescription": "Pelvis AP",
        },
        "'0815'",
    ),
    "SOP class missing": ({"SOPClassUID": None}, "SOPClassUID is missing"),
    "SOP class that nobody knows": ({"SOPClassUID": "1.2.3.4"}, "'1.2.3.4'"),
    "modality DR": ({"Modality": "DR"}, "'DR'"),
    "modality RG": ({"Modality": "RG"}, ""),
    "modality dx": ({"Modality": "dx"}, "'dx'"),
    "modality X-RAY": ({"Modality": "X-RAY"}, "'X-RAY'"),
    "modality that nobody knows": ({"Modality": "PLAIN FILM"}, "'PLAIN FILM'"),
    "body part that nobody knows": ({"BodyPartExamined": "XYZ"}, ""),
}


@pytest.mark.parametrize("case", SAME)
def test_read_the_same_and_told(read, example, case):
    changes, said = SAME[case]
    image = read(changes)
    assert {name: image.meta[name] for name in FACTS} == {name: example.meta[name] for name in FACTS}
    np.testing.assert_allclose(image.numpy(), example.numpy(), rtol=0, atol=1e-6)
    new = [note for note in image.meta["assumptions"] if note not in example.meta["assumptions"]]
    assert said in " ".join(new)
    assert all(note.endswith(".") for note in new)


def born(year, **others):
    return {"PatientBirthDate": f"{year}0612", **others}


def stored_spacing(image):
    """Pixel size in the patient, in mm, before resampling."""
    return tuple(np.divide(image.meta["spacing_mm"], image.meta["resample_scale"]))


YEARS_14 = 13.76
OTHER = {
    # what is not believed is unknown, or comes from a second source; the exposure is of 17 March 2022
    "age 000Y beside a birth date": (born(2008, PatientAge="000Y"), {"age_years": YEARS_14}, "'000Y'"),
    "age 999Y beside a birth date": (born(2008, PatientAge="999Y"), {"age_years": YEARS_14}, "'999Y'"),
    "age that is a word beside a birth date": (born(2008, PatientAge="ADULT"), {"age_years": YEARS_14}, "'ADULT'"),
    "age -01Y beside a birth date": (born(2008, PatientAge="-01Y"), {"age_years": YEARS_14}, "'-01Y'"),
    "age 070 beside the birth date of a child": (born(2008, PatientAge="070"), {"age_years": YEARS_14}, "'070'"),
    "age 070Y beside the birth date of a child": (born(2008, PatientAge="070Y"), {"age_years": 70.0}, "contradicts"),
    "age 012": ({"PatientAge": "012"}, {"age_years": 12.0}, "'012'"),
    "age 070": ({"PatientAge": "070"}, {"age_years": 70.0}, "'070'"),
    "age 70 Y": ({"PatientAge": "70 Y"}, {"age_years": 70.0}, "'70 Y'"),
    "age 70 y.o.": ({"PatientAge": "70 y.o."}, {"age_years": 70.0}, "'70 y.o.'"),
    "age 70-year-old": ({"PatientAge": "70-year-old"}, {"age_years": 70.0}, "'70-year-old'"),
    "age 18 months": ({"PatientAge": "18 months"}, {"age_years": 1.5}, "'18 months'"),
    "age 000Y alone": ({"PatientAge": "000Y"}, {"age_years": None}, "'000Y'"),
    "age 130Y alone": ({"PatientAge": "130Y"}, {"age_years": None}, "'130Y'"),
    "age 0070Y": ({"PatientAge": "0070Y"}, {"age_years": 70.0}, "'0070Y'"),
    "age 63 months in Russian": ({"PatientAge": "63 мес".encode()}, {"age_years": None}, "'63 мес'"),
    "age 63 months in Chinese": ({"PatientAge": "63个月".encode()}, {"age_years": None}, "'63个月'"),
    "birth date of single digits": ({"PatientAge": None, "PatientBirthDate": "2008-6-2"}, {"age_years": 13.79}, ""),
    "age of unknown unit": ({"PatientAge": "70Q"}, {"age_years": None}, "'70Q'"),
    "birth date with points": ({"PatientAge": None, "PatientBirthDate": "2008.06.12"}, {"age_years": YEARS_14}, ""),
    "birth date, day first": ({"PatientAge": None, "PatientBirthDate": "12.06.2008"}, {"age_years": YEARS_14}, ""),
    "birth date with hyphens": ({"PatientAge": None, "PatientBirthDate": "2008-06-12"}, {"age_years": YEARS_14}, ""),
    "birth date with a month's name": ({"PatientAge": None, "PatientBirthDate": "12-JUN-2008"}, {"age_years": YEARS_14}, ""),
    "birth date, month's name first": ({"PatientAge": None, "PatientBirthDate": "June 12, 2008"}, {"age_years": YEARS_14}, ""),
    "birth date with strokes, day first": (
        {"PatientAge": None, "PatientBirthDate": "17/06/2008"},
        {"age_years": 13.75},
        "",
    ),
    "birth date with strokes, month first": (
        {"PatientAge": None, "PatientBirthDate": "06-17-2008"},
        {"age_years": 13.75},
        "",
    ),
    "birth date in June or in December": (
        {"PatientAge": None, "PatientBirthDate": "12/06/2008"},
        {"age_years": 13.71},
        "to a year",
    ),
    "birth date of 31 June": ({"PatientAge": None, "PatientBirthDate": "20080631"}, {"age_years": 13.75}, "to a year"),
    "birth date of a month 13": ({"PatientAge": None, "PatientBirthDate": "20081306"}, {"age_years": 13.71}, "to a year"),
    "exposure without a day": (
        born(2008, PatientAge="", AcquisitionDate="202203"),
        {"age_years": 13.75},
        "AcquisitionDate in the header has no day",
    ),
    "age 63Y 2M": ({"PatientAge": "63Y 2M"}, {"age_years": 63.17}, "'63Y 2M'"),
    "age in years and months": ({"PatientAge": "63 years, 2 mo"}, {"age_years": 63.17}, "'63 years, 2 mo'"),
    "age 2M 63Y": ({"PatientAge": "2M 63Y"}, {"age_years": None}, "'2M 63Y'"),
    "birth year only": ({"PatientAge": None, "PatientBirthDate": "2008"}, {"age_years": 13.71}, "to a year"),
    "birth date without day": ({"PatientAge": None, "PatientBirthDate": "20080600"}, {"age_years": 13.75}, "to a year"),
    "birth date that is none": ({"PatientAge": None, "PatientBirthDate": "unknown"}, {"age_years": None}, "PatientBirthDate"),
    "birth date of nobody alive": ({"PatientAge": "000Y", "PatientBirthDate": "18000101"}, {"age_years": None}, "222 years"),
    "a second date after a useless one": (
        born(2008, PatientAge="", AcquisitionDate="today", ContentDate="2022.03.17"),
        {"age_years": YEARS_14},
        "AcquisitionDate 'today'",
    ),
    "weight with an exponent": ({"PatientWeight": "7.22E1"}, {"weight_kg": 72.2}, ""),
    "sex M": ({"PatientSex": "Männlich".encode()}, {"sex": "M"}, "was read as M"),
    "sex man": ({"PatientSex": "man"}, {"sex": "M"}, "'man'"),
    "sex other": ({"PatientSex": "OTHER"}, {"sex": None}, ""),
    "sex that nobody knows": ({"PatientSex": "7"}, {"sex": None}, "'7'"),
    "weight 72,2": ({"PatientWeight": "72,2"}, {"weight_kg": 72.2}, "'72,2'"),
    "weight in pounds": ({"PatientWeight": "160 lbs"}, {"weight_kg": pytest.approx(72.57, abs=0.01)}, "'160 lbs'"),
    "weight of zero": ({"PatientWeight": "0"}, {"weight_kg": None}, "PatientWeight '0"),
    "weight of 720 kg": ({"PatientWeight": "720"}, {"weight_kg": None}, "'720"),
    "weight that is a word": ({"PatientWeight": "heavy"}, {"weight_kg": None}, "'heavy'"),
    "height 1,72 m": ({"PatientSize": "1,72 m"}, {"height_cm": pytest.approx(172)}, "'1,72 m'"),
    "height in feet": ({"PatientSize": "5'6\""}, {"height_cm": pytest.approx(167.64)}, "168 cm"),
    "height in inches": ({"PatientSize": "66 in"}, {"height_cm": pytest.approx(167.64)}, "'66 in'"),
    "height of 66": ({"PatientSize": "66"}, {"height_cm": None}, "'66"),
    "height of 17 m": ({"PatientSize": "17.2"}, {"height_cm": None}, "'17.2'"),
    "side Rechts": ({"ImageLaterality": "Rechts"}, {"laterality": "R"}, "'Rechts'"),
    "side LEFT": ({"ImageLaterality": "LEFT"}, {"laterality": "L"}, "'LEFT'"),
    "side BILATERAL": ({"ImageLaterality": "BILATERAL"}, {"laterality": "B"}, "'BILATERAL'"),
    "a second side after a useless one": ({"ImageLaterality": "HIP", "Laterality": "L"}, {"laterality": "L"}, "'HIP'"),
    "view LATERAL": ({"ViewPosition": "lat."}, {"view": "LATERAL"}, "'lat.'"),
    "view of both": ({"ViewPosition": "AP/LAT", "ViewCodeSequence": None}, {"view": ""}, "'AP/LAT'"),
    "view code of a lateral": (
        {"ViewPosition": "", "ViewCodeSequence": lambda ds: setattr(ds, "ViewCodeSequence", coded("399067008", ""))},
        {"view": "LATERAL"},
        "",
    ),
    "magnification 1,1003": (
        {"EstimatedRadiographicMagnificationFactor": "1,1003"},
        {"spacing_mm": pytest.approx((0.34 / 1.1003, 0.34 / 1.1003), rel=1e-6)},
        "'1,1003'",
    ),
    "magnification of 3": (
        {"EstimatedRadiographicMagnificationFactor": "3", "DistanceSourceToPatient": None},
        {"spacing_mm": pytest.approx((0.34 / 1.15, 0.34 / 1.15), rel=1e-3)},
        "'3",
    ),
    "equal distances": (
        {"EstimatedRadiographicMagnificationFactor": None, "DistanceSourceToPatient": "1167"},
        {"spacing_mm": pytest.approx((0.34 / 1.15, 0.34 / 1.15), rel=1e-3)},
        "DistanceSourceToPatient '1167",
    ),
}


@pytest.mark.parametrize("said", ["MONO2", "GRAYSCALE", "MONOCHROME", "MONOCHROME1\\MONOCHROME2", "ARGB"])
def test_a_photometric_interpretation_that_is_none_is_refused_by_name(read, said):
    with pytest.raises(RuntimeError) as caught:
        read({"PhotometricInterpretation": said})
    refusal = caught.value.__cause__
    assert isinstance(refusal, RefusedError) and refusal.reason.code == Code.UNREADABLE
    assert f"PhotometricInterpretation '{said}'" in refusal.reason.sentence
    assert "MONOCHROME1 or MONOCHROME2 is expected" in refusal.reason.sentence


def test_pixels_beyond_rows_and_columns_are_left_out_and_told(read):
    image = read({"Rows": lambda ds: setattr(ds, "Rows", ds.Rows - 1)})
    assert "bytes of pixels" in " ".join(image.meta["assumptions"])
    assert "the rest was left out" in " ".join(image.meta["assumptions"])


@pytest.mark.parametrize("case", OTHER)
def test_what_is_not_believed_comes_from_elsewhere_and_is_told(read, example, case, monkeypatch):
    changes, expected, said = OTHER[case]
    image = read({"SeriesDescription": "Pelvis", **changes})
    for name, value in expected.items():
        found = stored_spacing(image) if name == "spacing_mm" else image.meta[name]
        close = isinstance(value, float) and name == "age_years"
        assert found == (pytest.approx(value, abs=0.01) if close else value)
    assert said in " ".join(image.meta["assumptions"])


def test_a_name_or_an_id_is_never_quoted(read):
    changes = {
        "PatientName": "Meier^Rosa",
        "PatientID": "4711-08",
        "PatientBirthDate": "19470101",
        "PatientAge": "Rosa",
        "PatientSex": "Meier",
        "ViewPosition": "PAT4711",
        "Modality": "rosameier",
        "PatientWeight": "19470101",
        "ImagerPixelSpacing": "Rosa\\Meier",
        "PixelSpacing": "0.28\\0.28",
        "ImageLaterality": "X^Y",
    }
    told = " ".join(read(changes).meta["assumptions"])
    assert told.count("may name the patient") == 6 and "may be a name" in told
    assert not any(secret in told.lower() for secret in ("rosa", "meier", "4711", "1947", "x^y"))


def test_a_quoted_value_is_short_and_printable(read):
    told = " ".join(read({"PatientSex": "Q" * 5000, "PatientWeight": "a\x1b[2Jb"}).meta["assumptions"])
    assert "Q" * 32 + "..." in told and "Q" * 33 not in told and "a?[2Jb" in told
