"""Calibrating to a hospital: what is true is recovered, what does not help is refused, and a later drift is told."""

import json
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from fake_screening import RIGHT, FakeCascade, MainJob, channels_of, fake_screen, item_of
from scripts.clinical import load_criteria
from scripts.clinical.calibration import SLOPES, load_calibration
from scripts.evaluation.local.agreement import Agreement, measure_agreement
from scripts.evaluation.local.calibrate import calibrate
from scripts.evaluation.local.choice import Kept, choose, choose_all
from scripts.evaluation.local.drift import check_calibration, compare, difference_interval, read_expected
from scripts.evaluation.local.fit import fit_line, fit_with_line, interval_factor, predict_unseen
from scripts.evaluation.local.pairs import Pairs
from scripts.screening import Interpretd

HALF = load_criteria().normal_quantiles[1]

CONSEQUENCE = {"bias": 0.02, "slope": 0.1, "coverage": 0.05}


def pairs_of(patients, offset=0.0, slope=1.0, scatter=0.05, told_sd=0.05, seed=0):
    """Two hips a patient, whose errors go along with each other; DXA is offset + slope x estimate, give or take."""
    random = np.random.default_rng(seed)
    people = np.repeat(np.arange(patients), 2)
    estimate = np.repeat(random.normal(0.8, 0.14, patients), 2) + random.normal(0, 0.03, 2 * patients)
    shared, own = np.repeat(random.normal(0, 0.8, patients), 2), random.normal(0, 0.6, 2 * patients)
    dxa = offset + slope * estimate + scatter * (shared + own)
    return with_intervals(estimate, np.full(2 * patients, told_sd), dxa, people)


def with_intervals(estimate, sd, dxa, people, low=-HALF, high=HALF):
    """Of one hospital; the intervals reach so many standard deviations from the estimate, normal ones by default."""
    ends = (np.full(len(dxa), end) for end in (low, high))
    return Pairs(estimate, sd, dxa, *ends, people, np.full(len(dxa), "simulated-1"))


@pytest.mark.parametrize(("offset", "slope"), [(0.0, 1.0), (0.1, 1.0), (-0.05, 1.2), (0.3, 0.6)])
@pytest.mark.parametrize("factor", [0.6, 1.0, 2.0])
def test_offset_slope_and_factor_are_recovered(offset, slope, factor):
    made = fit_with_line(pairs_of(500, offset, slope, 0.05, 0.05 / factor), folds=5, seed=0)
    assert made.offset_g_cm2 == pytest.approx(offset, abs=0.025) and made.slope == pytest.approx(slope, abs=0.03)
    assert made.sd_factor == pytest.approx(factor, rel=0.1)


@pytest.mark.parametrize(("slope", "kept"), [(0.1, SLOPES[0]), (-1.0, SLOPES[0]), (3.0, SLOPES[1])])
def test_a_slope_that_no_calibration_can_have_is_set_to_the_nearest_and_leaves_no_bias(slope, kept):
    pairs = pairs_of(100, slope=slope)
    made = fit_line(pairs)
    assert made.slope == kept
    assert made.offset_g_cm2 + kept * pairs.estimate.mean() == pytest.approx(pairs.dxa.mean())


def test_estimates_that_do_not_vary_are_shifted_alone():
    pairs = pairs_of(20)
    made = fit_line(replace(pairs, estimate=np.full(40, 0.75)))
    assert (made.slope, made.offset_g_cm2) == (1.0, pytest.approx(pairs.dxa.mean() - 0.75))


@pytest.mark.parametrize("patients", [50, 100])
def test_new_patients_are_covered_as_often_as_promised(patients):
    """Over many hospitals, whose hips' errors go along by patient: by hip and not by patient the factor would be too small."""
    covered = []
    for seed in range(40):
        made = fit_with_line(pairs_of(patients, 0.1, 0.8, 0.08, 0.05, seed), folds=5, seed=seed)
        new = pairs_of(200, 0.1, 0.8, 0.08, 0.05, 1000 + seed)
        estimate, sd = np.array([made.apply(*both) for both in zip(new.estimate, new.sd, strict=True)]).T
        covered.append(measure_agreement(replace(new, estimate=estimate, sd=sd), 0).coverage)
    assert 0.89 <= np.mean(covered) <= 0.93


def test_each_patient_counts_once_for_the_factor_however_many_radiographs_there_are():
    pairs = pairs_of(40)
    many = np.concatenate([np.arange(80), np.zeros(300, dtype=int)])
    assert interval_factor(pairs.take(many)) == pytest.approx(interval_factor(pairs), rel=0.15)


def test_five_patients_tell_no_interval():
    with pytest.raises(ValueError, match=r"No 90% interval: 5 patients do not tell .*; expected 9 or more\..*No calibration"):
        interval_factor(pairs_of(5))


