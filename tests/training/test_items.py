"""The targets: what is unknown stays unknown, and the lowest T-score decides."""

import math
from pathlib import Path

import numpy as np
import pytest
from scripts.clinical import HIP, load_reference
from scripts.dataset.truth import read_truth
from scripts.training.items import HipTargetsd, training_items

NAN = math.nan


def test_the_bmd_is_side_by_site_with_nan_where_unknown() -> None:
    item = {"right_neck_bmd": 0.7, "right_total_bmd": "", "left_neck_bmd": None, "left_total_bmd": "0.9"}
    np.testing.assert_allclose(read_truth(item).bmd, [[0.7, NAN], [NAN, 0.9]], rtol=1e-6)


@pytest.mark.parametrize(
    ("bmd", "expected"),
    [
        ([[0.858, 0.942], [0.858, 0.942]], 0.0),
        ([[0.858, 0.942], [0.858, 0.942 - 2.6 * 0.122]], 1.0),  # one site of four
        ([[NAN, NAN], [0.858 - 2.4 * 0.120, NAN]], 0.0),
        ([[NAN, NAN], [0.858 - 2.51 * 0.120, NAN]], 1.0),
        ([[0.558, NAN], [NAN, NAN]], 1.0),  # -2.5 itself, whatever the last bit of the division says
        ([[NAN, NAN], [NAN, NAN]], NAN),
    ],
)
def test_the_lowest_t_score_decides(bmd: list, expected: float) -> None:
    item = {f"{side}_{site}_bmd": bmd[i][j] for i, side in enumerate(HIP.sides) for j, site in enumerate(HIP.sites)}
    np.testing.assert_equal(HipTargetsd(load_reference())(item)["osteoporosis"], np.float32([expected]))


def test_items_of_a_split(cohort) -> None:
    validation = training_items(str(cohort), ["validation"], ["bmd"])
    assert [Path(item["image"]).stem for item in validation] == ["P5", "P6", "P7", "P8"]
    assert len(training_items(str(cohort), ["train"], ["label", "landmarks"])) == 5
    with pytest.raises(ValueError, match="9 radiographs, 0 of them with 'test'"):
        training_items(str(cohort), ["test"], [])
