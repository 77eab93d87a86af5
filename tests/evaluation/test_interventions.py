"""Changes alter what they say and nothing else, and the table tells how the estimates answer them."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
import scripts
from quick_start import run_module
from scripts.clinical import Code, Doubt, Reason
from scripts.clinical.anatomy import HIP
from scripts.evaluation.interventions.changes import KINDS, choose_kinds
from scripts.evaluation.interventions.effects import summarise_effects, summarise_reference
from scripts.evaluation.interventions.exam import REFERENCE_KVP, draw_exam
from scripts.evaluation.interventions.figure import draw_effects
from scripts.evaluation.interventions.measure import JOURNAL, measure_interventions
from scripts.evaluation.interventions.observations import REFERENCE, Observation
from scripts.evaluation.interventions.tables import format_interventions
from scripts.simulation.anatomy.dxa import Scan
from scripts.simulation.hardware.implants import Implant
from scripts.simulation.sites import load_sites

BUNDLE = Path(scripts.__file__).parents[1]
NOTICE = "Research use only"
KIND = {kind.name: kind for kind in KINDS}
EXTERNAL = [site for site in load_sites().values() if site.external]
CASES = [(kind, level) for kind in KINDS for level in kind.levels]
NAMES = [f"{kind.name} {kind.told(level)}" for kind, level in CASES]
TRACED_ANEW = ("cortical thickness", "marrow fat", "distance", "rotation", "abduction", "flexion", "pelvic turn")
"""Beside the groups "texture" and "soft tissue"."""


@pytest.fixture(scope="module")
def exam():
    return draw_exam(0, 3, EXTERNAL)


@pytest.fixture(scope="module")
def traced(exam):
    return exam.traced()


@pytest.fixture(scope="module")
def reference(exam, traced, tmp_path_factory):
    return written(exam, traced, tmp_path_factory.mktemp("reference"))


def written(exam, traced, folder):
    exam.write(traced, folder / "radiograph.dcm")
    return pydicom.dcmread(folder / "radiograph.dcm")


def changed(exam, name, level):
    return KIND[name].apply(exam, level)


def totals(exam):
    return np.array([getattr(exam.truth[side], site) for side in HIP.sides for site in HIP.sites])


def test_the_reference_is_of_a_pelvis_from_the_front_without_implant_or_fracture():
    for index in range(4):
        drawn = draw_exam(index, 5, EXTERNAL)
        assert drawn.study.site == EXTERNAL[index % len(EXTERNAL)].name
        assert drawn.view.exposure.kvp == REFERENCE_KVP
        assert not drawn.view.frog_leg and drawn.view.only == "" and drawn.view.export is None
        assert all(fitting.implant is Implant.NONE for fitting in drawn.phantom.fittings.values())
        assert all(disease.is_scanned for disease in drawn.phantom.diseases.values())


@pytest.mark.parametrize(("kind", "level"), CASES, ids=NAMES)
def test_a_change_moves_the_truth_where_it_says_so_and_keeps_the_seed(exam, kind, level):
    after = kind.apply(exam, level)
    assert after.seed == exam.seed and after.study == exam.study
    ratio = totals(after) / totals(exam)
    if kind.moves_truth:
        assert (ratio < 0.99).all() if level < 1 else (ratio > 1.01).all()
    else:
        np.testing.assert_allclose(ratio[[1, 3]], 1.0, atol=1e-4)  # of the total hips
        np.testing.assert_allclose(ratio, 1.0, atol=0.08 if kind.name == "pattern" else 1e-4)
    anew = kind.group in ("texture", "soft tissue") or kind.name in TRACED_ANEW
    assert after.is_traced_as(exam) is not anew


def test_the_truth_of_multiplied_mineral_is_what_dxa_scans(exam):
    bones, femurs = (totals(changed(exam, name, 0.9)) for name in ("bones", "femurs"))
    np.testing.assert_allclose(bones, 0.9 * totals(exam), rtol=1e-6)
    np.testing.assert_array_equal(bones, femurs)
    cortex, spongy = (totals(changed(exam, name, 0.8)) - totals(exam) for name in ("cortical mineral", "trabecular mineral"))
    np.testing.assert_allclose(cortex + spongy, -0.2 * totals(exam), rtol=1e-6)
    femur = exam.phantom.femurs["left"]
    scanned = Scan(femur).reading(femur.bone.denser(0.8, 1.0))
    assert changed(exam, "cortical mineral", 0.8).truth["left"].total == pytest.approx(scanned.total, abs=1e-4)
    assert totals(changed(exam, "femurs", 0.0)).max() == 0.0


def test_fat_before_and_behind_leaves_the_lean_tissue(exam):
    body, fatter = exam.phantom.body, changed(exam, "thicker by fat", 20.0).phantom.body
    assert fatter.thickness - 1.9 * fatter.fat == pytest.approx(body.thickness - 1.9 * body.fat)


def test_with_another_distance_the_detector_and_the_field_stay(exam):
    near, far = exam.view, changed(exam, "distance", 200.0).view
    at_detector = far.plane.spacing * far.source_detector / far.plane.focus_distance
    assert at_detector == pytest.approx(near.spacing)
    assert far.source_detector - far.plane.focus_distance == pytest.approx(near.source_detector - near.plane.focus_distance)
    assert far.plane.rows * far.plane.spacing == pytest.approx(near.plane.rows * near.plane.spacing, abs=0.5)


def test_a_turned_pelvis_takes_the_femurs_along(exam):
    turned = changed(exam, "pelvic turn", 8.0).phantom
    assert turned.pelvis.turn_deg - exam.phantom.pelvis.turn_deg == pytest.approx(8.0, abs=0.5)
    for side in HIP.sides:
        apart = [phantom.femurs[side].position - phantom.pelvis.hip_centre(side) for phantom in (exam.phantom, turned)]
        np.testing.assert_allclose(*apart, atol=1e-3)


HEADERS = {
    "pixel spacing": {"ImagerPixelSpacing"},
    "no pixel spacing": {"ImagerPixelSpacing"},
    "age": {"PatientAge"},
    "weight": {"PatientWeight"},
    "height": {"PatientSize"},
    "sex": {"PatientSex"},
    "no covariates": {"PatientAge", "PatientSex", "PatientWeight", "PatientSize"},
}


@pytest.mark.parametrize("name", HEADERS)
def test_what_the_header_tells_is_all_that_a_change_of_it_changes(exam, traced, reference, tmp_path, name):
    header = written(changed(exam, name, KIND[name].levels[0]), traced, tmp_path)
    assert {element.keyword for element in reference if header.get(element.tag) != element} == HEADERS[name]
    np.testing.assert_array_equal(header.pixel_array, reference.pixel_array)


@pytest.mark.parametrize(("name", "level"), [("femurs", 0.0), ("pelvis", 0.9), ("voltage", 66.0), ("dose", 0.25), ("style", "L")])
def test_what_leaves_the_rays_alone_still_changes_the_picture(exam, traced, reference, tmp_path, name, level):
    after = written(changed(exam, name, level), traced, tmp_path)
    assert after.PatientAge == reference.PatientAge
    assert (after.pixel_array != reference.pixel_array).mean() > 0.5
    assert float(after.KVP) == (level if name == "voltage" else REFERENCE_KVP)


@pytest.mark.parametrize("names", [["femur"], [], "femurs", ["femurs", "styles"]])
def test_changes_that_are_none_are_told(names):
    with pytest.raises(ValueError, match=r"changes: found .*expected a list of some of bones, femurs, .*Nothing was run\."):
        choose_kinds(names)
    assert choose_kinds(["style", "bones", "style"]) == (KIND["style"], KIND["bones"])
    assert choose_kinds(None) == KINDS


def observation(patient, change, level, truth, bmd, code="", cautions=(), grade=4.0, side="left"):
    sites = {site: truth for site in HIP.sites}
    return Observation(patient, change, level, side, sites, dict.fromkeys(HIP.sites, bmd), grade, code, cautions)


FEMURS = choose_kinds(["femurs", "age"])


def observed():
    """Two patients with one hip each; half of a change of the truth is followed by one of them, all of it by the other."""
    return [
        observation("a", REFERENCE, "", 0.80, 0.82),
        observation("b", REFERENCE, "", 0.70, 0.66),
        observation("c", REFERENCE, "", 0.70, math.nan, code="CUT_OFF"),
        observation("a", "femurs", "× 0.9", 0.72, 0.78, cautions=("UNUSUAL_FEMUR",), grade=3.0),
        observation("b", "femurs", "× 0.9", 0.63, 0.59, grade=math.nan),
        observation("c", "femurs", "× 0.9", 0.63, 0.60),
        observation("a", "femurs", "× 0", 0.0, math.nan, code="NO_FEMUR", grade=math.nan),
        observation("b", "femurs", "× 0", 0.0, math.nan, code="EXPOSURE", grade=math.nan),
        observation("a", "age", "+10 years", 0.80, 0.81),
        observation("b", "age", "+10 years", 0.70, 0.63),
        observation("a", "age", "-10 years", 0.80, 0.83),
        observation("b", "age", "-10 years", 0.70, math.nan, code="ROTATED"),
    ]


def effects_of(observations):
    return {(one.change, one.level): one for one in summarise_effects(observations, FEMURS, 0) if one.site == "total"}


def test_a_response_is_the_change_of_the_estimate_over_that_of_the_truth():
    effect = effects_of(observed())["femurs", "× 0.9"]
    assert (effect.measured, effect.refused, effect.codes, effect.doubted) == (2, 0, "", 1)
    assert effect.response_mean == pytest.approx((0.04 / 0.08 + 0.07 / 0.07) / 2)
    assert (effect.response_low, effect.response_high) == pytest.approx((0.5, 1.0))
    assert effect.truth_mean == pytest.approx(-0.075) and effect.grade_mean == pytest.approx(-1.0)


def test_where_the_truth_stays_the_change_counts_and_one_patient_has_no_interval():
    effects = effects_of(observed())
    both, one = effects["age", "+10 years"], effects["age", "-10 years"]
    assert (both.error_mean, both.error_sd) == pytest.approx((-0.02, np.std([-0.01, -0.03], ddof=1)))
    assert (both.error_low, both.error_high) == pytest.approx((-0.03, -0.01)) and math.isnan(both.response_mean)
    assert (one.measured, one.refused, one.codes) == (2, 1, "ROTATED 1")
    assert one.error_mean == pytest.approx(0.01) and math.isnan(one.error_low) and math.isnan(one.error_sd)


def test_refused_hips_leave_the_effect_unknown_and_their_reasons_told():
    effect = effects_of(observed())["femurs", "× 0"]
    assert (effect.refused, effect.codes) == (2, "NO_FEMUR 1, EXPOSURE 1") and math.isnan(effect.response_mean)


def test_the_page_has_a_row_a_change():
    effects, baselines = summarise_effects(observed(), FEMURS, 0), summarise_reference(observed())
    document = {"notice": NOTICE, "data": "simulated", "patients": 3, "measured": 2, "sites": ["simulated-4"]}
    page = format_interventions(effects, baselines, FEMURS, document)
    assert "total hip -0.010 ± 0.042 g/cm², 2 of 3 hips" in page and "nan" not in page
    assert "| × 0.9 | 0 of 2 | -0.075 | **0.75** (+0.50 to +1.00) |" in page
    assert "| × 0 | 2 of 2 | - | - | - | - | NO_FEMUR 1, EXPOSURE 1 |" in page
    assert "| +10 years | 0 of 2 | +0.000 | -0.020 ± 0.014 (-0.030 to -0.010) |" in page


def test_the_figure_has_a_panel_for_each_sort_of_change():
    responses, strays = draw_effects(summarise_effects(observed(), FEMURS, 0), "Interventions").axes
    assert [label.get_text() for label in responses.get_yticklabels()] == [
        "femurs  × 0 (2 of 2 refused)",
        "femurs  × 0.9",
        "femurs  × 1.1",
    ]
    assert [label.get_text() for label in strays.get_yticklabels()] == ["age  -10 years (1 of 2 refused)", "age  +10 years"]
    only = summarise_effects(observed(), choose_kinds(["age"]), 0)
    assert len(draw_effects(only, "Interventions").axes) == 1


class HeaderReader:
    """A screen that estimates by the header's age alone, and refuses the right hip; ``blind``: both."""

    def __init__(self, blind=False):
        self.blind, self.ages = blind, []

    def files(self, paths):
        header = pydicom.dcmread(paths[0], stop_before_pixels=True)
        self.ages.append(int(header.PatientAge[:-1]))
        reason = Reason(Code.ROTATED, "Turned.")
        caution = SimpleNamespace(code=Doubt.UNUSUAL_VIEW)
        bmd = {site: SimpleNamespace(bmd=1.5 - 0.01 * self.ages[-1]) for site in HIP.sites}
        right = SimpleNamespace(reason=reason, estimates={}, values={}, cautions=())
        left = SimpleNamespace(reason=None, estimates=bmd, values={"singh_grade": 3.5}, cautions=(caution,))
        screening = SimpleNamespace(hips=(right, right if self.blind else left))
        return SimpleNamespace(radiographs=(SimpleNamespace(seen=SimpleNamespace(screening=screening), reason=None),))


