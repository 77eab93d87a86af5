"""Two sets of radiographs that are alike are found alike, and a shifted one is told apart; nothing is dropped silently."""

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import scripts
from quick_start import run_module
from scripts.clinical import QUANTITIES, Code, Limits, Reason, load_gate
from scripts.evaluation.domain_gap import features
from scripts.evaluation.domain_gap.asked import ask
from scripts.evaluation.domain_gap.features import compare_features, find_neighbours, frechet_distance, of_hips
from scripts.evaluation.domain_gap.measure import JOURNAL, _write, compare
from scripts.evaluation.domain_gap.neighbours import choose_shown, place_hips
from scripts.evaluation.domain_gap.observations import HipObservation, Observation, from_entry, observe, to_entry
from scripts.evaluation.domain_gap.tables import COLUMNS, conclude, format_page, table_rows
from scripts.screening import RadiographFindings, load_screen
from scripts.screening.scaling import BY_HEADS

BUNDLE = Path(scripts.__file__).parents[1]
LIMITS = load_gate().limits
NOTICE = "Research use only"
NAMES = ("hospital", "simulated")
SHIFTED = "exposure_contrast"


def made_up(which, count, seed, shift=0.0, contrast=0.0):
    """Radiographs of so many patients: normal values well within the limits, normal features, one hip in ten with an implant."""
    rng = np.random.default_rng(seed)
    middle = {"landmark_confidence": 0.8, "femur_probability": 0.8, "contour_agreement": 0.99, "hip_view": 0.9, "novelty": 0.8}
    middle |= {"head_diameter_mm": 45.0, "head_share": 0.25, "exposure_contrast": 0.4}

    def values():
        known = {asked.quantity.name: middle.get(asked.quantity.name, 0.02) for asked in ask(LIMITS)}
        drawn = {name: value + rng.normal(0, 0.002) for name, value in known.items()}
        return {**drawn, SHIFTED: drawn[SHIFTED] + contrast}

    def hip(side, index):
        code = "IMPLANT" if side == "left" and index % 5 == 0 else ""
        crop = rng.integers(0, 255, (24, 24), dtype=np.uint8)
        return HipObservation(side, code, values(), rng.normal(shift, 1, 12).astype(np.float32), crop)

    return [
        Observation(
            name=f"{which}{index}",
            patient=f"{which}{index}",
            code="",
            scale="PixelSpacing",
            values=values(),
            features=rng.normal(shift, 1, 16).astype(np.float32),
            hips=(hip("right", index), hip("left", index)),
        )
        for index in range(count)
    ]


def refused(name, code):
    return Observation(name, name, code, "", {}, np.empty(0, np.float32), ())


@pytest.fixture(scope="module")
def reference():
    return made_up("r", 40, 1)


@pytest.fixture(scope="module")
def alike(reference):
    """Of a hospital whose radiographs are drawn as those of the reference; one of them cannot be read."""
    hospital = [*made_up("h", 30, 2), refused("damaged", "UNREADABLE")]
    return hospital, compare(hospital, reference, NAMES, LIMITS, (), seed=0, resamples=200)


@pytest.fixture(scope="module")
def shifted(reference):
    """Of a hospital with other features, and a contrast below the gate's limit."""
    hospital = made_up("h", 30, 2, shift=2.0, contrast=-0.37)
    return hospital, compare(hospital, reference, NAMES, LIMITS, (), seed=0, resamples=200)


def test_all_that_the_gate_asks_is_compared():
    asked = {one.quantity.name for one in ask(LIMITS)}
    assert asked == {row.name for row in QUANTITIES if row.limits} | {"head_diameter_mm"}
    names = {limit.name for one in ask(LIMITS) for limit, _ in one.limits}
    assert names == set(vars(LIMITS)) - {"views", "youngest_age_years", "doubt_widens_by", "growth_possible_from"}


