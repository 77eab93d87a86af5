"""How a batch reaches a network: what goes in, what it is compared with, and at which precision."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.inferers import SimpleInferer
from torch import Tensor


class PrepareBatch:
    """MONAI's `prepare_batch` for networks with several inputs or targets.

    Args:
        inputs: keys of the network's arguments, in order.
        targets: key of the target, or several: then the loss gets a dictionary of them.
    """

    def __init__(self, inputs: list[str], targets: str | list[str]) -> None:
        self.inputs, self.targets = inputs, targets

    def __call__(
        self, batch: Mapping[str, Tensor], device: torch.device | None = None, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Any, tuple[Tensor, ...], dict[str, Any]]:
        """Return the first input, the target(s), the further inputs, and no keyword arguments."""

        def move(key: str) -> Tensor:
            return torch.as_tensor(batch[key]).to(device, non_blocking=non_blocking)

        target = move(self.targets) if isinstance(self.targets, str) else {key: move(key) for key in self.targets}
        return move(self.inputs[0]), target, tuple(move(key) for key in self.inputs[1:]), {}


def bfloat16_is_fast(device: torch.device | str) -> bool:
    """Whether a device computes in bfloat16: where it does not, it imitates that many times more slowly than it does float32."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "sve_bf16", "bf16"))


class AutocastInferer(SimpleInferer):
    """Runs the network in bfloat16 where that is safe; returns float32.

    MONAI's own `amp` is CUDA only; bfloat16 also nearly doubles the speed of CPUs that have it, and needs no gradient scaling.
    """

    def __init__(self, enabled: bool = True) -> None:
        super().__init__()
        self.enabled = enabled

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the network's output, a tensor or several by name."""
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.enabled):
            output = network(inputs.float(), *args, **kwargs)  # the cache holds half precision
        return {name: value.float() for name, value in output.items()} if isinstance(output, dict) else output.float()
