"""Weights of the Singh-like grade: fitted to the truth, and refused where there is none."""

import json

import numpy as np
import pytest
from scripts.measurement.singh import CONTRASTS
from scripts.training import singh_fit


def hips(count):
    random = np.random.default_rng(0)
    contrasts = random.normal(0, 0.3, (count, len(CONTRASTS)))
    grades = np.clip(4.5 + 3 * contrasts[:, 0] - 2 * contrasts[:, 1] + random.normal(0, 0.3, count), 1, 6)
    return np.column_stack([contrasts, grades]).tolist()


def test_weights_are_those_that_made_the_grades_and_keep_their_spread(tmp_path, monkeypatch):
    rows = hips(400)
    monkeypatch.setattr(singh_fit, "_hips", lambda _: iter([*rows, [*rows[0][:-1], np.nan]]))
    singh_fit.fit_singh("cohort", str(tmp_path / "singh.json"), "simulate.yaml --patients 200")
    document = json.loads((tmp_path / "singh.json").read_text())
    weights = document["weights"]
    assert "400 hips" in document["source"] and "--patients 200" in document["source"]
    assert weights["head_tensile"] == pytest.approx(3, abs=0.3) and weights["head_compressive"] == pytest.approx(-2, abs=0.3)
    assert weights["neck_compressive"] == pytest.approx(0, abs=0.2) and weights["intercept"] == pytest.approx(4.5, abs=0.1)
    found = weights["intercept"] + np.array(rows)[:, :-1] @ [weights[name] for name in CONTRASTS]
    assert found.std() == pytest.approx(np.std([row[-1] for row in rows]), rel=0.01)


def test_too_few_hips_are_an_error_that_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(singh_fit, "_hips", lambda _: iter(hips(59)))
    with pytest.raises(ValueError, match=r"cohort: 59 hips .* expected at least 60"):
        singh_fit.fit_singh("cohort", str(tmp_path / "singh.json"), "")
    assert not list(tmp_path.iterdir())
