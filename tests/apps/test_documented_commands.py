"""Every command in README and docs is one that there is, with options that it has and values that these can be.

Here nothing is run: a page's commands would take hours. That each does its work is shown in `test_every_command.py`, and beside
what does it.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import scripts
from own_command import ended
from scripts.apps import cli, command
from scripts.apps.options import MistypedError, read_commands

ROOT = Path(scripts.__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "bundle/docs").glob("*.md")), ROOT / "bundle/examples/README.md", ROOT / "Makefile"]
(LEARNT,) = re.findall(r"^LEARNT := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
PLACEHOLDERS = {"N": "3", "S": "0", "NAME": "bmd", "$(PATIENTS)": "3"}


def commands_in(text: str, start: str) -> Iterator[list[str]]:
    """The words of each command, after those that start it."""
    for found in re.finditer(
        rf"^(?: {{4}}|\t)(?:\.venv/bin/|\$\(VENV\)/bin/)?{start}((?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE
    ):
        words = found[1].replace("\\\n", " ").replace("$(LEARNT)", LEARNT)
        yield shlex.split(re.sub(r"\$\$\(\(\$\(PATIENTS\) / \d\)\)", "3", words))


OURS = [
    (page.name, words)
    for page in PAGES
    for words in commands_in(page.read_text(encoding="utf-8"), r"(?:osteoxr|\$\(OSTEOXR\)) ")
]  # fmt: skip
MONAIS = [
    (page.name, words) for page in PAGES for words in commands_in(page.read_text(encoding="utf-8"), "python -m monai.bundle run ")
]


INLINE = sorted({
    found for page in PAGES for found in re.findall(r"`(?:\.venv/bin/)?osteoxr ([^`]+)`", page.read_text(encoding="utf-8"))
})  # fmt: skip
"""Of the running text."""

ELSEWHERE = {
    r"(\.venv/bin/)?python -m monai\.bundle (ckpt_export|onnx_export) ": "networks/test_export.py",
    r"torchrun ": "training/test_multi_gpu.py",
    r"curl ": "apps/monailabel/test_own_command.py",
    r"\.venv-label/bin/monailabel start_server ": "apps/monailabel/test_own_command.py",
    r"\.venv-label/bin/python -m scripts\.apps\.monailabel ": "apps/monailabel/test_pacs.py",
    r"head -c ": "apps/test_cli.py",
    r"\.venv-deploy/bin/python -m scripts\.apps\.deploy ": "apps/deploy/test_application.py",
    r"docker (build|run) ": "apps/deploy/test_package.py",
}
"""Other commands, and the tests that run them or what they reach."""


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
    assert ended(*words) == 0, capsys.readouterr().err
    assert runs or "--help" in words


@pytest.mark.parametrize(("page", "words"), MONAIS, ids=lambda value: " ".join(value) if isinstance(value, list) else value)
def test_a_command_of_monai_in_the_docs_is_one(page: str, words: list[str], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    argv = ["/any/monai/bundle/__main__.py", "run", *prepare(words, place)]
    for folder in ("FOLDER", "COHORT"):
        (place / folder).mkdir(exist_ok=True)
    cli.check_command_line({}, argv)


@pytest.mark.parametrize("line", INLINE)
def test_a_command_in_the_text_is_one(line: str) -> None:
    names = {part for name in read_commands() for part in (name, name.split()[0])}
    words = line.replace("COMMAND", "screen").replace("NAME", "bmd").split()
    assert words[0].rstrip(",") in names | {"--help", "--version"}
    if words[0] == "train" and len(words) > 1:
        assert " ".join(words[:2]) in names


def test_every_other_command_of_the_docs_is_run_by_a_test() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES[:-1]:
        lines = page.read_text(encoding="utf-8").splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            command = line.removeprefix("    ").strip()
            starts = re.match(r"(make|python\d?|torchrun|curl|pip|git|head|sudo|apt|docker|\.venv\S*|tests/\S+) ", command)
            if not line.startswith("    ") or before.endswith("\\") or not starts or " monai.bundle run " in command:
                continue
            if target := re.match(r"make (\w+)", command):
                assert f"\n{target[1]}:" in makefile, f"{page.name}: {command}"
            elif not re.match(r"(\.venv/bin/)?osteoxr ", command):
                tests = [test for start, test in ELSEWHERE.items() if re.match(start, command)]
                assert tests and (ROOT / "tests" / tests[0]).is_file(), f"{page.name}: {command}"


def test_our_own_command_comes_first() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        ours, monais = re.search(r"\bosteoxr [a-z-]", text), re.search(r"monai\.bundle run ", text)
        assert not monais or (ours and ours.start() < monais.start()), page.name


def test_the_docs_name_every_command() -> None:
    page = (ROOT / "bundle/docs/commands.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in page.splitlines() if line.startswith("| `osteoxr "))
    named = {name for cell in re.findall(r"`([^`]+)`", table) for name in [cell.removeprefix("osteoxr ").split()[0]]}
    missing = [name for name in read_commands() if not {name, name.split()[0]} & named]
    assert missing == []
    assert {name.removeprefix("train ") for name in read_commands() if name.startswith("train ")} <= named
    assert len(OURS) > 40 and len(MONAIS) >= 4 and len(INLINE) > 15


def test_a_command_that_is_not_one_would_be_noticed() -> None:
    with pytest.raises(MistypedError, match="no such setting"):
        read_commands()["screen"].parse({"sed": ["1"]})
