"""Whether parts fit each other: each is tried once when a network is built, on an empty picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn

MISFIT: Final = (RuntimeError, ValueError, IndexError, KeyError, TypeError)
"""What torch raises where shapes do not fit."""


@contextmanager
def tried(network: nn.Module) -> Iterator[None]:
    """Let a network work without learning from it."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)


def features_of(encoder: nn.Module, channels: int, rows: int, cols: int) -> int:
    """How many features a backbone gives of pictures (channels, rows, cols).

    Raises:
        ValueError: when it takes no such pictures, or gives no vector of each.
    """
    try:
        with tried(encoder):
            found: Tensor = encoder(torch.zeros(1, channels, rows, cols))
    except MISFIT as error:
        raise ValueError(f"{type(encoder).__name__} takes no pictures (N, {channels}, {rows}, {cols}): {error}") from error
    if found.ndim != 2:
        raise ValueError(
            f"{type(encoder).__name__} maps pictures (1, {channels}, {rows}, {cols}) to {tuple(found.shape)}; expected "
            "(1, features)."
        )
    return found.shape[1]
