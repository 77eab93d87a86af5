"""Lends one network's encoder to another that sees the same crops."""

import hashlib
from pathlib import Path

import torch
from torch import nn

_PREFIX = "encoder."


def load_encoder(network: nn.Module, checkpoint: str | None) -> str | None:
    """Start ``network.encoder`` from the encoder of another training's checkpoint.

    Grams of mineral teach an encoder more about bone than a yes or no does, from the same patients.

    Args:
        network: has an `encoder`; changed in place.
        checkpoint: file {"state_dict", "provenance"} of a network with an encoder of the same architecture; None does nothing.

    Returns:
        SHA-256 of the file, for the provenance; None without one.

    Raises:
        ValueError: when the file is missing or holds no such encoder.
    """
    if checkpoint is None:
        return None
    path = Path(checkpoint)
    if not path.is_file():
        raise ValueError(f"encoder_file {checkpoint}: there is no such file; run train_bmd.yaml first. Nothing was trained.")
    state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
    encoder = {key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)}
    try:
        network.get_submodule("encoder").load_state_dict(encoder)
    except RuntimeError as error:
        raise ValueError(f"encoder_file {checkpoint}: its encoder is another one ({error}). Nothing was trained.") from error
    return hashlib.sha256(path.read_bytes()).hexdigest()
