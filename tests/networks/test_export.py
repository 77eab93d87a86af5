"""MONAI's own tools accept the bundle's network, from any working directory, and the exports give its numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scripts
import torch
from bundle_command import bundle
from monai.bundle import ConfigParser
from scripts.clinical import CHANNELS
from scripts.networks import ScreeningNetwork
from scripts.networks.metadata import describe_output
from scripts.screening import load_weights

CONFIGS = Path(scripts.__file__).parents[1] / "configs"
METADATA = CONFIGS / "metadata.json"
WEIGHTS, EXAMPLES = CONFIGS.parent / "models/model.pt", CONFIGS.parent / "examples/images"
SHOWN = ("normal", "hip_screw")
COVARIATES = torch.tensor([[55.0, 1.0, float("nan"), 178.0]])

REQUIRED = (
    "schema", "version", "changelog", "monai_version", "pytorch_version", "numpy_version", "required_packages_version",
    "task", "description", "authors", "copyright", "network_data_format",
)  # fmt: skip
"""Of metadata.json, by the MONAI Bundle Specification."""


def shipped(name: str) -> Any:
    """A component of inference.yaml."""
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.yaml"))
    return parser.get_parsed_content(name)


@pytest.fixture(scope="module")
def network() -> ScreeningNetwork:
    network = shipped("network_def").eval()
    load_weights(network, str(WEIGHTS))
    return network


@pytest.fixture(scope="module")
def radiographs() -> dict[str, torch.Tensor]:
    """(1, 1, H, W) of two examples, whose sizes differ: hips that are measured, and one with metal."""
    read = shipped("preprocessing")
    return {name: read({"image": str(EXAMPLES / f"{name}.dcm")})["image"].as_tensor()[None] for name in SHOWN}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What the commands of the model zoo make of the shipped weights."""
    folder = tmp_path_factory.mktemp("exports")
    common = ("--net_id", "network_def", "--ckpt_file", str(WEIGHTS), "--meta_file", str(METADATA))
    common += ("--config_file", str(CONFIGS / "inference.yaml"))
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


def test_metadata_describes_the_channels_of_the_table() -> None:
    metadata = json.loads(METADATA.read_text(encoding="utf-8"))
    assert metadata["network_data_format"]["outputs"]["pred"] == describe_output(CHANNELS)
    assert metadata["version"] in metadata["changelog"]


@pytest.mark.parametrize("size", [1, 300])
def test_verify_net_in_out(tmp_path: Path, size: int) -> None:
    out = bundle(
        tmp_path, "verify_net_in_out", "--net_id", "network_def", "--meta_file", str(METADATA),
        "--config_file", str(CONFIGS / "inference.yaml"), "--any", str(size), "--device", "cpu",
    )  # fmt: skip
    assert "data shape of network is verified with no error" in out


@pytest.mark.parametrize("name", SHOWN)
def test_torchscript_gives_the_networks_numbers(
    network: ScreeningNetwork, radiographs: dict[str, torch.Tensor], exports: tuple[Path, Path], name: str
) -> None:
    scripted, image = torch.jit.load(str(exports[0])), radiographs[name]
    with torch.no_grad():
        torch.testing.assert_close(scripted(image), network(image), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(scripted(image, COVARIATES), network(image, COVARIATES), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SHOWN)
def test_onnx_gives_the_networks_numbers(
    network: ScreeningNetwork, radiographs: dict[str, torch.Tensor], exports: tuple[Path, Path], name: str
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(exports[1]), providers=["CPUExecutionProvider"])
    image = radiographs[name].expand(2, -1, -1, -1)
    with torch.no_grad():
        expected = network(image).numpy()
    np.testing.assert_allclose(session.run(None, {"image": image.numpy()})[0], expected, atol=1e-3, rtol=1e-3)


def test_torch_export_gives_the_networks_numbers(network: ScreeningNetwork, radiographs: dict[str, torch.Tensor]) -> None:
    auto = torch.export.Dim.AUTO
    shapes = ({0: auto, 2: auto, 3: auto}, {0: auto})
    exported = torch.export.export(
        network, (torch.rand(2, 1, 300, 400), COVARIATES.expand(2, -1)), dynamic_shapes=shapes
    ).module()
    whole_blocks = radiographs[SHOWN[0]][:, :, :768, :768]  # in which padding could vanish
    for image in (*radiographs.values(), whole_blocks):
        with torch.no_grad():
            torch.testing.assert_close(exported(image, COVARIATES), network(image, COVARIATES), atol=1e-4, rtol=1e-4)
