"""Limits the gradient's norm, so that one odd batch does not undo what the others taught."""

from collections.abc import Iterable

import torch
from ignite.engine import Engine
from monai.engines import IterationEvents
from torch import Tensor


class ClipGradients:
    """Scales the gradients down to a norm of at most ``max_norm`` between the backward pass and the optimiser's step.

    Args:
        parameters: of the network that is trained.
        max_norm: largest 2-norm over all parameters.
    """

    def __init__(self, parameters: Iterable[Tensor], max_norm: float = 1.0) -> None:
        self.parameters, self.max_norm = list(parameters), max_norm

    def attach(self, engine: Engine) -> None:
        """Register with a MONAI trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Clip."""
        torch.nn.utils.clip_grad_norm_(self.parameters, self.max_norm)
