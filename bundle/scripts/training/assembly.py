"""Joins the separately trained networks into the weights of the cascade."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from scripts.radiograph.atomic import replacing
from scripts.training.checkpoint import save_whole
from scripts.training.provenance import versions


def assemble(network: torch.nn.Module, checkpoints: Mapping[str, str], output_file: str, max_megabytes: float) -> Path:
    """Load each sub-network's best checkpoint and write the cascade's weights with their provenance.

    Args:
        network: the cascade; its sub-networks named in `checkpoints` receive the weights.
        checkpoints: file of each sub-network, by its path in the cascade ("search.segmentation", "siamese", ...).
        output_file: where {"state_dict", "provenance"} is written, and beside it its checksum, NAME.sha256.
        max_megabytes: what the file may weigh.

    Returns:
        the path written.

    Raises:
        FileNotFoundError: when a checkpoint is missing.
        ValueError: when a checkpoint is not one of ours, does not fit its network, or the result is too large.
    """
    trainings: dict[str, Any] = {}
    for place, file in checkpoints.items():
        name, path = place.rpartition(".")[2], Path(file)
        if not path.is_file():
            raise FileNotFoundError(f"{name}: no checkpoint at {path}; run train_{name}.yaml first. Nothing was assembled.")
        saved = torch.load(path, weights_only=True, map_location="cpu")
        if not isinstance(saved, dict) or not {"state_dict", "provenance"} <= saved.keys():
            raise ValueError(f"{path}: expected a checkpoint with state_dict and provenance. Nothing was assembled.")
        try:
            network.get_submodule(place).load_state_dict(saved["state_dict"])
        except RuntimeError as error:
            raise ValueError(
                f"{path}: the weights do not fit {name}_def, which must be the same as in train_{name}.yaml. "
                f"Nothing was assembled. ({error})"
            ) from error
        trainings[name] = saved["provenance"]
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    size = sum(value.numel() * value.element_size() for value in state.values()) / 1e6
    if size > max_megabytes:
        raise ValueError(f"{output_file}: {size:.1f} MB of weights, expected at most {max_megabytes}. Nothing was assembled.")
    provenance = {
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "trainings": trainings,
    }
    destination = Path(output_file)
    destination.parent.mkdir(parents=True, exist_ok=True)
    save_whole({"state_dict": state, "provenance": provenance}, destination)
    # As sha256sum writes and checks it. Should the command be killed in between, the old checksum refuses the new weights.
    digest = hashlib.sha256(destination.read_bytes()).hexdigest()
    with replacing(destination.with_name(f"{destination.name}.sha256")) as temporary:
        temporary.write_text(f"{digest}  {destination.name}\n", encoding="ascii")
    print(f"Assembled {', '.join(trainings)} into {destination} ({size:.1f} MB)", flush=True)
    return destination
