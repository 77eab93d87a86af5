"""Patients with osteoporosis are shown oftener, and a hip is hidden now and then."""

import math

import pytest
import torch
from scripts.clinical import load_reference
from scripts.training import Oversampled, RandOneHipd

ILL, WELL, UNKNOWN = ({"image": name, "right_neck_bmd": value} for name, value in (("a", 0.45), ("b", 0.85), ("c", math.nan)))


def test_both_kinds_are_shown_about_as_often() -> None:
    shown = Oversampled([WELL, WELL, ILL, WELL, UNKNOWN, WELL, WELL, WELL, WELL, ILL], load_reference())
    assert [item["image"] for item in shown].count("a") == 2 * 4 and len(shown) == 8 + 8
    assert shown.times == 4 and shown.log_odds == pytest.approx(math.log(4))
    assert Oversampled([WELL, ILL, ILL], load_reference()).times == 1
    assert len(Oversampled([WELL, ILL], load_reference(), 5)) == 6


@pytest.mark.parametrize("items", [[WELL, UNKNOWN], [ILL], [UNKNOWN]])
def test_one_kind_alone_teaches_nothing(items: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"of patients with osteoporosis .* expected both. Nothing was trained."):
        Oversampled(items, load_reference())


def test_one_of_two_hips_is_hidden_at_random() -> None:
    hide = RandOneHipd(prob=0.5)
    hide.set_random_state(3)
    both = {"image": torch.ones(2, 8, 8), "around": torch.ones(2, 4, 4), "valid": torch.ones(2), "bmd": torch.ones(2, 2)}
    kept = [0, 0, 0]
    for _ in range(400):
        found = hide(both)
        side = int(found["valid"].argmax()) if found["valid"].min() == 0 else 2
        kept[side] += 1
        if side < 2:
            assert found["image"][1 - side].max() == 0 and found["around"][1 - side].max() == 0
            assert found["bmd"][1 - side].isnan().all() and torch.equal(found["image"][side], both["image"][side])
            assert torch.equal(found["bmd"][side], both["bmd"][side])
    assert 150 < kept[2] < 250 and min(kept[:2]) > 70
    alone = {**both, "valid": torch.tensor([0.0, 1.0])}
    assert all(torch.equal(hide(alone)["valid"], alone["valid"]) for _ in range(20))
