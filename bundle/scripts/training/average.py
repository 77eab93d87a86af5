"""Averages the weights of a training and of its fine-tuning: between the two lies often a better network than either.

Wortsman et al., "Model soups", ICML 2022.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from scripts.training.checkpoint import save_whole
from scripts.training.provenance import versions


def average(checkpoints: Sequence[str], shares: Sequence[float], bias_shift: Sequence[float], output_file: str) -> Path:
    """Write the weighted mean of segmentation checkpoints of one architecture.

    Args:
        checkpoints: files {"state_dict", "provenance"}.
        shares: weight of each in the mean; they add up to 1.
        bias_shift: logits added to the first output channels (femur, prosthesis, fixation), since a mean of networks that
            disagree is too shy of what is rare.
        output_file: where the mean is written, with the provenance of all of them.

    Raises:
        ValueError: when the shares do not fit the files, or the files each other.
    """
    if len(shares) != len(checkpoints) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares is {list(shares)}; expected {len(checkpoints)} numbers that add up to 1. Nothing was written.")
    saved = [torch.load(file, weights_only=True, map_location="cpu") for file in checkpoints]
    states = [content["state_dict"] for content in saved]
    shapes = [{key: value.shape for key, value in state.items()} for state in states]
    if any(other != shapes[0] for other in shapes[1:]):
        raise ValueError(f"{', '.join(checkpoints)}: expected checkpoints of one architecture. Nothing was written.")
    mean = dict(states[0])
    for key, value in mean.items():
        if value.is_floating_point():
            mean[key] = sum((share * state[key] for share, state in zip(shares, states, strict=True)), torch.zeros_like(value))
    mean["bias"][0, : len(bias_shift), 0, 0] += torch.tensor(bias_shift)
    provenance = {
        **saved[0]["provenance"],
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "averaged": [{"share": share, **content["provenance"]} for share, content in zip(shares, saved, strict=True)],
        "bias_shift": list(bias_shift),
    }
    save_whole({"state_dict": mean, "provenance": provenance}, Path(output_file))
    print(f"Averaged {len(checkpoints)} checkpoints into {output_file}", flush=True)
    return Path(output_file)