def test_no_patient_is_predicted_by_a_fit_that_saw_it():
    pairs, seen = pairs_of(23), []

    def fit(part):
        seen.append(set(part.dxa))
        return fit_line(part)

    unseen = predict_unseen(pairs, fit, 5, 0)
    assert all(np.isfinite(unseen.estimate)) and len(seen) == 5
    for patient in range(23):
        own = set(pairs.dxa[pairs.patients == patient])
        assert sorted(len(own & part) for part in seen) == [0, 2, 2, 2, 2]


def test_what_helps_is_kept():
    choice = choose("total", pairs_of(120, 0.1, 0.8), 50, 5, 0)
    assert choice.kept is Kept.BOTH and choice.why == ""
    assert choice.after.rmse < choice.before.rmse and abs(choice.after.bias) < 0.01 < abs(choice.before.bias)
    assert choice.after.slope == pytest.approx(1, abs=0.06) and choice.before.slope == pytest.approx(0.8, abs=0.06)
    assert abs(choice.after.coverage - 0.9) < abs(choice.before.coverage - 0.9)


def test_a_bias_that_is_no_chance_is_taken_out_at_hardly_more_error():
    choice = choose("total", pairs_of(60, -0.025, 1.0, 0.09, 0.09, seed=10), 50, 5, 0)
    assert choice.kept is Kept.BOTH and choice.before.rmse < choice.after.rmse < 1.02 * choice.before.rmse
    assert choice.before.bias_ci95[0] > 0 and abs(choice.after.bias) < choice.before.bias / 2
    by_chance = choose("total", pairs_of(60, -0.012, 1.0, 0.09, 0.09, seed=10), 50, 5, 0)
    assert by_chance.kept is not Kept.BOTH and by_chance.before.bias_ci95[0] < 0


def no_gain(covered):
    """Estimates that are right on average and in slope, so that a line fitted to some patients makes others worse, and that hold
    such a share of the DXA values in their intervals."""
    pairs = pairs_of(60)
    line = fit_line(pairs)
    estimate = line.offset_g_cm2 + line.slope * pairs.estimate
    sd = np.quantile(np.abs(estimate - pairs.dxa), covered) / HALF
    return with_intervals(estimate, np.full(120, sd), pairs.dxa, pairs.patients)


def test_the_factor_widens_each_end_of_an_interval_that_is_not_symmetric():
    pairs = pairs_of(200)
    skewed = with_intervals(pairs.estimate, pairs.sd, pairs.dxa, pairs.patients, low=-0.5, high=2.0)
    factor = interval_factor(skewed)
    assert not (skewed.inside.mean() > 0.85) and factor > 1
    assert replace(skewed, sd=factor * skewed.sd).inside.mean() == pytest.approx(0.9, abs=0.02)


def test_where_a_line_does_not_help_only_better_intervals_are_kept():
    choice = choose("neck", no_gain(0.5), 50, 5, 0)
    assert choice.kept is Kept.INTERVALS
    assert (choice.calibration.offset_g_cm2, choice.calibration.slope) == (0.0, 1.0) and choice.calibration.sd_factor > 2
    assert choice.after.rmse == choice.before.rmse and choice.after.coverage == pytest.approx(0.9, abs=0.05)
    assert re.search(r"RMSE of 0\.0\d{3} g/cm² with it and 0\.0\d{3} without", choice.why)


def test_what_does_not_help_is_refused_with_the_numbers():
    good = no_gain(0.9)
    with pytest.raises(ValueError, match=r"RMSE of .* Nor do other intervals: they hold .*%.*No calibration was written\."):
        choose_all({"neck": good, "total": good}, 50, 5, 0)


def test_too_few_patients_are_refused_with_their_number():
    few = {"neck": pairs_of(5, 0.2), "total": pairs_of(49, 0.2)}
    with pytest.raises(ValueError, match=r"Femoral neck: 5 patients.*expected 50.*Total hip: 49 patients.*No calibration was"):
        choose_all(few, 50, 5, 0)
    assert choose_all(few, 49, 5, 0)["neck"].kept is Kept.NOTHING


