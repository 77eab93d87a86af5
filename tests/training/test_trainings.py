"""Each training config runs on a tiny cohort, resumes, says what made its weights, and the three join into the cascade."""

import os
import subprocess
from pathlib import Path

import mlflow
import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from quick_start import run_module
from scripts.networks.checkpoint import read_checkpoint

CONFIGS = Path(scripts.__file__).parents[1] / "configs"
SHARED = ("inference.yaml", "train.yaml")
TRAININGS = {
    "localisation": (*SHARED, "train_localisation.yaml"),
    "segmentation": (*SHARED, "train_segmentation.yaml"),
    "view": (*SHARED, "train_view.yaml"),
    "siamese": (*SHARED, "train_bmd.yaml", "train_siamese.yaml"),
    "bmd": (*SHARED, "train_bmd.yaml"),
}
ASSEMBLY = ("inference.yaml", "assemble.yaml")
SMALL = {
    "localisation": ("--augmentation#0#size", "[96,128]"),
    "segmentation": ("--framer_def#crop_size", "[96,64]", "--framer_def#crop_spacing_mm", "2.0"),
    "view": ("--draws", "2"),
    "siamese": (),
    "bmd": (),
}


def run(configs: tuple[str, ...], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run configs, each laid over those before it, from a folder that is not the bundle's."""
    files = str([str(CONFIGS / name) for name in configs])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return run_module("monai.bundle", "run", "--config_file", files, *arguments, cwd=cwd, env=environment)


def train(name: str, cohort: Path, work: Path, epochs: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        TRAININGS[name], work, "--dataset_dir", str(cohort), "--output_dir", str(work / name),
        "--cache_dir", str(work / "cache"), "--epochs", str(epochs), "--batch_size", "2", *SMALL[name], *arguments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(cohort: Path, others: Path, work: Path) -> dict[str, str]:
    """What each training printed: two epochs, the films of the hip networks read once for both."""
    printed = {}
    for name in SMALL:
        more = ("--further_dirs", str([str(cohort), str(others)])) if name == "view" else ()
        if name == "view":
            search = ("localisation", "segmentation")
            more += tuple(text for each in search for text in (f"--{each}_file", str(work / each / "best.pt")))
        result = train(name, cohort, work, 2, *more)
        assert result.returncode == 0, result.stdout + result.stderr
        printed[name] = result.stdout
    return printed


@pytest.mark.parametrize("name", SMALL)
def test_training_says_where_its_weights_are_and_what_made_them(name: str, trained: dict[str, str], work: Path) -> None:
    best = work / name / "best.pt"
    assert str(best) in trained[name].splitlines()[-1]
    saved = torch.load(best, weights_only=True)
    provenance = saved["provenance"]
    assert provenance["config"] == list(TRAININGS[name])
    # The view network takes the cohort twice here, as the badly positioned one too, and films of other kinds.
    expected = (13, 10) if name == "view" else (5, 4)
    assert (provenance["training_radiographs"], provenance["validation_radiographs"]) == expected
    assert provenance["seed"] == 0 and provenance["settings"]["epochs"] == 2
    assert len(provenance["config_hash"]) == len(provenance["data_hash"]) == 64
    assert provenance["versions"]["monai"] == "1.6.1"
    assert provenance["best_metric"]["epoch"] in (1, 2)
    assert torch.load(work / name / "last.pt", weights_only=True)["epoch"] == 2


def test_the_hip_trainings_share_one_cache(trained: dict[str, str], work: Path) -> None:
    assert len(list((work / "cache" / "hips_and_metal").glob("*.pt"))) == 9


def test_the_same_command_again_trains_no_further(trained: dict[str, str], cohort: Path, work: Path) -> None:
    before = torch.load(work / "bmd" / "last.pt", weights_only=True)
    result = train("bmd", cohort, work, 2)
    assert result.returncode == 0, result.stderr
    assert "Trained 2 epochs" in result.stdout
    after = torch.load(work / "bmd" / "last.pt", weights_only=True)
    assert after["iteration"] == before["iteration"]
    assert all(torch.equal(after["state_dict"][key], value) for key, value in before["state_dict"].items())


def test_another_configuration_does_not_resume(trained: dict[str, str], cohort: Path, work: Path) -> None:
    result = train("bmd", cohort, work, 3)
    assert result.returncode != 0
    assert "differs in epochs (2 there, 3 here)" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_tracking_logs_to_sqlite(cohort: Path, work: Path, tmp_path: Path) -> None:
    result = train("bmd", cohort, work, 1, "--output_dir", str(tmp_path), "--tracking", "mlflow")
    assert result.returncode == 0, result.stderr
    client = mlflow.tracking.MlflowClient(f"sqlite:///{tmp_path}/mlruns.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (logged,) = client.search_runs(experiments)
    assert logged.info.run_name.startswith("bmd-")
    assert "train_loss" in " ".join(logged.data.metrics) and "total_hip_r" in logged.data.metrics


def test_a_folder_without_the_split_is_one_clear_sentence(cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "film.dcm").write_bytes((cohort / "images" / "P0.dcm").read_bytes())
    result = run(TRAININGS["bmd"], tmp_path, "--dataset_dir", str(folder), "--output_dir", str(tmp_path / "out"))
    assert result.returncode != 0
    assert "1 radiographs, 0 of them with 'train'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_assembled_weights_load_into_the_cascade_and_name_their_trainings(trained: dict[str, str], work: Path) -> None:
    files = [argument for name in SMALL for argument in (f"--{name}_file", str(work / name / "best.pt"))]
    told = ("--tracking", str(CONFIGS / "mlflow.yaml"), "--experiment_name", "Assemblies")
    result = run(ASSEMBLY, work, *files, "--output_file", str(work / "model.pt"), *told)
    assert result.returncode == 0, result.stderr
    client = mlflow.MlflowClient(f"sqlite:///{work}/output/mlflow.db")
    (logged,) = client.search_runs([client.get_experiment_by_name("Assemblies").experiment_id])
    assert logged.info.status == "FINISHED" and logged.data.params["trainings.bmd.epochs"] == "2"
    weights = client.get_logged_model(logged.outputs.model_outputs[0].model_id)
    assert {file.path for file in client.list_logged_model_artifacts(weights.model_id)} == {"MLmodel", "model.pt"}
    saved, provenance = read_checkpoint(work / "model.pt")
    assert set(provenance["trainings"]) == set(SMALL)
    assert {key.split(".")[0] for key in saved} == {"_extra_state", "search", "heads"}
    assert (work / "model.pt").stat().st_size < 25e6
    assert subprocess.run(["sha256sum", "--check", "model.pt.sha256"], cwd=work, capture_output=True, check=False).returncode == 0
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.yaml"))
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(saved)
    assert network.provenance == provenance
    trained_bmd = torch.load(work / "bmd" / "best.pt", weights_only=True)["state_dict"]
    assert all(torch.equal(network.heads["bmd"].state_dict()[key], value) for key, value in trained_bmd.items())


def test_assembly_refuses_a_checkpoint_of_another_network(trained: dict[str, str], work: Path, tmp_path: Path) -> None:
    files = [text for name in SMALL for text in (f"--{name}_file", str(work / name / "best.pt"))]
    files[files.index("--siamese_file") + 1] = str(work / "bmd" / "best.pt")
    result = run(ASSEMBLY, work, *files, "--output_file", str(tmp_path / "model.pt"))
    assert result.returncode != 0
    assert "do not fit siamese_def" in result.stderr
    assert not (tmp_path / "model.pt").exists()


def test_a_file_that_swaps_an_encoder_reaches_training_assembly_and_inference(
    trained: dict[str, str], cohort: Path, work: Path, tmp_path: Path
) -> None:
    swap = tmp_path / "densenet.yaml"
    swap.write_text(
        "bmd_def#encoder#backbone: {_target_: monai.networks.nets.DenseNet, spatial_dims: 2, in_channels: 2, out_channels: 128, "
        "init_features: 16, growth_rate: 8, block_config: [2, 2, 2, 2]}\n"
    )
    result = run(
        (*TRAININGS["bmd"], str(swap)), work, "--dataset_dir", str(cohort), "--output_dir", str(tmp_path / "bmd"),
        "--cache_dir", str(work / "cache"), "--epochs", "1", "--batch_size", "2",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert torch.load(tmp_path / "bmd" / "best.pt", weights_only=True)["provenance"]["config"][-1] == "densenet.yaml"
    files = [text for name in SMALL for text in (f"--{name}_file", str(work / name / "best.pt"))]
    files[files.index("--bmd_file") + 1] = str(tmp_path / "bmd" / "best.pt")
    result = run((*ASSEMBLY, str(swap)), work, *files, "--output_file", str(tmp_path / "model.pt"))
    assert result.returncode == 0, result.stderr

    def weights(*configs: str) -> dict[str, object]:
        parser = ConfigParser()
        parser.read_config([str(CONFIGS / name) for name in configs])
        parser["checkpoint"] = str(tmp_path / "model.pt")
        return parser.get_parsed_content("weights")

    assert weights("inference.yaml", str(swap))["provenance"]["trainings"].keys() == SMALL.keys()
    with pytest.raises(SystemExit, match="bmd"):
        weights("inference.yaml")


def test_contours_learn_further_with_an_encoder_that_stays(
    trained: dict[str, str], cohort: Path, work: Path, tmp_path: Path
) -> None:
    files = [text for name in SMALL for text in (f"--{name}_file", str(work / name / "best.pt"))]
    base = tmp_path / "base.pt"
    assert run(ASSEMBLY, tmp_path, *files, "--output_file", str(base)).returncode == 0
    overlap = "{'_target_': 'TverskyLoss', 'sigmoid': True, 'beta': 0.7}"  # any of MONAI's losses fits
    more = (
        "--initial_file",
        str(base),
        "--encoder_frozen",
        "True",
        "--further_dirs",
        str([str(cohort)]),
        "--loss#overlap",
        overlap,
    )
    result = train("segmentation", cohort, work, 1, *more, "--output_dir", str(tmp_path / "finer"))
    assert result.returncode == 0, result.stderr
    finer = tmp_path / "finer" / "best.pt"
    result = run(
        ASSEMBLY, tmp_path, "--base_file", str(base), "--segmentation_file", str(finer),
        "--output_file", str(tmp_path / "new.pt"),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (before, told), (after, told_after) = (read_checkpoint(path) for path in (base, tmp_path / "new.pt"))
    changed = {key for key, value in before.items() if not torch.equal(value, after[key])} - {"_extra_state"}
    assert changed and all(key.startswith(("search.segmentation.up.", "search.segmentation.bias")) for key in changed)
    trainings = told_after["trainings"]
    assert trainings["bmd"] == told["trainings"]["bmd"]
    assert trainings["segmentation"]["training_radiographs"] == 10 and trainings["segmentation"]["settings"]["encoder_frozen"]
    data = [provenance["trainings"]["segmentation"]["data_hash"] for provenance in (told, told_after)]
    assert data[0] != data[1]


@pytest.mark.parametrize("names", [("train_bmd.yaml",), ("train_bmd.yaml", *SHARED), ("assemble.yaml",), ("export.yaml",)])
def test_a_config_without_those_it_is_laid_over_is_one_clear_sentence(names: tuple[str, ...], tmp_path: Path) -> None:
    result = run(names, tmp_path, "--output_dir", "out")
    assert result.returncode != 0
    said = result.stderr.splitlines()[-1]
    before = "inference.yaml and train.yaml" if "train_bmd.yaml" in names else "inference.yaml"
    assert f"{names[0]} is laid over {before}, which must stand before it" in said and "Traceback" not in result.stderr
    assert not any(tmp_path.iterdir())


def test_assembly_says_which_file_is_missing(work: Path, tmp_path: Path) -> None:
    result = run(ASSEMBLY, work, "--output_file", str(tmp_path / "model.pt"))
    assert result.returncode != 0
    assert "localisation_file is missing: run train_localisation.yaml first, or give a base_file" in result.stderr
    assert not (tmp_path / "model.pt").exists()
