"""Measuring how far some weights are from DXA: what is true is recovered, and what is written is what the screen takes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fake_screening import RIGHT, FakeCascade, MainJob, channels_of, fake_screen, item_of
from scripts.clinical import LowestT, load_reference, load_uncertainty
from scripts.clinical.lowest_t import logit
from scripts.dataset import calibration_radiographs
from scripts.evaluation.local.pairs import pair_with_dxa
from scripts.evaluation.uncertainty.calibrate import calibrate_uncertainty
from scripts.evaluation.uncertainty.fit import fit_lowest_t, predict_osteoporosis
from scripts.evaluation.uncertainty.patients import Patients, gather_patients
from scripts.evaluation.uncertainty.tables import measure_coverage

TRUE = LowestT(offset=-0.4, slope=0.8, logit_slope=-0.3, sd_factor=1.6)


def patients_of(true=TRUE, count=4000, seed=0):
    random = np.random.default_rng(seed)
    t_score, t_sd = random.normal(-1.5, 1.0, count), random.uniform(0.3, 0.7, count)
    classifier = 1 / (1 + np.exp(-random.normal(-1.0, 1.5, count)))
    means = [true.distribution(*map(float, row)) for row in zip(t_score, t_sd, classifier, strict=True)]
    return Patients(t_score, t_sd, classifier, np.array([one.mean + one.stdev * random.normal() for one in means]))


def test_the_distribution_of_the_true_lowest_t_score_is_recovered():
    found = fit_lowest_t(patients_of())
    assert (found.offset, found.slope) == (pytest.approx(-0.4, abs=0.05), pytest.approx(0.8, abs=0.03))
    assert (found.logit_slope, found.sd_factor) == (pytest.approx(-0.3, abs=0.02), pytest.approx(1.6, rel=0.03))


def test_it_is_likelier_than_its_neighbours():
    patients = patients_of(count=200)
    found = fit_lowest_t(patients)

    def log_likelihood(lowest_t):
        rows = zip(patients.t_score, patients.t_sd, patients.classifier, strict=True)
        pairs = zip(rows, patients.dxa_t, strict=True)
        return sum(np.log(lowest_t.distribution(*map(float, row)).pdf(float(dxa))) for row, dxa in pairs)

    best = log_likelihood(found)
    for name in ("offset", "slope", "logit_slope", "sd_factor"):
        for step in (-0.02, 0.02):
            assert log_likelihood(replace(found, **{name: getattr(found, name) + step})) < best


def test_a_classifier_that_contradicts_dxa_is_not_asked():
    found = fit_lowest_t(patients_of(replace(TRUE, logit_slope=0.3)))
    assert found.logit_slope == 0.0
    alone = fit_lowest_t(replace(patients_of(), classifier=np.full(4000, 0.5)))
    assert alone.logit_slope == 0.0 and alone.slope == pytest.approx(0.8, abs=0.05)
    assert fit_lowest_t(patients_of(replace(TRUE, slope=-0.5))).slope == 0.0


def test_a_probability_is_clipped_before_its_logit_is_taken():
    assert logit(0.0) == logit(0.002) == pytest.approx(-logit(1.0)) and logit(0.5) == 0.0


def test_cross_validated_probabilities_are_calibrated():
    patients = patients_of(count=3000)
    told = predict_osteoporosis(patients, 5, 0)
    for part in np.array_split(np.argsort(told), 5):
        assert told[part].mean() == pytest.approx(patients.positive[part].mean(), abs=0.05)


@pytest.fixture
def screened(tmp_path, provenance):
    """Screens patients of one radiograph each, two hospitals in turn; DXA of both sites of the right hip is lower than told."""

    def run(count, name="first", uncertainty=None):
        random = np.random.default_rng(3)
        job = MainJob(tmp_path / name, provenance)
        job.folder.mkdir(parents=True)
        items, hips = [], []
        for number in range(count):
            (job.folder / f"{number:02}.dcm").touch()
            neck = random.uniform(0.45, 1.0)
            hips.append(
                channels_of({**RIGHT, "neck_bmd": neck, "neck_bmd_sd": 0.02, "total_bmd": neck + 0.1, "total_bmd_sd": 0.02}, {})
            )
            errors = 0.03 * random.standard_t(3, 2) - 0.01
            dxa = {"right_neck_bmd": neck + errors[0], "right_total_bmd": neck + 0.1 + errors[1]}
            place = {"site": f"hospital {number % 2}", "patient_id": f"MRN-{number}", "study_date": "20260301"}
            items.append(item_of(job.folder, f"{number:02}.dcm") | dxa | place)
        screen = fake_screen(FakeCascade(*hips))
        screen.interpretation.uncertainty = uncertainty
        job.run(items, screen)
        return job

    return run


def test_what_is_written_is_what_the_screen_takes(screened, provenance, capsys):
    job = screened(60)
    file = calibrate_uncertainty(job.ledger, str(job.out), "Research use only")
    said = capsys.readouterr().out
    assert "| Femoral neck, all | 60, 60 |" in said and "| Total hip, site hospital 1 | 30, 30 |" in said
    assert "Triage at a prevalence of 25.7%" in said and "--uncertainty_file" in said
    content = json.loads(file.read_text())
    assert (content["patients"], content["data"], content["coverage"]) == (60, "patients", 0.9)
    assert content["provenance"] == job.provenance
    told = file.read_text() + said
    assert not [word for word in ("MRN", "DOE", *(item["patient"] for item in job.ledger.items.values())) if word in told]
    patients = gather_patients(job.ledger)
    groups = content["probabilities"]
    assert (len(groups["with_osteoporosis"]), len(groups["without_osteoporosis"])) == (
        patients.positive.sum(),
        60 - patients.positive.sum(),
    )
    assert all(group == sorted(group) for group in groups.values())

    read = load_uncertainty(file, provenance["weights"]["sha256"])
    low, high = read.quantiles["neck"]
    assert low < -1.7 and high == -low and read.lowest_t.logit_slope <= 0
    again = screened(60, "second", read)
    document = json.loads((again.out / "results.json").read_text())
    assert not any("normal distribution" in note for one in document["radiographs"] for note in one["notes"])
    before, after = pair_with_dxa(job.ledger)["neck"], pair_with_dxa(again.ledger)["neck"]
    assert before.inside.mean() < 0.85 < 0.9 <= after.inside.mean()
    assert np.unique(after.low.round(9)) == pytest.approx([read.quantiles["neck"][0]])
    (everybody, *fifths, first, second) = measure_coverage(before, after)
    assert len(fifths) == 5 and everybody.hips == 60 == first.hips + second.hips == sum(one.hips for one in fifths)
    assert everybody.before == pytest.approx(before.inside.mean()) and everybody.width_after > everybody.width_before


def test_a_patient_is_one_row_with_the_lowest_dxa_of_the_study(screened):
    job = screened(3)
    patients, reference = gather_patients(job.ledger), load_reference()
    items = list(job.ledger.items.values())
    for place, item in enumerate(items):
        t_scores = [reference.t_score(item[f"right_{site}_bmd"], site) for site in ("neck", "total")]
        assert patients.dxa_t[place] == pytest.approx(min(t_scores))
    assert patients.t_sd == pytest.approx(np.full(3, 0.02 / 0.12)) and patients.classifier == pytest.approx(np.full(3, 0.91))


@pytest.mark.parametrize(("count", "fewest", "said"), [
    (30, 50, r"Femoral neck: 30 patients have both .* Expected 50 or more of each\. No uncertainty was written"),
    (19, 20, r"Expected 20 or more of each\. No uncertainty was written"),
])  # fmt: skip
def test_too_few_patients_are_refused_and_nothing_is_written(screened, count, fewest, said):
    job = screened(count)
    with pytest.raises(ValueError, match=said):
        calibrate_uncertainty(job.ledger, str(job.out), "Research use only", fewest_patients=fewest)
    assert not (job.out / "uncertainty.json").exists()


def test_the_split_is_validation_where_there_is_one_else_all_but_train():
    def of(*splits):
        return [{"image": f"{place}.dcm", "split": split, "right_neck_bmd": 0.7} for place, split in enumerate(splits)]

    def chosen(items, split=None):
        return [item["split"] for item in calibration_radiographs(items, split)]

    assert chosen(of("train", "validation", "test")) == ["validation"]
    assert chosen(of("train", "test", "external", "")) == ["test", "external", ""]
    assert chosen(of("validation", "external"), "external") == ["external"]
    with pytest.raises(ValueError, match="is in split"):
        chosen(of("train"))
