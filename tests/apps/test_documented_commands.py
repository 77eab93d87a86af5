"""Every command in README and docs is one that there is, with options that it has and values that these can be."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import scripts
from scripts.apps import cli, command
from scripts.apps.options import MistypedError, read_commands

ROOT = Path(scripts.__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "bundle/docs").glob("*.md")), ROOT / "bundle/examples/README.md", ROOT / "Makefile"]
PLACEHOLDERS = {"N": "3", "S": "0", "NAME": "bmd", "$(PATIENTS)": "3"}


def commands_in(text: str, start: str) -> Iterator[list[str]]:
    """The words of each command, after those that start it."""
    for found in re.finditer(
        rf"^(?: {{4}}|\t)(?:\.venv/bin/|\$\(VENV\)/bin/)?{start}((?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE
    ):
        yield shlex.split(found[1].replace("\\\n", " ").replace("$$(($(PATIENTS) / 3))", "3"))


OURS = [
    (page.name, words)
    for page in PAGES
    for words in commands_in(page.read_text(encoding="utf-8"), r"(?:osteoxr|\$\(OSTEOXR\)) ")
]  # fmt: skip
MONAIS = [
    (page.name, words) for page in PAGES for words in commands_in(page.read_text(encoding="utf-8"), "python -m monai.bundle run ")
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which whatever a command needs is there."""
    (tmp_path / "bundle").symlink_to(ROOT / "bundle")
    (tmp_path / "segresnet.yaml").write_text("network_def: { _target_: SegResNet }\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(words: list[str], place: Path) -> list[str]:
    """Fill in placeholders, and make the folders and files that a command's options want."""
    words = [PLACEHOLDERS.get(word, word.replace("$(", "").replace(")", "")) for word in words]
    known = read_commands()
    name = next((name for name in sorted(known, key=len, reverse=True) if words[: len(name.split())] == name.split()), "")
    of_type = {
        option.name: option.type for each in ([known[name]] if name else known.values()) for option in each.options.values()
    }
    takes = list(known[name].takes) if name else []
    for index, word in enumerate(words):
        before = words[index - 1].lstrip("-") if index else ""
        at = index - len(name.split())
        kind = (
            of_type.get(before) if words[index - 1].startswith("--") else of_type.get(takes[at]) if 0 <= at < len(takes) else None
        )
        if kind == "folder":
            (place / word).mkdir(parents=True, exist_ok=True)
        if kind == "file" and not (place / word).exists():
            (place / word).parent.mkdir(parents=True, exist_ok=True)
            (place / word).touch()
    return words


@pytest.mark.parametrize(("page", "words"), OURS, ids=lambda value: " ".join(value) if isinstance(value, list) else value)
def test_a_command_of_the_docs_is_one(page: str, words: list[str], place: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    runs: list[str] = []
    monkeypatch.setattr(command, "_run_config", lambda config, *_: runs.append(config.name))
    words = prepare(words, place)
    with pytest.raises(SystemExit) as end:
        command.main(words)
    assert end.value.code == 0, capsys.readouterr().err
    assert runs or "--help" in words


@pytest.mark.parametrize(("page", "words"), MONAIS, ids=lambda value: " ".join(value) if isinstance(value, list) else value)
def test_a_command_of_monai_in_the_docs_is_one(page: str, words: list[str], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    argv = ["/any/monai/bundle/__main__.py", "run", *prepare(words, place)]
    for folder in ("FOLDER", "COHORT"):
        (place / folder).mkdir(exist_ok=True)
    cli.check_command_line({}, argv)


def test_the_docs_name_every_command() -> None:
    page = (ROOT / "bundle/docs/commands.md").read_text(encoding="utf-8")
    assert [name for name in read_commands() if name.split()[0] not in page] == []
    assert len(OURS) > 40 and len(MONAIS) >= 4


def test_a_command_that_is_not_one_would_be_noticed() -> None:
    with pytest.raises(MistypedError, match="no such setting"):
        read_commands()["screen"].parse({"sed": ["1"]})
