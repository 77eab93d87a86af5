"""How long the networks take for one radiograph, beside what the processor could do at best."""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from scripts.networks import ScreeningNetwork

_MATRIX = 1536


@torch.inference_mode()
def time_networks(
    network: ScreeningNetwork, rows: int = 3000, cols: int = 2500, pixel_mm: float = 0.125, threads: int = 2, repeats: int = 9
) -> dict[str, float]:
    """Print how long finding and outlining the hips of a radiograph takes, and the whole screen; return the seconds by name.

    All that is computed is computed for any radiograph alike, so this one is noise. Beside the median stands what its
    floating-point operations would take at the speed of a large matrix product, measured in the same turn.

    Args:
        network: as of inference.yaml; the weights do not matter.
        rows, cols: pixels of the radiograph.
        pixel_mm: size of one, in the plane of the hips.
        threads: processor cores to use.
        repeats: of each, after one to warm up.

    Raises:
        ValueError: one of the numbers is not above 0, or the radiograph is below 256 pixels of the network's own.
    """
    for name, given in (("rows", rows), ("cols", cols), ("pixel_mm", pixel_mm), ("threads", threads), ("repeats", repeats)):
        if not given > 0:
            raise ValueError(f"{name} is {given!r}; expected more than 0. Nothing was measured.")
    size = [round(side * pixel_mm / network.spacing_mm) for side in (rows, cols)]
    if min(size) < 256:
        raise ValueError(f"The image is {size} pixels of {network.spacing_mm} mm; expected 256 or more. Nothing was measured.")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    network = network.eval()
    image = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    searched = network.searched(image)
    matrix = torch.rand(_MATRIX, _MATRIX)
    runs: dict[str, Callable[[], object]] = {
        "find the hips and draw their contours": lambda: network.search(searched),
        "the whole screen": lambda: network(image),
        "matrix product": lambda: matrix @ matrix,
    }
    seconds = _medians(runs, repeats)
    operations = {name: _operations(run) for name, run in runs.items()}
    best = operations.pop("matrix product") / seconds.pop("matrix product")
    at = f"{size[0]} x {size[1]} at {network.spacing_mm} mm"
    print(f"A radiograph of {rows} x {cols} pixels, {at}, on {threads} threads, median of {repeats}")
    for name, taken in seconds.items():
        print(
            f"{name:40}{taken:7.3f} s; {operations[name] / 1e9:6.1f} GFLOP take {operations[name] / best:6.3f} s at best "
            f"({best / 1e9:.0f} GFLOP/s)"
        )
    torch.set_num_threads(before)
    return seconds


def _medians(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if turn:  # the first warms up
                taken[name].append(time.perf_counter() - begin)
    return {name: float(Tensor(values).median()) for name, values in taken.items()}


def _operations(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()
