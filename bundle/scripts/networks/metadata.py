"""Writes what the network gives into metadata.json, from the table of quantities: `python -m scripts.networks.metadata`."""

import json
from pathlib import Path
from typing import Any

from scripts.clinical.findings import CHANNELS, Channels
from scripts.files import replacing

_FILE = Path(__file__).parents[2] / "configs" / "metadata.json"


def describe_output(channels: Channels) -> dict[str, Any]:
    """The output of a cascade, as the MONAI Bundle Specification has it in "network_data_format".

    Example:
        >>> describe_output(CHANNELS)["channel_def"]["30"]
        "novelty: distance of the networks' features from those of the radiographs that were learnt from; 1 is usual"
    """
    return {
        "type": "probabilities",
        "format": "regression",
        "num_channels": len(channels.names),
        "spatial_shape": [],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {
            str(index): f"{name}: {quantity.describe()}"
            for index, (name, (_, quantity)) in enumerate(zip(channels.names, channels.places, strict=True))
        },
    }


def write_output(file: Path = _FILE, channels: Channels = CHANNELS) -> None:
    """Replace the description of the network's output in a metadata.json."""
    metadata = json.loads(file.read_text(encoding="utf-8"))
    metadata["network_data_format"]["outputs"]["pred"] = describe_output(channels)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(metadata, indent=4) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_output()
