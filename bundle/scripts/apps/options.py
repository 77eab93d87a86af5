"""What the configs let a command set: the type, unit and range of each option, and the value of what was typed for it."""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

import scripts

CONFIGS: Final = Path(scripts.__file__).parents[1] / "configs"

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_NULL: Final = ("null", "none")
_REFERENCE: Final = re.compile(r"@(?:#|::)*([A-Za-z_]\w*)")
_COMMENT: Final = re.compile(r"^\+?([A-Za-z_]\w*):.*? # (.+)$", re.MULTILINE)
_KINDS: Final[dict[type, str]] = {list: "list", str: "text"}
_OF_MONAI: Final = frozenset({"imports", "initialize", "run", "finalize"})
_OF_CONFIGS: Final = frozenset({"laid_over", "command", "options", "config_names"})


class MistypedError(ValueError):
    """Raised where a command line or a config has what no command takes; its sentence says what was expected."""


@dataclass(frozen=True)
class Option:
    """One value that a command takes.

    name: its key in the config, and on the command line.
    type: `folder` or `file` (there already), `path` (to be written), `integer`, `number`, `boolean`, `text` or `device`.
    several: it is a list of such values.
    required: it must be given.
    nullable: it may be `null`.
    choices: the texts that it can be; any where empty.
    minimum, maximum, above, below: its range; `above` and `below` are not part of it.
    unit: of a number.
    apart_from: options that name folders of radiographs, in which a run would read what it wrote.
    own: commands that are laid over this one do not have it.
    help: what it is.
    default: how the config has it; expressions as they stand.
    """

    name: str
    type: str
    several: bool = False
    required: bool = False
    nullable: bool = False
    choices: tuple[str, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    unit: str = ""
    apart_from: tuple[str, ...] = ()
    own: bool = False
    help: str = ""
    default: Any = None

    def parse(self, texts: Sequence[str]) -> Any:
        """Turn what was typed into the option's value. Paths stay as they were typed.

        Args:
            texts: one; of a list one or more, or one that holds it, such as "['a','b']".

        Raises:
            MistypedError: where it is no such value.
        """
        if not self.several:
            if len(texts) > 1:
                raise MistypedError(f"--{self.name} is given {len(texts)} times; expected once. Nothing was run.")
            return self._parse_one(texts[0])
        if len(texts) == 1 and texts[0].lower() in _NULL and self.nullable:
            return None
        return [self._parse_one(text) for given in texts for text in self._parts(given)]

    def check(self, value: Any, where: str) -> None:
        """Check a value that a config gives; one that is an expression or a reference is not looked at.

        Args:
            value: of the option's key.
            where: what the sentence of the error begins with.

        Raises:
            MistypedError: where it is no such value.
        """
        if isinstance(value, str) and value[:1] in ("$", "@", "%"):
            return
        if value is None and (self.nullable or self.required):
            return
        for each in value if self.several and isinstance(value, list) else [value]:
            if isinstance(each, str) and each[:1] in ("$", "@", "%"):
                continue
            good = {
                "integer": isinstance(each, int) and not isinstance(each, bool),
                "number": isinstance(each, (int, float)) and not isinstance(each, bool),
                "boolean": isinstance(each, bool),
            }.get(self.type, isinstance(each, str))
            if not good or not self._fits(each):
                hint = "; write 1.0e-3 for 1e-3" if self.type == "number" and isinstance(each, str) and "e" in each else ""
                raise MistypedError(f"{where}: {self.name} is {each!r}; expected {self.expected()}{hint}. Nothing was run.")

    @property
    def meaning(self) -> str:
        """Its help, without the words that it must be given."""
        return self.help.removeprefix("must be given: ")

    def expected(self) -> str:
        """The values that it can have, in words."""
        if self.choices:
            words = f"one of {', '.join(self.choices)}"
        else:
            words = {
                "folder": "an existing folder", "file": "an existing file", "path": "a path", "integer": "a whole number",
                "number": "a number", "boolean": "true or false", "text": "a text", "device": "cpu, cuda, or cuda:N",
            }[self.type]  # fmt: skip
        limits = [
            f"{word} {int(limit) if float(limit).is_integer() else limit}"
            for word, limit in (("from", self.minimum), ("above", self.above), ("to", self.maximum), ("below", self.below))
            if math.isfinite(limit)
        ]
        return " ".join([words, *limits, *([f"({self.unit})"] if self.unit else [])]) + (" or null" if self.nullable else "")

    def _parts(self, given: str) -> list[str]:
        if given.startswith(("[", "(")):
            try:
                found = ast.literal_eval(given)
            except (ValueError, SyntaxError):
                found = None
            if not isinstance(found, (list, tuple)):
                raise MistypedError(
                    f"--{self.name} is {given!r}, which is no list; repeat the option for each value, or write "
                    "\"['first','second']\". Nothing was run."
                )
            return [str(each) for each in found]
        return [part.strip() for part in given.split(",")] if self.type in ("text", "integer", "number") else [given]

    def _parse_one(self, text: str) -> Any:
        if text.lower() in _NULL and self.nullable and not self.several:
            return None
        if not text:
            raise self._wrong(text)
        if self.type == "boolean":
            if text.lower() not in _TRUE + _FALSE:
                raise self._wrong(text)
            return text.lower() in _TRUE
        if self.type in ("integer", "number"):
            return self._parse_number(text)
        if self.type == "folder" and not Path(text).is_dir():
            found = "is not a folder" if Path(text).exists() else "there is no such folder"
            raise MistypedError(f"--{self.name} {text}: {found}; expected an existing one. Nothing was run.")
        if self.type == "file" and not Path(text).is_file():
            found = "is not a file" if Path(text).exists() else "there is no such file"
            raise MistypedError(f"--{self.name} {text}: {found}; expected an existing one. Nothing was run.")
        if self.type == "device":
            return self._parse_device(text)
        if not self._fits(text):
            close = nearest(text, self.choices)
            raise self._wrong(text, f"; did you mean {close}?" if close else "")
        return text

    def _parse_number(self, text: str) -> float:
        whole = re.fullmatch(r"[+-]?\d+", text) is not None
        if not whole and (self.type == "integer" or not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.I)):
            raise self._wrong(text, "; the decimal sign is a point" if re.fullmatch(r"[+-]?\d+,\d+", text) else "")
        value = int(text) if self.type == "integer" else float(text)
        if not self._fits(value):
            raise self._wrong(text)
        return value

    def _parse_device(self, text: str) -> Any:
        import torch  # slow: not for --help

        if not re.fullmatch(r"cpu|cuda(:\d+)?", text):
            raise self._wrong(text, "; a GPU of NVIDIA is called cuda" if text.lower() in ("gpu", "cuda0", "nvidia", "0") else "")
        if text != "cpu":
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if int(text.partition(":")[2] or 0) >= count:
                built = "" if torch.version.cuda else ", since the PyTorch that is installed is one for processors alone"
                found = f"PyTorch finds {count or 'no'} usable GPU on this machine{built}"
                raise MistypedError(f"--{self.name} {text}: {found}; leave it out, or give --{self.name} cpu. Nothing was run.")
        return torch.device(text)

    def _fits(self, value: Any) -> bool:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.minimum <= value <= self.maximum and self.above < value < self.below
        return not self.choices or value in self.choices

    def _wrong(self, text: str, hint: str = "") -> MistypedError:
        end = "" if hint.endswith("?") else "."
        return MistypedError(f"--{self.name} is {text!r}; expected {self.expected()}{hint}{end} Nothing was run.")


