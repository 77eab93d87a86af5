"""What is wrong in a table of readers is named; they are compared with the screen on the patients whom all have seen."""

import csv
import json
import math
from collections import Counter

import numpy as np
import pytest
from fake_screening import RIGHT, FakeCascade, MainJob, channels_of, fake_screen, item_of
from scripts.evaluation.readers.scores import read_scores
from scripts.evaluation.readers.study import gather, study_readers
from scripts.simulation.readers import simulate_readers
from sklearn.metrics import cohen_kappa_score

PATIENTS = [f"MRN-{number:02}" for number in range(48)]
HEAD = "reader,patient,score\n"


@pytest.fixture
def job(tmp_path, provenance):
    """Screened patients, the second half with a low density; the last has no DXA."""
    job = MainJob(tmp_path / "job", provenance)
    job.folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    items, hips = [], []
    for number, patient in enumerate(PATIENTS):
        (job.folder / f"{number:02}.dcm").touch()
        dxa = 0.8 - 0.3 * (number >= 24) + random.normal(0, 0.05)
        neck = dxa + random.normal(0, 0.1)
        hips.append(channels_of({**RIGHT, "neck_bmd": neck, "neck_bmd_sd": 0.1, "total_bmd": 1.0, "total_bmd_sd": 0.05}, {}))
        known = {"right_neck_bmd": dxa, "right_total_bmd": 1.0} if patient != PATIENTS[-1] else {}
        items.append(item_of(job.folder, f"{number:02}.dcm") | known | {"site": "hospital", "patient_id": patient})
    job.run(items, fake_screen(FakeCascade(*hips)))
    return job


def write_scores(path, ways=("alone",), readers=("Ann", "Bob", "Eve", "Ida", "Jan"), seed=1, left_out=()):
    random = np.random.default_rng(seed)
    rows = ["Reader;patient;score;reading".lower()]
    for reader in readers:
        for way in ways:
            spread = 2.0 if way == "alone" else 0.6
            for number, patient in enumerate(PATIENTS):
                if (reader, patient) not in left_out:
                    score = int(np.clip(round((2 if number < 24 else 4) + random.normal(0, spread)), 1, 5))
                    rows.append(f"{reader};{patient};{score};{way}")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(("rows", "said"), [
    ("Ann,MRN-99,3", r"row 2, column patient: 'MRN-99' is no patient_id of the folder's manifest.csv"),
    ("Ann,MRN-01,6", r"row 2, column score: '6'; expected a whole number from 1 to 5"),
    ("Ann,MRN-01,2.5", r"row 2, column score: '2.5'"),
    ("Ann,MRN-01,", r"row 2, column score: ''"),
    (",MRN-01,2", r"row 2, column reader: is empty"),
    ("Ann,MRN-01,2\nAnn,MRN-01,3", r"row 3, column patient: reader 'Ann' has scored 'MRN-01' already, alone; expected once"),
    ("Ann,MRN-01,2\nAnn,MRN-02,3", r"1 readers read alone; expected 2 or more"),
])  # fmt: skip
def test_what_is_wrong_in_the_table_is_named(tmp_path, rows, said):
    (tmp_path / "scores.csv").write_text(HEAD + rows + "\n")
    with pytest.raises(ValueError, match=said):
        read_scores(tmp_path / "scores.csv", PATIENTS)


def test_other_ways_of_reading_and_missing_columns_are_named(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("reader,patient,score,reading\nAnn,MRN-01,2,drunk\n")
    with pytest.raises(ValueError, match="column reading: 'drunk'; expected alone or aided"):
        read_scores(path, PATIENTS)
    path.write_text("reader,patient,score,reading\nAnn,MRN-01,2,alone\nBob,MRN-01,2,alone\nEve,MRN-01,2,aided\n")
    with pytest.raises(ValueError, match="reader 'Eve' read with help and never alone"):
        read_scores(path, PATIENTS)
    path.write_text("reader,case,score\nAnn,MRN-01,2\n")
    with pytest.raises(ValueError, match=r"has no column 'patient' \(found: reader, case, score\)"):
        read_scores(path, PATIENTS)


def test_readers_are_compared_on_the_patients_whom_all_scored_and_who_have_both_answers(job, tmp_path, capsys):
    scores = write_scores(tmp_path / "scores.csv", ("alone", "aided"), left_out={("Bob", "MRN-03")})
    found = study_readers(job.ledger, str(scores), str(job.out), "Research use only")
    assert found.left_out == {"not scored by every reader": 1, "no DXA of a hip": 1}
    assert len(found.positive) == 46 and found.readers == ("Ann", "Bob", "Eve", "Ida", "Jan")
    document = json.loads((job.out / "readers.json").read_text())
    alone, aided = document["ways"]["alone"], document["ways"]["aided"]
    assert aided["mean_auc"] > alone["mean_auc"] and document["aided_less_alone"]["value"] == pytest.approx(
        aided["mean_auc"] - alone["mean_auc"]
    )
    assert document["aided_less_alone"]["p"] < 0.05
    value, (low, high) = (alone["model_less_readers"][key] for key in ("value", "interval"))
    assert low < value < high and value == pytest.approx(document["model"]["auc"] - alone["mean_auc"])
    with (job.out / "readers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["reading"] for row in rows) == {"alone": 5, "aided": 5}
    page = (job.out / "readers.md").read_text()
    assert "46 patients, " in page and "left out: 1 not scored by every reader, 1 no DXA of a hip" in page
    assert "| **mean of 5** | alone |" in page and "With help less without" in page
    assert (job.out / "readers.png").stat().st_size > 10_000
    assert not [
        word for word in ("MRN", "DOE") if word in page + capsys.readouterr().out + (job.out / "readers.json").read_text()
    ]


def test_too_few_patients_are_told(job, tmp_path):
    scores = write_scores(tmp_path / "scores.csv", left_out={("Ann", patient) for patient in PATIENTS[20:40]})
    with pytest.raises(
        ValueError, match=r"with and 20 without osteoporosis can be compared \(1 no DXA of a hip, 20 not scored by every reader"
    ):
        gather(job.ledger, read_scores(scores, PATIENTS))


def test_simulated_readers_agree_as_little_as_people(tmp_path, capsys):
    random = np.random.default_rng(0)
    rows = ["image,patient_id,site,right_singh_grade,left_singh_grade"]
    for number in range(130):
        (tmp_path / f"{number}.dcm").touch()
        grade = random.uniform(1, 6)
        rows.append(f"{number}.dcm,P{number},simulated-1,{grade:.2f},{min(6.0, grade + 0.2):.2f}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    written = simulate_readers(str(tmp_path), str(tmp_path / "out.csv"), readers=8, seed=1)
    assert "8 readers of 130 patients" in capsys.readouterr().out and len(written) == 8 * 2 * 130
    found = read_scores(tmp_path / "out.csv", {f"P{number}" for number in range(130)})
    rows = {
        way: [[given[reader, f"P{number}"] for number in range(130)] for reader in found.readers]
        for way, given in found.by_way.items()
    }
    kappa = {
        way: np.mean([cohen_kappa_score(a, b, weights="quadratic") for i, a in enumerate(of) for b in of[:i]])
        for way, of in rows.items()
    }
    assert 0.15 < kappa["alone"] < 0.4 < kappa["aided"] and math.isfinite(kappa["aided"])
    (tmp_path / "manifest.csv").write_text("image,patient_id\n1.dcm,P1\n")
    with pytest.raises(ValueError, match="no patient has a Singh grade"):
        simulate_readers(str(tmp_path), str(tmp_path / "none.csv"))
