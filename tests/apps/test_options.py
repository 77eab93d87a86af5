"""What the configs declare of each option, the values of what is typed for it, and what is said where it is no such value."""

from pathlib import Path

import pytest
import torch
import yaml
from scripts.apps.options import CONFIGS, Command, MistypedError, Option, nearest, read_command, read_commands


@pytest.fixture(scope="module")
def commands() -> dict[str, Command]:
    return read_commands()


def test_every_config_that_does_something_is_a_command(commands: dict[str, Command]) -> None:
    run = {file.stem for file in CONFIGS.glob("*.yaml") if "\nrun:" in file.read_text() and file.stem != "train"}
    run |= {file.stem for file in CONFIGS.glob("train_*.yaml")}
    assert {command.files[-1].stem for command in commands.values()} == run


def test_every_option_has_a_value_and_a_meaning(commands: dict[str, Command]) -> None:
    for command in commands.values():
        merged: dict[str, object] = {}
        for file in command.files:
            merged |= {key.removeprefix("+"): value for key, value in yaml.safe_load(file.read_text()).items()}
        for name, option in command.options.items():
            assert name in merged, f"{command.name}: {name} is no key of its configs"
            assert option.help, f"{command.name}: {name} has no comment"
            option.check(option.default, command.name)
        assert command.about and set(command.takes) <= set(command.options)


def test_what_is_of_a_command_alone_is_not_of_those_laid_over_it(commands: dict[str, Command]) -> None:
    own = {"server", "study_date", "modality", "body_part", "screened", "title", "move_port"}
    assert own <= set(commands["screen"].options)
    for name in ("evaluate", "explain", "train bmd"):
        assert not own & set(commands[name].options) and not own & commands[name].keys, name
    assert set(commands["screen"].options) - own - {"precision_file"} <= set(commands["explain"].options)


@pytest.mark.parametrize(
    "place", ["2024_05_02", "2024_06", "20240502", "out #2", "o tr%20", "1e5", "None", "[a", "$HOME", "@x", "a::b"]
)
def test_a_path_stays_as_it_was_typed(place: str) -> None:
    assert Option("output_dir", "path").parse([place]) == place


@pytest.mark.parametrize(
    ("text", "value"),
    [("false", False), ("False", False), ("no", False), ("0", False), ("off", False), ("true", True), ("YES", True), ("1", True)],
)
def test_a_switch_is_what_it_says(text: str, value: bool) -> None:
    assert Option("sex_specific", "boolean").parse([text]) is value


@pytest.mark.parametrize("text", ["abc", "1.5", "1_000", "-1", "", "٣x", "0x10", "4294967296", "nan"])
def test_a_whole_number_is_one_in_its_range(text: str) -> None:
    with pytest.raises(MistypedError, match=r"--seed is .*; expected a whole number from 0 to 4294967295\. Nothing was run\."):
        Option("seed", "integer", minimum=0, maximum=4294967295).parse([text])


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), (".5", 0.5), ("1", 1.0), ("2.0E-1", 0.2)])
def test_a_number_may_be_written_as_usual(text: str, value: float) -> None:
    assert Option("learning_rate", "number", above=0, maximum=1).parse([text]) == value


@pytest.mark.parametrize(
    ("text", "said"), [("0,001", "the decimal sign is a point"), ("0", "above 0"), ("inf", "a number"), ("2", "to 1")]
)
def test_a_number_that_is_none_is_told(text: str, said: str) -> None:
    with pytest.raises(MistypedError, match=said):
        Option("learning_rate", "number", above=0, maximum=1).parse([text])


@pytest.mark.parametrize(
    ("texts", "value"),
    [(["a", "b"], ["a", "b"]), (["['a','b']"], ["a", "b"]), (["a,b"], ["a", "b"]), (["('a',)"], ["a"]), (["null"], None)],
)
def test_a_list_may_be_repeated_or_written(texts: list[str], value: list[str] | None) -> None:
    assert Option("sites", "text", several=True, nullable=True).parse(texts) == value


def test_a_list_of_folders_keeps_their_commas(tmp_path: Path) -> None:
    (tmp_path / "a,b").mkdir()
    assert Option("further_dirs", "folder", several=True).parse([str(tmp_path / "a,b")]) == [str(tmp_path / "a,b")]


