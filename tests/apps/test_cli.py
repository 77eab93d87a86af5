"""A command that cannot work ends with one sentence, a non-zero exit code and nothing written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from quick_start import run_module
from scripts.apps import cli as startup

CONFIGS = Path(startup.__file__).parents[2] / "configs"
INFERENCE = str(CONFIGS / "inference.yaml")
EXAMPLES = str(CONFIGS.parent / "examples")
MODULE = "/any/python/site-packages/monai/bundle/__main__.py"


@pytest.fixture(autouse=True)
def excepthook(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def command_line(*words):
    return [MODULE, "run", "--config_file", INFERENCE, *words]


@pytest.mark.parametrize(
    "words",
    [
        ("--dataset-dir", EXAMPLES, "--output_dir=elsewhere"),
        ("--evaluator#amp", "true"),
        ("--evaluator::amp", "true"),
        ("--tracking", "mlflow", "--run_name", "first"),
        ("--tracking", str(CONFIGS / "mlflow.yaml"), "--tracking_uri", "sqlite:///runs.db", "--rank", "0"),
        ("--meta_file", "metadata.json"),
    ],
)
def test_keys_of_the_config_and_of_monai_are_accepted(words):
    startup.check_command_line(argv=command_line("--dataset_dir", EXAMPLES, "--output_dir", "out", *words))


@pytest.mark.parametrize("word", ["--dataset_dri", "--otput_dir=x", "--evaluatr#amp", "--verbose"])
def test_an_unknown_key_is_named(word):
    with pytest.raises(SystemExit, match=r"--\w+.*: the configuration has no setting '\w+'; .*\w+.* Nothing was run\."):
        startup.check_command_line(argv=command_line(word, "1"))


@pytest.mark.parametrize("name", ["evaluate", "robustness"])
def test_a_config_that_is_laid_over_another_says_so_where_it_stands_alone_or_before_it(name):
    file = str(CONFIGS / f"{name}.yaml")
    wanted = rf"{name}\.yaml is laid over inference\.yaml, .*--config_file \"\['.*inference\.yaml','.*{name}\.yaml'\]\"\. Nothing"
    for files in (file, str([file, INFERENCE])):
        with pytest.raises(SystemExit, match=wanted):
            startup.check_command_line(argv=[MODULE, "run", "--config_file", files])
    words = ("--config_file", str([INFERENCE, file]), "--split", "all", "--dataset_dir", EXAMPLES, "--output_dir", "out")
    startup.check_command_line(argv=[MODULE, "run", *words])


@pytest.mark.parametrize(
    ("option", "typed", "value"),
    [
        ("output_dir", "2024_06", "2024_06"), ("output_dir", "out #2", "out #2"), ("output_dir", "1e5", "1e5"),
        ("output_dir", "o tr%20", "o tr%20"), ("output_dir", "[x]", "[x]"), ("sex_specific", "false", False),
        ("admit_unscaled", "No", False), ("sex_specific", "true", True), ("seed", "7", 7), ("calibration_ball_mm", "30", 30.0),
        ("key_file", "null", None), ("notice", "#1 'quoted' 1,5", "#1 'quoted' 1,5"),
    ],
)  # fmt: skip
def test_what_was_typed_is_what_the_configuration_gets(option, typed, value):
    resolved = {}
    words = ("--dataset_dir", EXAMPLES, "--output_dir", "out", f"--{option}", typed)
    startup.check_command_line(resolved, command_line(*words))
    assert resolved[option] == value and type(resolved[option]) is type(value)


def test_a_folder_whose_name_is_a_number_is_found(tmp_path, monkeypatch):
    for name in ("2024_05_02", "20240502"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    resolved = {}
    startup.check_command_line(resolved, command_line("--dataset_dir", "2024_05_02", "--output_dir", "out"))
    assert resolved["dataset_dir"] == "2024_05_02"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seed", "abc"), r"--seed is 'abc'; expected a whole number"),
        (("--sex_specific", "perhaps"), r"--sex_specific is 'perhaps'; expected true or false"),
        (("--device", "gpu"), r"--device is 'gpu'; expected cpu, cuda, or cuda:N"),
        (("--calibration_ball_mm", "2,5"), r"the decimal sign is a point"),
        (("--checkpoint", "nowhere.pt"), r"--checkpoint nowhere\.pt: there is no such file"),
        (("-seeed", "1"), r"--seeed: .*did you mean --seed\?"),
    ],
)
def test_a_value_that_cannot_be_is_one_sentence(words, said):
    with pytest.raises(SystemExit, match=said):
        startup.check_command_line(argv=command_line("--dataset_dir", EXAMPLES, "--output_dir", "out", *words))


def test_what_must_be_given_is_asked_for():
    with pytest.raises(SystemExit, match=r"No --dataset_dir given, which is the folder of radiographs"):
        startup.check_command_line(argv=command_line("--output_dir", "out"))


def test_a_training_asks_for_its_folder_and_an_overlays_key_must_be_one(tmp_path):
    files = [str(CONFIGS / f"{name}.yaml") for name in ("inference", "train", "train_bmd")]
    with pytest.raises(SystemExit, match=r"No --dataset_dir given, which is the folder of radiographs with a manifest"):
        startup.check_command_line(argv=[MODULE, "run", "--config_file", str(files), "--output_dir", "out"])
    (tmp_path / "more.yaml").write_text("notic: Hospital A\n")
    over = str([INFERENCE, str(tmp_path / "more.yaml")])
    with pytest.raises(SystemExit, match=r"more\.yaml: 'notic' is no key of the configuration; did you mean notice\? Nothing"):
        startup.check_command_line(argv=[MODULE, "run", "--config_file", over, "--dataset_dir", EXAMPLES, "--output_dir", "out"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "Stopped by Ctrl-C. What was finished is kept"),
        (OSError(28, "No space left on device", "out/x"), "out/x: No space left on device."),
        (KeyError("hip"), "Traceback"),
    ],
)
def test_what_ends_monais_command_later_is_one_sentence_but_for_a_fault_of_the_software(error, said, capsys):
    startup.check_command_line(argv=command_line("--dataset_dir", EXAMPLES, "--output_dir", "out"))
    try:
        raise error
    except BaseException as caught:
        sys.excepthook(type(caught), caught, caught.__traceback__)
    printed = capsys.readouterr().err.strip()
    assert printed.startswith(said) and (said == "Traceback" or len(printed.splitlines()) == 1)


def run_monai(folder, *words):
    """MONAI's command in a process of its own, in a folder that holds another bundle's scripts."""
    (folder / "scripts").mkdir(exist_ok=True)
    (folder / "scripts" / "__init__.py").touch()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(CONFIGS.parent)}
    line = [sys.executable, "-P", "-m", "monai.bundle", "run", *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_monais_command_does_what_was_typed_beside_another_bundles_scripts(tmp_path, untrained_weights):
    (tmp_path / "2024_05_02").mkdir()
    (tmp_path / "2024_05_02" / "film.dcm").symlink_to(f"{EXAMPLES}/images/normal.dcm")
    typed = ("--dataset_dir", "2024_05_02", "--output_dir", "2024_06", "--sex_specific", "false", "--seed", "5")
    result = run_monai(tmp_path, "--config_file", INFERENCE, *typed, "--checkpoint", str(untrained_weights))
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2024_05_02", "2024_06", "scripts"]
    document = json.loads((tmp_path / "2024_06" / "results.json").read_text())
    assert len(document["radiographs"]) == 1 and document["provenance"]["seed"] == 5


def test_a_config_that_is_not_there_is_told_by_the_last_line_of_monais_traceback(tmp_path):
    result = run_monai(tmp_path, "--config_file", "inferense.yaml", "--dataset_dir", EXAMPLES, "--output_dir", "out")
    assert result.returncode == 1 and "inferense.yaml" in result.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_the_store_of_mlflow_lies_in_the_folder_that_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = str([str(CONFIGS / f"{name}.yaml") for name in ("inference", "train", "train_bmd")])
    line = [MODULE, "run", "--config_file", files, "--dataset_dir", EXAMPLES, "--tracking", "mlflow", "--output_dir"]
    resolved = {}
    startup.check_command_line(resolved, [*line, "o tr%20"])
    assert resolved["tracking_uri"] == f"sqlite:///{tmp_path}/o tr%20/mlruns.db"
    with pytest.raises(SystemExit, match=r"--output_dir out #2: with --tracking MONAI writes to 'out ::2' instead"):
        startup.check_command_line(resolved, [*line, "out #2"])


def test_packages_that_are_missing_are_named_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setattr(
        startup, "requires", lambda _: ["numpy==2.4.6", 'spekpy==2.5.4; extra == "simulate"', 'no-such==1; extra == "simulate"']
    )
    words = (MODULE, "run", "--config_file", str(CONFIGS / "simulate.yaml"), "--output_dir", "out")
    with pytest.raises(
        SystemExit, match=r"simulate needs no-such, which this Python lacks; install by: .*pip install -e '.*\[simulate\]'\."
    ):
        startup.check_command_line(argv=words)
    startup.check_command_line(argv=command_line("--dataset_dir", EXAMPLES, "--output_dir", "out"))


def test_other_commands_are_left_alone():
    startup.check_command_line(argv=["/usr/bin/pytest", "--cov"])


def test_several_config_files_are_read_together():
    files = f"['{INFERENCE}','{CONFIGS / 'train_bmd.yaml'}']"
    argv = [MODULE, "run", "--config_file", files, "--dataset_dir", "/home/doe^jane", "--seed", "3"]
    assert startup.config_files(argv) == [INFERENCE, str(CONFIGS / "train_bmd.yaml")]
    assert startup.overridden_keys(argv) == {"seed": "3"}


def test_a_folder_without_radiographs_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(SystemExit, match="no radiographs"):
        startup.find_radiographs(str(tmp_path))


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no such folder"):
        startup.find_radiographs(str(tmp_path / "absent"))
    with pytest.raises(SystemExit, match="No --dataset_dir given"):
        startup.find_radiographs(None)


def test_an_unreadable_folder_is_refused(tmp_path, monkeypatch):
    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", scandir)  # root may read everything, so permissions alone would not tell
    with pytest.raises(SystemExit, match="Permission denied"):
        startup.find_radiographs(str(tmp_path))


def test_a_mistake_in_the_manifest_is_one_sentence(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text("image,age_years\na.png,old\n")
    with pytest.raises(SystemExit, match=r"manifest\.csv.*age_years.*old"):
        startup.find_radiographs(str(tmp_path))


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="cannot be written"):
        startup.check_output(str(tmp_path / "file" / "out"))
    with pytest.raises(SystemExit, match="No --output_dir given"):
        startup.check_output(None)


def test_the_users_key_gives_the_same_pseudonyms_in_every_run(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "in/a.png")
    (tmp_path / "key").write_text("k" * 40)
    key = startup.pseudonym_key(str(tmp_path / "key"), str(tmp_path / "out"))
    first, second = (startup.find_radiographs(str(tmp_path / "in"), key)[0]["name"] for _ in range(2))
    assert first == second != startup.find_radiographs(str(tmp_path / "in"))[0]["name"]


def test_a_run_keeps_its_key_for_the_next(tmp_path):
    out = str(tmp_path / "out")
    key = startup.pseudonym_key(None, out)
    assert startup.pseudonym_key(None, out) != key, "nothing is written before the output folder is made"
    startup.check_output(out, key)
    assert startup.pseudonym_key(None, out) == key


def test_a_bad_key_file_is_one_sentence(tmp_path):
    (tmp_path / "key").write_text("short")
    for name in ("key", "absent"):
        with pytest.raises(SystemExit, match=r"--key_file: .*Make one by: head"):
            startup.pseudonym_key(str(tmp_path / name), None)


def run(folder, *words):
    return run_module("monai.bundle", "run", "--config_file", INFERENCE, *words, cwd=folder)


@pytest.fixture
def radiographs(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "no_spacing.png")
    (folder / "damaged.dcm").write_bytes(b"\x00" * 128 + b"DICM damaged")
    return folder


def test_a_misspelt_key_stops_the_command(tmp_path, radiographs, untrained_weights):
    done = run(tmp_path, "--dataset_dri", "in", "--output_dir", "out", "--checkpoint", str(untrained_weights))
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("--dataset_dri: the configuration has no setting 'dataset_dri'; did you mean --dataset_dir?")
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_evaluation_alone_ends_with_one_sentence(tmp_path):
    done = run_module("monai.bundle", "run", "--config_file", str(CONFIGS / "evaluate.yaml"), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("--config_file: evaluate.yaml is laid over inference.yaml")
    assert "Traceback" not in done.stderr


def test_missing_weights_stop_the_command(tmp_path, radiographs):
    done = run(tmp_path, "--dataset_dir", "in", "--output_dir", "out", "--checkpoint", "absent.pt")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("--checkpoint absent.pt: there is no such file")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_main_job_accounts_for_every_file_and_says_what_made_it(tmp_path, radiographs, untrained_weights):
    done = run(tmp_path, "--dataset_dir", "in", "--output_dir", "out", "--checkpoint", str(untrained_weights), "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("2 radiographs: 0 hips measured on 0, 2 refused.")
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {record["file"]: record["reason"]["code"] for record in document["radiographs"]} == {
        "damaged.dcm": "UNREADABLE",
        "no_spacing.png": "NO_FEMUR",
    }
    provenance = document["provenance"]
    assert provenance["configuration"]["files"][0]["file"] == "inference.yaml"
    assert provenance["configuration"]["overrides"].keys() == {"checkpoint", "seed"}
    assert provenance["weights"]["provenance"] == {"seed": 7, "data": "none"}
    assert provenance["seed"] == 5
