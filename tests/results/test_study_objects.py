"""What the screen writes of a study for other systems: valid, of the study, with its numbers, and taken by a real PACS."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import orthanc
import pydicom
import pytest
from absent import absent
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from monai.transforms import LoadImage
from own_command import ended
from PIL import Image
from scripts.dataset.labels import LoadLabeld
from scripts.radiograph import LoadRadiographd, read_dicom_header
from scripts.results.dicom_seg import extract_mask
from scripts.results.doubts import doubts

EXAMPLES = Path(__file__).parents[2] / "bundle" / "examples" / "images"
FILMS = ("normal", "hip_screw")


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """A folder of two DICOM radiographs, one without a study, a damaged one and a picture; the results; and results.json."""
    place = tmp_path_factory.mktemp("objects")
    films, out = place / "films", place / "out"
    films.mkdir()
    for name in FILMS:
        shutil.copy(EXAMPLES / f"{name}.dcm", films)
    broken = pydicom.dcmread(EXAMPLES / "osteoporosis.dcm")
    del broken.StudyInstanceUID
    broken.save_as(films / "broken.dcm")
    (films / "damaged.dcm").write_bytes((EXAMPLES / "trochanteric_fracture.dcm").read_bytes()[:3000])
    grey = pydicom.dcmread(EXAMPLES / "low_bone_mass.dcm").pixel_array >> 4
    Image.fromarray(grey.astype(np.uint8)).save(films / "film.png")
    assert ended("screen", str(films), str(out), "--dicom", "reproducible", "--nifti", "true", "--fhir", "true") == 0
    return films, out, json.loads((out / "results.json").read_text())


def record(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["radiographs"] if one["file"].startswith(name))


def study(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["studies"] if record(document, name)["name"] in one["films"])


def written(screened: tuple[Path, Path, dict[str, Any]], name: str) -> dict[str, Path]:
    _, out, document = screened
    outputs = record(document, name)["outputs"] | study(document, name)["outputs"]
    return {key: out / outputs[key] for key in ("segmentation", "capture", "report")}


@pytest.mark.parametrize("name", FILMS)
def test_a_validator_finds_no_error_and_a_reader_prints_the_report(
    screened: tuple[Path, Path, dict[str, Any]], name: str
) -> None:
    if not shutil.which("dciodvfy") or not shutil.which("dsrdump"):
        absent("dciodvfy and dsrdump are not installed; run tests/install_debian_packages.sh")
    files = written(screened, name)
    for file in files.values():
        said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")], said
    printed = subprocess.run(["dsrdump", "+Pl", str(files["report"])], capture_output=True, text=True, check=True).stdout
    assert "Areal bone mineral density, estimated from radiograph" in printed and "Research use only" in printed
    outcome = study(screened[2], name)["outcome"]
    assert f'"{outcome["triage"]}"' in printed


@pytest.mark.parametrize("name", FILMS)
def test_they_belong_to_the_radiograph_and_its_patient(screened: tuple[Path, Path, dict[str, Any]], name: str) -> None:
    film = pydicom.dcmread(EXAMPLES / f"{name}.dcm", stop_before_pixels=True)
    read = {kind: pydicom.dcmread(file) for kind, file in written(screened, name).items()}
    for made in read.values():
        for attribute in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
            assert made[attribute].value == film[attribute].value
    assert len({made.SeriesInstanceUID for made in (*read.values(), film)}) == 4
    named = read["report"].CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == film.SOPInstanceUID


@pytest.mark.parametrize("name", FILMS)
def test_the_report_has_the_numbers_of_the_results(screened: tuple[Path, Path, dict[str, Any]], name: str) -> None:
    report = hd.sr.srread(written(screened, name)["report"])
    groups = {
        group.tracking_identifier: group
        for kind in ("get_planar_roi_measurement_groups", "get_image_measurement_groups")
        for group in getattr(report.content, kind)()
    }
    hips = {hip["side"]: hip for hip in record(screened[2], name)["hips"]}
    for side, hip in hips.items():
        if hip["status"] == "refused":
            evaluations = groups[f"OsteoXR {side} hip"].get_qualitative_evaluations()
            assert [one.value.value for one in evaluations if one.name.value == "REASON"] == [hip["reason"]["code"]]
            continue
        for site, words in (("neck", "femoral neck"), ("total", "total hip")):
            group, expected = groups[f"OsteoXR {side} {words}"], hip["estimates"][site]
            found = {one.name.value: one.value for one in group.get_measurements()}
            assert found["BMD"] == pytest.approx(expected["bmd_g_cm2"], abs=1e-4)
            assert found["T_LOW"] == pytest.approx(expected["t_interval"][0], abs=1e-4)
            assert {one.name.scheme_designator for one in group.get_measurements()} == {"99OSTEOXR"}
            corners = np.array(hip["regions"]["neck_box" if site == "neck" else "total_hip"]["corners_px"])[:, ::-1] + 0.5
            outline = group.roi.value
            assert (outline >= corners.min(axis=0) - 2).all() and (outline <= corners.max(axis=0) + 2).all()
            assert (np.ptp(outline, axis=0) > 0.4 * np.ptp(corners, axis=0)).all()
    assert "IMPLANT" in [hip["reason"]["code"] for hip in hips.values() if hip["reason"]] or name == "normal"
    patient = {one.name.value: one.value for one in groups["OsteoXR patient"].get_measurements()}
    outcome = study(screened[2], name)["outcome"]
    assert patient["P_OSTEOPOROSIS"] == pytest.approx(outcome["osteoporosis_probability"], abs=1e-4)
    assert patient["LOWEST_T"] == pytest.approx(outcome["lowest_t_score"], abs=1e-4)


@pytest.mark.parametrize("name", FILMS)
def test_masks_and_pictures_come_back_as_they_were(screened: tuple[Path, Path, dict[str, Any]], name: str) -> None:
    _, out, document = screened
    outputs = record(document, name)["outputs"]
    mask = np.asarray(Image.open(out / outputs["mask"]))
    np.testing.assert_array_equal(extract_mask(pydicom.dcmread(out / outputs["segmentation"])), mask)
    capture = pydicom.dcmread(out / outputs["capture"])
    np.testing.assert_array_equal(capture.pixel_array, np.asarray(Image.open(out / outputs["overlay"])))
    film = LoadRadiographd("image")({"image": str(EXAMPLES / f"{name}.dcm"), "label": str(out / outputs["nifti"])})
    np.testing.assert_array_equal(LoadLabeld()(film)["label"][0], mask)
    laid = LoadImage(image_only=True)(out / outputs["nifti"])
    shown = LoadImage(image_only=True, reader="PydicomReader")(EXAMPLES / f"{name}.dcm")
    assert laid.shape == shown.shape and np.array_equal(laid.numpy().T, mask)
    imager = pydicom.dcmread(EXAMPLES / f"{name}.dcm").ImagerPixelSpacing
    assert nib.load(out / outputs["nifti"]).header.get_zooms() == pytest.approx([imager[1], imager[0]])


def bundle_of(screened: tuple[Path, Path, dict[str, Any]], name: str) -> tuple[DiagnosticReport, dict[str, Any]]:
    """The report, and its observations by what they are of, once the models have taken them."""
    _, out, document = screened
    bundle = Bundle.model_validate_json((out / study(document, name)["outputs"]["fhir"]).read_text())
    by_url = {entry.fullUrl: entry.resource for entry in bundle.entry}
    (report,) = [one for one in by_url.values() if isinstance(one, DiagnosticReport)]
    observations = [by_url[one.reference] for one in report.result]
    assert len(observations) == len(bundle.entry) - 1
    return report, {one.bodySite.text if one.bodySite else "patient": one for one in observations}


@pytest.mark.parametrize("name", FILMS)
def test_fhir_has_the_numbers_of_the_results(screened: tuple[Path, Path, dict[str, Any]], name: str) -> None:
    report, observations = bundle_of(screened, name)
    header = read_dicom_header(EXAMPLES / f"{name}.dcm")
    assert report.subject.identifier.value == header.PatientID
    assert report.imagingStudy[0].identifier.value == f"urn:oid:{header.StudyInstanceUID}"
    assert "Research use only" in report.conclusion and report.status == "preliminary"
    for hip in record(screened[2], name)["hips"]:
        if hip["status"] == "refused":
            absent_hip = observations[f"{hip['side']} hip joint"]
            assert absent_hip.dataAbsentReason.text.startswith(hip["reason"]["code"]) and absent_hip.valueQuantity is None
            continue
        for site, words in (("neck", "neck of femur"), ("total", "proximal femur")):
            one, expected = observations[f"{hip['side']} {words}"], hip["estimates"][site]
            assert float(one.valueQuantity.value) == pytest.approx(expected["bmd_g_cm2"], abs=1e-4)
            parts = {part.code.coding[0].code: part for part in one.component}
            assert float(parts["T"].valueQuantity.value) == pytest.approx(expected["t_score"], abs=1e-4)
            told = parts["Z_INTERVAL"].valueRange
            assert [float(told.low.value), float(told.high.value)] == pytest.approx(expected["z_interval"], abs=1e-4)
    parts = {part.code.coding[0].code: part for part in observations["patient"].component}
    outcome = study(screened[2], name)["outcome"]
    assert parts["TRIAGE"].valueCodeableConcept.text == outcome["triage"]
    assert float(parts["P_OSTEOPOROSIS"].valueQuantity.value) == pytest.approx(outcome["osteoporosis_probability"], abs=1e-4)


def test_a_picture_goes_by_its_pseudonym(screened: tuple[Path, Path, dict[str, Any]]) -> None:
    report, _ = bundle_of(screened, "film.png")
    assert report.subject.identifier.value == study(screened[2], "film.png")["patient"] and report.imagingStudy is None


def test_what_has_no_place_in_a_pacs_has_no_objects_and_the_run_goes_on(
    screened: tuple[Path, Path, dict[str, Any]],
) -> None:
    _, out, document = screened
    outputs = record(document, "film.png")["outputs"]
    assert outputs["segmentation"] is outputs["capture"] is study(document, "film.png")["outputs"]["report"] is None
    assert (out / outputs["mask"]).is_file() and (out / outputs["nifti"]).is_file()
    broken = record(document, "broken")
    assert broken["status"] == "measured" and broken["outputs"]["segmentation"] is None
    damaged = record(document, "damaged")
    assert damaged["status"] == "refused" and not any(study(document, "damaged")["outputs"].values())
    known = {out / path for one in document["radiographs"] for path in one["outputs"].values() if path}
    known |= {out / path for one in document["studies"] for path in one["outputs"].values() if path}
    assert {*(out / "dicom").iterdir(), *(out / "fhir").iterdir()} <= known


def test_the_same_radiograph_has_the_same_uids_when_they_are_to_be_reproducible(
    screened: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    shutil.copy(EXAMPLES / "normal.dcm", tmp_path / "films")
    uids = []
    for kind in ("reproducible", "new"):
        assert ended("screen", str(tmp_path / "films"), str(tmp_path / kind), "--dicom", kind) == 0
        uids.append({str(pydicom.dcmread(file).SOPInstanceUID) for file in (tmp_path / kind / "dicom").iterdir()})
    before = {str(pydicom.dcmread(file).SOPInstanceUID) for file in written(screened, "normal").values()}
    assert uids[0] == before and len(uids[1]) == 3 and not uids[1] & before


def test_a_real_pacs_takes_them_by_c_store_and_gives_them_back_by_dicomweb(
    screened: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    if not shutil.which("storescu"):
        absent("storescu is not installed; run tests/install_debian_packages.sh")
    files = written(screened, "hip_screw")
    uid = read_dicom_header(EXAMPLES / "hip_screw.dcm").StudyInstanceUID
    with orthanc.running(tmp_path) as pacs:
        sent = ["storescu", "--aetitle", "OSTEOXR", "--call", pacs.title, "--required", "127.0.0.1", str(pacs.port)]
        subprocess.run([*sent, str(files["segmentation"]), str(files["capture"])], check=True, capture_output=True)
        part = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + files["report"].read_bytes() + b"\r\n--part--"
        kind = {"Content-Type": "multipart/related; type=application/dicom; boundary=part"}
        urllib.request.urlopen(urllib.request.Request(f"{pacs.dicomweb}/studies", part, kind, method="POST")).close()
        with urllib.request.urlopen(f"{pacs.dicomweb}/studies/{uid}/instances") as answer:
            held = {one["00080018"]["Value"][0] for one in json.load(answer)}
        for file in files.values():
            mine = pydicom.dcmread(file)
            assert mine.SOPInstanceUID in held
            with urllib.request.urlopen(f"{pacs.rest}/instances/{_found(pacs.rest, mine.SOPInstanceUID)}/file") as answer:
                (tmp_path / "back.dcm").write_bytes(answer.read())
            back = pydicom.dcmread(tmp_path / "back.dcm")
            assert {element.tag: element.value for element in back if element.tag.group > 8} == {
                element.tag: element.value for element in mine if element.tag.group > 8
            }


def _found(rest: str, uid: str) -> str:
    request = urllib.request.Request(f"{rest}/tools/lookup", data=uid.encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)[0]["ID"])


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The DICOM objects of an export with an old name, in Japanese, that lacks what it may not lack; and what was said."""
    place = tmp_path_factory.mktemp("odd")
    film = pydicom.dcmread(EXAMPLES / "normal.dcm")
    film.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    film.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    film.ReferringPhysicianName = "Dr Huber"
    film.PatientBirthDate = "19551301"
    film.IssuerOfPatientID = "HOSPITAL"
    for attribute in ("AccessionNumber", "StudyID"):
        del film[attribute]
    (place / "films").mkdir()
    film.save_as(place / "films" / "odd.dcm")
    words = [
        sys.executable,
        "-P",
        "-m",
        "scripts.apps.command",
        "screen",
        str(place / "films"),
        str(place / "out"),
        "--dicom",
        "new",
    ]
    run = subprocess.run([*words, "--fhir", "true"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return place / "out", run.stdout + run.stderr


def test_an_odd_header_has_its_objects_in_its_own_words(odd: tuple[Path, str]) -> None:
    made = [pydicom.dcmread(file) for file in (odd[0] / "dicom").iterdir()]
    assert {one.Modality for one in made} == {"SEG", "SR", "OT"}
    for one in made:
        assert one.SpecificCharacterSet == "ISO_IR 192" and str(one.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
        assert one.IssuerOfPatientID == "HOSPITAL" and one.AccessionNumber == one.PatientBirthDate == ""
    assert "its PatientBirthDate is none, and is left empty" in odd[1]


def test_nothing_that_is_said_names_anybody(odd: tuple[Path, str]) -> None:
    assert not [word for word in ("Yamada", "Huber", "19551301", "P0000") if word in odd[1]]


def two_films(one: dict[str, Any], other: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A study whose right hip counts on the second film."""
    films = [{"name": "a", "reason": None, "hips": [one, hip_of("left")]}, {"name": "b", "reason": None, "hips": [other]}]
    return {"outcome": {}, "hips": {"right": "b", "left": "a"}}, films


def hip_of(side: str, code: str = "", *cautions: str) -> dict[str, Any]:
    reason = {"code": code, "sentence": f"{code}."} if code else None
    return {"side": side, "reason": reason, "cautions": [{"code": one, "sentence": f"{one}."} for one in cautions]}


def test_a_break_on_one_film_is_told_where_another_measures_the_hip() -> None:
    told = doubts(*two_films(hip_of("right", "FRACTURE"), hip_of("right", "", "ONE_HEAD")))
    assert [(one.kind, one.side, one.film, one.code) for one in told] == [
        ("seen", "right", "a", "FRACTURE"),
        ("caution", "right", "b", "ONE_HEAD"),
    ]
    assert [one.kind for one in doubts(*two_films(hip_of("right", "CUT_OFF"), hip_of("right")))] == []
    study, films = two_films(hip_of("right"), hip_of("right"))
    lateral = {"name": "c", "reason": {"code": "NOT_AP", "sentence": "Lateral."}, "hips": []}
    assert [one.kind for one in doubts(study, [*films, lateral])] == ["unused"]
    assert [one.kind for one in doubts({**study, "outcome": None}, [lateral])] == ["refused"]
