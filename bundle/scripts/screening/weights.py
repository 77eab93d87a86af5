"""Weights: loaded whole into the network that they were made for, or one sentence on why not."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

import scripts
from scripts.files import sha256
from scripts.networks.checkpoint import PROVENANCE, read_checkpoint

SHIPPED: Final = Path(scripts.__file__).parents[1] / "models" / "model.pt"
"""The weights that come with the bundle."""

_SHOWN_KEYS: Final = 3  # of those that do not match, in the sentence on weights that do not fit


def load_weights(network: torch.nn.Module, checkpoint: str, checksum_file: str | None = None) -> dict[str, Any]:
    """Load a weights file into the network it was made for, all keys and shapes, and say where it comes from.

    Args:
        network: changed in place.
        checkpoint: the state dict of a cascade, which holds its provenance.
        checksum_file: their SHA-256, as `sha256sum` writes it; NAME.sha256 beside the checkpoint if None.

    Returns:
        "file" (its name), "sha256" and "provenance" (what its training wrote). The command ends where the file is
        missing, not the one that its checksum tells of, no such file, or of another network.
    """
    path = Path(checkpoint)
    if not path.is_file():
        raise SystemExit(f"Weights {checkpoint}: there is no such file; train and assemble one, or name one with --checkpoint.")
    if name := _training_of(path):
        own = "--config (see head.yaml)" if name == "head" else f"--{name}_file {shlex.quote(checkpoint)}"
        base = shlex.quote(str(SHIPPED))
        raise SystemExit(
            f"Weights {checkpoint}: these are of one training alone, {name}, and a screen needs all networks; join it to the "
            f"others by: osteoxr assemble {own} --base_file {base} --output_file MODEL.pt. Then name MODEL.pt "
            "by --checkpoint. Nothing was analysed."
        )
    return _load(network, path, checksum_file, "--checkpoint")


def load_part(network: torch.nn.Module, checkpoint: str, option: str) -> dict[str, Any]:
    """Load the weights of one network, as its training wrote them, with a checksum beside it.

    Args:
        network: changed in place.
        checkpoint: the file.
        option: that names it.

    Returns:
        as `load_weights`, and the command ends as there.
    """
    path = Path(checkpoint)
    if not path.is_file():
        raise SystemExit(f"Weights {checkpoint}: there is no such file; expected weights of a training, by {option}.")
    return _load(network, path, None, option)


def _load(network: torch.nn.Module, path: Path, checksum_file: str | Path | None, option: str) -> dict[str, Any]:
    found = _checked_sha256(path, Path(checksum_file) if checksum_file else path.with_name(f"{path.name}.sha256"))
    try:
        state, provenance = read_checkpoint(path)
    except ValueError as error:
        raise SystemExit(f"Weights {error}") from error
    if mismatches := _mismatches(network.state_dict(), state):
        more = f" and {len(mismatches) - _SHOWN_KEYS} more" if len(mismatches) > _SHOWN_KEYS else ""
        raise SystemExit(
            f"Weights {path} do not fit the network of the configuration: {'; '.join(mismatches[:_SHOWN_KEYS])}"
            f"{more}. Name the weights that were trained with it by {option}."
        )
    network.load_state_dict(state)
    return {"file": path.name, "sha256": found, "provenance": provenance}


def _training_of(path: Path) -> str:
    """The name of the training that wrote a checkpoint of one network; "" where the file is none."""
    try:
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        settings = content["provenance"]["config"]
    except Exception:  # whatever a foreign file brings about; it is told of later
        return ""
    trainings = [name.removeprefix("train_").removesuffix(".yaml") for name in settings if name.startswith("train_")]
    return trainings[-1] if trainings else ""


def _checked_sha256(path: Path, checksum: Path) -> str:
    try:
        expected = checksum.read_text(encoding="ascii").split()[0].lower()
    except (OSError, ValueError, IndexError) as error:
        raise SystemExit(
            f"Weights {path}: their checksum, {checksum.name} beside them, is missing or empty; without it damaged or exchanged "
            f"weights would pass. assemble.yaml writes both. Where you trust the weights: sha256sum {path.name} > {checksum.name}"
        ) from error
    found = sha256(path)
    if found != expected:
        raise SystemExit(
            f"Weights {path}: their SHA-256 is {found}, but {checksum.name} says {expected}: the file is damaged or another one. "
            "Copy both files again. Nothing was analysed."
        )
    return found


def _mismatches(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> list[str]:
    missing = [f"{key} is missing" for key in expected if key not in found]
    unknown = [f"{key} is unknown" for key in found if key not in expected]
    shapes = [
        f"{key} is {tuple(found[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in found and key != PROVENANCE and found[key].shape != expected[key].shape
    ]
    return missing + unknown + shapes
