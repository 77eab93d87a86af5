"""What a config checks before anything runs. Each failure ends the command with one sentence and exit code 1.

`SystemExit` is raised on purpose: MONAI wraps every other exception in tracebacks of its own.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn

from monai.bundle import ConfigParser, run
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS

from scripts.apps.endings import stopped, told
from scripts.apps.options import CONFIGS, Command, MistypedError, did_you_mean, read_command
from scripts.dataset.listing import PassedOver, list_passed_over, list_radiographs
from scripts.dataset.pseudonyms import KEY_NAME, make_key, read_key, write_key
from scripts.dataset.studies import sort_studies

HIDDEN: Final = frozenset({"config_file", "dataset_dir", "output_dir", "key_file", "reference_dir"})
"""Options that results do not tell of: their values may name patients."""

_FLAG: Final = re.compile(r"--?[A-Za-z_]")


def check_command_line(resolved: dict[str, Any] | None = None, argv: Sequence[str] | None = None) -> None:
    """Check a command line of `monai.bundle run` against what the configs say, and take its values as they were typed.

    MONAI ignores a misspelt key, and its command line reads `2024_05_02` as a number, `false` as a text and `#` as `::`. What
    goes wrong later ends with one sentence too, where it is no fault of the software.

    Args:
        resolved: what MONAI has resolved so far, by key, which is nothing yet: `__local_refs` in an expression.
        argv: the command line; that of this process if None. Only one of `monai.bundle run` is looked at.
    """
    argv = sys.argv if argv is None else argv
    files = config_files(argv)
    if not files:
        return
    try:
        command = read_command([Path(file) for file in files])
        sys.excepthook = partial(_end_with_a_sentence, command.resumes)
        typed = _options(argv)
        tracking = _tracking_keys(typed.get("tracking", ["mlflow"])[-1])
        known = (set(inspect.signature(run).parameters) - {"override"}) | tracking | set(command.keys)
        for key in typed:
            top = key.replace("::", "#").split("#")[0]
            if top not in known and not top.startswith("_meta_"):
                unknown = did_you_mean(top, set(command.options) or command.keys, "--")
                raise MistypedError(f"--{key}: the configuration has no setting {top!r}{unknown} Nothing was run.")
        options = command.options
        taken = {key: texts if options[key].several else texts[-1:] for key, texts in typed.items() if key in options}  # as Fire
        values = command.parse(taken)
        if missing := command.missing(values):
            raise MistypedError(f"No --{missing.name} given, which is {missing.meaning}. Nothing was run.")
        command.keep_apart(values)
        check_packages(command)
        if resolved is not None:
            resolved |= values | _store(typed, values)
    except MistypedError as error:
        _stop(str(error))


def check_packages(command: Command) -> None:
    """Check that the packages are installed that a command needs beyond those of every command.

    Raises:
        MistypedError: naming those that are missing, and the command that installs them.
    """
    check_extra(command.name, command.extra)


def check_extra(name: str, extra: str) -> None:
    """Check that the packages of one set of optional dependencies are installed.

    Args:
        name: of the command, or of that part of it, which needs them.
        extra: name of the set in pyproject.toml; "" is none.

    Raises:
        MistypedError: as `check_packages`.
    """
    try:
        wanted = [line for line in requires("osteoxr") or [] if extra and f'extra == "{extra}"' in line]
    except PackageNotFoundError:  # run from its folder alone, without its list of packages
        return
    names = [found[0] for line in wanted if (found := re.match(r"[\w.-]+", line))]
    if missing := [name for name in names if not _is_installed(name)]:
        root = CONFIGS.parents[1]
        source = f"{root}[{extra}]" if (root / "pyproject.toml").is_file() else f"osteoxr[{extra}]"
        raise MistypedError(
            f"{name} needs {', '.join(missing)}, which this Python lacks; install by: {sys.executable} -m pip install "
            f"-e '{source}'. Nothing was run."
        )


def config_files(argv: Sequence[str] | None = None) -> list[str]:
    """The files that `--config_file` of a `monai.bundle run` command names; none for any other command."""
    given = _options(sys.argv if argv is None else argv).get("config_file", [""])[-1]
    if given.startswith(("[", "(")):
        return [str(file) for file in ast.literal_eval(given)]
    return given.split(",") if given and not Path(given).is_file() else [given] * bool(given)


def overridden_keys(argv: Sequence[str] | None = None) -> dict[str, str]:
    """What the command line of `monai.bundle run` overrides, without the folders: their names may tell of patients."""
    options = _options(sys.argv if argv is None else argv)
    return {key: texts[-1] for key, texts in options.items() if key not in HIDDEN}


def pseudonym_key(key_file: str | None, output_dir: str | None) -> bytes:
    """The key of the pseudonyms: the user's `key_file`, else the one that an earlier run left in its output, else a new one.

    The command ends where the key cannot be read or is too short. `check_output` keeps a new one for the runs to come.
    """
    try:
        if key_file:
            return read_key(Path(str(key_file)))
        kept = Path(str(output_dir)) / KEY_NAME
        return read_key(kept) if output_dir and kept.is_file() else make_key()
    except ValueError as error:
        _stop(f"--key_file: {error}. Nothing was analysed." if key_file else f"{error}. Nothing was analysed.")


def find_radiographs(dataset_dir: str | None, key: bytes | None = None, option: str = "--dataset_dir") -> list[dict[str, Any]]:
    """List the radiographs of a folder and sort them by patient and study, by header alone.

    Args:
        dataset_dir: see `scripts.dataset.listing.list_radiographs`.
        key: of the pseudonyms; one for this time alone if None.
        option: of the command line that names the folder.

    Returns:
        Items as `scripts.dataset.studies.sort_studies` gives them. The command ends where the folder is not named, not there,
        not readable or empty, or its manifest has a mistake.
    """
    if not dataset_dir:
        _stop(f"No {option} given; name the folder of radiographs. Nothing was analysed.")
    try:
        return sort_studies(list_radiographs(str(dataset_dir)), os.path.abspath(str(dataset_dir)), key or make_key())
    except (OSError, ValueError) as error:
        _stop(f"{option}: {error}")


def find_passed_over(dataset_dir: str | None, option: str = "--dataset_dir") -> list[PassedOver]:
    """Name the files in a folder of radiographs that `find_radiographs` passes over, and end the command where it does."""
    if not dataset_dir:
        _stop(f"No {option} given; name the folder of radiographs. Nothing was analysed.")
    try:
        return list_passed_over(str(dataset_dir))
    except (OSError, ValueError) as error:
        _stop(f"{option}: {error}")


def check_output(output_dir: str | None, key: bytes | None = None) -> None:
    """Make the output folder; end the command where it cannot be written.

    Args:
        output_dir: the folder.
        key: of the pseudonyms in the output, kept there so that a resumed run gives the same.
    """
    if not output_dir:
        _stop("No --output_dir given; name the folder to write results to. Nothing was analysed.")
    folder = Path(str(output_dir))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if key is not None:
            write_key(key, folder / KEY_NAME)
    except OSError as error:
        _stop(f"--output_dir {output_dir}: the folder cannot be written ({error.strerror}). Nothing was analysed.")


def call(function: Callable[..., Any], /, **arguments: Any) -> Any:
    """Call ``function`` and return its result; bad arguments (ValueError) and a failing disk (OSError) end the command."""
    try:
        return function(**arguments)
    except (ValueError, OSError) as error:
        _stop(str(error))


def _options(argv: Sequence[str]) -> dict[str, list[str]]:
    """The `--key value`, `--key=value` and bare `--key` of a `monai.bundle run` command line, as Fire finds them."""
    if len(argv) < 2 or Path(argv[0]).parts[-3:] != ("monai", "bundle", "__main__.py") or argv[1] != "run":
        return {}
    options: dict[str, list[str]] = {}
    for index, word in enumerate(argv):
        if not _FLAG.match(word):
            continue
        key, equals, value = word.lstrip("-").partition("=")
        following = argv[index + 1] if index + 1 < len(argv) else "--"
        bare = "true" if _FLAG.match(following) or following == "--" else following
        # Fire takes hyphens in a key for underscores.
        options.setdefault(key.replace("-", "_"), []).append(value if equals else bare)
    return options


def _tracking_keys(tracking: str) -> set[str]:
    """The keys that settings for `--tracking` bring along."""
    keys = set(ConfigParser(DEFAULT_EXP_MGMT_SETTINGS)["mlflow#configs"])
    return keys if tracking in DEFAULT_EXP_MGMT_SETTINGS else keys | set(ConfigParser.load_config_file(tracking)["configs"])


def _store(typed: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of MLflow as they were typed, and where MONAI's own way would not write to the folder that was.

    Raises:
        MistypedError: where MONAI has written the configuration to a folder of another name already.
    """
    taken = {key: typed[key][-1] for key in ("tracking_uri", "experiment_name", "run_name") if key in typed}
    output_dir = str(values.get("output_dir", ""))
    if "tracking" not in typed or not output_dir:
        return taken
    if "#" in output_dir:
        raise MistypedError(
            f"--output_dir {output_dir}: with --tracking MONAI writes to {output_dir.replace('#', '::')!r} instead; name a "
            "folder without '#', or take the command osteoxr. Nothing was run."
        )
    if typed["tracking"][-1] in DEFAULT_EXP_MGMT_SETTINGS:
        return {"tracking_uri": f"sqlite:///{Path(output_dir).absolute()}/mlruns.db"} | taken
    return taken


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _end_with_a_sentence(resumes: bool, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback where the user, the data or the machine is the reason; a fault of the software keeps its own."""
    sentence = stopped(resumes) if isinstance(error, KeyboardInterrupt) else told(error)
    if sentence is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"\n{sentence}", file=sys.stderr, flush=True)


def _stop(sentence: str) -> NoReturn:
    raise SystemExit(sentence)