def test_a_processor_is_a_device_and_a_gpu_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    option = Option("device", "device")
    assert option.parse(["cpu"]) == torch.device("cpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for text in ("cuda", "cuda:1"):
        with pytest.raises(MistypedError, match=rf"--device {text}: PyTorch finds no usable GPU .*give --device cpu"):
            option.parse([text])
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert option.parse(["cuda"]) == torch.device("cuda")
    with pytest.raises(MistypedError, match=r"--device cuda:1: PyTorch finds 1 usable GPU"):
        option.parse(["cuda:1"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [("epoch", "epochs"), ("lr", "learning_rate"), ("batchsize", "batch_size"), ("bs", "batch_size"),
     ("output-dir", "output_dir"), ("output", "output_dir"), ("check_point", "checkpoint"), ("outptu_dir", "output_dir"),
     ("Batch Size", "batch_size"), ("size", "batch_size"), ("rate", "learning_rate"), ("verbose", ""), ("x", "")],
)  # fmt: skip
def test_the_nearest_name_is_the_one_that_was_meant(word: str, meant: str) -> None:
    assert nearest(word, ["epochs", "learning_rate", "batch_size", "output_dir", "checkpoint", "seed"]) == meant


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("notic: Hospital A\n", r"mine\.yaml: 'notic' is no key of the configuration; did you mean notice\?"),
        ("second_readr: null\n", r"'second_readr' .*did you mean second_reader\?"),
        ("bmd_deff#encoder: null\n", r"'bmd_deff' .*did you mean bmd_def\?"),
        ("seed: abc\n", r"mine\.yaml: seed is 'abc'; expected a whole number"),
        ("sex_specific: 'false'\n", r"mine\.yaml: sex_specific is 'false'; expected true or false"),
        ("calibration_ball_mm: 2.5e1mm\n", r"calibration_ball_mm is '2\.5e1mm'; expected a number above 0 to 100 \(mm\)"),
        ("calibration_ball_mm: 1e2\n", r"is '1e2'; .*write 1\.0e-3 for 1e-3"),
        ("- a\n", r"mine\.yaml: holds a list; expected keys with values"),
        ("seed 3\n", r"mine\.yaml: holds a text; expected keys with values"),
        ("3\n", r"mine\.yaml: holds a single value; expected keys with values"),
        ("", r"mine\.yaml: is empty; expected keys with values"),
        ("# seed: 3\n", r"mine\.yaml: is empty; expected keys with values"),
        ("a: [1\n", r"mine\.yaml: is no YAML in line"),
    ],
)
def test_what_an_overlay_has_in_vain_is_named(tmp_path: Path, content: str, said: str) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(content)
    with pytest.raises(MistypedError, match=said):
        read_command([CONFIGS / "inference.yaml", overlay])


def test_an_overlay_may_set_what_there_is_and_add_what_it_uses(tmp_path: Path) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("notice: Hospital A\nseed: $1 + 1\nmine: { a: 1 }\n+network_def#heads:\n  mine: '@mine'\n")
    command = read_command([CONFIGS / "inference.yaml", overlay])
    assert command.name == "screen" and command.options["notice"].default == "Hospital A"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_an_overlay_in_another_encoding_is_told(tmp_path: Path, encoding: str) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("notice: Köln\n", encoding=encoding)
    with pytest.raises(MistypedError, match=r"mine\.yaml: is no text in UTF-8; expected a YAML or JSON file in UTF-8"):
        read_command([CONFIGS / "inference.yaml", overlay])


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(MistypedError, match=r"cannot be read as a config \(Is a directory\)"):
        read_command([CONFIGS / "inference.yaml", tmp_path])


def test_a_config_that_is_missing_or_misspelt_is_told(tmp_path: Path) -> None:
    with pytest.raises(MistypedError, match=r"inferenc\.yaml: there is no such config; did you mean .*inference\.yaml\?"):
        read_command([CONFIGS / "inferenc.yaml"])
    with pytest.raises(MistypedError, match=r"there is no such config; expected a YAML or JSON file"):
        read_command([tmp_path / "nowhere" / "x.yaml"])
