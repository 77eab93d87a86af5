"""The command `osteoxr`: what is mistyped ends with one true sentence and its exit code, and what is typed is what is done."""

import csv
import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pydicom
import pytest
import scripts
from own_command import ended
from scripts.apps import cli, command, endings
from scripts.apps.log_lines import log_lines
from scripts.apps.options import MistypedError, read_commands
from scripts.clinical import load_reference

BUNDLE = Path(scripts.__file__).parents[1]

MISTYPED = [
    # commands
    ("scren in out", "has no command 'scren'; did you mean screen?"),
    ("Screen in out", "has no command 'Screen'; did you mean screen?"),
    ("inference in out", "has no command 'inference'; there are annotate, assemble, average,"),
    ("evalute in out", "has no command 'evalute'; did you mean evaluate?"),
    ("eval in out", "has no command 'eval'; did you mean evaluate?"),
    ("sim out", "has no command 'sim'; did you mean simulate?"),
    ("simulation out", "has no command 'simulation'; did you mean simulate?"),
    ("domaingap in in out", "has no command 'domaingap'; did you mean domain-gap?"),
    ("train in out", "osteoxr train has no command 'in'; there are bmd, head,"),
    ("train bdm in out", "osteoxr train has no command 'bdm'; did you mean bmd?"),
    ("train segmentaton in out", "did you mean segmentation?"),
    ("train seg in out", "did you mean segmentation?"),
    ("train --epochs 3", "osteoxr train has no option --epochs; options stand behind the command: osteoxr train COMMAND ..."),
    ("train_bmd in out", "has no command 'train_bmd'; did you mean train bmd?"),
    ("bmd in out", "has no command 'bmd'; did you mean train bmd?"),
    ("--verbose screen in out", "osteoxr has no option --verbose; options stand behind the command"),
    ("--log json2 screen in out", "osteoxr has no option --log; options stand behind the command: osteoxr COMMAND ... --log."),
    ("run in out", "has no command 'run'"),
    ("help", "has no command 'help'; did you mean --help?"),
    ("version", "has no command 'version'; did you mean --version?"),
    ("train help", "osteoxr train has no command 'help'; did you mean --help?"),
    # places
    ("screen", "FOLDER is missing (the folder of radiographs, searched with everything below it): osteoxr screen FOLDER OUT."),
    ("screen in", "OUT is missing (where results go, outside dataset_dir"),
    ("screen in out more", "Got unexpected extra argument (more): expected osteoxr screen FOLDER OUT."),
    ("screen in my out folder", "Got unexpected extra arguments (out folder)"),
    ("screen ni out", "--dataset_dir ni: there is no such folder"),
    ("screen in/film.png out", "--dataset_dir in/film.png: is not a folder"),
    ("screen in out --dataset_dir in", "FOLDER is given as 'in' and by --dataset_dir; expected one of them."),
    ("screen in --output_dir", "Option '--output_dir' requires an argument."),
    ("screen in --output_dir=", "--output_dir is ''; expected a path."),
    ("screen in in", "--output_dir in is also --dataset_dir: the next run would read its pictures as radiographs"),
    ("screen in out/../in", "--output_dir out/../in is also --dataset_dir"),
    ("evaluate in in/", "--output_dir in/ is also --dataset_dir"),
    ("domain-gap more in in", "--output_dir in is also --reference_dir"),
    ("evaluate --output_dir out", "FOLDER is missing"),
    ("simulate", "OUT is missing (the folder to make or to go on with): osteoxr simulate OUT."),
    ("train bmd", "FOLDER is missing (the folder of radiographs with a manifest.csv, see docs/data.md)"),
    ("train bmd --output_dir out", "FOLDER is missing"),
    ("train view in out", "--further_dirs is missing (FAULTY and OTHERS)"),
    ("domain-gap in nowhere out", "--reference_dir nowhere: there is no such folder"),
    ("calibrate", "FOLDER is missing"),
    ("calibrate in", "OUT is missing"),
    ("calibrate in out --fewest_patients 5", "--fewest_patients is '5'; expected a whole number from 20."),
    ("calibrate in out --calibration_file in/film.png", "has no option --calibration_file"),
    ("check-calibration in out", "--calibration_file is missing (what calibrate.yaml wrote)"),
    ("screen in out --calibration_file nowhere.json", "--calibration_file nowhere.json: there is no such file"),
    ("calibrate-gate", "--valid_dir is missing"),
    ("calibrate-uncertainty in", "OUT is missing"),
    ("calibrate-uncertainty in out --uncertainty_file in/film.png", "has no option --uncertainty_file"),
    ("screen in out --uncertainty_file nowhere.json", "--uncertainty_file nowhere.json: there is no such file"),
    ("screen in out --prevalence 1", "--prevalence is '1'; expected a number above 0 below 1"),
    # options
    ("screen in out --sed 1", "has no option --sed; did you mean --seed?"),
    ("screen in out --weights x.pt", "has no option --weights"),
    ("screen in out --check-point x.pt", "has no option --check_point; did you mean --checkpoint?"),
    ("screen in out --epochs 3", "has no option --epochs"),
    ("screen in out --evaluator#amp true", "has no option --evaluator#amp; what lies deeper in a config is set by a file"),
    ("screen in out --no-sex_specific", "has no option --no_sex_specific; write --sex_specific false."),
    ("train bmd in out --tracking_uri x", "--tracking_uri is given without --tracking, which it belongs to."),
    ("train bmd in out --tracking mlflow --experiment_name=", "--experiment_name is '', expected a text."),
    ("train siamese in out --epoch 1", "has no option --epoch; did you mean --epochs?"),
    ("train siamese in out --lr 1", "has no option --lr; did you mean --learning_rate?"),
    ("train bmd in out --batchsize 4", "did you mean --batch_size?"),
    ("train bmd in out --checkpoint in/film.png", "has no option --checkpoint"),
    ("train bmd in out --sex_specific true", "has no option --sex_specific"),
    ("simulate out --patient 5", "did you mean --patients?"),
    ("simulate out -n 5", "has no option -n"),
    # values
    ("screen in out --seed abc", "--seed is 'abc'; expected a whole number from 0 to 4294967295."),
    ("screen in out --seed -1", "--seed is '-1'; expected a whole number from 0"),
    ("screen in out --seed 1.5", "--seed is '1.5'; expected a whole number"),
    ("screen in out --seed 1 --seed 2", "--seed is given 2 times; expected once."),
    ("screen in out --sex_specific maybe", "--sex_specific is 'maybe'; expected true or false."),
    ("screen in out --calibration_ball_mm 2,5", "expected a number above 0 to 100 (mm); the decimal sign is a point."),
    ("screen in out --calibration_ball_mm 0", "--calibration_ball_mm is '0'; expected a number above 0"),
    ("screen in out --device gpu", "--device is 'gpu'; expected cpu, cuda, or cuda:N; a GPU of NVIDIA is called cuda."),
    ("screen in out --device cuda:x", "--device is 'cuda:x'; expected cpu"),
    ("screen in out --device cuda:99", "--device cuda:99: PyTorch finds"),
    ("screen in out --checkpoint nowhere.pt", "--checkpoint nowhere.pt: there is no such file"),
    ("screen in out --checkpoint in", "--checkpoint in: is not a file"),
    ("screen in out --log xml", "Invalid value for '--log': 'xml' is not one of 'text', 'json'."),
    ("screen in out --config mine.yml", "mine.yml: there is no such config"),
    ("screen in out --config=", "--config is ''; expected a file."),
    ("screen in out --config in", "in: cannot be read as a config (Is a directory)."),
    ("screen in out --config in/film.png", "in/film.png: is empty; expected keys with values."),
    ("screen in out --config vain.yaml", "vain.yaml: 'notic' is no key of the configuration; did you mean notice?"),
    ("evaluate in out --split tset", "expected one of train, validation, test, external, all or null; did you mean test?"),
    ("train bmd in out --epochs 0", "--epochs is '0'; expected a whole number from 1."),
    ("train bmd in out --epochs ten", "--epochs is 'ten'; expected a whole number from 1."),
    ("train bmd in out --learning_rate 5", "--learning_rate is '5'; expected a number above 0 to 1."),
    ("train segmentation in out --encoder_frozen flase", "--encoder_frozen is 'flase'; expected true or false."),
    ("train bmd in out --further_dirs in --further_dirs on", "--further_dirs on: there is no such folder"),
    ("train bmd in out --tracking mlfow", "mlfow: there is no such config"),
    ("simulate out --patients many", "--patients is 'many'; expected a whole number from 1."),
    ("simulate out --spacing_mm 34", "--spacing_mm is '34'; expected a number from 0.05 to 1 (mm) or null."),
    ("simulate out --sites [a", "--sites is '[a', which is no list"),
    ("simulate out --faulty 2", "--faulty is '2'; expected true or false."),
    # the other commands
    ("check", "FOLDER is missing"),
    ("check in out", "Got unexpected extra argument (out): expected osteoxr check FOLDER."),
    ("check ni", "--dataset_dir ni: there is no such folder"),
    ("annotate", "FOLDER is missing"),
    ("annotate in --outptu_dir out", "has no option --outptu_dir"),
    ("label", "FOLDER is missing (the folder of radiographs, or the address"),
    ("listen", "FOLDER is missing (the folder of radiographs, made where it is missing"),
    ("listen in in", "--output_dir in is also --dataset_dir"),
    ("listen in out --port 70000", "--port is '70000'; expected a whole number from 0 to 65535"),
    ("listen in out --server PACS@host:104", "has no option --server"),
    ("label in --port eighty", "--port is 'eighty'; expected a whole number from 1 to 65535."),
    ("export", "MODEL is missing (the file to write"),
    ("export m.ts --format onnx", "has no option --format"),
    ("assemble --bmd in/nowhere.pt", "has no option --bmd; did you mean --bmd_file?"),
    ("assemble --bmd_file nowhere.pt", "--bmd_file nowhere.pt: there is no such file"),
    ("average --output_file m.pt", "--files is missing (two or more checkpoints of one network)"),
    ("evaluate-gate out", "--valid_dir is missing"),
    ("robustness in", "OUT is missing"),
    ("interventions", "OUT is missing"),
    ("interventions in out", "Got unexpected extra argument (out): expected osteoxr interventions OUT."),
    ("interventions out --patients 0", "--patients is '0'; expected a whole number from 1."),
    ("benchmark nets", "has no command 'nets'; did you mean networks?"),
    ("benchmark gpu", "has no command 'gpu'; there are networks, radiomics, reading, simulation."),
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "film.png").touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "vain.yaml").write_text("notic: Hospital A\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("line", "said"), MISTYPED, ids=[line for line, _ in MISTYPED])
def test_what_is_mistyped_ends_with_one_sentence(line: str, said: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(*line.split()) == endings.MISTYPED
    printed = capfd.readouterr()
    assert printed.out == "" and len(printed.err.strip().splitlines()) == 1
    assert said in printed.err and printed.err.strip().endswith(" Nothing was run.")
    assert not (place / "out").exists()


def test_there_are_sixty_of_them() -> None:
    assert len({line for line, _ in MISTYPED}) >= 60


@pytest.mark.parametrize("name", read_commands())
def test_help_says_what_the_config_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*name.split(), "--help") == endings.DONE
    printed = " ".join(capsys.readouterr().out.split())
    about = read_commands()[name]
    assert " ".join(about.about.split())[:60] in printed and "Exit codes: 0 done;" in printed
    assert all(f"--{option}" in printed and " ".join(one.help.split()[:3]) in printed for option, one in about.options.items())


def test_the_installed_command_is_this_one() -> None:
    project = tomllib.loads((BUNDLE.parent / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["osteoxr"].split(":")
    assert getattr(importlib.import_module(module), function) is command.main
    assert any(line.startswith("click==") for line in project["dependencies"])


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What would be run, each time."""
    runs: list[dict[str, object]] = []
    monkeypatch.setattr(command, "_run_config", lambda config, values, typed, tracking, log: runs.append(
        {"name": config.name, "files": [file.name for file in config.files], "tracking": tracking, **values}
    ))  # fmt: skip
    return runs


def test_what_is_typed_is_what_is_run(place: Path, ran: list[dict[str, object]]) -> None:
    (place / "2024_05_02").mkdir()
    (place / "more.yaml").write_text("notice: Hospital A\n")
    assert ended("screen", "2024_05_02", "out #2", "--sex-specific", "false", "--config", "more.yaml") == endings.DONE
    assert (
        ended(
            "train", "siamese", "--dataset_dir", "in", "--output_dir=2024_06", "--learning_rate", "1e-3", "--tracking", "mlflow"
        )
        == 0
    )
    assert ended("train", "segmentation", "in", "out", "--encoder_frozen", "false") == endings.DONE
    assert ran.pop()["encoder_frozen"] is False
    assert ended("simulate", "o tr%20", "--sites", "a,b", "--sites", "c", "--spacing_mm", "null", "--faulty") == 0
    assert ran[0] == {
        "name": "screen", "files": ["inference.yaml", "more.yaml"], "tracking": None,
        "dataset_dir": "2024_05_02", "output_dir": "out #2", "sex_specific": False,
    }  # fmt: skip
    assert ran[1]["files"] == ["inference.yaml", "train.yaml", "train_bmd.yaml", "train_siamese.yaml"]
    assert ran[1]["learning_rate"] == 0.001 and ran[1]["output_dir"] == "2024_06"
    assert Path(str(ran[1]["tracking"])).name == "mlflow.yaml"
    assert ran[2]["sites"] == ["a", "b", "c"] and ran[2]["spacing_mm"] is None and ran[2]["faulty"] is True


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), endings.STOPPED, "Stopped by Ctrl-C, before it was finished."),
        (SystemExit("in: no radiographs."), endings.FAILED, "in: no radiographs."),
        (SystemExit(130), 130, ""),
        (OSError(28, "No space left on device", "out/x"), endings.FAILED, "out/x: No space left on device."),
        (ImportError("No module named 'spekpy'"), endings.FAILED, "A package is missing or broken (No module named 'spekpy')"),
        (KeyError("hip"), endings.FAULT, "OsteoXR failed (KeyError: 'hip' at scripts/apps/command.py, line "),
        (ValueError("of a library"), endings.FAULT, "OsteoXR failed (ValueError: of a library at scripts"),
    ],
)
def test_what_goes_wrong_later_is_one_sentence_too(
    error: BaseException, code: int, said: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(command, "_run_config", fail)
    assert ended("screen", "in", "out") == code
    assert capsys.readouterr().err.strip().startswith(said)


def test_a_json_log_has_a_line_for_each_message_and_no_bars_and_no_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with log_lines() as hidden:
        hidden["dataset_dir"] = "/data/DOE JANE"
        print("2 radiographs in /data/DOE JANE/1970/x.dcm, found 'GEHEIM'", end="\n\n")
        print("\rStudies:  10%|#         |\rStudies: 100%|##########|", file=sys.stderr)
        print("half a ", end="")
        print("line 'kept'")
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["message"] for record in records] == ["2 radiographs in <dataset_dir>, found '...'", "half a line 'kept'"]
    assert all(record.keys() == {"time", "level", "message"} for record in records)


def test_a_mistyped_folder_is_not_named_in_a_json_log(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("screen", "DOE_JANE", "out", "--log", "json") == endings.MISTYPED
    (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert record["level"] == "error" and "there is no such folder" in record["message"] and "DOE" not in record["message"]
    assert ended("screen", "in", "out", "--checkpoint", "data/DOE JANE/x.pt", "--log", "json") == endings.MISTYPED
    assert "DOE" not in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, one in read_commands().items() if one.extra])
def test_packages_that_a_command_lacks_are_named_before_anything_is_done(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    extra = read_commands()[name].extra
    monkeypatch.setattr(cli, "requires", lambda _: ["numpy==2.4.6", f'no-such==1; extra == "{extra}"'])
    with pytest.raises(MistypedError, match=rf"^{name} needs no-such, .* -m pip install -e '.*\[{extra}\]'\. Nothing was run\.$"):
        cli.check_packages(read_commands()[name])
    if name == "simulate":
        assert ended("simulate", "out") == endings.MISTYPED
        assert "simulate needs no-such" in capfd.readouterr().err and not (place / "out").exists()


def test_men_are_compared_with_women_unless_it_is_asked_for(place: Path) -> None:
    """A man of 71: with what is typed for `false`, the T-score is that of the ISCD's reference for both sexes."""
    film = pydicom.dcmread(BUNDLE / "examples/images/normal.dcm")
    film.PatientSex, film.PatientAge = "M", "071Y"
    (place / "in" / "film.png").unlink()
    film.save_as(place / "in" / "man.dcm")
    scores = {}
    for switch in ("false", "true"):
        assert ended("screen", "in", switch, "--sex_specific", switch) == endings.DONE
        with (place / switch / "results.csv").open() as file:
            row = next(csv.DictReader(file))
        scores[switch] = float(row["total_t_score"])
        if switch == "false":
            expected = load_reference().t_score(float(row["total_bmd_g_cm2"]), "total")
    assert scores["false"] == pytest.approx(expected, abs=0.01) and scores["false"] > scores["true"] + 0.3


def start(*words: str, cwd: Path, **settings: object) -> "subprocess.Popen[str]":
    """The command in a process of its own, in a folder that is not the bundle's."""
    line = [sys.executable, "-P", "-m", "scripts.apps.command", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(BUNDLE)}
    return subprocess.Popen(line, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_folder_is_screened_beside_another_bundles_scripts(tmp_path: Path, untrained_weights: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "__init__.py").touch()
    (tmp_path / "2024_05_02").mkdir()
    os.symlink(BUNDLE / "examples/images/normal.dcm", tmp_path / "2024_05_02" / "DOE.dcm")
    words = ("screen", "2024_05_02", "o tr%20 #2", "--checkpoint", str(untrained_weights), "--log", "json", "--seed", "5")
    process = start(*words, cwd=tmp_path)
    said, warned = process.communicate(timeout=300)
    assert process.returncode == 0, said + warned
    records = [json.loads(line) for line in said.splitlines()]
    assert records[-1]["message"].startswith("1 radiographs: ") and "<output_dir>" in records[-1]["message"]
    assert not [word for word in ("DOE", "2024_05_02", str(tmp_path)) if word in said]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2024_05_02", "o tr%20 #2", "scripts"]
    provenance = json.loads((tmp_path / "o tr%20 #2" / "results.json").read_text())["provenance"]
    assert [file["file"] for file in provenance["configuration"]["files"]] == ["inference.yaml"]
    assert provenance["configuration"]["overrides"].keys() == {"checkpoint", "seed"} and provenance["seed"] == 5
