"""From no data to an evaluated model by the configs alone: simulate, train each network, assemble, screen, evaluate.

Each as MONAI's tools run a bundle: initialize, check that all properties are there that they ask for, run, finalize.
"""

import contextlib
import csv
import io
import json
from pathlib import Path

import mlflow
import monai.bundle
import pytest
import scripts
from monai.bundle import ConfigWorkflow
from quick_start import run_module
from scripts.results.document import check_document
from scripts.simulation.cohort import simulate_cohort
from scripts.simulation.others.collection import simulate_others

CONFIGS = Path(scripts.__file__).parent.parent / "configs"
SPLITS = ("train",) * 5 + ("validation",) * 3 + ("test",) * 2
NETWORKS = ("localisation", "segmentation", "view", "siamese", "bmd")
OVERLAYS = {"siamese": ("train_bmd.yaml", "train_siamese.yaml")}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Ten patients in the splits above, whatever the simulator drew."""
    manifest = simulate_cohort(str(tmp_path_factory.mktemp("cohort")), patients=len(SPLITS), seed=11)
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "split": split} for row, split in zip(rows, SPLITS, strict=True))
    return manifest.parent


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Runs configs in a folder that is not the repository's; relative paths are in that folder."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(kind, *configs, **settings):
        """Return what a workflow of a kind, "train" or "infer", says; none is checked of one of another kind, None."""
        files = [str(CONFIGS / config) for config in configs]
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as said:
            if kind is None:
                monai.bundle.run_workflow(config_file=files, logging_file=False, **settings)
                return said.getvalue()
            workflow = ConfigWorkflow(config_file=files, workflow_type=kind, logging_file=False, **settings)
            workflow.initialize()
            assert workflow.check_properties() == []
            workflow.run()
            workflow.finalize()
        return said.getvalue()

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Four films of other kinds, half of them to validate on."""
    manifest = simulate_others(str(tmp_path_factory.mktemp("others")), radiographs=4, seed=11, kinds=["hand", "noise"])
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "split": ("train", "validation")[index % 2]} for index, row in enumerate(rows))
    return manifest.parent


@pytest.fixture(scope="module")
def model(cohort, others, bundle):
    """The cascade, of two epochs of each training."""
    files = {f"{network}_file": f"{network}/best.pt" for network in NETWORKS}
    more = {
        "localisation": {"others_dir": str(others)},
        "view": {
            "further_dirs": [str(cohort), str(others)], "draws": 1,
            "localisation_file": files["localisation_file"], "segmentation_file": files["segmentation_file"],
        },
    }  # fmt: skip
    for network in NETWORKS:
        settings = {"output_dir": network, "cache_dir": "cache", "epochs": 2, "batch_size": 2, **more.get(network, {})}
        overlays = OVERLAYS.get(network, (f"train_{network}.yaml",))
        bundle("train", "inference.yaml", "train.yaml", *overlays, dataset_dir=str(cohort), **settings)
    bundle(None, "inference.yaml", "assemble.yaml", **files, output_file="model.pt")
    return str(bundle.folder / "model.pt")


@pytest.fixture(scope="module")
def screened(cohort, model, bundle):
    """What inference says and writes."""
    said = bundle("infer", "inference.yaml", dataset_dir=str(cohort), output_dir="results", checkpoint=model)
    return said, bundle.folder / "results"


def test_inference_accounts_for_every_radiograph(screened):
    said, results = screened
    document = json.loads((results / "results.json").read_text())
    check_document(document, json.loads((results / "results.schema.json").read_text()))
    assert document["summary"]["radiographs"] == len(SPLITS)
    assert len(list((results / "masks").glob("*.png"))) == len(SPLITS)
    assert said.strip().splitlines()[-1].startswith(f"{len(SPLITS)} radiographs")


def test_evaluation_is_of_the_held_out_radiographs(cohort, model, bundle):
    files = str([str(CONFIGS / name) for name in ("inference.yaml", "evaluate.yaml")])
    words = ["--dataset_dir", str(cohort), "--output_dir", "evaluation", "--tracking", str(CONFIGS / "mlflow.yaml")]
    done = run_module("monai.bundle", "run", "--config_file", files, "--checkpoint", model, *words, cwd=bundle.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((bundle.folder / "evaluation" / "metrics.json").read_text())
    overall = metrics["overall"]
    assert metrics["data"] == "simulated"
    assert overall["radiographs"]["radiographs"] == SPLITS.count("test")
    assert overall["segmentation"]["femur"]["radiographs"] == SPLITS.count("test")
    assert 0 <= overall["segmentation"]["femur"]["dice_mean"] <= 1
    assert set(metrics["provenance"]["weights"]["provenance"]["trainings"]) == set(NETWORKS)
    assert [file["file"] for file in metrics["provenance"]["configuration"]["files"]] == ["inference.yaml", "evaluate.yaml"]
    assert "# Evaluation (simulated data)" in done.stdout
    with (bundle.folder / "evaluation" / "estimates.csv").open(newline="") as file:
        estimates = list(csv.DictReader(file))
    assert len(estimates) == 2 * SPLITS.count("test") and all((cohort / row["file"]).is_file() for row in estimates)
    assert all(float(row["neck_dxa_g_cm2"]) > 0.1 for row in estimates)
    client = mlflow.MlflowClient(f"sqlite:///{bundle.folder}/output/mlflow.db")
    (logged,) = client.search_runs([client.get_experiment_by_name("OsteoXR").experiment_id])
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics["segmentation.femur.dice_mean"] == pytest.approx(overall["segmentation"]["femur"]["dice_mean"])
    figures = {file.path for file in client.list_artifacts(logged.info.run_id, "evaluation")}
    assert "evaluation/dice.png" in figures and "evaluation/worst.png" not in figures


def test_evaluation_refuses_what_inference_refuses(cohort, model, bundle, screened):
    settings = {"dataset_dir": str(cohort), "output_dir": "everything", "checkpoint": model, "split": "all"}
    said = bundle("infer", "inference.yaml", "evaluate.yaml", **settings)
    assert f"{len(SPLITS)} radiographs of {len(SPLITS)} patients, split all" in said
    admission = json.loads((bundle.folder / "everything" / "metrics.json").read_text())["overall"]["radiographs"]
    with (screened[1] / "rejected.csv").open(newline="") as file:
        codes = [row["code"] for row in csv.DictReader(file) if not row["side"]]
    refused = sorted({*codes} - {"PASSED_OVER"})  # which is no refusal
    assert admission["refused_by_code"] == {code: codes.count(code) for code in refused}
