"""What a config checks before anything runs. Each failure ends the command with one sentence and exit code 1.

`SystemExit` is raised on purpose: MONAI wraps every other exception in tracebacks of its own.
"""

from __future__ import annotations

import ast
import inspect
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from monai.bundle import ConfigParser, run
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS

from scripts.radiograph import list_radiographs
from scripts.results.provenance import sha256

_SHOWN_KEYS = 3  # of those that do not match, in the sentence on weights that do not fit


def check_command_line(argv: Sequence[str] | None = None) -> None:
    """End the command where it sets a key that the configs do not have: MONAI would ignore a misspelt one.

    Args:
        argv: the command line; that of this process if None. Only one of `monai.bundle run` is looked at.
    """
    argv = sys.argv if argv is None else argv
    known = set(inspect.signature(run).parameters) - {"override"}
    known |= set(ConfigParser(DEFAULT_EXP_MGMT_SETTINGS)["mlflow#configs"])
    files = config_files(argv)
    if not files:
        return
    for file in files:
        known |= set(ConfigParser.load_config_file(file))
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
    hidden = {"config_file", "dataset_dir", "output_dir"}
    options = _options(sys.argv if argv is None else argv)
    return {key: value for key, value in options.items() if key not in hidden}


def find_radiographs(dataset_dir: str | None) -> list[dict[str, Any]]:
    """List the radiographs of a folder, as `scripts.radiograph.list_radiographs` does.

    The command ends where the folder is not named, not there, not readable or empty, or its manifest has a mistake.
    """
    if not dataset_dir:
        _stop("No --dataset_dir given; name the folder of radiographs. Nothing was analysed.")
    try:
        return list_radiographs(str(dataset_dir))
    except (OSError, ValueError) as error:
        _stop(f"--dataset_dir: {error}")


def check_output(output_dir: str | None, dataset_dir: str) -> None:
    """End the command where the output folder cannot be written, or is the folder of radiographs itself."""
    if not output_dir:
        _stop("No --output_dir given; name the folder to write results to. Nothing was analysed.")
    folder = Path(str(output_dir))
    if folder.resolve() == Path(str(dataset_dir)).resolve():
        _stop(
            f"--output_dir {output_dir} is also --dataset_dir: the next run would read its pictures as radiographs; name "
            "another folder. Nothing was analysed."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        _stop(f"--output_dir {output_dir}: the folder cannot be written ({error.strerror}). Nothing was analysed.")


def load_weights(network: torch.nn.Module, checkpoint: str) -> dict[str, Any]:
    """Load a weights file into the network it was made for, all keys and shapes, and say where it comes from.

    Args:
        network: changed in place.
        checkpoint: a file {"state_dict": tensors by name, "provenance": plain data}, read with `weights_only=True`.

    Returns:
        "file" (its name), "sha256" and "provenance" (what its training wrote). The command ends where the file is
        missing, no such file, or of another network.
    """
    path = Path(checkpoint)
    if not path.is_file():
        _stop(f"Weights {checkpoint}: there is no such file; train and assemble one, or name one with --checkpoint.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state, provenance = content["state_dict"], content["provenance"]
    except Exception as error:
        _stop(
            f"Weights {checkpoint}: not a weights file of OsteoXR ({type(error).__name__}); expected one with a "
            "'state_dict' and its 'provenance'."
        )
    if mismatches := _mismatches(network.state_dict(), state):
        more = f" and {len(mismatches) - _SHOWN_KEYS} more" if len(mismatches) > _SHOWN_KEYS else ""
        _stop(
            f"Weights {checkpoint} do not fit the network of the configuration: {'; '.join(mismatches[:_SHOWN_KEYS])}"
            f"{more}. Name the weights that were trained with it by --checkpoint."
        )
    network.load_state_dict(state)
    return {"file": path.name, "sha256": sha256(path), "provenance": dict(provenance)}


def call(function: Callable[..., Any], /, **arguments: Any) -> Any:
    """Call ``function`` and return its result; bad arguments (ValueError) and a failing disk (OSError) end the command."""
    try:
        return function(**arguments)
    except (ValueError, OSError) as error:
        _stop(str(error))


def _mismatches(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> list[str]:
    missing = [f"{key} is missing" for key in expected if key not in found]
    unknown = [f"{key} is unknown" for key in found if key not in expected]
    shapes = [
        f"{key} is {tuple(found[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in found and found[key].shape != expected[key].shape
    ]
    return missing + unknown + shapes


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
