"""What a config checks before anything runs. Each failure ends the command with one sentence and exit code 1.

`SystemExit` is raised on purpose: MONAI wraps every other exception in tracebacks of its own.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from monai.bundle import ConfigParser, run
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS

from scripts.dataset.listing import PassedOver, list_passed_over, list_radiographs
from scripts.dataset.pseudonyms import KEY_NAME, make_key, read_key, write_key
from scripts.dataset.studies import sort_studies


def check_command_line(argv: Sequence[str] | None = None) -> None:
    """End the command where it sets a key that the configs do not have, or a config lacks those that it is laid over.

    MONAI would ignore a misspelt key, and fail without a plain word where a config is missing. A config that is laid over others
    names them by its key `laid_over`.

    Args:
        argv: the command line; that of this process if None. Only one of `monai.bundle run` is looked at.
    """
    argv = sys.argv if argv is None else argv
    known = set(inspect.signature(run).parameters) - {"override"}
    known |= set(ConfigParser(DEFAULT_EXP_MGMT_SETTINGS)["mlflow#configs"])
    if (tracking := _options(argv).get("tracking", "mlflow")) not in DEFAULT_EXP_MGMT_SETTINGS:
        known |= set(ConfigParser.load_config_file(tracking)["configs"])
    files = config_files(argv)
    if not files:
        return
    given: list[str] = []
    for file in files:
        content = ConfigParser.load_config_file(file)
        if missing := [name for name in content.get("laid_over", []) if name not in given]:
            wanted = ",".join(f"'{Path(file).with_name(name)}'" for name in (*missing, Path(file).name))
            _stop(
                f"--config_file: {Path(file).name} is laid over {' and '.join(missing)}, which must stand before it: "
                f'--config_file "[{wanted}]". Nothing was run.'
            )
        given.append(Path(file).name)
        known |= {key.removeprefix("+") for key in content}
    for key in _options(argv):
        if (top := key.replace("::", "#").split("#")[0]) not in known and not top.startswith("_meta_"):
            _stop(f"--{key}: the configuration has no key {top!r}; it has {', '.join(sorted(known))}. Nothing was run.")


def config_files(argv: Sequence[str] | None = None) -> list[str]:
    """The files that `--config_file` of a `monai.bundle run` command names; none for any other command."""
    given = _options(sys.argv if argv is None else argv).get("config_file", "")
    if given.startswith(("[", "(")):
        return [str(file) for file in ast.literal_eval(given)]
    return [given] if given else []


def overridden_keys(argv: Sequence[str] | None = None) -> dict[str, str]:
    """What the command line of `monai.bundle run` overrides, without the folders: their names may tell of patients."""
    hidden = {"config_file", "dataset_dir", "output_dir", "key_file", "reference_dir"}
    options = _options(sys.argv if argv is None else argv)
    return {key: value for key, value in options.items() if key not in hidden}


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


def check_output(output_dir: str | None, dataset_dir: str, key: bytes | None = None, option: str = "--dataset_dir") -> None:
    """Make the output folder; end the command where it cannot be written, or is the folder of radiographs itself.

    Args:
        output_dir: the folder.
        dataset_dir: the folder of radiographs.
        key: of the pseudonyms in the output, kept there so that a resumed run gives the same.
        option: of the command line that names ``dataset_dir``.
    """
    if not output_dir:
        _stop("No --output_dir given; name the folder to write results to. Nothing was analysed.")
    folder = Path(str(output_dir))
    if folder.resolve() == Path(str(dataset_dir)).resolve():
        _stop(
            f"--output_dir {output_dir} is also {option}: the next run would read its pictures as radiographs; name "
            "another folder. Nothing was analysed."
        )
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


def _options(argv: Sequence[str]) -> dict[str, str]:
    """The `--key value`, `--key=value` and bare `--key` of a `monai.bundle run` command line, as Fire reads them."""
    if len(argv) < 2 or Path(argv[0]).parts[-3:] != ("monai", "bundle", "__main__.py") or argv[1] != "run":
        return {}
    options: dict[str, str] = {}
    for index, word in enumerate(argv):
        if not word.startswith("--") or word == "--":
            continue
        key, equals, value = word[2:].partition("=")
        following = argv[index + 1] if index + 1 < len(argv) else ""
        # Fire takes hyphens in a key for underscores.
        options[key.replace("-", "_")] = value if equals else ("" if following.startswith("--") else following)
    return options


def _stop(sentence: str) -> NoReturn:
    raise SystemExit(sentence)
