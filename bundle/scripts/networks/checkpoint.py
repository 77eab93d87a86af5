"""Files of weights: those of one network as a training writes them, and those of a whole cascade."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

PROVENANCE: Final = "_extra_state"
"""Where torch keeps what `ScreeningNetwork.get_extra_state` gives in a state dict."""


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file of weights, without running any code in it.

    Args:
        path: of a training, {"state_dict", "provenance"}, or of a cascade: its state dict, which holds its provenance.

    Returns:
        state dict and provenance.

    Raises:
        ValueError: when it is neither.
    """
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        if "state_dict" in content:
            return content["state_dict"], content["provenance"]
        return content, from_tensor(content[PROVENANCE])
    except Exception as error:  # whatever a foreign file brings about
        raise ValueError(
            f"{path}: not a weights file of OsteoXR ({type(error).__name__}); expected a cascade's or a training's, with its "
            "provenance."
        ) from error


def to_tensor(provenance: dict[str, Any]) -> Tensor:
    """Plain data as the bytes of JSON, (N,) uint8: whatever reads weights knows tensors."""
    return torch.tensor(list(json.dumps(provenance).encode()), dtype=torch.uint8)


def from_tensor(state: Tensor) -> dict[str, Any]:
    """The plain data that `to_tensor` was given."""
    provenance: dict[str, Any] = json.loads(bytes(state.tolist()))
    return provenance