@pytest.mark.parametrize(
    ("name", "bounds", "value", "beyond"),
    [
        ("pelvic_turn_deg", (-LIMITS.pelvic_turn_at_most_deg, LIMITS.pelvic_turn_at_most_deg), -16.0, True),
        ("pelvic_turn_deg", (-LIMITS.pelvic_turn_at_most_deg, LIMITS.pelvic_turn_at_most_deg), 14.0, False),
        ("landmark_confidence", (0.1, 0.25), 0.2, True),
        ("head_diameter_mm", (34.0, 60.0), 61.0, True),
        ("head_diameter_mm", (34.0, 60.0), 45.0, False),
    ],
)
def test_a_value_beyond_a_limit_is_told(name, bounds, value, beyond):
    (asked,) = (one for one in ask(LIMITS) if one.quantity.name == name)
    assert asked.bounds == bounds and asked.beyond(value) is beyond


def test_a_limit_that_is_not_judged_is_not_drawn():
    (novelty,) = (one for one in ask(Limits(**{**vars(LIMITS), "novelty_at_most": math.inf})) if one.quantity.name == "novelty")
    assert novelty.bounds == () and not novelty.beyond(1e6)


def test_sets_that_are_alike_are_found_alike(alike):
    _, gap = alike
    for one in gap.features:
        assert one.auc < 0.65 and one.auc_ci95[0] < 0.5
        assert 0.7 < one.ratio < 1.4
    for one in gap.quantities:
        assert 0.3 < one.auc < 0.7 and one.ks < 0.4
    assert "can hardly be told apart" in conclude(gap)[0]


def test_a_set_against_itself_has_no_distance(reference):
    gap = compare(reference, reference, NAMES, LIMITS, (), seed=0, resamples=50)
    assert all(one.ks == 0 and one.auc == pytest.approx(0.5) for one in gap.quantities)
    assert all(one.ratio < 1.1 and one.auc == pytest.approx(0.5, abs=0.1) for one in gap.features)
    assert not any("differ most" in sentence for sentence in conclude(gap))


def test_a_shifted_set_is_told_apart(shifted):
    _, gap = shifted
    for one in gap.features:
        assert one.auc > 0.95 and one.ratio > 2
    first = gap.quantities[0]
    assert first.asked.quantity.name == SHIFTED
    assert (first.auc, first.ks) == (0, 1) and first.hospital.beyond > 0.9 > 0.1 > first.reference.beyond
    sentences = conclude(gap)
    assert "can nearly always be told apart" in sentences[0]
    medians = f"hospital median {first.hospital.median:.3g}, simulated {first.reference.median:.3g}"
    assert any(f"differ most: exposure contrast ({medians}, " in sentence for sentence in sentences)
    assert "no evidence of accuracy" in sentences[-1]


def test_refusals_are_counted_by_code(alike):
    _, gap = alike
    ours, known = gap.refusals
    assert (ours.radiographs, ours.seen, ours.unread) == (31, 30, {"UNREADABLE": 1})
    assert (ours.hips, ours.hips_refused, known.hips_refused) == (60, {"IMPLANT": 6}, {"IMPLANT": 8})
    (sentence,) = (one for one in conclude(gap) if one.startswith("Of the 60 hips"))
    assert "6 (10%) would be refused: IMPLANT 6. 1 more radiographs got no further: UNREADABLE 1." in sentence


def test_the_distance_of_two_normal_distributions_is_known():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, (20000, 2)), rng.normal([3, 0], [2, 1], (20000, 2))
    assert frechet_distance(one, other) == pytest.approx(math.hypot(3, 2 - 1), abs=0.05)


def test_other_pseudonyms_change_no_number(reference):
    hospital = of_hips(made_up("h", 12, 2, shift=0.3))
    renamed = features.FeatureSet(hospital.features, tuple(patient[::-1] for patient in hospital.patients))
    assert renamed.patients != hospital.patients
    one, other = (compare_features("hip", ours, of_hips(reference), 0, 50) for ours in (hospital, renamed))
    assert one == other


def test_too_few_patients_give_no_distance(reference):
    few = of_hips(made_up("h", 3, 4))
    gap = compare_features("hip", few, of_hips(reference), 0, 50)
    assert gap.hospital == 6 and all(map(math.isnan, (gap.distance, gap.ratio, gap.auc)))


def test_the_nearest_hips_are_those_of_the_nearest_patients():
    rng = np.random.default_rng(0)
    patients = [f"p{index // 2}" for index in range(20)]
    known = features.FeatureSet(rng.normal(0, 1, (20, 6)), tuple(patients))
    theirs = features.FeatureSet(known.features[[4, 9]] + 1e-6, ("x", "y"))
    distances, nearest = find_neighbours(theirs, known)
    assert nearest[:, 0].tolist() == [4, 9] and (distances < 1).all()
    assert all(len({patients[index] for index in row}) == 3 for row in nearest)


