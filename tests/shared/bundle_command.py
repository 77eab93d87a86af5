"""MONAI's bundle commands, as a user runs them."""

import os
from pathlib import Path

import scripts
import torch
from quick_start import run_module

CONFIGS = Path(scripts.__file__).parents[1] / "configs"


def bundle(cwd: Path, *arguments: str) -> str:
    """Run one of MONAI's bundle commands in a folder that is not the bundle's."""
    result = run_module("monai.bundle", *arguments, cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def laid(*configs: str) -> str:
    """The files of configs, each laid over those before it."""
    return str([str(CONFIGS / f"{name}.yaml") for name in configs])


def exported(cwd: Path, weights: Path, *configs: str) -> torch.jit.ScriptModule:
    """The TorchScript module that MONAI's command makes of weights and the network that configs declare."""
    bundle(
        cwd, "ckpt_export", "--config_file", laid(*configs), "--net_id", "network_def", "--filepath", str(cwd / "model.ts"),
        "--ckpt_file", str(weights), "--meta_file", str(CONFIGS / "metadata.json"),
    )  # fmt: skip
    return torch.jit.load(cwd / "model.ts")
