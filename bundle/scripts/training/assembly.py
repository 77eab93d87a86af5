"""Joins the separately trained networks into the weights of the cascade, and starts a network from such weights."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scripts.files import replacing, sha256
from scripts.networks import ScreeningNetwork
from scripts.networks.checkpoint import read_checkpoint
from scripts.training.provenance import versions


def assemble(
    network: ScreeningNetwork,
    checkpoints: Mapping[str, str | None],
    output_file: str,
    max_megabytes: float,
    base_file: str | None = None,
    handlers: Sequence[AbstractContextManager[Any]] = (),
) -> Path:
    """Load each sub-network's best checkpoint and write the cascade's weights with their provenance.

    Args:
        network: the cascade; its sub-networks named in `checkpoints` receive the weights.
        checkpoints: file of each sub-network, by its path in the cascade ("search.segmentation", "heads.bmd", ...); None takes it
            from ``base_file``.
        output_file: where its state dict is written, which holds the provenance, and beside it its checksum, NAME.sha256.
        max_megabytes: what the file may weigh.
        base_file: weights of a whole cascade; it may lack what a checkpoint is given for.
        handlers: contexts in which all this is done, such as `TrackAssembly`.

    Returns:
        the path written.

    Raises:
        FileNotFoundError: when a checkpoint is missing.
        ValueError: when a checkpoint is not one of ours or does not fit its network, when one is None and there is no
            ``base_file``, or when the result is too large.
    """
    with ExitStack() as stack:
        for handler in handlers:
            stack.enter_context(handler)
        return _write(network, _join(network, checkpoints, base_file), Path(output_file), max_megabytes)


def _join(network: ScreeningNetwork, checkpoints: Mapping[str, str | None], base_file: str | None) -> dict[str, Any]:
    """Load every checkpoint; return their provenances."""
    trainings: dict[str, Any] = {}
    if base_file is not None:
        trainings |= _load(Path(base_file), network, "network", [place for place, file in checkpoints.items() if file])[
            "trainings"
        ]
    for place, file in checkpoints.items():
        name = place.rpartition(".")[2]
        if file is not None:
            trainings[name] = _load(Path(file), network.get_submodule(place), name)
        elif base_file is None:
            raise ValueError(f"{name}_file is missing: run train_{name}.yaml first, or give a base_file. Nothing was assembled.")
    return trainings


def _write(network: ScreeningNetwork, trainings: Mapping[str, Any], destination: Path, max_megabytes: float) -> Path:
    network.provenance = {
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "trainings": trainings,
    }
    # Both are whole before either takes its place. Should the command be killed in between, the checksum refuses the weights.
    with replacing(destination.with_name(f"{destination.name}.sha256")) as beside, replacing(destination) as temporary:
        with temporary.open("wb") as stream:  # given a path, torch.save writes its name, here a passing one, into the file
            torch.save(_in_one_storage(network.state_dict()), stream)
        size = temporary.stat().st_size / 1e6
        if size > max_megabytes:
            raise ValueError(f"{destination}: {size:.3f} MB, expected at most {max_megabytes}. Nothing was assembled.")
        beside.write_text(f"{sha256(temporary)}  {destination.name}\n", encoding="ascii")  # as sha256sum writes and checks it
    print(f"Assembled {', '.join(trainings)} into {destination} ({size:.1f} MB)", flush=True)
    return destination


def _in_one_storage(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors, those of one type side by side in one block: in a file each block costs 200 bytes more."""
    packed = dict(state)
    for dtype in {value.dtype for value in state.values()}:
        alike = {key: value for key, value in state.items() if value.dtype == dtype}
        block = torch.cat([value.flatten() for value in alike.values()])
        pieces = block.split([value.numel() for value in alike.values()])
        packed |= {key: piece.view(value.shape) for (key, value), piece in zip(alike.items(), pieces, strict=True)}
    return packed


def start_from(network: nn.Module, checkpoint: str | None, part: str = "", place: str = "") -> str | None:
    """Load a checkpoint's weights into a network before it is trained, for fine-tuning or to lend it an encoder.

    Args:
        network: changed in place.
        checkpoint: file that a training or `assemble` wrote; None does nothing.
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
    state, _ = read_checkpoint(path)
    if place and any(key.startswith(f"{place}.") for key in state):
        prefix = f"{place}.{prefix}"
    try:
        network.get_submodule(part).load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    except RuntimeError as error:
        raise ValueError(
            f"{checkpoint}: its weights are of another {part or 'network'} ({error}). Nothing was trained."
        ) from error
    return sha256(path)


def _load(path: Path, network: torch.nn.Module, name: str, kept: Sequence[str] = ()) -> dict[str, Any]:
    """Load a checkpoint into a network, but for the parts that are `kept`; return its provenance."""
    if not path.is_file():
        raise FileNotFoundError(f"{name}: there is no checkpoint {path}. Nothing was assembled.")
    try:
        state, provenance = read_checkpoint(path)
    except ValueError as error:
        raise ValueError(f"{error} Nothing was assembled.") from error
    parts = tuple(f"{place}." for place in kept)
    own = {key: value for key, value in network.state_dict().items() if key.startswith(parts)}
    try:
        network.load_state_dict({key: value for key, value in state.items() if not key.startswith(parts)} | own)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: the weights do not fit {name}_def, which must be the same as in train_{name}.yaml. "
            f"Nothing was assembled. ({error})"
        ) from error
    return provenance