def test_typical_and_untypical_hips_are_shown_once_a_radiograph(reference):
    hospital = made_up("h", 12, 3)
    odd = HipObservation("right", "", hospital[5].hips[0].values, np.full(12, 9, np.float32), hospital[5].hips[0].crop)
    hospital[5] = Observation(**{**vars(hospital[5]), "hips": (odd, hospital[5].hips[1])})
    placed = place_hips(hospital, reference)
    least, most = choose_shown(placed)
    assert least[0].name == "h5" and least[0].hip is odd and least[0].distance > 2
    names = [found.name for found in (*least, *most)]
    assert len(names) == len(set(names)) == 8
    assert most[0].distance == min(found.distance for found in placed if found.name not in names[:4])


def test_what_is_kept_of_a_radiograph_comes_back(reference):
    again = from_entry(json.loads(json.dumps(to_entry(reference[0]))))
    assert {key: again.__dict__[key] for key in ("name", "code", "values")} == {
        key: reference[0].__dict__[key] for key in ("name", "code", "values")
    }
    np.testing.assert_array_equal(again.features, reference[0].features)
    np.testing.assert_array_equal(again.hips[1].crop, reference[0].hips[1].crop)


def test_what_could_not_be_read_has_its_code():
    found = RadiographFindings("a", Reason(Code.NO_SPACING, "No pixel size."))
    observation = observe(found, "p", set())
    assert (observation.code, observation.seen, observation.hips) == ("NO_SPACING", False, ())


def test_what_is_no_value_is_left_out():
    screen = load_screen()
    (found,) = screen.files([BUNDLE / "examples/images/hip_replacement.dcm"]).radiographs
    estimated = {name for head in screen.network.heads.values() for name in head.names}
    right, left = observe(found, "p", estimated).hips
    assert (right.code, left.code) == ("", "IMPLANT")
    assert {"metal_fraction", "femur_probability"} <= left.values.keys()
    assert "fracture_probability" in right.values and "fracture_probability" not in left.values
    assert right.features.shape == (256,) and right.crop.dtype == np.uint8 and right.crop.std() > 10
    assert 34 < right.values["head_diameter_mm"] < 60
    found.seen.image.meta["spacing_source"] = BY_HEADS
    assert "head_diameter_mm" not in observe(found, "p", estimated).hips[0].values


