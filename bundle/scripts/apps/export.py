"""The cascade as one file that other programs run: TorchScript or ONNX, by MONAI's own exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from monai.bundle import ckpt_export, onnx_export

from scripts.apps.options import CONFIGS
from scripts.files import replacing

_TRACED: Final = {
    "input_shape": [1, 1, 512, 640],
    "use_trace": True,
    "converter_kwargs": {
        "input_names": ["image"],
        "output_names": ["pred"],
        "dynamic_axes": {"image": {0: "batch", 2: "height", 3: "width"}},
        "atol": 1e-4,
    },
}


def export_network(output_file: str, checkpoint: str, config_files: Sequence[str]) -> Path:
    """Write the network of a configuration, with its weights, and check that what was written gives its numbers.

    Args:
        output_file: ends with ".ts" (TorchScript, which takes image and covariates) or ".onnx" (the image alone).
        checkpoint: weights of the cascade.
        config_files: that declare the network.

    Returns:
        the path written.

    Raises:
        ValueError: for another ending.
    """
    destination = Path(output_file)
    exports: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {".ts": (ckpt_export, {}), ".onnx": (onnx_export, _TRACED)}
    if destination.suffix.lower() not in exports:
        raise ValueError(f"{output_file}: expected a name that ends with {' or '.join(exports)}. Nothing was exported.")
    export, settings = exports[destination.suffix.lower()]
    common: dict[str, Any] = {
        "net_id": "network_def",
        "ckpt_file": str(checkpoint),
        "meta_file": str(CONFIGS / "metadata.json"),
        "config_file": [str(file) for file in config_files],
    }
    with replacing(destination) as temporary:
        export(filepath=str(temporary), **common, **settings)
    print(f"The network is in {destination}, {destination.stat().st_size / 1e6:.1f} MB", flush=True)
    return destination
