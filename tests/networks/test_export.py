"""MONAI's own tools accept the bundle's network, from any working directory, and the exports give its numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scripts
import torch
from monai.bundle import ConfigParser
from scripts.clinical import CHANNELS

CONFIGS = Path(scripts.__file__).parents[1] / "configs"
METADATA = CONFIGS / "metadata.json"
SIZES = ((300, 400), (517, 331))

REQUIRED = (
    "schema", "version", "changelog", "monai_version", "pytorch_version", "numpy_version", "required_packages_version",
    "task", "description", "authors", "copyright", "network_data_format",
)  # fmt: skip
"""Of metadata.json, by the MONAI Bundle Specification."""


def bundle(cwd: Path, *arguments: str) -> str:
    """Run one of MONAI's bundle commands in a folder that is not the bundle's."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "monai.bundle", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.yaml"))
    network = parser.get_parsed_content("network_def").eval()
    # Untrained heat maps are faint; without this no hip would be measured, and the export hardly tested.
    network.presence_threshold = 0.0
    network.implant_threshold = 2.0
    return network


@pytest.fixture(scope="module")
def weights(network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.save({"state_dict": network.state_dict(), "provenance": {}}, path)
    return path


@pytest.fixture(scope="module")
def exports(weights: Path) -> tuple[Path, Path]:
    folder = weights.parent
    common = ("--net_id", "network_def", "--ckpt_file", str(weights), "--key_in_ckpt", "state_dict")
    common += ("--config_file", str(CONFIGS / "inference.yaml"), "--meta_file", str(METADATA))
    common += ("--network_def#presence_threshold", "0.0", "--network_def#implant_threshold", "2.0")
    bundle(folder, "ckpt_export", *common, "--filepath", str(folder / "model.ts"))
    dynamic = {"image": {0: "batch", 2: "rows", 3: "cols"}, "pred": {0: "batch"}}
    converter = {"input_names": ["image"], "output_names": ["pred"], "dynamic_axes": dynamic, "atol": 1e-5}
    arguments = ("--filepath", str(folder / "model.onnx"), "--input_shape", "[1,1,300,400]")
    bundle(folder, "onnx_export", *common, *arguments, "--converter_kwargs", repr(converter))
    return folder / "model.ts", folder / "model.onnx"


def test_verify_metadata(tmp_path: Path) -> None:
    """Offline, against the fields that the specification requires: the command downloads only a schema that is missing."""
    schema = tmp_path / "meta_schema_20240725.json"
    schema.write_text(json.dumps({"type": "object", "required": list(REQUIRED)}))
    out = bundle(tmp_path, "verify_metadata", "--meta_file", str(METADATA), "--filepath", str(schema))
    assert "metadata is verified with no error" in out


def test_metadata_names_the_channels_in_order() -> None:
    metadata = json.loads(METADATA.read_text(encoding="utf-8"))
    channels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert [channels[str(index)].split(":")[0] for index in range(len(CHANNELS))] == list(CHANNELS)
    assert metadata["version"] in metadata["changelog"]


@pytest.mark.parametrize("size", [1, 300])
def test_verify_net_in_out(tmp_path: Path, size: int) -> None:
    out = bundle(
        tmp_path, "verify_net_in_out", "--net_id", "network_def", "--meta_file", str(METADATA),
        "--config_file", str(CONFIGS / "inference.yaml"), "--any", str(size), "--device", "cpu",
    )  # fmt: skip
    assert "data shape of network is verified with no error" in out


@pytest.mark.parametrize("size", SIZES)
def test_torchscript_gives_the_networks_numbers(network: torch.nn.Module, exports: tuple[Path, Path], size: tuple) -> None:
    image = torch.rand(2, 1, *size)
    covariates = torch.tensor([[70.0, 0.0, 60.0, 160.0], [55.0, 1.0, float("nan"), 178.0]])
    scripted = torch.jit.load(str(exports[0]))
    with torch.no_grad():
        torch.testing.assert_close(scripted(image), network(image), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(scripted(image, covariates), network(image, covariates), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_onnx_gives_the_networks_numbers(network: torch.nn.Module, exports: tuple[Path, Path], size: tuple) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    image = torch.rand(2, 1, *size)
    session = onnxruntime.InferenceSession(str(exports[1]), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network(image).numpy()
    np.testing.assert_allclose(session.run(None, {"image": image.numpy()})[0], expected, atol=1e-4, rtol=1e-4)


def test_torch_export_gives_the_networks_numbers(network: torch.nn.Module) -> None:
    auto = torch.export.Dim.AUTO
    image = torch.rand(2, 1, 300, 400)
    covariates = torch.tensor([[70.0, 0.0, 60.0, 160.0], [55.0, 1.0, float("nan"), 178.0]])
    shapes = ({0: auto, 2: auto, 3: auto}, {0: auto})
    exported = torch.export.export(network, (image, covariates), dynamic_shapes=shapes).module()
    for size in (*SIZES, (288, 384)):  # and one of whole blocks of the backbone, in which padding could vanish
        image = torch.rand(2, 1, *size)
        with torch.no_grad():
            torch.testing.assert_close(exported(image, covariates), network(image, covariates), atol=1e-4, rtol=1e-4)