def test_all_files_are_written_and_name_no_infinite_number(shifted, reference, tmp_path):
    hospital, gap = shifted
    written = _write(gap, (hospital, reference), {"seed": 0}, NOTICE, tmp_path, "simulated")
    assert sorted(written) == sorted(file.name for file in tmp_path.iterdir())
    assert all((tmp_path / name).stat().st_size > 10_000 for name in written if name.endswith(".png"))
    document = json.loads((tmp_path / "domain_gap.json").read_text())
    assert document["provenance"] == {"seed": 0} and document["features"][1]["auc"] > 0.95
    with (tmp_path / "domain_gap.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and rows[0]["quantity"] == SHIFTED and float(rows[0]["hospital_beyond"]) > 0.9
    page = (tmp_path / "domain_gap.md").read_text()
    assert "neighbours.png" in page and "nan" not in page.replace("provenance", "")


def test_a_set_without_hips_is_reported_too(reference, tmp_path):
    hospital = [Observation(**{**vars(one), "hips": ()}) for one in made_up("h", 12, 3)]
    gap = compare(hospital, reference, NAMES, LIMITS, (), seed=0, resamples=50)
    assert gap.refusals[0].sides_without == 24
    written = _write(gap, (hospital, reference), {}, NOTICE, tmp_path, "simulated")
    assert "neighbours.png" not in written
    assert "Of the 0 hips found on 12 hospital radiographs, 0 would be refused." in format_page(gap, NOTICE, {})
    assert {row["hospital_count"] for row in table_rows(gap) if row["of"] == "hip"} == {0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The examples, each twice, the second a little noisy; and a file that is none."""
    folder = tmp_path_factory.mktemp("radiographs")
    rng = np.random.default_rng(0)
    for path in sorted((BUNDLE / "examples/images").glob("*.dcm")):
        shutil.copy(path, folder)
        noisy = pydicom.dcmread(path)
        noisy.SOPInstanceUID = noisy.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        noisy.StudyInstanceUID, noisy.PatientID = pydicom.uid.generate_uid(), f"{noisy.PatientID}-2"
        pixels = noisy.pixel_array
        changed = pixels + rng.normal(0, 0.002 * pixels.max(), pixels.shape)
        noisy.PixelData = changed.clip(0, pixels.max()).astype(pixels.dtype).tobytes()
        noisy.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        noisy.save_as(folder / f"noisy_{path.name}")
    (folder / "damaged.dcm").write_bytes(b"DICM")
    return folder


def run(where, *options):
    files = str([str(BUNDLE / "configs" / name) for name in ("inference.yaml", "domain_gap.yaml")])
    return run_module("monai.bundle", "run", "--config_file", files, *options, cwd=where)


def test_the_command_compares_two_folders_and_goes_on_where_it_was_stopped(folder, tmp_path):
    options = ("--dataset_dir", str(folder), "--reference_dir", str(folder), "--output_dir", "out")
    ended = run(tmp_path, *options)
    assert ended.returncode == 0, ended.stderr
    out = tmp_path / "out"
    document = json.loads((out / "domain_gap.json").read_text())
    assert document["hospital"]["radiographs"] == 13 and document["hospital"]["unread"] == {"UNREADABLE": 1}
    assert document["hospital"]["scales"] == {"ImagerPixelSpacing/magnification": 12}
    assert all(row["ks"] == 0 for row in document["quantities"])
    assert all(abs(one["auc"] - 0.5) < 0.2 for one in document["features"])
    configuration = document["provenance"]["configuration"]
    assert [file["file"] for file in configuration["files"]] == ["inference.yaml", "domain_gap.yaml"]
    assert configuration["overrides"] == {} and len(document["provenance"]["weights"]["sha256"]) == 64
    assert "13 of 13 hospital and 13 of 13 reference (patients) radiographs; written to out" in ended.stdout
    told = "".join(file.read_text() for file in out.iterdir() if file.suffix in (".md", ".csv", ".json", ".jsonl"))
    for path in folder.glob("*normal.dcm"):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert str(header.PatientID) not in told and str(header.PatientName) not in told

    lines = (out / JOURNAL).read_text().splitlines(keepends=True)
    (out / JOURNAL).write_text("".join(lines[:-4]))
    again = run(tmp_path, *options)
    assert again.returncode == 0, again.stderr
    assert len((out / JOURNAL).read_text().splitlines()) == len(lines)
    once_more = json.loads((out / "domain_gap.json").read_text())
    for key in ("hospital", "reference", "quantities", "features", "neighbours"):
        assert once_more[key] == document[key]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "No --reference_dir given"),
        (("--reference_dir", "absent"), "--reference_dir absent: there is no such folder"),
        (("--reference_dir", "empty"), "holds no radiographs"),
        (("--reference_dir", "out"), "--output_dir out is also --reference_dir"),
        (("--reference_dir", str(BUNDLE / "examples"), "--sample", "3"), "sample is 3; expected a whole number of at least 10"),
    ],
)
def test_what_is_missing_ends_with_a_sentence(tmp_path, options, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "out").mkdir()
    shutil.copy(BUNDLE / "examples/images/normal.dcm", tmp_path / "out")
    ended = run(tmp_path, "--dataset_dir", str(BUNDLE / "examples"), "--output_dir", "out", *options)
    assert ended.returncode == 1
    assert words in ended.stderr.splitlines()[-1]


def test_too_few_radiographs_end_with_a_sentence(tmp_path):
    for index in range(12):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{index}.dcm").write_bytes(b"DICM")
    both = ("--dataset_dir", str(tmp_path / "in"), "--reference_dir", str(tmp_path / "in"), "--output_dir", "out")
    ended = run(tmp_path, *both)
    assert ended.returncode == 1
    words = "--dataset_dir: the networks could look at 0 of the 12 hospital radiographs (UNREADABLE 12); expected at least 10"
    assert words in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "out" / "domain_gap.md").exists()
