"""Evaluation and calibration of the gate, on folders of results as inference writes them."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scripts.clinical import Code, RadiographFacts, Reason, interpret, load_gate
from scripts.clinical.anatomy import HIP
from scripts.clinical.limits import NETWORK_GATE_FILE
from scripts.evaluation.gate.calibration import calibrate_gate
from scripts.evaluation.gate.evaluation import evaluate_gate
from scripts.evaluation.gate.radiographs import FINE, read_refusable, read_valid
from scripts.measurement.hip_geometry import HipGeometry
from scripts.radiograph.geometry import Orientation
from scripts.results.record import make_refused_record, make_screened_record
from scripts.screening import Seen
from values import CLEAR, found

POINTS = {name: [10.0, 10.0] for name in HIP.landmarks}
CUT = {**POINTS, "lesser_trochanter": None}
META = {
    "study_uid": "1",
    "series_uid": "1",
    "sop_uid": "1",
    "spacing_mm": (0.3, 0.3),
    "resample_scale": (1.0, 1.0),
    "displayed_shape": (1, 1),
    "orientation": Orientation(),
    "spacing_source": "PixelSpacing",
}


def item(file):
    return {"name": file, "study": file, "patient": file}


def record(file, right=None, left=None, **picture):
    measured = tuple({**CLEAR, "head_diameter_mm": diameter} for diameter in (45.0, 46.0))
    facts = RadiographFacts(age_years=70, sex="F", view="AP", measured=measured)
    screening = interpret(found(right, left, **picture), facts)
    image, mask = MetaTensor(torch.zeros(1, 1, 1), meta=META), np.zeros((1, 1), np.uint8)
    prediction = {
        "landmarks": torch.zeros(2, 5, 2),
        "landmark_confidence": torch.ones(2, 5),
        "crops": torch.zeros(2, 4, 3),
        "crop_transforms": torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]] * 2),
    }
    seen = Seen(image, torch.zeros(4), prediction, facts, screening, mask, (HipGeometry(), HipGeometry()))
    return make_screened_record(item(file), file, seen, {})


def write_results(folder, records, weights="a" * 64):
    folder.mkdir()
    document = {"provenance": {"weights": {"sha256": weights}}, "radiographs": records}
    (folder / "results.json").write_text(json.dumps(document))
    return str(folder)


def write_manifest(folder, rows):
    folder.mkdir()
    for row in rows:
        (folder / row["image"]).write_bytes(b"")
        if "landmarks" in row:
            name = f"{row['image']}.json"
            (folder / name).write_text(json.dumps(row["landmarks"]))
            row["landmarks"] = name
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return str(folder)


def row(image, right="none", left="none", **others):
    landmarks = others.pop("landmarks", {"right": POINTS, "left": POINTS})
    implants = {"right_implant": right, "left_implant": left, "right_fracture": "none", "left_fracture": "none"}
    return {"image": image, "split": "test", "site": "simulated-4", "view": "AP", **implants, **others, "landmarks": landmarks}


@pytest.fixture
def cohort(tmp_path):
    """Nine fine films, one with an implant, one cut off, one wrongly refused, a frog-leg view, and one of the training."""
    rows = [row(f"fine{index}.dcm") for index in range(9)]
    rows += [row("implant.dcm", right="total_hip"), row("cut.dcm", landmarks={"right": POINTS, "left": CUT}), row("lost.dcm")]
    rows += [row("frog.dcm", view="frog-leg"), row("seen.dcm", split="train"), row("bad.dcm", "total_hip", "total_hip")]
    for entry in rows:
        entry |= {"pelvic_turn_deg": "3.0", "right_rotation_deg": "", "left_rotation_deg": "-39.0"}
    records = [record(f"fine{index}.dcm", hip_view=0.9 + index / 100, novelty=index / 10) for index in range(9)]
    records += [record("implant.dcm", right={"metal_fraction": 0.4}), record("cut.dcm", left={"landmark_confidence": 0.2})]
    records += [
        record("lost.dcm", {"contour_agreement": 0.8}, {"contour_agreement": 0.8}, hip_view=0.01),
        record("frog.dcm", {"shaft_abduction_deg": 50.0}, {"shaft_abduction_deg": 50.0}),
    ]
    records += [record("seen.dcm"), record("bad.dcm", {"metal_fraction": 0.4}, {"metal_fraction": 0.5})]
    return write_manifest(tmp_path / "cohort", rows), write_results(tmp_path / "cohort_results", records)


@pytest.fixture
def others(tmp_path):
    rows = [{"image": f"{index}.dcm", "kind": kind} for index, kind in enumerate(("chest", "chest", "skull"))]
    unread = make_refused_record(item("0.dcm"), "0.dcm", Reason(Code.NOT_A_HIP, "The header says chest."))
    records = [unread, record("1.dcm", hip_view=0.01, novelty=60.0), record("2.dcm", hip_view=0.8)]
    return write_manifest(tmp_path / "others", rows), write_results(tmp_path / "others_results", records)


def test_valid_is_what_has_a_hip_to_measure(cohort):
    kinds = {film.file: film.kind for film in read_valid(*cohort, ["test"])}
    assert "seen.dcm" not in kinds
    assert {file: kind for file, kind in kinds.items() if kind != FINE} == {"frog.dcm": "frog-leg", "bad.dcm": "implant"}
    truths = {film.file: [hip.truth for hip in film.hips] for film in read_valid(*cohort, ["test"])}
    assert truths["implant.dcm"] == ["implant", FINE]
    assert truths["cut.dcm"] == [FINE, "cut off"]


@pytest.mark.parametrize(
    ("turn", "right", "left", "kind", "truths"),
    [
        ("-16", "0", "0", "turned pelvis", [FINE, FINE]),
        ("15", "41", "-39", FINE, ["turned", FINE]),
        ("0", "60", "-41", "turned", ["turned", "turned"]),
    ],
)
def test_turned_hips_are_none_to_measure(tmp_path, turn, right, left, kind, truths):
    films = [row("0.dcm", pelvic_turn_deg=turn, right_rotation_deg=right, left_rotation_deg=left)]
    results = write_results(tmp_path / "results", [record("0.dcm")])
    (film,) = read_valid(write_manifest(tmp_path / "cohort", films), results, ["test"])
    assert film.kind == kind and [hip.truth for hip in film.hips] == truths


def test_shares_are_by_site_kind_and_hip(cohort, others, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    evaluate_gate(*cohort, *others, str(NETWORK_GATE_FILE), str(out), "Research use only", ["test"])
    with (out / "gate.csv").open(newline="") as file:
        shares = {(share["level"], share["group"]): share for share in csv.DictReader(file)}

    def counts(level, group):
        return int(shares[level, group]["right"]), int(shares[level, group]["of"])

    assert counts("radiograph", "valid") == counts("radiograph", "valid, simulated-4") == (11, 12)
    assert counts("radiograph", "to be refused") == (4, 5)
    assert counts("radiograph", "chest") == (2, 2) and counts("radiograph", "skull") == (0, 1)
    assert shares["radiograph", "chest"]["codes"] == "NOT_A_HIP 1, NOVEL 1"
    assert counts("radiograph", "frog-leg") == (1, 1)
    assert counts("hip", "implant") == counts("hip", "cut off") == (1, 1)
    assert counts("hip", FINE) == (20, 22)
    low, high = (float(shares["radiograph", "valid"][end]) for end in ("ci95_low", "ci95_high"))
    assert (low, high) == (pytest.approx(0.6461, abs=1e-3), pytest.approx(0.9851, abs=1e-3))
    with (out / "wrong.csv").open(newline="") as file:
        wrong = {line["file"]: line["wanted"] for line in csv.DictReader(file)}
    assert wrong == {"lost.dcm": "accepted", "2.dcm": "refused"}
    assert "11 of 12 (91.7%)" in (out / "gate.md").read_text() and "11 of 12" in capsys.readouterr().out
    assert (out / "gate.png").stat().st_size > 10_000


def test_without_a_manifest_the_sub_folder_is_the_kind(tmp_path):
    (tmp_path / "others").mkdir()
    results = write_results(tmp_path / "results", [record("hand/1.dcm", hip_view=0.1)])
    assert [film.kind for film in read_refusable(str(tmp_path / "others"), results, ["test"])] == ["hand"]


def test_results_of_other_weights_are_not_mixed(cohort, others, tmp_path):
    foreign = write_results(tmp_path / "foreign", [record("1.dcm")], weights="b" * 64)
    with pytest.raises(ValueError, match="different weights"):
        evaluate_gate(*cohort, others[0], foreign, str(NETWORK_GATE_FILE), str(tmp_path), "", ["test"])
    target = tmp_path / "gate.json"
    with pytest.raises(ValueError, match="different weights"):
        calibrate_gate(
            *cohort, *others, str(NETWORK_GATE_FILE), str(target), ["test"], faulty_dir=cohort[0], faulty_results=foreign
        )
    assert not target.exists()


@pytest.mark.parametrize(("name", "words"), [("nowhere", "no results can be read"), ("others_results", "has no row")])
def test_results_that_do_not_belong_to_the_cohort_are_named(cohort, others, tmp_path, name, words):
    with pytest.raises(ValueError, match=rf"{name}.*{words}"):
        read_valid(cohort[0], str(tmp_path / name), ["test"])


def calibrated(tmp_path, valid, refusable, femurs=(0.1, 0.3)):
    """Thresholds from (hip_view, novelty, fracture, rotation) of valid films and (kind, hip_view, fracture) of others.

    Half of what is found on the others looks like a femur a little, none of it as much as any on the valid ones.
    """
    files = [f"{index}.dcm" for index in range(max(len(valid), len(refusable)))]
    films = [
        record(file, *[{"fracture_probability": fracture, "outward_rotation_deg": rotation}] * 2, hip_view=view, novelty=novelty)
        for file, (view, novelty, fracture, rotation) in zip(files, valid, strict=False)
    ]
    others = [
        record(file, *[{"fracture_probability": fracture, "femur_probability": femur} for femur in femurs], hip_view=view)
        for file, (_, view, fracture) in zip(files, refusable, strict=False)
    ]
    rows = [row(film["file"]) for film in films]
    kinds = [{"image": film["file"], "kind": kind[0]} for film, kind in zip(others, refusable, strict=True)]
    folders = write_manifest(tmp_path / "v", rows), write_results(tmp_path / "vr", films)
    folders += write_manifest(tmp_path / "o", kinds), write_results(tmp_path / "or", others)
    target = tmp_path / "gate.json"
    calibrate_gate(*folders, str(NETWORK_GATE_FILE), str(target), ["test"], 0.995)
    return target


def test_calibration_accepts_the_valid_and_is_of_their_weights(tmp_path):
    rng = np.random.default_rng(0)
    valid = [(rng.uniform(0.9, 1), rng.uniform(0, 9), rng.uniform(0, 0.1), rng.normal(0, 20)) for _ in range(400)]
    refusable = [("chest", rng.uniform(0, 0.1), 0.0) for _ in range(50)] + [("fracture", 0.95, 0.9)] * 50
    target = calibrated(tmp_path, valid, refusable)
    gate = load_gate(target, weights_sha256="a" * 64)
    assert not gate.notes and load_gate(target, weights_sha256="b" * 64).notes
    limits = gate.limits
    # Half way, in logits; the fractures look like hips, and are refused for what they are.
    least, most = sorted(view for view, *_ in valid)[1], max(view for kind, view, _ in refusable if kind == "chest")
    odds = math.sqrt(least / (1 - least) * most / (1 - most))
    assert limits.hip_view_at_least == pytest.approx(odds / (1 + odds), abs=1e-3)
    assert sum(1.1 * novelty > limits.novelty_at_most for _, novelty, *_ in valid) == 1
    assert 0.3 < limits.femur_at_least < 0.97
    assert limits.fracture_at_most == pytest.approx(0.5, abs=0.05) and limits.growth_at_most == 0.5
    assert limits.rotation_outward_at_most_deg > 40 > sum(rotation for *_, rotation in valid) / len(valid)
    assert limits.complete_at_least == load_gate().limits.complete_at_least
    assert math.isfinite(limits.pelvic_turn_at_most_deg) and limits.pelvic_turn_at_most_deg == 15


def test_where_others_look_like_hips_the_valid_decide_at_twice_the_odds(tmp_path):
    valid = [(0.9 + index / 1000, 1.0, 0.01, 3.0) for index in range(50)]
    limits = load_gate(calibrated(tmp_path, valid, [("chest", 0.1, 0.0), ("chest", 0.95, 0.0)], (0.9, 0.9))).limits
    assert limits.hip_view_at_least == pytest.approx(0.9 / (0.9 + 2 * 0.1), abs=1e-3)


def test_where_broken_hips_look_whole_the_fine_ones_decide_without_a_margin(tmp_path):
    valid = [(0.95, 1.0, index / 200, 3.0) for index in range(50)]
    limits = load_gate(calibrated(tmp_path, valid, [("fracture", 0.95, index / 50) for index in range(50)])).limits
    passed = sum(fracture <= limits.fracture_at_most for _, _, fracture, _ in valid)
    assert passed in (48, 49), "96% of 50, and hardly more"


def test_a_fracture_is_learnt_from_a_second_cohort(cohort, others, tmp_path):
    def limits(broken, folder):
        (tmp_path / folder).mkdir()
        films = [record(f"{index}.dcm", {"fracture_probability": broken}) for index in range(20)]
        rows = [row(film["file"], right_fracture="neck") for film in films]
        faulty = write_manifest(tmp_path / folder / "f", rows), write_results(tmp_path / folder / "fr", films)
        target = tmp_path / folder / "gate.json"
        calibrate_gate(*cohort, *others, str(NETWORK_GATE_FILE), str(target), ["test"], 0.995, 0.995, 0.995, *faulty)
        return load_gate(target).limits

    assert limits(0.4, "a").fracture_at_most < limits(0.9, "b").fracture_at_most < 0.9


def test_an_angle_that_earlier_weights_told_worse_is_refused_from_the_clinical_limit_on(cohort, others, tmp_path):
    earlier = json.loads(NETWORK_GATE_FILE.read_text())
    earlier["limits"]["rotation_outward_at_most_deg"]["value"] = 55.0
    target = tmp_path / "gate.json"
    target.write_text(json.dumps(earlier))
    calibrate_gate(*cohort, *others, str(target), str(target), ["test"])
    assert load_gate(target).limits.rotation_outward_at_most_deg == 40


def test_calibration_is_the_same_each_time(tmp_path):
    films = [(0.9 + index / 1000, index, 0.01, 3.0) for index in range(50)], [("chest", 0.1, 0.0)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert calibrated(tmp_path / "a", *films).read_bytes() == calibrated(tmp_path / "b", *films).read_bytes()


def test_broken_hips_are_told_by_kind_and_distance_and_angles_by_their_slope(tmp_path, capsys):
    fine = write_manifest(tmp_path / "fine", [row("fine.dcm")]), write_results(tmp_path / "fine_results", [record("fine.dcm")])
    rows, records = [], []
    for index in range(20):
        rows.append(row(f"{index}.dcm", pelvic_turn_deg=f"{index - 10}", pelvic_tilt_deg="0"))
        rows[-1] |= {"left_fracture": "basicervical", "left_fracture_displacement_mm": "8" if index % 2 else "0.4"}
        rows[-1] |= {"right_fracture_displacement_mm": "0", "right_rotation_deg": f"{3 * index - 30}", "left_rotation_deg": "0"}
        turned = {"outward_rotation_deg": 3.0 * index - 28.0, "fracture_probability": index / 100}
        records.append(
            record(f"{index}.dcm", turned, {"fracture_probability": 0.1 if index < 4 else 0.9}, pelvic_turn_deg=0.5 * index)
        )
    faulty = write_manifest(tmp_path / "faulty", rows), write_results(tmp_path / "faulty_results", records)
    (tmp_path / "out").mkdir()
    evaluate_gate(*fine, None, None, str(NETWORK_GATE_FILE), str(tmp_path / "out"), "Research use only", ["test"], *faulty)
    with (tmp_path / "out" / "fractures.csv").open(newline="") as file:
        told = {share["group"]: share for share in csv.DictReader(file)}
    assert set(told) == {"fracture", "basicervical", "6 to 12 mm apart"}, "those too near each other to be seen count for none"
    assert told["basicervical"]["of"] == "10" and float(told["basicervical"]["sensitivity"]) == pytest.approx(0.8)
    assert 0.9 < float(told["fracture"]["auc"]) < 1
    with (tmp_path / "out" / "angles.csv").open(newline="") as file:
        angles = {fit["angle"]: fit for fit in csv.DictReader(file)}
    assert float(angles["turn of the pelvis"]["slope"]) < 0.7
    assert float(angles["outward rotation of the femur"]["slope"]) == pytest.approx(1.0, abs=0.1)
    said = capsys.readouterr().out
    assert "| basicervical | 10 |" in said and "| turn of the pelvis | " in said


def test_a_fracture_that_hardly_shows_is_neither_to_be_measured_nor_to_be_refused(tmp_path, capsys):
    crack = {"left_fracture": "basicervical", "left_fracture_displacement_mm": "0.4"}
    rows = [row("beside.dcm", **crack), row("implant.dcm", "total_hip", **crack), row("fine.dcm")]
    cohort = write_manifest(tmp_path / "c", rows), write_results(tmp_path / "r", [record(entry["image"]) for entry in rows])
    (tmp_path / "out").mkdir()
    evaluate_gate(*cohort, None, None, str(NETWORK_GATE_FILE), str(tmp_path / "out"), "Research use only", ["test"])
    with (tmp_path / "out" / "gate.csv").open(newline="") as file:
        told = {(share["level"], share["group"]): share for share in csv.DictReader(file)}
    assert told["radiograph", "valid"]["of"] == "2" and told["hip", FINE]["of"] == "3"
    assert {group for level, group in told if level == "hip"} == {FINE}
    assert ("radiograph", "to be refused") not in told
