"""Running inference.yaml as it stands on chosen radiographs, so that what is evaluated is what is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.bundle import ConfigParser


def read_inference(
    config_file: str, radiographs: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], handlers: Sequence[Any] = ()
) -> ConfigParser:
    """Read the inference configuration, with nothing changed but its radiographs, its handlers and these settings.

    Args:
        config_file: path of inference.yaml.
        radiographs: what its data loader is to hold; items of `scripts.radiograph.list_radiographs`.
        settings: values of its top-level keys.
        handlers: in place of its own, which write results.

    Returns:
        the parser; `get_parsed_content("evaluator")` makes the engine.

    Raises:
        ValueError: when the configuration has no such key.
    """
    # Radiographs pass as a global: inside the configuration their paths would be searched for references.
    parser = ConfigParser(ConfigParser.load_config_file(config_file), globals={"radiographs": list(radiographs)})
    for key in settings:
        if key not in parser:
            raise ValueError(f"{config_file}: has no key {key!r}; expected an inference configuration. Nothing was run.")
    parser.update({**settings, "handlers": list(handlers), "dataloader::data": "$radiographs"})
    return parser
