"""Starts a network, or a part of it, from the weights of another training."""

import hashlib
from pathlib import Path

import torch
from torch import nn


def start_from(network: nn.Module, checkpoint: str | None, part: str = "", place: str = "") -> str | None:
    """Load a checkpoint's weights into a network before it is trained, for fine-tuning or to lend it an encoder.

    Args:
        network: changed in place.
        checkpoint: file {"state_dict", "provenance"} that a training or `assemble` wrote; None does nothing.
        part: name of the submodule to take over, "encoder" say; all of the network when empty.
        place: of the network in a cascade, "search.segmentation" say, should the file hold a whole one's weights.

    Returns:
        SHA-256 of the file, for the provenance; None without one.

    Raises:
        ValueError: when the file is missing or its weights do not fit.
    """
    if checkpoint is None:
        return None
    path = Path(checkpoint)
    if not path.is_file():
        raise ValueError(f"{checkpoint}: there is no such checkpoint to start from. Nothing was trained.")
    prefix = f"{part}." if part else ""
    state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
    if place and any(key.startswith(f"{place}.") for key in state):
        prefix = f"{place}.{prefix}"
    try:
        network.get_submodule(part).load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    except RuntimeError as error:
        raise ValueError(
            f"{checkpoint}: its weights are of another {part or 'network'} ({error}). Nothing was trained."
        ) from error
    return hashlib.sha256(path.read_bytes()).hexdigest()
