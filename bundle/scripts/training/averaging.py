"""The mean of a network's weights at several epochs of a training, or at the ends of several that began with the same weights."""

from collections.abc import Sequence
from pathlib import Path

import torch

from scripts.files import sha256
from scripts.networks.checkpoint import read_checkpoint
from scripts.training.checkpoint import save_whole


def average_weights(files: Sequence[str], output_file: str) -> Path:
    """Write the mean of several checkpoints of one network (Izmailov et al., Averaging weights leads to wider optima, UAI 2018).

    Args:
        files: two or more that a training wrote; of values that have no mean, such as counters, the last file's stay.
        output_file: {"state_dict", "provenance"}; the provenance is that of the last file, with the SHA-256 of all of them.

    Returns:
        the path written.

    Raises:
        ValueError: where there are fewer than two files, one is missing or no checkpoint, or their weights differ in name or
            shape.
    """
    if len(files) < 2:
        raise ValueError(f"files are {list(files)}; expected two or more checkpoints of one network. Nothing was written.")
    missing = [file for file in files if not Path(file).is_file()]
    if missing:
        raise ValueError(f"{missing[0]}: there is no such checkpoint. Nothing was written.")
    read = [read_checkpoint(Path(file)) for file in files]
    states, (last, provenance) = [state for state, _ in read], read[-1]
    shapes = [{key: value.shape for key, value in state.items()} for state in states]
    for file, found in zip(files, shapes, strict=True):
        if found != shapes[-1]:
            raise ValueError(f"{file}: its weights are of another network than those of {files[-1]}. Nothing was written.")
    mean = {
        key: torch.stack([state[key] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for key, value in last.items()
    }
    destination = Path(output_file)
    save_whole(
        {"state_dict": mean, "provenance": {**provenance, "averaged_sha256": [sha256(Path(file)) for file in files]}}, destination
    )
    print(f"The mean of {len(files)} checkpoints: {destination}", flush=True)
    return destination