def measured(folder, screen, **settings):
    settings = {"patients": 1, "changes": ["age"], **settings}
    return measure_interventions(screen, str(folder), {}, NOTICE, **settings)


def test_a_screen_that_reads_the_header_is_found_out_and_the_same_call_goes_on(tmp_path, capsys):
    screen = HeaderReader()
    effects = {(one.level, one.site): one for one in measured(tmp_path, screen)}
    assert [age - screen.ages[0] for age in screen.ages] == [0, -10, 10]
    assert effects["+10 years", "total"].error_mean == pytest.approx(-0.1)
    assert (effects["+10 years", "total"].measured, effects["+10 years", "total"].doubted) == (1, 0)
    assert "1 simulated patients, 0 of whom could not be measured, each with 2 changes; written to" in capsys.readouterr().out
    document = json.loads((tmp_path / "interventions.json").read_text())
    assert document["reference"][0]["measured"] == 1 and len(document["effects"]) == 4
    assert (tmp_path / "interventions.png").stat().st_size > 10_000
    again = HeaderReader()
    assert len(measured(tmp_path, again)) == 4 and again.ages == []
    journal = tmp_path / JOURNAL
    journal.write_text(journal.read_text()[:-20])  # stopped while it wrote the patient
    measured(tmp_path, again)
    assert again.ages == screen.ages
    with pytest.raises(ValueError, match=r"other settings \(seed\)"):
        measured(tmp_path, again, seed=1)


