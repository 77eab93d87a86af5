"""What MONAI's tools and a user of its model zoo count on, and that each component is declared once."""

import json
import re
from pathlib import Path

import monai.bundle
import pytest
import scripts
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

BUNDLE = Path(scripts.__file__).parents[1]
CONFIGS = BUNDLE / "configs"
CONFIG_FILES = sorted(CONFIGS.glob("*.yaml"))
METRICS = {
    "femur_dice": "Femur Dice, mean",
    "femur_iou": "Femur IoU, mean",
    "prosthesis_iou": "Prosthesis IoU, mean",
    "fixation_iou": "Fixation IoU, mean",
    "landmark_error_median_mm": "Landmark error, median",
    "osteoporosis_auc": "Joint probability: AUC",
    "lowest_t_score_auc": "Lowest estimated T-score: AUC",
    "total_hip_bmd_r": "Total hip BMD: Pearson r",
    "total_hip_bmd_mae_g_cm2": "Total hip BMD: MAE",
    "femoral_neck_bmd_r": "Femoral neck BMD: Pearson r",
    "femoral_neck_bmd_mae_g_cm2": "Femoral neck BMD: MAE",
}
"""Of metadata.json, each with the row of the page's table that it is taken from."""


def components(content: object) -> list[str]:
    """What a config makes, by its path."""
    if isinstance(content, dict):
        own = [content["_target_"]] if "_target_" in content else []
        return own + [name for part in content.values() for name in components(part)]
    return [name for part in content for name in components(part)] if isinstance(content, list) else []


@pytest.mark.parametrize("path", CONFIG_FILES, ids=lambda path: path.stem)
def test_a_config_runs_its_parts_in_the_order_of_monai(path: Path) -> None:
    keys = [key.removeprefix("+") for key in ConfigParser.load_config_file(path)]
    order = [key for key in ("laid_over", "imports", "initialize", "run", "finalize") if key in keys]
    assert [key for key in keys if key in order] == order


def test_each_network_and_the_reading_of_radiographs_are_declared_once() -> None:
    contents = {path.stem: ConfigParser.load_config_file(path) for path in CONFIG_FILES}
    declared = [
        key for content in contents.values() for key, value in content.items() if key.endswith("_def") and isinstance(value, dict)
    ]
    assert len(declared) == len(set(declared))
    readers = {
        stem for stem, content in contents.items() if "scripts.radiograph.transforms.LoadRadiographd" in components(content)
    }
    assert readers == {"inference"}


def test_no_file_of_weights_that_ships_is_larger_than_25_mb() -> None:
    files = list((BUNDLE / "models").iterdir())
    assert files and max(file.stat().st_size for file in files) < 25e6


def test_the_page_says_what_the_metadata_says() -> None:
    page = (BUNDLE / "docs" / "README.md").read_text(encoding="utf-8")
    metadata = json.loads((CONFIGS / "metadata.json").read_text(encoding="utf-8"))
    rows = {row.split("|")[1].strip(): row.split("|")[2] for row in page.splitlines() if row.startswith("| ")}
    for metric, value in metadata["eval_metrics"].items():
        (told,) = (text for label, text in rows.items() if label.startswith(METRICS[metric]))
        assert float(re.findall(r"[0-9.]+", told)[0]) == value, metric
    flowing = " ".join(page.split())
    assert all(reference in flowing for reference in metadata["references"])


def test_the_tools_of_monai_load_the_weights_into_the_network() -> None:
    workflow = ConfigWorkflow(config_file=str(CONFIGS / "inference.yaml"), workflow_type="infer", logging_file=False)
    workflow.parser.parse()
    network = workflow.parser.get_parsed_content("network_def")
    loaded = monai.bundle.load(BUNDLE.name, bundle_dir=str(BUNDLE.parent), model=network, device="cpu")
    weights = torch.load(BUNDLE / "models" / "model.pt", weights_only=True)
    assert loaded.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[key]) for key, value in loaded.state_dict().items() if key != "_extra_state")