@dataclass(frozen=True)
class Command:
    """What one config, with those that it is laid over, does.

    name: such as "screen" or "train bmd"; empty where the files are no command of ours.
    files: in the order in which they are laid over each other.
    about: what the config says of itself at its head.
    takes: options that may be given by their place alone, with the word that stands for each.
    extra: the optional dependencies that it needs, by their name in pyproject.toml.
    resumes: the same command goes on where it was stopped.
    options: by name.
    keys: all keys at the top of the files, but for those that a config declares to be without effect.
    content: what stands at the top of the files, the later laid over the earlier.
    """

    name: str
    files: tuple[Path, ...]
    about: str
    takes: Mapping[str, str]
    extra: str
    resumes: bool
    options: Mapping[str, Option]
    keys: frozenset[str]
    content: Mapping[str, Any]

    def parse(self, typed: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """The values of what was typed, by name.

        Raises:
            MistypedError: where there is no such option, or it cannot have that value.
        """
        for name in typed:
            if name not in self.options:
                raise MistypedError(
                    f"--{name}: there is no such setting{did_you_mean(name, self.options, '--')} Nothing was run."
                )
        return {name: self.options[name].parse(texts) for name, texts in typed.items()}

    def keep_apart(self, values: Mapping[str, Any]) -> None:
        """Check that no option names the folder that another names, from which it has to be apart.

        Args:
            values: of what was typed, by name.

        Raises:
            MistypedError: naming both.
        """
        known = {name: option.default for name, option in self.options.items()} | dict(values)
        places = {name: Path(value).resolve() for name, value in known.items() if isinstance(value, str) and value[:1] != "$"}
        for name, option in self.options.items():
            for other in option.apart_from:
                if name in places and places[name] == places.get(other):
                    raise MistypedError(
                        f"--{name} {known[name]} is also --{other}: the next run would read its pictures as radiographs; name "
                        "another folder. Nothing was run."
                    )

    def missing(self, given: Iterable[str]) -> Option | None:
        """The first option that must be given, neither is, nor has a value in the files; None where there is none."""
        needed = (option for option in self.options.values() if option.required and option.default is None)
        return next((option for option in needed if option.name not in given), None)


def read_command(files: Sequence[Path]) -> Command:
    """Read configs that are laid over each other.

    Args:
        files: in this order.

    Raises:
        MistypedError: where one is missing or cannot be read, is not laid over what it must be, has a key that nothing uses, or
            gives an option a value that this cannot have.
    """
    merged: dict[str, Any] = {}
    comments: dict[str, str] = {}
    about, given = "", list[str]()
    used: set[str] = set(_OF_MONAI | _OF_CONFIGS)
    contents = [_load(file) for file in files]
    for file, (text, content) in zip(files, contents, strict=True):
        if lacking := [name for name in content.get("laid_over", []) if name not in given]:
            wanted = ",".join(f"'{file.with_name(name)}'" for name in (*lacking, file.name))
            raise MistypedError(
                f"--config_file: {file.name} is laid over {' and '.join(lacking)}, which must stand before it: "
                f'--config_file "[{wanted}]". Nothing was run.'
            )
        given.append(file.name)
        if "command" in content:
            merged["options"] = {
                name: None if isinstance(declared, Mapping) and declared.get("own") else declared
                for name, declared in merged.get("options", {}).items()
            }
        for key, value in content.items():
            _lay(merged, key, value)
        comments |= {key: comment for key, comment in _COMMENT.findall(text) if key not in comments or key in content}
        about = _head(text) if "command" in content else about
        used |= set(_REFERENCE.findall(_without_comments(text)))
    options = {
        name: _option(name, declared, merged.get(name), comments.get(name, ""))
        for name, declared in merged.get("options", {}).items()
        if declared is not None
    }
    known = set(used) | set(options)
    for index, (file, (_, content)) in enumerate(zip(files, contents, strict=True)):
        own = file.resolve().parent == CONFIGS.resolve()
        tops = {key.removeprefix("+").replace("::", "#").split("#")[0] for key in content}
        if index and not own and (vain := sorted(tops - known)):
            raise MistypedError(
                f"{file}: {vain[0]!r} is no key of the configuration{did_you_mean(vain[0], known)} Nothing was run."
            )
        for name in (tops & options.keys()) if not own else ():
            if merged.get(name) == content.get(name):  # and no later file has another
                options[name].check(content[name], str(file))
        known |= tops
    command = merged.get("command") or {}
    return Command(
        command.get("name", ""), tuple(files), about, command.get("takes", {}), command.get("extra", ""),
        bool(command.get("resumes")), options, frozenset((known | set(merged)) - (set(merged.get("options", {})) - set(options))),
        merged,
    )  # fmt: skip


def read_commands() -> dict[str, Command]:
    """The commands that the bundle's own configs are, by name."""
    found = {}
    for file in sorted(CONFIGS.glob("*.yaml")):
        _, content = _load(file)
        if "command" in content:
            command = read_command([*(CONFIGS / name for name in content.get("laid_over", [])), file])
            found[command.name] = command
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of some names that was most likely meant: one spelt alike, or else one that the word shortens; "" where none is.

    Capitals do not count, and a hyphen or a space is an underscore.

    Example:
        >>> names = ["batch_size", "learning_rate", "max_epochs", "seed"]
        >>> nearest("Batch Size", names), nearest("lr", names), nearest("epochs", names), nearest("verbose", names)
        ('batch_size', 'learning_rate', 'max_epochs', '')
    """
    plain = {_plain(name): name for name in known}
    word = _plain(word)
    if close := difflib.get_close_matches(word, plain, n=1, cutoff=0.65):
        return plain[close[0]]
    initials = {"".join(part[:1] for part in name.split("_")): name for name in plain if "_" in name}
    if word in initials:
        return plain[initials[word]]
    parts = [name for name in plain if len(word) > 2 and (word in name.split("_") or name.startswith(word))]
    return plain[min(parts, key=len)] if parts else ""


def did_you_mean(word: str, known: Iterable[str], dashes: str = "") -> str:
    """How a sentence on an unknown name ends: with the one that was meant, or else with all that there are."""
    names = sorted(known)
    if close := nearest(word, names):
        return f"; did you mean {dashes}{close}?"
    return f"; there are {', '.join(dashes + name for name in names)}." if names else "."


def _plain(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def _load(file: Path) -> tuple[str, dict[str, Any]]:
    """The text of a config, and what it says."""
    try:
        text = file.read_text(encoding="utf-8")
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError as error:
        close = nearest(file.name, [other.name for other in file.parent.glob("*")]) if file.parent.is_dir() else ""
        meant = f"; did you mean {file.with_name(close)}?" if close else "; expected a YAML or JSON file."
        raise MistypedError(f"{file}: there is no such config{meant} Nothing was run.") from error
    except UnicodeDecodeError as error:
        raise MistypedError(f"{file}: is no text in UTF-8; expected a YAML or JSON file in UTF-8. Nothing was run.") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise MistypedError(f"{file}: cannot be read as a config ({why}). Nothing was run.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise MistypedError(f"{file}: is no YAML{place} ({getattr(error, 'problem', error)}). Nothing was run.") from error
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"holds a {_KINDS.get(type(content), 'single value')}"
        raise MistypedError(f"{file}: {found}; expected keys with values. Nothing was run.")
    return text, {str(key): value for key, value in content.items()}


def _lay(merged: dict[str, Any], key: str, value: Any) -> None:
    """Lay one key of a config over those before, as MONAI does; what is deeper than the top is not followed."""
    top = key.removeprefix("+")
    below = merged.get(top)
    if key != top and isinstance(below, dict) and isinstance(value, dict):
        merged[top] = {**below, **value}
    elif "#" not in top and "::" not in top:
        merged[top] = value


def _option(name: str, declared: Mapping[str, Any] | str, default: Any, comment: str) -> Option:
    facts: dict[str, Any] = {"type": declared} if isinstance(declared, str) else dict(declared)
    facts |= {name: tuple(facts.get(name, ())) for name in ("choices", "apart_from")}
    nullable = facts.get("nullable", default is None and not facts.get("required", False))
    return Option(name, **{"help": comment, **facts, "nullable": nullable, "default": default})


def _head(text: str) -> str:
    """What a config says of itself before its first key, without its examples of commands."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("#  "):
            lines.append(line.removeprefix("#").strip())
    return "\n".join(lines).strip()


def _without_comments(text: str) -> str:
    return "\n".join(line.split(" # ")[0] for line in text.splitlines() if not line.startswith("#"))
