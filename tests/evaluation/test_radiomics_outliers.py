"""What lies far from all other hips is named, whatever the feature's unit and scale."""

import numpy as np
import pytest
from scripts.evaluation.radiomics.outliers import FAR, FEWEST, find_outliers
from scripts.measurement.radiomics.hip import HIP_NAMES

FIRST, SECOND, *_ = HIP_NAMES


def rows(count: int) -> list[dict[str, object]]:
    random = np.random.default_rng(0)
    return [
        {"name": f"{index:02d}", "file": f"{index}.dcm", "side": "left", **dict.fromkeys(HIP_NAMES), FIRST: 1e6 * random.normal()}
        for index in range(count)
    ]


def test_a_far_value_is_named_with_its_distance() -> None:
    hips = rows(40)
    assert find_outliers(hips) == []
    hips[7][FIRST], hips[9][FIRST] = 5e7, -9e7
    found = find_outliers(hips)
    assert [(one.name, one.feature) for one in found] == [("09", FIRST), ("07", FIRST)]
    assert found[0].distance < -FAR and found[1].distance > FAR
    assert found[1].row()["value"] == "5e+07" and float(found[1].row()["distance"]) == pytest.approx(found[1].distance, rel=1e-4)


def test_few_hips_and_features_that_half_share_tell_of_nobody() -> None:
    few = rows(FEWEST - 1)
    few[0][FIRST] = 1e12
    assert find_outliers(few) == []
    alike = [{**row, FIRST: None, SECOND: 0.0} for row in rows(40)]
    alike[0][SECOND] = 3.0
    assert find_outliers(alike) == []
