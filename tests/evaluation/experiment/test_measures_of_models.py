"""Operating points, calibration and net benefit, by cases whose values are known."""

import numpy as np
import pytest
from scripts.evaluation.experiment.measures import (
    THRESHOLDS,
    choose_operating_points,
    fit_scaling,
    logit,
    measure,
    net_benefit,
)


def test_operating_points_keep_to_their_shares() -> None:
    positive = np.repeat([False, True], 100)
    said = np.concatenate((np.arange(100) / 200, 0.2 + np.arange(100) / 150))
    points = choose_operating_points(said, positive)
    assert np.mean(said[~positive] < points.rule_in) == pytest.approx(0.95, abs=0.011)
    assert np.mean(said[positive] >= points.rule_out) == pytest.approx(0.95, abs=0.011)
    for alike in (np.zeros(4, dtype=bool), np.ones(4, dtype=bool)):
        with pytest.raises(ValueError, match="of the 4 patients to validate on have osteoporosis; expected some"):
            choose_operating_points(np.linspace(0, 1, 4), alike)


def test_scaling_takes_back_what_was_done_to_probabilities() -> None:
    random = np.random.default_rng(1)
    true = 1 / (1 + np.exp(-random.normal(-1, 1.5, 20_000)))
    positive = random.random(20_000) < true
    overdone = 1 / (1 + np.exp(-(0.5 + 2.0 * logit(true))))
    scaling = fit_scaling(overdone, positive)
    assert scaling.slope == pytest.approx(0.5, abs=0.03) and scaling.offset == pytest.approx(-0.25, abs=0.05)
    points = choose_operating_points(overdone, positive)
    found = measure(overdone, positive, points, scaling)
    assert found["calibration_slope"] == pytest.approx(0.5, abs=0.03)
    assert found["calibration_slope_scaled"] == pytest.approx(1.0, abs=0.03) and found["brier_scaled"] < found["brier"]
    assert found["auprc_ci95"][0] < found["auprc"] < found["auprc_ci95"][1]
    assert found["rule_in"]["specificity"] == pytest.approx(0.95, abs=0.01)


def test_net_benefit_of_what_is_known_and_of_sending_everybody() -> None:
    positive = np.repeat([True, False], (30, 70))
    sure = net_benefit(positive.astype(float), positive)
    assert sure["model"] == pytest.approx([0.3] * len(THRESHOLDS))
    everybody = net_benefit(np.ones(100), positive)
    assert everybody["model"] == pytest.approx(everybody["all"])
    assert everybody["all"][THRESHOLDS.index(0.3)] == pytest.approx(0.0)
    assert net_benefit(np.zeros(100), positive)["model"] == pytest.approx([0.0] * len(THRESHOLDS))