def test_nothing_follows_a_reference_without_a_measurement(tmp_path):
    screen = HeaderReader(blind=True)
    with pytest.raises(ValueError, match="None of the reference radiographs of 1 patients gave a measurement"):
        measured(tmp_path, screen)
    assert len(screen.ages) == 1 and not (tmp_path / "interventions.md").exists()


def test_an_error_of_one_patient_ends_the_run(tmp_path):
    class Broken(HeaderReader):
        def files(self, paths):
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        measured(tmp_path, Broken())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patients": 0}, "patients is 0"),
        ({"changes": ["ages"]}, "'ages'.*such as"),
        ({"sites": ["nowhere"]}, "'nowhere' is not in"),
    ],
)
def test_bad_settings_are_told_before_anything_runs(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        measured(tmp_path, HeaderReader(), **settings)
    assert not (tmp_path / JOURNAL).exists()


def test_the_command_measures_the_shipped_network(tmp_path):
    files = str([str(BUNDLE / "configs" / name) for name in ("inference.yaml", "interventions.yaml")])
    words = ("--output_dir", "out", "--patients", "1", "--changes", "['cortical thickness','no covariates']")
    ended = run_module("monai.bundle", "run", "--config_file", files, *words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    rows = json.loads((tmp_path / "out/interventions.json").read_text())["effects"]
    assert [(row["change"], row["level"]) for row in rows[::2]] == [
        ("cortical thickness", "× 0.9"), ("cortical thickness", "× 1.1"), ("no covariates", "absent"),
    ]  # fmt: skip
    assert all(row["measured"] for row in rows)
    assert "1 simulated patients, 0 of whom could not be measured" in ended.stdout
