"""The comparison of many models, and the whole command on a few radiographs."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scripts.apps import command
from scripts.development.made import BUNDLE
from scripts.evaluation.experiment.compare import Answers, answer, best_network, compare, judged_sets
from scripts.evaluation.experiment.feature_models import LAYERS, MODELS
from scripts.evaluation.experiment.patients import MEASURES, Patients, eligible, in_no_order
from scripts.evaluation.experiment.report import FILES, write_experiment

EXAMPLES = BUNDLE / "examples"
FILMS = ("normal", "low_bone_mass", "osteoporosis")


@pytest.fixture(scope="module")
def compared(made_up: tuple[Patients, np.ndarray]) -> tuple[Patients, dict[str, Answers], dict]:
    patients, deep = made_up
    said = 1 / (1 + np.exp(2.0 - deep[:, 3]))
    named: list[str] = []
    answers = answer(patients, deep, {"resnet50": said}, named.append, 0)
    assert named == list(MODELS)
    return patients, answers, compare(patients, answers, 0)


def test_every_model_is_judged_on_each_set_of_patients(compared: tuple[Patients, dict[str, Answers], dict]) -> None:
    patients, answers, found = compared
    assert set(judged_sets(patients)) == {"internal", "external", "site simulated-4", "site simulated-5"}
    assert found["patients"]["external"]["patients"] == 180 and found["patients"]["train"]["radiographs"] == 300
    for name in answers:
        for of in found["patients"]:
            if of in ("train", "validation"):
                continue
            one = found["models"][name]["sets"][of]
            assert one["auc_ci95"][0] < one["auc"] < one["auc_ci95"][1] and 0 < one["auprc"] <= 1
            assert len(one["net_benefit"]["model"]) == len(one["net_benefit"]["all"])
    assert set(MEASURES) <= set(answers) and found["models"]["singh_grade"]["sets"]["external"]["auc"] > 0.65
    pairs = {(pair["one"], pair["other"], pair["set"]): pair for pair in found["pairs"]}
    better = pairs["DC linear", "C linear", "external"]
    assert better["difference"] > 0.1 and better["p"] < 0.01 and better["ci95"][0] > 0
    assert ("DC linear", "resnet50", "external") in pairs
    groups = {(one["set"], one["by"], one["group"]) for one in found["subgroups"]}
    assert {("external", "sex", "women"), ("internal", "age", "75 and over"), ("external", "site", "simulated-5")} <= groups
    assert not [one for one in found["subgroups"] if one["by"] == "BMI"], "no height is known"


def test_what_was_found_is_written_and_drawn(compared: tuple[Patients, dict[str, Answers], dict], tmp_path: Path) -> None:
    patients, answers, found = compared
    write_experiment(tmp_path, patients, answers, found, "Made up.", {"seed": 0}, "Research use only")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    page = (tmp_path / "experiment.md").read_text()
    assert (
        "Research use only." in page
        and "Made up." in page
        and "| DTC linear |" in page
        and "| 0.95 |" in page
        and "Left out: 3 radiographs, without DXA." in page
    )
    with (tmp_path / "experiment.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(answers) * 4 and all(0 <= float(row["auc"]) <= 1 for row in rows)
    assert json.loads((tmp_path / "experiment.json").read_text())["models"]["D forest"]["selected"]["deep"] >= 1


def test_nobody_to_validate_on_or_to_judge_is_said(made_up: tuple[Patients, np.ndarray]) -> None:
    patients, deep = made_up
    said = {"x": Answers("x", "network", 1 / (1 + np.exp(-deep[:, 3])), {})}
    unjudged = (patients.split == "train") | (patients.split == "validation")
    with pytest.raises(ValueError, match="No patient of the split test or external"):
        compare(patients.of(unjudged), {"x": Answers("x", "network", said["x"].probability[unjudged], {})}, 0)
    unvalidated = patients.split != "validation"
    with pytest.raises(ValueError, match="0 of the 0 patients to validate on have osteoporosis"):
        compare(patients.of(unvalidated), {"x": Answers("x", "network", said["x"].probability[unvalidated], {})}, 0)


def test_the_network_that_validates_best_lends_its_features(made_up: tuple[Patients, np.ndarray]) -> None:
    patients, deep = made_up
    assert best_network({"weak": deep[:, 0], "good": deep[:, 3]}, patients, ["weak", "good"]) == "good"
    assert best_network({"weak": deep[:, 0], "good": deep[:, 3]}, patients, ["weak"]) == "weak"


def test_the_hips_stand_in_no_order_and_one_will_do() -> None:
    hips = np.random.default_rng(0).random((3, 2, 4))
    hips[1, 0], hips[2] = np.nan, np.nan
    found = in_no_order(hips)
    assert np.array_equal(found, in_no_order(hips[:, ::-1]), equal_nan=True)
    assert np.allclose(found[0], [*hips[0].mean(axis=0), *np.abs(hips[0, 0] - hips[0, 1])])
    assert np.array_equal(found[1], [*hips[1, 1], 0, 0, 0, 0]) and np.isnan(found[2]).all()


def with_other_names(file: Path, target: Path, name: str) -> None:
    header = pydicom.dcmread(file)
    header.PatientID = header.PatientName = f"P{name}"
    for attribute in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(header, attribute, pydicom.uid.generate_uid())
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.save_as(target)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen patients that are three examples, with DXA and splits made up."""
    place = tmp_path_factory.mktemp("patients")
    with (EXAMPLES / "manifest.csv").open(newline="") as file:
        examples = {Path(row["image"]).stem: row for row in csv.DictReader(file)}
    rows = []
    for index, split in enumerate(["train"] * 6 + ["validation"] * 2 + ["test"] * 3 + ["external"] * 3):
        row = dict(examples[FILMS[index % 3]])
        name = f"{index:02d}"
        for kind, column in (("images", "image"), ("masks", "label"), ("landmarks", "landmarks")):
            if row.get(column):
                (place / kind).mkdir(exist_ok=True)
                target = place / kind / f"{name}{Path(row[column]).suffix}"
                if kind == "images":
                    with_other_names(EXAMPLES / row[column], target, name)
                else:
                    shutil.copy(EXAMPLES / row[column], target)
                row[column] = f"{kind}/{target.name}"
        for column in row:
            if column.endswith("_bmd"):
                row[column] = "0.45" if index % 2 else "0.85"
        rows.append({**row, "patient_id": f"P{name}", "split": split})
    with (place / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return place


def test_the_command_trains_looks_and_compares_and_does_nothing_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["experiment", str(folder), "out", "--networks", "own", "--networks", "inception", "--epochs", "1"]
    words += ["--batch_size", "2"]
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    said = capfd.readouterr()
    assert ended.value.code in (0, None), said.err
    out = tmp_path / "out"
    assert {*FILES, "crops", "networks", "models", "cache"} <= {path.name for path in out.iterdir()}
    assert "inception is left out: it needs torchvision" in said.out and "written to out: experiment.md" in said.out
    document = json.loads((out / "experiment.json").read_text())
    assert set(document["models"]) == {f"{model} {layer}" for model in MODELS for layer in LAYERS} | {"own"} | (
        set(document["models"]) & set(MEASURES)
    )
    assert document["patients"]["external"]["patients"] == 3 and document["networks"]["own"]["parameters"] == 379_981
    trained = (out / "networks/own/best.pt").stat().st_mtime_ns
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code in (0, None) and (out / "networks/own/best.pt").stat().st_mtime_ns == trained
    again = json.loads((out / "experiment.json").read_text())
    assert again["models"] == document["models"]

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/output/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'OsteoXR'")
    runs = {run.info.run_name.partition("-20")[0]: run for run in client.search_runs([experiment.experiment_id], max_results=100)}
    parent = runs["experiment"].info.run_id
    assert {"own", "DC linear", "DTC forest"} <= set(runs)
    below = [run for name, run in runs.items() if name != "experiment"]
    assert all(run.data.tags["mlflow.parentRunId"] == parent and run.info.status == "FINISHED" for run in below)
    assert "external.auc" in runs["DC linear"].data.metrics

    words[words.index("--epochs") + 1] = "2"
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 1 and "epochs (1 there, 2 here)" in capfd.readouterr().err


def rows_of(**columns: list[object]) -> list[dict[str, object]]:
    return [
        {"name": f"r{index}", "image": f"/in/{index}.dcm", "date": "2024-01-01", **dict(zip(columns, values, strict=True))}
        for index, values in enumerate(zip(*columns.values(), strict=True))
    ]


PEOPLE = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
SPLIT = ["train"] * 4 + ["validation"] * 4 + ["test"]
BMD = [0.45, 0.9] * 4 + [0.9]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"patient": ["a", "b", "c", "d", "e", "f", "g", "h", "b"]}, "1 patients stand in more than one split"),
        ({"patient": ["a", "a", *PEOPLE[2:]]}, r"0.dcm and 1.dcm show one patient on one day, and by their DXA results one has"),
        ({"right_neck_bmd": [0.9] * 9}, "of split train 0 patients with DXA have osteoporosis, and 4 have not"),
        ({"right_neck_bmd": [*BMD[:4], *[0.4] * 4, 0.9]}, "of split validation 4 patients with DXA have osteoporosis, and 0"),
        ({"split": [*SPLIT[:8], ""]}, "nobody with DXA is of test or external"),
        ({"right_neck_bmd": [*BMD[:8], float("nan")]}, "nobody with DXA is of test or external"),
    ],
)
def test_what_is_wrong_with_the_patients_is_said_before_anything_is_trained(changed: dict[str, list[object]], said: str) -> None:
    radiographs = rows_of(**{"patient": PEOPLE, "split": SPLIT, "right_neck_bmd": BMD, **changed})
    if not said:
        assert list(eligible(radiographs)) == [f"r{index}" for index in range(9)]
        return
    with pytest.raises(ValueError, match=said):
        eligible(radiographs)


def test_a_site_may_have_any_name_and_a_measure_that_nobody_has_is_left_out(made_up: tuple[Patients, np.ndarray]) -> None:
    patients, deep = made_up
    site = np.where(patients.site == "simulated-4", "internal", patients.site)
    unmeasured = {name: np.full(len(site), np.nan) for name in MEASURES}
    other = dataclasses.replace(patients, site=site, measures=unmeasured)
    sets = judged_sets(other)
    assert set(sets) == {"internal", "external", "site internal", "site simulated-5"} and sets["internal"].sum() == 120
    assert not set(MEASURES) & set(answer(other, deep, {}, lambda _: None, 0))


@pytest.mark.parametrize("name", ["nothing", "my/own.yaml"])
def test_a_network_that_is_not_there_is_named(folder: Path, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["experiment", str(folder), str(tmp_path / "out"), "--networks", name])
    assert ended.value.code == 1
    said = f"--networks {name}: there is no such network; expected densenet, inception, own, own_new, own_told"
    assert said in capfd.readouterr().err
