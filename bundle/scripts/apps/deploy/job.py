"""What the application does with the radiographs that it selected: the bundle's main job, as inference.yaml declares it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from monai.bundle import ConfigParser

from scripts.apps.cli import HIDDEN, check_output, find_radiographs
from scripts.apps.deploy.selection import read_headers, refuse_others
from scripts.apps.options import MistypedError, did_you_mean, read_command
from scripts.dataset.pseudonyms import KEY_NAME, make_key, write_key
from scripts.screening import Screen
from scripts.screening.screen import CONFIG_FILE

CHECKSUM: Final = CONFIG_FILE.parents[1] / "models" / "model.pt.sha256"
"""Of the weights: it comes with the application's code, since a model's folder of a MAP holds one file alone."""

_SECTION: Final = "screening"
_PLACES: Final = ("dataset_dir", "output_dir", "checkpoint", "checksum_file")
"""Options that the command line and the environment give, or that are fixed."""
_FETCHING: Final = ("server", "study_date", "modality", "body_part", "screened", "title", "move_port")
"""Options of a PACS, from which a platform fetches by itself."""


class ScreeningJob:
    """The radiographs of an input folder, and the screen that they go through.

    What cannot be used ends the job here, before a radiograph is read: settings that there are not, an output that cannot be
    written, and weights that are not those of the checksum.

    Args:
        input_dir: searched with everything below it.
        output_dir: made where it is missing.
        model: the weights, or the folder (of folders) that holds them alone; None for those that come with the bundle.
        config: of the application, see `app.yaml`.

    Raises:
        MistypedError: where a setting is none, or the output is the input.
        SystemExit: with a sentence, where the data, the weights or the disk are not as they must be.
    """

    def __init__(self, input_dir: Path, output_dir: Path, model: Path | None, config: Path) -> None:
        texts = read_settings(config)
        command = read_command([CONFIG_FILE])
        try:
            settings = command.parse({name: [text] for name, text in texts.items()})
        except MistypedError as error:
            raise MistypedError(f"{config}, {_SECTION}: {error}") from error
        self.input_dir = input_dir
        self._secrets = tempfile.TemporaryDirectory(prefix="osteoxr")  # removed with this object
        self._key_is_lost = "key_file" not in settings
        if self._key_is_lost:
            settings["key_file"] = str(Path(self._secrets.name) / KEY_NAME)
            write_key(make_key(), Path(settings["key_file"]))
        if model is not None:
            settings |= {"checkpoint": str(find_weights(model)), "checksum_file": str(CHECKSUM)}
        self._given: dict[str, Any] = {
            **settings,
            "dataset_dir": str(input_dir),
            "output_dir": str(output_dir),
            "overrides": {name: text for name, text in texts.items() if name not in HIDDEN},
            "radiographs": [],
        }
        command.keep_apart(self._given)
        check_output(str(output_dir))
        content = ConfigParser.load_config_file(CONFIG_FILE)
        stated = {name: f"$given[{name!r}]" for name in self._given}
        self._parser = ConfigParser({**content, **stated}, globals={"given": self._given})
        self._parser.get_parsed_content("weights")  # before the process starts that reads radiographs
        self.screen: Screen = self._parser.get_parsed_content("screen")
        self.radiographs = find_radiographs(str(input_dir), self._parser.get_parsed_content("key"), "Input")
        self.headers = read_headers(self.radiographs)

    def run(self, selected: Collection[str]) -> None:
        """Screen the radiographs of the selected series, and write all results.

        Args:
            selected: series, by their Series Instance UID.

        Raises:
            SystemExit: with a sentence or an exit code, where something is not as it must be.
        """
        self._given["radiographs"] = refuse_others(self.radiographs, self.headers, selected)
        try:
            for part in ("initialize", "run"):
                for index in range(len(self._parser[part])):
                    self._parser.get_parsed_content(f"{part}::{index}")
        except SystemExit:
            if self._key_is_lost:
                print(
                    "The key of the pseudonyms was made for this run alone, so the next one begins anew; it goes on where the "
                    f"configuration names a key_file under {_SECTION}.",
                    file=sys.stderr,
                )
            raise


def read_settings(config: Path) -> dict[str, str]:
    """Read what the application's configuration says of the screening.

    Args:
        config: a YAML file; without the section `screening` it says nothing of it.

    Returns:
        Options of `osteoxr screen` by name, as a command line would have them.

    Raises:
        MistypedError: where the file cannot be read, or a setting is none that the application takes.
    """
    try:
        content = yaml.load(config.read_text(encoding="utf-8"), yaml.BaseLoader)  # whose values are texts
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = " ".join(str(error).split())
        raise MistypedError(f"{config}: cannot be read as YAML ({found}). Nothing was run.") from error
    section = content.get(_SECTION) or {} if isinstance(content, Mapping) else content
    if not isinstance(section, Mapping):
        raise MistypedError(f"{config}: {_SECTION} is {section!r}; expected names with values. Nothing was run.")
    known = [name for name in read_command([CONFIG_FILE]).options if name not in (*_PLACES, *_FETCHING)]
    for name, value in section.items():
        if name not in known:
            raise MistypedError(f"{config}: {_SECTION} has no setting {name!r}{did_you_mean(str(name), known)} Nothing was run.")
        if not isinstance(value, str):
            raise MistypedError(f"{config}: {_SECTION}, {name} is {value!r}; expected a single value. Nothing was run.")
    return dict(section)


def find_weights(model: Path) -> Path:
    """Find the weights in a model folder of MONAI Deploy, which holds them alone or in a folder of their own.

    Raises:
        SystemExit: with a sentence, where there are none or several.
    """
    files = [model] if model.is_file() else sorted(model.rglob("*.pt"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise SystemExit(f"Model {model}: found {found}; expected one file of weights (.pt). Nothing was analysed.")
    return files[0]
