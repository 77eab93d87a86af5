"""What several processes that train one network together have to agree on; all of it does nothing where there is one alone."""

from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn


def mean_over_processes(total: Tensor, count: Tensor) -> Tensor:
    """Divide a sum over this process's share of a batch so that the mean over the processes is the mean over the whole batch.

    DistributedDataParallel averages the gradients of the processes, and shares know different numbers of targets: the mean of
    their means would not be that of the batch.

    Args:
        total: of any shape; that of this process.
        count: what was summed over, of a shape that broadcasts; a sum over all processes below 1 counts as 1.

    Returns:
        total / mean of the processes' counts.
    """
    everywhere: Any = idist.all_reduce(count.detach().to(total.dtype, copy=True))
    return total * idist.get_world_size() / everywhere.clamp(min=1)


def share_of_batch(batch_size: int, radiographs: int, processes: int) -> int:
    """The number of a batch's radiographs that fall to each process.

    Args:
        batch_size: of all processes together.
        radiographs: of the training.
        processes: how many train together.

    Raises:
        ValueError: when the batch cannot be divided, or there are fewer radiographs than processes.
    """
    if batch_size % processes or radiographs < processes:
        raise ValueError(
            f"{processes} processes cannot share batches of {batch_size} of {radiographs} radiographs; expected a batch_size "
            f"that is a multiple of {processes}, and at least {processes} radiographs. Nothing was trained."
        )
    return batch_size // processes


def with_common_statistics(network: nn.Module, device: torch.device) -> nn.Module:
    """Let the network's batch normalisation see the whole batch of all processes; on a GPU, as PyTorch can there alone.

    Modules are replaced in place: parameters and names in the state dictionary stay.
    """
    return nn.SyncBatchNorm.convert_sync_batchnorm(network) if device.type == "cuda" else network


class AverageStatistics:
    """Gives every process, before it validates, the mean of all processes' running statistics of batch normalisation.

    Args:
        network: the network itself, not its DistributedDataParallel.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Register with the evaluator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Average."""
        for buffer in self.network.buffers():
            if buffer.is_floating_point():
                everywhere: Any = idist.all_reduce(buffer.clone())
                buffer.copy_(everywhere / idist.get_world_size())
