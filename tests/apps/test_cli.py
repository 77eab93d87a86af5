"""A command that cannot work ends with one sentence, a non-zero exit code and nothing written."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from scripts.apps import cli as startup
from scripts.screening import load_weights

CONFIGS = Path(startup.__file__).parents[2] / "configs"
INFERENCE = str(CONFIGS / "inference.yaml")
MODULE = "/any/python/site-packages/monai/bundle/__main__.py"


def command_line(*words):
    return [MODULE, "run", "--config_file", INFERENCE, *words]


@pytest.fixture(scope="session")
def network():
    parser = ConfigParser()
    parser.read_config(INFERENCE)
    return parser.get_parsed_content("network_def")


@pytest.fixture(scope="session")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    save({"state_dict": network.state_dict(), "provenance": {"seed": 7, "data": "none"}}, path)
    return path


def save(content, path):
    """Write weights, or bytes, and their checksum."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("--dataset_dir", "in", "--output_dir=out"),
        ("--dataset-dir", "in"),
        ("--evaluator#amp", "true"),
        ("--evaluator::amp", "true"),
        ("--tracking", "mlflow", "--run_name", "first"),
        ("--meta_file", "metadata.json"),
    ],
)
def test_keys_of_the_config_and_of_monai_are_accepted(words):
    startup.check_command_line(command_line(*words))


@pytest.mark.parametrize("word", ["--dataset_dri", "--otput_dir=x", "--evaluatr#amp", "--verbose"])
def test_an_unknown_key_is_named(word):
    with pytest.raises(SystemExit, match=r"--\w+.*the configuration has no key '\w+'.*dataset_dir"):
        startup.check_command_line(command_line(word, "1"))


@pytest.mark.parametrize("name", ["evaluate", "robustness"])
def test_a_config_that_is_laid_over_another_says_so_where_it_stands_alone_or_before_it(name):
    file = str(CONFIGS / f"{name}.yaml")
    wanted = rf"{name}\.yaml is laid over inference\.yaml, .*--config_file \"\['.*inference\.yaml','.*{name}\.yaml'\]\"\. Nothing"
    for files in (file, str([file, INFERENCE])):
        with pytest.raises(SystemExit, match=wanted):
            startup.check_command_line([MODULE, "run", "--config_file", files])
    startup.check_command_line([MODULE, "run", "--config_file", str([INFERENCE, file]), "--split", "all", "--checkpoint", "x"])


def test_other_commands_are_left_alone():
    startup.check_command_line(["/usr/bin/pytest", "--cov"])


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
        startup.check_output(str(tmp_path / "file" / "out"), str(tmp_path))
    with pytest.raises(SystemExit, match="is also --dataset_dir"):
        startup.check_output(str(tmp_path / "in" / ".."), str(tmp_path))
    with pytest.raises(SystemExit, match="No --output_dir given"):
        startup.check_output(None, str(tmp_path))


def test_weights_are_loaded_with_their_provenance(network, weights):
    with torch.no_grad():
        saved = next(iter(network.parameters())).clone()
        next(iter(network.parameters())).zero_()
    described = load_weights(network, str(weights))
    assert torch.equal(next(iter(network.parameters())), saved)
    assert described["file"] == "model.pt" and len(described["sha256"]) == 64
    assert described["provenance"] == {"seed": 7, "data": "none"}


def test_missing_weights_are_refused(network, tmp_path):
    with pytest.raises(SystemExit, match="there is no such file"):
        load_weights(network, str(tmp_path / "model.pt"))


def test_weights_that_are_not_those_of_their_checksum_are_refused(network, weights, tmp_path):
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(SystemExit, match=r"model\.pt\.sha256 beside them, is missing.*sha256sum model\.pt > model\.pt\.sha256"):
        load_weights(network, str(tmp_path / "model.pt"))
    (tmp_path / "model.pt.sha256").write_bytes(weights.with_name("model.pt.sha256").read_bytes())
    with pytest.raises(SystemExit, match="the file is damaged or another one"):
        load_weights(network, str(tmp_path / "model.pt"))


def test_the_shipped_weights_have_their_checksum(network):
    load_weights(network, str(CONFIGS.parent / "models" / "model.pt"))


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
    startup.check_output(out, str(tmp_path), key)
    assert startup.pseudonym_key(None, out) == key


def test_a_bad_key_file_is_one_sentence(tmp_path):
    (tmp_path / "key").write_text("short")
    for name in ("key", "absent"):
        with pytest.raises(SystemExit, match=r"--key_file: .*Make one by: head"):
            startup.pseudonym_key(str(tmp_path / name), None)


@pytest.mark.parametrize("content", [b"not weights", b""])
def test_a_file_that_holds_no_weights_is_refused(network, tmp_path, content):
    save(content, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match="not a weights file of OsteoXR"):
        load_weights(network, str(tmp_path / "model.pt"))


def test_weights_of_another_network_are_refused_by_the_keys_that_differ(network, tmp_path):
    state = {f"old.{key}": value for key, value in network.state_dict().items()}
    save({"state_dict": state, "provenance": {}}, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match=r"do not fit the network.*is missing.*and \d+ more"):
        load_weights(network, str(tmp_path / "model.pt"))
    key = next(key for key, value in network.state_dict().items() if value.ndim == 4)
    other = {**network.state_dict(), key: torch.zeros(1, 2, 3, 4)}
    save({"state_dict": other, "provenance": {}}, tmp_path / "model.pt")
    with pytest.raises(SystemExit, match=f"{key} is .* instead of"):
        load_weights(network, str(tmp_path / "model.pt"))


def run(folder, *words):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", INFERENCE, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def radiographs(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "no_spacing.png")
    (folder / "damaged.dcm").write_bytes(b"\x00" * 128 + b"DICM damaged")
    return folder


def test_a_misspelt_key_stops_the_command(tmp_path, radiographs, weights):
    done = run(tmp_path, "--dataset_dri", "in", "--output_dir", "out", "--checkpoint", str(weights))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("--dataset_dri: the configuration has no key")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_evaluation_alone_ends_with_one_sentence(tmp_path):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(CONFIGS / "evaluate.yaml")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("--config_file: evaluate.yaml is laid over inference.yaml")
    assert "Traceback" not in done.stderr


def test_missing_weights_stop_the_command(tmp_path, radiographs):
    done = run(tmp_path, "--dataset_dir", "in", "--output_dir", "out", "--checkpoint", "absent.pt")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Weights absent.pt: there is no such file")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_main_job_accounts_for_every_file_and_says_what_made_it(tmp_path, radiographs, weights):
    done = run(tmp_path, "--dataset_dir", "in", "--output_dir", "out", "--checkpoint", str(weights), "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("2 radiographs: 0 hips measured on 0, 2 refused.")
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {record["file"]: record["reason"]["code"] for record in document["radiographs"]} == {
        "damaged.dcm": "UNREADABLE",
        "no_spacing.png": "NO_SPACING",
    }
    provenance = document["provenance"]
    assert provenance["configuration"]["files"][0]["file"] == "inference.yaml"
    assert provenance["configuration"]["overrides"].keys() == {"checkpoint", "seed"}
    assert provenance["weights"]["provenance"] == {"seed": 7, "data": "none"}
    assert provenance["seed"] == 5