@pytest.fixture
def hospital(tmp_path, provenance):
    """Screens 30 patients of one radiograph each, of whose right hips DXA is 0.1 + 0.8 x estimate, give or take, and so much more
    by ``shift``; by a calibration's file or none."""
    random = np.random.default_rng(3)
    bmds = random.uniform(0.6, 1.1, 30)
    scatter = random.normal(0, 0.02, 30)

    def screened(name, shift=0.0, calibration_file=None):
        job = MainJob(tmp_path / name, provenance)
        job.folder.mkdir(parents=True)
        items = []
        for number, bmd in enumerate(bmds):
            (job.folder / f"{number:02}.dcm").touch()
            dxa = {"right_neck_bmd": 0.1 + 0.8 * bmd + scatter[number] + shift, "left_neck_bmd": "", "right_total_bmd": ""}
            day = {"study_date": f"2026-03-{1 + number:02}" if number % 2 else f"202603{1 + number:02}"}
            items.append(item_of(job.folder, f"{number:02}.dcm") | dxa | day | {"patient_id": f"MRN-{number}"})
        hips = [channels_of({**RIGHT, "neck_bmd": bmd, "neck_bmd_sd": 0.02}, {}) for bmd in bmds]
        screen = fake_screen(FakeCascade(*hips))
        calibration = load_calibration(calibration_file, provenance["weights"]["sha256"], provenance["uncertainty"]["sha256"])
        interpretation = Interpretd(calibration=calibration)
        screen.interpretation, screen.postprocessing.transforms = (
            interpretation,
            (interpretation, *screen.postprocessing.transforms[1:]),
        )
        job.run(items, screen)
        return job

    return screened


def test_a_hospital_calibrates_applies_and_checks(hospital, capsys):
    job = hospital("first")
    file = calibrate(job.ledger, str(job.out), "Research use only", fewest_patients=20)
    said = capsys.readouterr().out
    assert "| Femoral neck: root mean square error, g/cm² |" in said and "--calibration_file" in said
    assert "Total hip: 0 patients have both an answer and DXA; expected 20 or more. It stays as it is." in said
    content = json.loads(file.read_text())
    assert (content["patients"], content["hips"]) == (30, 30)
    assert (content["first_study_date"], content["last_study_date"]) == ("2026-03-01", "2026-03-30")
    neck = content["sites"]["neck"]
    assert neck["kept"] == "estimates and intervals" and neck["slope"] == pytest.approx(0.8, abs=0.05)
    assert neck["after"]["rmse"] < neck["before"]["rmse"] and content["provenance"] == job.provenance
    told = file.read_text() + said
    assert not [word for word in ("MRN", "DOE", *(item["patient"] for item in job.ledger.items.values())) if word in told]

    same = hospital("second", calibration_file=file)
    document = json.loads((same.out / "results.json").read_text())
    assert all(any("of 30 patients was applied" in note for note in one["notes"]) for one in document["radiographs"])
    check = partial(check_calibration, expected=read_expected(str(file)), notice="Research use only", consequence=CONSEQUENCE)
    assert not any(change.drifted for change in check(same.ledger, output_dir=str(same.out)))
    assert "The calibration holds, as far as 30 patients tell" in capsys.readouterr().out

    later = hospital("third", shift=-0.06, calibration_file=file)
    drifted = [change for change in check(later.ledger, output_dir=str(later.out)) if change.drifted]
    assert {change.figure for change in drifted} == {"bias", "coverage"}
    assert "Recalibrate: estimate - DXA, g/cm² (femoral neck)" in capsys.readouterr().out
    assert json.loads((later.out / "drift.json").read_text())["verdict"] == "recalibrate"
    with pytest.raises(ValueError, match=r"Too few patients .*\(femoral neck 30\); expected 31 or more"):
        check(later.ledger, output_dir=str(later.out), fewest_patients=31)


def test_a_refused_calibration_writes_nothing(hospital):
    job = hospital("first")
    with pytest.raises(ValueError, match="Femoral neck: 30 patients have both an answer and DXA; expected 50 or more"):
        calibrate(job.ledger, str(job.out), "Research use only")
    assert not list(job.out.glob("*calibration*"))


def test_a_file_that_does_not_tell_what_was_found_is_refused(tmp_path):
    site = {"offset_g_cm2": 0, "slope": 1, "sd_factor": 1}
    (file := tmp_path / "mine.json").write_text(
        json.dumps(
            {"version": 2, "weights_sha256": "0" * 64, "uncertainty_sha256": None, "patients": 50, "sites": {"neck": site}}
        )
    )
    with pytest.raises(ValueError, match="does not tell patients of neck after calibration"):
        read_expected(str(file))


def agreement(bias, half):
    return Agreement(60, 120, bias, (bias - half, bias + half), 1.0, (0.9, 1.1), 0.04, 0.05, 0.9, (0.85, 0.95))


@pytest.mark.parametrize(
    ("bias", "half", "drifted"),
    [(0.03, 0.01, True), (-0.03, 0.01, True), (0.03, 0.04, False), (0.015, 0.002, False), (0.0, 0.01, False)],
)
def test_a_drift_is_more_than_chance_and_of_consequence(bias, half, drifted):
    (change,) = compare("neck", agreement(0.0, 0.01), agreement(bias, half), {"bias": 0.02})
    assert change.drifted is drifted


def test_the_interval_of_a_difference_is_that_of_both():
    assert difference_interval(1.0, (0.7, 1.3), 2.0, (1.6, 2.4)) == (pytest.approx(0.5), pytest.approx(1.5))
