"""`osteoxr export` writes the network that MONAI's own commands write."""

from pathlib import Path

import pytest
import scripts
import torch
from scripts.apps.export import export_network

BUNDLE = Path(scripts.__file__).parents[1]


def test_the_exported_network_has_the_weights_of_the_bundle(tmp_path: Path) -> None:
    weights = BUNDLE / "models/model.pt"
    path = export_network(str(tmp_path / "m #1.ts"), str(weights), [str(BUNDLE / "configs/inference.yaml")])
    exported = torch.jit.load(str(path)).state_dict()
    expected = torch.load(weights, weights_only=True)
    shared = expected.keys() & exported.keys()
    assert len(shared) > 100 and all(torch.equal(exported[key], expected[key]) for key in shared)
    assert [file.name for file in tmp_path.iterdir()] == ["m #1.ts"]


@pytest.mark.parametrize("name", ["model.pt", "model", "model.onnx.zip", "ts"])
def test_another_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a name that ends with \.ts or \.onnx\. Nothing was exported\."):
        export_network(str(tmp_path / name), "model.pt", [])
    assert not list(tmp_path.iterdir())
